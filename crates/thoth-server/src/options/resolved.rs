//! Which value of each setting holds: that of the flag, else of the variable, else of the file, else the default. Each
//! knows where it stands, and so does whatever is said of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thoth_shell::exit::Failure;
use thoth_shell::terminal::{harmless_text, note};
use thoth_types::Redacted;

use super::flags::Flags;
use super::near::nearest;
use super::table::TABLE;
use super::{BETWEEN, CONFIG, Kind, PREFIX, Setting, file, parts};

/// The most of a wrong value that is repeated, in characters.
const MOST_SHOWN: usize = 60;

/// Where a value stands, the strongest place last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Default,
    /// A variable that many programs know.
    Common(&'static str),
    /// With the place in it.
    File(String),
    Variable(String),
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Common(name) => f.write_str(name),
            Self::File(place) => f.write_str(place),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

impl Origin {
    /// How strong the place is, whatever its name.
    const fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Common(_) => 1,
            Self::File(_) => 2,
            Self::Variable(_) => 3,
            Self::Flag(_) => 4,
        }
    }
}

/// A value.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) text: Redacted<String>,
    pub(crate) origin: Origin,
}

impl Value {
    pub(crate) const fn new(text: Redacted<String>, origin: Origin) -> Self {
        Self { text, origin }
    }
}

/// What names the database, and the file that does.
pub(crate) const DATABASE_URL: (&str, &str) = ("database_url", "database_url_file");
/// What has the headers for a collector of traces, and the file that has them.
pub(crate) const HEADERS: (&str, &str) = ("traces_headers", "traces_headers_file");

/// What is wrong with a value, without its place.
pub(super) fn problem(setting: &Setting, text: &str, what: &str, name: &str) -> String {
    if setting.kind == Kind::Secret {
        return format!("{name}: {what}");
    }
    // Of a list, the part that is wrong.
    let text = match setting.kind {
        Kind::List(item) => parts(text).find(|part| item.check(part).is_err()).unwrap_or(text),
        _ => text,
    };
    let mut shown: String = harmless_text(text).chars().take(MOST_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{name}: invalid value `{shown}`: {what}")
}

/// A list as it stands in a variable, as one of parts.
fn listed(text: &str) -> String {
    let parts: Vec<&str> = text.split([',', BETWEEN]).map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join(BETWEEN.encode_utf8(&mut [0; 4]))
}

/// What holds.
#[derive(Debug)]
pub(crate) struct Resolved {
    values: BTreeMap<&'static str, Value>,
}

impl Resolved {
    /// Of these flags, and of the variables and the file of this process.
    pub(crate) fn of<const PART: u8>(flags: &Flags<PART>) -> Result<Self, Failure> {
        Self::with(flags, |name| std::env::var_os(name).map(std::ffi::OsString::into_string))
    }

    fn with<const PART: u8>(
        flags: &Flags<PART>,
        variable: impl Fn(&str) -> Option<Result<String, std::ffi::OsString>>,
    ) -> Result<Self, Failure> {
        let variable = |name: &str| match variable(name) {
            None => Ok(None),
            // Set to nothing counts as not set.
            Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Err(_)) => Err(Failure::usage(format!("{name} is not UTF-8 text"))),
        };
        let valued = |setting: &Setting, name: &str| {
            let text = variable(name)?;
            Ok::<_, Failure>(text.map(|text| match setting.kind {
                Kind::List(_) => Redacted::new(listed(&text)),
                _ => Redacted::new(text),
            }))
        };
        let config = match &flags.config {
            Some(path) => Some(path.clone()),
            None => variable(CONFIG)?.map(PathBuf::from),
        };
        let mut values = config.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let mut problems = Vec::new();
        let taken = TABLE.iter().filter(|setting| setting.part as u8 <= PART);
        for setting in taken {
            let flag = flags.given.get(setting.name).map(|text| (text.clone(), Origin::Flag(setting.flag)));
            let mut given = match flag {
                Some(given) => Some(given),
                None => valued(setting, &setting.variable())?.map(|text| (text, Origin::Variable(setting.variable()))),
            };
            if !values.contains_key(setting.name) {
                for name in setting.common {
                    if given.is_none() {
                        given = valued(setting, name)?.map(|text| (text, Origin::Common(name)));
                    }
                }
            }
            if let Some((text, origin)) = given {
                if let Err(what) = setting.kind.check(text.expose_secret()) {
                    problems.push(problem(setting, text.expose_secret(), &what, &origin.to_string()));
                }
                drop(values.insert(setting.name, Value::new(text, origin)));
            } else if let (Some(default), false) = (setting.default, values.contains_key(setting.name)) {
                drop(values.insert(setting.name, Value::new(Redacted::new(default.to_owned()), Origin::Default)));
            }
        }
        if !problems.is_empty() {
            return Err(Failure::usage(problems.join("\n")));
        }
        let values = Self { values };
        values.one_of(DATABASE_URL, "both name a database")?;
        values.one_of(HEADERS, "both have headers")?;
        Ok(values)
    }

    /// Says which variables look like settings and are none. A name that is near to none is somebody else's: a cluster makes
    /// some of the name of a service.
    pub(crate) fn tell_unknown_variables() {
        let known: Vec<String> = TABLE.iter().map(Setting::variable).chain([CONFIG.to_owned()]).collect();
        for (name, _) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            if known.iter().any(|known| known == name) {
                continue;
            }
            if let Some(meant) = nearest(name, known.iter().map(String::as_str)) {
                note(format_args!("the variable `{}` is not known; did you mean `{meant}`?", harmless_text(name)));
            }
        }
    }

    /// Of two settings for the same, the one in the stronger place counts.
    fn one_of(&self, (text, file): (&str, &str), both: &str) -> Result<(), Failure> {
        match (self.get(text), self.get(file)) {
            (Some(text), Some(file)) if text.origin.rank() == file.origin.rank() => {
                Err(Failure::usage(format!("`{}` cannot be used with `{}`: {both}", text.origin, file.origin)))
            }
            _ => Ok(()),
        }
    }

    /// The value of a setting, if it has any.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Where the secret stands that one of these settings has, and whether in a file of its own.
    pub(crate) fn secret(&self, (text, file): (&str, &str)) -> Option<(&Value, bool)> {
        let text = self.get(text).map(|value| (value, false));
        let file = self.get(file).map(|value| (value, true));
        [text, file].into_iter().flatten().max_by_key(|(value, _)| value.origin.rank())
    }

    /// The parts of a list.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.get(name).map(|value| parts(value.text.expose_secret()).collect()).unwrap_or_default()
    }

    /// A path.
    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        self.get(name).map(|value| Path::new(value.text.expose_secret()))
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.text.expose_secret() == "true")
    }

    /// The word of a setting that has a default.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.get(name).map_or("", |value| value.text.expose_secret())
    }

    /// What a setting that has a default is.
    pub(crate) fn read<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        let value = self.get(name).ok_or_else(|| Failure::failed(format!("`{name}` has no value")))?;
        let read = value.text.expose_secret().parse();
        read.map_err(|_| Failure::usage(format!("{}: the value of `{name}` cannot be read", value.origin)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::flags::SERVING;
    use super::*;

    fn resolve(flags: &[(&'static str, &str)], variables: &[(&str, &str)], file: &str) -> Result<Resolved, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        std::fs::write(&path, file).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let given = flags.iter().map(|(name, text)| (*name, Redacted::new((*text).to_owned()))).collect();
        let flags: Flags<SERVING> = Flags { given, config: Some(path) };
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| Ok((*text).to_owned()));
        Resolved::with(&flags, variable).map_err(|failure| failure.message().to_owned())
    }

    /// The flag beats the variable, that the file, that the default; nothing is not a value.
    #[test]
    fn the_order_of_places() {
        let file = "listen = '[::1]:3'\n";
        for (flags, variables, file, expected) in [
            (&[("listen", "[::1]:1")][..], &[("THOTHD_LISTEN", "[::1]:2")][..], file, "[::1]:1 --listen"),
            (&[], &[("THOTHD_LISTEN", "[::1]:2")], file, "[::1]:2 THOTHD_LISTEN"),
            (&[], &[("THOTHD_LISTEN", "")], file, "[::1]:3 t.toml:1:1"),
            (&[], &[], "", "127.0.0.1:8787 default"),
        ] {
            let resolved = resolve(flags, variables, file).unwrap();
            let value = resolved.get("listen").unwrap();
            let origin = value.origin.to_string();
            let origin = origin.rsplit('/').next().unwrap();
            assert_eq!(format!("{} {origin}", value.text.expose_secret()), expected);
        }
    }

    /// What is wrong is told where it stands, everything at once, and nothing of a secret.
    #[test]
    fn mistakes_name_their_place() {
        let told = resolve(
            &[("listen", "localhost\u{1b}[31m"), ("database_url", "")],
            &[("THOTHD_ENFORCE_PER_MINUTE", "none"), ("THOTHD_ENFORCEMENT_MODE", "off")],
            "",
        );
        let told = told.unwrap_err();
        for part in [
            r"--listen: invalid value `localhost\u{1b}[31m`: it is no address",
            "--database-url: it is empty",
            "THOTHD_ENFORCE_PER_MINUTE: invalid value `none`",
            "THOTHD_ENFORCEMENT_MODE: invalid value `off`: it is none of observe",
        ] {
            assert!(told.contains(part), "{told}");
        }
        // Also where a stronger place would hide the mistake.
        let told = resolve(&[("listen", "[::1]:1")], &[], "listen = 'x'").unwrap_err();
        assert!(told.contains("t.toml:1:1: listen: invalid value `x`"), "{told}");
    }

    /// A list is repeated flags, commas in a variable, or a list in the file; the stronger place replaces the weaker one.
    #[test]
    fn lists_stand_in_all_places() {
        let file = "oidc_tenant = ['a, b=one', 'two']\n";
        let variable = ("THOTHD_OIDC_TENANT", " x=one,, two ,y=three,");
        for (flags, variables, expected) in [
            (&[][..], &[][..], &["a, b=one", "two"][..]),
            (&[], &[variable], &["x=one", "two", "y=three"]),
            (&[("oidc_tenant", "c,d=one\ntwo")], &[variable], &["c,d=one", "two"]),
        ] {
            let resolved = resolve(flags, variables, file).unwrap();
            assert_eq!(resolved.list("oidc_tenant"), expected);
        }
        let told = resolve(&[], &[("THOTHD_OIDC_ROLE", "a=read,b=execute")], "").unwrap_err();
        assert!(told.contains("THOTHD_OIDC_ROLE: invalid value `b=execute`: a role is"), "{told}");
        assert!(resolve(&[], &[], "oidc_audience = []").unwrap().list("oidc_audience").is_empty());
    }

    /// What many programs know counts where nothing says it for this one.
    #[test]
    fn common_variables_are_the_weakest() {
        let common = ("OTEL_SERVICE_NAME", "everything");
        for (variables, file, expected) in [
            (&[][..], "", "thothd default"),
            (&[common], "", "everything OTEL_SERVICE_NAME"),
            (&[common], "traces_service_name = 'gate'", "gate t.toml:1:1"),
            (&[common, ("THOTHD_TRACES_SERVICE_NAME", "one")], "", "one THOTHD_TRACES_SERVICE_NAME"),
        ] {
            let resolved = resolve(&[], variables, file).unwrap();
            let value = resolved.get("traces_service_name").unwrap();
            let origin = value.origin.to_string();
            let origin = origin.rsplit('/').next().unwrap();
            assert_eq!(format!("{} {origin}", value.text.expose_secret()), expected);
        }
        let told = resolve(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317")], "").unwrap_err();
        assert!(told.contains("OTEL_EXPORTER_OTLP_ENDPOINT: invalid value `localhost:4317`"), "{told}");
    }

    #[test]
    fn one_database_only() {
        let url = ("THOTHD_DATABASE_URL", "postgres://h/d");
        let resolved = resolve(&[("database_url_file", "f")], &[url], "").unwrap();
        assert!(resolved.secret(DATABASE_URL).unwrap().1);
        let resolved = resolve(&[], &[url], "database_url_file = 'f'").unwrap();
        assert!(!resolved.secret(DATABASE_URL).unwrap().1);
        let told = resolve(&[], &[url, ("THOTHD_DATABASE_URL_FILE", "f")], "").unwrap_err();
        assert!(told.contains("cannot be used with"), "{told}");
        assert!(resolve(&[], &[], "").unwrap().secret(DATABASE_URL).is_none());
    }
}
