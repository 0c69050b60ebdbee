//! The one table of settings: every documented environment variable, in groups.

use super::setting::Setting;

/// Declares settings and lists them; the text is both the item's documentation and the reference's.
macro_rules! settings {
    ($($name:ident: $doc:literal => $setting:expr;)+) => {
        $(
            #[doc = $doc]
            pub static $name: Setting = Setting { doc: $doc, ..$setting };
        )+

        /// All of this group, in the order of the reference.
        pub(super) static ROWS: &[&Setting] = &[$(&$name),+];
    };
}

pub mod guards;
pub mod keys;
pub mod places;
pub mod predicates;
pub mod server;
pub mod tls;
pub mod who;

pub mod elsewhere;

/// Settings that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// What to know about all of them, as Markdown.
    pub about: &'static str,
    /// The settings.
    pub rows: &'static [&'static Setting],
}

/// All groups of the endpoint's settings, in the order of the reference.
pub static GROUPS: &[Group] = &[
    Group {
        title: "Who and where",
        about: "Identities are written into every record, and policies can name them. They prove nothing: whoever starts \
            `thoth run` states them. The machine's identity is the first of: `THOTH_ENDPOINT_ID`; the device id that a \
            fleet tool sets; a digest of the operating system's machine id, made for Thoth alone, so that the machine id \
            itself is recorded nowhere; the host name.",
        rows: who::ROWS,
    },
    Group {
        title: "Keys",
        about: "The first that is given counts, in this order: `--api-key`, `THOTH_API_KEY`, the file that \
            `THOTH_API_KEY_FILE` names, `~/.thoth/proxy_api_key.json`, which `thoth set-api-key` writes. Values of \
            secrets are never shown, and no server that Thoth starts gets them.",
        rows: keys::ROWS,
    },
    Group {
        title: "Policy server",
        about: "`thoth run` asks the enforcer whose address is given, and nobody where none is: calls are then decided here \
            alone. With a tenant and an apex domain two more addresses are derived, `https://enforce.<tenant>.<apex>` and \
            `https://grid.<tenant>.<apex>`; only `thoth doctor` looks whether they can be reached. There is no default \
            domain: nothing is ever sent to anybody whom nobody named.",
        rows: server::ROWS,
    },
    Group {
        title: "TLS",
        about: "For the connections of `thoth update`, of `thoth doctor`, and of `thoth run` to an enforcer.",
        rows: tls::ROWS,
    },
    Group {
        title: "Process guards",
        about: "`thoth run` does not start where a guard is violated.",
        rows: guards::ROWS,
    },
    Group {
        title: "Predicates",
        about: "What an operator demands of every session, before the policy is asked. They only ever refuse, in every mode. A text \
            that cannot be read keeps `thoth run` from starting.",
        rows: predicates::ROWS,
    },
    Group { title: "Places", about: "", rows: places::ROWS },
];

/// Whether a setting only ever refuses: a guard, a predicate, or whom to ask. Left out by mistake, nothing would be refused.
pub(super) fn is_demand(setting: &Setting) -> bool {
    guards::ROWS.iter().chain(predicates::ROWS).any(|row| row.is(setting)) || is_never_blank(setting)
}

/// Whether a variable that is set to nothing is a mistake: nobody would be asked who was to be.
pub(super) fn is_never_blank(setting: &Setting) -> bool {
    setting.is(&server::ENFORCER_URL)
}

/// All settings of the endpoint.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|group| group.rows.iter().copied())
}
