//! Files that nobody hands to a model by accident: credentials, keys, what configures a system or runs at its start.

use std::sync::LazyLock;

use super::super::detection::Confidence;
use super::super::words::{Words, in_lower_case};

/// Folders in a home that hold credentials; a path with one of them in it is sensitive.
pub(super) const SECRET_FOLDERS: &[&str] = &[
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

/// The shortest path that is sensitive: `.env`.
const SHORTEST: usize = 4;

static SYSTEM_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(SYSTEM));
static FOLDER_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(SECRET_FOLDERS));
static FILE_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(SECRET_FILES));
static STARTUP_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(STARTUP_FILES));
static ENDINGS: LazyLock<Words> = LazyLock::new(|| Words::of_ends(SECRET_ENDINGS));

/// Whether a resolved path names something sensitive.
pub(super) fn sensitive(path: &str) -> Option<(&'static str, Confidence, &'static str)> {
    if path.len() < SHORTEST {
        return None;
    }
    let credential_file = Some(("path.credential_file", Confidence::High, "a file that holds credentials"));
    // What is sensitive has one of these, but for a few names.
    if !path.bytes().fold(false, |some, byte| some | matches!(byte, b'/' | b'.' | b'_')) {
        return if FILE_WORDS.has_in_any_case(path) { credential_file } else { None };
    }
    let lower = in_lower_case(path);
    let lower = lower.trim_end_matches('/');
    let name = lower.rsplit('/').next().unwrap_or(lower);
    let rooted = lower.strip_prefix("/").is_some_and(|rest| rest.get(1..3) == Some(":/"));
    let system = if rooted { lower.get(1..).unwrap_or(lower) } else { lower };
    // An entry is whole, or opens the path where it ends in a slash; no other entry does.
    if SYSTEM_WORDS
        .opens(system, |rest| rest.is_empty() || system.strip_suffix(rest).is_some_and(|entry| entry.ends_with('/')))
        || process_file(system)
        || system.split('/').nth(1) == Some("root")
    {
        return Some(("path.system_file", Confidence::High, "a file of the system that no tool needs"));
    }
    let opens_folder = |from: &str| FOLDER_WORDS.opens(from, |rest| rest.is_empty() || rest.starts_with('/'));
    let mut starts = std::iter::once(0).chain(memchr::memchr_iter(b'/', lower.as_bytes()).map(|at| at + 1));
    if starts.any(|at| lower.get(at..).is_some_and(opens_folder)) && !name.ends_with(".pub") && name != "known_hosts" {
        return Some(("path.credential_file", Confidence::High, "a folder that holds credentials"));
    }
    if FILE_WORDS.has(name)
        || ENDINGS.ends(name, |_, _| true).is_some()
        || (name.ends_with(".json") && name.contains("service") && name.contains("account"))
    {
        return credential_file;
    }
    let env = name == ".env"
        || name.strip_prefix(".env.").is_some_and(|rest| !TEMPLATES.contains(&rest))
        || name.strip_suffix(".env").is_some_and(|rest| !TEMPLATES.contains(&rest) && !rest.is_empty());
    if env {
        return Some(("path.env_file", Confidence::High, "a file of environment variables, which hold secrets"));
    }
    STARTUP_WORDS.has(name).then_some((
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends the INVARIANT that the lists build.
    #[test]
    fn the_lists_build() {
        for words in [&SYSTEM_WORDS, &FOLDER_WORDS, &FILE_WORDS, &STARTUP_WORDS, &ENDINGS] {
            assert!(words.is_built());
        }
        assert!(
            [SYSTEM, SECRET_FOLDERS, SECRET_FILES, STARTUP_FILES]
                .iter()
                .flat_map(|list| *list)
                .all(|word| word.len() >= SHORTEST)
        );
    }
}
