//! A file with an API key: JSON with `api_key`, or the key alone.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use serde_json::{Map, Value};
use thoth_types::Redacted;

use crate::terminal::harmless_text;

/// Never to wait when opening.
const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();
/// The largest file with a key, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A file with a key, read.
#[derive(Debug)]
pub struct KeyFile {
    /// The key; none where the file has an empty one.
    pub key: Option<Redacted<String>>,
    /// What it is apart from the key.
    pub content: Content,
}

/// What a file with a key is, and what stands in it beside the key.
#[derive(Debug)]
pub enum Content {
    /// It is empty.
    Nothing,
    /// A JSON object, with these other members.
    Object(Map<String, Value>),
    /// A text without members, taken for the key alone.
    Bare,
}

/// Reads such a file; none where there is none.
///
/// # Errors
/// What is wrong with it; never with any of the content in it.
pub fn read(path: &Path) -> Result<Option<KeyFile>, String> {
    let shown = harmless_text(&path.display().to_string());
    let unreadable = |error: io::Error| format!("cannot read `{shown}`: {error}");
    let Some((bytes, complete)) = regular(path, MAX_BYTES).map_err(unreadable)? else { return Ok(None) };
    if !complete {
        return Err(format!("`{shown}` is larger than {MAX_BYTES} bytes, which no API key is"));
    }
    let bytes = Redacted::new(bytes);
    let text = str::from_utf8(bytes.expose_secret()).map_err(|_| format!("`{shown}` is not UTF-8 text"))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let secret = |key: &str| (!key.is_empty()).then(|| Redacted::new(key.to_owned()));
    if !text.starts_with('{') {
        let content = if text.is_empty() { Content::Nothing } else { Content::Bare };
        return Ok(Some(KeyFile { key: secret(text), content }));
    }
    // What the parser says would quote what it met.
    let malformed = |error: &serde_json::Error| {
        format!("{shown}:{}:{}: this is not the JSON of a key file", error.line(), error.column())
    };
    let mut others: Map<String, Value> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    match others.remove("api_key") {
        None => Ok(Some(KeyFile { key: None, content: Content::Object(others) })),
        Some(Value::String(key)) => Ok(Some(KeyFile { key: secret(key.trim()), content: Content::Object(others) })),
        Some(_) => Err(format!("`{shown}`: `api_key` is not a text")),
    }
}

/// The bytes of a regular file, and whether these are all; none where there is no file. A pipe is an error, not a wait.
///
/// # Errors
/// When it cannot be read, or is no regular file.
pub fn regular(path: &Path, limit: u64) -> io::Result<Option<(Vec<u8>, bool)>> {
    let mut file = match File::options().read(true).custom_flags(NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let complete = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit);
    Ok(Some((bytes, complete)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a key file may look like; no problem repeats what stands in it.
    #[test]
    fn the_forms_of_a_key_file() {
        for (text, expected) in [
            (&b"{\"api_key\": \"sesame\", \"key_id\": \"laptop\"}"[..], Ok(Some("sesame"))),
            (b"\xef\xbb\xbf{\"api_key\": \" sesame \"}\r\n", Ok(Some("sesame"))),
            (b"sesame\n", Ok(Some("sesame"))),
            (b"{\"api_key\": \"\"}", Ok(None)),
            (b"{}", Ok(None)),
            (b"", Ok(None)),
            (b"{\"api_key\": 7}", Err("`api_key` is not a text")),
            (b"{\"api_key\":\n \"sesame\" \"x\"}", Err(":2:11: this is not the JSON of a key file")),
            (b"sesame\xff", Err("is not UTF-8 text")),
            (&[b'a'; 65 * 1024], Err("is larger than 65536 bytes")),
        ] {
            let scratch = tempfile::tempdir().unwrap();
            let path = scratch.path().join("key");
            std::fs::write(&path, text).unwrap();
            match (read(&path), expected) {
                (Ok(file), Ok(expected)) => {
                    let key = file.unwrap().key;
                    assert_eq!(key.as_ref().map(|key| key.expose_secret().as_str()), expected);
                }
                (Err(problem), Err(expected)) => {
                    assert!(problem.contains(expected) && !problem.contains("sesame"), "{problem}");
                }
                (read, expected) => panic!("{:?} and not {expected:?}", read.map(|file| file.is_some())),
            }
        }
        assert!(read(Path::new("/nonexistent/key")).unwrap().is_none());
        assert!(read(Path::new("/")).is_err());
    }
}
