//! Writes the manifest of a release, for the release pipeline: `sign_release SEED-FILE KEY-NAME VERSION DAYS FILE…`.
//!
//! The seed file holds 64 hexadecimal digits. The files have the documented names. The manifest goes to standard
//! output, and the verifier key, which builds get as `THOTH_RELEASE_KEY`, to standard error.

use std::io::Write as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use thoth_audit::note::Signer;
use thoth_update::{Artifact, Release, Target};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seed, name, version, days, files @ ..] = arguments.as_slice() else {
        return Err("usage: sign_release SEED-FILE KEY-NAME VERSION DAYS FILE…".into());
    };
    let signer = Signer::new(name, &seed_of(&std::fs::read_to_string(seed)?)?)?;
    let date = Timestamp::from_second(Timestamp::now().as_second())?;
    let release = Release {
        version: version.parse()?,
        date,
        expires: date + SignedDuration::from_hours(days.parse::<i64>()?.saturating_mul(24)),
        artifacts: files.iter().map(|file| artifact(Path::new(file))).collect::<Result<_, _>>()?,
    };
    let text = release.to_string();
    // What readers would refuse is not signed.
    Release::parse(&text)?;
    std::io::stdout().write_all(signer.sign(&text).as_bytes())?;
    writeln!(std::io::stderr(), "{}", signer.verifier().to_vkey())?;
    Ok(())
}

fn seed_of(text: &str) -> Result<[u8; 32], Failure> {
    let digits = text.trim().as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err("the seed file does not hold 64 hexadecimal digits".into());
    }
    let bytes = digits.chunks(2).map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?));
    let bytes: Vec<u8> = bytes.collect::<Result<_, Failure>>()?;
    bytes.try_into().map_err(|_| "the seed is not 32 bytes".into())
}

fn artifact(file: &Path) -> Result<Artifact, Failure> {
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("a file without a name")?;
    let target = Target::of_file(name).ok_or_else(|| format!("`{name}` is not the name of an artifact"))?;
    let bytes = std::fs::read(file)?;
    Ok(Artifact {
        target: target.as_str().to_owned(),
        file_name: name.to_owned(),
        size: u64::try_from(bytes.len())?,
        sha256: Sha256::digest(&bytes).into(),
    })
}
