//! Detectors: what is found by code and described by data.

use std::sync::Arc;

use crate::threat::{Severity, Threat};

macro_rules! detectors {
    ($($(#[$doc:meta])* $variant:ident => $id:literal),+ $(,)?) => {
        /// What code looks for. Each has an entry in the rule files.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Detector { $($(#[$doc])* $variant),+ }

        impl Detector {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }
        }
    };
}

detectors! {
    /// Characters that are not shown and carry text.
    HiddenText => "hidden.text",
    /// Characters that are not shown, change the direction of text or drive a terminal.
    HiddenCharacters => "hidden.characters",
    /// Latin words with letters of another script in them.
    HiddenLookAlikes => "hidden.look-alikes",
    /// A comment that a rendered page does not show.
    HiddenComment => "hidden.comment",
    /// A block between tags in capitals.
    TaggedBlock => "hidden.tagged-block",
    /// White space that pushes text out of sight.
    HiddenPadding => "hidden.padding",
    /// Encoded text that is a command.
    EncodedCommand => "hidden.encoded-command",
    /// A parameter that asks for what the tool has no use for.
    ScopeParameter => "scope.parameter",
    /// A mail address or a phone number that stands in the definition itself.
    WrittenDestination => "scope.written-destination",
    /// A parameter of a tool that only computes asks about the user, the model or the machine.
    ForeignParameter => "scope.foreign-parameter",
    /// A parameter of a tool that only computes gives it power over the machine.
    CapabilityParameter => "capability.parameter",
    /// A tool that only computes does something else as well.
    CapabilityEffect => "capability.effect",
    /// Declared read-only, yet it changes things.
    CapabilityReadOnly => "capability.read-only",
    /// A schema that asks for a parameter it does not describe.
    SchemaUndeclared => "schema.undeclared-required",
    /// A value in a schema that is no value.
    SchemaValue => "schema.value",
    /// Nearly the description of a tool of another server, under the same, a similar or another name.
    Impersonation => "names.impersonation",
    /// A name that looks like that of another server's tool and is written with other letters.
    LookAlikeName => "names.look-alike",
    /// A description that names another server's tool and says what to do with it.
    CrossServerReference => "names.cross-server",
    /// Instructions that only make sense when the tools of a server are read together.
    SplitPoisoning => "split.poisoning",
    /// A definition that changed after it was approved.
    RugPull => "drift.changed",
    /// More than the caps let be read.
    TooLarge => "limits.exceeded",
    /// Not a definition at all.
    Malformed => "limits.malformed",
}

impl Detector {
    /// The detector with this name.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|detector| detector.id() == id)
    }
}

/// What the data says about a detector.
#[derive(Debug, Clone)]
pub struct DetectorEntry {
    /// Its id as text that findings share.
    pub id: Arc<str>,
    /// Counts up when its meaning changes.
    pub version: u32,
    /// The threat that it finds.
    pub threat: Threat,
    /// How bad it is, unless the code says otherwise.
    pub severity: Severity,
    /// Why this is a threat.
    pub reason: String,
    /// What to do about it.
    pub remedy: Arc<str>,
    /// Where it is described.
    pub reference: String,
}
