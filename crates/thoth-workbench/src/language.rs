//! Sets of names as globs describe them, and the search for a name that lies in some of them and not in others.

use std::collections::HashSet;

use thoth_policy::counted_name;
use thoth_policy::outline::{Piece, TextMatch};

use crate::any_case::beyond_ascii;
use crate::automaton::Automaton;
use crate::steps::{Steps, of_name};

/// A set of names: those that one of its lists matches.
#[derive(Debug, Clone)]
pub(crate) struct Language {
    pub(crate) lists: Vec<GlobList>,
    /// Whether the first list also holds the names that are in it once their letter case is taken away. The lists after
    /// it are what that means for ASCII.
    pub(crate) any_case: bool,
}

/// Any of some globs (or no condition, where there are none), and none of others.
#[derive(Debug, Clone)]
pub(crate) struct GlobList {
    pub(crate) any: Vec<Box<[Piece]>>,
    pub(crate) none: Vec<Box<[Piece]>>,
    by_name: ByName,
    none_by_name: ByName,
    weight: usize,
}

/// Globs by what it takes to try them: long lists are mostly names that are written out.
#[derive(Debug, Clone, Default)]
struct ByName {
    exact: HashSet<String>,
    /// The others, as positions in the list.
    others: Vec<usize>,
}

impl ByName {
    fn of(globs: &[Box<[Piece]>]) -> Self {
        let mut own = Self::default();
        for (at, glob) in globs.iter().enumerate() {
            match text_of(glob) {
                Some(name) => drop(own.exact.insert(name)),
                None => own.others.push(at),
            }
        }
        own
    }

    /// Pieces that are held against a name.
    fn weight(&self, globs: &[Box<[Piece]>]) -> usize {
        1 + self.others.iter().filter_map(|at| globs.get(*at)).map(|glob| glob.len()).sum::<usize>()
    }

    fn one_takes(&self, globs: &[Box<[Piece]>], name: &str) -> bool {
        self.exact.contains(name) || self.others.iter().filter_map(|at| globs.get(*at)).any(|glob| takes(glob, name))
    }
}

impl Language {
    pub(crate) fn of(text: &TextMatch) -> Self {
        Self::of_lists(vec![GlobList::of(text, |pieces| pieces)])
    }

    pub(crate) const fn of_lists(lists: Vec<GlobList>) -> Self {
        Self { lists, any_case: false }
    }

    /// The names that match as written or without their letter case.
    pub(crate) fn in_any_case(text: &TextMatch) -> Self {
        Self { lists: vec![GlobList::of(text, |pieces| pieces), GlobList::of(text, caseless)], any_case: true }
    }

    /// Whether its form shows that every name lies in it.
    pub(crate) fn is_everything(&self) -> bool {
        let star = |glob: &[Piece]| matches!(glob, [Piece::Star]);
        self.lists
            .iter()
            .any(|list| list.none.is_empty() && (list.any.is_empty() || list.any.iter().any(|glob| star(glob))))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        if self.any_case {
            let list = self.lists.first().map(std::slice::from_ref).unwrap_or_default();
            return one_has(list, name) || one_has(list, &counted_name(name));
        }
        one_has(&self.lists, name)
    }

    /// What it takes to ask whether it has a name.
    pub(crate) fn weight(&self) -> usize {
        1 + self.lists.iter().map(|list| list.weight).sum::<usize>()
    }

    /// How many globs there are in it.
    fn len(&self) -> usize {
        self.lists.iter().map(|list| 1 + list.any.len() + list.none.len()).sum()
    }

    /// All of its names, if they are written out.
    fn written_out(&self, steps: &Steps) -> Option<Vec<String>> {
        let [list] = &*self.lists else { return None };
        if list.any.is_empty() {
            return None;
        }
        let names: Option<Vec<String>> = list.any.iter().map(|glob| text_of(glob)).collect();
        steps.pay(names.as_ref().map(Vec::len).unwrap_or_default() * self.weight());
        names.map(|names| names.into_iter().filter(|name| self.has(name)).collect())
    }

    /// Some names that probably lie in it, as a person would choose them.
    fn samples(&self) -> impl Iterator<Item = String> + '_ {
        const MOST: usize = 8;
        self.lists.iter().flat_map(|list| list.any.iter().take(MOST)).flat_map(|glob| {
            let sample = |filling: &str| glob.iter().map(|piece| filled(piece, filling)).collect::<String>();
            [sample("x"), sample("")]
        })
    }
}

fn one_has(lists: &[GlobList], name: &str) -> bool {
    lists.iter().any(|list| {
        (list.any.is_empty() || list.by_name.one_takes(&list.any, name))
            && !list.none_by_name.one_takes(&list.none, name)
    })
}

impl GlobList {
    pub(crate) fn new(any: Vec<Box<[Piece]>>, none: Vec<Box<[Piece]>>) -> Self {
        let (by_name, none_by_name) = (ByName::of(&any), ByName::of(&none));
        let weight = by_name.weight(&any) + none_by_name.weight(&none);
        Self { any, none, by_name, none_by_name, weight }
    }

    fn of(text: &TextMatch, change: fn(Vec<Piece>) -> Vec<Piece>) -> Self {
        let all =
            |globs: &[thoth_policy::outline::Glob]| globs.iter().map(|glob| change(glob.pieces()).into()).collect();
        Self::new(all(&text.any), all(&text.none))
    }
}

/// What names of these tools may read as, and more. `None`: nothing but names that lie there themselves.
pub(crate) fn reading(tools: &TextMatch) -> Option<Language> {
    if tools.matches_everything() {
        return None;
    }
    let readings: Vec<Box<[Piece]>> = tools.any.iter().map(|glob| reading_of(&glob.pieces())).collect();
    let own = tools.any.iter().map(|glob| glob.pieces());
    let same = tools.none.is_empty() && own.zip(&readings).all(|(own, reading)| own[..] == reading[..]);
    (!same).then(|| Language::of_lists(vec![GlobList::new(readings, Vec::new())]))
}

/// Characters that show nothing go, others become several, and a letter takes up a mark after it.
fn reading_of(pieces: &[Piece]) -> Box<[Piece]> {
    let odd = |c: char| !c.is_ascii() || c.is_ascii_control();
    let free = |piece: &Piece| match piece {
        Piece::Star | Piece::Any => true,
        Piece::Literal(c) => odd(*c),
        Piece::Class { negated, ranges } => *negated || ranges.iter().any(|(low, high)| odd(*low) || odd(*high)),
    };
    let blank = |piece: &Piece| piece.takes(' ');
    let inner_start = pieces.iter().position(|piece| !blank(piece)).unwrap_or(pieces.len());
    let inner_end = pieces.iter().rposition(|piece| !blank(piece)).map_or(0, |last| last + 1);
    let mut out: Vec<Piece> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let next_free = pieces.get(at + 1).is_some_and(free);
        let takes_marks = ('a'..='z').chain('A'..='Z').chain("<=>".chars()).any(|c| piece.takes(c));
        let read = match piece {
            piece if free(piece) => Piece::Star,
            // Blanks at an end go, as many as there are.
            piece if blank(piece) && !(inner_start..inner_end).contains(&at) => Piece::Star,
            Piece::Literal(c) if next_free && takes_marks => {
                Piece::Class { negated: false, ranges: Box::new([(*c, *c), ('\u{80}', char::MAX)]) }
            }
            Piece::Class { negated, ranges } if next_free && takes_marks => {
                let with_marks = ranges.iter().copied().chain([('\u{80}', char::MAX)]).collect();
                Piece::Class { negated: *negated, ranges: with_marks }
            }
            other => other.clone(),
        };
        out.push(read);
    }
    out.into()
}

fn filled(piece: &Piece, filling: &str) -> String {
    match piece {
        Piece::Literal(c) => c.to_string(),
        Piece::Star => filling.to_owned(),
        Piece::Any => "x".to_owned(),
        Piece::Class { .. } => NICE.chars().find(|c| piece.takes(*c)).map(String::from).unwrap_or_default(),
    }
}

fn text_of(glob: &[Piece]) -> Option<String> {
    glob.iter().map(|piece| if let Piece::Literal(c) = piece { Some(*c) } else { None }).collect()
}

/// What must stand for each piece so that an ASCII text matches once it is in small letters. What else does is told by
/// [`crate::any_case`].
fn caseless(pieces: Vec<Piece>) -> Vec<Piece> {
    let small = |piece: &Piece| -> Piece {
        let taken = ('\0'..='\x7f').filter(|c| piece.takes(c.to_ascii_lowercase()));
        let mut ranges: Vec<(char, char)> = Vec::new();
        for c in taken {
            match ranges.last_mut() {
                Some((_, last)) if u32::from(*last) + 1 == u32::from(c) => *last = c,
                _ => ranges.push((c, c)),
            }
        }
        Piece::Class { negated: false, ranges: ranges.into() }
    };
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Literal(_) | Piece::Class { .. } => small(&piece),
            other => other,
        })
        .collect()
}

/// Whether a glob matches a name. Only the last star may have taken too little: where the rest does not fit, it takes one
/// character more.
fn takes(glob: &[Piece], name: &str) -> bool {
    let (mut at, mut rest) = (0, name.chars());
    let mut last_star = None;
    loop {
        if glob.get(at) == Some(&Piece::Star) {
            at += 1;
            last_star = Some((at, rest.clone()));
            continue;
        }
        let mut ahead = rest.clone();
        match (glob.get(at), ahead.next()) {
            (None, None) => return true,
            (Some(piece), Some(c)) if piece.takes(c) => {
                at += 1;
                rest = ahead;
            }
            _ => {
                let Some((after, from)) = &mut last_star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (at, rest) = (*after, from.clone());
            }
        }
    }
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Search<T> {
    /// This.
    Found(T),
    /// There is none.
    Empty,
    /// It took too many steps, or cannot be told.
    Unknown,
}

/// Characters that are tried first where any will do.
pub(crate) const NICE: &str = "xyzabcdefghijklmnopqrstuvw0123456789_-ABCDEFGHIJKLMNOPQRSTUVWXYZ./: é中ж";

/// The most characters of a name that is looked for: a longer one is possible in a call but helps nobody.
pub(crate) const MAX_NAME: usize = 4096;

/// Looks for a name that lies in the languages that are wanted and in none of the others. It is not empty, and passes
/// `fits`.
pub(crate) fn find(
    wanted: &[(&Language, bool)],
    preferred: &[&str],
    fits: &dyn Fn(&str) -> bool,
    steps: &Steps,
) -> Search<String> {
    let lies_there = |name: &str| {
        wanted.iter().all(|(language, inside)| {
            steps.pay(language.weight() * of_name(name));
            !steps.are_spent() && language.has(name) == *inside
        })
    };
    let good = |name: &str| !name.is_empty() && lies_there(name) && fits(name);
    steps.pay(wanted.iter().map(|(language, _)| language.len()).sum());
    if steps.are_spent() {
        return Search::Unknown;
    }
    let written: Option<Vec<String>> = wanted
        .iter()
        .filter(|(_, inside)| *inside)
        .filter_map(|(language, _)| language.written_out(steps))
        .min_by_key(Vec::len);
    if let Some(names) = written {
        if let Some(name) = names.iter().find(|name| good(name)) {
            return Search::Found(name.clone());
        }
        // A name that only does not fit may be called all the same.
        let passed_over = names.iter().any(|name| !name.is_empty() && lies_there(name));
        return if passed_over || steps.are_spent() { Search::Unknown } else { Search::Empty };
    }
    let positive = wanted.iter().filter(|(_, inside)| *inside);
    let samples = positive.flat_map(|(language, _)| language.samples());
    const MOST_SAMPLES: usize = 32;
    let mut easy = preferred.iter().map(|name| (*name).to_owned()).chain(samples.take(MOST_SAMPLES));
    if let Some(name) = easy.find(|name| good(name)) {
        return Search::Found(name);
    }
    let found = Automaton::new(wanted, steps).search(&good, steps);
    if found != Search::Empty {
        return found;
    }
    let globs = |whether: bool| -> usize {
        let any_case = wanted.iter().filter(|(language, inside)| language.any_case && *inside == whether);
        any_case.map(|(language, _)| language.len()).sum()
    };
    // Each of these is compared with each of those.
    steps.pay(globs(true) * globs(false));
    if steps.are_spent() {
        return Search::Unknown;
    }
    let Some(around) = beyond_ascii(wanted) else { return found };
    let around: Vec<(&Language, bool)> = around.iter().map(|(language, inside)| (language, *inside)).collect();
    Automaton::new(&around, steps).search(&good, steps)
}
