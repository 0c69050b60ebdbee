//! Code that a text asks to plant: does it do harm?
//!
//! Only asked about code that somebody wants to have in an answer; the same calls in an example are ordinary.

use std::sync::LazyLock;

use super::super::words::Anywhere;

/// What is read that is nobody's business.
const SOURCES: &[&str] = &[
    "os.environ",
    "getenv",
    "process.env",
    "/etc/",
    "cookie",
    "clipboard",
    "pyperclip",
    "screenshot",
    "getpass",
    "platform.",
    "psutil",
    "keyboard",
    "pynput",
    "private/key",
    "id_rsa",
    ".ssh",
    "/var/log",
    "driverquery",
    "check_output",
    "nvidia-smi",
    "pkg_resources",
    "usb.core",
    "trash",
    "/proc/",
    "contacts",
    "expanduser",
    "glob(",
    "walk(",
    "history",
    "sniff",
    "scapy",
    "pcap",
    "packet",
    "recv(",
    "stdin",
    "workfile",
    "open(",
    "wmi",
    "registry",
    "uname",
];
/// What carries it away.
const SENDS: &[&str] = &[
    "requests.post",
    "requests.put",
    "requests.get(",
    "urlopen",
    "http.client",
    "smtplib",
    "ftplib",
    "paramiko",
    "axios.post",
    "fetch(",
    "socket",
    "sendto",
    "sendmail",
    "webhook",
    "storbinary",
    "curl ",
    "httpx.post",
    "aiohttp",
    "post(",
    "putrequest",
    "upload",
    "scp",
];
/// What is fetched to be run.
const FETCHES: &[&str] =
    &["urlretrieve", "wget", "requests.get", "urlopen", ".request(", "curl", "download", "httpx.get", "http.get"];
/// What runs it.
const RUNS: &[&str] = &[
    "os.system",
    "subprocess",
    "exec(",
    "eval(",
    "popen",
    "spawn",
    "child_process",
    "pickle.load",
    "runpy",
    "shell=true",
];
/// What destroys or blocks, by itself.
const DESTROYS: &[&str] = &[
    "rmtree(",
    "rm -rf",
    "fork()",
    "os.fork",
    "systemctl stop",
    "shutdown",
    "reboot",
    "/etc/hosts",
    "grub",
    "rc.local",
    "ipconfig /release",
    "\"/release\"",
    "mkfs",
    "format c",
    "fernet",
    "encryptor",
    "ransom",
    "nc -e",
    "/dev/tcp",
    "ping -n",
    "while true",
    "iptables",
    "authorized_keys",
    "crontab",
    "chmod +x",
    "kill -9",
    "xmrig",
    "miner",
    "stratum",
    "os.remove",
    "unlink(",
    "ssh -l",
    "setsid",
    "listen(",
    "mainloop",
];

struct Calls {
    words: Anywhere,
    kinds: Vec<u8>,
}

static CALLS: LazyLock<Calls> = LazyLock::new(|| {
    let groups = [SOURCES, SENDS, FETCHES, RUNS, DESTROYS];
    let rows =
        groups.iter().zip([1_u8, 2, 4, 8, 16]).flat_map(|(words, kind)| words.iter().map(move |word| (kind, *word)));
    let (kinds, words): (Vec<u8>, Vec<&str>) = rows.unzip();
    Calls { words: Anywhere::new(&words), kinds }
});

/// How much code is looked at.
const WINDOW: usize = 2000;

/// The code block that was looked at last, by where it opens: several clauses may announce the same.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    start: usize,
    points: u8,
    /// How much of all blocks was looked at.
    pub(super) looked_at: usize,
}

impl Block {
    /// How much harm the code block does that opens within a few lines of `from`.
    pub(super) fn points(&mut self, text: &str, from: usize) -> u8 {
        let bytes = text.as_bytes().get(from..).unwrap_or_default();
        let near = bytes.get(..80).unwrap_or(bytes);
        let Some(fence) = memchr::memmem::find(near, b"```") else { return 0 };
        if self.start != from + fence + 3 {
            let code = code(bytes.get(fence + 3..).unwrap_or_default());
            let looked_at = self.looked_at + code.len();
            *self = Self { start: from + fence + 3, points: points(code), looked_at };
        }
        self.points
    }
}

/// What of the code block is looked at that opens here.
fn code(block: &[u8]) -> &[u8] {
    let code = block.get(..WINDOW).unwrap_or(block);
    code.get(..memchr::memmem::find(code, b"```").unwrap_or(code.len())).unwrap_or(code)
}

/// How much harm code does.
fn points(code: &[u8]) -> u8 {
    let Some(mut seek) = CALLS.words.seek() else { return 0 };
    let mut kinds = 0;
    for byte in code {
        if seek.meets(*byte) {
            kinds |= seek.ended().filter_map(|(word, _)| CALLS.kinds.get(word)).fold(0, |all, kind| all | kind);
        }
    }
    let (source, send, fetch, run, destroy) = (kinds & 1, kinds & 2, kinds & 4, kinds & 8, kinds & 16);
    if (source != 0 && send != 0) || (fetch != 0 && run != 0) || destroy != 0 {
        3
    } else {
        u8::from(run != 0 || send != 0)
    }
}
