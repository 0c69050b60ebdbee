//! `wrap-config` and `unwrap-config` on files as people have them, while others write them, and while they are killed.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use thoth_testkit::machine::{Machine, Session};

const THOTH: &str = env!("CARGO_BIN_EXE_thoth");
const PLAIN: &str = r#"{"mcpServers": {"notes": {"command": "notes-server", "args": ["--all"]}}}"#;

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A machine on which Claude Desktop has this file.
struct Desk {
    machine: Machine,
}

impl Desk {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let desk = Self { machine: Machine::new(THOTH).unwrap() };
        desk.machine.write(&desk.file(), content.as_ref()).unwrap();
        desk
    }

    fn file(&self) -> PathBuf {
        self.machine.home().join(".config/Claude/claude_desktop_config.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn thoth(&self, words: &[&str]) -> Answer {
        let output = self.machine.run(words).unwrap();
        let shown = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap().replace(THOTH, "THOTH");
            text.replace(self.machine.home().to_str().unwrap(), "HOME")
        };
        Answer { code: output.status.code().unwrap(), stdout: shown(output.stdout), stderr: shown(output.stderr) }
    }

    /// Runs a command that is expected to do what it is asked for.
    fn done(&self, words: &[&str]) -> Answer {
        let answer = self.thoth(words);
        assert_eq!((answer.code, &*answer.stderr), (0, ""), "{words:?}: {}", answer.stdout);
        answer
    }

    /// What became of each server of the one file.
    fn changes(&self, words: &[&str]) -> Vec<String> {
        let answer = self.done(&[words, &["--json"]].concat()).json();
        let servers = answer["files"][0]["servers"].as_array().unwrap();
        servers
            .iter()
            .map(|one| format!("{} {}", one["server"].as_str().unwrap(), one["change"].as_str().unwrap()))
            .collect()
    }

    fn backups(&self) -> Vec<PathBuf> {
        listed(&self.machine.home().join(".thoth/backups"))
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Defends: whatever way a file is written in, its servers are governed, the rest stays as it is, wrapping again changes
/// nothing, and unwrapping gives back every byte.
#[test]
fn every_way_of_writing_a_file_survives() {
    let history = format!("\"history\": [{}0]", "\"a line of what was asked\", ".repeat(200_000));
    let long = format!("{{ {history}, \"mcpServers\": {{ \"a\": {{ \"command\": \"x\" }} }}, \"more\": [] }}");
    assert!(long.len() > 5_000_000);
    for (name, content, wrapped) in [
        (
            "comments",
            "// mine\n{ /* here */ \"mcpServers\": { // all\n \"a\": { \"command\": \"x\" } // one\n } }\n",
            1,
        ),
        ("trailing commas", "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"args\": [\"1\",],},},}", 1),
        ("CRLF", "{\r\n  \"mcpServers\": {\r\n    \"a\": {\r\n      \"command\": \"x\"\r\n    }\r\n  }\r\n}\r\n", 1),
        ("BOM", "\u{feff}{\"mcpServers\": {\"a\": {\"command\": \"x\"}}}", 1),
        (
            "tabs",
            "{\n\t\"mcpServers\": {\n\t\t\"a\": {\n\t\t\t\"command\": \"x\",\n\t\t\t\"args\": []\n\t\t}\n\t}\n}",
            1,
        ),
        (
            "duplicates",
            "{\"mcpServers\": {\"a\": {\"command\": \"x\"}, \"a\": {\"command\": \"y\", \"args\": [\"z\"]}}}",
            2,
        ),
        ("empty", "", 0),
        ("blank", "\n  \n", 0),
        ("no servers", "{}", 0),
        ("long", &long, 1),
    ] {
        let desk = Desk::new(content);
        assert_eq!(desk.changes(&["wrap-config"]), vec!["a wrapped"; wrapped], "{name}");
        let after = desk.text();
        assert_eq!(after.matches("\"run\"").count(), wrapped, "{name}");
        assert_eq!(after.matches("\r\n").count() > 0, name == "CRLF", "{name}");
        assert_eq!(desk.changes(&["wrap-config"]), vec!["a unchanged"; wrapped], "{name}");
        assert!(desk.text() == after, "{name}: not the same");
        assert_eq!(desk.changes(&["unwrap-config"]), vec!["a restored"; wrapped], "{name}");
        assert!(desk.text() == content, "{name}: not restored");
    }
}

/// Defends: a directory whose name holds a star is that one, and files of others are left alone.
#[test]
fn a_star_in_a_name_is_no_pattern() {
    let desk = Desk::new("{}");
    let place = |name: &str| desk.machine.home().join(name).join(".mcp.json");
    for name in ["x/a*b", "x/aXb"] {
        desk.machine.write(&place(name), PLAIN.as_bytes()).unwrap();
    }
    let mut command = Command::new(THOTH);
    command.args(["wrap-config"]).env_clear().env("HOME", desk.machine.home());
    let output = command.current_dir(desk.machine.home().join("x/a*b")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |name: &str| fs::read_to_string(place(name)).unwrap();
    assert!(text("x/a*b").contains("--wrapped"));
    assert_eq!(text("x/aXb"), PLAIN);
}

/// Defends: after the first run there is the policy that the servers are governed by, and it is said; looking writes none.
#[test]
fn the_first_run_writes_the_starter_policy() {
    let desk = Desk::new(PLAIN);
    let policy = desk.machine.home().join(".thoth/policy.yaml");
    desk.done(&["wrap-config", "--dry-run"]);
    desk.thoth(&["wrap-config", "--check"]);
    assert!(!policy.exists());
    let told = desk.done(&["wrap-config"]).stdout;
    assert!(told.contains("note: wrote a starter policy to HOME/.thoth/policy.yaml"), "{told}");
    assert!(policy.is_file());
    let told = desk.done(&["wrap-config"]).stdout;
    assert!(!told.contains("starter"), "{told}");
}

/// Defends: a command that people are told to run is one, whatever their files are called.
#[test]
fn commands_in_hints_can_be_run() {
    let desk = Desk::new("{}");
    let file = desk.machine.home().join("it's mine/$(x).json");
    desk.machine.write(&file, PLAIN.as_bytes()).unwrap();
    let told = desk.done(&["status", file.to_str().unwrap()]).stdout;
    let command = told.split("run `").nth(1).unwrap().split('`').next().unwrap().replacen("thoth", THOTH, 1);
    let command = command.replace("HOME/", "\"$HOME\"/").replace("'\"$HOME\"/", "\"$HOME\"'/");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).env_clear().env("HOME", desk.machine.home()).current_dir(desk.machine.project());
    assert!(shell.output().unwrap().status.success(), "{command}");
    assert!(fs::read_to_string(&file).unwrap().contains("--wrapped"));
}

/// Defends: a link stays one, the file behind it keeps its mode, and a private backup of what it held is named.
#[test]
fn links_modes_and_backups() {
    let desk = Desk::new("");
    let real = desk.machine.home().join("dotfiles/claude.json");
    desk.machine.write(&real, PLAIN.as_bytes()).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(desk.file()).unwrap();
    symlink(&real, desk.file()).unwrap();
    let answer = desk.done(&["wrap-config"]);
    assert!(desk.file().is_symlink() && fs::read_to_string(&real).unwrap().contains("--wrapped"));
    assert_eq!(mode(&real), 0o640);
    let backups = desk.backups();
    assert_eq!((backups.len(), &*fs::read_to_string(&backups[0]).unwrap(), mode(&backups[0])), (1, PLAIN, 0o600));
    let name = backups[0].file_name().unwrap().to_str().unwrap();
    assert!(answer.stdout.contains(&format!("backup: ~/.thoth/backups/{name}")), "{}", answer.stdout);
    assert_eq!(listed(real.parent().unwrap()), [real]);
}

/// Defends: what cannot be changed is told with its remedy, is as it was, and keeps no other file from being governed.
#[test]
fn one_bad_file_keeps_no_other_from_it() {
    let desk = Desk::new(PLAIN);
    let bad = desk.machine.home().join(".cursor/mcp.json");
    let write = |content: &str| desk.machine.write(&bad, content.as_bytes()).unwrap();
    let mut seen = String::new();
    let mut failing = |words: &[&str]| {
        let answer = desk.thoth(words);
        assert_eq!(answer.code, 1, "{words:?} {}", answer.stdout);
        seen += &answer.stderr;
    };
    write("{\n  \"mcpServers\": {\n    \"a\": {\"command\" \"x\"}\n  }\n}\n");
    failing(&["wrap-config"]);
    assert!(desk.text().contains("--wrapped"));
    failing(&["status"]);
    failing(&["unwrap-config"]);
    assert_eq!(desk.text(), PLAIN);
    write(PLAIN);
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o400)).unwrap();
    failing(&["wrap-config"]);
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(bad.parent().unwrap(), fs::Permissions::from_mode(0o500)).unwrap();
    failing(&["wrap-config"]);
    fs::set_permissions(bad.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fs::read_to_string(&bad).unwrap(), PLAIN);
    insta::assert_snapshot!(seen, @r#"
    error: HOME/.cursor/mcp.json:3:21: expected `:` after a name, found `"`
      hint: correct the file, then run this again
    error: HOME/.cursor/mcp.json:3:21: expected `:` after a name, found `"`
      hint: correct the file, then run this again
    error: `HOME/.cursor/mcp.json` is read-only (mode 400)
      hint: run `chmod u+w 'HOME/.cursor/mcp.json'`, or write to another file with --output
    error: the directory of `HOME/.cursor/mcp.json` is read-only (mode 500)
      hint: run `chmod u+w 'HOME/.cursor'`, or write to another file with --output
    "#);
}

/// Defends: a full disk costs nobody their file.
#[test]
fn a_full_disk_changes_nothing() {
    let long = format!("{{\"x\": \"{}\", \"mcpServers\": {{\"a\": {{\"command\": \"x\"}}}}}}", "x".repeat(20_000));
    let desk = Desk::new(&long);
    // No file may grow beyond some blocks; the signal that would end the process is ignored, so that writing fails.
    let script = format!("trap '' XFSZ; ulimit -f 4; exec {THOTH} wrap-config");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env_clear().env("HOME", desk.machine.home()).current_dir(desk.machine.project());
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot make a backup") && told.contains("nothing was changed"), "{told}");
    assert_eq!(desk.text(), long);
    assert_eq!((desk.backups(), listed(desk.file().parent().unwrap())), (vec![], vec![desk.file()]));
}

const WRONG: [&str; 31] = [
    "--host nothing",
    "--server nothing",
    "--agent-id=",
    "--tenant-id=",
    "--session-intent=",
    "--enforcement-mode never",
    "--policy missing.yaml",
    "--policy bad.yaml",
    "--intent-map missing.json",
    "--intent-map list.json",
    "--intent-map number.json",
    "--intent-map blank.json",
    "--env KEY",
    "--env =x",
    "--env A=1 --env A=2",
    "--env THOTH_API_KEY=hush",
    "--env THOTH_GOVAPI_API_KEY=hush",
    "--env THOTH_ADMIN_BEARER_TOKEN=hush",
    "--env THOTH_NEW_PASSWORD=hush",
    "--embed-api-key",
    "--thoth-bin thoth",
    "--thoth-bin /missing/thoth",
    "--thoth-bin /etc/passwd",
    "--thoth-bin /bin/true",
    "--thoth-bin /bin/sh --auto-thoth-bin",
    "--output out.json",
    "--output - --json file.json",
    "--output out.json --dry-run file.json",
    "--check --dry-run",
    "--all file.json",
    "--host cursor --host zed file.json",
];

/// Defends: a wrong option is refused before anything is read or written.
#[test]
fn wrong_options_touch_nothing() {
    let desk = Desk::new(PLAIN);
    let write = |name: &str, content: &str| desk.machine.write(&desk.machine.project().join(name), content.as_bytes());
    write("bad.yaml", "version: \"1\"\nrule: []\n").unwrap();
    write("list.json", "[]").unwrap();
    write("number.json", "{\n\"a\": 1}").unwrap();
    write("blank.json", "{\"a\": \" \"}").unwrap();
    write("file.json", PLAIN).unwrap();
    let mut seen = String::new();
    for words in WRONG {
        let all: Vec<_> = std::iter::once("wrap-config").chain(words.split(' ')).collect();
        let answer = desk.thoth(&all);
        assert!([2, 3].contains(&answer.code), "{words}: {} {}", answer.code, answer.stdout);
        let told = if answer.stderr.is_empty() { answer.json()["error"].to_string() } else { answer.stderr };
        assert!(!told.contains("hush"), "{told}");
        let told = told.replace(desk.machine.project().to_str().unwrap(), "DIR");
        let lines: Vec<_> = told.lines().take_while(|line| !line.is_empty()).collect();
        seen += &format!("{words}\n  {}\n", lines.join("\n  "));
        assert_eq!(desk.text(), PLAIN, "{words}");
        assert!(!desk.machine.home().join(".thoth").exists(), "{words}");
    }
    insta::assert_snapshot!(seen, @r#"
    --host nothing
      error: --host: there is no client `nothing`
        hint: the clients are claude-desktop, claude-code, cursor, vscode, windsurf, zed, codex, gemini-cli, cline, continue, junie, lm-studio, goose, amazon-q, kiro, copilot-cli, opencode
    --server nothing
      error: --server: there is no server `nothing`
        hint: there are: notes
    --agent-id=
      error: --agent-id: agent id is empty
    --tenant-id=
      error: --tenant-id: tenant id is empty
    --session-intent=
      error: invalid value '' for '--session-intent <INTENT>': it is empty
    --enforcement-mode never
      error: invalid value 'never' for '--enforcement-mode <MODE>'
        [possible values: observe, step_up, progressive, block]
    --policy missing.yaml
      error: --policy: no such file `DIR/missing.yaml`
        hint: `thoth policy check missing.yaml` says more; no file was changed
    --policy bad.yaml
      error: --policy: DIR/bad.yaml:2:1: unknown key `rule` in the policy
        hint: `thoth policy check bad.yaml` says more; no file was changed
    --intent-map missing.json
      error: the intent map cannot be used: there is no file `missing.json`
        hint: it is one JSON object, as in {"github": "code_review"}; no file was changed
    --intent-map list.json
      error: the intent map cannot be used: list.json:1:0: invalid type: sequence, expected a map
        hint: it is one JSON object, as in {"github": "code_review"}; no file was changed
    --intent-map number.json
      error: the intent map cannot be used: number.json:2:6: invalid type: integer `1`, expected a string
        hint: it is one JSON object, as in {"github": "code_review"}; no file was changed
    --intent-map blank.json
      error: the intent map cannot be used: blank.json: the intent of `a`: it has white space around it
        hint: it is one JSON object, as in {"github": "code_review"}; no file was changed
    --env KEY
      error: --env: what is given is not of the form `KEY=VALUE`
    --env =x
      error: --env: what is given is not of the form `KEY=VALUE`
    --env A=1 --env A=2
      error: --env: `A` is given twice
    --env THOTH_API_KEY=hush
      error: --env: `THOTH_API_KEY` holds a secret, which is not written into clients' files
        hint: run `thoth set-api-key`; or add --embed-api-key to write it all the same
    --env THOTH_GOVAPI_API_KEY=hush
      error: --env: `THOTH_GOVAPI_API_KEY` holds a secret, which is not written into clients' files
        hint: run `thoth set-api-key`; or add --embed-api-key to write it all the same
    --env THOTH_ADMIN_BEARER_TOKEN=hush
      error: --env: `THOTH_ADMIN_BEARER_TOKEN` holds a secret, which is not written into clients' files
        hint: run `thoth set-api-key`; or add --embed-api-key to write it all the same
    --env THOTH_NEW_PASSWORD=hush
      error: --env: `THOTH_NEW_PASSWORD` holds a secret, which is not written into clients' files
        hint: run `thoth set-api-key`; or add --embed-api-key to write it all the same
    --embed-api-key
      error: --embed-api-key: there is no key
        hint: add --api-key, or set THOTH_API_KEY
    --thoth-bin thoth
      error: --thoth-bin: `thoth` is not an absolute path
        hint: clients start it from directories of their own
    --thoth-bin /missing/thoth
      error: --thoth-bin: `/missing/thoth` does not exist
    --thoth-bin /etc/passwd
      error: --thoth-bin: `/etc/passwd` is not an executable file
    --thoth-bin /bin/true
      error: --thoth-bin: `/bin/true` has a name that does not begin with `thoth`, or a character that clients replace
        hint: only by its name can an entry be told from one that is not governed
    --thoth-bin /bin/sh --auto-thoth-bin
      error: the argument '--thoth-bin <PATH>' cannot be used with '--auto-thoth-bin'
    --output out.json
      error: --output needs exactly one INPUT file
    --output - --json file.json
      "standard output cannot carry both the file and --json"
    --output out.json --dry-run file.json
      error: the argument '--output <FILE>' cannot be used with '--dry-run'
    --check --dry-run
      error: the argument '--check' cannot be used with '--dry-run'
    --all file.json
      error: the argument '--all' cannot be used with '[INPUT]...'
    --host cursor --host zed file.json
      error: a file belongs to one client; give --host once
    "#);
}

/// Defends: each documented option is in the entry as it was meant, and only what is chosen anew changes an entry that is
/// governed already.
#[test]
fn options_reach_the_entry() {
    let desk = Desk::new(PLAIN);
    let map = desk.machine.home().join(".thoth/intent_map.json");
    desk.machine.write(&map, b"{\"notes\": \"note_taking\"}").unwrap();
    fs::set_permissions(map.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    desk.machine
        .write(&desk.machine.project().join("team.yaml"), b"version: \"1\"\ndefaults: { approval: auto }\n")
        .unwrap();
    let other = desk.machine.home().join("thoth-2");
    fs::copy("/bin/true", &other).unwrap();
    desk.done(&[
        "wrap-config",
        "--agent-id",
        "claude",
        "--tenant-id",
        "acme",
        "--enforcement-mode",
        "shadow",
        "--policy",
        "team.yaml",
        "--env",
        "A=1",
        "--env",
        "B=x=y",
        "--inherit-path",
        "--thoth-bin",
        other.to_str().unwrap(),
    ]);
    let text = desk.text().replace(desk.machine.home().to_str().unwrap(), "HOME");
    let text = text.replace(desk.machine.project().canonicalize().unwrap().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(text, @r#"{"mcpServers": {"notes": {"command": "HOME/thoth-2", "args": ["run", "--agent-id", "claude", "--server-name", "notes", "--tenant-id", "acme", "--enforcement-mode", "observe", "--session-intent", "note_taking", "--policy", "DIR/team.yaml", "--wrapped=env,env.A,env.B,env.PATH", "--", "notes-server", "--all"], "env": {"A": "1", "B": "x=y", "PATH": "/usr/bin:/bin"}}}}"#);
    // A governed entry keeps its program and all else, unless something else is chosen.
    assert_eq!(desk.changes(&["wrap-config"]), ["notes unchanged"]);
    assert_eq!(
        desk.changes(&["wrap-config", "--tenant-id", "acme", "--enforcement-mode", "observe"]),
        ["notes unchanged"]
    );
    assert_eq!(desk.changes(&["wrap-config", "--session-intent", "other"]), ["notes updated"]);
    assert!(desk.text().contains(r#""--session-intent", "other""#), "{}", desk.text());
    assert_eq!(desk.changes(&["wrap-config"]), ["notes updated"], "the intent map holds again");
    desk.done(&["unwrap-config"]);
    assert_eq!(desk.text(), PLAIN);
}

/// Defends: a program that is gone, as after a package was removed, is replaced by the one that is there.
#[test]
fn a_lost_program_is_replaced() {
    let desk = Desk::new(PLAIN);
    let gone = desk.machine.home().join("thoth");
    fs::copy("/bin/true", &gone).unwrap();
    desk.done(&["wrap-config", "--thoth-bin", gone.to_str().unwrap()]);
    assert_eq!(desk.thoth(&["wrap-config", "--check"]).code, 0);
    fs::remove_file(&gone).unwrap();
    let status = desk.done(&["status"]).stdout;
    assert!(status.contains("Governed, but not able to start:"), "{status}");
    assert_eq!(desk.thoth(&["wrap-config", "--check"]).code, 1);
    assert_eq!(desk.changes(&["wrap-config"]), ["notes updated"]);
    assert!(desk.text().contains(THOTH));
}

/// Defends: a key is never written unless that is asked for, and no diff shows what may be a secret.
#[test]
fn secrets_stay_where_they_are() {
    let secret = r#"{"mcpServers": {"a": {"command": "x", "args": ["--token", "hush", "--key=sk-hush", "plain"], "env": {"A": "hush"}}}}"#;
    let desk = Desk::new(secret);
    let key = "thoth_live_hush";
    let answer = desk.done(&["wrap-config", "--api-key", key]);
    assert!(answer.stdout.contains("thoth set-api-key") && !answer.stdout.contains("hush"), "{}", answer.stdout);
    assert!(!desk.text().contains(key));
    desk.done(&["unwrap-config"]);
    for words in [
        &["wrap-config", "--dry-run", "--env", "B=hush"][..],
        &["wrap-config", "--dry-run", "--json", "--env", "B=hush"],
    ] {
        let answer = desk.done(words).stdout;
        assert!(answer.contains("plain") && answer.contains("***") && !answer.contains("hush"), "{answer}");
    }
    assert_eq!(desk.text(), secret);
    let answer = desk.done(&["wrap-config", "--api-key", key, "--embed-api-key"]);
    assert!(answer.stdout.contains("every program that can read them"), "{}", answer.stdout);
    assert!(desk.text().contains(&format!("\"THOTH_API_KEY\": \"{key}\"")), "{}", desk.text());
    desk.done(&["unwrap-config"]);
    assert_eq!(desk.text(), secret);
}

/// Defends: `--check` tells drift from order by its exit code alone, and changes nothing.
#[test]
fn check_tells_drift() {
    let desk = Desk::new(PLAIN);
    let check = || {
        let before = desk.text();
        let answer = desk.thoth(&["wrap-config", "--check"]);
        assert_eq!(desk.text(), before);
        answer.code
    };
    assert_eq!(check(), 1);
    desk.done(&["wrap-config"]);
    assert_eq!(check(), 0);
    // As hosts do that write their file anew, from what they hold.
    fs::write(desk.file(), PLAIN).unwrap();
    assert_eq!(check(), 1);
}

/// Defends: what is shown is what would be done, no more is, and the diff says it.
#[test]
fn a_dry_run_shows_the_change() {
    let content = "{\n  \"mcpServers\": {\n    \"notes\": {\n      \"command\": \"notes-server\",\n      \"args\": [\"--all\"],\n      \"env\": { \"KEY\": \"hush\" }\n    },\n    \"far\": { \"url\": \"https://mcp.example.com/mcp?key=hush\" }\n  }\n}\n";
    let desk = Desk::new(content);
    let answer = desk.done(&["wrap-config", "--dry-run"]);
    assert_eq!(desk.text(), content);
    assert!(!desk.machine.home().join(".thoth").exists());
    insta::assert_snapshot!(answer.stdout, @r#"
    --- HOME/.config/Claude/claude_desktop_config.json
    +++ HOME/.config/Claude/claude_desktop_config.json
    @@ -3,4 +3,4 @@
         "notes": {
    -      "command": "notes-server",
    -      "args": ["--all"],
    +      "command": "THOTH",
    +      "args": ["run", "--agent-id", "claude-desktop", "--server-name", "notes", "--wrapped", "--", "notes-server", "--all"],
           "env": { "KEY": *** }

    Claude Desktop  ~/.config/Claude/claude_desktop_config.json  1 to be wrapped, 1 cannot be wrapped

    note: written with its full path, `THOTH`: programs started from the desktop do not find `thoth`
    not governed: `far` in ~/.config/Claude/claude_desktop_config.json:8:5: remote server at mcp.example.com
      -> this version governs stdio servers: bridge it with a stdio client such as `npx mcp-remote URL` and wrap that, or put it behind an HTTP gateway
    not governed: connectors of Claude Desktop, if there are any: connectors are called from the vendor's cloud and never pass this machine
      -> register the address of a governed gateway as the connector

    Nothing was changed (--dry-run).
    "#);
    insta::assert_snapshot!(desk.done(&["wrap-config"]).stdout.split("backup").next().unwrap(), @"Claude Desktop  ~/.config/Claude/claude_desktop_config.json  1 wrapped, 1 cannot be wrapped");
}

/// Defends: a result can go elsewhere, and then nothing else changes; what was there has a backup.
#[test]
fn results_can_go_elsewhere() {
    let desk = Desk::new("{}");
    let place = |name: &str| desk.machine.project().join(name);
    desk.machine.write(&place("in.json"), PLAIN.as_bytes()).unwrap();
    fs::set_permissions(place("in.json"), fs::Permissions::from_mode(0o604)).unwrap();
    let shown = desk.thoth(&["wrap-config", "--output", "-", "in.json"]);
    assert_eq!(shown.code, 0);
    assert!(shown.stdout.starts_with("{\"mcpServers\"") && shown.stdout.ends_with("}}}"), "{}", shown.stdout);
    desk.done(&["wrap-config", "--output", "out.json", "in.json"]);
    let read = |name: &str| fs::read_to_string(place(name)).unwrap();
    assert_eq!((&*read("out.json").replace(THOTH, "THOTH"), mode(&place("out.json"))), (&*shown.stdout, 0o604));
    assert_eq!((&*read("in.json"), desk.backups().len()), (PLAIN, 0));
    desk.done(&["unwrap-config", "--output", "out.json", "out.json"]);
    assert_eq!((&*read("out.json"), desk.backups().len()), (PLAIN, 1));
    assert_eq!(desk.text(), "{}");
}

/// Defends: files of the current project and its parents up to the repository are among those found, files of other
/// projects only when all are asked for; and a file can be named, whoever's it is.
#[test]
fn files_are_found_where_clients_look() {
    let desk = Desk::new("{}");
    let home = desk.machine.home();
    let other = home.join("other");
    fs::create_dir_all(desk.machine.project().join(".git")).unwrap();
    fs::create_dir_all(&other).unwrap();
    let projects = format!(
        "{{\"projects\": {{\"{}\": {{\"mcpServers\": {{\"private\": {{\"command\": \"x\"}}}}}}, \"/missing\": {{}}}}}}",
        other.display()
    );
    for (path, content) in [
        (desk.machine.project().join(".mcp.json"), PLAIN),
        (other.join(".mcp.json"), PLAIN),
        (home.join(".claude.json"), &projects),
        (home.join("unknown.json"), "{\"servers\": {\"a\": {\"type\": \"stdio\", \"command\": \"x\"}}}"),
        (home.join("nothing.json"), "{\"a\": 1}"),
    ] {
        desk.machine.write(&path, content.as_bytes()).unwrap();
    }
    let found = |words: &[&str]| {
        let answer = desk.done(&[&["wrap-config", "--check", "--json"], words].concat());
        let answer = answer.json();
        let files = answer["files"].as_array().unwrap().clone();
        let text =
            |value: &Value| value.as_str().unwrap_or("-").replace(desk.machine.project().to_str().unwrap(), "DIR");
        let one = |file: &Value| {
            format!(
                "{} {} {} {}",
                text(&file["client"]),
                text(&file["scope"]),
                text(&file["path"]),
                file["servers"].as_array().map_or(0, Vec::len)
            )
        };
        files.iter().map(one).collect::<Vec<_>>()
    };
    desk.done(&["wrap-config", "--all"]);
    let here = [
        "claude-desktop user HOME/.config/Claude/claude_desktop_config.json 0",
        "claude-code user HOME/.claude.json 1",
        "claude-code project DIR/.mcp.json 1",
    ];
    assert_eq!(found(&[]), here);
    assert_eq!(found(&["--host", "claude-desktop"]), here[..1]);
    assert_eq!(found(&["--all"])[3], "claude-code project HOME/other/.mcp.json 1");
    let unknown = home.join("unknown.json");
    desk.done(&["wrap-config", unknown.to_str().unwrap()]);
    assert_eq!(found(&[unknown.to_str().unwrap()]), ["vscode - HOME/unknown.json 1"]);
    let nothing = desk.thoth(&["wrap-config", home.join("nothing.json").to_str().unwrap()]);
    assert_eq!(nothing.code, 1);
    assert!(
        nothing.stderr.contains("cannot tell which client") && nothing.stderr.contains("--host"),
        "{}",
        nothing.stderr
    );
    assert_eq!(desk.thoth(&["wrap-config", "--host", "zed"]).code, 1);
}

/// Another program that rewrites the file all the time, and says at last that it is done.
fn writer(desk: &Desk, how: &str, times: u32) -> Child {
    let script = format!(
        "n=0; while [ $n -lt {times} ]; do n=$((n+1)); t='{{\"n\": '$n', \"mcpServers\": {{\"a\": {{\"command\": \"x\"}}}}}}'; {how}; done"
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(desk.file().parent().unwrap()).stdin(Stdio::null());
    command.spawn().unwrap()
}

/// Defends: however often another program writes its file, what it wrote last is there in the end, whole; and wrapping
/// gets through, or says that it could not.
#[test]
fn nothing_that_a_busy_writer_wrote_is_lost() {
    for (how, times) in [
        ("echo \"$t\" > .theirs; mv .theirs claude_desktop_config.json", 200),
        ("echo \"$t\" > claude_desktop_config.json", 1500),
    ] {
        let desk = Desk::new("{\"n\": 0}");
        let mut writer = writer(&desk, how, times);
        let (mut wrapped, mut tries) = (0, 0);
        while writer.try_wait().unwrap().is_none() {
            let answer = desk.thoth(&["wrap-config", "--json"]);
            let answer = answer.json();
            wrapped += u32::from(answer["changed"] == true);
            tries += 1;
            let error = &answer["files"][0]["error"]["message"];
            let known = error.is_null() || error.as_str().unwrap().contains("again and again");
            assert!(known, "{answer}");
        }
        let last: Value = serde_json::from_str(&desk.text()).unwrap();
        assert_eq!(last["n"], times, "{how}: {wrapped} of {tries}");
        desk.done(&["wrap-config"]);
        let last: Value = serde_json::from_str(&desk.text()).unwrap();
        assert_eq!((&last["n"], &last["mcpServers"]["a"]["command"]), (&times.into(), &THOTH.into()));
        assert_eq!(listed(desk.file().parent().unwrap()), [desk.file()]);
    }
}

/// Defends: a run that is killed at any moment leaves the one file or the other, whole, and the next run leaves nothing
/// else beside it.
#[test]
fn killed_runs_leave_a_whole_file() {
    let desk = Desk::new(PLAIN);
    desk.done(&["wrap-config"]);
    let wrapped = desk.text();
    desk.done(&["unwrap-config"]);
    let started = Instant::now();
    desk.done(&["wrap-config"]);
    let usual = started.elapsed();
    let (mut killed, mut round) = (0, 0_u32);
    // The first run of each sixty is killed at once, so this ends however slow or quick the machine is.
    while killed < 20 || round < 60 {
        let word = if round % 2 == 0 { "wrap-config" } else { "unwrap-config" };
        let mut command = Command::new(THOTH);
        command.arg(word).env_clear().env("HOME", desk.machine.home()).current_dir(desk.machine.project());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (began, patience) = (Instant::now(), usual * 2 * (round % 60) / 60);
        while began.elapsed() < patience {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        round += 1;
        let text = desk.text();
        assert!(text == PLAIN || text == wrapped, "{text}");
    }
    desk.done(&["wrap-config"]);
    desk.done(&["unwrap-config"]);
    assert_eq!(desk.text(), PLAIN);
    assert_eq!(listed(desk.file().parent().unwrap()), [desk.file()]);
}

/// Defends: what is written into an entry runs: a real server behind the gate, started as a desktop would.
#[test]
fn a_wrapped_entry_runs() {
    let command = format!("exec '{THOTH}' demo-server");
    let entry = serde_json::json!({"mcpServers": {"notes": {"command": "sh", "args": ["-c", command]}}});
    let desk = Desk::new(entry.to_string());
    desk.done(&["wrap-config"]);
    let entry: Value = serde_json::from_str(&desk.text()).unwrap();
    let entry = &entry["mcpServers"]["notes"];
    let words = std::iter::once(&entry["command"]).chain(entry["args"].as_array().unwrap());
    let words: Vec<_> = words.map(|word| word.as_str().unwrap().to_owned()).collect();
    let mut session = Session::open(&desk.machine.launch(&words, &[])).unwrap();
    let refused = session.call("delete_note").unwrap();
    assert_eq!(refused["error"]["code"], -32001, "{refused}");
    session.close().unwrap();
    let events = desk.machine.ledger().unwrap();
    let call = events.iter().find(|event| event["toolName"] == "delete_note").unwrap();
    assert_eq!((&call["agentId"], &call["serverName"]), (&"claude-desktop".into(), &"notes".into()));
}

/// Defends: a file is replaced, and not written over: who has it open keeps a whole one.
#[test]
fn readers_see_whole_files() {
    let desk = Desk::new(PLAIN);
    let before = fs::metadata(desk.file()).unwrap().ino();
    let mut open = fs::File::open(desk.file()).unwrap();
    desk.done(&["wrap-config"]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut open, &mut text).unwrap();
    assert_eq!(text, PLAIN);
    assert_ne!(fs::metadata(desk.file()).unwrap().ino(), before);
}
