//! The managed file: what the administrator of a machine writes for everybody on it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::setting::Setting;
use super::table::{self, who};
use super::unknown;
use crate::document::Place;
use crate::platform::Platform;

/// The largest managed file, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// What stands for the name of the user as whom Thoth runs.
const USERNAME: &str = "{{USERNAME}}";

/// Where the managed file is. No variable says so, not even `ProgramData`: a client sets the variables of what it starts.
#[must_use]
pub fn path(platform: Platform) -> String {
    let path = match platform {
        Platform::MacOs => "/Library/Application Support/Thoth/thoth-config.json",
        Platform::Linux => "/etc/thoth/thoth-config.json",
        Platform::Windows => r"C:\ProgramData\Thoth\thoth-config.json",
    };
    path.to_owned()
}

/// Who owns a file or directory and who may write to it, on Unix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Custody {
    /// The number of its owner.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
}

impl Custody {
    /// Whether only the administrator can have written it.
    #[must_use]
    pub const fn is_trusted(self) -> bool {
        self.owner == 0 && self.mode & 0o022 == 0
    }
}

/// Why the managed file cannot be used. Nothing may run past one: it may demand what nobody reads then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagedError {
    /// Somebody else could have written it.
    #[error("`{path}` is not to be trusted: {}", custody_problem(*.custody))]
    Untrusted {
        /// The file, or its directory.
        path: String,
        /// Whose it is.
        custody: Custody,
    },
    /// It is not what it should be.
    #[error("{path}:{place}: {problem}")]
    Malformed {
        /// The file.
        path: String,
        /// Where.
        place: Place,
        /// What is wrong there.
        problem: String,
    },
}

fn custody_problem(custody: Custody) -> String {
    if custody.owner == 0 {
        format!("others than root can write to it (mode {:o})", custody.mode & 0o777)
    } else {
        format!("it belongs to user {} and not to root", custody.owner)
    }
}

/// What the file says about one setting.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The setting.
    pub setting: &'static Setting,
    /// The value, placeholders replaced.
    pub value: String,
    /// Where it stands.
    pub place: Place,
}

/// The file, read.
#[derive(Debug, Clone, Default)]
pub struct Managed {
    /// Where it is.
    pub path: String,
    /// What it says.
    pub entries: Vec<Entry>,
    /// What to tell the administrator.
    pub warnings: Vec<String>,
}

/// The members of the object, in order, as they stand in the text.
struct Members<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<Name<'de>, &RawValue>()? {
                    members.push((member.0.0, member.1));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A name, with or without escapes.
#[derive(serde::Deserialize)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

impl Managed {
    /// Reads the file's text. `user` is asked only where the text has the placeholder.
    ///
    /// # Errors
    /// [`ManagedError::Malformed`], with the place: no JSON object, a key twice, a value of another kind, a placeholder that
    /// is not known or has no value, a guard or a predicate that says nothing.
    pub fn parse(
        path: &str,
        bytes: &[u8],
        platform: Platform,
        user: &dyn Fn() -> Option<String>,
    ) -> Result<Self, ManagedError> {
        let malformed = |place, problem: String| ManagedError::Malformed { path: path.to_owned(), place, problem };
        let start = Place { line: 1, column: 1 };
        if bytes.len() > MAX_BYTES {
            return Err(malformed(start, format!("the file is larger than {MAX_BYTES} bytes")));
        }
        let text = str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            malformed(Place::of(&String::from_utf8_lossy(before), before.len()), "it is not UTF-8 text".to_owned())
        })?;
        let Members(members) = serde_json::from_str(text).map_err(|error| {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            malformed(Place { line: error.line(), column: error.column().max(1) }, what.to_owned())
        })?;
        let mut managed = Self { path: path.to_owned(), ..Self::default() };
        for (index, (key, raw)) in members.iter().enumerate() {
            // Both are the same text: the difference is where the value begins.
            let place = Place::of(text, raw.get().as_ptr().addr().saturating_sub(text.as_ptr().addr()));
            if members.iter().take(index).any(|(earlier, _)| earlier == key) {
                return Err(malformed(place, format!("the key `{}` is there twice", key.escape_debug())));
            }
            let Some(setting) = table::all().find(|setting| setting.key == Some(key)) else {
                managed.warnings.push(unknown_key(path, place, key));
                continue;
            };
            let wrong = |problem: String| malformed(place, format!("`{key}` {problem}"));
            let value: Value = serde_json::from_str(raw.get()).map_err(|error| wrong(error.to_string()))?;
            let value = if setting.is(&who::ALLOWED_PATHS) { for_platform(value, platform) } else { value };
            let value = scalar(&value).map_err(wrong)?;
            let value = replaced(&value, user).map_err(wrong)?;
            // What was meant to refuse something must not fall away with the value of a template.
            if value.is_empty() && table::is_demand(setting) {
                return Err(wrong("is empty; remove the key if it demands nothing".to_owned()));
            }
            if value.is_empty() {
                managed.warnings.push(format!("{path}:{place}: `{key}` is empty and counts as not written"));
            } else {
                managed.entries.push(Entry { setting, value, place });
            }
        }
        Ok(managed)
    }
}

fn unknown_key(path: &str, place: Place, key: &str) -> String {
    let known = table::all().filter_map(|setting| setting.key);
    let meant = unknown::nearest(key, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    format!("{path}:{place}: the key `{}` is not known{meant}", key.escape_debug())
}

/// The part of a value by platform that is for this one; a value that is not by platform is for all.
fn for_platform(value: Value, platform: Platform) -> Value {
    match value {
        Value::Object(mut platforms) => platforms.remove(platform.as_str()).unwrap_or_else(|| Value::Array(Vec::new())),
        value => value,
    }
}

/// A value as the text that a variable would have.
fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) if number.is_u64() => Ok(number.to_string()),
        Value::Array(items) => {
            let texts = items.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
            Ok(texts.ok_or("is a list with something other than texts")?.join(","))
        }
        _ => Err("is neither a text nor a list of texts".to_owned()),
    }
}

fn replaced(value: &str, user: &dyn Fn() -> Option<String>) -> Result<String, String> {
    let mut value = Cow::Borrowed(value);
    if value.contains(USERNAME) {
        let name = user().ok_or_else(|| format!("has {USERNAME}, and the user has no name"))?;
        // It becomes part of paths.
        if name.is_empty()
            || name.starts_with('.')
            || name.contains(['/', '\\', ','])
            || name.chars().any(char::is_control)
        {
            return Err(format!("has {USERNAME}, and the user's name is none that can stand in a path"));
        }
        value = Cow::Owned(value.replace(USERNAME, &name));
    }
    match value.split_once("{{").and_then(|(_, rest)| rest.split_once("}}")) {
        Some((name, _)) => Err(format!("has the placeholder `{{{{{}}}}}`, which is not known", name.escape_debug())),
        None => Ok(value.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Managed, ManagedError> {
        Managed::parse("/etc/thoth/thoth-config.json", text.as_bytes(), Platform::MacOs, &|| Some("ada".to_owned()))
    }

    #[test]
    fn every_platform_has_its_place() {
        let paths = Platform::ALL.map(path);
        insta::assert_snapshot!(paths.join("\n"), @r"
        /etc/thoth/thoth-config.json
        /Library/Application Support/Thoth/thoth-config.json
        C:\ProgramData\Thoth\thoth-config.json
        ");
    }

    /// Defends: only what root alone can have written is obeyed.
    #[test]
    fn who_may_have_written_it() {
        for (owner, mode, good) in [
            (0, 0o644, true),
            (0, 0o600, true),
            (0, 0o444, true),
            (0, 0o664, false),
            (0, 0o646, false),
            (501, 0o644, false),
            (501, 0o600, false),
        ] {
            assert_eq!(Custody { owner, mode }.is_trusted(), good, "{owner} {mode:o}");
        }
        let error = |owner, mode| ManagedError::Untrusted { path: "/x".to_owned(), custody: Custody { owner, mode } };
        insta::assert_snapshot!(format!("{}\n{}", error(0, 0o100_666), error(501, 0o644)), @"
        `/x` is not to be trusted: others than root can write to it (mode 666)
        `/x` is not to be trusted: it belongs to user 501 and not to root
        ");
    }

    #[test]
    fn what_it_says_is_read_with_its_places() {
        let managed = parse(
            "\u{feff}{\n  \"tenant_id\": \"acme\",\n  \"environment\": \"prod\",\n  \"require_non_root\": true,\n  \
             \"expected_proxy_uid\": 501,\n  \"agent_id\": \"\",\n  \"agentid\": \"x\",\n  \"owner\\n\": 1,\n  \
             \"allowed_paths\": {\"macos\": [\"/Users/{{USERNAME}}/Work\", \"/opt/data\"], \"linux\": [\"/home\"]},\n  \
             \"intent_tool_allowlist\": \"triage=read\"\n}",
        )
        .unwrap();
        let mut seen = String::new();
        for entry in &managed.entries {
            seen += &format!("{} {} = {}\n", entry.place, entry.setting.name(), entry.value);
        }
        seen += &managed.warnings.join("\n");
        insta::assert_snapshot!(seen, @r"
        2:16 THOTH_TENANT_ID = acme
        3:18 THOTH_ENV = prod
        4:23 THOTH_REQUIRE_NON_ROOT = true
        5:25 THOTH_EXPECTED_PROXY_UID = 501
        9:20 allowed_paths = /Users/ada/Work,/opt/data
        10:28 THOTH_INTENT_TOOL_ALLOWLIST = triage=read
        /etc/thoth/thoth-config.json:6:15: `agent_id` is empty and counts as not written
        /etc/thoth/thoth-config.json:7:14: the key `agentid` is not known; did you mean `agent_id`?
        /etc/thoth/thoth-config.json:8:14: the key `owner\n` is not known
        ");
    }

    /// Defends: a managed file that cannot be understood is an error with its place, never an absent file.
    #[test]
    fn what_is_wrong_has_a_place() {
        let mut seen = String::new();
        for text in [
            "",
            "[]",
            "{\n  \"tenant_id\": \"a\",\n}",
            "{\"tenant_id\": \"a\" \"b\"}",
            "{\"tenant_id\": \"a\"} x",
            "{\"tenant_id\": \"a\",\n \"tenant\\u005fid\": \"b\"}",
            "{\"tenant_id\": 1.5}",
            "{\"tenant_id\": null}",
            "{\"tenant_id\": {}}",
            "{\"tenant_id\": [1]}",
            "{\"tenant_id\": \"{{TENANT}}\"}",
            "{\"x\": \"\\ud800\"}",
        ] {
            let said = parse(text).map_or_else(|error| error.to_string(), |managed| managed.warnings.join("; "));
            seen += &format!("{said}\n");
        }
        insta::assert_snapshot!(seen, @"
        /etc/thoth/thoth-config.json:1:1: EOF while parsing a value
        /etc/thoth/thoth-config.json:1:1: invalid type: sequence, expected an object
        /etc/thoth/thoth-config.json:3:1: trailing comma
        /etc/thoth/thoth-config.json:1:19: expected `,` or `}`
        /etc/thoth/thoth-config.json:1:20: trailing characters
        /etc/thoth/thoth-config.json:2:20: the key `tenant_id` is there twice
        /etc/thoth/thoth-config.json:1:15: `tenant_id` is neither a text nor a list of texts
        /etc/thoth/thoth-config.json:1:15: `tenant_id` is neither a text nor a list of texts
        /etc/thoth/thoth-config.json:1:15: `tenant_id` is neither a text nor a list of texts
        /etc/thoth/thoth-config.json:1:15: `tenant_id` is a list with something other than texts
        /etc/thoth/thoth-config.json:1:15: `tenant_id` has the placeholder `{{TENANT}}`, which is not known
        /etc/thoth/thoth-config.json:1:7: the key `x` is not known
        ");
        let latin = Managed::parse("f", b"{\n\"a\": \"\xe9\"}", Platform::Linux, &|| None).unwrap_err();
        assert_eq!(latin.to_string(), "f:2:7: it is not UTF-8 text");
        let big = Managed::parse("f", &vec![b' '; MAX_BYTES + 1], Platform::Linux, &|| None).unwrap_err();
        assert!(big.to_string().contains("larger"), "{big}");
    }

    /// Defends: a template without a value does not switch off what refuses; of anything else it is told.
    #[test]
    fn demands_are_not_empty() {
        for (key, empty, good) in [
            ("intent_tool_allowlist", "\"\"", false),
            ("intent_tool_allowlist", "[]", false),
            ("blocked_lineage_ancestor_tokens", "\"\"", false),
            ("blocked_lineage_upstream_binaries", "[\"\"]", false),
            ("require_non_root", "\"\"", false),
            ("expected_proxy_user", "\"\"", false),
            ("expected_proxy_uid", "\"\"", false),
            ("enforcer_url", "\"\"", false),
            ("allowed_paths", "\"\"", true),
            ("tenant_id", "\"\"", true),
        ] {
            let said = parse(&format!("{{\"{key}\": {empty}}}"));
            match said {
                Ok(managed) => assert!(good && managed.entries.is_empty() && managed.warnings.len() == 1, "{key}"),
                Err(error) => {
                    let column = key.len() + 6;
                    let expected = format!(
                        "/etc/thoth/thoth-config.json:1:{column}: `{key}` is empty; remove the key if it demands nothing"
                    );
                    assert!(!good && error.to_string() == expected, "{error}");
                }
            }
        }
    }

    /// Defends: a user's name cannot bend a path.
    #[test]
    fn names_that_could_bend_a_path_are_refused() {
        let text = br#"{"allowed_paths": ["/home/{{USERNAME}}"]}"#;
        for (name, good) in [("ada", true), ("..", false), ("a/b", false), ("a\\b", false), ("a,/", false), ("", false)]
        {
            let managed = Managed::parse("f", text, Platform::Linux, &|| Some(name.to_owned()));
            assert_eq!(managed.is_ok(), good, "{name:?}");
        }
        assert!(Managed::parse("f", text, Platform::Linux, &|| None).is_err());
    }
}
