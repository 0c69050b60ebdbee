//! Whatever is called the evidence of a session: it is refused, or it says what was signed.
//!
//! The first byte chooses: the rest is a document that somebody made up; or changes to a good one, pairs of a place and a byte.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thoth_audit::checkpoint::Checkpoint;
use thoth_audit::merkle::leaf_hash;
use thoth_audit::note::{Signer, Verifier};
use thoth_audit::seal::{SealKey, SealOpener};
use thoth_audit::session_bundle::{Material, Verified, sealed_bundle, verify_bundle};
use thoth_audit::view::Proven;

const ORIGIN: &str = "thoth.local/ledger/fuzz";
const LEAF: &str = r#"{"agentId":"bot","decision":"ALLOW","eventType":"TOOL_CALL_PRE","sessionId":"s","tenantId":"acme"}"#;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new(ORIGIN, &[7; 32]).expect("a name"));
static KEY: LazyLock<Verifier> = LazyLock::new(|| SIGNER.verifier());

static SEAL: LazyLock<SealKey> = LazyLock::new(|| SealKey::new(&[8; 32]));
static OPENER: LazyLock<SealOpener> = LazyLock::new(|| SEAL.opener());

/// A session of one record, in a ledger that has nothing else.
static GOOD: LazyLock<(String, Verified)> = LazyLock::new(|| {
    let root = leaf_hash(LEAF.as_bytes());
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 1, root }.sign(&SIGNER);
    let records = [Proven { index: 0, leaf: LEAF.into(), path: Vec::new() }];
    let material = Material {
        tenant: "acme",
        session: "s",
        checkpoint: &checkpoint,
        verifier: &KEY,
        records: &records,
        from: 0,
        next: None,
    };
    let text = sealed_bundle(&material, jiff::Timestamp::UNIX_EPOCH, &SEAL).expect("it is short");
    let verified = verify_bundle(text.as_bytes(), &KEY, Some(&OPENER)).expect("what is exported verifies");
    (text, verified)
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let (good, expected) = &*GOOD;
    let mut bytes = rest.to_vec();
    if choice % 2 == 1 {
        bytes = good.clone().into_bytes();
        for pair in rest.chunks_exact(2) {
            let at = usize::from(pair[0]) * 7 % bytes.len();
            bytes[at] = pair[1];
        }
    }
    if let Ok(found) = verify_bundle(&bytes, &KEY, Some(&OPENER)) {
        assert_eq!(found, *expected, "all of it is sealed");
    }
    if let Ok(found) = verify_bundle(&bytes, &KEY, None) {
        let found = Verified { exported_at: expected.exported_at.clone(), seal: expected.seal.clone(), ..found };
        assert_eq!(found, *expected, "only the time of the export may be another");
    }
});
