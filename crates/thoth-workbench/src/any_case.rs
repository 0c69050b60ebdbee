//! Lists that are compared without letter case, where names are not ASCII: `ß` is `ss` there, and `ς` is `σ`. How such a
//! name is compared is not told by its single characters, so that a list is taken as two sets here: names that surely
//! lie in it, and names that may.

use thoth_policy::outline::Piece;

use crate::language::{GlobList, Language};

/// Languages that hold all names beyond ASCII that lie in the ones that are wanted and in none of the others. `None`
/// where letter case makes no difference: then the languages themselves say what there is.
pub(crate) fn beyond_ascii(wanted: &[(&Language, bool)]) -> Option<Vec<(Language, bool)>> {
    if !wanted.iter().any(|(language, _)| language.any_case) {
        return None;
    }
    let lists = |whether: bool| {
        let fitting = wanted.iter().filter(move |(language, inside)| language.any_case && *inside == whether);
        fitting.filter_map(|(language, _)| language.lists.first())
    };
    let apart = lists(true).flat_map(|list| lists(false).filter_map(|other| in_but_not_in(list, other)));
    let around = wanted.iter().map(|(language, inside)| match language.lists.first() {
        Some(list) if language.any_case && *inside => (possibly(list), true),
        Some(list) if language.any_case => (surely(list), false),
        _ => ((*language).clone(), *inside),
    });
    let some = Piece::Class { negated: false, ranges: Box::new([('\u{80}', char::MAX)]) };
    let beyond = Language::of_lists(vec![plain_list(vec![Box::new([Piece::Star, some, Piece::Star])])]);
    Some(around.chain(apart.map(|apart| (apart, true))).chain([(beyond, true)]).collect())
}

fn plain_list(any: Vec<Box<[Piece]>>) -> GlobList {
    GlobList::new(any, Vec::new())
}

/// Names that are surely in the list: those that it names as written, and those that surely are named once their letter
/// case is taken away while they surely are not taken out.
fn surely(list: &GlobList) -> Language {
    let any = sure_globs(&list.any);
    let mut lists = vec![list.clone()];
    // A list of nothing would be one without a condition.
    if !any.is_empty() || list.any.is_empty() {
        lists.push(GlobList::new(any, possible_globs(&list.none)));
    }
    Language::of_lists(lists)
}

/// Names that may be in the list.
fn possibly(list: &GlobList) -> Language {
    Language::of_lists(vec![list.clone(), GlobList::new(possible_globs(&list.any), sure_globs(&list.none))])
}

/// Names that may be in one list and not in another that has some of its globs: what these match is only left out of the
/// other list by what that takes out. `None` where the lists have nothing in common.
fn in_but_not_in(list: &GlobList, other: &GlobList) -> Option<Language> {
    let own: Vec<Box<[Piece]>> = list.any.iter().filter(|glob| !other.any.contains(glob)).cloned().collect();
    if own.len() == list.any.len() {
        return None;
    }
    let any = [possible_globs(&own), possible_globs(&other.none)].concat();
    // A list of nothing would be one without a condition.
    Some(Language::of_lists(if any.is_empty() { Vec::new() } else { vec![plain_list(any)] }))
}

/// What surely matches once letter case is taken away: ASCII texts in any case. A capital is never left then.
fn sure_globs(globs: &[Box<[Piece]>]) -> Vec<Box<[Piece]>> {
    let plain = |glob: &[Piece]| {
        glob.iter().all(|piece| match piece {
            Piece::Star => true,
            Piece::Literal(c) => c.is_ascii() && !c.is_ascii_uppercase(),
            Piece::Any | Piece::Class { .. } => false,
        })
    };
    globs.iter().filter(|glob| plain(glob)).map(|glob| respelled(glob, sure_letter)).collect()
}

/// What may match once letter case is taken away.
fn possible_globs(globs: &[Box<[Piece]>]) -> Vec<Box<[Piece]>> {
    globs.iter().map(|glob| respelled(glob, possible_letter)).collect()
}

/// Each piece as it is spelled between the one before and the one after it.
fn respelled(glob: &[Piece], spell: fn(Option<&Piece>, &Piece, Option<&Piece>) -> Piece) -> Box<[Piece]> {
    let before = |at: usize| at.checked_sub(1).and_then(|before| glob.get(before));
    glob.iter().enumerate().map(|(at, piece)| spell(before(at), piece, glob.get(at + 1))).collect()
}

fn letters(some: impl IntoIterator<Item = char>) -> Piece {
    Piece::Class { negated: false, ranges: some.into_iter().map(|c| (c, c)).collect() }
}

/// What surely is this piece, whatever the case. Before other text only the letter itself is: marks that follow join a
/// small letter where they do not join a capital.
fn sure_letter(_: Option<&Piece>, piece: &Piece, after: Option<&Piece>) -> Piece {
    match (piece, after) {
        (Piece::Literal('i'), Some(Piece::Literal(_)) | None) => letters(['i', 'I', 'ı']),
        (Piece::Literal(c), Some(Piece::Literal(_)) | None) if c.is_ascii_lowercase() => {
            letters([*c, c.to_ascii_uppercase()])
        }
        _ => piece.clone(),
    }
}

/// What may be this piece. What is not an ASCII letter may be anything, and so may one half of `ß`.
fn possible_letter(before: Option<&Piece>, piece: &Piece, after: Option<&Piece>) -> Piece {
    let half = |next: Option<&Piece>| match next {
        Some(Piece::Literal(c)) => !c.is_ascii() || c.eq_ignore_ascii_case(&'s'),
        Some(_) => true,
        None => false,
    };
    match piece {
        Piece::Literal('s' | 'S') if half(before) || half(after) => Piece::Star,
        Piece::Literal('i' | 'I') => letters(['i', 'I', 'ı', 'İ']),
        Piece::Literal(c) if c.is_ascii() => letters([c.to_ascii_lowercase(), c.to_ascii_uppercase()]),
        _ => Piece::Star,
    }
}
