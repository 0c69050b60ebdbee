//! The reference of all clients, as Markdown, from the table.

use std::fmt::Write as _;

use super::{HOSTS, Host, Location, Places, Scope, path};
use crate::platform::{Environment, Platform};

const HEAD: &str = "\
# Clients

<!-- Written by `thoth reference clients` from the table in `crates/thoth-endpoint/src/hosts`. Do not edit. -->

Where each client keeps its MCP servers, and what it can have that no file of it governs. `thoth wrap-config` looks in
all of these places; `thoth status` says what it found on a machine. How it is used: [clients](../clients.md).

`~` is the home directory. A file of a project is below the directory in which the command is run. A `*` stands for any
name. A path that begins with `$` is looked at where that variable is set.
";

/// The whole page, ending with a line end.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for host in HOSTS {
        // Writing to a text does not fail.
        let _ = section(&mut page, host);
    }
    page
}

fn section(page: &mut String, host: &Host) -> std::fmt::Result {
    writeln!(page, "\n## {}\n\n`--host {}`\n\n| whose | system | file |\n|---|---|---|", host.name, host.id)?;
    for location in host.locations {
        for (systems, file) in files(location.path, location.platforms) {
            writeln!(page, "| {} | {systems} | `{file}` |", owner(location))?;
        }
    }
    let mut told: Vec<&str> = Vec::new();
    for advice in host.locations.iter().filter_map(|location| location.not_ours) {
        if !told.contains(&advice.reason) {
            told.push(advice.reason);
            writeln!(page, "\nOnly read: {}. To govern it, {}.", advice.reason, advice.remedy)?;
        }
    }
    for (index, spot) in host.blind_spots.iter().enumerate() {
        let lead = if index == 0 { "\nNot governed:\n\n" } else { "" };
        write!(page, "{lead}- **{}**", spot.what)?;
        let places = spot.path.map(|template| files(template, &Platform::ALL)).unwrap_or_default();
        if !places.is_empty() {
            let files: Vec<String> = places.iter().map(|(_, file)| format!("`{file}`")).collect();
            write!(page, " ({})", files.join(", "))?;
        }
        writeln!(page, ": {}. What to do: {}.", spot.advice.reason, spot.advice.remedy)?;
    }
    Ok(())
}

fn owner(location: &Location) -> String {
    let scope = match location.scope {
        Scope::User => "user",
        Scope::Project => "project",
        Scope::Managed => "administrator",
    };
    if location.not_ours.is_some() { format!("{scope}, only read") } else { scope.to_owned() }
}

/// A template as people write it, with the systems on which it means that.
fn files(template: &str, platforms: &[Platform]) -> Vec<(String, String)> {
    if let Some((variable, rest)) = template.strip_prefix("{env:").and_then(|rest| rest.split_once('}')) {
        return vec![("all".to_owned(), format!("${variable}{rest}"))];
    }
    let environment = Environment::default();
    let mut found: Vec<(Vec<&str>, String)> = Vec::new();
    for platform in platforms {
        let (name, project) = match platform {
            Platform::Linux => ("Linux", "./"),
            Platform::MacOs => ("macOS", "./"),
            Platform::Windows => ("Windows", r".\"),
        };
        let places = Places { platform: *platform, home: "~", project: Some("."), environment: &environment };
        let Some(path) = path::expand(template, &places) else { continue };
        let path = path.strip_prefix(project).unwrap_or(&path);
        // Below the home and in a project they are alike but for the separator, and Windows takes both.
        match found.iter_mut().find(|(_, known)| *known == path.replace('\\', "/")) {
            Some((systems, _)) => systems.push(name),
            None => found.push((vec![name], in_variables(path))),
        }
    }
    let systems =
        |names: Vec<&str>| if names.len() == Platform::ALL.len() { "all".to_owned() } else { names.join(", ") };
    found.into_iter().map(|(names, path)| (systems(names), path)).collect()
}

/// A path of Windows with the variables that people know it by.
fn in_variables(path: &str) -> String {
    let folders = [(r"~\AppData\Roaming", "%APPDATA%"), (r"~\AppData\Local", "%LOCALAPPDATA%")];
    folders.into_iter().fold(path.to_owned(), |path, (folder, variable)| path.replacen(folder, variable, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed page is what the table says.
    #[test]
    fn the_page_is_up_to_date() {
        let page = include_str!("../../../../docs/reference/clients.md");
        assert!(page == reference(), "write it anew: `thoth reference clients > docs/reference/clients.md`");
    }

    /// The page for people names every client, and the README counts them.
    #[test]
    fn every_client_is_named() {
        let page = include_str!("../../../../docs/clients.md").replace('\n', " ");
        for host in HOSTS {
            assert!(page.contains(host.name), "{}", host.name);
        }
        assert!(include_str!("../../../../README.md").contains("[thirteen more clients]") && HOSTS.len() == 4 + 13);
    }
}
