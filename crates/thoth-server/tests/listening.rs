//! Where the server listens, and how: TLS for other machines, and answers that are not cut off when it stops.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use thoth_api::{CaBundle, Client, Timeouts, TlsSettings, Url};
use thoth_server::{Options, Rates, Server, listen};
use thoth_types::Mode;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const LONG: Duration = Duration::from_secs(120);

/// An authority, and the files of a certificate that it gave to `localhost`.
fn certificate(folder: &std::path::Path) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &authority).unwrap();
    std::fs::write(folder.join("cert.pem"), leaf.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    authority.pem().into_bytes()
}

/// A client that trusts the authority gets its answer over TLS, and the server ends when it is told to.
#[tokio::test]
async fn answers_come_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let pem = certificate(folder.path());
    let tls = listen::tls(&folder.path().join("cert.pem"), &folder.path().join("key.pem")).unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, "version: \"1\"\n").unwrap();
    let options = Options {
        data: folder.path().to_owned(),
        policy,
        mode: Mode::Block,
        rates: Rates::default(),
        access_log: false,
    };
    let server = Server::new(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move { server.serve(listener, Some(tls), async { drop(stopped.await) }).await });
    let settings =
        TlsSettings { verify: true, ca_bundle: Some(CaBundle { name: "ca.pem".to_owned(), pem }), pins: Vec::new() };
    let client = Client::new(&settings, Timeouts { connect: LONG, idle: LONG }).unwrap();
    for path in ["healthz", "readyz"] {
        let url = Url::parse(&format!("https://localhost:{}/{path}", address.port())).unwrap();
        assert!(client.get(&url, 100, LONG).await.unwrap().ends_with(b"\n"), "{path}");
    }
    stop.send(()).unwrap();
    serving.await.unwrap();
}

/// Keys and what agents do are nobody else's.
#[test]
fn a_folder_that_others_can_get_into_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
    for arguments in [
        &["serve", "--data"][..],
        &["keys", "create", "--tenant", "a", "--organization", "--permission", "read", "--data"],
    ] {
        let run = Command::new(env!("CARGO_BIN_EXE_thothd")).args(arguments).arg(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(1) && said.contains("chmod go="), "{said}");
    }
}

/// Nothing goes over a network in the clear, and half of a pair of files is not TLS.
#[test]
fn other_machines_are_listened_to_with_tls_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    certificate(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key, policy) = (file("cert.pem"), file("key.pem"), file("policy.yaml"));
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--listen", "0.0.0.0:0"], 2, "no TLS"),
        (&["--listen", "[::]:0"], 2, "no TLS"),
        (&["--tls-cert", &cert], 2, "`tls_key` is not"),
        (&["--tls-cert", &cert, "--tls-key", &policy], 1, "cannot read"),
        (&["--tls-cert", &key, "--tls-key", &key], 1, "cannot be used"),
        (&["--listen", "localhost"], 2, "--listen: invalid value"),
    ];
    for (arguments, code, part) in cases {
        let run = Command::new(env!("CARGO_BIN_EXE_thothd"))
            .args(["serve", "--data"])
            .arg(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
        assert!(!said.contains("PRIVATE"), "{said}");
    }
}
