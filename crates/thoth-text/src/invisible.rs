//! Characters that are not shown, and when they have a right to be there.

use unicode_properties::GeneralCategory;

/// Kinds of characters that are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Invisible {
    /// Carries an ASCII character.
    Tag(u8),
    /// Carries a byte, for who wants to hide one.
    Selector(u8),
    /// Changes the direction of text.
    Bidi,
    /// Joins or separates letters or emoji.
    Joiner,
    /// Nothing but hidden.
    Other,
}

/// Whether and how a character is hidden.
pub(super) fn invisible_kind(c: char, category: GeneralCategory) -> Option<Invisible> {
    let code = u32::from(c);
    let byte = |n: u32| u8::try_from(n).unwrap_or_default();
    Some(match code {
        0xE0000..=0xE007F => Invisible::Tag(byte(code - 0xE0000)),
        0xFE00..=0xFE0F => Invisible::Selector(byte(code - 0xFE00)),
        0xE0100..=0xE01EF => Invisible::Selector(byte(code - 0xE0100 + 16)),
        0x200E | 0x200F | 0x061C | 0x202A..=0x202E | 0x2066..=0x2069 => Invisible::Bidi,
        0x200C | 0x200D => Invisible::Joiner,
        // Fillers are letters by category and blank by purpose.
        0x034F | 0x115F | 0x1160 | 0x3164 | 0xFFA0 | 0x17B4 | 0x17B5 | 0x180B..=0x180D | 0x180F => Invisible::Other,
        // Signs that stand before digits in some scripts are of this category and are shown.
        0x0600..=0x0605 | 0x06DD | 0x070F | 0x0890 | 0x0891 | 0x08E2 | 0x110BD | 0x110CD => return None,
        _ if category == GeneralCategory::Format => Invisible::Other,
        _ => return None,
    })
}
