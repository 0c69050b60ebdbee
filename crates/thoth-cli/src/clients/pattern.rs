//! Paths with a `*` in a component, on this machine.

use std::path::{Path, PathBuf};

/// The most entries of one directory that a `*` stands for.
const MAX_MATCHES: usize = 1000;

/// What exists under a pattern, sorted. A `*` does not stand for names that begin with a point.
pub(super) fn existing(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in Path::new(pattern).components() {
        let name = component.as_os_str();
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
            let found = existing(&format!("{}/{pattern}", folder.path().display()));
            let found: Vec<_> =
                found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
            assert_eq!(found.join(" "), expected, "{pattern}");
        }
    }
}
