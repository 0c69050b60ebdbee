//! How random a value looks.

/// Shannon entropy of the bytes, in bits per byte. Looks at the first 512 bytes, which is enough for any key.
pub(super) fn bits_per_byte(text: &[u8]) -> f64 {
    let text = text.get(..512).unwrap_or(text);
    let mut counts = [0_u16; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u16::try_from(text.len()).unwrap_or(u16::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// How many different bytes there are, up to the first 512.
pub(super) fn distinct(text: &[u8]) -> u32 {
    let mut seen = [0_u64; 4];
    for byte in text.iter().take(512) {
        if let Some(word) = seen.get_mut(usize::from(*byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum()
}
