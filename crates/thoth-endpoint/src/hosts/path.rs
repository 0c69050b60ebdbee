//! Path templates on a given machine.

use super::Places;
use crate::platform::Platform;

/// The path that a template stands for, or nothing where it needs what this machine does not have.
pub(super) fn expand(template: &str, places: &Places<'_>) -> Option<String> {
    let (base, rest) = match template.strip_prefix('{') {
        Some(rest) => {
            let (name, rest) = rest.split_once('}')?;
            (base(name, places)?, rest)
        }
        None => (String::new(), template),
    };
    let base = base.trim_end_matches(['/', '\\']);
    Some(match places.platform {
        Platform::Windows => format!("{base}{}", rest.replace('/', "\\")),
        Platform::Linux | Platform::MacOs => format!("{base}{rest}"),
    })
}

fn base(name: &str, places: &Places<'_>) -> Option<String> {
    let Places { platform, home, project, .. } = *places;
    // Programs ignore a relative path here, as the XDG specification demands.
    let variable = |name: &str| places.environment.get(name).filter(|path| is_absolute(platform, path));
    let or_home = |name: &str, rest: &str| variable(name).map_or_else(|| format!("{home}{rest}"), str::to_owned);
    Some(match (name, platform) {
        ("home", _) => home.to_owned(),
        ("project", _) => project?.to_owned(),
        ("xdg", _) | ("config", Platform::Linux) => or_home("XDG_CONFIG_HOME", &separated(platform, "/.config")),
        ("config", Platform::MacOs) => format!("{home}/Library/Application Support"),
        ("config", Platform::Windows) => or_home("APPDATA", r"\AppData\Roaming"),
        ("local", Platform::Windows) => or_home("LOCALAPPDATA", r"\AppData\Local"),
        ("programs", Platform::Windows) => variable("ProgramFiles").unwrap_or(r"C:\Program Files").to_owned(),
        ("programdata", Platform::Windows) => variable("ProgramData").unwrap_or(r"C:\ProgramData").to_owned(),
        _ => variable(name.strip_prefix("env:")?)?.to_owned(),
    })
}

fn separated(platform: Platform, path: &str) -> String {
    if platform == Platform::Windows { path.replace('/', "\\") } else { path.to_owned() }
}

fn is_absolute(platform: Platform, path: &str) -> bool {
    match platform {
        Platform::Windows => {
            let mut chars = path.chars();
            path.starts_with(r"\\")
                || (chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':'))
        }
        Platform::Linux | Platform::MacOs => path.starts_with('/'),
    }
}

/// How many components at the end of `path` the template describes, and how many it has.
pub(super) fn matched_tail(template: &str, path: &str) -> (usize, usize) {
    let tail = match template.split_once('}') {
        Some((_, tail)) => tail,
        None => template,
    };
    let wanted = || tail.split('/').filter(|part| !part.is_empty()).rev();
    let given = path.split(['/', '\\']).filter(|part| !part.is_empty()).rev();
    let matched = wanted().zip(given).take_while(|(wanted, given)| matches(wanted, given)).count();
    (matched, wanted().count())
}

/// Names are compared without regard to case: files named on the command line may lie on any file system.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(name),
        Some((before, after)) => {
            let (name, before, after) =
                (name.to_ascii_lowercase(), before.to_ascii_lowercase(), after.to_ascii_lowercase());
            name.strip_prefix(&*before).is_some_and(|rest| rest.ends_with(&*after))
        }
    }
}
