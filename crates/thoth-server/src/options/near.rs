//! What was probably meant by a name that is not known.

/// The longest name that is compared: the comparison takes time by its length.
const LONGEST: usize = 64;

/// The nearest of some names, if any is near.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > LONGEST {
        return None;
    }
    let plain = name.replace('-', "_");
    let distance = |known: &str| strsim::damerau_levenshtein(&plain, known);
    names.filter(|known| distance(known) <= 3.min(known.len() / 3 + 1)).min_by_key(|known| distance(known))
}
