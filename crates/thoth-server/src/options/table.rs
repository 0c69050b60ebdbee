//! Every setting, once: flags, variables, keys in a file, the reference and what `config show` prints are made from this.

use super::{Item, Kind, Part, Setting};

/// The words of `enforcement_mode`.
pub(crate) const MODES: &[&[&str]] = &[&["observe", "shadow"], &["step_up", "step-up"], &["progressive"], &["block"]];

const fn limit(name: &'static str, flag: &'static str, default: &'static str, what: &'static str) -> Setting {
    let (part, kind) = (Part::Serving, Kind::Count);
    Setting { name, flag, part, kind, value: "N", default: Some(default), what, more: "", common: &[] }
}

/// A setting of the logins of people.
const fn login(
    (name, flag): (&'static str, &'static str),
    (kind, value): (Kind, &'static str),
    default: Option<&'static str>,
    what: &'static str,
    more: &'static str,
) -> Setting {
    Setting { name, flag, part: Part::Serving, kind, value, default, what, more, common: &[] }
}

/// The words of `log_format`.
pub(crate) const FORMATS: &[&[&str]] = &[&["text"], &["json"]];

/// The words of `log_level`.
pub(crate) const LEVELS: &[&[&str]] = &[&["error"], &["warn"], &["info"], &["debug"]];

/// The variable that has the whole address of a collector: nothing is added to it.
pub(crate) const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// In the order of the reference.
pub(crate) const TABLE: &[Setting] = &[
    Setting {
        name: "data",
        flag: "data",
        part: Part::Place,
        kind: Kind::Path,
        value: "DIR",
        default: None,
        what: "Where everything is kept",
        more: "`$THOTH_HOME/thothd`, else `~/.thoth/thothd`. Nobody else may be able to get into it.",
        common: &[],
    },
    Setting {
        name: "database_url",
        flag: "database-url",
        part: Part::Database,
        kind: Kind::Secret,
        value: "URL",
        default: None,
        what: "Keep everything in this PostgreSQL database, which other servers may use, too. A password belongs into \
               THOTHD_DATABASE_URL or into a file: other users of the machine see command lines",
        more: "In a file of settings only if nobody else can read that file. Of this and `database_url_file`, the one that is \
               given in the stronger place counts; both in one place are an error.",
        common: &[],
    },
    Setting {
        name: "database_url_file",
        flag: "database-url-file",
        part: Part::Database,
        kind: Kind::Path,
        value: "FILE",
        default: None,
        what: "Read its URL from this file, which only you can read",
        more: "",
        common: &[],
    },
    Setting {
        name: "listen",
        flag: "listen",
        part: Part::Serving,
        kind: Kind::Address,
        value: "ADDRESS:PORT",
        default: Some("127.0.0.1:8787"),
        what: "Where to listen; other machines are listened to with TLS only",
        more: "Port 0 lets the system choose; the first line of standard output says where it listens.",
        common: &[],
    },
    Setting {
        name: "tls_cert",
        flag: "tls-cert",
        part: Part::Serving,
        kind: Kind::Path,
        value: "FILE",
        default: None,
        what: "The certificate and those above it, in PEM",
        more: "Needs `tls_key`. TLS 1.2 and 1.3. Read once, at the start.",
        common: &[],
    },
    Setting {
        name: "tls_key",
        flag: "tls-key",
        part: Part::Serving,
        kind: Kind::Path,
        value: "FILE",
        default: None,
        what: "Its key, in PEM",
        more: "Needs `tls_cert`.",
        common: &[],
    },
    Setting {
        name: "policy",
        flag: "policy",
        part: Part::Serving,
        kind: Kind::Path,
        value: "FILE",
        default: None,
        what: "The policy of all tenants; `policy.yaml` in the data directory unless given",
        more: "A starter is written there if there is none. Looked at before each call: a changed policy holds at once, one that \
               is not valid changes nothing, and at the start refuses everything.",
        common: &[],
    },
    Setting {
        name: "enforcement_mode",
        flag: "enforcement-mode",
        part: Part::Serving,
        kind: Kind::Word(MODES),
        value: "MODE",
        default: Some("block"),
        what: "What is done about violations at least: observe (never interrupt), step_up (ask a person), progressive (warn, \
               then ask, then block) or block. A client may ask for a stricter mode, never for a looser one",
        more: "`observe` gives way to anything, `block` to nothing; `step_up` and `progressive` together are `block`.",
        common: &[],
    },
    limit(
        "enforce_per_minute",
        "enforce-per-minute",
        "500",
        "Calls that a tenant may have decided per minute, and as many explanations",
    ),
    limit("events_per_minute", "events-per-minute", "1000", "Batches of events that a tenant may send per minute"),
    limit("polls_per_minute", "polls-per-minute", "200", "Questions about held calls that a tenant may ask per minute"),
    limit(
        "checkins_per_minute",
        "checkins-per-minute",
        "5000",
        "Registrations and check-ins of machines that a tenant may send per minute",
    ),
    limit(
        "governance_per_minute",
        "governance-per-minute",
        "300",
        "Other requests of a tenant per minute: lists, answers, keys",
    ),
    Setting {
        name: "log_format",
        flag: "log-format",
        part: Part::Serving,
        kind: Kind::Word(FORMATS),
        value: "FORMAT",
        default: Some("text"),
        what: "How lines on standard error look: text, or json with one object each",
        more: "See [logs](../operating.md#logs).",
        common: &[],
    },
    Setting {
        name: "log_level",
        flag: "log-level",
        part: Part::Serving,
        kind: Kind::Word(LEVELS),
        value: "LEVEL",
        default: Some("info"),
        what: "What is written: error, warn, info or debug, with all that is graver",
        more: "",
        common: &[],
    },
    Setting {
        name: "access_log",
        flag: "access-log",
        part: Part::Serving,
        kind: Kind::Switch,
        value: "SWITCH",
        default: Some("false"),
        what: "Write a line for each request",
        more: "It has no argument, body, key, token or name that a client made up.",
        common: &[],
    },
    Setting {
        name: "metrics_listen",
        flag: "metrics-listen",
        part: Part::Serving,
        kind: Kind::Address,
        value: "ADDRESS:PORT",
        default: None,
        what: "Where to serve `GET /metrics` for Prometheus, without TLS and keys; nowhere unless given",
        more: "At an address that other machines reach only with `metrics_exposed`. See [metrics](../operating.md#metrics).",
        common: &[],
    },
    Setting {
        name: "metrics_exposed",
        flag: "metrics-exposed",
        part: Part::Serving,
        kind: Kind::Switch,
        value: "SWITCH",
        default: Some("false"),
        what: "Let other machines read the metrics: whoever reaches the address can",
        more: "",
        common: &[],
    },
    Setting {
        name: "traces_endpoint",
        flag: "traces-endpoint",
        part: Part::Serving,
        kind: Kind::Url,
        value: "URL",
        default: None,
        what: "Send traces to this collector of OpenTelemetry, with OTLP over HTTP; nowhere unless given",
        more: "As in `http://127.0.0.1:4318`; `/v1/traces` is added unless it ends with it. See \
               [traces](../operating.md#traces).",
        common: &[TRACES_ENDPOINT, "OTEL_EXPORTER_OTLP_ENDPOINT"],
    },
    Setting {
        name: "traces_headers",
        flag: "traces-headers",
        part: Part::Serving,
        kind: Kind::Secret,
        value: "NAME=VALUE,…",
        default: None,
        what: "Headers for that collector. A key belongs into THOTHD_TRACES_HEADERS or into a file: other users of the \
               machine see command lines",
        more: "In a file of settings only if nobody else can read that file. `%2C` stands for a comma in a value.",
        common: &["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"],
    },
    Setting {
        name: "traces_headers_file",
        flag: "traces-headers-file",
        part: Part::Serving,
        kind: Kind::Path,
        value: "FILE",
        default: None,
        what: "Read them from this file, which only you can read",
        more: "",
        common: &[],
    },
    Setting {
        name: "traces_ca_file",
        flag: "traces-ca-file",
        part: Part::Serving,
        kind: Kind::Path,
        value: "FILE",
        default: None,
        what: "The only authorities to trust when traces are sent, in PEM; the system's unless given",
        more: "",
        common: &["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"],
    },
    Setting {
        name: "traces_ratio",
        flag: "traces-ratio",
        part: Part::Serving,
        kind: Kind::Share,
        value: "SHARE",
        default: Some("1"),
        what: "Which part of the traces is recorded that begin at this server, from 0 to 1",
        more: "Whether others are is for whoever began them: their `traceparent` says so.",
        common: &[],
    },
    Setting {
        name: "traces_service_name",
        flag: "traces-service-name",
        part: Part::Serving,
        kind: Kind::Text,
        value: "NAME",
        default: Some("thothd"),
        what: "What the server is called in traces",
        more: "",
        common: &["OTEL_SERVICE_NAME"],
    },
    login(
        ("oidc_issuer", "oidc-issuer"),
        (Kind::Text, "URL"),
        None,
        "Take the logins of people with this issuer, beside API keys; exactly as it stands in its tokens",
        "Needs `oidc_client_id`, `oidc_tenant` and `oidc_role`. See [people](../enforcer.md#people).",
    ),
    login(("oidc_client_id", "oidc-client-id"), (Kind::Text, "ID"), None, "As which client people log in there", ""),
    login(
        ("oidc_audience", "oidc-audience"),
        (Kind::List(Item::Text), "ID"),
        None,
        "Take access tokens for this audience, too; repeat for several",
        "",
    ),
    login(
        ("oidc_scope", "oidc-scope"),
        (Kind::Text, "WORDS"),
        None,
        "What people ask the issuer for when they log in; what is needed to stay logged in, unless given",
        "",
    ),
    login(
        ("oidc_tenant_claim", "oidc-tenant-claim"),
        (Kind::Text, "CLAIM"),
        Some("org_id"),
        "The claim that says of which tenant somebody is: a name, or a path as in `/a/b`",
        "",
    ),
    login(
        ("oidc_tenant", "oidc-tenant"),
        (Kind::List(Item::Tenant), "VALUE=TENANT"),
        None,
        "Which value of it means which tenant: `VALUE=TENANT`, or `TENANT` where both are the same; repeat for several",
        "",
    ),
    login(
        ("oidc_role_claim", "oidc-role-claim"),
        (Kind::Text, "CLAIM"),
        Some("roles"),
        "The claim with somebody's roles: a name, or a path as in `/realm_access/roles`",
        "",
    ),
    login(
        ("oidc_role", "oidc-role"),
        (Kind::List(Item::Role), "ROLE=RIGHTS"),
        None,
        "What a role may do: `ROLE=read`, or `ROLE=write`, which is both; repeat for several. Others may do nothing",
        "",
    ),
    login(
        ("oidc_ca_file", "oidc-ca-file"),
        (Kind::Path, "FILE"),
        None,
        "The only authorities to trust when the issuer is asked for its keys, in PEM; the system's unless given",
        "",
    ),
];

/// The setting of this name in a file.
pub(crate) fn named(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use thoth_server::Rates;

    use super::*;

    /// One name everywhere, defaults that can be used, and those of the library.
    #[test]
    fn the_table_is_in_order() {
        let mut names = BTreeSet::new();
        for setting in TABLE {
            assert_eq!(setting.flag, setting.name.replace('_', "-"));
            assert!(names.insert(setting.name) && setting.name != "config", "{}", setting.name);
            assert!(setting.default.is_none_or(|default| setting.kind.check(default).is_ok()), "{}", setting.name);
            assert!(!setting.what.ends_with('.') && (setting.more.is_empty() || setting.more.ends_with('.')));
        }
        let rates = Rates::default();
        for (name, rate) in [
            ("enforce_per_minute", rates.enforce),
            ("events_per_minute", rates.events),
            ("polls_per_minute", rates.polls),
            ("checkins_per_minute", rates.endpoints),
            ("governance_per_minute", rates.governance),
        ] {
            assert_eq!(named(name).unwrap().default, Some(&*rate.to_string()), "{name}");
        }
    }
}
