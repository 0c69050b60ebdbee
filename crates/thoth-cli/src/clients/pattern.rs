//! Paths with a `*` in a component, on this machine.

use std::path::{Component, Path, PathBuf};

/// The most entries of one directory that a `*` stands for.
const MAX_MATCHES: usize = 1000;

/// What exists under a pattern, sorted. A `*` does not stand for names that begin with a point.
///
/// Only the part that the template spells out has stars; before it come directories of this machine, whose real names
/// can hold a `*` too.
pub(super) fn existing(pattern: &str, template: &str) -> Vec<PathBuf> {
    let tail = template.split_once('}').map_or(template, |(_, tail)| tail);
    let Some((base, tail)) = pattern.split_at_checked(pattern.len().saturating_sub(tail.len())) else {
        return Vec::new();
    };
    let mut found = vec![PathBuf::from(if base.is_empty() { "/" } else { base })];
    for component in Path::new(tail).components() {
        let Component::Normal(name) = component else { continue };
        match name.to_str().and_then(|name| name.split_once('*')) {
            None => found.iter_mut().for_each(|path| path.push(name)),
            Some((start, end)) => {
                found = found.iter().flat_map(|path| entries(path, start, end)).collect();
                found.truncate(MAX_MATCHES);
            }
        }
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found
}

fn entries(directory: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let names =
        directory.read_dir().into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let fits = |name: &String| {
        (!name.starts_with('.') || start.starts_with('.'))
            && name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end))
    };
    let mut names: Vec<_> = names.filter(fits).collect();
    names.sort();
    names.truncate(MAX_MATCHES);
    names.iter().map(|name| directory.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_names_that_exist() {
        let folder = tempfile::tempdir().unwrap();
        for path in
            ["a/one.yaml", "a/two.yaml", "a/.hidden.yaml", "a/two.json", "b/one.yaml", "b/x/one.yaml", ".c/one.yaml"]
        {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        for (pattern, expected) in [
            ("a/one.yaml", "a/one.yaml"),
            ("a/three.yaml", ""),
            ("a/*.yaml", "a/one.yaml a/two.yaml"),
            ("a/t*.json", "a/two.json"),
            ("*/one.yaml", "a/one.yaml b/one.yaml"),
            ("*/*/one.yaml", "b/x/one.yaml"),
            (".*/one.yaml", ".c/one.yaml"),
            ("missing/*.yaml", ""),
        ] {
            let path = format!("{}/{pattern}", folder.path().display());
            let found = existing(&path, &format!("{{project}}/{pattern}"));
            assert_eq!(existing(&path, &path), found, "{pattern}");
            let found: Vec<_> =
                found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
            assert_eq!(found.join(" "), expected, "{pattern}");
        }
    }

    /// Defends: a directory whose name holds a star is that directory, and not every one like it.
    #[test]
    fn stars_in_real_names_are_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a*b", "aXb"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("one.yaml"), "").unwrap();
        }
        let star = folder.path().join("a*b/one.yaml");
        for tail in ["/one.yaml", "/*.yaml"] {
            let pattern = format!("{}{tail}", folder.path().join("a*b").display());
            assert_eq!(existing(&pattern, &format!("{{project}}{tail}")), std::slice::from_ref(&star));
        }
    }
}
