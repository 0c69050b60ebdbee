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
