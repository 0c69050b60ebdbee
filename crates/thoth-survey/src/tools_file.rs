//! Definitions in a file: the result of `tools/list`, a bare array of tools, or several servers by name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use thoth_types::json::{Kind, Tape, Value};

use crate::catalogue::{Catalogue, LIMITS, LISTS, Origin};
use crate::missed::Missed;

/// The name of a server that no file names.
const NAMELESS: &str = "tools";

/// What a file with definitions is.
const SHAPES: &str = "give a `tools/list` result, an array of tools, or `{\"servers\": {\"NAME\": {\"tools\": […]}}}`; client \
                      configurations go without --tools";

/// What a file has, and what of it goes on elsewhere.
pub type Found = (Vec<Catalogue>, Vec<Missed>);

/// The servers of a file; `-` is standard input.
///
/// # Errors
/// When it has none, or cannot be read.
pub fn read(path: &Path) -> Result<Found, Box<Missed>> {
    let (origin, server) = if path.as_os_str() == "-" {
        (Origin::Stdin, NAMELESS.to_owned())
    } else {
        let stem = path.file_stem().map_or_else(|| NAMELESS.into(), |stem| stem.to_string_lossy());
        (Origin::File(path.to_path_buf()), stem.into_owned())
    };
    read_as(path, &server, &origin).map_err(|problem| {
        let Problem { code, message, hint } = problem;
        let missed = Missed::new(&server, origin.clone(), code, message);
        Box::new(if hint.is_empty() { missed } else { missed.hint(hint) })
    })
}

/// What is wrong with a file, and what to do; nothing where that is plain.
struct Problem {
    code: &'static str,
    message: String,
    hint: &'static str,
}

fn read_as(path: &Path, server: &str, origin: &Origin) -> Result<Found, Problem> {
    let problem = |code, message, hint| Problem { code, message, hint };
    let bytes =
        bytes(path, origin).map_err(|error| problem("unreadable", format!("it cannot be read: {error}"), ""))?;
    // Some editors and shells begin a file with it.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    if bytes.len() > LIMITS.max_bytes {
        return Err(problem("too_large", format!("it is larger than {} MiB", LIMITS.max_bytes >> 20), ""));
    }
    let mut tape = Tape::new();
    let root = tape.parse(bytes, &LIMITS).map_err(|error| {
        let (line, column) = place(bytes, error.offset);
        let message = format!("it is not acceptable JSON: {} at line {line}, column {column}", error.code);
        problem("invalid_json", message, "give the result of `tools/list` as the server sent it")
    })?;
    let mut found = (Vec::new(), Vec::new());
    let read = servers(root, server.to_owned(), origin, &mut found);
    read.map(|()| found).map_err(|message| problem("not_tools", message, SHAPES))
}

fn bytes(path: &Path, origin: &Origin) -> std::io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match origin {
        Origin::Stdin => Box::new(std::io::stdin().lock()),
        _ => Box::new(File::open(path)?),
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(LIMITS.max_bytes).unwrap_or(u64::MAX);
    source.take(most.saturating_add(4)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Adds all servers of a value, wherever it has them: nothing of it may count as scanned that was passed over.
fn servers(value: Value<'_>, name: String, origin: &Origin, found: &mut Found) -> Result<(), String> {
    if value.kind() == Kind::Array {
        found.0.push(Catalogue::of_tools(name, origin.clone(), value));
        return Ok(());
    }
    // A whole answer, as it is logged.
    let result = value.get("result").filter(|result| result.is_object());
    let named = value.get("servers");
    if has_list(value) || value.get("instructions").is_some() {
        for (list, _) in LISTS {
            if value.get(list).is_some_and(|value| value.kind() != Kind::Array) {
                return Err(format!("`{list}` is not an array"));
            }
        }
        found.1.extend(rest(value, &name, origin));
        found.0.push(Catalogue::of_object(name.clone(), origin.clone(), value));
    } else if result.is_none() && named.is_none() {
        return Err("there are no tools in it".to_owned());
    }
    if let Some(result) = result {
        servers(result, name, origin, found)?;
    }
    let Some(named) = named else { return Ok(()) };
    if !named.is_object() {
        return Err("`servers` is not an object of servers by name".to_owned());
    }
    for (key, value) in named.members() {
        let name = key.as_str().unwrap_or_default().into_owned();
        servers(value, name.clone(), origin, found).map_err(|message| format!("server `{name}`: {message}"))?;
    }
    Ok(())
}

/// What a page says that it is not the end of.
fn rest(value: Value<'_>, name: &str, origin: &Origin) -> Option<Missed> {
    value.get("nextCursor").filter(|cursor| cursor.kind() != Kind::Null)?;
    let mut lists = LISTS.iter().filter(|(list, _)| value.get(list).is_some());
    let (list, others) = (lists.next(), lists.next());
    let message = "it is one page of a list: its `nextCursor` names the next, which is not there".to_owned();
    let missed = Missed::new(name, origin.clone(), "list_failed", message)
        .hint("put all pages into one list, without `nextCursor`");
    Some(Missed { list: list.filter(|_| others.is_none()).map(|(_, kind)| *kind), ..missed })
}

fn has_list(value: Value<'_>) -> bool {
    LISTS.iter().any(|(name, _)| value.get(name).is_some())
}

/// Line and column of a byte, as people count; columns in bytes.
fn place(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset.min(bytes.len())).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}
