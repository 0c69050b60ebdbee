//! A release manifest has one spelling, and nothing unsigned is read.
//!
//! The input is the text of a manifest.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thoth_audit::note::{Signer, Verifier};

// Included, not depended on: the crate's TLS client has no place under a sanitizer.
#[expect(dead_code, unreachable_pub, reason = "the rest of the crate uses the other half")]
#[path = "../../crates/thoth-update/src/manifest.rs"]
mod manifest;

use manifest::{ManifestError, Release};

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("fuzz", &[7; 32]).expect("a name"));
static KEY: LazyLock<Verifier> = LazyLock::new(|| SIGNER.verifier());

fuzz_target!(|data: &[u8]| {
    assert!(matches!(Release::open(data, &KEY), Err(ManifestError::NotSigned(_))), "nobody signed this");
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(release) = Release::parse(text) else { return };
    assert_eq!(release.to_string(), text, "there is one way to write it");
    assert!(release.expires > release.date);
    for artifact in &release.artifacts {
        assert!(!artifact.file_name.contains(['/', '\\', ':']) && !artifact.file_name.starts_with('.'));
    }
    assert_eq!(Release::open(SIGNER.sign(text).as_bytes(), &KEY), Ok(release), "a signature changes no meaning");
});
