//! The search for slow texts: it climbs. In each role and layout the slowest are kept and changed, and what is slower than
//! the least of them takes its place.

use std::time::Duration;

use thoth_inspect::InspectSettings;

use crate::sample::{Layout, MEGABYTE, ROLES, Sample, unescape};

/// What inspecting a megabyte may cost at most.
pub(crate) const LIMIT: Duration = Duration::from_millis(20);

/// How much of a document tells whether it is worth measuring as a whole.
const PART: usize = 1 << 15;
/// How many are kept in each role and layout.
const KEPT: usize = 5;
/// How many texts are tried in each round.
const CHILDREN: usize = 10;
/// The longest piece and head that are made.
const LONGEST: usize = 2048;

/// All that was ever found to be slow. Whoever finds more adds it: each was a defect, or was close to one.
pub(crate) fn known() -> Vec<Sample> {
    let lines = include_str!("slow.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(Sample::parse).collect()
}

/// What opens a rule.
fn openings() -> Vec<String> {
    let lines = include_str!("openings.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.strip_suffix('|')).filter_map(unescape).collect()
}

/// A linear congruential generator: a search with the same seed tries the same texts, as far as times agree.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }

    fn pick<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        all.get(self.below(all.len()))
    }
}

/// The slowest of one role and layout, slowest first.
struct Niche {
    layout: Layout,
    role: Option<&'static str>,
    kept: Vec<(Duration, Sample)>,
}

impl Niche {
    /// What a document must cost to be kept.
    fn bar(&self) -> Duration {
        self.kept.get(KEPT - 1).map_or(Duration::ZERO, |(cost, _)| *cost)
    }

    /// What the slowest costs.
    fn top(&self) -> Duration {
        self.kept.first().map_or(Duration::ZERO, |(cost, _)| *cost)
    }

    /// Measures those that are slowest in part.
    fn begin(&mut self, start: &[Sample], settings: &InspectSettings) {
        let here = |sample: &Sample| Sample { layout: self.layout, role: self.role, ..sample.clone() };
        let part = |sample: Sample| (sample.cost(PART, 1, settings), sample);
        let mut parts: Vec<(Duration, Sample)> = start.iter().map(here).map(part).collect();
        parts.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        for (_, sample) in parts.into_iter().take(KEPT) {
            self.try_one(sample, settings);
        }
    }

    /// Measures a text: a part of the document, and all of it if that is slow.
    fn try_one(&mut self, sample: Sample, settings: &InspectSettings) {
        if self.kept.iter().any(|(_, kept)| *kept == sample) {
            return;
        }
        // Some end at a cap that a part does not reach; hardly one is slower as a whole than in part.
        if sample.cost(PART, 2, settings).mul_f64(1.15) < self.bar() {
            return;
        }
        let cost = sample.cost(MEGABYTE, 2, settings);
        if cost > self.bar() {
            self.kept.push((cost, sample));
            self.kept.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
            self.kept.truncate(KEPT);
        }
    }
}

/// One search under way.
pub(crate) struct Search<'s> {
    settings: &'s InspectSettings,
    dice: Dice,
    openings: Vec<String>,
    niches: Vec<Niche>,
}

impl<'s> Search<'s> {
    pub(crate) fn new(seed: u64, settings: &'s InspectSettings) -> Self {
        let roles = || std::iter::once(None).chain(ROLES.iter().copied().map(Some));
        let niche = |layout| roles().map(move |role| Niche { layout, role, kept: Vec::new() });
        let niches = Layout::ALL.into_iter().flat_map(niche).collect();
        Self { settings, dice: Dice(seed), openings: openings(), niches }
    }

    /// Tries what is known and what opens rules in every role and layout, then changes the slowest, `rounds` times.
    pub(crate) fn run(&mut self, rounds: usize) {
        let alone =
            |piece: &String| Sample { layout: Layout::Whole, role: None, head: String::new(), piece: piece.clone() };
        let start: Vec<Sample> = known().into_iter().chain(self.openings.iter().map(alone)).collect();
        for niche in &mut self.niches {
            niche.begin(&start, self.settings);
        }
        for _ in 0..rounds {
            // Where it is slow already it is tried most often; everywhere else it is tried, too.
            self.niches.sort_by_key(|niche| std::cmp::Reverse(niche.top()));
            let few = 1 + self.dice.below(self.niches.len());
            for _ in 0..CHILDREN {
                let at = self.dice.below(few);
                if let Some(sample) = self.child(at)
                    && let Some(niche) = self.niches.get_mut(at)
                {
                    niche.try_one(sample, self.settings);
                }
            }
        }
    }

    /// The slowest of all, measured once more with the patience to meet a moment in which nothing else ran.
    pub(crate) fn worst(&self, most: usize) -> Vec<(Duration, Sample)> {
        let mut all: Vec<(Duration, Sample)> = self.niches.iter().flat_map(|niche| niche.kept.clone()).collect();
        all.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        all.truncate(2 * most);
        for (cost, sample) in &mut all {
            *cost = sample.cost(MEGABYTE, 10, self.settings);
        }
        all.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        all.truncate(most);
        all
    }

    /// One of those kept in a niche, changed: a few times in some way, mostly once.
    fn child(&mut self, at: usize) -> Option<Sample> {
        let Niche { layout, role, kept } = self.niches.get(at)?;
        let (layout, role) = (*layout, *role);
        let mut sample = self.dice.pick(kept)?.1.clone();
        for _ in 0..=self.dice.below(3) / 2 + self.dice.below(2) {
            if self.dice.below(8) == 0 {
                sample.head = self.changed(&sample.head);
            } else {
                sample.piece = self.changed(&sample.piece);
            }
        }
        if self.dice.below(24) == 0 {
            // What stands before tells how the rest is read.
            sample.head = std::mem::take(&mut sample.piece);
            sample.piece = self.another();
        }
        let fits = !sample.piece.is_empty() && sample.piece.len() <= LONGEST && sample.head.len() <= LONGEST;
        fits.then_some(Sample { layout, role, ..sample })
    }

    /// A piece to put in: an opening, or one of those that are slow anywhere.
    fn another(&mut self) -> String {
        if self.dice.below(3) > 0 {
            return self.dice.pick(&self.openings).cloned().unwrap_or_default();
        }
        let kept = self.dice.pick(&self.niches).map(|niche| niche.kept.as_slice()).unwrap_or_default();
        self.dice.pick(kept).map(|(_, sample)| sample.piece.clone()).unwrap_or_default()
    }

    /// A text with something put in, left out, exchanged or repeated.
    fn changed(&mut self, text: &str) -> String {
        let cut = text.floor_char_boundary(self.dice.below(text.len() + 1));
        let (front, back) = text.split_at(cut);
        let end = back.floor_char_boundary(self.dice.below(back.len() + 1));
        let (middle, rest) = back.split_at(end);
        match self.dice.below(10) {
            0 => format!("{text}{}", self.another()),
            1 => format!("{}{text}", self.another()),
            2 => format!("{front}{}{back}", self.another()),
            3 => format!("{front}{}{rest}", self.another()),
            4 => format!("{front}{rest}"),
            5 => format!("{front}{middle}{middle}{rest}"),
            6 => text.chars().filter(|_| self.dice.below(4) > 0).collect(),
            7 => {
                // The front of this one and the back of another.
                let other = self.another();
                let from = other.floor_char_boundary(self.dice.below(other.len() + 1));
                format!("{front}{}", other.get(from..).unwrap_or_default())
            }
            8 => {
                let byte = u8::try_from(self.dice.below(95)).unwrap_or_default() + b' ';
                format!("{front}{}{back}", char::from(byte))
            }
            _ => format!("{}{}", text.repeat(self.dice.below(40) + 1), self.another()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends the lists: a line that is not read is not measured.
    #[test]
    fn every_line_is_read() {
        let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        let known = known();
        assert_eq!(known.len(), lines(include_str!("slow.txt")));
        assert_eq!(openings().len(), lines(include_str!("openings.txt")));
        for sample in known {
            assert_eq!(Sample::parse(&sample.to_string()), Some(sample));
        }
    }
}
