//! What was probably meant by a name that nothing has.

/// The known name that is most like the given one, if any is close.
pub(crate) fn nearest<'k>(found: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    /// Below this Jaro-Winkler similarity a suggestion would puzzle more than help.
    const CLOSE: f64 = 0.8;
    let lower = found.to_lowercase();
    known
        .map(|word| (strsim::jaro_winkler(&lower, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness >= CLOSE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}
