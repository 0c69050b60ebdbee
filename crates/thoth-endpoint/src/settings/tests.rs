//! The three steps together, on sources made up for the purpose.

use thoth_types::Redacted;

use super::table::keys;
use super::{FileValue, Kind, Resolved, Source, Sources, State, managed::Managed, table, unknown, written};
use crate::identity::Machine;
use crate::platform::{Environment, Platform};

const NONE: Machine<'static> = Machine { machine_id: &|| None, host_name: &|| Some("host".to_owned()) };
const MANAGED: &str = "/etc/thoth/thoth-config.json";

/// What holds with this managed file (empty for none), these flags, variables and keys in files.
fn resolve(
    managed: &str,
    flags: &[(&'static str, &str)],
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Resolved {
    let managed = (!managed.is_empty())
        .then(|| Managed::parse(MANAGED, managed.as_bytes(), Platform::Linux, &|| Some("ada".to_owned())).unwrap());
    let flags: Vec<_> = flags.iter().map(|(flag, text)| (*flag, Redacted::new((*text).to_owned()))).collect();
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let file = |(path, text): &(&str, &str)| FileValue {
        setting: &keys::API_KEY,
        path: (*path).to_owned(),
        text: Redacted::new((*text).to_owned()),
    };
    let files: Vec<_> = files.iter().map(file).collect();
    let environment = Environment::new(Platform::Linux, variables);
    let sources = Sources { managed: managed.as_ref(), flags: &flags, environment: &environment, files: &files };
    written(&sources).merge().resolve(&NONE)
}

/// What people see of it: the rows that are not just defaults, then warnings and problems.
fn shown(resolved: &Resolved) -> String {
    let mut text = String::new();
    for row in resolved.rows.iter().filter(|row| row.source != Source::Default || !row.notes.is_empty()) {
        let (value, origin) = (row.value.as_deref().unwrap_or("-"), row.origin.as_deref().unwrap_or("-"));
        text += &format!("{} = {value} [{} {origin}] {}\n", row.name, row.source.as_str(), row.notes.join("; "));
    }
    for warning in &resolved.warnings {
        text += &format!("warning: {warning}\n");
    }
    for problem in &resolved.problems {
        text += &format!("problem: {problem}\n");
    }
    text
}

/// Every row can be found by exactly one name, has words, and its default is a value.
#[test]
fn the_table_is_sound() {
    let mut names: Vec<_> = unknown::known().collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    for setting in table::all() {
        let name = setting.name();
        assert!(!name.is_empty() && setting.doc.ends_with(['.', ')']), "{name}");
        assert!(setting.default.is_none_or(|value| setting.kind.read(value).as_deref() == Ok(value)), "{name}");
        assert_eq!(setting.secret, setting.kind == Kind::Secret, "{name}");
        assert!(!(setting.secret && setting.key.is_some()), "{name}: others can read the managed file");
        assert!(!matches!(setting.state, State::Elsewhere(_)) || setting.flag.is_none(), "{name}");
    }
}

/// Defends: managed file, then flag, then environment, then files, then the default; and every value says where from.
#[test]
fn who_wins() {
    let managed = r#"{"tenant_id": "m", "environment": "staging"}"#;
    let flags = [("--tenant-id", "f"), ("--user-id", "ada"), ("--api-key", "key-f")];
    let variables = [
        ("THOTH_TENANT_ID", "e"),
        ("THOTH_USER_ID", "ada@example.org"),
        ("THOTH_ENV", "prod"),
        ("THOTH_API_KEY", "key-e"),
        ("INTUNE_DEVICE_ID", "dev-2"),
        ("THOTH_INTUNE_DEVICE_ID", "dev-1"),
        ("THOTH_HEARTBEAT_INTERVAL_SECONDS", "5m"),
        ("THOTH_ENFORCEMENT_MODE", "observe"),
        ("THOTH_VERSION", "1"),
    ];
    let files = [("named.json", "key-1"), ("home.json", "key-2")];
    insta::assert_snapshot!(shown(&resolve(managed, &flags, &variables, &files)), @"
    THOTH_TENANT_ID = m [managed /etc/thoth/thoth-config.json:1:15] --tenant-id `f` does not count; THOTH_TENANT_ID `e` does not count
    THOTH_USER_ID = ada [flag --user-id] THOTH_USER_ID `ada@example.org` does not count
    THOTH_INTUNE_DEVICE_ID = dev-1 [environment THOTH_INTUNE_DEVICE_ID] INTUNE_DEVICE_ID `dev-2` does not count
    THOTH_ENV = staging [managed /etc/thoth/thoth-config.json:1:35] THOTH_ENV `prod` does not count
    THOTH_API_KEY = set [flag --api-key] not used without an enforcer; THOTH_API_KEY does not count; named.json does not count; home.json does not count
    THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC = 300 [environment THOTH_HEARTBEAT_INTERVAL_SECONDS] not used without an enforcer
    endpoint = dev-1 [derived -] Intune's device id
    THOTH_VERSION = - [environment THOTH_VERSION] not read: of the installer
    THOTH_ENFORCEMENT_MODE = - [environment THOTH_ENFORCEMENT_MODE] not read: of the SDKs
    warning: THOTH_INTUNE_DEVICE_ID and INTUNE_DEVICE_ID differ; the first counts
    ");
    insta::assert_snapshot!(shown(&resolve("", &flags[..2], &variables[..4], &files)), @"
    THOTH_TENANT_ID = f [flag --tenant-id] THOTH_TENANT_ID `e` does not count
    THOTH_USER_ID = ada [flag --user-id] THOTH_USER_ID `ada@example.org` does not count
    THOTH_ENV = prod [environment THOTH_ENV] 
    THOTH_API_KEY = set [environment THOTH_API_KEY] not used without an enforcer; named.json does not count; home.json does not count
    endpoint = host [derived -] the host name
    ");
    let key = |flags: &[(&'static str, &str)], variables: &[(&str, &str)], files: &[(&str, &str)]| {
        resolve("", flags, variables, files).api_key.map(|key| key.expose_secret().clone())
    };
    let (flags, variables) = (&flags[2..], &variables[3..4]);
    assert_eq!(key(flags, variables, &files).as_deref(), Some("key-f"));
    assert_eq!(key(&[], variables, &files).as_deref(), Some("key-e"));
    assert_eq!(key(&[], &[], &files).as_deref(), Some("key-1"));
    assert_eq!(key(&[], &[], &files[1..]).as_deref(), Some("key-2"));
    assert_eq!(key(&[], &[], &[]), None);
}

/// Defends: where a managed file stands, nothing below it loosens, and what is not heeded is told.
#[test]
fn nothing_loosens_from_below() {
    let loose = [
        ("THOTH_ENV", "dev"),
        ("THOTH_REQUIRE_NON_ROOT", "0"),
        ("THOTH_ENFORCER_FAILURE_DECISION", "allow"),
        ("THOTH_ENFORCER_ALLOW_FALLBACK_OVERRIDE", "true"),
        ("THOTH_TLS_VERIFY", "false"),
        ("THOTH_TLS_CA_BUNDLE", "/tmp/ca"),
    ];
    let alone = resolve("", &[], &loose, &[]);
    assert_eq!((alone.stage.as_str(), alone.failure_decision.as_str(), alone.guards.non_root), ("dev", "allow", false));
    let below = resolve(r#"{"environment": "prod"}"#, &[], &loose, &[]);
    assert_eq!((below.stage.as_str(), below.failure_decision.as_str(), below.guards.non_root), ("prod", "block", true));
    insta::assert_snapshot!(shown(&below), @"
    THOTH_ENV = prod [managed /etc/thoth/thoth-config.json:1:17] THOTH_ENV `dev` is not heeded, it would loosen
    THOTH_ENFORCER_FAILURE_DECISION = block [default -] THOTH_ENFORCER_FAILURE_DECISION `allow` is not heeded, it would loosen
    THOTH_ENFORCER_ALLOW_FALLBACK_OVERRIDE = false [default -] THOTH_ENFORCER_ALLOW_FALLBACK_OVERRIDE `true` is not heeded, it would loosen
    THOTH_TLS_VERIFY = true [default -] THOTH_TLS_VERIFY `false` is not heeded, it would loosen
    THOTH_TLS_CA_BUNDLE = - [default -] THOTH_TLS_CA_BUNDLE `/tmp/ca` is not heeded, it would loosen
    THOTH_REQUIRE_NON_ROOT = true [default -] THOTH_REQUIRE_NON_ROOT `0` is not heeded, it would loosen
    endpoint = host [derived -] the host name
    warning: THOTH_ENV is not heeded: it would loosen a check, and on this machine only the managed file can
    warning: THOTH_ENFORCER_FAILURE_DECISION is not heeded: it would loosen a check, and on this machine only the managed file can
    warning: THOTH_ENFORCER_ALLOW_FALLBACK_OVERRIDE is not heeded: it would loosen a check, and on this machine only the managed file can
    warning: THOTH_TLS_VERIFY is not heeded: it would loosen a check, and on this machine only the managed file can
    warning: THOTH_TLS_CA_BUNDLE is not heeded: it would loosen a check, and on this machine only the managed file can
    warning: THOTH_REQUIRE_NON_ROOT is not heeded: it would loosen a check, and on this machine only the managed file can
    ");
    let tight = [("THOTH_ENV", "staging"), ("THOTH_REQUIRE_NON_ROOT", "true"), ("THOTH_EXPECTED_PROXY_UID", "7")];
    let tightened = resolve(r#"{"agent_id": "a"}"#, &[], &tight, &[]);
    assert_eq!((tightened.guards.non_root, tightened.guards.uid, tightened.warnings.len()), (true, Some(7), 0));
    let above = r#"{"environment": "dev", "enforcer_failure_decision": "allow", "require_non_root": false}"#;
    let above = resolve(above, &[], &[("THOTH_REQUIRE_NON_ROOT", "true")], &[]);
    assert_eq!((above.stage.as_str(), above.failure_decision.as_str(), above.guards.non_root), ("dev", "allow", false));
}

/// Defends: root is refused where the stage was written as staging or production, and only there, unless that is written.
#[test]
fn when_root_is_refused() {
    for (stage, required, refused, unguarded) in [
        ("", "", false, true),
        ("dev", "", false, false),
        ("staging", "", true, false),
        ("prod", "", true, false),
        ("prod", "false", false, false),
        ("", "true", true, false),
        ("dev", "1", true, false),
    ] {
        let guards = resolve("", &[], &[("THOTH_ENV", stage), ("THOTH_REQUIRE_NON_ROOT", required)], &[]).guards;
        assert_eq!((guards.non_root, guards.unguarded), (refused, unguarded), "{stage:?} {required:?}");
    }
}

/// Defends: nobody is named by default, and no address is made from what is not a name in the DNS.
#[test]
fn addresses_are_derived_from_what_is_written() {
    for (tenant, apex, expected) in [
        ("acme", "example.org", Some(("https://enforce.acme.example.org", "https://grid.acme.example.org"))),
        ("acme", "", None),
        ("", "example.org", None),
        ("Acme Inc", "example.org", None),
        ("evil.org/", "example.org", None),
        ("acme", "example.org/x", None),
    ] {
        let resolved = resolve("", &[], &[("THOTH_TENANT_ID", tenant), ("THOTH_APEX_DOMAIN", apex)], &[]);
        let seen = resolved.enforce_url.as_deref().zip(resolved.grid_url.as_deref());
        assert_eq!(seen, expected, "{tenant} {apex}");
        let told = !resolved.warnings.is_empty();
        assert_eq!(told, expected.is_none() && !tenant.is_empty() && !apex.is_empty(), "{tenant} {apex}");
        assert!(resolved.problems.is_empty());
    }
}

/// Defends: a wrong value stops what uses it, and no message has a secret in it.
#[test]
fn wrong_values() {
    let secret = "hunter2 hunter2";
    let variables = [
        ("THOTH_USER_ID", "ada"),
        ("THOTH_ENV", "production"),
        ("THOTH_REQUIRE_NON_ROOT", "yes"),
        ("THOTH_EXPECTED_PROXY_UID", "root"),
        ("THOTH_ENFORCER_URL", "http://enforce.example.org"),
        ("THOTH_API_KEY", secret),
        ("THOTH_AUTH_TOKEN", secret),
        ("THOTH_TLS_VERIFY", "no"),
        ("THOTH_TLS_PINNED_CERT_SHA256", "abc"),
        ("THOTH_ENDPOINT_ID", "a\u{1b}[2Jb"),
        ("THOTH_APEX_DOMAIN", "localhost"),
        ("THOTH_INTENT_TOOL_ALLOWLIST", "triage"),
        ("THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS", "a,,b"),
    ];
    let resolved =
        resolve(r#"{"expected_proxy_uid": "x"}"#, &[("--tenant-id", ""), ("--api-key", secret)], &variables, &[]);
    let shown = shown(&resolved);
    assert!(!shown.contains("hunter2") && !format!("{resolved:?}").contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown, @r"
    THOTH_TENANT_ID = - [default -] --tenant-id `` cannot be used
    THOTH_USER_ID = - [default -] THOTH_USER_ID `ada` cannot be used
    THOTH_ENDPOINT_ID = - [default -] THOTH_ENDPOINT_ID `a\u{1b}[2Jb` cannot be used
    THOTH_ENV = prod [default -] THOTH_ENV `production` cannot be used
    THOTH_API_KEY = - [default -] --api-key cannot be used; THOTH_API_KEY does not count
    THOTH_AUTH_TOKEN = - [default -] THOTH_AUTH_TOKEN cannot be used
    THOTH_APEX_DOMAIN = - [default -] THOTH_APEX_DOMAIN `localhost` cannot be used
    THOTH_ENFORCER_URL = - [default -] THOTH_ENFORCER_URL cannot be used
    THOTH_TLS_VERIFY = true [default -] THOTH_TLS_VERIFY `no` cannot be used
    THOTH_TLS_PINNED_CERT_SHA256 = - [default -] THOTH_TLS_PINNED_CERT_SHA256 `abc` cannot be used
    THOTH_REQUIRE_NON_ROOT = true [default -] THOTH_REQUIRE_NON_ROOT `yes` cannot be used
    THOTH_EXPECTED_PROXY_UID = - [default -] /etc/thoth/thoth-config.json:1:24 `x` cannot be used; THOTH_EXPECTED_PROXY_UID `root` does not count
    THOTH_INTENT_TOOL_ALLOWLIST = - [default -] THOTH_INTENT_TOOL_ALLOWLIST `triage` cannot be used
    THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS = - [default -] THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS `a,,b` cannot be used
    endpoint = host [derived -] the host name
    warning: THOTH_AUTH_TOKEN cannot be used: it is empty or has white space or a control character; nothing uses it yet
    warning: THOTH_APEX_DOMAIN is `localhost`: it is not a domain name; nothing uses it yet
    problem: --tenant-id cannot be used: tenant id is empty
    problem: THOTH_USER_ID is `ada`: it is not an e-mail address
    problem: THOTH_ENDPOINT_ID is `a\u{1b}[2Jb`: endpoint id has a control character or surrounding white space
    problem: THOTH_ENV is `production`: it is not one of `dev`, `staging`, `prod`
    problem: --api-key cannot be used: it is empty or has white space or a control character
    problem: THOTH_ENFORCER_URL cannot be used: it is neither an `https://` address nor one of this machine
    problem: THOTH_TLS_VERIFY is `no`: it is neither `true` nor `false`
    problem: THOTH_TLS_PINNED_CERT_SHA256 is `abc`: it is not a list of SHA-256 digests in hexadecimal
    problem: THOTH_REQUIRE_NON_ROOT is `yes`: it is neither `true` nor `false`
    problem: /etc/thoth/thoth-config.json:1:24: `expected_proxy_uid` is `x`: it is not the number of a user
    problem: THOTH_INTENT_TOOL_ALLOWLIST is `triage`: at character 1, `triage` has no `=`; write `intent=tool|tool`
    problem: THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS is `a,,b`: at character 3, the token is empty; remove the separator or write a name
    ");
}

/// Defends: an address of an enforcer that was lost on the way is told, and not taken for none; whoever else gives one counts
/// before it.
#[test]
fn an_enforcer_is_never_nothing() {
    let blank = [("THOTH_ENFORCER_URL", "")];
    let problems = |managed: &str, flags: &[(&'static str, &str)]| {
        let resolved = resolve(managed, flags, &blank, &[]);
        resolved.problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    let wrong = "cannot be used: it is empty; write an address, or take it away where nobody is to be asked";
    assert_eq!(problems("", &[]), [format!("THOTH_ENFORCER_URL {wrong}")]);
    assert_eq!(problems("", &[("--enforcer-url", "")]), [format!("--enforcer-url {wrong}")]);
    assert_eq!(problems("", &[("--enforcer-url", "https://enforce.example.org")]), [""; 0]);
    assert_eq!(problems(r#"{"enforcer_url": "https://enforce.example.org"}"#, &[]), [""; 0]);
}

/// Defends: credentials in an address, in whatever setting it stands and whether it is used or displaced, are in no
/// message, and no message repeats a long value.
#[test]
fn no_message_has_credentials_or_long_values() {
    let long = "x".repeat(100_000);
    let entry = format!("{long},");
    for (name, value, reason) in [
        ("THOTH_GOVAPI_URL", "https://u:hunter2@host/x?token=hunter2", "it has user information before an `@`"),
        ("THOTH_GOVAPI_URL", "https://host/x?token=hunter2", "it has a query or a fragment"),
        ("THOTH_GOVAPI_URL", "https://host/x#hunter2", "it has a query or a fragment"),
        ("THOTH_GOVAPI_URL", "http://u:hunter2@host", "it is not an `https://` address"),
        ("THOTH_ENFORCER_URL", "https://u:hunter2@host", "it has user information before an `@`"),
        ("THOTH_ENFORCER_URL", "http://u:hunter2@localhost", "it is neither an `https://` address nor"),
        ("THOTH_APEX_DOMAIN", "https://u:hunter2@host", "it is not a domain name"),
        ("THOTH_ENDPOINT_ID", "u:hunter2@host\t", "has a control character"),
        ("THOTH_INTENT_TOOL_ALLOWLIST", "https://u:hunter2@host", "it is not such a list"),
        ("THOTH_INTENT_TOOL_ALLOWLIST", &entry, "cannot be read"),
        ("THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS", &format!("{long}\u{1}{long}"), "cannot be"),
        ("THOTH_ENV", &long, "it is not one of"),
        ("THOTH_EXPECTED_PROXY_USER", &format!("{long}\n"), "control character"),
        (&format!("THOTH_{long}"), "a", "is not known"),
    ] {
        let seen = shown(&resolve("", &[], &[(name, value)], &[]));
        assert!(seen.contains(reason) && !seen.contains("hunter2") && seen.len() < 2000, "{name}: {seen}");
    }
    let both = [("THOTH_GOVAPI_URL", "https://host"), ("THOTH_GOV_API_URL", "https://host/?token=hunter2")];
    let seen = shown(&resolve("", &[], &both, &[]));
    assert!(seen.contains("THOTH_GOV_API_URL does not count") && !seen.contains("hunter2"), "{seen}");
}

/// Defends: a TLS setting that cannot be used is never taken for an absent one, and what would weaken connections of a
/// managed machine stands in its managed file.
#[test]
fn what_connections_are_checked_against() {
    let tls = |managed: &str, variables: &[(&str, &str)]| {
        let tls = resolve(managed, &[], variables, &[]).tls;
        tls.map(|tls| [tls.verify, tls.ca_bundle, tls.pins].map(Option::unwrap_or_default).join(" "))
    };
    let weak = [("THOTH_TLS_VERIFY", "0"), ("THOTH_TLS_CA_BUNDLE", "/ca.pem")];
    assert_eq!(tls("", &[]).as_deref(), Ok("true  "));
    assert_eq!(tls("", &weak).as_deref(), Ok("false /ca.pem "));
    assert_eq!(tls("{}", &weak).as_deref(), Ok("true  "));
    assert_eq!(tls(r#"{"tls_ca_bundle": "/corp.pem"}"#, &weak).as_deref(), Ok("true /corp.pem "));
    for wrong in [("THOTH_TLS_VERIFY", "off"), ("THOTH_TLS_PINNED_CERT_SHA256", "abc")] {
        assert!(tls("", &[wrong]).is_err_and(|error| error.contains(wrong.0)), "{wrong:?}");
        assert!(resolve("", &[], &[wrong], &[]).problems.is_empty(), "{wrong:?}: `thoth run` does not use it");
    }
}

/// Defends: whoever sets something that changes nothing hears so, and not that it is to come.
#[test]
fn a_setting_without_effect_says_so() {
    let told = shown(&resolve("", &[], &[("THOTH_TLS_PIN_CACHE_SECONDS", "60")], &[]));
    let line = told.lines().find(|line| line.starts_with("THOTH_TLS_PIN_CACHE_SECONDS")).unwrap();
    assert!(line.ends_with("accepted, has no effect"), "{line}");
}

/// A secret that is used is not shown either, nor are those that it displaces.
#[test]
fn secrets_are_not_shown() {
    let files = [("f", "hunter3")];
    let resolved = resolve("", &[("--api-key", "hunter1")], &[("THOTH_API_KEY", "hunter2")], &files);
    assert!(resolved.api_key.is_some());
    let seen = format!("{}{resolved:?}", shown(&resolved));
    assert!(!seen.contains("hunter"), "{seen}");
    assert!(seen.contains("THOTH_API_KEY = set [flag --api-key]"), "{seen}");
}

/// Defends: each document of the reference is complete, and its tables are.
#[test]
fn the_reference_names_everything() {
    let page = super::reference();
    for name in unknown::known().chain(table::all().filter_map(|setting| setting.key)) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    let columns = |line: &str| line.matches(" |").count();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `") && line.contains("0.1.0")).collect();
    assert!(rows.len() > 40 && rows.iter().all(|row| columns(row) == 6), "{rows:#?}");
    assert!(page.ends_with('\n') && !page.contains("\n\n\n"));
}
