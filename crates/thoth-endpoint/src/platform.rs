//! The three platforms, and a process environment as a value.

use std::collections::BTreeMap;

/// An operating system, as far as paths and programs are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Platform {
    /// Linux and everything that follows its conventions.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Linux, Self::MacOs, Self::Windows];

    /// The one that this was built for.
    #[must_use]
    pub const fn current() -> Self {
        if cfg!(target_os = "macos") {
            Self::MacOs
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::Linux
        }
    }

    /// As in documented values: `linux`, `macos`, `windows`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::MacOs => "macos",
            Self::Windows => "windows",
        }
    }

    /// What separates the entries of `PATH`.
    #[must_use]
    pub const fn path_list_separator(self) -> char {
        match self {
            Self::Windows => ';',
            Self::Linux | Self::MacOs => ':',
        }
    }
}

/// Environment variables. Names are compared as the platform does: without regard to case on Windows.
///
/// A variable that is set to the empty text counts as not set.
#[derive(Clone, Default)]
pub struct Environment {
    folds_case: bool,
    variables: BTreeMap<String, String>,
}

/// The names alone: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// An environment with these variables; of two that are the same, the later one counts.
    pub fn new(platform: Platform, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Self { folds_case: platform == Platform::Windows, variables: BTreeMap::new() };
        for (name, value) in variables {
            let name = environment.fold(&name);
            environment.variables.insert(name, value);
        }
        environment
    }

    /// The value of a variable that is set to something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(&self.fold(name)).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a variable is there, and set to nothing.
    #[must_use]
    pub fn is_blank(&self, name: &str) -> bool {
        self.variables.get(&self.fold(name)).is_some_and(String::is_empty)
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn fold(&self, name: &str) -> String {
        if self.folds_case { name.to_ascii_uppercase() } else { name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_the_platform_does() {
        let variables = || [("Path".to_owned(), "a".to_owned()), ("EMPTY".to_owned(), String::new())];
        let windows = Environment::new(Platform::Windows, variables());
        assert_eq!((windows.get("PATH"), windows.get("path"), windows.get("EMPTY")), (Some("a"), Some("a"), None));
        let linux = Environment::new(Platform::Linux, variables());
        assert_eq!((linux.get("PATH"), linux.get("Path")), (None, Some("a")));
        assert_eq!(format!("{linux:?}"), r#"{"EMPTY", "Path"}"#);
    }
}
