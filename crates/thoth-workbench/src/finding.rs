//! What is odd about a policy.

use thoth_types::{Approval, Place};

use crate::call::Call;

macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// How much a finding matters.
    Severity {
        /// Good to know.
        Note => "note",
        /// Probably not what was meant.
        Warning => "warning",
    }
}

words! {
    /// What a finding is about.
    FindingKind {
        /// No call surely matches the rule.
        Unreachable => "unreachable",
        /// Earlier rules take every call of the rule.
        Shadowed => "shadowed",
        /// Earlier and looser rules take some calls of the rule.
        PartiallyShadowed => "partially_shadowed",
        /// No answer is another without the rule.
        NeverDecisive => "never_decisive",
        /// Two rules answer some calls differently; the stricter one holds.
        Conflict => "conflict",
        /// The rule is for every call.
        CatchAll => "catch_all",
        /// What no rule names runs.
        AllowByDefault => "allow_by_default",
        /// The tool's name in another letter case gets a looser answer.
        CaseBypass => "case_bypass",
        /// A name that looks the same gets a looser answer.
        LookAlikeBypass => "look_alike_bypass",
        /// An expression that allows calls fits anywhere in the text.
        UnanchoredPattern => "unanchored_pattern",
        /// The rule matches no tool that is known.
        UnknownTool => "unknown_tool",
        /// No tool that the rule matches has such an argument.
        UnknownArgument => "unknown_argument",
        /// The argument never has the type or value that it is compared with.
        ArgumentType => "argument_type",
        /// What the loader found.
        Lint => "lint",
    }
}

impl FindingKind {
    /// What it is about, in a sentence.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Unreachable => "No call surely matches the rule",
            Self::Shadowed => "Earlier rules take every call of the rule",
            Self::PartiallyShadowed => "Earlier and looser rules take some calls of the rule",
            Self::NeverDecisive => "No answer is another without the rule",
            Self::Conflict => "Two rules answer some calls differently; the stricter one holds",
            Self::CatchAll => "The rule is for every call",
            Self::AllowByDefault => "What no rule names runs",
            Self::CaseBypass => "The tool's name in another letter case gets a looser answer",
            Self::LookAlikeBypass => "A name that looks the same gets a looser answer",
            Self::UnanchoredPattern => "An expression that allows calls fits anywhere in the text",
            Self::UnknownTool => "The rule matches no tool that is known",
            Self::UnknownArgument => "No tool that the rule matches has such an argument",
            Self::ArgumentType => "The argument never has the type or value that it is compared with",
            Self::Lint => "Allowed, but probably not what was meant",
        }
    }
}

/// Another rule that has to do with a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Its name.
    pub rule: String,
    /// Where it stands.
    pub place: Place,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// What is so.
    pub message: String,
    /// The rule, if it is about one.
    pub rule: Option<String>,
    /// Where that stands.
    pub place: Option<Place>,
    /// The other rules that it takes.
    pub related: Vec<Related>,
    /// A call that shows it, and what the policy answers to it.
    pub witness: Option<(Call, Approval)>,
    /// What to do.
    pub remedy: String,
}
