//! Follows `include`: gathers a policy's files.

use std::collections::HashSet;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, DiagnosticCode, File, LoadError};
use crate::source::{Source, SourceText};
use crate::yaml::{self, At, Content, Node};

/// The longest policy file, in bytes.
pub(crate) const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;
/// How many files one policy may have.
const MAX_FILES: usize = 64;
/// How deep files may include each other.
const MAX_INCLUDE_DEPTH: usize = 8;

/// A file that was read and parsed.
pub(crate) struct Loaded {
    pub(crate) file: Arc<File>,
    /// The file's path as the includes up to it say, from the root's directory: the same wherever the policy lies. Of
    /// two files of one such path, which links make possible, the second has its whole name.
    pub(crate) path: Arc<str>,
    pub(crate) root: Option<Node>,
}

struct Walk<'s> {
    source: &'s dyn Source,
    files: Vec<Loaded>,
    done: HashSet<String>,
    open: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

/// Reads the root and everything it includes, each file once, root first.
pub(crate) fn gather(root: &str, source: &dyn Source) -> Result<Vec<Loaded>, LoadError> {
    let text = source
        .read(root, None)
        .map_err(|error| LoadError::one(Diagnostic::unplaced(DiagnosticCode::Unreadable, error.to_string())))?;
    let mut walk = Walk { source, files: Vec::new(), done: HashSet::new(), open: Vec::new(), diagnostics: Vec::new() };
    walk.visit(text, "");
    if walk.diagnostics.is_empty() { Ok(walk.files) } else { Err(LoadError { diagnostics: walk.diagnostics }) }
}

pub(crate) fn decode(text: SourceText) -> Result<Arc<File>, Diagnostic> {
    let SourceText { name, bytes, .. } = text;
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!("`{name}` is {} bytes long; the most is {MAX_FILE_BYTES}", bytes.len());
        return Err(Diagnostic::unplaced(DiagnosticCode::Unreadable, message));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(File { name: name.into(), text })),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(Diagnostic::unplaced(DiagnosticCode::Unreadable, format!("`{name}` is not UTF-8 at byte {at}")))
        }
    }
}

/// The path of a file that is included as `name` by the one at `path`. Nothing is looked up.
fn beside(path: &str, name: &str) -> String {
    if name.starts_with('/') {
        return name.to_owned();
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(name.split('/')) {
        match part {
            "" if parts.is_empty() && folder.starts_with('/') => parts.push(part),
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, "" | "..")) => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

impl Walk<'_> {
    // Recursion is bounded by MAX_INCLUDE_DEPTH.
    fn visit(&mut self, text: SourceText, path: &str) {
        let identity = text.identity.clone();
        self.done.insert(identity.clone());
        let file = match decode(text) {
            Ok(file) => file,
            Err(diagnostic) => return self.diagnostics.push(diagnostic),
        };
        let root = match yaml::parse(&file) {
            Ok(root) => root,
            Err(diagnostic) => return self.diagnostics.push(*diagnostic),
        };
        let includes = root.as_ref().map(|root| self.includes(&file, root)).unwrap_or_default();
        let taken = self.files.iter().any(|other| *other.path == *path);
        let unique: Arc<str> = if taken { Arc::clone(&file.name) } else { path.into() };
        self.files.push(Loaded { file: Arc::clone(&file), path: unique, root });
        self.open.push(identity.clone());
        for (name, at) in includes {
            self.follow(&file, (&identity, path), &name, at);
        }
        self.open.pop();
    }

    fn follow(&mut self, file: &Arc<File>, (identity, path): (&str, &str), name: &str, at: At) {
        let fail = |message: String| Diagnostic::new(DiagnosticCode::BadInclude, file, at, message);
        if self.open.len() > MAX_INCLUDE_DEPTH {
            return self.diagnostics.push(fail(format!("files include each other more than {MAX_INCLUDE_DEPTH} deep")));
        }
        if self.files.len() >= MAX_FILES {
            return self.diagnostics.push(fail(format!("more than {MAX_FILES} files in one policy")));
        }
        let text = match self.source.read(name, Some(identity)) {
            Ok(text) => text,
            Err(error) => return self.diagnostics.push(fail(format!("cannot include: {error}"))),
        };
        if self.open.contains(&text.identity) {
            return self.diagnostics.push(fail(format!("`{name}` includes itself, directly or through others")));
        }
        if !self.done.contains(&text.identity) {
            self.visit(text, &beside(path, name));
        }
    }

    fn includes(&mut self, file: &Arc<File>, root: &Node) -> Vec<(String, At)> {
        let Content::Map(entries) = &root.content else { return Vec::new() };
        let Some((_, node)) = entries.iter().find(|(key, _)| &*key.text == "include") else { return Vec::new() };
        let items = match &node.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut names = Vec::new();
        for item in items {
            match &item.content {
                Content::Scalar { text, .. } if !item.is_null() => names.push((text.to_string(), item.at)),
                _ => self.diagnostics.push(Diagnostic::new(
                    DiagnosticCode::WrongType,
                    file,
                    item.at,
                    format!("`include` wants file names, not {}", item.kind()),
                )),
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_start_at_the_root() {
        for (path, name, expected) in [
            ("", "base.yaml", "base.yaml"),
            ("", "./more//base.yaml", "more/base.yaml"),
            ("", "../base.yaml", "../base.yaml"),
            ("more/base.yaml", "x.yaml", "more/x.yaml"),
            ("more/base.yaml", "../x.yaml", "x.yaml"),
            ("more/base.yaml", "../../x.yaml", "../x.yaml"),
            ("../base.yaml", "../x.yaml", "../../x.yaml"),
            ("more/base.yaml", "/etc/x.yaml", "/etc/x.yaml"),
            ("/etc/base.yaml", "../x.yaml", "/x.yaml"),
        ] {
            assert_eq!(beside(path, name), expected, "{name} beside {path}");
        }
    }
}
