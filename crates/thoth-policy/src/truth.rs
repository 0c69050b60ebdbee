//! Three-valued logic: what could not be found out is neither true nor false.

/// The outcome of a test. `Error` means that it could not be decided: an argument is missing, has another type, or
/// can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be decided.
    Error,
}

impl Truth {
    /// Both hold (Kleene): a false one decides, otherwise an undecided one does.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Error, _) | (_, Self::Error) => Self::Error,
            (Self::True, Self::True) => Self::True,
        }
    }

    /// One of them holds (Kleene): a true one decides, otherwise an undecided one does.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::Error, _) | (_, Self::Error) => Self::Error,
            (Self::False, Self::False) => Self::False,
        }
    }

    /// All of many values agree, or it is undecided: how a test of one value is applied to a list of values.
    #[must_use]
    pub fn unanimous(items: impl Iterator<Item = Self>) -> Self {
        let mut answer = None;
        for item in items {
            match answer {
                _ if item == Self::Error => return Self::Error,
                None => answer = Some(item),
                Some(seen) if seen != item => return Self::Error,
                Some(_) => {}
            }
        }
        answer.unwrap_or(Self::Error)
    }

    /// The word shown in traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Error => "error",
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    /// Not: an undecided value stays undecided.
    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Error => Self::Error,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}
