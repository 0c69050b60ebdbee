//! Paths that lead out of where they should stay, and files that nobody hands to a model by accident.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use unicode_normalization::UnicodeNormalization as _;

use super::argument_role::Role;
use super::detection::{Class, Confidence};
use super::leaf::{Hit, Leaf};
use super::percent;
use super::settings::InspectSettings;

/// The longest path that is judged; longer ones no file system has.
const MAX_PATH: usize = 8192;

fn hit(leaf: &Leaf<'_>, kind: &'static str, confidence: Confidence, message: &'static str) -> Hit {
    Hit { class: Class::Path, kind, range: 0..leaf.text.len(), confidence, message }
}

/// Judges a value that is a path, or looks like one.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    let text = leaf.text;
    if text.len() > MAX_PATH || text.is_empty() {
        return;
    }
    let looks_like_path = || {
        !text.contains(['\n', '<', '{'])
            && (text.starts_with(['/', '~', '.', '\\'])
                || text.contains("../")
                || text.contains("..\\")
                || text.contains("%2e")
                || text.contains("%2E")
                || text.contains(":\\"))
            && text.split_whitespace().count() <= 3
    };
    let judged: Cow<'_, str> = match leaf.role {
        Role::Path => Cow::Borrowed(text),
        Role::Url => match file_part(text) {
            Some(part) => Cow::Borrowed(part),
            None => return,
        },
        Role::Scalar | Role::Host | Role::Opaque if looks_like_path() => Cow::Borrowed(text),
        Role::Command => {
            command_paths(leaf, settings, hits);
            return;
        }
        _ => return,
    };
    judge(leaf, &judged, settings, hits);
}

fn judge(leaf: &Leaf<'_>, path: &str, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    let decoded = percent::decode(path);
    // Full-width dots and slashes are dots and slashes to some file systems and gateways.
    let plain: String = decoded.text.nfkc().map(|character| if character == '\\' { '/' } else { character }).collect();
    if plain.contains('\0') {
        hits.push(hit(leaf, "path.null_byte", Confidence::High, "a null byte, at which other programs end the path"));
    }
    let plain = plain.replace('\0', "");
    let walked = Walked::of(&plain);
    let encoded = decoded.rounds > 0 && !path.contains("../") && plain.contains("../");
    if allowed(&walked.path, settings) && !encoded {
        return;
    }
    if encoded && walked.climbs > 0 {
        hits.push(hit(leaf, "path.encoded_traversal", Confidence::High, "an encoded way out of the folder"));
    } else if walked.climbs >= 3 || (walked.climbs > 0 && walked.absolute) {
        hits.push(hit(leaf, "path.traversal", Confidence::High, "a way out of the folder"));
    }
    if let Some((kind, confidence, message)) = sensitive(&walked.path) {
        hits.push(hit(leaf, kind, confidence, message));
    }
}

/// The path of a `file:` address, or of one whose path climbs.
fn file_part(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("file://").or_else(|| text.strip_prefix("file:"));
    if rest.is_some() {
        return rest;
    }
    let after = text.split_once("://").map_or(text, |(_, rest)| rest);
    let path = after.get(after.find('/')?..)?;
    if !path.contains("..") && memchr::memchr(b'%', path.as_bytes()).is_none() {
        return None;
    }
    let lower = path.to_ascii_lowercase();
    (lower.contains("../") || lower.contains("%2e%2e") || lower.contains("%252e") || lower.contains("..%2f"))
        .then_some(path)
}

/// A path with its `.` and `..` resolved.
struct Walked {
    path: String,
    /// How often it climbed above where it began.
    climbs: usize,
    absolute: bool,
}

impl Walked {
    fn of(path: &str) -> Self {
        let absolute = path.starts_with('/') || path.get(1..3) == Some(":/");
        let mut parts: Vec<&str> = Vec::new();
        let mut climbs = 0;
        for part in path.split('/') {
            match part.trim_end_matches([' ', '\t']) {
                "" | "." => {}
                // `....//` and `..;/` turn into `..` behind filters that remove once.
                ".." | "..." | "...." | "..;" => {
                    if parts.pop().is_none() {
                        climbs += 1;
                    }
                }
                part => parts.push(part),
            }
        }
        let mut joined = String::with_capacity(path.len());
        if absolute || climbs > 0 {
            joined.push('/');
        }
        joined.push_str(&parts.join("/"));
        Self { path: joined, climbs, absolute }
    }
}

fn allowed(path: &str, settings: &InspectSettings) -> bool {
    settings
        .allowed_paths
        .iter()
        .any(|allowed| if allowed.ends_with('/') { path.starts_with(allowed.as_str()) } else { path == allowed })
}

/// Folders in a home that hold credentials; a path with one of them in it is sensitive.
const SECRET_FOLDERS: &[&str] = &[
    ".ssh",
    ".aws",
    ".azure",
    ".gcloud",
    ".gnupg",
    ".kube",
    ".password-store",
    ".docker",
    ".terraform.d",
    ".oci",
    ".config/gcloud",
    ".config/gh",
    ".config/op",
    ".config/rclone",
    ".config/doctl",
    ".local/share/keyrings",
    "library/keychains",
    ".mozilla",
    ".config/google-chrome",
    "appdata/roaming/microsoft/credentials",
    "appdata/local/google/chrome/user data",
    ".bitcoin",
    ".ethereum",
    ".electrum",
    ".vault",
    ".minikube",
    ".ansible",
];

/// Names of files that hold credentials, wherever they lie.
const SECRET_FILES: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".npmrc",
    ".pypirc",
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".pgpass",
    ".my.cnf",
    ".vault-token",
    ".s3cfg",
    ".boto",
    ".dockercfg",
    ".htpasswd",
    "authorized_keys",
    "credentials.json",
    "accesstokens.json",
    "application_default_credentials.json",
    "serviceaccount.json",
    "service-account.json",
    "service_account.json",
    "serviceaccountkey.json",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "secrets.toml",
    "secrets.env",
    "terraform.tfstate",
    "wallet.dat",
    "key4.db",
    "key3.db",
    "logins.json",
    "login data",
    "ntds.dit",
    "credentials.xml",
    "credentials.toml",
    "tokens.json",
    "token.json",
    ".rclone.conf",
    "rclone.conf",
    "kubeconfig",
    "client_secret.json",
    "credentials.db",
    "access_tokens.db",
    "shadow",
    "gshadow",
    "master.passwd",
    "krb5.keytab",
    ".claude.json",
    "claude_desktop_config.json",
    "wp-config.php",
    "master.key",
    "msal_token_cache.json",
    "hosts.yml",
    ".envrc",
    "keystore.jks",
    "private.key",
    "privatekey.pem",
    "private_key.pem",
    "server.key",
];

/// Files that a shell or a program reads at its start: they hold secrets, and writing them runs code.
const STARTUP_FILES: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".zprofile",
    ".zshenv",
    ".bash_login",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".psql_history",
    ".mysql_history",
    ".bash_logout",
    ".xprofile",
    ".inputrc",
    ".node_repl_history",
    "config.fish",
    ".gitconfig",
];

/// Files and folders of the system, whole or as the beginning of a path when they end in `/`.
const SYSTEM: &[&str] = &[
    "/etc",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/sudoers.d/",
    "/etc/ssh/",
    "/etc/ssl/private",
    "/etc/pam.d/",
    "/etc/crontab",
    "/etc/cron.d/",
    "/etc/cron.daily/",
    "/etc/kubernetes/",
    "/etc/ld.so.preload",
    "/etc/systemd/system/",
    "/etc/profile",
    "/etc/profile.d/",
    "/etc/environment",
    "/etc/security/",
    "/etc/group",
    "/etc/hosts.allow",
    "/etc/init.d/",
    "/etc/rc.local",
    "/etc/letsencrypt/",
    "/etc/wireguard/",
    "/etc/openvpn/",
    "/proc/self/",
    "/proc/1/",
    "/proc/kcore",
    "/proc/self",
    "/dev/mem",
    "/dev/kmem",
    "/dev/sda",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/var/spool/cron/",
    "/run/secrets/",
    "/var/run/secrets/",
    "/var/lib/docker/",
    "/boot/",
    "/var/lib/kubelet/",
    "/var/backups/",
    "/private/etc/passwd",
    "/private/etc/master.passwd",
    "/library/launchdaemons/",
    "/var/log/auth.log",
    "/var/log/secure",
    "c:/windows/system32/config/",
    "c:/windows/system32/drivers/etc/hosts",
    "c:/windows/win.ini",
    "c:/boot.ini",
    "c:/windows/repair/",
    "c:/windows/ntds/",
    "c:/windows/system.ini",
    "c:/inetpub/wwwroot/web.config",
];

/// Endings of files that hold keys.
const SECRET_ENDINGS: &[&str] =
    &[".p12", ".pfx", ".jks", ".kdbx", ".ppk", ".keystore", ".keychain-db", ".asc.key", "_rsa", "_ed25519"];

/// Endings of templates, which hold no secrets.
const TEMPLATES: &[&str] = &["example", "sample", "template", "dist", "defaults", "schema", "test", "md"];

/// Whether a resolved path names something sensitive.
fn sensitive(path: &str) -> Option<(&'static str, Confidence, &'static str)> {
    let lower = path.to_ascii_lowercase();
    let lower = lower.trim_end_matches('/');
    let name = lower.rsplit('/').next().unwrap_or(lower);
    let rooted = lower.strip_prefix("/").is_some_and(|rest| rest.get(1..3) == Some(":/"));
    let system = if rooted { lower.get(1..).unwrap_or(lower) } else { lower };
    if SYSTEM.iter().any(|entry| if entry.ends_with('/') { system.starts_with(entry) } else { system == *entry })
        || process_file(system)
        || system.split('/').nth(1) == Some("root")
    {
        return Some(("path.system_file", Confidence::High, "a file of the system that no tool needs"));
    }
    let opens_folder = |from: &str| {
        let whole = |rest: &str| rest.is_empty() || rest.starts_with('/');
        SECRET_FOLDERS.iter().any(|folder| from.strip_prefix(folder).is_some_and(whole))
    };
    let starts = std::iter::once(0).chain(memchr::memchr_iter(b'/', lower.as_bytes()).map(|at| at + 1));
    // What the folders open with; few parts of a path do.
    let mut froms = starts.filter_map(|at| lower.get(at..)).filter(|from| from.starts_with(['.', 'l', 'a']));
    if froms.any(opens_folder) && !name.ends_with(".pub") && name != "known_hosts" {
        return Some(("path.credential_file", Confidence::High, "a folder that holds credentials"));
    }
    if SECRET_FILES.contains(&name)
        || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || (name.contains("service") && name.contains("account") && name.ends_with(".json"))
    {
        return Some(("path.credential_file", Confidence::High, "a file that holds credentials"));
    }
    let env = name == ".env"
        || name.strip_prefix(".env.").is_some_and(|rest| !TEMPLATES.contains(&rest))
        || name.strip_suffix(".env").is_some_and(|rest| !TEMPLATES.contains(&rest) && !rest.is_empty());
    if env {
        return Some(("path.env_file", Confidence::High, "a file of environment variables, which hold secrets"));
    }
    STARTUP_FILES.contains(&name).then_some((
        "path.startup_file",
        Confidence::Medium,
        "a file that a shell reads at its start",
    ))
}

/// `/proc/PID/environ` and its neighbours.
fn process_file(path: &str) -> bool {
    path.strip_prefix("/proc/").and_then(|rest| rest.split_once('/')).is_some_and(|(process, file)| {
        (process.bytes().all(|byte| byte.is_ascii_digit()) || process == "self" || process == "thread-self")
            && ["environ", "mem", "maps", "fd", "root", "cwd", "cmdline", "status"]
                .iter()
                .any(|name| file.starts_with(name))
    })
}

/// What opens a path in a command that could be sensitive. Saves splitting most commands.
static WORTH_SPLITTING: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "/etc",
            "/root",
            "/proc/",
            "/.",
            "~",
            "id_",
            ".env",
            "credential",
            "secret",
            "docker.sock",
            "/dev/",
            "/var/",
            ".netrc",
            ".npmrc",
            "../",
            "_history",
            "token",
            "shadow",
            "authorized_keys",
            ".key",
            ".p",
            "windows",
        ])
        .ok()
});

/// Sensitive paths among the words of a command.
fn command_paths(leaf: &Leaf<'_>, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    let Some(worth) = WORTH_SPLITTING.as_ref() else { return };
    if !worth.is_match(leaf.text) {
        return;
    }
    let separators = [' ', '\t', '\n', ';', '|', '&', '<', '>', '(', ')', '"', '\'', '`', '=', ',', '@'];
    for word in leaf.text.split(separators).filter(|word| word.len() > 3 && word.len() < 512) {
        let word = word.strip_prefix("$HOME").or_else(|| word.strip_prefix("${HOME}")).unwrap_or(word);
        let walked = Walked::of(word);
        if allowed(&walked.path, settings) || matches!(walked.path.as_str(), "/etc" | "/root") {
            continue;
        }
        if let Some((kind, confidence, message)) = sensitive(&walked.path)
            && kind != "path.env_file"
        {
            let start = word.as_ptr().addr().saturating_sub(leaf.text.as_ptr().addr());
            hits.push(Hit { class: Class::Path, kind, range: start..start + word.len(), confidence, message });
            return;
        }
    }
}

#[cfg(test)]
mod tests;
