//! The first step: every value as each source gives it.

use std::fmt;

use thoth_types::Redacted;

use super::kind::Kind;
use super::managed::Managed;
use super::setting::{Setting, State};
use super::table;
use super::unknown;
use crate::document::Place;
use crate::platform::Environment;

/// Who gives a value. The first that gives one wins: what an administrator writes cannot be loosened from below, and
/// what stands on a command line is nearer to the person than what a process inherits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The administrator of the machine.
    Managed,
    /// The command line.
    Flag,
    /// A variable of the process.
    Environment,
    /// A file of the user's own.
    File,
    /// Worked out from others.
    Derived,
    /// Nobody: what holds otherwise.
    Default,
}

impl Source {
    /// One word: `managed`, `flag`, `environment`, `file`, `derived`, `default`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Derived => "derived",
            Self::Default => "default",
        }
    }
}

/// A text that came from a source, which may be a secret.
#[derive(Debug, Clone)]
pub enum Text {
    /// It may be shown.
    Open(String),
    /// It may not.
    Secret(Redacted<String>),
}

impl Text {
    pub(super) fn new(setting: &Setting, text: &str) -> Self {
        if setting.secret { Self::Secret(Redacted::new(text.to_owned())) } else { Self::Open(text.to_owned()) }
    }

    /// The text itself, to be read and not to be shown.
    pub(super) fn exposed(&self) -> &str {
        match self {
            Self::Open(text) => text,
            Self::Secret(text) => text.expose_secret(),
        }
    }
}

/// The most characters of a value that a message repeats.
const QUOTED: usize = 100;

/// A text from outside for a message: escaped, and cut off where it is long.
pub(super) fn brief(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED).collect::<String>().escape_debug().to_string();
    if text.chars().nth(QUOTED).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Whether a text looks like an address, which can have credentials in it, whatever it stands for.
pub(super) fn is_address(text: &str) -> bool {
    text.contains("://") || (text.contains('@') && text.contains(':'))
}

/// What people see: the text, or that there is one.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(text) => f.write_str(&brief(text)),
            Self::Secret(_) => f.write_str("set"),
        }
    }
}

/// Where exactly a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who gave it.
    pub source: Source,
    /// The variable, the flag, or the file.
    pub name: String,
    /// Where in a file.
    pub place: Option<Place>,
}

/// As in a message: `THOTH_ENV`, `--tenant-id`, `/etc/thoth/thoth-config.json:3:12`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.place.map_or(Ok(()), |place| write!(f, ":{place}"))
    }
}

/// One value of one setting.
#[derive(Debug, Clone)]
pub struct Given {
    /// The setting.
    pub setting: &'static Setting,
    /// Where it was given.
    pub origin: Origin,
    /// The value as it was written.
    pub text: Text,
}

impl Given {
    /// The value for a message about it; none where it is a secret or could have one in it, as an address can.
    pub(super) fn quoted(&self) -> Option<String> {
        let is_address = self.setting.kind == Kind::Url || is_address(self.text.exposed());
        (!self.setting.secret && !is_address).then(|| self.text.to_string())
    }
}

/// A value that stands in a file of the user's own.
#[derive(Debug, Clone)]
pub struct FileValue {
    /// The setting.
    pub setting: &'static Setting,
    /// The file.
    pub path: String,
    /// The value.
    pub text: Redacted<String>,
}

/// Everything that settings are read from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The managed file, where there is one.
    pub managed: Option<&'a Managed>,
    /// Flags with their dashes, and their values.
    pub flags: &'a [(&'static str, Redacted<String>)],
    /// The variables.
    pub environment: &'a Environment,
    /// Values from files, the one to prefer first.
    pub files: &'a [FileValue],
}

/// All values, the strongest of a setting first.
#[derive(Debug, Clone)]
pub struct Written {
    pub(super) values: Vec<Given>,
    pub(super) foreign: Vec<(&'static str, &'static str)>,
    pub(super) is_managed: bool,
    pub(super) warnings: Vec<String>,
}

/// Collects what all sources say. Nothing is judged yet, except names that nobody knows.
#[must_use]
pub fn written(sources: &Sources<'_>) -> Written {
    let mut values = Vec::new();
    for setting in table::all().filter(|setting| !matches!(setting.state, State::Elsewhere(_))) {
        let mut add = |source, name: &str, place, text: &str| {
            let origin = Origin { source, name: name.to_owned(), place };
            values.push(Given { setting, origin, text: Text::new(setting, text) });
        };
        if let Some(managed) = sources.managed {
            for entry in managed.entries.iter().filter(|entry| entry.setting.is(setting)) {
                add(Source::Managed, &managed.path, Some(entry.place), &entry.value);
            }
        }
        for (flag, text) in sources.flags.iter().filter(|(flag, _)| setting.flag == Some(flag)) {
            add(Source::Flag, flag, None, text.expose_secret());
        }
        for name in setting.names {
            // Of these, nothing would loosen what was meant to be set; of all others it counts as not set.
            let blank = (table::is_never_blank(setting) && sources.environment.is_blank(name)).then_some("");
            if let Some(text) = sources.environment.get(name).or(blank) {
                add(Source::Environment, name, None, text);
            }
        }
        for file in sources.files.iter().filter(|file| file.setting.is(setting)) {
            add(Source::File, &file.path, None, file.text.expose_secret());
        }
    }
    let mut warnings: Vec<_> = sources.managed.iter().flat_map(|managed| managed.warnings.clone()).collect();
    warnings.extend(unknown::in_environment(sources.environment).iter().map(ToString::to_string));
    let foreign = unknown::of_other_programs(sources.environment);
    Written { values, foreign, is_managed: sources.managed.is_some(), warnings }
}
