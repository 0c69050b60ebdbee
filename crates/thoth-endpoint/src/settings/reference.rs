//! The reference of all variables, as Markdown, from the table.

use super::managed::path;
use super::setting::{Setting, State};
use super::table::elsewhere::PROGRAMS;
use super::table::{GROUPS, Group, all};
use crate::platform::Platform;

const HEAD: &str = "\
# Settings

<!-- Written by `thoth reference env` from the table in `crates/thoth-endpoint/src/settings/table`. Do not edit. -->

`thoth doctor --settings` shows what holds on a machine, flags apart, and where each value came from.

## Who wins

A setting can be given in several places. The first of these that gives it counts:

1. the managed file, which the administrator of the machine writes;
2. a flag of `thoth run`;
3. an environment variable; of several names of one setting, the one that is listed first;
4. a file in `~/.thoth`, where the setting has one;
5. the default.

So what the administrator writes cannot be changed from below. Where a machine has a managed file, a value that would
loosen something (the column *loosens*) counts only from there; from anywhere else it is told and not heeded.

A variable that is set to nothing counts as not set, but `THOTH_ENFORCER_URL`: nobody would be asked then, and `thoth run`
does not start. A wrong value of a setting in use stops `thoth run`, and so does
anything wrong in the managed file or on the command line; a wrong value of a variable that nothing uses yet is told. No
message repeats a value that looks like an address or is a secret.
Names that begin with `THOTH_` and that nothing knows are told, with the name that was probably meant.

Variables reach `thoth run` from the client that starts it, so they come from the same hands as its flags. No variable
chooses rules, mode, intent or scope: `THOTH_ENFORCEMENT_MODE`, `THOTH_SESSION_INTENT` and `THOTH_APPROVED_SCOPE` belong
to the SDKs, and `thoth run` has flags for these. Servers that Thoth starts get none of the variables that begin with
`THOTH_`.
";

const KINDS: &str = "\
Booleans are `true`, `1`, `false` or `0`, and nothing else. A duration is a whole number of seconds, or has a unit: `90`,
`90s`, `5m`, `1h`; from a second to a day.
";

/// The whole page, ending with a line end.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push('\n');
    page.push_str(KINDS);
    managed_file(&mut page);
    for group in GROUPS {
        section(&mut page, group);
    }
    page.push_str("\n## Of other programs\n\nKnown, and not read by `thoth`.\n\n| program | variables |\n|---|---|\n");
    for program in PROGRAMS {
        line(&mut page, format_args!("| {} | {} |", program.name, list(program.variables)));
    }
    page
}

fn managed_file(page: &mut String) {
    page.push_str("\n## The managed file\n\n| platform | path |\n|---|---|\n");
    for platform in Platform::ALL {
        line(page, format_args!("| {} | `{}` |", platform.as_str(), path(platform)));
    }
    page.push_str(
        "\nOne JSON object. It must belong to root, and nobody else may be able to write to it or to its directory; otherwise, \
         and when\nit cannot be read or understood, `thoth run` does not start. `{{USERNAME}}` in a value stands for the name \
         of the user as whom\nThoth runs. Keys that are not known are told, and so are keys whose value is empty; a guard or a \
         predicate whose value\nis empty, and an empty `enforcer_url`, keep `thoth run` from starting.\n\n| key | setting |\n|---|---|\n",
    );
    for setting in all() {
        if let Some(key) = setting.key {
            let name = setting.names.first().copied().or(setting.flag);
            line(
                page,
                format_args!("| `{key}` | {} |", name.map_or_else(|| "–".to_owned(), |name| format!("`{name}`"))),
            );
        }
    }
}

fn section(page: &mut String, group: &Group) {
    line(page, format_args!("\n## {}\n", group.title));
    if !group.about.is_empty() {
        line(page, format_args!("{}\n", group.about));
    }
    page.push_str("| setting | value | default | in this version | loosens | since |\n|---|---|---|---|---|---|\n");
    for setting in group.rows {
        let state = match setting.state {
            State::Elsewhere(program) => format!("not read: of {program}"),
            state => state.words().to_owned(),
        };
        line(
            page,
            format_args!(
                "| {} | {} | {} | {state} | {} | {} |",
                names(setting),
                setting.kind.words(),
                default(setting),
                loosens(setting),
                setting.since
            ),
        );
    }
    page.push('\n');
    for setting in group.rows {
        line(page, format_args!("- `{}`: {}", setting.name(), setting.doc));
    }
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.push_str(&text.to_string());
    page.push('\n');
}

fn names(setting: &Setting) -> String {
    let names: Vec<_> = setting.names.iter().copied().chain(setting.flag).collect();
    if names.is_empty() { setting.key.map(|key| format!("`{key}`")).unwrap_or_default() } else { list(&names) }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn default(setting: &Setting) -> String {
    match (setting.default, setting.otherwise) {
        (Some(value), _) => format!("`{value}`"),
        (None, Some(words)) => words.to_owned(),
        (None, None) => "none".to_owned(),
    }
}

fn loosens(setting: &Setting) -> String {
    match setting.loosens {
        [] => "no".to_owned(),
        ["*"] => "any value".to_owned(),
        values => list(values),
    }
}
