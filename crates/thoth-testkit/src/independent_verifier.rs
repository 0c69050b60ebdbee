//! A second verifier of ledgers, written from the texts alone: RFC 6962, RFC 8785 and C2SP signed-note,
//! tlog-checkpoint, tlog-tiles and tlog-proof, and for journals and state from their description in the ledger's
//! documentation. It shares no code with the first one, is as slow as the definitions, and keeps everything in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

type Hash = [u8; 32];

/// What a good ledger contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The log's name.
    pub origin: String,
    /// The signed root.
    pub root: Hash,
    /// The events under it, in order.
    pub leaves: Vec<Vec<u8>>,
    /// Events in journals that are not under it yet.
    pub pending: Vec<Vec<u8>>,
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// `MTH` of RFC 6962, 2.1, over leaf hashes, as it is defined.
#[must_use]
pub fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            sha256(&[&[1], &mth(left), &mth(right)])
        }
    }
}

/// "Let k be the largest power of two smaller than n."
fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// The hash of a leaf, RFC 6962, 2.1.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256(&[&[0], leaf])
}

/// `PATH(m, D[n])` of RFC 6962, 2.1.1.
#[must_use]
pub fn audit_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, last) =
        if index < k { (audit_path(index, left), mth(right)) } else { (audit_path(index - k, right), mth(left)) };
    path.push(last);
    path
}

/// `PROOF(m, D[n])` of RFC 6962, 2.1.2.
#[must_use]
pub fn consistency_proof(earlier: usize, leaves: &[Hash]) -> Vec<Hash> {
    fn subproof(earlier: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
        if earlier == leaves.len() {
            return if known { Vec::new() } else { vec![mth(leaves)] };
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut proof, last) = if earlier <= k {
            (subproof(earlier, left, known), mth(right))
        } else {
            (subproof(earlier - k, right, false), mth(left))
        };
        proof.push(last);
        proof
    }
    if earlier == 0 || earlier >= leaves.len() { Vec::new() } else { subproof(earlier, leaves, true) }
}

/// The root that an audit path leads to, by following the definition of the path backwards.
fn root_of_path(index: u64, size: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    if size <= 1 {
        return (size == 1 && path.is_empty()).then_some(leaf);
    }
    let (last, rest) = path.split_last()?;
    let mut k = 1;
    while k * 2 < size {
        k *= 2;
    }
    if index < k {
        Some(sha256(&[&[1], &root_of_path(index, k, leaf, rest)?, last]))
    } else {
        Some(sha256(&[&[1], last, &root_of_path(index - k, size - k, leaf, rest)?]))
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let body = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - body.len() > 2 {
        return None;
    }
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in body.bytes() {
        bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|d| *d == digit)?).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
    }
    // Bits that are left over must be zero, and the padding must be what is missing.
    (bits & ((1 << count) - 1) == 0 && (body.len() * 6).div_ceil(24) * 4 == text.len()).then_some(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// CRC-32 as in IEEE 802.3 and ITU-T V.42, bit by bit.
fn crc32(parts: &[&[u8]]) -> u32 {
    let bits =
        parts.iter().flat_map(|part| part.iter()).flat_map(|byte| (0..8).map(move |bit| u32::from(byte >> bit & 1)));
    !bits.fold(u32::MAX, |crc, bit| if (crc ^ bit) & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
}

struct Key {
    name: String,
    public: [u8; 32],
}

impl Key {
    fn id(&self, name: &str) -> [u8; 4] {
        let [a, b, c, d, ..] = sha256(&[name.as_bytes(), &[0x0A, 0x01], &self.public]);
        [a, b, c, d]
    }

    /// `<key name>+hex(32-bit key ID)+base64(signature type || public key)`
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, base64(parts.next()?)?);
        let (kind, public) = key.split_first()?;
        let key = Self { name: name.to_owned(), public: public.try_into().ok()? };
        (*kind == 1 && !name.is_empty() && id == hex(&key.id(name))).then_some(key)
    }

    /// The text of a note, if it has a good signature by this key under `name`.
    fn open<'n>(&self, name: &str, note: &'n str) -> Option<&'n str> {
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return None;
        }
        let at = note.rfind("\n\n")?;
        let (text, signatures) = (note.get(..=at)?, note.get(at + 2..)?);
        let mut good = 0;
        for line in signatures.strip_suffix('\n')?.split('\n') {
            let (signer, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let blob = base64(blob)?;
            let (id, signature) = blob.split_at_checked(4)?;
            if signer == name && id == self.id(name) {
                let signature = Signature::from_slice(signature).ok()?;
                VerifyingKey::from_bytes(&self.public).ok()?.verify_strict(text.as_bytes(), &signature).ok()?;
                good += 1;
            }
        }
        (good == 1).then_some(text)
    }
}

fn size_and_root(text: &str, first: &str) -> Option<(u64, Hash)> {
    let mut lines = text.split('\n');
    if lines.next()? != first {
        return None;
    }
    let size: u64 = lines.next()?.parse().ok()?;
    let root = base64(lines.next()?)?.try_into().ok()?;
    text.starts_with(&format!("{first}\n{size}\n")).then_some((size, root))
}

fn encoded_index(n: u64) -> String {
    let digits = format!("{n:0width$}", width = n.to_string().len().div_ceil(3) * 3);
    let groups: Vec<String> = digits.as_bytes().chunks(3).map(|g| String::from_utf8_lossy(g).into_owned()).collect();
    let last = groups.len() - 1;
    groups.iter().enumerate().map(|(i, g)| if i < last { format!("x{g}/") } else { g.clone() }).collect()
}

fn files_below(root: &Path, below: &str, found: &mut BTreeSet<String>) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(|e| e.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type().map_err(|e| e.to_string())?.is_dir() {
            files_below(root, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

fn read(dir: &Path, path: &str) -> Result<Vec<u8>, String> {
    fs::read(dir.join(path)).map_err(|error| format!("{path}: {error}"))
}

fn read_text(dir: &Path, path: &str) -> Result<String, String> {
    String::from_utf8(read(dir, path)?).map_err(|_| format!("{path}: not UTF-8"))
}

fn is_canonical_event(leaf: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(leaf) else { return false };
    value.get("eventType").is_some_and(serde_json::Value::is_string)
        && serde_jcs::to_vec(&value).is_ok_and(|form| form == leaf)
}

/// Reads the events of the tree and checks its tiles; notes each file that belongs to it.
fn tree(dir: &Path, size: u64, known: &mut BTreeSet<String>) -> Result<Vec<Vec<u8>>, String> {
    let suffix = |count: u64, n: u64| {
        let width = (count - n * 256).min(256);
        if width < 256 { format!("{}.p/{width}", encoded_index(n)) } else { encoded_index(n) }
    };
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    for n in 0..size.div_ceil(256) {
        let path = format!("tile/entries/{}", suffix(size, n));
        let bytes = read(dir, &path)?;
        let mut rest = bytes.as_slice();
        let mut count = 0;
        while let Some((length, tail)) = rest.split_at_checked(2) {
            let length = length.iter().fold(0, |l, byte| l << 8 | usize::from(*byte));
            let (leaf, tail) = tail.split_at_checked(length).ok_or_else(|| format!("{path}: entry {count} is cut"))?;
            if !is_canonical_event(leaf) {
                return Err(format!("{path}: entry {count} is not canonical"));
            }
            leaves.push(leaf.to_vec());
            rest = tail;
            count += 1;
        }
        if count != (size - n * 256).min(256) || !rest.is_empty() {
            return Err(format!("{path}: {count} entries and {} bytes", rest.len()));
        }
        known.insert(path);
    }
    // Level by level: hash i of level l covers 256^l leaves, and only if it is full.
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut span = 1_usize;
    let mut level = 0;
    while hashes.len() / span > 0 {
        let row: Vec<u8> = hashes.chunks_exact(span).flat_map(mth).collect();
        let count = u64::try_from(row.len() / 32).unwrap_or_default();
        for (n, expected) in (0..).zip(row.chunks(8192)) {
            let path = format!("tile/{level}/{}", suffix(count, n));
            if read(dir, &path)? != expected {
                return Err(format!("{path}: not the hashes of the entries"));
            }
            known.insert(path);
        }
        span *= 256;
        level += 1;
    }
    Ok(leaves)
}

/// Checks one journal and adds what the tree does not contain yet.
fn journal(
    dir: &Path,
    origin: &str,
    name: &str,
    recorded: Option<&(usize, String)>,
    pending: &mut Vec<Vec<u8>>,
) -> Result<(), String> {
    let path = format!("journal/{name}");
    let bytes = read(dir, &path)?;
    let mut chain = crc32(&[b"thoth journal v1\n", origin.as_bytes(), b"\n", name.as_bytes()]);
    let mut offset = 0;
    let mut met = recorded.is_none();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        met |= recorded.is_some_and(|(at, hash)| *at == offset && *hash == format!("{chain:08x}"));
        let fault = |what: &str| format!("{path}: {what} at byte {offset}");
        let body = line.strip_suffix(b"\n").ok_or_else(|| fault("torn line"))?;
        let (head, leaf) = body.split_at_checked(9).ok_or_else(|| fault("short line"))?;
        chain = crc32(&[&chain.to_be_bytes(), leaf]);
        if head != format!("{chain:08x} ").as_bytes() || !is_canonical_event(leaf) {
            return Err(fault("bad line"));
        }
        if recorded.is_none_or(|(at, _)| offset >= *at) {
            pending.push(leaf.to_vec());
        }
        offset += line.len();
    }
    met |= recorded.is_some_and(|(at, hash)| *at == offset && *hash == format!("{chain:08x}"));
    if met { Ok(()) } else { Err(format!("{path}: does not reach what was recorded from it")) }
}

/// Verifies a ledger that nobody writes to.
///
/// # Errors
/// The first fault, which begins with the file's path.
pub fn verify_ledger(dir: &Path) -> Result<Contents, String> {
    let key = read_text(dir, "log.vkey")?;
    let key = key.strip_suffix('\n').and_then(Key::parse).ok_or("log.vkey: not a verifier key")?;
    let origin = key.name.clone();
    let checkpoint = read_text(dir, "checkpoint")?;
    let head = key.open(&origin, &checkpoint).filter(|text| text.lines().count() == 3);
    let (size, root) = head.and_then(|text| size_and_root(text, &origin)).ok_or("checkpoint: not good")?;

    let state_name = format!("{origin}/state");
    let state = read_text(dir, "state")?;
    let state = key.open(&state_name, &state).ok_or("state: not signed")?;
    if size_and_root(state, &state_name) != Some((size, root)) {
        return Err("state: another head than the checkpoint".to_owned());
    }
    let mut recorded = BTreeMap::new();
    for line in state.lines().skip(3) {
        let words: Vec<&str> = line.split(' ').collect();
        let ["journal", name, offset, chain, status] = words.as_slice() else {
            return Err(format!("state: `{line}`"));
        };
        let offset: usize = offset.parse().map_err(|_| format!("state: `{line}`"))?;
        recorded.insert((*name).to_owned(), (offset, (*chain).to_owned(), (*status).to_owned()));
    }

    let mut known: BTreeSet<String> = ["log.vkey", "checkpoint", "state"].map(str::to_owned).into();
    let leaves = tree(dir, size, &mut known)?;
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    if mth(&hashes) != root {
        return Err("checkpoint: another root than the entries have".to_owned());
    }

    let mut files = BTreeSet::new();
    files_below(dir, "", &mut files)?;
    let mut pending = Vec::new();
    for path in &files {
        if let Some(name) = path.strip_prefix("journal/") {
            let mark = recorded.get(name);
            // A writer that was killed before it had its journal; nothing was recorded in it.
            if mark.is_none() && name.ends_with(".jsonl.new") && read(dir, path)?.is_empty() {
                continue;
            }
            if mark.is_some_and(|(_, _, status)| status != "open") || !name.ends_with(".jsonl") {
                return Err(format!("{path}: should be gone"));
            }
            let mark = mark.map(|(offset, chain, _)| (*offset, chain.clone()));
            journal(dir, &origin, name, mark.as_ref(), &mut pending)?;
        } else if path == "integrate.lock" {
            if !read(dir, path)?.is_empty() {
                return Err(format!("{path}: an update was interrupted"));
            }
        } else if !known.contains(path) {
            return Err(format!("{path}: does not belong here"));
        }
    }
    for (name, (_, _, status)) in &recorded {
        if status == "broken" || (status == "open" && !files.contains(&format!("journal/{name}"))) {
            return Err(format!("journal/{name}: missing"));
        }
    }
    Ok(Contents { origin, root, leaves, pending })
}

/// Checks a C2SP tlog-proof text under a verifier key, and returns the index and the leaf that it carries.
///
/// # Errors
/// When it does not hold.
pub fn verify_proof(text: &str, vkey: &str) -> Result<(u64, Vec<u8>), String> {
    let parts = || {
        let key = Key::parse(vkey)?;
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.lines();
        let header = lines.next()?;
        let leaf = base64(lines.next()?.strip_prefix("extra ")?)?;
        let index: u64 = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let path: Option<Vec<Hash>> = lines.map(|line| base64(line)?.try_into().ok()).collect();
        let (size, root) = size_and_root(key.open(&key.name, checkpoint)?, &key.name)?;
        let found = root_of_path(index, size, leaf_hash(&leaf), &path?)?;
        (header == "c2sp.org/tlog-proof@v1" && index < size && found == root).then_some((index, leaf))
    };
    parts().ok_or_else(|| "the proof does not hold".to_owned())
}
