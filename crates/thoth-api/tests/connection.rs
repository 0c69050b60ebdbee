//! Whom the client talks to and what it takes from them, against a real HTTPS server.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "server/https_server.rs"]
mod https_server;

use std::time::{Duration, Instant};

use https_server::{Answer, Authority, HttpsServer};
use thoth_api::{CaBundle, Client, HttpError, Pin, Step, Timeouts, TlsSettings, Url, Verdict, probe};

const NOW: (i32, i32) = (2020, 2096);
const LONG: Duration = Duration::from_secs(120);

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn trusting(authority: &Authority, pins: &[Pin]) -> TlsSettings {
    let ca_bundle = Some(CaBundle { name: "ca.pem".to_owned(), pem: authority.pem() });
    TlsSettings { verify: true, ca_bundle, pins: pins.to_vec() }
}

fn get(server: &HttpsServer, path: &str, tls: &TlsSettings) -> Result<Vec<u8>, HttpError> {
    // Short only where the time must be up: a loaded machine is slow at everything else.
    // Longer than it takes to be connected.
    let idle = if path == "/silence" { Duration::from_secs(5) } else { LONG };
    let within = if path == "/drip" { Duration::from_secs(5) } else { LONG };
    let client = Client::new(tls, Timeouts { connect: LONG, idle }).unwrap();
    wait(client.get(&Url::parse(&server.url(path)).unwrap(), 1000, within))
}

/// A pin only ever adds to the check of the chain, the name and the dates: none of these alone is enough. Without
/// verification the pin still counts.
#[test]
fn a_server_must_pass_the_chain_the_name_and_the_pin() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let hello = |_: &str| Answer::Bytes(b"hello".to_vec());
    for (case, signer, names, years, verify, pinned, expected) in [
        ("good", &ours, "localhost", NOW, true, None, Ok(())),
        ("good and pinned", &ours, "localhost", NOW, true, Some(true), Ok(())),
        ("good, another pinned", &ours, "localhost", NOW, true, Some(false), Err("which is not pinned")),
        ("pinned, unknown authority", &theirs, "localhost", NOW, true, Some(true), Err("authority unknown here")),
        ("pinned, another name", &ours, "example.com", NOW, true, Some(true), Err("for another name")),
        ("pinned, expired", &ours, "localhost", (2019, 2020), true, Some(true), Err("is expired")),
        ("pinned, of the future", &ours, "localhost", (2095, 2096), true, Some(true), Err("not valid yet")),
        ("unverified", &theirs, "localhost", NOW, false, None, Ok(())),
        ("unverified, pinned", &theirs, "localhost", NOW, false, Some(true), Ok(())),
        ("unverified, another pinned", &ours, "localhost", NOW, false, Some(false), Err("which is not pinned")),
    ] {
        let identity = signer.issue(&[names], years);
        let pins: Vec<Pin> = match pinned {
            None => Vec::new(),
            Some(true) => vec![Pin::of(b"an older certificate"), Pin::of(&identity.leaf)],
            Some(false) => vec![Pin::of(b"an older certificate")],
        };
        let server = HttpsServer::start(identity, hello);
        let tls = TlsSettings { verify, ..trusting(&ours, &pins) };
        match (get(&server, "/", &tls), expected) {
            (Ok(body), Ok(())) => assert_eq!(body, b"hello", "{case}"),
            (Err(error), Err(words)) => {
                assert_eq!(error.step(), Step::Tls, "{case}: {error}");
                assert!(error.to_string().contains(words), "{case}: {error}");
                assert_eq!(server.asked(), [""; 0], "{case}: nothing is said to a server that is not trusted");
            }
            (got, _) => panic!("{case}: {got:?}"),
        }
    }
}

/// The system's own trust does not include a stranger's authority.
#[test]
fn the_system_does_not_trust_a_stranger() {
    let server = HttpsServer::start(Authority::new("ours").issue(&["localhost"], NOW), |_| Answer::Status(200));
    let error = get(&server, "/", &TlsSettings::default()).unwrap_err();
    assert!(matches!(error, HttpError::Untrusted { .. }), "{error}");
}

/// Nothing but https is spoken, at first and after redirects; whatever comes is bounded in size and time.
#[test]
fn bad_answers_are_errors_with_a_name() {
    let authority = Authority::new("ours");
    let server = HttpsServer::start(authority.issue(&["localhost"], NOW), |path| match path {
        "/good" => Answer::Bytes(vec![b'x'; 1000]),
        "/moved" => Answer::Redirect("/good".to_owned()),
        "/plain" => Answer::Redirect("http://localhost:1/good?secret".to_owned()),
        "/file" => Answer::Redirect("file:///etc/passwd".to_owned()),
        "/loop" => Answer::Redirect("/loop".to_owned()),
        "/large" => Answer::Bytes(vec![b'x'; 1001]),
        "/endless" => Answer::Endless,
        "/cut" => Answer::Cut(vec![b'x'; 10]),
        "/drip" => Answer::Drip(vec![b'x'; 1000]),
        "/silence" => Answer::Silence,
        _ => Answer::Status(404),
    });
    let tls = trusting(&authority, &[]);
    assert_eq!(get(&server, "/good", &tls).unwrap().len(), 1000);
    assert_eq!(get(&server, "/moved", &tls).unwrap().len(), 1000);
    for (path, words) in [
        ("/plain", "` redirects to `http://localhost:1/good`, which is not https"),
        ("/file", "answered with status 302"),
        ("/loop", "redirects more than 5 times"),
        ("/large", "larger than 1000 bytes"),
        ("/endless", "larger than 1000 bytes"),
        ("/cut", "incomplete or broken"),
        ("/drip", "took too long to answer"),
        ("/silence", "took too long to answer"),
        ("/none", "answered with status 404"),
    ] {
        let begun = Instant::now();
        let error = get(&server, path, &tls).unwrap_err();
        assert!(error.to_string().contains(words), "{path}: {error}");
        let place = Url::parse(&server.url(path)).unwrap();
        assert!(error.to_string().contains(place.authority()), "{path}: {error}");
        assert_eq!(error.step(), Step::Http, "{path}: {error}");
        assert!(begun.elapsed() < LONG, "{path}");
    }
    let plain = Url::parse("http://localhost:1/").unwrap();
    let client = Client::new(&tls, Timeouts::default()).unwrap();
    assert_eq!(
        wait(client.get(&plain, 1000, LONG)),
        Err(HttpError::NotHttps("http://localhost:1/".to_owned())),
        "no plain connection at all"
    );
}

/// The probe names the first step that fails, and what to do; a server that wants a key is reachable.
#[test]
fn the_probe_says_how_far_it_got() {
    let authority = Authority::new("ours");
    let start = |status| HttpsServer::start(authority.issue(&["localhost"], NOW), move |_| Answer::Status(status));
    let (good, ill) = (start(401), start(503));
    let closed = {
        let gone = start(200);
        gone.url("/")
    };
    let tls = trusting(&authority, &[]);
    let open = TlsSettings { verify: false, ..TlsSettings::default() };
    let wrong = trusting(&authority, &[Pin::of(b"x")]);
    for (case, url, tls, bad, weak) in [
        ("good", good.url("/v1"), &tls, None, None),
        ("unverified", good.url("/v1"), &open, None, Some(Step::Tls)),
        ("ill", ill.url("/"), &tls, Some(Step::Http), None),
        ("wrong pin", good.url("/"), &wrong, Some(Step::Tls), None),
        ("nobody there", closed, &tls, Some(Step::Connect), None),
        ("no such name", "https://no-such-host.invalid/".to_owned(), &tls, Some(Step::Dns), None),
        ("plain", good.url("/").replace("https", "http"), &tls, Some(Step::Settings), None),
    ] {
        let found = wait(probe(&Url::parse(&url).unwrap(), tls));
        assert_eq!(found.reachable(), bad.is_none(), "{case}: {found:?}");
        assert_eq!(found.findings.iter().map(|f| f.step).collect::<Vec<_>>(), Step::ALL, "{case}");
        for finding in &found.findings {
            let expected = match (bad, weak) {
                (Some(bad), _) if finding.step == bad => Verdict::Bad,
                (Some(bad), _) if finding.step > bad => Verdict::Skipped,
                (_, Some(weak)) if finding.step == weak => Verdict::Weak,
                _ => Verdict::Good,
            };
            assert_eq!(finding.verdict, expected, "{case}: {finding:?}");
            assert_eq!(finding.remedy.is_some(), matches!(expected, Verdict::Bad | Verdict::Weak), "{case}");
        }
    }
}
