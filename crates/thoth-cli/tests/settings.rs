//! Settings, the profile and the key: what `thoth run` takes from whom, what it refuses, and what stands in its home.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SECRET: &str = "sesame-0123456789";

/// `thoth` in a folder, with the folder's `home` as its home and none of our own variables.
fn thoth(folder: &Path, words: &[&str], variables: &[(&str, &str)], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("THOTH_")) {
        command.env_remove(name);
    }
    command.args(words).current_dir(folder).env("THOTH_HOME", folder.join("home")).envs(variables.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may have gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server that ends at once, with these flags before it.
fn run(folder: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Output {
    let words: Vec<_> = ["run"].iter().chain(flags).chain(&["--", "true"]).copied().collect();
    thoth(folder, &words, variables, "")
}

/// The first event that sessions have written.
fn event(folder: &Path) -> Value {
    let output = thoth(folder, &["audit", "tail", "--json"], &[], "");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Defends: the reference says what the program does.
#[test]
fn the_committed_reference_is_the_programs_own() {
    let scratch = tempfile::tempdir().unwrap();
    let printed = String::from_utf8(thoth(scratch.path(), &["reference", "env"], &[], "").stdout).unwrap();
    let committed = include_str!("../../../docs/reference/env.md");
    assert!(printed == committed, "run `cargo run -p thoth-cli -- reference env > docs/reference/env.md`");
}

/// Defends: identities reach the ledger, from the flag before the variable; the machine always has a name.
#[test]
fn identities_reach_the_ledger() {
    for (flags, variables, expected) in [
        (
            &["--tenant-id", "flag", "--user-id", "ada", "--agent-id", "agent"][..],
            &[("THOTH_TENANT_ID", "variable"), ("INTUNE_DEVICE_ID", "device"), ("THOTH_AGENT_ID", "ignored")][..],
            ["\"flag\"", "\"ada\"", "\"agent\"", "\"device\""],
        ),
        (
            &[],
            &[("THOTH_TENANT_ID", "t"), ("THOTH_USER_ID", "ada@example.org"), ("THOTH_ENDPOINT_ID", "e")],
            ["\"t\"", "\"ada@example.org\"", "null", "\"e\""],
        ),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let output = run(scratch.path(), flags, variables);
        assert!(output.status.success(), "{}", stderr(&output));
        let event = event(scratch.path());
        let seen = ["tenantId", "userId", "agentId", "endpointId"].map(|key| event[key].to_string());
        assert_eq!(seen, expected, "{event}");
    }
    let scratch = tempfile::tempdir().unwrap();
    assert!(run(scratch.path(), &[], &[]).status.success());
    let endpoint = event(scratch.path())["endpointId"].as_str().unwrap().to_owned();
    assert!(!endpoint.is_empty());
    let machine_id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    assert_ne!(endpoint, machine_id.trim(), "the machine id itself is recorded");
}

/// Defends: what cannot be used or was ruled out keeps the session from starting, before anything is written, and the
/// message says where it was set and never what a secret is.
#[test]
fn what_stops_a_session() {
    let uid = uid();
    let other = (uid + 1).to_string();
    let mut seen = String::new();
    for (flags, variables) in [
        (&[][..], &[("THOTH_ENFORCER_URL", "http://enforce.example.org")][..]),
        (&["--enforcer-url", "https://enforce.example.org"], &[]),
        (&["--enforcer-url", "https://enforce.example.org"], &[("THOTH_TLS_VERIFY", "no")]),
        (&[], &[("THOTH_USER_ID", "ada")]),
        (&[], &[("THOTH_ENV", "production")]),
        (&[], &[("THOTH_REQUIRE_NON_ROOT", "yes")]),
        (&[], &[("THOTH_INTENT_TOOL_ALLOWLIST", "triage")]),
        (&[], &[("THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES", ",")]),
        (&["--tenant-id", ""], &[]),
        (&["--api-key", "sesame-0123456789 sesame"], &[]),
        (&[], &[("THOTH_EXPECTED_PROXY_UID", &*other)]),
        (&[], &[("THOTH_EXPECTED_PROXY_USER", "nobody-of-that-name")]),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let output = run(scratch.path(), flags, variables);
        let said = stderr(&output);
        assert!(!said.contains(SECRET), "{said}");
        assert!(!scratch.path().join("home").exists(), "{said}");
        seen += &format!("{} {}", output.status.code().unwrap(), said);
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&format!("user {uid}, and"), "user [uid], and");
    settings.add_filter(&format!("demands {other}"), "demands [other]");
    settings.add_filter(r"this runs as (`[^`]*`|user \d+, who has no name), and", "this runs as [user], and");
    settings.bind(|| {
        insta::assert_snapshot!(seen, @"
        2 error: THOTH_ENFORCER_URL cannot be used: it is neither an `https://` address nor one of this machine
          hint: change or unset THOTH_ENFORCER_URL; docs/reference/env.md says what it takes
        2 error: an enforcer is to be asked, and no tenant is given
          hint: give --tenant-id or THOTH_TENANT_ID: the organisation that the key is of
        2 error: THOTH_TLS_VERIFY is `no`: it is neither `true` nor `false`
          hint: change or unset THOTH_TLS_VERIFY; docs/reference/env.md says what it takes
        2 error: THOTH_USER_ID is `ada`: it is not an e-mail address
          hint: change or unset THOTH_USER_ID; docs/reference/env.md says what it takes
        2 error: THOTH_ENV is `production`: it is not one of `dev`, `staging`, `prod`
          hint: change or unset THOTH_ENV; docs/reference/env.md says what it takes
        2 error: THOTH_REQUIRE_NON_ROOT is `yes`: it is neither `true` nor `false`
          hint: change or unset THOTH_REQUIRE_NON_ROOT; docs/reference/env.md says what it takes
        2 error: THOTH_INTENT_TOOL_ALLOWLIST is `triage`: at character 1, `triage` has no `=`; write `intent=tool|tool`
          hint: change or unset THOTH_INTENT_TOOL_ALLOWLIST; docs/reference/env.md says what it takes
        2 error: THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES is `,`: at character 1, the token is empty; remove the separator or write a name
          hint: change or unset THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES; docs/reference/env.md says what it takes
        2 error: --tenant-id cannot be used: tenant id is empty
          hint: change --tenant-id, or leave it out
        2 error: --api-key cannot be used: it is empty or has white space or a control character
          hint: change --api-key, or leave it out
        1 error: this runs as user [uid], and `THOTH_EXPECTED_PROXY_UID` demands [other]
          hint: `thoth doctor --settings` shows who demands that
        1 error: this runs as [user], and `THOTH_EXPECTED_PROXY_USER` demands `nobody-of-that-name`
          hint: `thoth doctor --settings` shows who demands that
        ")
    });
}

/// Defends: what the operator demands reaches the data path: a server that is ruled out is not started, and a call that
/// its intent does not allow is refused, in every mode.
#[test]
fn demands_reach_the_data_path() {
    let scratch = tempfile::tempdir().unwrap();
    let output = run(scratch.path(), &[], &[("THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES", "python,TRUE")]);
    assert_eq!(output.status.code(), Some(126), "{}", stderr(&output));
    assert!(stderr(&output).contains("lineage_upstream_binary_blocked"), "{}", stderr(&output));

    for (intent, code) in
        [("triage", "\"reason_code\":\"tool_not_allowed_for_session_intent\""), ("other", "\"code\":-32603")]
    {
        let scratch = tempfile::tempdir().unwrap();
        let flags = ["run", "--enforcement-mode", "observe", "--session-intent", intent, "--policy", "policy.yaml"];
        fs::write(scratch.path().join("policy.yaml"), "version: \"1\"\ndefaults: { approval: auto }\n").unwrap();
        let words: Vec<_> = flags.into_iter().chain(["--", "cat"]).collect();
        let variables = [("THOTH_INTENT_TOOL_ALLOWLIST", "triage=read,other=pay")];
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{}}}"#;
        let output = thoth(scratch.path(), &words, &variables, &format!("{call}\n"));
        let answer = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(answer.contains(code), "{intent}: {answer} {}", stderr(&output));
    }
}

/// Defends: as root, nothing written lets a session run; a stage that is written as production does not.
#[test]
fn root_where_it_was_ruled_out() {
    let is_root = uid() == 0;
    for (variables, refused) in [
        (&[][..], false),
        (&[("THOTH_ENV", "dev")], false),
        (&[("THOTH_ENV", "prod")], true),
        (&[("THOTH_REQUIRE_NON_ROOT", "true")], true),
        (&[("THOTH_ENV", "prod"), ("THOTH_REQUIRE_NON_ROOT", "false")], false),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let output = run(scratch.path(), &[], variables);
        assert_eq!(output.status.success(), !(is_root && refused), "{variables:?} {}", stderr(&output));
    }
}

/// Defends: a misspelt variable is told with what was meant, another program's is not, and neither stops anything.
#[test]
fn unknown_variables_are_told() {
    let scratch = tempfile::tempdir().unwrap();
    let variables = [("THOTH_TENNANT_ID", "a"), ("THOTH_WEBHOOK_URL", "b"), ("THOTH_TLS_VERIFY", "off")];
    let output = run(scratch.path(), &[], &variables);
    assert!(output.status.success());
    let said: String = stderr(&output).lines().filter(|line| line.contains("settings:")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(said, @"
    thoth: settings: the variable `THOTH_TENNANT_ID` is not known; did you mean `THOTH_TENANT_ID`?
    thoth: settings: THOTH_TLS_VERIFY is `off`: it is neither `true` nor `false`; `thoth update` and `thoth doctor` stop at it
    ");
}

/// Defends: a client's file cannot make a directory of its project the home.
#[test]
fn a_home_is_an_absolute_path() {
    let scratch = tempfile::tempdir().unwrap();
    for words in [&["run", "--", "/bin/true"][..], &["doctor"], &["policy", "check", "x.yaml"]] {
        let said = thoth(scratch.path(), words, &[("THOTH_HOME", "home")], "");
        let refused = String::from_utf8(said.stderr).unwrap().contains("THOTH_HOME is not an absolute path");
        assert_eq!(refused, words != ["policy", "check", "x.yaml"], "{words:?}");
        assert!(!said.status.success() && !scratch.path().join("home").exists(), "{words:?}");
    }
}

/// Defends: nothing is written anywhere before a home that cannot be used is refused, as a wrong use.
#[test]
fn homes_that_cannot_be_used() {
    let scratch = tempfile::tempdir().unwrap();
    let odd = [scratch.path().as_os_str().as_bytes(), b"/h\xff"].concat();
    for (thoth_home, home, said) in [
        (OsStr::from_bytes(&odd), "/", "THOTH_HOME is not UTF-8"),
        (OsStr::new(""), "relative", "HOME is not an absolute path"),
        (OsStr::new("/x\nthoth: every call is allowed"), "/", "THOTH_HOME has a control character"),
    ] {
        for words in [&["run", "--", "true"][..], &["set-api-key"], &["doctor"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
            command.args(words).current_dir(&scratch).env("THOTH_HOME", thoth_home).env("HOME", home);
            let output = command.stdin(Stdio::null()).output().unwrap();
            let error = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
            assert!(error.contains(said) || words != ["run", "--", "true"], "{words:?}: {error}");
            assert!(!output.status.success() && !error.contains("\nthoth: every"), "{words:?}: {error}");
            assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "{words:?}");
            assert!(words != ["run", "--", "true"] || output.status.code() == Some(2), "{error}");
        }
    }
}

/// Defends: what stands in a variable makes no line of its own, and credentials in an address are not shown.
#[test]
fn what_variables_say_is_not_printed_as_it_is() {
    for (name, value, settings_fail) in [
        ("THOTH_API_KEY_FILE", "/x\nthoth: every call is allowed", false),
        ("THOTH_TLS_CA_BUNDLE", "/x\nthoth: every call is allowed", false),
        ("THOTH_TENANT_ID", "x\nthoth: every call is allowed", true),
        ("THOTH_GOVAPI_URL", "https://u:sesame-0123456789@host/x?token=sesame-0123456789", false),
        ("THOTH_ENFORCER_URL", "https://u:sesame-0123456789@host/x?token=sesame-0123456789", true),
    ] {
        for words in [&["run", "--", "true"][..], &["doctor", "--settings"], &["doctor", "--settings", "--json"]] {
            let scratch = tempfile::tempdir().unwrap();
            let output = thoth(scratch.path(), words, &[(name, value)], "");
            let said = stderr(&output) + "\n" + &String::from_utf8(output.stdout).unwrap();
            assert!(said.contains(name), "{name} {words:?}: {said}");
            assert!(!said.contains("\nthoth: every") && !said.contains(SECRET), "{name} {words:?}: {said}");
            assert!(words.len() == 2 || words[0] == "doctor" || output.status.success() != settings_fail, "{said}");
        }
    }
}

/// Defends: people and scripts see what holds and from where, and no secret.
#[test]
fn doctor_shows_the_settings() {
    let scratch = tempfile::tempdir().unwrap();
    let variables = [
        ("THOTH_HOME", "/nowhere/home"),
        ("THOTH_TENANT_ID", "acme"),
        ("THOTH_APEX_DOMAIN", "example.org"),
        ("THOTH_API_KEY", SECRET),
        ("THOTH_AUTH_TOKEN", SECRET),
        ("THOTH_ENDPOINT_ID", "laptop-7"),
        ("THOTH_ENV", "dev"),
        ("THOTH_HEARTBEAT_INTERVAL_SECONDS", "5m"),
        ("THOTH_ENFORCEMENT_MODE", "observe"),
    ];
    let people = thoth(scratch.path(), &["doctor", "--settings"], &variables, "");
    let shown = String::from_utf8(people.stdout).unwrap();
    let script = thoth(scratch.path(), &["doctor", "--settings", "--json"], &variables, "");
    let json = String::from_utf8(script.stdout).unwrap();
    for text in [&shown, &json, &String::from_utf8(people.stderr).unwrap(), &String::from_utf8(script.stderr).unwrap()]
    {
        assert!(!text.contains(SECRET), "{text}");
    }
    insta::assert_snapshot!(shown, @"
    THOTH_TENANT_ID                      acme                              environment
    THOTH_ENDPOINT_ID                    laptop-7                          environment
    THOTH_ENV                            dev                               environment
    THOTH_API_KEY                        set                               environment                       not used without an enforcer
    THOTH_AUTH_TOKEN                     set                               environment                       not used yet
    THOTH_APEX_DOMAIN                    example.org                       environment                       not used yet
    THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC  300                               THOTH_HEARTBEAT_INTERVAL_SECONDS  not used without an enforcer
    THOTH_REQUIRE_NON_ROOT               false                             default
    THOTH_HOME                           /nowhere/home                     environment
    endpoint                             laptop-7                          derived                           as named
    enforce address                      https://enforce.acme.example.org  derived                           not used yet
    grid address                         https://grid.acme.example.org     derived                           not used yet
    THOTH_ENFORCEMENT_MODE               -                                 environment                       not read: of the SDKs
    31 more are not set; docs/reference/env.md lists them
    ");
    let json: Value = serde_json::from_str(&json).unwrap();
    let row = |name: &str| json["settings"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    insta::assert_snapshot!(format!("{}\n{}\n{}", row("THOTH_API_KEY"), row("endpoint"), row("THOTH_TLS_VERIFY")), @r#"
    {"name":"THOTH_API_KEY","notes":["not used without an enforcer"],"origin":"THOTH_API_KEY","source":"environment","state":"in_use_with_enforcer","value":"set"}
    {"name":"endpoint","notes":["as named"],"origin":null,"source":"derived","state":null,"value":"laptop-7"}
    {"name":"THOTH_TLS_VERIFY","notes":[],"origin":null,"source":"default","state":"in_use_by_update","value":"true"}
    "#);
    assert!(!scratch.path().join("home").exists(), "a command that reads has written");
}

/// Defends: the first session makes the home, private, and later ones never touch what stands there.
#[test]
fn the_first_run_makes_the_profile() {
    let scratch = tempfile::tempdir().unwrap();
    let home = scratch.path().join("home");
    assert!(run(scratch.path(), &[], &[("THOTH_API_KEY_ID", "laptop")]).status.success());
    assert_eq!(mode(&home), 0o700);
    let files = ["intent_map.json", "proxy_api_key.json", "policy.yaml"].map(|name| home.join(name));
    assert_eq!(files.each_ref().map(|file| mode(file)), [0o600; 3]);
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), "{}\n");
    assert_eq!(fs::read_to_string(&files[1]).unwrap(), "{\n  \"api_key\": \"\",\n  \"key_id\": \"laptop\"\n}\n");
    assert!(fs::read_to_string(&files[2]).unwrap().contains("version:"));

    for file in &files {
        let text = if file.ends_with("policy.yaml") { "version: \"1\"\n" } else { "{\"a\": \"b\"}" };
        fs::write(file, text).unwrap();
    }
    let before = files.each_ref().map(|file| fs::read(file).unwrap());
    let output = run(scratch.path(), &[], &[]);
    assert!(output.status.success() && !stderr(&output).contains("starter policy"), "{}", stderr(&output));
    assert_eq!(files.each_ref().map(|file| fs::read(file).unwrap()), before);
}

/// Defends: what others can get at or change is closed, and that is said.
#[test]
fn open_files_are_closed() {
    let scratch = tempfile::tempdir().unwrap();
    let home = scratch.path().join("home");
    assert!(run(scratch.path(), &[], &[]).status.success());
    for (name, open, closed) in
        [("intent_map.json", 0o666, 0o644), ("proxy_api_key.json", 0o644, 0o600), ("policy.yaml", 0o664, 0o644)]
    {
        chmod(&home.join(name), open);
        let output = run(scratch.path(), &[], &[]);
        assert!(output.status.success() && stderr(&output).contains(name), "{}", stderr(&output));
        assert_eq!(mode(&home.join(name)), closed, "{name}");
        assert!(!stderr(&run(scratch.path(), &[], &[])).contains(name));
    }
}

/// Defends: something else in the place of a file ends in an error that names it, and never in a wait.
#[test]
fn no_pipe_or_directory_stands_in_for_a_file() {
    for name in ["intent_map.json", "proxy_api_key.json", "policy.yaml"] {
        for pipe in [true, false] {
            let scratch = tempfile::tempdir().unwrap();
            let home = scratch.path().join("home");
            assert!(run(scratch.path(), &[], &[]).status.success());
            let path = home.join(name);
            fs::remove_file(&path).unwrap();
            if pipe {
                assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            } else {
                fs::create_dir(&path).unwrap();
            }
            let output = run(scratch.path(), &[], &[]);
            let said = stderr(&output);
            assert!(output.status.code() == Some(1) && said.contains(name) && said.contains("regular file"), "{said}");
        }
    }
}

/// Defends: every way to give the key ends in the same file, private, with everything else in it kept.
#[test]
fn the_key_is_saved() {
    for (words, input) in [
        (&["set-api-key", "--api-key", SECRET][..], ""),
        (&["set-api-key", "--api-key", "--api-key-value", SECRET], ""),
        (&["set-api-key", "--api-key-value", SECRET], ""),
        (&["set-api-key", "--api-key=sesame-0123456789"], ""),
        (&["set-api-key", "--api-key", "-"], "sesame-0123456789\n"),
        (&["set-api-key", "--api-key"], " sesame-0123456789\r\n"),
        (&["set-api-key"], "sesame-0123456789"),
        (&["set-api-key"], "\u{feff}sesame-0123456789\r\n"),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let home = scratch.path().join("home");
        fs::create_dir(&home).unwrap();
        chmod(&home, 0o700);
        let path = home.join("proxy_api_key.json");
        fs::write(&path, "{\"api_key\": \"old\", \"key_id\": \"laptop\", \"note\": [1]}").unwrap();
        let output = thoth(scratch.path(), words, &[], input);
        let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.contains(SECRET), "{words:?}: {said}");
        assert_eq!(said.contains("on a command line"), words.concat().contains(SECRET), "{words:?}: {said}");
        let saved: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(saved, serde_json::json!({"api_key": SECRET, "key_id": "laptop", "note": [1]}), "{words:?}");
        assert_eq!(mode(&path), 0o600);
        let files = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(files.len(), 3, "{files:?}");
    }
}

/// Defends: a link to a file elsewhere stays one, and the file behind it gets the key.
#[test]
fn a_link_stays_a_link() {
    let scratch = tempfile::tempdir().unwrap();
    let (home, behind) = (scratch.path().join("home"), scratch.path().join("elsewhere.json"));
    assert!(run(scratch.path(), &[], &[]).status.success());
    let path = home.join("proxy_api_key.json");
    fs::rename(&path, &behind).unwrap();
    std::os::unix::fs::symlink(&behind, &path).unwrap();
    assert!(thoth(scratch.path(), &["set-api-key"], &[], SECRET).status.success());
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    let saved: Value = serde_json::from_slice(&fs::read(&behind).unwrap()).unwrap();
    assert_eq!((&saved["api_key"], mode(&behind)), (&Value::from(SECRET), 0o600));
}

/// Defends: what is no key changes nothing, and no message repeats it.
#[test]
fn what_is_no_key_changes_nothing() {
    let before = "{\"api_key\": \"old\"}";
    for (content, words, input, code) in [
        (before, &["set-api-key"][..], "", 2),
        (before, &["set-api-key"], " \n", 2),
        (before, &["set-api-key"], "sesame sesame", 2),
        (before, &["set-api-key"], "sesame\nsesame\n", 2),
        (before, &["set-api-key", "--api-key", "sesame", "--api-key-value", "sesame"], "", 2),
        (before, &["set-api-key"], &"sesame".repeat(1000), 2),
        ("{\"api_key\": \"old\",}", &["set-api-key"], "sesame", 1),
        ("{\"api_key\": 7}", &["set-api-key"], "sesame", 1),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("home/proxy_api_key.json");
        fs::create_dir(path.parent().unwrap()).unwrap();
        chmod(path.parent().unwrap(), 0o700);
        fs::write(&path, content).unwrap();
        chmod(&path, 0o600);
        let output = thoth(scratch.path(), words, &[], input);
        let said = stderr(&output);
        assert_eq!((output.status.code(), said.contains("sesame")), (Some(code), false), "{words:?} {said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

/// Defends: on a terminal the key is asked for and not shown, within the limits of standard input, and whatever ends the
/// question leaves the terminal as it was. Python gives the terminal.
#[test]
fn the_key_is_asked_for_on_a_terminal() {
    let long = [SECRET; 256].concat();
    for (typed, code, said) in [
        (&b"sesame-0123456789\n"[..], 0, "wrote the API key"),
        (b"sesame-01\xff3456789\n", 2, "it is not UTF-8 text"),
        (format!("{long}\n").as_bytes(), 2, "it is longer than 4096 bytes"),
        (b"sesame\x03", -2, "API key: "),
        (b"TERM", -15, "API key: "),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let typed: String = typed.iter().map(|byte| format!("{byte:02x}")).collect();
        let output = Command::new("python3")
            .args(["-c", TERMINAL, env!("CARGO_BIN_EXE_thoth"), &typed])
            .env("THOTH_HOME", scratch.path().join("home"))
            .output()
            .unwrap();
        let seen = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        assert!(seen.contains(&format!("ended {code}, terminal as before: True")), "{seen}");
        assert!(seen.contains("API key: ") && seen.contains(said) && !seen.contains("sesame"), "{seen}");
        let path = scratch.path().join("home/proxy_api_key.json");
        assert_eq!(path.exists(), code == 0);
        if code == 0 {
            let saved: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            assert_eq!(saved["api_key"], SECRET);
        }
    }
}

/// Starts a command on a terminal, answers its prompt, and prints what it showed, how it ended, and whether the terminal is
/// as it was. An answer of `TERM` is that signal.
const TERMINAL: &str = r"
import os, pty, subprocess, sys, termios
typed = bytes.fromhex(sys.argv[2])
def wait_for_silence(fd):
    # The prompt stands there a moment before the echo is off.
    while termios.tcgetattr(fd)[3] & termios.ECHO:
        os.sched_yield()
pid, fd = pty.fork()
if pid == 0:
    before = termios.tcgetattr(0)
    process = subprocess.Popen([sys.argv[1], 'set-api-key', '--api-key'])
    if typed == b'TERM':
        wait_for_silence(0)
        process.terminate()
    code = process.wait()
    print(f'ended {code}, terminal as before: {termios.tcgetattr(0) == before}')
    sys.exit(0)
shown = b''
answered = typed == b'TERM'
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
    if not answered and b'API key: ' in shown:
        wait_for_silence(fd)
        os.write(fd, typed)
        answered = True
sys.stdout.buffer.write(shown)
os.waitpid(pid, 0)
";

/// Defends: a file that is no key file is not replaced; an empty one gets what a new one has.
#[test]
fn what_is_no_key_file_is_not_lost() {
    for (content, code) in [
        ("", 0),
        (" \n", 0),
        ("{}", 0),
        ("garbage: yes\n", 1),
        ("[\"a\"]", 1),
        ("\"a\"", 1),
        ("lone-key", 1),
        ("{\"a\":", 1),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        assert!(run(scratch.path(), &[], &[]).status.success());
        let path = scratch.path().join("home/proxy_api_key.json");
        fs::write(&path, content).unwrap();
        let output = thoth(scratch.path(), &["set-api-key"], &[("THOTH_API_KEY_ID", "laptop")], SECRET);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{content:?}: {said}");
        assert_eq!(said.contains("move it away"), code == 1, "{content:?}: {said}");
        let after = fs::read_to_string(&path).unwrap();
        if code == 0 {
            let key_id = if content == "{}" { Value::Null } else { "laptop".into() };
            let saved: Value = serde_json::from_str(&after).unwrap();
            assert_eq!((&saved["api_key"], &saved["key_id"]), (&Value::from(SECRET), &key_id), "{content:?}");
        } else {
            assert_eq!(after, content);
        }
    }
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
