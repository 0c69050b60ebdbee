//! A file of settings, in TOML: names of the table and their values, nothing else. Everything wrong in it is told at once,
//! each with its place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use thoth_shell::exit::Failure;
use thoth_shell::key_file::regular;
use thoth_shell::terminal::{harmless_text, quoted};
use thoth_types::Redacted;
use toml_edit::{Document, Item, Value as Toml};

use super::near::nearest;
use super::resolved::{Origin, Value};
use super::table::{TABLE, named};
use super::{BETWEEN, Kind, Setting};

/// The largest file.
const MAX_BYTES: u64 = 64 << 10;
/// The most dots in a line: no setting has a section, and what the parser builds of a dotted name is nested as deep.
const MAX_DOTS: usize = 128;

/// The settings in a file.
pub(super) type Settings = BTreeMap<&'static str, Value>;

/// Reads the settings in a file.
pub(super) fn read(path: &Path) -> Result<Settings, Failure> {
    let shown = harmless_text(&path.to_string_lossy());
    let failed = |what: &dyn std::fmt::Display| Failure::failed(format!("cannot read `{shown}`: {what}"));
    let bytes = regular(path, MAX_BYTES).map_err(|error| failed(&error))?;
    let Some((bytes, complete)) = bytes else { return Err(failed(&"there is no such file")) };
    if !complete {
        return Err(failed(&format_args!("it is larger than {MAX_BYTES} bytes")));
    }
    let bytes = Redacted::new(bytes);
    let text = str::from_utf8(bytes.expose_secret()).map_err(|_| failed(&"it is not UTF-8 text"))?;
    let mode = std::fs::metadata(path).map_err(|error| failed(&error))?.permissions().mode() & 0o777;
    // Whoever can change it can have every call allowed.
    if mode & 0o022 != 0 {
        return Err(Failure::failed(format!("others can write to `{shown}` (mode {mode:o})"))
            .hint(format!("run `chmod go-w {}`", quoted(&shown))));
    }
    let folder = std::path::absolute(path).map_err(|error| failed(&error))?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    let read = parse(text, &shown, folder, mode & 0o077 == 0);
    read.map_err(|problems| {
        let failure = Failure::usage(problems.join("\n"));
        failure.hint("docs/reference/thothd.md lists the settings; `thothd config check FILE` looks at a file")
    })
}

/// What a text says, which stands in a file of this name in this folder, that others can read or not.
fn parse(text: &str, shown: &str, folder: &Path, private: bool) -> Result<Settings, Vec<String>> {
    let at = |span: Option<Range<usize>>| {
        let (line, column) = place(text, span.map_or(0, |span| span.start));
        format!("{shown}:{line}:{column}")
    };
    let deep = |line: &str| !line.trim_start().starts_with('#') && line.matches('.').count() > MAX_DOTS;
    if let Some(line) = text.lines().position(deep) {
        return Err(vec![format!("{shown}:{}:1: the line has more than {MAX_DOTS} dots", line + 1)]);
    }
    let document = Document::parse(text).map_err(|error| {
        // What stands there is not repeated: it may be a password.
        vec![format!("{}: this is not TOML; a text stands between quotes, one setting to a line", at(error.span()))]
    })?;
    let (mut settings, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, item) in document.as_table().iter() {
        let at = at(document.as_table().key(name).and_then(toml_edit::Key::span));
        match setting(name, item, folder, private) {
            Ok((setting, text)) => {
                drop(settings.insert(setting.name, Value::new(text, Origin::File(at))));
            }
            Err(problem) => problems.push(format!("{at}: {problem}")),
        }
    }
    problems.sort_by_key(|problem| problem.split(':').nth(1).and_then(|line| line.parse::<usize>().ok()));
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

fn setting(
    name: &str,
    item: &Item,
    folder: &Path,
    private: bool,
) -> Result<(&'static Setting, Redacted<String>), String> {
    let Some(setting) = named(name) else { return Err(unknown(name, item)) };
    let name = setting.name;
    let wrong = |what: &str| Err(format!("`{name}`: {what}"));
    let text = match (setting.kind, item) {
        (Kind::Count, Item::Value(Toml::Integer(number))) => number.value().to_string(),
        (Kind::Count, _) => return wrong("a whole number without quotes is wanted"),
        (Kind::Switch, Item::Value(Toml::Boolean(on))) => on.value().to_string(),
        (Kind::Switch, _) => return wrong("`true` or `false` without quotes is wanted"),
        (Kind::Share, Item::Value(Toml::Integer(number))) => number.value().to_string(),
        (Kind::Share, Item::Value(Toml::Float(number))) => number.value().to_string(),
        (Kind::Share, _) => return wrong("a number without quotes is wanted"),
        (Kind::List(_), Item::Value(Toml::Array(list))) => {
            match list.iter().map(Toml::as_str).collect::<Option<Vec<_>>>() {
                // It would become another part.
                Some(texts) if texts.iter().any(|text| text.is_empty() || text.contains(BETWEEN)) => {
                    return wrong("a text in the list is empty or has control characters");
                }
                Some(texts) => texts.join(BETWEEN.encode_utf8(&mut [0; 4])),
                None => return wrong("a list has only texts between quotes"),
            }
        }
        (Kind::List(_), _) => return wrong("a list of texts is wanted, as in `[\"…\", \"…\"]`"),
        (_, Item::Value(Toml::String(text))) => text.value().clone(),
        _ => return wrong("a text between quotes is wanted"),
    };
    if setting.kind == Kind::Secret && !private {
        return wrong(
            "others can read this file, and the setting is a secret; run `chmod go=` on it, or use a file of its own",
        );
    }
    setting.kind.check(&text).map_err(|what| super::resolved::problem(setting, &text, &what, name))?;
    let text = match setting.kind {
        Kind::Path => match folder.join(&text).into_os_string().into_string() {
            Ok(path) => path,
            Err(_) => return wrong("the folder of this file has a name that is not UTF-8; give a whole path"),
        },
        _ => text,
    };
    Ok((setting, Redacted::new(text)))
}

fn unknown(name: &str, item: &Item) -> String {
    let shown: String = harmless_text(name).chars().take(60).collect();
    if item.is_table_like() || item.is_array_of_tables() {
        return format!(
            "`{shown}` is a section, and there are none: all settings stand at the top, as `listen = \"…\"`"
        );
    }
    match nearest(name, TABLE.iter().map(|setting| setting.name)) {
        Some(meant) => format!("`{shown}` is not a setting; did you mean `{meant}`?"),
        None => format!("`{shown}` is not a setting"),
    }
}

/// The line and the column, in characters, of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, private: bool) -> Result<Vec<(String, String, String)>, Vec<String>> {
        let settings = parse(text, "f.toml", Path::new("/etc/thoth"), private)?;
        let shown = |(name, value): (&str, Value)| {
            (name.to_owned(), value.text.expose_secret().clone(), value.origin.to_string())
        };
        Ok(settings.into_iter().map(shown).collect())
    }

    #[test]
    fn values_come_with_their_place() {
        let text = "# a . comment\nlisten = \"[::1]:1\"\n  policy = 'p.yaml'\nenforce_per_minute = 7\n";
        let expected = [
            ("enforce_per_minute", "7", "f.toml:4:1"),
            ("listen", "[::1]:1", "f.toml:2:1"),
            ("policy", "/etc/thoth/p.yaml", "f.toml:3:3"),
        ];
        let owned = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(read(text, false), Ok(owned.to_vec()));
    }

    /// Each mistake is told with its place; none repeats a secret, and none takes the process down.
    #[test]
    fn the_table_of_mistakes() {
        let deep = format!("{}a = 1\n", "a.".repeat(30_000));
        let brackets = format!("listen = {}\n", "[".repeat(30_000));
        for (text, expected) in [
            ("\nlisen = 'x'\n", "f.toml:2:1: `lisen` is not a setting; did you mean `listen`?"),
            ("tls-cert = 'x'", "f.toml:1:1: `tls-cert` is not a setting; did you mean `tls_cert`?"),
            ("zebra = 1", "f.toml:1:1: `zebra` is not a setting"),
            ("\"a\\u001b\" = 1", r"f.toml:1:1: `a\u{1b}` is not a setting"),
            ("[limits]\nenforce = 1", "f.toml:1:2: `limits` is a section, and there are none"),
            ("limits.enforce = 1", "f.toml:1:1: `limits` is a section"),
            ("listen = 8787", "f.toml:1:1: `listen`: a text between quotes is wanted"),
            ("listen = 'localhost'", "f.toml:1:1: listen: invalid value `localhost`: it is no address with a port"),
            ("enforce_per_minute = '7'", "a whole number without quotes is wanted"),
            ("enforce_per_minute = 0", "invalid value `0`: it is no whole number from 1"),
            ("enforce_per_minute = -1", "invalid value `-1`"),
            ("enforcement_mode = 'blok'", "it is none of observe, step_up, progressive, block"),
            ("policy = ''", "policy: invalid value ``: it is empty"),
            ("oidc_role = 'a=read'", "f.toml:1:1: `oidc_role`: a list of texts is wanted"),
            ("oidc_role = [\n 'a=read',\n 7]", "f.toml:1:1: `oidc_role`: a list has only texts"),
            ("oidc_audience = ['a', '']", "`oidc_audience`: a text in the list is empty"),
            (
                "oidc_tenant = ['a', \"b=b\\nc\"]",
                "`oidc_tenant`: a text in the list is empty or has control characters",
            ),
            ("\noidc_role = ['a=read', 'b']", "f.toml:2:1: oidc_role: invalid value `b`: a role is `ROLE=read` or"),
            ("oidc_tenant = ['x=Acme Inc']", "oidc_tenant: invalid value `x=Acme Inc`: a tenant is `VALUE=TENANT`"),
            ("traces_ratio = '1'", "`traces_ratio`: a number without quotes is wanted"),
            ("traces_ratio = 1.5", "traces_ratio: invalid value `1.5`: it is no number from 0 to 1"),
            ("traces_ratio = nan", "traces_ratio: invalid value `NaN`"),
            ("traces_endpoint = 'localhost:4318'", "traces_endpoint: invalid value `localhost:4318`: it is no address"),
            (
                "traces_endpoint = 'http://a:b@c/'",
                "it is no address as `https://host:port`, without a name, a password",
            ),
            ("traces_headers = 'a=hunter2'", "others can read this file"),
            ("listen = '[::1]:1'\nlisten = '[::1]:2'", "f.toml:2:1: this is not TOML"),
            ("listen = hunter2", "f.toml:1:10: this is not TOML"),
            ("database_url = 'postgres://u:hunter2@h/d'", "others can read this file"),
            (&deep, "f.toml:1:1: the line has more than 128 dots"),
            (&brackets, "this is not TOML"),
        ] {
            let said = read(text, false).unwrap_err().join("\n");
            assert!(said.contains(expected) && !said.contains("hunter2"), "{text:.60}: {said}");
        }
        let both = read("a = 1\n\nlisen = 'x'\nb = 1\n", false).unwrap_err();
        assert_eq!(both.len(), 3, "{both:?}");
        assert!(both[1].starts_with("f.toml:3:1"), "{both:?}");
        assert!(read("database_url = 'postgres://u:hunter2@h/d'", true).is_ok());
    }
}
