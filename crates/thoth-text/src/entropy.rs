//! How random a value looks.

use std::sync::LazyLock;

/// How many bytes are looked at, which is enough for any key.
const LOOKED_AT: usize = 256;

/// A count times its binary logarithm, for every count.
static WEIGHTS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let weight = |count: u16| f64::from(count) * f64::from(count.max(1)).log2();
    (0..=LOOKED_AT).filter_map(|count| u16::try_from(count).ok()).map(weight).collect()
});

/// Shannon entropy of the first bytes, in bits per byte.
pub fn bits_per_byte(text: &[u8]) -> f64 {
    let text = text.get(..LOOKED_AT).unwrap_or(text);
    let Some(total) = u16::try_from(text.len()).ok().filter(|total| *total > 0).map(f64::from) else { return 0.0 };
    let mut counts = [0_u16; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let mut sum = 0.0;
    for byte in text {
        let count = counts.get_mut(usize::from(*byte)).map(std::mem::take).unwrap_or_default();
        sum += WEIGHTS.get(usize::from(count)).copied().unwrap_or_default();
    }
    total.log2() - sum / total
}

/// How many different bytes there are, up to the first 512.
pub fn distinct(text: &[u8]) -> u32 {
    let mut seen = [0_u64; 4];
    for byte in text.iter().take(512) {
        if let Some(word) = seen.get_mut(usize::from(*byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum()
}
