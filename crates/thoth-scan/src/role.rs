//! What part of a definition a string is.

/// What part a string plays. Rules name roles, for the same words mean different things in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The name of a tool, prompt or resource.
    Name,
    /// A title.
    Title,
    /// What a tool, prompt or resource says about itself.
    Description,
    /// The name of a parameter, at any depth.
    ParameterName,
    /// Description, title or comment of a parameter.
    ParameterText,
    /// A value in a schema: enum, const, default, example, pattern.
    Value,
    /// Text in the schema of results.
    OutputText,
    /// Annotations, icons, `_meta` and whatever else a definition carries.
    Metadata,
    /// What the server says about itself to the model.
    Instructions,
    /// A message of the server: a question for the user or for the model.
    Message,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Name,
        Self::Title,
        Self::Description,
        Self::ParameterName,
        Self::ParameterText,
        Self::Value,
        Self::OutputText,
        Self::Metadata,
        Self::Instructions,
        Self::Message,
    ];

    /// The word in rule files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Title => "title",
            Self::Description => "description",
            Self::ParameterName => "parameter_name",
            Self::ParameterText => "parameter_text",
            Self::Value => "value",
            Self::OutputText => "output_text",
            Self::Metadata => "metadata",
            Self::Instructions => "instructions",
            Self::Message => "message",
        }
    }

    /// The role with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether strings of this role are identifiers, whose words are written together.
    #[must_use]
    pub const fn is_identifier(self) -> bool {
        matches!(self, Self::Name | Self::ParameterName)
    }
}
