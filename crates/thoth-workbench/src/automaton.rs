//! The globs of a question as one automaton, whose states are made as they are reached. A state is dropped as soon as no
//! name can come of it, so that many globs cost no more than the texts in them as long as each matters only a little.

use std::collections::{HashSet, VecDeque};

use thoth_policy::outline::Piece;

use crate::language::{Language, MAX_NAME, NICE, Search};
use crate::steps::Steps;

/// A list of globs: where it begins in all of them, where those that exclude begin, and where it ends.
type ListRange = (usize, usize, usize);

/// The globs of a question, and which lists and languages they are parts of.
pub(crate) struct Automaton<'l> {
    globs: Vec<&'l [Piece]>,
    /// For each language whether it is wanted, and its lists as ranges of `globs`: first, first of none, end.
    wanted: Vec<(bool, Vec<ListRange>)>,
}

/// Where each glob may stand, and which languages are settled as wanted whatever follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    at: Vec<(u32, u16)>,
    settled: Vec<u16>,
}

/// How far a glob is: whether it matches what was read, what is known whatever follows, and whether it still matters.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    accepts: bool,
    forever: bool,
    alive: bool,
    idle: bool,
}

impl Progress {
    const fn settled(self) -> Option<bool> {
        if self.forever {
            Some(true)
        } else if self.alive {
            None
        } else {
            Some(false)
        }
    }
}

impl<'l> Automaton<'l> {
    pub(crate) fn new(languages: &[(&'l Language, bool)], steps: &Steps) -> Self {
        let mut globs: Vec<&[Piece]> = Vec::new();
        let mut wanted = Vec::new();
        for (language, inside) in languages {
            let mut lists = Vec::new();
            for list in &language.lists {
                let first = globs.len();
                globs.extend(list.any.iter().map(|glob| &**glob));
                let middle = globs.len();
                globs.extend(list.none.iter().map(|glob| &**glob));
                lists.push((first, middle, globs.len()));
            }
            wanted.push((*inside, lists));
        }
        steps.pay(4 * (globs.len() + wanted.len()));
        Self { globs, wanted }
    }

    /// Looks for a name that passes `fits`.
    pub(crate) fn search(&self, fits: &dyn Fn(&str) -> bool, steps: &Steps) -> Search<String> {
        if steps.are_spent() {
            return Search::Unknown;
        }
        let start = (0_u32..).zip(&self.globs).map(|(glob, _)| (glob, 0_u16)).collect();
        let Some(start) = self.settle(State { at: start, settled: Vec::new() }) else { return Search::Empty };
        // The start is not among the states that were seen: the empty name is none, and one that leads back here is.
        let mut seen: HashSet<State> = HashSet::new();
        let mut queue: VecDeque<(State, String)> = VecDeque::from([(start, String::new())]);
        let mut passed_over = false;
        while let Some((state, name)) = queue.pop_front() {
            let breadth: usize = state.at.iter().map(|(glob, position)| self.ranges(*glob, *position)).sum();
            // Each range has two edges, and between two of them a letter is looked for.
            steps.pay(8 * breadth);
            let letters = self.alphabet(&state);
            let of_letter = 1 + breadth + 2 * state.at.len() + self.globs.len() + self.wanted.len() + name.len() / 16;
            steps.pay(of_letter * (letters.len() + 1));
            if steps.are_spent() || name.len() > MAX_NAME {
                return Search::Unknown;
            }
            if !name.is_empty() && self.accepts(&state) {
                if fits(&name) {
                    return Search::Found(name);
                }
                passed_over = true;
            }
            for c in letters {
                if let Some(next) = self.step(&state, c)
                    && seen.insert(next.clone())
                {
                    let mut longer = name.clone();
                    longer.push(c);
                    queue.push_back((next, longer));
                }
            }
        }
        if passed_over { Search::Unknown } else { Search::Empty }
    }

    fn piece(&self, glob: u32, position: u16) -> Option<&'l Piece> {
        self.globs.get(glob as usize)?.get(usize::from(position))
    }

    fn ranges(&self, glob: u32, position: u16) -> usize {
        match self.piece(glob, position) {
            Some(Piece::Class { ranges, .. }) => 1 + ranges.len(),
            _ => 1,
        }
    }

    /// One character for each way in which the state can go on.
    fn alphabet(&self, state: &State) -> Vec<char> {
        let mut edges: Vec<char> = Vec::new();
        let mut plain: Vec<char> = Vec::new();
        for (glob, position) in &state.at {
            match self.piece(*glob, *position) {
                Some(Piece::Literal(c)) => plain.push(*c),
                Some(Piece::Class { ranges, .. }) => {
                    for (low, high) in ranges {
                        edges.push(*low);
                        edges.extend(after(*high));
                    }
                }
                _ => {}
            }
        }
        plain.sort_unstable();
        plain.dedup();
        edges.sort_unstable();
        edges.dedup();
        let free = |c: &char| plain.binary_search(c).is_err();
        let mut letters = Vec::new();
        // Between two edges all characters that no glob names are alike.
        let mut low = '\0';
        for high in edges.iter().copied().map(Some).chain([None]) {
            let inside = |c: &char| *c >= low && high.is_none_or(|high| *c < high);
            let nice = NICE.chars().find(|c| inside(c) && free(c));
            let others = || (low..=char::MAX).take(MAX_PLAIN).take_while(inside).filter(free);
            // Where nothing else will do, a control character stands for such names: who looks for one sees it fail.
            let other = || others().find(|c| !c.is_control()).or_else(|| others().next());
            letters.extend(nice.or_else(other));
            if let Some(high) = high {
                low = high;
            }
        }
        letters.extend(plain);
        letters
    }

    fn step(&self, state: &State, c: char) -> Option<State> {
        let mut at = Vec::with_capacity(state.at.len());
        for (glob, position) in &state.at {
            match self.piece(*glob, *position) {
                Some(Piece::Star) => at.push((*glob, *position)),
                Some(piece) if piece.takes(c) => at.push((*glob, position + 1)),
                _ => {}
            }
        }
        self.settle(State { at, settled: state.settled.clone() })
    }

    /// Completes a state: passes stars, and drops what no longer matters. `None` when nothing can come of it.
    fn settle(&self, state: State) -> Option<State> {
        let State { mut at, mut settled } = state;
        let mut index = 0;
        while let Some((glob, position)) = at.get(index).copied() {
            if self.piece(glob, position) == Some(&Piece::Star) {
                at.push((glob, position + 1));
            }
            index += 1;
        }
        at.sort_unstable();
        at.dedup();
        let mut progress = self.progress(&at);
        let before = settled.len();
        for (number, (inside, lists)) in (0_u16..).zip(&self.wanted) {
            let done = settled.get(..before).is_some_and(|settled| settled.binary_search(&number).is_ok());
            let known = if done { Some(*inside) } else { known(lists, &progress) };
            match known {
                Some(truth) if truth != *inside => return None,
                Some(_) => {
                    if !done {
                        settled.push(number);
                    }
                    for (first, _, end) in lists {
                        progress.get_mut(*first..*end).unwrap_or_default().iter_mut().for_each(|glob| glob.idle = true);
                    }
                }
                None => {}
            }
        }
        settled.sort_unstable();
        at.retain(|(glob, position)| {
            let glob_number = *glob as usize;
            let Progress { forever, idle, .. } = progress.get(glob_number).copied().unwrap_or_default();
            let last = self.globs.get(glob_number).is_some_and(|pieces| usize::from(*position) + 1 >= pieces.len());
            (!forever || last) && !idle
        });
        Some(State { at, settled })
    }

    fn progress(&self, at: &[(u32, u16)]) -> Vec<Progress> {
        let mut all = vec![Progress::default(); self.globs.len()];
        for (glob, position) in at {
            let (Some(progress), Some(pieces)) = (all.get_mut(*glob as usize), self.globs.get(*glob as usize)) else {
                continue;
            };
            let position = usize::from(*position);
            progress.alive = true;
            progress.accepts |= position == pieces.len();
            progress.forever |= position + 1 == pieces.len() && pieces.last() == Some(&Piece::Star);
        }
        all
    }

    fn accepts(&self, state: &State) -> bool {
        let progress = self.progress(&state.at);
        (0_u16..).zip(&self.wanted).all(|(number, (inside, lists))| {
            let now = |list: &ListRange| {
                let (any, none) = parts(list, &progress);
                (any.is_empty() || any.iter().any(|glob| glob.accepts)) && !none.iter().any(|glob| glob.accepts)
            };
            state.settled.binary_search(&number).is_ok() || lists.iter().any(now) == *inside
        })
    }
}

/// How many characters are looked through for one that no glob names.
const MAX_PLAIN: usize = 20_000;

fn after(c: char) -> Option<char> {
    (c..=char::MAX).nth(1)
}

fn parts<'p>((first, middle, end): &ListRange, progress: &'p [Progress]) -> (&'p [Progress], &'p [Progress]) {
    (progress.get(*first..*middle).unwrap_or_default(), progress.get(*middle..*end).unwrap_or_default())
}

/// Whether a name lies in the language whatever follows, if that is known.
fn known(lists: &[ListRange], progress: &[Progress]) -> Option<bool> {
    let mut open = false;
    for list in lists {
        let (any, none) = parts(list, progress);
        let some_any = any.is_empty() || any.iter().any(|glob| glob.settled() == Some(true));
        let no_any = !any.is_empty() && any.iter().all(|glob| glob.settled() == Some(false));
        let some_none = none.iter().any(|glob| glob.settled() == Some(true));
        let no_none = none.iter().all(|glob| glob.settled() == Some(false));
        match () {
            () if some_any && no_none => return Some(true),
            () if no_any || some_none => {}
            () => open = true,
        }
    }
    if open { None } else { Some(false) }
}
