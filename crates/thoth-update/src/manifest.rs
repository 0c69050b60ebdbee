//! The release manifest: a signed note that says what the current release is. There is one way to write each.
//!
//! ```text
//! thoth-release/1
//! product thoth
//! version 0.4.0
//! date 2026-11-21T06:00:00Z
//! expires 2027-05-21T06:00:00Z
//! artifact linux-x86_64 thoth-linux-x86_64 6612345 sha256:0123…
//!
//! — thoth-release-2026 base64
//! ```

use std::fmt;

use jiff::Timestamp;
use semver::Version;
use thoth_audit::note::{NoteError, Verifier};

/// The manifest's file name.
pub const MANIFEST_NAME: &str = "thoth-release.note";
/// The product that is updated.
pub const PRODUCT: &str = "thoth";

/// The longest manifest, in bytes.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 64 << 10;
/// The largest artifact, in bytes: forty times ours.
const MAX_ARTIFACT_BYTES: u64 = 256 << 20;
const MAX_ARTIFACTS: usize = 32;
const MAX_WORD_BYTES: usize = 64;
/// Keeps a manifest from being mistaken for another kind of note by the same key.
const HEADER: &str = "thoth-release/1";

/// A platform that releases are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Linux on x86-64.
    LinuxX86_64,
    /// Linux on 64-bit ARM.
    LinuxArm64,
    /// macOS on both of its processors.
    MacosUniversal,
    /// Windows on x86-64.
    WindowsX86_64,
}

impl Target {
    const ALL: [Self; 4] = [Self::LinuxX86_64, Self::LinuxArm64, Self::MacosUniversal, Self::WindowsX86_64];

    /// The platform that this program was built for, if there are releases for it.
    #[must_use]
    pub fn current() -> Option<Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => Some(Self::LinuxX86_64),
            ("linux", "aarch64") => Some(Self::LinuxArm64),
            ("macos", _) => Some(Self::MacosUniversal),
            ("windows", "x86_64") => Some(Self::WindowsX86_64),
            _ => None,
        }
    }

    /// The platform of an artifact, by its documented name.
    #[must_use]
    pub fn of_file(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.file_name() == name)
    }

    /// The word in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinuxX86_64 => "linux-x86_64",
            Self::LinuxArm64 => "linux-arm64",
            Self::MacosUniversal => "macos-universal",
            Self::WindowsX86_64 => "windows-x86_64",
        }
    }

    /// The documented name of the artifact.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::LinuxX86_64 => "thoth-linux-x86_64",
            Self::LinuxArm64 => "thoth-linux-arm64",
            Self::MacosUniversal => "thoth-macos-universal",
            Self::WindowsX86_64 => "thoth-windows-x86_64.exe",
        }
    }
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The platform: one of [`Target`], or one that only newer versions know.
    pub target: String,
    /// The file's name, beside the manifest.
    pub file_name: String,
    /// Its size, in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The version, by semantic versioning, without build metadata.
    pub version: Version,
    /// When it was signed.
    pub date: Timestamp,
    /// From when on it is too old to be believed.
    pub expires: Timestamp,
    /// The files, at most one for each platform.
    pub artifacts: Vec<Artifact>,
}

/// Why a manifest is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not signed by the release key.
    #[error("the release manifest is not signed by the release key: {0}")]
    NotSigned(#[from] NoteError),
    /// The signed text is not a manifest.
    #[error("line {line} of the release manifest is not as it should be: {problem}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// It is about something else.
    #[error("the release manifest is about another product")]
    OtherProduct,
}

impl Release {
    /// Reads a manifest that the key has signed. Nothing unsigned is looked at.
    ///
    /// # Errors
    /// When the key has not signed it, or it is not exactly a manifest of this product.
    pub fn open(note: &[u8], key: &Verifier) -> Result<Self, ManifestError> {
        Self::parse(key.open(note)?)
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// When it is not exactly what [`fmt::Display`] writes for some release, or about another product.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let mut lines = Lines { rest: text, line: 0 };
        lines.exactly(HEADER)?;
        if lines.value("product ")? != PRODUCT {
            return Err(ManifestError::OtherProduct);
        }
        let version = lines.value("version ")?;
        let version = Version::parse(version).ok().filter(|parsed| parsed.build.is_empty() && fits(version));
        let version = version.ok_or_else(|| lines.bad("not a version"))?;
        let date = lines.time("date ")?;
        let expires = lines.time("expires ")?;
        if expires <= date {
            return Err(lines.bad("it expires before it was signed"));
        }
        let mut artifacts: Vec<Artifact> = Vec::new();
        while !lines.rest.is_empty() {
            let line = lines.value("artifact ")?;
            let artifact = artifact(line).map_err(|problem| lines.bad(problem))?;
            if artifacts.iter().any(|other| other.target == artifact.target) {
                return Err(lines.bad("a second artifact for the same platform"));
            }
            if artifacts.len() == MAX_ARTIFACTS {
                return Err(lines.bad("too many artifacts"));
            }
            artifacts.push(artifact);
        }
        Ok(Self { version, date, expires, artifacts })
    }

    /// The file for a platform.
    #[must_use]
    pub fn artifact(&self, target: Target) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.target == target.as_str())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nproduct {PRODUCT}\nversion {}", self.version)?;
        writeln!(f, "date {}\nexpires {}", self.date, self.expires)?;
        for Artifact { target, file_name, size, sha256 } in &self.artifacts {
            write!(f, "artifact {target} {file_name} {size} sha256:")?;
            sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

struct Lines<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Lines<'t> {
    const fn bad(&self, problem: &'static str) -> ManifestError {
        ManifestError::Malformed { line: self.line, problem }
    }

    fn next(&mut self) -> Result<&'t str, ManifestError> {
        self.line += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.bad("missing, or without its end"))?;
        self.rest = rest;
        Ok(line)
    }

    fn exactly(&mut self, text: &str) -> Result<(), ManifestError> {
        if self.next()? == text { Ok(()) } else { Err(self.bad("not a release manifest of this format")) }
    }

    fn value(&mut self, key: &str) -> Result<&'t str, ManifestError> {
        self.next()?.strip_prefix(key).ok_or_else(|| self.bad("another word than expected at its start"))
    }

    /// A time in UTC with whole seconds, in the one way that [`Timestamp`] prints it.
    fn time(&mut self, key: &str) -> Result<Timestamp, ManifestError> {
        let text = self.value(key)?;
        let time = text.parse::<Timestamp>().ok().filter(|time| text.len() == 20 && time.to_string() == text);
        time.ok_or_else(|| self.bad("not a time of the form `2026-11-21T06:00:00Z`"))
    }
}

fn fits(word: &str) -> bool {
    !word.is_empty() && word.len() <= MAX_WORD_BYTES
}

/// Letters, digits and `._-`, not beginning with a point: a word that is no path and no option.
fn plain(word: &str) -> bool {
    fits(word)
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !word.starts_with(['.', '-'])
}

fn artifact(line: &str) -> Result<Artifact, &'static str> {
    let mut words = line.split(' ');
    let (Some(target), Some(file_name), Some(size), Some(digest), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Err("not an artifact's four words");
    };
    if !plain(target) || !plain(file_name) {
        return Err("not the name of a platform or a file");
    }
    let known = Target::ALL.iter().find(|known| known.as_str() == target);
    if known.is_some_and(|known| known.file_name() != file_name) {
        return Err("not the file name of that platform");
    }
    let bytes = size.parse::<u64>().ok().filter(|bytes| bytes.to_string() == size);
    let size = bytes.filter(|bytes| (1..=MAX_ARTIFACT_BYTES).contains(bytes)).ok_or("not a size of at most 256 MiB")?;
    let sha256 = digest.strip_prefix("sha256:").and_then(sha256).ok_or("not a SHA-256")?;
    Ok(Artifact { target: target.to_owned(), file_name: file_name.to_owned(), size, sha256 })
}

/// The bytes of exactly 64 lower-case hexadecimal digits.
fn sha256(digits: &str) -> Option<[u8; 32]> {
    let nibble = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let nibbles: Vec<u8> = digits.bytes().map(|digit| nibble(&digit)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = nibbles.chunks(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "thoth-release/1\nproduct thoth\nversion 0.4.0-rc.1\ndate 2026-11-21T06:00:00Z\n\
        expires 2027-05-21T06:00:00Z\n\
        artifact linux-x86_64 thoth-linux-x86_64 6612345 sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n\
        artifact plan9-mips thoth-plan9 1 sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

    /// There is one way to write a release, and platforms that this version does not know do no harm.
    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        let release = Release::parse(GOOD).unwrap();
        assert_eq!(release.to_string(), GOOD);
        let artifact = release.artifact(Target::LinuxX86_64).unwrap();
        assert_eq!((artifact.size, artifact.sha256[1], artifact.sha256[31]), (6_612_345, 0x11, 0xff));
        assert_eq!(release.artifact(Target::LinuxArm64), None);
        assert!(Release::parse(GOOD.split_inclusive('\n').take(5).collect::<String>().as_str()).is_ok());
    }

    /// Everything else is refused, with its line.
    #[test]
    fn nothing_but_a_manifest_is_one() {
        for (line, from, to) in [
            (1, "thoth-release/1", "thoth-release/2"),
            (1, "thoth-release/1\n", "\nthoth-release/1\n"),
            (1, "thoth-release/1\n", "thoth-release/1\r\n"),
            (2, "product ", "produkt "),
            (2, "product thoth\n", ""),
            (3, "0.4.0-rc.1", "0.4"),
            (3, "0.4.0-rc.1", "v0.4.0"),
            (3, "0.4.0-rc.1", "00.4.0"),
            (3, "0.4.0-rc.1", "0.4.0+build"),
            (3, "0.4.0-rc.1", " 0.4.0"),
            (4, "2026-11-21T06:00:00Z", "2026-11-21T06:00:00+00:00"),
            (4, "2026-11-21T06:00:00Z", "2026-11-21T06:00:00.5Z"),
            (4, "2026-11-21T06:00:00Z", "2026-11-31T06:00:00Z"),
            (4, "2026-11-21T06:00:00Z", "2026-11-21 06:00:00Z"),
            (5, "2027-05-21", "2026-05-21"),
            (6, " 6612345 ", "  6612345 "),
            (6, " 6612345 ", " +6612345 "),
            (6, " 6612345 ", " 06612345 "),
            (6, " 6612345 ", " 0 "),
            (6, " 6612345 ", " 268435457 "),
            (6, " 6612345 ", " 99999999999999999999 "),
            (6, " 6612345 ", " "),
            (6, "thoth-linux-x86_64", "thoth-linux-arm64"),
            (6, "sha256:00", "sha256:0"),
            (6, "sha256:00", "sha256:000"),
            (6, "sha256:00112233445566778899a", "sha256:00112233445566778899A"),
            (6, "sha256:00", "sha512:00"),
            (7, "thoth-plan9", "../thoth"),
            (7, "thoth-plan9", ".thoth"),
            (7, "thoth-plan9", "-thoth"),
            (7, "plan9-mips thoth-plan9", "linux-x86_64 thoth-linux-x86_64"),
            (7, "artifact plan9", "article plan9"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = Release::parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(matches!(error, ManifestError::Malformed { line: at, .. } if at == line), "{from} > {to}: {error}");
        }
        assert_eq!(
            Release::parse(&GOOD.replace("product thoth", "product thothctl")),
            Err(ManifestError::OtherProduct)
        );
        assert!(Release::parse(GOOD.trim_end()).is_err(), "the last line has an end");
        let line = GOOD.lines().last().unwrap();
        let many: String = (0..32).map(|n| line.replace("plan9-mips", &format!("p{n}")) + "\n").collect();
        assert!(Release::parse(&(GOOD.to_owned() + &many)).is_err(), "too many");
    }
}
