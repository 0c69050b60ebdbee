//! Real programs that replace themselves by real signed artifacts from a real HTTPS server, and everything that must
//! not happen then.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "../../thoth-api/tests/server/https_server.rs"]
mod https_server;

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use https_server::{Answer, Authority, HttpsServer};
use jiff::{Timestamp, ToSpan as _};
use sha2::{Digest as _, Sha256};
use thoth_audit::note::Signer;
use thoth_update::{Artifact, MANIFEST_NAME, Release, Target};

const NOW: (i32, i32) = (2020, 2096);
const SUBJECT: &str = env!("CARGO_BIN_EXE_thoth-update-subject");

/// The subject itself as another version, which is as real as a release gets here.
fn subject(version: &str, behaviour: &str) -> Vec<u8> {
    let mut bytes = fs::read(SUBJECT).unwrap();
    bytes.extend_from_slice(format!("\n#subject {version} {behaviour}\n").as_bytes());
    bytes
}

/// A small program, where it matters only that it starts.
fn script(lines: &str) -> Vec<u8> {
    format!("#!/bin/sh\n{lines}\n").into_bytes()
}

fn release(version: &str, artifact: &[u8]) -> Release {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let target = Target::current().unwrap();
    let artifact = Artifact {
        target: target.as_str().to_owned(),
        file_name: target.file_name().to_owned(),
        size: u64::try_from(artifact.len()).unwrap(),
        sha256: Sha256::digest(artifact).into(),
    };
    Release {
        version: version.parse().unwrap(),
        date: now - 1.hour(),
        expires: now + 1.hour(),
        artifacts: vec![artifact],
    }
}

fn signer(seed: u8) -> Signer {
    Signer::new("thoth-release", &[seed; 32]).unwrap()
}

/// A server with releases, and a directory with a program that knows it.
struct Scene {
    folder: tempfile::TempDir,
    program: PathBuf,
    server: HttpsServer,
}

impl Scene {
    /// The program is version 0.1.0; the server answers so to the names of the files, and 404 to all else.
    fn new(below: &str, answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self::in_folder(folder, below, answers, |program| fs::hard_link(SUBJECT, program).unwrap())
    }

    fn in_folder(
        folder: tempfile::TempDir,
        below: &str,
        answers: impl IntoIterator<Item = (&'static str, Answer)>,
        put: impl FnOnce(&Path),
    ) -> Self {
        let directory = folder.path().join(below);
        fs::create_dir_all(&directory).unwrap();
        let program = directory.join("thoth");
        put(&program);
        let authority = Authority::new("test");
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let answers: HashMap<String, Answer> = answers.into_iter().map(|(k, v)| (format!("/r/{k}"), v)).collect();
        let server = HttpsServer::start(authority.issue(&["localhost"], NOW), move |path| {
            answers.get(path).cloned().unwrap_or(Answer::Status(404))
        });
        Self { folder, program, server }
    }

    /// A release, properly signed, and its artifact.
    fn offering(version: &str, artifact: Vec<u8>) -> Self {
        Self::new("bin", [(MANIFEST_NAME, manifest(version, &artifact)), (file_name(), Answer::Bytes(artifact))])
    }

    fn command(&self, program: &Path, flags: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("update").arg(signer(1).verifier().to_vkey()).arg(self.server.url("/r/"));
        command.arg(self.folder.path().join("ca.pem")).args(flags);
        command
    }

    /// Lets the program update itself; the lines that it prints.
    fn update(&self, flags: &[&str]) -> Vec<String> {
        lines(&run(&mut self.command(&self.program, flags)))
    }

    /// What the program in place says it is. This starts it, whatever happened to it.
    fn version(&self) -> String {
        lines(&run(Command::new(&self.program).arg("--version"))).concat()
    }

    /// The files beside the program.
    fn directory(&self) -> Vec<String> {
        let entries = fs::read_dir(self.program.parent().unwrap()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn assert_untouched(&self, case: &str) {
        assert_eq!(self.directory(), ["thoth"], "{case}: nothing is left behind");
        assert_eq!(fs::metadata(&self.program).unwrap().ino(), fs::metadata(SUBJECT).unwrap().ino(), "{case}");
    }
}

fn file_name() -> &'static str {
    Target::current().unwrap().file_name()
}

fn manifest(version: &str, artifact: &[u8]) -> Answer {
    Answer::Bytes(signer(1).sign(&release(version, artifact).to_string()).into_bytes())
}

fn run(command: &mut Command) -> Output {
    loop {
        match command.output() {
            // Another test's child still holds the file open for writing, until it starts its own program.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            output => return output.unwrap(),
        }
    }
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// The whole way: a program replaces itself, through a symbolic link, keeps its mode, leaves nothing behind; the new one
/// runs, and finds that it is current; only force installs the same again.
#[test]
fn a_program_becomes_the_new_version() {
    let scene = Scene::offering("0.2.0", subject("0.2.0", "good"));
    let link = scene.folder.path().join("link");
    std::os::unix::fs::symlink(&scene.program, &link).unwrap();
    assert_eq!(scene.version(), "thoth 0.1.0");
    assert_eq!(lines(&run(&mut scene.command(&link, &[]))), ["updated to 0.2.0"]);
    assert_eq!(scene.version(), "thoth 0.2.0");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let installed = fs::metadata(&scene.program).unwrap();
    assert_eq!(installed.mode() & 0o7777, fs::metadata(SUBJECT).unwrap().mode() & 0o777);
    assert_eq!(scene.directory(), ["thoth"]);
    assert_eq!(scene.update(&[]), ["current"]);
    assert_eq!(fs::metadata(&scene.program).unwrap().ino(), installed.ino());
    assert_eq!(scene.update(&["--force"]), ["updated to 0.2.0"]);
    assert_ne!(fs::metadata(&scene.program).unwrap().ino(), installed.ino());
    assert_eq!(scene.directory(), ["thoth"]);
}

/// A manifest counts only if the release key signed exactly it, for now, and for something newer. Force changes none of
/// that, and no artifact is even asked for.
#[test]
fn a_manifest_that_is_not_good_changes_nothing() {
    let artifact = script("echo thoth 0.2.0");
    let signed = |seed: u8, change: &dyn Fn(&mut Release)| {
        let mut release = release("0.2.0", &artifact);
        change(&mut release);
        signer(seed).sign(&release.to_string()).into_bytes()
    };
    let same = |_: &mut Release| {};
    let good = signed(1, &same);
    let text = String::from_utf8(good.clone()).unwrap();
    let altered = |from: &str, to: &str| {
        assert!(text.contains(from));
        Answer::Bytes(text.replacen(from, to, 1).into_bytes())
    };
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let of = |change: &dyn Fn(&mut Release)| Answer::Bytes(signed(1, change));
    let file = text.lines().nth(5).unwrap().to_owned();
    for (case, answer, code) in [
        ("another key of the same name", Answer::Bytes(signed(2, &same)), "bad_manifest"),
        ("a changed version", altered("0.2.0", "0.3.0"), "bad_manifest"),
        ("a changed digest", altered("sha256:", "sha256:0"), "bad_manifest"),
        ("a changed expiry", altered("expires 2", "expires 3"), "bad_manifest"),
        ("no signature", Answer::Bytes(release("0.2.0", &artifact).to_string().into_bytes()), "bad_manifest"),
        ("half of it", Answer::Bytes(good.get(..good.len() / 2).unwrap().to_vec()), "bad_manifest"),
        ("a line more", altered(&file, &format!("{file}\n{file}")), "bad_manifest"),
        ("another note by the key", Answer::Bytes(signer(1).sign("thoth.local/ledger\n1\nx\n").into()), "bad_manifest"),
        ("a broken connection", Answer::Cut(good.clone()), "unreachable"),
        ("an endless answer", Answer::Endless, "unreachable"),
        ("silence", Answer::Silence, "unreachable"),
        ("an error", Answer::Status(500), "unreachable"),
        ("plain http", Answer::Redirect("http://localhost:1/r/thoth-release.note".to_owned()), "unreachable"),
        ("an older version", of(&|r| r.version = "0.0.9".parse().unwrap()), "older"),
        ("a pre-release of ours", of(&|r| r.version = "0.1.0-rc.1".parse().unwrap()), "older"),
        ("expired", of(&|r| r.expires = now - 1.minute()), "expired"),
        ("of next week", of(&|r| (r.date, r.expires) = (now + 200.hours(), now + 400.hours())), "clock"),
        ("nothing for us", of(&|r| r.artifacts.clear()), "no_artifact"),
    ] {
        let artifact = Answer::Bytes(artifact.clone());
        let hasty = if matches!(answer, Answer::Silence) { "--hasty-server" } else { "" };
        let scene = Scene::new("bin", [(MANIFEST_NAME, answer), (file_name(), artifact)]);
        for force in ["", "--force"] {
            let said = scene.update(&[force, hasty]);
            assert_eq!(said.first().unwrap(), code, "{case}: {said:?}");
        }
        scene.assert_untouched(case);
        assert!(!scene.server.asked().contains(&format!("/r/{}", file_name())), "{case}");
    }
}

/// An artifact that is not the signed one is never started, let alone installed.
#[test]
fn an_artifact_that_is_not_the_signed_one_changes_nothing() {
    let marker = tempfile::NamedTempFile::new().unwrap();
    let touched = || fs::read(marker.path()).unwrap();
    let good = script(&format!("echo ran >> '{}'; echo thoth 0.2.0", marker.path().display()));
    let tampered = [good.as_slice(), b"#"].concat();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() = b' ';
    let short = good.get(..good.len() - 1).unwrap().to_vec();
    for (case, answer, code) in [
        ("a changed byte", Answer::Bytes(flipped), "bad_artifact"),
        ("a byte less", Answer::Bytes(short), "bad_artifact"),
        ("nothing", Answer::Bytes(Vec::new()), "bad_artifact"),
        ("a byte more", Answer::Bytes(tampered), "unreachable"),
        ("a broken connection", Answer::Cut(good.get(..10).unwrap().to_vec()), "unreachable"),
        ("endless", Answer::Endless, "unreachable"),
        ("silence", Answer::Silence, "unreachable"),
        ("slow", Answer::Drip(good.repeat(10)), "unreachable"),
        ("gone", Answer::Status(404), "unreachable"),
        ("plain http", Answer::Redirect("http://localhost:1/x".to_owned()), "unreachable"),
    ] {
        let size = if case == "slow" { good.repeat(10) } else { good.clone() };
        let scene = Scene::new("bin", [(MANIFEST_NAME, manifest("0.2.0", &size)), (file_name(), answer)]);
        let said = scene.update(&[if ["silence", "slow"].contains(&case) { "--hasty-server" } else { "" }]);
        assert_eq!(said.first().unwrap(), code, "{case}: {said:?}");
        scene.assert_untouched(case);
    }
    assert!(touched().is_empty());
    let scene = Scene::offering("0.2.0", good);
    assert_eq!(scene.update(&[]), ["updated to 0.2.0"], "the artifact as it was signed");
    assert!(!touched().is_empty(), "and that one was started");
}

/// A signed program that does not start, or is not the version that was promised, is not installed.
#[test]
fn a_program_that_does_not_start_is_not_installed() {
    for (case, artifact, words) in [
        ("no program", b"\x7fELF nonsense".to_vec(), "the system does not run it"),
        ("ends badly", script("echo thoth 0.2.0; exit 3"), "exit status: 3"),
        ("killed", script("kill -9 $$"), "signal: 9"),
        ("another version", script("echo thoth 0.1.0"), "`--version` says `thoth 0.1.0`"),
        ("another program", script("printf 'thoth 0.2.0\\n\\033[2Jmore'"), r"says `thoth 0.2.0\n\u{1b}[2Jmore`"),
        ("silent", script(":"), "`--version` says ``"),
        ("silent, with a child", script("sleep 5 2>/dev/null & exit 0"), "`--version` says ``"),
        ("hangs", script("exec sleep 600"), "took longer than 1 seconds"),
        ("talks without end", script("while :; do echo thoth 0.2.0; done"), "took longer than 1 seconds"),
    ] {
        let scene = Scene::offering("0.2.0", artifact);
        let said = scene.update(&[if words.contains("took longer") { "--hasty-start" } else { "" }]);
        assert_eq!(said.first().unwrap(), "does_not_start", "{case}: {said:?}");
        assert!(said.concat().contains(words), "{case}: {said:?}");
        scene.assert_untouched(case);
    }
}

/// A program that starts beside the old one and not in its place is taken back.
#[test]
fn a_program_that_fails_in_place_is_rolled_back() {
    let scene = Scene::offering("0.2.0", subject("0.2.0", "bad-in-place"));
    let said = scene.update(&[]);
    assert_eq!(said.first().unwrap(), "rolled_back", "{said:?}");
    scene.assert_untouched("rolled back");
    assert_eq!(scene.version(), "thoth 0.1.0");
}

/// Killed at any step, the program in place is a whole one and runs; the next update works and cleans up.
#[test]
fn kill_9_at_any_step_leaves_a_whole_program() {
    let small = Scene::offering("0.2.0", script(&format!("echo thoth 0.2.0; exit\n{}", "#".repeat(100_000))));
    let whole = Scene::offering("0.2.0", subject("0.2.0", "good"));
    for (step, after, scene) in [
        ("begun", "0.1.0", &small),
        ("downloading", "0.1.0", &small),
        ("downloaded", "0.1.0", &small),
        ("checked", "0.1.0", &small),
        ("tried", "0.1.0", &small),
        ("kept", "0.1.0", &small),
        // Here it is the new one that must be able to update.
        ("replaced", "0.2.0", &whole),
        ("done", "0.2.0", &whole),
    ] {
        fs::remove_file(&scene.program).unwrap();
        fs::hard_link(SUBJECT, &scene.program).unwrap();
        let killed = run(&mut scene.command(&scene.program, &[&format!("--die-at={step}")]));
        assert_eq!(killed.status.signal(), Some(9), "{step}");
        assert_eq!(scene.version(), format!("thoth {after}"), "{step}");
        let again = scene.update(&["--force"]);
        assert_eq!(again, ["updated to 0.2.0"], "{step}");
        assert_eq!(scene.version(), "thoth 0.2.0", "{step}");
        assert_eq!(scene.directory(), ["thoth"], "{step}: what was left is gone");
    }
}

/// Two updates of one program do not meet.
#[test]
fn one_update_at_a_time() {
    let scene = Scene::offering("0.2.0", script("echo thoth 0.2.0"));
    let directory = fs::File::open(scene.program.parent().unwrap()).unwrap();
    directory.try_lock().unwrap();
    assert_eq!(scene.update(&[]).first().unwrap(), "busy");
    scene.assert_untouched("busy");
    drop(directory);
    assert_eq!(scene.update(&[]), ["updated to 0.2.0"]);
}

/// What a package manager has installed stays as it is, with force too, and its own command is named.
#[test]
fn a_package_managers_program_is_left_alone() {
    let artifact = script("echo thoth 0.2.0");
    let answers = [(MANIFEST_NAME, manifest("0.2.0", &artifact)), (file_name(), Answer::Bytes(artifact))];
    let scene = Scene::new("Cellar/thoth/0.1.0/bin", answers);
    let said = scene.update(&["--force"]);
    assert_eq!(said.first().unwrap(), "managed");
    assert_eq!(said.last().unwrap(), "to update: brew upgrade thoth");
    scene.assert_untouched("managed");
    assert!(!scene.server.asked().contains(&format!("/r/{}", file_name())));
}

/// A directory that cannot be written to is named, with what to do.
#[test]
fn a_directory_that_is_not_ours() {
    let scene = Scene::offering("0.2.0", script("echo thoth 0.2.0"));
    let directory = scene.program.parent().unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o555)).unwrap();
    let plain = scene.command(&scene.program, &[]);
    let mut command = if rustix::process::geteuid().is_root() {
        // Root may write anywhere, unless that power is taken away.
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-dac_override").arg(plain.get_program()).args(plain.get_args());
        command
    } else {
        plain
    };
    let said = lines(&run(&mut command));
    assert_eq!(said.first().unwrap(), "io", "{said:?}");
    assert!(said.concat().contains(&format!("cannot write to `{}`", directory.display())), "{said:?}");
    assert!(said.last().unwrap().contains("sudo thoth update"), "{said:?}");
    scene.assert_untouched("not ours");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A file system of a given size, unmounted in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where mounting is not allowed.
    fn mount(at: &Path, kibibytes: u64) -> Option<Self> {
        let options = format!("size={kibibytes}k,mode=0755");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output().ok()?;
        output.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

/// A full disk is named, and costs nothing: the half download is removed, and room makes the same update work.
#[test]
fn a_full_disk_changes_nothing() {
    let mut artifact = script("echo thoth 0.2.0; exit");
    artifact.resize(4 << 20, b'#');
    let size = fs::metadata(SUBJECT).unwrap().len() / 1024;
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let Some(_disk) = SmallDisk::mount(&bin, size + 6 * 1024) else {
        // Mounting takes root; as anybody else there is nothing to fill.
        assert!(!rustix::process::geteuid().is_root(), "root can mount a tmpfs");
        return;
    };
    let answers = [(MANIFEST_NAME, manifest("0.2.0", &artifact)), (file_name(), Answer::Bytes(artifact))];
    let scene = Scene::in_folder(folder, "bin", answers, |program| {
        fs::copy(SUBJECT, program).unwrap();
    });
    let ballast = bin.join("ballast");
    fs::write(&ballast, vec![0; 4 << 20]).unwrap();
    let said = scene.update(&[]);
    assert_eq!(said.first().unwrap(), "io", "{said:?}");
    assert!(said.last().unwrap().contains("make some room"), "{said:?}");
    assert_eq!(scene.directory(), ["ballast", "thoth"]);
    assert_eq!(scene.version(), "thoth 0.1.0");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(scene.update(&[]), ["updated to 0.2.0"]);
    assert_eq!(scene.directory(), ["thoth"]);
}
