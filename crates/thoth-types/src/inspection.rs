//! What an inspection of arguments and results looks for, and what is done about it: the nouns that policy and gate share.
//!
//! It finds nothing itself.

use crate::decision::words;

words! {
    /// What harm a finding is about.
    HarmClass {
        /// Keys, tokens, passwords.
        Secrets => "secrets",
        /// Payment cards, account numbers, national identifiers; mail addresses and phone numbers where asked for.
        PersonalData => "personal_data",
        /// Commands where none belong, or dangerous ones where they do.
        Shell => "shell",
        /// Ways out of a folder, and files that hold credentials or configure the system.
        Path => "path",
        /// SQL smuggled into a value, or statements that destroy.
        Sql => "sql",
        /// Requests to addresses behind the caller's walls.
        Ssrf => "ssrf",
        /// Text that gives instructions to a model.
        Injection => "injection",
    }
}

words! {
    /// Which document is inspected.
    Inspected {
        /// What goes to a tool.
        Arguments => "arguments",
        /// What comes back.
        Results => "results",
    }
}

words! {
    /// What is done about a finding. Ordered from loosest to strictest.
    InspectAction {
        /// It is recorded.
        Allow => "allow",
        /// The result goes on under a note that tells the model what is in it.
        Annotate => "annotate",
        /// It is taken out, and a mark says so.
        Redact => "redact",
        /// A person is asked about the call. Nobody can be asked about a result, which is held back.
        Ask => "ask",
        /// The call is refused, or the result held back.
        Block => "block",
    }
}

impl HarmClass {
    /// Those that are looked for in results, and so label a session.
    pub fn labels() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|class| !class.actions(Inspected::Results).is_empty())
    }

    /// What may be done about it in this direction, from loosest to strictest; nothing where it is not looked for. To
    /// take a piece out of a command, a path or an address would make another one of it.
    #[must_use]
    pub const fn actions(self, inspected: Inspected) -> &'static [InspectAction] {
        use InspectAction::{Allow, Ask, Block, Redact};
        match (self, inspected) {
            (Self::Secrets | Self::PersonalData, Inspected::Arguments) => &[Allow, Redact, Ask, Block],
            (_, Inspected::Arguments) => &[Allow, Ask, Block],
            (Self::Secrets | Self::PersonalData | Self::Injection, Inspected::Results) => InspectAction::ALL,
            (_, Inspected::Results) => &[],
        }
    }
}

/// Some classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct HarmClasses(u8);

impl HarmClasses {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Those among `bits`, where each class has the bit of its place in [`HarmClass::ALL`].
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & (u8::MAX >> (8 - HarmClass::ALL.len())))
    }

    /// They as bits, for [`Self::from_bits`].
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Those that are in either.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether one is in both.
    #[must_use]
    pub const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, in the order of [`HarmClass::ALL`].
    pub fn iter(self) -> impl Iterator<Item = HarmClass> {
        HarmClass::ALL.iter().copied().filter(move |class| self.meets(Self::from(*class)))
    }
}

impl From<HarmClass> for HarmClasses {
    fn from(class: HarmClass) -> Self {
        Self(1 << class as u8)
    }
}

impl FromIterator<HarmClass> for HarmClasses {
    fn from_iter<T: IntoIterator<Item = HarmClass>>(classes: T) -> Self {
        classes.into_iter().fold(Self::NONE, |all, class| all.with(class.into()))
    }
}

impl std::fmt::Display for HarmClasses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<&str> = self.iter().map(HarmClass::as_str).collect();
        write!(f, "[{}]", words.join(", "))
    }
}
