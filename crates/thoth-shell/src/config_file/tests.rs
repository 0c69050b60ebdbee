//! Replacing files while others write them, and while the process is killed.

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use super::swap::{Step, exchange};
use super::*;

const STEPS: [Step; 7] =
    [Step::Created, Step::Written, Step::Ready, Step::Exchanged, Step::PutBack, Step::Compared, Step::Removed];

/// A folder with a file and a place for backups.
struct Scene {
    folder: PathBuf,
    /// Removes the folder in the end.
    _temporary: Option<tempfile::TempDir>,
}

impl Scene {
    fn new(content: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let scene = Self { folder: temporary.path().to_path_buf(), _temporary: Some(temporary) };
        fs::create_dir(scene.directory()).unwrap();
        fs::write(scene.file(), content).unwrap();
        scene
    }

    fn at(path: &Path) -> Self {
        Self { folder: path.to_path_buf(), _temporary: None }
    }

    fn directory(&self) -> PathBuf {
        self.folder.join("config")
    }

    fn file(&self) -> PathBuf {
        self.directory().join("file.json")
    }

    fn backups(&self) -> Backups {
        Backups::new(self.folder.join("backups"))
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// What everything holds that is in the folder of the file, and what all backups hold.
    fn others(&self) -> Vec<String> {
        let texts = |directory: PathBuf| {
            let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
            let mut texts: Vec<_> =
                entries.filter(|path| *path != self.file()).map(|path| fs::read_to_string(path).unwrap()).collect();
            texts.sort();
            texts
        };
        [texts(self.directory()), texts(self.folder.join("backups"))].concat()
    }

    fn rewrite(&self, steps: &Steps<'_>) -> Result<Rewritten, FileProblem> {
        rewrite_in(&self.file(), &self.backups(), |bytes| Ok(marked(bytes)), steps)
    }

    /// Rewrites as the real command does.
    fn really(&self) -> Result<Rewritten, FileProblem> {
        self.rewrite(&Steps::REAL)
    }

    fn overwrite(&self, content: &str, how: How) {
        match how {
            How::InPlace => fs::write(self.file(), content).unwrap(),
            How::Renamed => {
                let path = self.folder.join("theirs");
                fs::write(&path, content).unwrap();
                fs::rename(path, self.file()).unwrap();
            }
        }
    }
}

/// How another program writes.
#[derive(Debug, Clone, Copy)]
enum How {
    InPlace,
    Renamed,
}

/// The plan of these tests: content gets a mark, once.
fn marked(bytes: &[u8]) -> Option<Vec<u8>> {
    (!bytes.ends_with(b"+")).then(|| [bytes, b"+"].concat())
}

fn unsupported(_: &Path, _: &Path) -> rustix::io::Result<()> {
    Err(rustix::io::Errno::INVAL)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Defends: the content changes, and nothing else about the file: neither its mode nor a link that leads to it; a private
/// copy of what it held exists; and what needs no change is not touched.
#[test]
fn the_content_alone_changes() {
    for exchange in [&exchange as &dyn Fn(&Path, &Path) -> _, &unsupported] {
        let scene = Scene::new("a");
        let link = scene.folder.join("link");
        symlink("config/file.json", &link).unwrap();
        fs::set_permissions(scene.file(), fs::Permissions::from_mode(0o640)).unwrap();
        let steps = Steps { exchange, after: &|_| (), fresh: Duration::ZERO };
        let done = rewrite_in(&link, &scene.backups(), |bytes| Ok(marked(bytes)), &steps).unwrap();
        assert_eq!((&*scene.text(), mode(&scene.file()), link.is_symlink()), ("a+", 0o640, true));
        let backup = done.backup.unwrap();
        assert_eq!((&*fs::read(&backup).unwrap(), mode(&backup)), (&b"a"[..], 0o600));
        assert_eq!(mode(backup.parent().unwrap()), 0o700);
        let name = backup.file_name().unwrap().to_str().unwrap();
        assert!(name.contains("Z-file.json-"), "{name}");
        let inode = fs::metadata(scene.file()).unwrap().ino();
        assert_eq!(scene.really().unwrap(), Rewritten { backup: None, rescued: vec![] });
        assert_eq!(fs::metadata(scene.file()).unwrap().ino(), inode);
        assert_eq!(scene.others(), ["a"]);
    }
}

/// Defends: attributes that people and other programs attach to a file stay with it.
#[test]
fn attributes_are_kept() {
    let scene = Scene::new("a");
    let set = |path: &Path| rustix::fs::setxattr(path, "user.origin", b"here", rustix::fs::XattrFlags::CREATE);
    // Not every file system has attributes.
    if set(&scene.file()).is_ok() {
        scene.really().unwrap();
        let mut value = [0; 4];
        assert_eq!(rustix::fs::getxattr(scene.file(), "user.origin", &mut value[..]), Ok(4));
        assert_eq!(&value, b"here");
    }
}

/// Defends: whatever another program writes at whatever moment, and however often, the newest that it wrote is in place
/// in the end, with our change or without it; and nothing is left behind.
#[test]
fn what_others_write_meanwhile_is_never_lost() {
    let (mut outrun, mut marked) = (0, 0);
    for seed in 0..100_u64 {
        let scene = Scene::new("0");
        let random = Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let written = Cell::new(0);
        let perhaps = |_| {
            let mut x = random.get();
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            random.set(x);
            // Rarely enough that some run gets through, or the plan would only ever be given up.
            if x % 5 < 2 && written.get() < 8 {
                written.set(written.get() + 1);
                let how = if x & 64 == 0 { How::InPlace } else { How::Renamed };
                scene.overwrite(&written.get().to_string(), how);
            }
        };
        let exchange = |one: &Path, other: &Path| {
            perhaps(Step::Ready);
            exchange(one, other)
        };
        let done = scene.rewrite(&Steps { exchange: &exchange, after: &perhaps, fresh: Duration::ZERO }).unwrap();
        assert_eq!(scene.text().trim_end_matches('+'), written.get().to_string(), "seed {seed}");
        marked += u32::from(scene.text().ends_with('+'));
        outrun += u32::from(written.get() > 0);
        // The one backup is of what was replaced.
        assert_eq!(scene.others(), [fs::read_to_string(done.backup.unwrap()).unwrap()], "seed {seed}");
    }
    assert!(marked > 15 && outrun > 50, "{marked} {outrun}");
}

/// Defends: something that is no file of ours, put in place at the last moment, is put back as it was.
#[test]
fn foreign_things_go_back() {
    for what in ["link", "folder"] {
        let scene = Scene::new("a");
        let once = Cell::new(true);
        let exchange = |one: &Path, other: &Path| {
            if once.replace(false) {
                fs::remove_file(scene.file()).unwrap();
                match what {
                    "link" => symlink("elsewhere", scene.file()).unwrap(),
                    _ => fs::create_dir(scene.file()).unwrap(),
                }
            }
            exchange(one, other)
        };
        let problem = scene.rewrite(&Steps { exchange: &exchange, after: &|_| (), fresh: Duration::ZERO }).unwrap_err();
        let expected = if what == "link" { "a link to a file that does not exist" } else { "it is a directory" };
        assert!(problem.message.contains(expected), "{problem:?}");
        assert_eq!(scene.file().is_symlink(), what == "link");
        assert_eq!(fs::read_dir(scene.directory()).unwrap().count(), 1, "{what}");
    }
}

/// The other half of the test below: runs in a process of its own, and dies.
#[test]
fn die_in_the_middle() {
    let Some(arguments) = std::env::var_os("THOTH_TEST_DIE") else { return };
    let arguments = arguments.to_str().unwrap();
    let (step, path) = arguments.split_once(' ').unwrap();
    let scene = Scene::at(Path::new(path));
    let dying = |now| {
        if format!("{now:?}") == step {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
    };
    let intruding = |one: &Path, other: &Path| {
        if step == "PutBack" && scene.text() == "a" {
            scene.overwrite("theirs", How::Renamed);
        } else if step == "Exchanged" && path.ends_with("intruded") && scene.text() == "a" {
            scene.overwrite("theirs", How::InPlace);
        }
        exchange(one, other)
    };
    drop(scene.rewrite(&Steps { exchange: &intruding, after: &dying, fresh: Duration::ZERO }));
}

/// Defends: a run that is killed between any two steps leaves a whole file, the old or the new one; the old content and
/// whatever others wrote exists somewhere; and the next run finishes the work and leaves nothing else beside the file.
#[test]
fn a_killed_run_leaves_a_whole_file() {
    for intruded in [false, true] {
        for step in STEPS {
            let outer = Scene::new("a");
            let path = outer.folder.join(if intruded { "intruded" } else { "alone" });
            fs::create_dir(&path).unwrap();
            fs::rename(outer.directory(), path.join("config")).unwrap();
            let scene = Scene::at(&path);
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "config_file::tests::die_in_the_middle"])
                .env("THOTH_TEST_DIE", format!("{step:?} {}", path.display()))
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
            assert!(killed, "{step:?} {status}");
            let text = scene.text();
            assert!(["a", "a+", "theirs", "theirs+"].contains(&&*text), "{step:?}: {text}");
            let theirs = step == Step::PutBack || step == Step::Exchanged && intruded;
            let somewhere = |content: &str| text == content || scene.others().iter().any(|other| other == content);
            assert!(somewhere("a"), "{step:?}");
            assert!(!theirs || somewhere("theirs"), "{step:?}");

            let done = scene.really().unwrap();
            assert_eq!(scene.text(), if step == Step::PutBack { "theirs+" } else { "a+" }, "{step:?}");
            assert_eq!(fs::read_dir(scene.directory()).unwrap().count(), 1, "{step:?}");
            assert!(somewhere("a") && (!theirs || somewhere("theirs") || step == Step::PutBack), "{step:?}");
            let told = done.rescued.iter().map(|path| fs::read_to_string(path).unwrap());
            let rescued: Vec<_> = told.collect();
            // Content of ours that was ready and never in place is not told from that of others.
            let expected: &[&str] = match step {
                Step::Ready => &["a+"],
                Step::PutBack => &["a+"],
                Step::Exchanged if intruded => &["theirs"],
                _ => &[],
            };
            assert_eq!(rescued, expected, "{step:?} {intruded}");
        }
    }
}

/// Defends: files of other programs that look a little like ours stay.
#[test]
fn only_our_own_leftovers_are_removed() {
    let scene = Scene::new("a");
    let mark = mark(&fs::canonicalize(scene.file()).unwrap());
    let names = [
        (format!(".thoth-{mark}-0123456789abcdef.new"), false),
        (format!(".thoth-{mark}-0123456789abcdeg.new"), true),
        (format!(".thoth-{mark}-0123456789abcdef.old"), true),
        (".thoth-00000000-0123456789abcdef.new".to_owned(), true),
        (".thoth-notes".to_owned(), true),
    ];
    for (name, _) in &names {
        fs::write(scene.directory().join(name), "b").unwrap();
    }
    scene.really().unwrap();
    for (name, stays) in &names {
        assert_eq!(scene.directory().join(name).exists(), *stays, "{name}");
    }
}

/// Defends: what its owner has closed is not changed, also not by root, and the answer says what to do.
#[test]
fn closed_files_and_directories_are_refused() {
    let scene = Scene::new("a");
    let mut seen = String::new();
    let mut refused = |scene: &Scene, path: &Path| {
        let problem = rewrite(path, &scene.backups(), |bytes| Ok(marked(bytes))).unwrap_err();
        let hint = problem.hint.map(|hint| format!("  {hint}\n")).unwrap_or_default();
        let text = format!("{}\n{hint}", problem.message);
        let folder = &scene.folder;
        let real = fs::canonicalize(folder).unwrap();
        seen += &text.replace(real.to_str().unwrap(), "DIR").replace(folder.to_str().unwrap(), "DIR");
        assert!(!folder.join("backups").exists(), "{text}");
    };
    let directory = scene.directory();
    for (path, closed, open) in [(scene.file(), 0o444, 0o600), (directory.clone(), 0o555, 0o700)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(closed)).unwrap();
        refused(&scene, &scene.file());
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
    }
    fs::hard_link(scene.file(), directory.join("other")).unwrap();
    refused(&scene, &scene.file());
    refused(&scene, &directory);
    refused(&scene, &directory.join("missing"));
    symlink("nowhere", directory.join("dangling")).unwrap();
    refused(&scene, &directory.join("dangling"));
    assert!(Command::new("mkfifo").arg(directory.join("fifo")).status().unwrap().success());
    refused(&scene, &directory.join("fifo"));
    refused(&scene, Path::new("/dev/zero"));
    File::create(directory.join("long")).unwrap().set_len(MAX_BYTES + 1).unwrap();
    refused(&scene, &directory.join("long"));
    assert_eq!(scene.text(), "a");
    insta::assert_snapshot!(seen, @"
    `DIR/config/file.json` is read-only (mode 444)
      run `chmod u+w 'DIR/config/file.json'`, or write to another file with --output
    the directory of `DIR/config/file.json` is read-only (mode 555)
      run `chmod u+w 'DIR/config'`, or write to another file with --output
    `DIR/config/file.json` has 2 names (hard links); replacing it would part them
      make the others symbolic links to it, or write to another file with --output
    cannot read `DIR/config`: it is a directory; a configuration is a regular file
    there is no file `DIR/config/missing`
    `DIR/config/dangling` is a link to a file that does not exist
    cannot read `DIR/config/fifo`: it is a pipe, a device or a socket; a configuration is a regular file
    cannot read `/dev/zero`: it is a pipe, a device or a socket; a configuration is a regular file
    `DIR/config/long` is 16777217 bytes long; the most is 16777216
    ");
}

/// Defends: of the backups of one file, the last twenty stay; those of others are not counted, nor are other files.
#[test]
fn backups_are_limited_for_each_file() {
    let scene = Scene::new("0");
    let other = scene.directory().join("other.json");
    fs::write(&other, "other").unwrap();
    rewrite(&other, &scene.backups(), |bytes| Ok(marked(bytes))).unwrap();
    let notes = scene.folder.join("backups/notes");
    fs::write(&notes, "").unwrap();
    for count in 0..25 {
        scene.overwrite(&format!("{count}"), How::InPlace);
        scene.really().unwrap();
    }
    let mut kept = scene.others();
    kept.retain(|text| text != "other+");
    assert_eq!(kept.len(), 20 + 2, "{kept:?}");
    assert!(kept.contains(&"24".to_owned()) && !kept.contains(&"4".to_owned()), "{kept:?}");
}

/// Defends: a program that writes in place and is half done when we look gets done.
#[test]
fn half_written_files_are_read_again() {
    let scene = Scene::new("");
    let seen = RefCell::new(Vec::new());
    let plan = |bytes: &[u8]| {
        seen.borrow_mut().push(bytes.len());
        match bytes {
            b"" => {
                File::options().append(true).open(scene.file()).unwrap().write_all(b"whole").unwrap();
                Ok(None)
            }
            b"whole" => {
                File::options().append(true).open(scene.file()).unwrap().write_all(b"!").unwrap();
                Err(FileProblem::new("malformed"))
            }
            whole => Ok(marked(whole)),
        }
    };
    rewrite(&scene.file(), &scene.backups(), plan).unwrap();
    assert_eq!((&*scene.text(), &**seen.borrow()), ("whole!+", &[0, 5, 6][..]));
}
