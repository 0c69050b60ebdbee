//! Randomness, from the system only.

/// 128 random bits; nothing where the system has none.
pub(crate) fn sixteen() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).is_ok().then_some(bytes)
}

/// 64 random bits; nothing where the system has none.
pub(crate) fn eight() -> Option<[u8; 8]> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).is_ok().then_some(bytes)
}

/// 256 random bits; nothing where the system has none.
pub(crate) fn thirty_two() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).is_ok().then_some(bytes)
}
