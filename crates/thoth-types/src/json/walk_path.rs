//! Where the walk stands, as a JSON pointer, and the places that were kept for later. Linear however deep and however
//! long its keys are: each step of a kept place is written down once.

/// A place that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptPlace(usize);

/// One step below another.
#[derive(Debug)]
struct Kept {
    above: Option<KeptPlace>,
    /// Where its text ends; it begins where that of the one before ends.
    end: usize,
    is_key: bool,
}

/// One step to where the walk stands.
#[derive(Debug)]
struct Step {
    /// Where it begins in the pointer, and where it ends.
    start: usize,
    end: usize,
    is_key: bool,
    kept: Option<KeptPlace>,
}

/// The way to where the walk stands.
#[derive(Debug, Default)]
pub struct WalkPath {
    pointer: String,
    steps: Vec<Step>,
    kept: Vec<Kept>,
    text: String,
}

impl WalkPath {
    /// The pointer to where the walk stands (RFC 6901).
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Notes that what was added to the pointer from `start` on is a step.
    fn step(&mut self, start: usize, is_key: bool) {
        self.steps.push(Step { start, end: self.pointer.len(), is_key, kept: None });
    }

    /// Steps to an element of a list.
    pub fn push_element(&mut self, at: usize) {
        let start = self.pointer.len();
        self.pointer.push('/');
        // Long lists of short values are counted up faster than a number is formatted.
        let mut digits = [b'0'; 20];
        let (mut rest, mut from) = (at, digits.len());
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            from = place;
            if rest == 0 {
                break;
            }
        }
        self.pointer.extend(digits.iter().skip(from).map(|digit| char::from(*digit)));
        self.step(start, false);
    }

    /// Steps to a member.
    pub fn push_key(&mut self, name: &str) {
        let start = self.pointer.len();
        self.pointer.push('/');
        if name.contains(['~', '/']) {
            for character in name.chars() {
                match character {
                    '~' => self.pointer.push_str("~0"),
                    '/' => self.pointer.push_str("~1"),
                    other => self.pointer.push(other),
                }
            }
        } else {
            self.pointer.push_str(name);
        }
        self.step(start, true);
    }

    /// Steps into a string that is JSON.
    pub fn push_inside(&mut self) {
        self.pointer.push('!');
        self.step(self.pointer.len() - 1, false);
    }

    /// Takes the last step back.
    pub fn pop(&mut self) {
        if let Some(step) = self.steps.pop() {
            self.pointer.truncate(step.start);
        }
    }

    /// Keeps the place where the walk stands. Nothing for the top of the document.
    pub fn keep(&mut self) -> Option<KeptPlace> {
        let known = self.steps.iter().rposition(|step| step.kept.is_some()).map_or(0, |at| at + 1);
        let mut above = known.checked_sub(1).and_then(|at| self.steps.get(at)).and_then(|step| step.kept);
        for step in self.steps.iter_mut().skip(known) {
            self.text.push_str(self.pointer.get(step.start..step.end).unwrap_or_default());
            self.kept.push(Kept { above, end: self.text.len(), is_key: step.is_key });
            above = Some(KeptPlace(self.kept.len() - 1));
            step.kept = above;
        }
        above
    }

    /// Forgets every place that was kept.
    pub fn forget(&mut self) {
        self.kept.clear();
        self.text.clear();
        for step in &mut self.steps {
            step.kept = None;
        }
    }

    /// A kept place and those above it, from below.
    fn upwards(&self, place: Option<KeptPlace>) -> impl Iterator<Item = (&Kept, &str)> {
        std::iter::successors(place.and_then(|place| Some((place, self.kept.get(place.0)?))), |(_, kept)| {
            let above = kept.above?;
            Some((above, self.kept.get(above.0)?))
        })
        .map(|(place, kept)| {
            let start = place.0.checked_sub(1).and_then(|before| self.kept.get(before)).map_or(0, |before| before.end);
            (kept, self.text.get(start..kept.end).unwrap_or_default())
        })
    }

    /// The pointer to a kept place.
    #[must_use]
    pub fn pointer_to(&self, place: Option<KeptPlace>) -> String {
        let mut steps: Vec<&str> = self.upwards(place).map(|(_, text)| text).collect();
        steps.reverse();
        steps.concat()
    }

    /// The nearest key at or above a kept place, as the pointer has it, or nothing.
    #[must_use]
    pub fn key_of(&self, place: Option<KeptPlace>) -> &str {
        let key = self.upwards(place).find(|(kept, _)| kept.is_key);
        key.and_then(|(_, text)| text.strip_prefix('/')).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends evidence: a place that was kept is pointed to as it was when the walk stood there.
    #[test]
    fn kept_places_are_pointed_to() {
        let mut path = WalkPath::default();
        let top = path.keep();
        path.push_key("a/b");
        let member = path.keep();
        path.push_element(0);
        path.push_element(17);
        let element = path.keep();
        path.pop();
        path.push_inside();
        path.push_key("c");
        let inner = path.keep();
        for _ in 0..4 {
            path.pop();
        }
        assert_eq!(path.pointer(), "");
        let kept = [top, member, element, inner].map(|place| (path.pointer_to(place), path.key_of(place).to_owned()));
        let expected = [("", ""), ("/a~1b", "a~1b"), ("/a~1b/0/17", "a~1b"), ("/a~1b/0!/c", "c")];
        assert_eq!(kept, expected.map(|(pointer, key)| (pointer.to_owned(), key.to_owned())));
        path.forget();
        path.push_element(3);
        let anew = path.keep();
        assert_eq!(path.pointer_to(anew), "/3");
    }
}
