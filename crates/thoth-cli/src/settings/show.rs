//! What `thoth doctor --settings` prints: every setting that matters here, its value, and where that came from.

use std::process::ExitCode;

use serde_json::{Value, json};
use thoth_endpoint::settings::{Resolved, Row, Source, State};

use super::{load, process};
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::home::Home;
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, harmless_text, json_line, line, styled};

/// How wide a column may make all others go.
const WIDEST: usize = 48;

/// Shows the settings that hold for this user on this machine, without flags.
pub(crate) fn show(home: &Home, json: bool) -> Outcome {
    let mut resolved = load(home, &Vec::new())?;
    let process = process(&resolved);
    resolved.warnings.extend(resolved.guards.warning(&process).map(str::to_owned));
    let violated = resolved.guards.check(&process).err().map(|error| error.to_string());
    let problems: Vec<_> = resolved.problems.iter().map(ToString::to_string).chain(violated).collect();
    if json {
        json_line(&to_json(&resolved, &problems).to_string())?;
    } else {
        print(&resolved, &problems)?;
    }
    Ok(match (problems.is_empty(), resolved.warnings.is_empty()) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::from(Code::Warned as u8),
        (true, true) => ExitCode::SUCCESS,
    })
}

fn to_json(resolved: &Resolved, problems: &[String]) -> Value {
    let rows: Vec<_> = resolved
        .rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name,
                "value": row.value,
                "source": row.source.as_str(),
                "origin": row.origin,
                "state": row.state.map(state),
                "notes": row.notes,
            })
        })
        .collect();
    json!({ "schema_version": 1, "settings": rows, "warnings": resolved.warnings, "problems": problems })
}

/// The word in JSON; part of the contract.
const fn state(state: State) -> &'static str {
    match state {
        State::Effective => "in_use",
        State::Update => "in_use_by_update",
        State::Doctor => "in_use_by_doctor",
        State::Enforcer => "in_use_with_enforcer",
        State::Planned => "not_used_yet",
        State::NoEffect => "no_effect",
        State::Elsewhere(_) => "not_read",
    }
}

/// Somebody wrote it, it follows from what somebody wrote, or its default has an effect.
fn matters(row: &Row) -> bool {
    let has_effect = row.state == Some(State::Effective) && row.value.is_some();
    row.source != Source::Default || !row.notes.is_empty() || has_effect
}

fn print(resolved: &Resolved, problems: &[String]) -> Result<(), Failure> {
    let rows: Vec<_> = resolved.rows.iter().filter(|row| matters(row)).collect();
    let values: Vec<_> = rows.iter().map(|row| row.value.as_deref().map_or("-".to_owned(), harmless_text)).collect();
    let names = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let width = values.iter().map(|value| value.chars().count()).max().unwrap_or_default().min(WIDEST);
    let sources: Vec<_> = rows.iter().map(|row| source(row)).collect();
    let source_width = sources.iter().map(|source| source.chars().count()).max().unwrap_or_default().min(WIDEST);
    for ((row, value), source) in rows.iter().zip(&values).zip(&sources) {
        let style = if row.source == Source::Default { DIM } else { GOOD };
        let name = styled(style, format_args!("{:names$}", row.name));
        let notes = harmless_text(&row.notes.join("; "));
        let text = format!("{name}  {value:width$}  {source:source_width$}  {}", styled(DIM, &notes));
        line(if notes.is_empty() { format!("{name}  {value:width$}  {source}") } else { text })?;
    }
    for warning in &resolved.warnings {
        line(format_args!("{} {}", styled(CARE, "warning:"), harmless_text(warning)))?;
    }
    for problem in problems {
        line(format_args!("{} {}", styled(BAD, "problem:"), harmless_text(problem)))?;
    }
    let rest = resolved.rows.len() - rows.len();
    line(format_args!("{rest} more are not set; docs/reference/env.md lists them"))
}

/// Where a value came from: the place, or in one word who gave it.
fn source(row: &Row) -> String {
    match row.origin.as_deref() {
        Some(origin) if origin != row.name => harmless_text(origin),
        _ => row.source.as_str().to_owned(),
    }
}
