//! Who the enforcer is, and whom it knows.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use thoth_api::Pin;

use crate::decisions::{HERE, THERE};
use crate::site::{Asking, Session, Thothd, eventually, refused};

/// An authority in `ca.pem`, and the files of a certificate that it gave to this machine; its pin.
pub(crate) fn certificate(folder: &Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &authority).unwrap();
    fs::write(folder.join("cert.pem"), leaf.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    Pin::of(leaf.der()).to_string()
}

/// Defends invariant 5: only the enforcer whose certificate is trusted and pinned is asked. Whoever else answers refuses
/// the call, also where an outage would not.
#[test]
fn only_a_trusted_and_pinned_enforcer_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let pin = certificate(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let site = Thothd::start_with(THERE, &["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem")]);
    let url = site.url().replace("http://127.0.0.1", "https://localhost");
    let key = site.agent_key();
    let asking =
        || Asking::of(url.clone(), key.clone()).var("THOTH_ENV", "dev").var("THOTH_ENFORCER_FAILURE_DECISION", "allow");
    let trusting = || asking().var("THOTH_TLS_CA_BUNDLE", file("ca.pem"));
    let wrong = format!("sha256:{}", "0".repeat(64));
    for (asking, admitted) in [
        (trusting(), true),
        (trusting().var("THOTH_TLS_PINNED_CERT_SHA256", pin.clone()), true),
        (trusting().var("THOTH_TLS_PINNED_CERT_SHA256", format!("{wrong},{pin}")), true),
        (trusting().var("THOTH_TLS_PINNED_CERT_SHA256", wrong), false),
        (asking(), false),
    ] {
        let mut session = Session::begin(HERE, &asking);
        let answer = session.call("read_note", &json!({"name": "welcome"}));
        if admitted {
            assert!(answer["result"].is_object(), "{asking:?}: {answer}");
        } else {
            assert_eq!(refused(&answer), (-32001, "enforcer_untrusted"), "{asking:?}");
        }
        assert_eq!(session.ran("read_note"), usize::from(admitted));
    }
}

/// Defends invariant 5: a key that is unknown, of another agent, taken back or over refuses calls, also where an outage
/// would not.
#[test]
fn a_key_that_is_not_taken_never_lets_a_call_through() {
    let site = Thothd::start(THERE);
    let short = site.key(&["--agent-id", "bot", "--permission", "execute", "--ttl-seconds", "1"]);
    let another = site.key(&["--agent-id", "another", "--permission", "execute"]);
    let reader = site.key(&["--organization", "--permission", "read"]);
    let session = |key: &str| {
        let asking = Asking::of(site.url(), key.to_owned())
            .var("THOTH_ENV", "dev")
            .var("THOTH_ENFORCER_FAILURE_DECISION", "allow");
        Session::begin(HERE, &asking)
    };
    let welcome = json!({"name": "welcome"});
    for key in ["thoth_live_unknown", &another, &reader] {
        let mut session = session(key);
        let answer = session.call("read_note", &welcome);
        assert_eq!(refused(&answer), (-32001, "enforcer_refused"), "{answer}");
        assert_eq!(session.ran("read_note"), 0);
    }
    let mut session = session(&short);
    eventually("the key's time is over", || session.call("read_note", &welcome)["error"].is_object());
    let answer = session.call("read_note", &welcome);
    assert_eq!(refused(&answer), (-32001, "enforcer_refused"), "{answer}");
    assert_eq!(answer["error"]["data"]["decision_reason_code"], "key_expired", "{answer}");
}
