//! The rules as tables, for the three platforms at once.

use std::collections::BTreeMap;

use super::*;
use Platform::{Linux, MacOs, Windows};

/// A file system of a few files. What ends with ` -` cannot be executed. Windows looks names up without regard to case.
struct Files {
    files: BTreeMap<String, Seen>,
    folds_case: bool,
}

impl Files {
    fn new(platform: Platform, files: &[&str]) -> Self {
        let folds_case = platform == Windows;
        let entry = |file: &&str| match file.strip_suffix(" -") {
            Some(file) => (Self::key(folds_case, file), Seen::NotExecutable),
            None => (Self::key(folds_case, file), Seen::Executable),
        };
        Self { files: files.iter().map(entry).collect(), folds_case }
    }

    fn key(folds_case: bool, path: &str) -> String {
        if folds_case { path.to_ascii_lowercase() } else { path.to_owned() }
    }
}

impl Probe for Files {
    fn look(&self, path: &str) -> Seen {
        self.files.get(&Self::key(self.folds_case, path)).copied().unwrap_or(Seen::Nothing)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let prefix = Self::key(self.folds_case, &format!("{directory}{}", if self.folds_case { '\\' } else { '/' }));
        let inside = self.files.keys().filter_map(|file| file.strip_prefix(&prefix));
        inside.filter_map(|rest| rest.split(['/', '\\']).next().map(str::to_owned)).collect()
    }
}

fn environment(platform: Platform, variables: &[(&str, &str)]) -> Environment {
    Environment::new(platform, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// One search, told in a line: the path, where it was found, how it starts, and what the child's `PATH` lacks.
fn search(platform: Platform, variables: &[(&str, &str)], files: &[&str], program: &str) -> Result<String, NotFound> {
    let directory = if platform == Windows { r"D:\job" } else { "/job" };
    let environment = environment(platform, variables);
    let search = Search { program, environment: &environment, directory };
    let resolved = resolve(platform, &search, &Files::new(platform, files))?;
    let origin = match resolved.origin {
        Some(Origin::Path) => " (PATH)",
        Some(Origin::WellKnown) => " (usual)",
        None => "",
    };
    let kind = if resolved.kind == Kind::BatchFile { " batch" } else { "" };
    let added = resolved.add_to_path.map(|directory| format!(" + {directory}")).unwrap_or_default();
    Ok(format!("{}{origin}{kind}{added}", resolved.path))
}

/// Platform, environment, files, program; what is found, or `None`.
type Case<'a> = (Platform, &'a [(&'a str, &'a str)], &'a [&'a str], &'a str, Option<&'a str>);

fn all_hold(cases: &[Case<'_>]) {
    for (platform, variables, files, program, expected) in cases {
        let found = search(*platform, variables, files, program);
        assert_eq!(found.as_deref().ok(), *expected, "{platform:?} {variables:?} {files:?} {program}: {found:?}");
    }
}

#[test]
fn names_are_looked_for_in_path_then_in_the_usual_directories() {
    let desktop: &[(&str, &str)] = &[("PATH", "/usr/bin:/bin"), ("HOME", "/home/u")];
    let nvm = &["/home/u/.nvm/versions/node/v9.11.2/bin/npx", "/home/u/.nvm/versions/node/v22.3.0/bin/npx"];
    all_hold(&[
        (Linux, &[("PATH", "/a:/b")], &["/b/npx", "/usr/bin/npx"], "npx", Some("/b/npx (PATH)")),
        (Linux, &[("PATH", "/b/:/a")], &["/b/npx"], "npx", Some("/b/npx (PATH)")),
        (Linux, &[], &["/usr/bin/npx"], "npx", Some("/usr/bin/npx (usual) + /usr/bin")),
        (Linux, desktop, &["/usr/local/bin/npx"], "npx", Some("/usr/local/bin/npx (usual) + /usr/local/bin")),
        (Linux, desktop, &["/usr/bin/npx", "/usr/local/bin/npx"], "npx", Some("/usr/bin/npx (PATH)")),
        (MacOs, desktop, &["/opt/homebrew/bin/npx"], "npx", Some("/opt/homebrew/bin/npx (usual) + /opt/homebrew/bin")),
        (
            Linux,
            desktop,
            &["/home/u/.local/bin/uvx"],
            "uvx",
            Some("/home/u/.local/bin/uvx (usual) + /home/u/.local/bin"),
        ),
        // The newest version counts, by number and not by text; what is no version does not count.
        (
            MacOs,
            desktop,
            nvm,
            "npx",
            Some("/home/u/.nvm/versions/node/v22.3.0/bin/npx (usual) + /home/u/.nvm/versions/node/v22.3.0/bin"),
        ),
        (Linux, desktop, &["/home/u/.nvm/versions/node/..evil/bin/npx"], "npx", None),
        // Nobody's home, or one that depends on where we are, supplies nothing.
        (Linux, &[("HOME", "u")], &["u/.local/bin/uvx", "/job/u/.local/bin/uvx"], "uvx", None),
        (Linux, &[], &["/.local/bin/uvx"], "uvx", None),
        // One that cannot be executed is passed over, as shells do.
        (Linux, &[("PATH", "/a:/b")], &["/a/npx -", "/b/npx"], "npx", Some("/b/npx (PATH)")),
        (Linux, &[("PATH", "/a")], &["/a/NPX"], "npx", None),
        // Extensions mean nothing here.
        (Linux, &[("PATH", "/a"), ("PATHEXT", ".EXE")], &["/a/npx.exe"], "npx", None),
        (MacOs, &[("PATH", "/a")], &["/a/x.cmd"], "x.cmd", Some("/a/x.cmd (PATH)")),
    ]);
}

/// Defends the rule that a workspace supplies no programs.
#[test]
fn the_working_directory_is_never_searched() {
    for path in ["", ":", "/a:", ":/a", ".", "bin:./bin", "~/bin", "a:/a"] {
        let files = ["/job/npx", "/job/bin/npx", "/npx", "npx", "~/bin/npx"];
        assert!(search(Linux, &[("PATH", path)], &files, "npx").is_err(), "{path}");
    }
    for path in ["", ";", ".", r"bin;.\bin", r"D:bin", r"\bin", r"%APPDATA%\npm"] {
        let files = [r"D:\job\npx.exe", r"D:\job\bin\npx.exe", r"D:\bin\npx.exe", r"\bin\npx.exe", "npx.exe"];
        assert!(search(Windows, &[("Path", path)], &files, "npx").is_err(), "{path}");
    }
    let probe = Files::new(Linux, &[]);
    let found = places(Linux, &environment(Linux, &[("PATH", "bin::/a:.")]), &probe);
    assert_eq!(found.skipped, ["bin", "", "."]);
}

#[test]
fn a_command_that_is_a_path_names_one_file() {
    let path: &[(&str, &str)] = &[("PATH", "/usr/bin"), ("HOME", "/home/u")];
    all_hold(&[
        (Linux, path, &["/opt/x", "/usr/bin/x"], "/opt/x", Some("/opt/x")),
        (Linux, path, &["/usr/bin/x"], "/opt/x", None),
        (Linux, path, &["/opt/x -"], "/opt/x", None),
        (Linux, path, &["/job/x"], "./x", Some("/job/x")),
        (Linux, path, &["/job/../y/x"], "../y/x", Some("/job/../y/x")),
        (Linux, path, &["/job/bin/x", "/usr/bin/bin/x"], "bin/x", Some("/job/bin/x")),
        // The directory of a program that is installed where programs usually are is handed on; no other one is.
        (
            Linux,
            path,
            &["/opt/homebrew/bin/npx"],
            "/opt/homebrew/bin/npx",
            Some("/opt/homebrew/bin/npx + /opt/homebrew/bin"),
        ),
        (Linux, path, &["/usr/bin/npx"], "/usr/bin/npx", Some("/usr/bin/npx")),
        (Windows, &[], &[r"C:\x\s.exe"], r"C:\x\s.exe", Some(r"C:\x\s.exe")),
        (Windows, &[], &[r"C:\x\s.exe"], r"C:\x\s", Some(r"C:\x\s.exe")),
        (Windows, &[], &[r"C:/x\s.cmd"], "c:/x/s", None),
        (Windows, &[], &["c:/x/s.cmd"], "c:/x/s", Some("c:/x/s.cmd batch")),
        (Windows, &[], &[r"D:\job\s.bat"], r".\s", Some(r"D:\job\s.bat batch")),
        (Windows, &[], &[r"D:\job\bin/s.exe"], "bin/s.exe", Some(r"D:\job\bin/s.exe")),
        (Windows, &[], &[r"D:\x\s.exe"], r"\x\s.exe", Some(r"D:\x\s.exe")),
        (Windows, &[], &[r"\\host\share\s.exe"], r"\\host\share\s.exe", Some(r"\\host\share\s.exe")),
        (Windows, &[], &[r"\\?\C:\s.exe"], r"\\?\C:\s.exe", None),
        // These need more than the working directory to mean something, or mean a stream of a file.
        (Windows, &[], &[r"D:\job\s.exe", r"D:\s.exe"], "D:s.exe", None),
        (Windows, &[], &[r"D:\job\s.bat:x.exe"], "s.bat:x.exe", None),
        (Windows, &[], &[r"C:\s.bat:x.exe"], r"C:\s.bat:x.exe", None),
        // A script is started by an interpreter, and a name that Windows would shorten is none.
        (Windows, &[], &[r"C:\x\s.py"], r"C:\x\s.py", None),
        (Windows, &[], &[r"C:\x\s.bat"], r"C:\x\s.bat.", None),
        (Windows, &[], &[r"C:\x\s.bat"], r"C:\x\s.bat ", None),
    ]);
}

#[test]
fn windows_tries_the_extensions_that_it_can_start() {
    let npm = r"C:\Users\u\AppData\Roaming\npm";
    let shim: &[&str] = &[r"C:\Users\u\AppData\Roaming\npm\npx", r"C:\Users\u\AppData\Roaming\npm\npx.cmd"];
    let both: &[&str] = &[r"C:\a\x.exe", r"C:\a\x.cmd"];
    all_hold(&[
        // The file without an extension is a script for a Unix shell.
        (Windows, &[("Path", npm)], shim, "npx", Some(r"C:\Users\u\AppData\Roaming\npm\npx.cmd (PATH) batch")),
        (Windows, &[("Path", npm)], shim, "NPX.CMD", Some(r"C:\Users\u\AppData\Roaming\npm\NPX.CMD (PATH) batch")),
        // In the order of `PATHEXT`, and then the ones that are always tried.
        (Windows, &[("PATH", r"C:\a")], both, "x", Some(r"C:\a\x.exe (PATH)")),
        (Windows, &[("PATH", r"C:\a"), ("PathExt", ".CMD; .EXE")], both, "x", Some(r"C:\a\x.cmd (PATH) batch")),
        (Windows, &[("PATH", r"C:\a"), ("PATHEXT", ".PY")], both, "x", Some(r"C:\a\x.exe (PATH)")),
        (Windows, &[("PATH", r"C:\a"), ("PATHEXT", ".PS1;.JS;.VBS")], &[r"C:\a\x.ps1", r"C:\a\x.js"], "x", None),
        (Windows, &[("PATH", r"C:\a"), ("PATHEXT", ".COM")], &[r"C:\a\x.com"], "x", Some(r"C:\a\x.com (PATH)")),
        // The directory counts before the extension.
        (Windows, &[("PATH", r"C:\b;C:\a")], &[r"C:\a\x.exe", r"C:\b\x.bat"], "x", Some(r"C:\b\x.bat (PATH) batch")),
        (Windows, &[("PATH", r"C:\a")], &[r"C:\a\python3.11.exe"], "python3.11", Some(r"C:\a\python3.11.exe (PATH)")),
        (Windows, &[("PATH", r"C:\a")], &[r"C:\a\x.exe.cmd"], "x.exe", Some(r"C:\a\x.exe.cmd (PATH) batch")),
        // Quotes hide a `;`; a drive's root keeps its separator.
        (Windows, &[("PATH", r#""C:\a;b";C:\"#)], &[r"C:\a;b\x.exe"], "x", Some(r"C:\a;b\x.exe (PATH)")),
        (Windows, &[("PATH", r"C:\")], &[r"C:\x.exe"], "x", Some(r"C:\x.exe (PATH)")),
    ]);
}

#[test]
fn windows_directories_are_known_without_their_variables() {
    let node: &[&str] = &[r"C:\Program Files\nodejs\npx.cmd"];
    let there = r"C:\Program Files\nodejs\npx.cmd (usual) batch + C:\Program Files\nodejs";
    all_hold(&[
        (Windows, &[], node, "npx", Some(there)),
        (Windows, &[("ProgramFiles", r"C:\Program Files\")], node, "npx", Some(there)),
        (Windows, &[("SYSTEMDRIVE", "E:")], node, "npx", None),
        (
            Windows,
            &[("USERPROFILE", r"C:\Users\u")],
            &[r"C:\Users\u\AppData\Local\x.exe"],
            "x",
            Some(r"C:\Users\u\AppData\Local\x.exe (usual) + C:\Users\u\AppData\Local"),
        ),
        (
            Windows,
            &[("APPDATA", r"C:\R")],
            &[r"C:\R\nvm\v18.0.0\node.exe", r"C:\R\nvm\v20.0.0\node.exe"],
            "node",
            Some(r"C:\R\nvm\v20.0.0\node.exe (usual) + C:\R\nvm\v20.0.0"),
        ),
        (
            Windows,
            &[("SystemRoot", r"C:\WINDOWS"), ("PATH", r"c:/windows/system32/")],
            &[r"c:/windows/system32\curl.exe"],
            "curl",
            Some(r"c:/windows/system32\curl.exe (PATH)"),
        ),
    ]);
}

/// Defends the documented order of the fallback directories.
#[test]
fn the_documented_directories_come_first() {
    let first = |platform, variables: &[(&str, &str)]| {
        let found = places(platform, &environment(platform, variables), &Files::new(platform, &[]));
        found.searched.into_iter().take(4).map(|place| place.directory).collect::<Vec<_>>()
    };
    let unix = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"];
    assert_eq!(first(Linux, &[("HOME", "/home/u")]), unix);
    assert_eq!(first(MacOs, &[("HOME", "/Users/u")]), unix);
    assert_eq!(
        first(Windows, &[("USERPROFILE", r"C:\Users\u")]),
        [r"C:\Program Files", r"C:\Program Files (x86)", r"C:\Users\u\AppData\Local", r"C:\Windows\System32"]
    );
}

#[test]
fn an_error_says_where_was_searched_and_what_to_do() {
    let told = |platform, variables: &[(&str, &str)], files: &[&str], program: &str| {
        search(platform, variables, files, program).unwrap_err().to_string()
    };
    let error = told(MacOs, &[("PATH", "/a:bin:/b")], &["/b/npx -"], "npx");
    assert!(error.starts_with("cannot find the program `npx`; looked in /a, /b, /usr/local/bin, /opt/homebrew/bin,"));
    assert!(error.contains(". `/b/npx` is not an executable file. `bin` in PATH was not searched, as it is relative"));
    assert!(error.ends_with(
        ". Install Node.js, which has `npx` (`brew install node`, or see https://nodejs.org), or give the program's full path"
    ));
    for (platform, program, hint) in [
        (Windows, "UVX.exe", Some("winget install astral-sh.uv")),
        (Linux, "docker", Some("Install Docker (see https://docs.docker.com")),
        (Linux, "python", Some("Python 3")),
        (Linux, "mcp-server-x", Some("Install it, or give its full path")),
        (Linux, "Docker", Some("Install it, or give its full path")),
    ] {
        let error = told(platform, &[], &[], program);
        assert!(hint.is_none_or(|hint| error.contains(hint)), "{error}");
    }
    assert_eq!(told(Linux, &[], &[], "./x\u{1b}[2J"), r"there is no file `/job/x\u{1b}[2J`; check the path after `--`");
    let home = told(Linux, &[], &[], "~/bin/x");
    assert!(home.ends_with("`/job/~/bin/x`; check the path after `--`, where `~` and variables are not expanded"));
    assert!(told(Linux, &[], &["/x -"], "/x").contains("`/x` is not an executable file; check the path after `--`"));
    assert!(told(Windows, &[], &[r"C:\s.py"], r"C:\s.py").contains("name the interpreter of a script first"));
    assert!(told(Windows, &[], &[], "D:s.exe").contains("give the full path with its drive"));
    assert!(told(Linux, &[], &[], "").contains("cannot find the program ``"));
}

#[test]
fn a_desktop_hands_over_a_short_path() {
    let own = |platform| environment(platform, &[("PATH", "/home/u/.nvm/bin:/usr/bin"), ("HOME", "/home/u")]);
    let path = |platform| desktop_environment(platform, &own(platform)).get("PATH").map(str::to_owned);
    assert_eq!(path(Linux).as_deref(), Some("/usr/bin:/bin"));
    assert_eq!(path(MacOs).as_deref(), Some("/usr/bin:/bin:/usr/sbin:/sbin"));
    assert_eq!(path(Windows), own(Windows).get("PATH").map(str::to_owned));
    assert_eq!(desktop_environment(Linux, &own(Linux)).get("HOME"), Some("/home/u"));
}

/// Defends against arguments that would mean something else to `cmd.exe`: they are refused before anything starts.
#[test]
fn batch_files_get_what_can_be_carried() {
    use UnsafeArgument::{Argument, Script, TooLong};
    let npx = r"C:\Program Files (x86)\a&b\npx.cmd";
    let long = "x".repeat(8200);
    let cases: &[(&str, &[&str], Result<(), UnsafeArgument>)] = &[
        (npx, &[], Ok(())),
        (npx, &["-y", "@scope/server", ""], Ok(())),
        // The standard library quotes all of these.
        (npx, &["a b", r#"{"k":"v"}"#, "%PATH%", "!x!", "a&b|c<d>e^f", r"C:\d\", "(x)", "é\u{1f600}", "\t"], Ok(())),
        (npx, &["a", "b\nc"], Err(Argument { position: 2, character: '\n' })),
        (npx, &["a\r"], Err(Argument { position: 1, character: '\r' })),
        (npx, &["a\0"], Err(Argument { position: 1, character: '\0' })),
        (r"C:\100%\npx.cmd", &[], Err(Script { character: '%' })),
        ("C:\\a\"b\\npx.cmd", &[], Err(Script { character: '"' })),
        (r"C:\npx.cmd\", &[], Err(Script { character: '\\' })),
        ("C:\\a\nb.cmd", &[], Err(Script { character: '\n' })),
        (r"C:\n.cmd", &[&long], Err(TooLong { units: 8 + 1 + 8200 })),
    ];
    for (script, arguments, expected) in cases {
        assert_eq!(check_batch_arguments(script, arguments.iter().copied()), *expected, "{script} {arguments:?}");
    }
    let error = Argument { position: 2, character: '\n' }.to_string();
    assert!(error.starts_with("argument 2 has a line feed, which cannot be passed to a batch file"), "{error}");
}
