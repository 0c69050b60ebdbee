//! A stream of choices: random bytes as decisions, so that proptest shrinks towards the first and simplest of each.

pub(crate) struct Choices<'b> {
    bytes: &'b [u8],
    names: usize,
}

impl<'b> Choices<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, names: 0 }
    }

    /// A number below `count`; 0 when the stream has ended.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % count.max(1)
    }

    /// True in one of `count` cases.
    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A name that no other is.
    pub(crate) fn name(&mut self) -> String {
        self.names += 1;
        format!("k{}", self.names)
    }

    /// A text to decode: quotes, escapes, line breaks, other scripts, what looks like syntax.
    pub(crate) fn text(&mut self) -> String {
        let pieces = [
            "",
            "a",
            "-y",
            "two words",
            "C:\\Users\\é",
            "say \"hi\"",
            "it's",
            "x\ny",
            "\ttab",
            "日本語",
            "😀",
            "\u{7f}\u{1}",
            "// no",
            "# no",
            "/* no */",
            "a: b",
            "{x}",
            "[1, 2]",
            "a,b",
            "@mark@",
            "null",
            "true",
            "1.0",
            "*x",
            "&x",
            "- x",
            "\u{2028}\u{85}\u{feff}",
            " lead",
            "trail ",
            "%",
            "@at",
            "`",
            "'",
            "\\",
        ];
        let count = self.below(3);
        (0..=count).map(|_| self.of(&pieces)).collect()
    }
}
