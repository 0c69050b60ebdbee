//! Commands where none belong, and dangerous ones where they do.

mod option;

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

use thoth_text::percent::Decoded;

use super::argument_role::Role;
use super::detection::{Class, Confidence};
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf};
use super::words::Words;
use option::{is_option, names_program, starts_program, takes_options};

fn hit(leaf: &Leaf<'_>, kind: &'static str, confidence: Confidence, message: &'static str) -> Hit {
    Hit { class: Class::Shell, kind, range: 0..leaf.text.len(), confidence, message }
}

/// Judges a value, given also as it is decoded.
pub(super) fn find(leaf: &Leaf<'_>, decoded: &Decoded<'_>, effort: &mut Effort, hits: &mut Vec<Hit>) {
    match leaf.role {
        Role::Command => dangerous(leaf, leaf.text, hits),
        Role::Path | Role::Host | Role::Scalar | Role::Url | Role::Opaque | Role::Sql => {
            smuggled(leaf, &decoded.text, effort, hits);
            let text = leaf.text.trim_start();
            if leaf.role == Role::Path && is_option(leaf.text) {
                hits.push(hit(leaf, "shell.option", Confidence::Medium, "an option where a file is expected"));
            } else if matches!(leaf.role, Role::Url | Role::Host) && is_option(text) {
                hits.push(hit(leaf, "shell.option", Confidence::Medium, "an option where an address is expected"));
            } else if starts_program(text) && !takes_options(leaf.key) {
                hits.push(hit(leaf, "shell.option", Confidence::High, "an option that starts a program"));
            } else if leaf.role != Role::Sql && names_program(text) {
                hits.push(hit(leaf, "shell.transport", Confidence::High, "an address that starts a program"));
            }
        }
        Role::Search | Role::Prose => {}
    }
}

/// Commands that attackers chain, each with a word boundary behind it.
#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    "cat", "rm", "curl", "wget", "bash", "sh", "zsh", "nc", "ncat", "netcat", "python", "python3", "perl", "ruby",
    "node", "php", "chmod", "chown", "whoami", "id", "uname", "ls", "dir", "type", "del", "format", "mkfs", "dd",
    "env", "printenv", "export", "set", "echo", "printf", "sleep", "ping", "nslookup", "dig", "host", "ssh", "scp",
    "sftp", "ftp", "telnet", "socat", "tar", "zip", "base64", "xxd", "openssl", "eval", "exec", "source", "sudo",
    "su", "doas", "kill", "killall", "pkill", "reboot", "shutdown", "halt", "crontab", "at", "systemctl", "service",
    "useradd", "adduser", "usermod", "passwd", "chpasswd", "mount", "umount", "docker", "kubectl", "git", "npm",
    "npx", "pip", "apt", "yum", "powershell", "pwsh", "cmd", "certutil", "bitsadmin", "mv", "cp", "ln", "touch",
    "mkdir", "tee", "head", "tail", "less", "more", "grep", "awk", "sed", "find", "xargs", "ps", "top", "netstat",
    "ifconfig", "ip", "hostname", "history", "nohup", "iptables", "net", "reg", "wmic", "tasklist", "ipconfig",
    "calc", "gcc", "make", "busybox", "mysql", "psql", "sqlite3", "aws", "gcloud", "az",
];

static COMMAND_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(COMMANDS));

/// The longest word that may be a command.
const MAX_WORD: usize = 64;

/// A text in which commands are looked for behind marks.
struct Parted<'t> {
    text: &'t str,
    /// The last row of blanks that was skipped: marks may stand in it, and it is read once.
    blank: Range<usize>,
}

impl Parted<'_> {
    /// Whether a command stands at an offset, after blanks.
    fn opens(&mut self, at: usize) -> bool {
        if !self.blank.contains(&at) {
            let rest = self.text.get(at..).unwrap_or_default();
            self.blank = at..at + (rest.len() - rest.trim_start().len());
        }
        opens_with_command(self.text.get(self.blank.end..).unwrap_or_default())
    }
}

/// Whether text opens with a command: a known name, or a path to a program, and then a space, an end, or an operator.
fn opens_with_command(text: &str) -> bool {
    let parts = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'`' | b')' | b'<' | b'>');
    let length = text.bytes().take(MAX_WORD + 1).take_while(|byte| !parts(byte)).count();
    if length == 0 || length > MAX_WORD {
        return false;
    }
    let word = text.get(..length).unwrap_or_default();
    let program =
        || ["/bin/", "/usr/", "/sbin/", "/tmp/", "/opt/", "/dev/shm/", "./"].iter().any(|root| word.starts_with(root));
    let mut bare = word;
    while let Some(rest) = bare.strip_suffix(".exe") {
        bare = rest;
    }
    COMMAND_WORDS.has_in_any_case(bare) || (word.starts_with(['/', '.']) && program())
}

/// Whether a byte may part a command from what stands before it.
const fn is_mark(byte: u8) -> bool {
    matches!(byte, b';' | b'|' | b'&' | b'$' | b'`' | b'\n' | b'\r' | b'<' | b'>')
}

/// A command smuggled into a value that is no command. Where too much would have to be looked at, the effort is spent.
fn smuggled(leaf: &Leaf<'_>, text: &str, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let bytes = text.as_bytes();
    let mut parted = Parted { text, blank: 0..0 };
    // Where a row of `&` goes on.
    let mut row = None;
    for (at, mark) in bytes.iter().copied().enumerate().filter(|(_, byte)| is_mark(*byte)) {
        effort.reads(effort::MARK);
        if effort.is_spent() {
            return;
        }
        let end = at + 1;
        let in_row = row == Some(at);
        row = (mark == b'&').then_some(end);
        // Of a row of one mark the last one stands before the command.
        if bytes.get(end) == Some(&mark) && matches!(mark, b';' | b'|' | b'&' | b'\n' | b'\r') {
            continue;
        }
        let rest = text.get(end..).unwrap_or_default();
        let found = match mark {
            b';' => parted.opens(end),
            // In SQL `|` is an operator.
            b'\n' | b'\r' | b'|' => leaf.role != Role::Sql && parted.opens(end),
            // In an address a single `&` parts parameters.
            b'&' => (in_row || (leaf.role != Role::Url && rest.starts_with(' '))) && parted.opens(end),
            b'`' => leaf.role != Role::Sql && memchr::memchr(b'`', near(rest)).is_some() && parted.opens(end),
            b'$' if rest.starts_with('(') => {
                parted.opens(end + 1) || (leaf.role != Role::Scalar && memchr::memchr(b')', near(rest)).is_some())
            }
            b'$' => rest.starts_with("{IFS}") || rest.starts_with("IFS"),
            _ => rest.starts_with('(') && parted.opens(end + 1),
        };
        if found {
            let kind = if matches!(mark, b'$' | b'`') { "shell.substitution" } else { "shell.chained_command" };
            hits.push(hit(leaf, kind, Confidence::High, "a command in a value that is none"));
            return;
        }
    }
}

/// What is looked at behind a mark.
fn near(rest: &str) -> &[u8] {
    rest.as_bytes().get(..160).unwrap_or(rest.as_bytes())
}

/// What makes a command dangerous whoever asked for it. Each row: kind, pattern, reason. Patterns see the command as
/// it stands, without regard to case. Gaps are unbounded on purpose: the engine is linear in them, and its automaton
/// small, while a counted gap multiplies its states.
const DANGERS: &[(&str, &str, &str)] = &[
    (
        "shell.destructive",
        r"\brm\s+(?:-{1,2}[\w-]+\s+){0,6}(?:--\s+)?[\x22']?(?:/|~|\$\{?home\}?|/\*|\*|\.)[\x22']?/?\*?\s*(?:$|[;&|\n])",
        "deletes everything",
    ),
    ("shell.destructive", r"\brm\s+(?:-{1,2}[\w-]+\s+){0,6}--no-preserve-root\b", "deletes everything"),
    (
        "shell.destructive",
        r"\brm\s+(?:-{1,2}[\w-]*r[\w-]*\s+)(?:-{1,2}[\w-]+\s+){0,4}/(?:bin|boot|dev|etc|home|lib|lib64|opt|root|sbin|usr|var)(?:/\*?)?\s*(?:$|[;&|\n])",
        "deletes a folder of the system",
    ),
    ("shell.destructive", r"\bmkfs(?:\.\w+)?\s|\bwipefs\b|\bshred\s[^;|&]*/dev/", "erases a disk"),
    ("shell.destructive", r"\bdd\b[^;|&]*\bof=/dev/(?:sd|hd|nvme|vd|mmcblk|disk)", "overwrites a disk"),
    ("shell.destructive", r">\s*/dev/(?:sd|hd|nvme|vd|mmcblk)", "overwrites a disk"),
    (
        "shell.destructive",
        r":\(\)\s*\{\s*:\s*\|\s*:\s*&\s*\}\s*;|\bformat\s+[c-z]:|\brd\s+/s\s+/q\s+[c-z]:|\bdel\s+/[fsq]\s+(?:/[fsq]\s+){0,3}[c-z]:\\",
        "makes the machine unusable",
    ),
    (
        "shell.remote_code",
        r"\b(?:curl|wget|fetch)\b[^;\n]*\|\s*(?:sudo\s+(?:-\w+\s+){0,3})?(?:env\s+)?(?:/\S+/)?(?:ba|z|da|k|c|fi)?sh\b",
        "runs what a network address answers",
    ),
    (
        "shell.remote_code",
        r"\b(?:curl|wget)\b[^;\n]*\|\s*(?:sudo\s+)?(?:python[23]?|perl|ruby|node|php)\b",
        "runs what a network address answers",
    ),
    (
        "shell.remote_code",
        r"\b(?:bash|sh|zsh|eval|source)\b[^\n]*(?:<\(|\$\(|`)\s*(?:curl|wget)\b",
        "runs what a network address answers",
    ),
    (
        "shell.remote_code",
        r"\bbase64\s+(?:-d|-D|--decode)\b[^;\n]*\|\s*(?:sudo\s+)?(?:(?:ba|z|da)?sh|python[23]?|perl)\b",
        "runs encoded text",
    ),
    (
        "shell.remote_code",
        r"\b(?:iex|invoke-expression)\b[^\n]*(?:downloadstring|webclient|iwr|invoke-webrequest|irm)|\b(?:iwr|irm|invoke-webrequest)\b[^\n]*\|\s*iex\b|\bpowershell(?:\.exe)?\b[^\n]*\s-e(?:nc|ncodedcommand)?\s+[a-z0-9+/=]{16}",
        "runs what a network address answers",
    ),
    (
        "shell.remote_code",
        r"\bcertutil\b[^\n]*-urlcache|\bbitsadmin\b[^\n]*/transfer|\bmshta\s+https?:|\bregsvr32\b[^\n]*/i:https?:",
        "runs what a network address answers",
    ),
    ("shell.reverse_shell", r"/dev/(?:tcp|udp)/", "opens a shell to another machine"),
    (
        "shell.reverse_shell",
        r"\b(?:nc|ncat|netcat)\b[^;|&\n]*\s-(?:\w*[ec]\w*|-exec)\s*\s(?:/\S*)?(?:ba|z)?sh\b|\bmkfifo\b[^\n]*\b(?:nc|ncat|netcat|telnet|openssl)\b|\bsocat\b[^\n]*\bexec:",
        "opens a shell to another machine",
    ),
    (
        "shell.reverse_shell",
        r"\b(?:python[23]?|perl|ruby|php)\b\s+-[a-z]\s[^\n]*\bsocket\b",
        "opens a shell to another machine",
    ),
    (
        "shell.privilege",
        r"\bchmod\s+(?:-\w+\s+)?(?:[ugoa]*\+[rwx]*s|[2467]7[0-7]{2}\b|0?[46][0-7]{3}\b)",
        "sets the user-id bit",
    ),
    ("shell.privilege", r"\bchmod\s+(?:-\w+\s+)?0?777\s+/", "opens a folder of the system to everybody"),
    (
        "shell.privilege",
        r"\bchpasswd\b|\bvisudo\b|\bsetcap\s|\busermod\s[^;|&\n]*(?:sudo|wheel|root|docker|admin)\b|\buseradd\s[^;|&\n]*-o\b|\buseradd\s[^;|&\n]*-u\s*0\b|\bpasswd\s+(?:-\w+\s+)?root\b|\bnopasswd:|\bnet\s+localgroup\s+administrators\b[^\n]*/add|\bnet\s+user\s+\S+\s+\S+\s+/add",
        "gives more rights",
    ),
    (
        "shell.privilege",
        r"\bsudo\s+(?:-\w+\s+)*(?:su|-i|-s|bash|sh|zsh)\b|\bsu\s+(?:-|root)(?:\s|$)|\bpkexec\s|\bdoas\s+(?:-s|sh|su)\b",
        "becomes the administrator",
    ),
    (
        "shell.container_escape",
        r"\bdocker\b[^;|&\n]*(?:--privileged|-v\s*/:|--volume[= ]/:|--pid[= ]host|--cap-add[= ](?:all|sys_admin)|docker\.sock|--mount[^\n]*source=/,)|\bnsenter\b|\bunshare\s[^\n]*-r|\brelease_agent\b|\bkubectl\b[^\n]*hostpath",
        "leaves its container",
    ),
    (
        "shell.persistence",
        r"(?:>>?|\btee\b[^|;\n]*)\s*[\x22']?(?:~|\$home|/home/\w+|/root|/etc)/?[^\s;|&]*(?:authorized_keys|\.bashrc|\.zshrc|\.profile|\.bash_profile|crontab|cron\.\w+/|rc\.local|sudoers|ld\.so\.preload|/etc/passwd|/etc/hosts\b)",
        "writes where the system reads at its start",
    ),
    (
        "shell.persistence",
        r"\|\s*crontab\b|\bcrontab\s+(?:-\s|-$|/)|\bschtasks\b[^\n]*/create|\breg\s+add\b[^\n]*\\run\b|\blaunchctl\s+load\b",
        "runs again later",
    ),
    (
        "shell.exfiltration",
        r"\b(?:curl|wget)\b[^\n]*(?:(?:-d|--data(?:-binary|-raw|-urlencode)?|-t|--upload-file|--post-file|-f|--form)[= ]?\s*[\x22']?(?:\w*=)?@?[\x22']?(?:@|/etc/|/root|~/\.|\$home/\.)|\$\((?:cat|env|printenv|whoami|hostname|id)\b|`(?:cat|env|printenv|whoami|hostname|id)\b)",
        "sends a file or the environment away",
    ),
    (
        "shell.exfiltration",
        r"\b(?:cat|env|printenv|tar|history|zip)\b[^;\n]*\|\s*(?:base64[^|\n]*\|\s*)?(?:curl|wget|nc|ncat|netcat|ssh|telnet|socat|mail|sendmail)\b",
        "sends a file or the environment away",
    ),
    ("shell.exfiltration", r"\b(?:nslookup|dig|host|ping)\b[^\n]*(?:\$\(|`)", "sends data away in names"),
    (
        "shell.defense_evasion",
        r"\biptables\s+(?:-f\b|-p\s+\w+\s+accept)|\bufw\s+disable|\bsetenforce\s+0|\bhistory\s+-c|\bunset\s+histfile|\bsystemctl\s+(?:stop|disable)\s+(?:auditd|firewalld|ufw|apparmor|falco|osquery)|\bset-mppreference\b|\bauditctl\s+-e\s*0|\bnetsh\s+advfirewall\s+set\s+\w+\s+state\s+off|\bcsrutil\s+disable|\bspctl\s+--master-disable",
        "switches protection off",
    ),
    (
        "shell.credential_access",
        r"\b(?:mimikatz|secretsdump|lazagne|procdump)\b|\bsecurity\s+(?:find-generic-password|dump-keychain)|\breg\s+save\s+hklm\\(?:sam|system|security)",
        "reads stored credentials",
    ),
    (
        "shell.environment_injection",
        r"\b(?:ld_preload|ld_library_path|dyld_insert_libraries|git_ssh_command|prompt_command|bash_env)\s*=",
        "makes programs load other code",
    ),
];

static PATTERNS: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    RegexSetBuilder::new(DANGERS.iter().map(|(_, pattern, _)| *pattern))
        .case_insensitive(true)
        .unicode(false)
        .size_limit(64 << 20)
        .dfa_size_limit(8 << 20)
        .build()
        .ok()
});

/// A dangerous command in a value that is one.
fn dangerous(leaf: &Leaf<'_>, text: &str, hits: &mut Vec<Hit>) {
    let Some(patterns) = PATTERNS.as_ref() else { return };
    // To know that none matches costs less than to list those that do.
    if !patterns.is_match(text.as_bytes()) {
        return;
    }
    let matched = patterns.matches(text.as_bytes());
    if let Some((kind, _, message)) = matched.iter().next().and_then(|first| DANGERS.get(first)) {
        hits.push(hit(leaf, kind, Confidence::High, message));
    }
}

#[cfg(test)]
mod tests;
