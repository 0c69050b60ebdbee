//! The documented kinds of threats and how bad a finding is.

use std::fmt;

/// The six documented threat types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Threat {
    /// A definition that makes the model do harm when it reads it or calls the tool.
    ToolPoisoning,
    /// A definition that changed after it was approved.
    RugPull,
    /// A tool that interferes with the tools of another server.
    CrossServerAttack,
    /// A tool that can do more than it says.
    ConfusedDeputy,
    /// Text that people do not see.
    HiddenInstruction,
    /// Text that speaks to the model instead of describing the tool.
    DescriptionInjection,
}

impl Threat {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ToolPoisoning,
        Self::RugPull,
        Self::CrossServerAttack,
        Self::ConfusedDeputy,
        Self::HiddenInstruction,
        Self::DescriptionInjection,
    ];

    /// The documented name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToolPoisoning => "TOOL_POISONING",
            Self::RugPull => "RUG_PULL",
            Self::CrossServerAttack => "CROSS_SERVER_ATTACK",
            Self::ConfusedDeputy => "CONFUSED_DEPUTY",
            Self::HiddenInstruction => "HIDDEN_INSTRUCTION",
            Self::DescriptionInjection => "DESCRIPTION_INJECTION",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|threat| threat.as_str() == name)
    }
}

impl fmt::Display for Threat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad a finding is; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; no reason to stop.
    Info,
    /// A person should look before the tool is used.
    Warning,
    /// No honest tool has a reason for this.
    Critical,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The documented name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
