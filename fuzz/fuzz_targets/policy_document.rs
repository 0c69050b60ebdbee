//! No policy document is believed that was not sealed for whoever reads it, and none makes the readers panic: neither the
//! document's nor, once it is believed, those of its policy.
//!
//! The first byte chooses: the rest is a document that somebody made up; or an object that the right key seals; or changes to
//! a sealed document, pairs of a place and a byte; or the texts of one that is in order, split at zero bytes.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use thoth_audit::seal::{SealKey, SealOpener};
use thoth_liaison::{Recipient, Verified};
use thoth_policy::load_by_name;

const DOMAIN: &str = "thoth/policy-bundle/1";

static KEY: LazyLock<SealKey> = LazyLock::new(|| SealKey::new(&[7; 32]));
static OPENER: LazyLock<SealOpener> = LazyLock::new(|| KEY.opener());

fn whose() -> Recipient {
    Recipient { tenant: "acme".to_owned(), agent: "bot".to_owned(), endpoint: "laptop".to_owned(), fleet: None }
}

fn object(texts: &[Value]) -> String {
    json!({
        "tenant_id": "acme", "agent_id": "bot", "endpoint_id": "laptop", "status": "active", "bundles": [],
        "policy": texts, "own_texts": 1, "policy_digest": "sha256:0", "decisions": "local", "sequence": 7,
        "issued_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z",
    })
    .to_string()
}

/// What is believed is for whoever reads it, whole, and in order.
fn believed(bytes: &[u8]) -> Option<Verified> {
    let verified = Verified::open(bytes, &OPENER, &whose()).ok()?;
    let document = verified.document();
    assert_eq!((&*document.tenant_id, document.agent_id.as_deref()), ("acme", Some("bot")));
    assert_eq!(document.endpoint_id.as_deref(), Some("laptop"));
    assert!(verified.issued_at() < verified.expires_at());
    assert!((1..=document.policy.len()).contains(&(document.own_texts as usize)));
    Some(verified)
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    match choice % 4 {
        0 => assert!(believed(rest).is_none(), "nobody sealed this"),
        1 => {
            let Ok(object) = std::str::from_utf8(rest) else { return };
            let Ok(sealed) = KEY.seal(DOMAIN, object) else { return };
            let _any = believed(sealed.as_bytes());
            let other = KEY.seal("thoth/decision-receipt/1", object).expect("it was sealed before");
            assert!(believed(other.as_bytes()).is_none(), "of another kind");
        }
        2 => {
            let sealed = KEY.seal(DOMAIN, &object(&[json!({ "name": "p", "text": "" })])).expect("an object");
            let mut bytes = sealed.clone().into_bytes();
            for pair in rest.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % bytes.len();
                bytes[at] = pair[2];
            }
            if let Some(verified) = believed(&bytes) {
                let own = believed(sealed.as_bytes()).expect("in order");
                assert_eq!(verified.document(), own.document(), "another spelling at most");
            }
        }
        _ => {
            let texts: Vec<String> =
                rest.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
            let named =
                texts.iter().enumerate().map(|(at, text)| json!({ "name": format!("{at}.yaml"), "text": text }));
            let Ok(sealed) = KEY.seal(DOMAIN, &object(&named.collect::<Vec<_>>())) else { return };
            let Some(verified) = believed(sealed.as_bytes()) else { return };
            let policy = &verified.document().policy;
            let pairs: Vec<(&str, &str)> = policy.iter().map(|one| (&*one.name, &*one.text)).collect();
            let (own, added) = pairs.split_at(1);
            let _loaded = load_by_name(own, added);
        }
    }
});
