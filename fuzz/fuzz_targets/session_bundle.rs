//! Whatever is called the evidence of a session: it is refused, or it says what was signed.
//!
//! The first byte chooses: the rest is a document that somebody made up; or changes to a good one, pairs of a place and a byte.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thoth_audit::checkpoint::Checkpoint;
use thoth_audit::merkle::leaf_hash;
use thoth_audit::note::{Signer, Verifier};
use thoth_audit::session_bundle::{Material, Verified, bundle, verify_bundle};
use thoth_audit::view::Proven;

const ORIGIN: &str = "thoth.local/ledger/fuzz";
const LEAF: &str = r#"{"agentId":"bot","decision":"ALLOW","eventType":"TOOL_CALL_PRE","sessionId":"s","tenantId":"acme"}"#;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new(ORIGIN, &[7; 32]).expect("a name"));
static KEY: LazyLock<Verifier> = LazyLock::new(|| SIGNER.verifier());

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
    let text = bundle(&material, jiff::Timestamp::UNIX_EPOCH);
    let verified = verify_bundle(text.as_bytes(), &KEY).expect("what is exported verifies");
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
    if let Ok(found) = verify_bundle(&bytes, &KEY) {
        let found = Verified { exported_at: expected.exported_at.clone(), ..found };
        assert_eq!(found, *expected, "only the time of the export may be another");
    }
});
