//! Entries, tiles, levels, root.

use std::path::Path;

use thoth_types::json::{Limits, Tape};

use super::fault::{Fault, VerifyError};
use super::{Report, read};
use crate::checkpoint::Checkpoint;
use crate::ledger::CHECKPOINT_FILE;
use crate::merkle::{Hash, edge_root, leaf_hash, perfect_root};
use crate::tiles::{self, TILE_WIDTH, TileKind, TileRef};

/// Reads events and says of which type they are.
pub(super) struct Events<'e> {
    tape: Tape,
    form: Vec<u8>,
    each: &'e mut dyn FnMut(&[u8]),
}

impl<'e> Events<'e> {
    /// `each` is given every event that counts, once.
    pub(super) fn new(each: &'e mut dyn FnMut(&[u8])) -> Self {
        Self { tape: Tape::new(), form: Vec::new(), each }
    }

    /// The event counts.
    pub(super) fn counts(&mut self, leaf: &[u8], event_type: String, report: &mut Report) {
        report.count(event_type);
        (self.each)(leaf);
    }

    /// The event's type, if its bytes are an object in canonical form that has one.
    pub(super) fn event_type(&mut self, leaf: &[u8]) -> Option<String> {
        let value = self.tape.parse(leaf, &Limits::default()).ok()?;
        self.form.clear();
        crate::canonical::jcs(value, &mut self.form);
        let name = value.get("eventType")?.as_str()?.into_owned();
        (self.form == leaf).then_some(name)
    }
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn tile(kind: TileKind, index: u64, count: u64) -> TileRef {
    TileRef { kind, index, width: (count - index * TILE_WIDTH).min(TILE_WIDTH) }
}

/// Checks all of the tree from the leaves up.
pub(super) fn check(
    dir: &Path,
    head: &Checkpoint,
    report: &mut Report,
    events: &mut Events<'_>,
) -> Result<(), VerifyError> {
    let mut edge: Vec<Vec<Hash>> = Vec::new();
    let mut above = Vec::new();
    let mut last = Vec::new();
    for index in 0..head.size.div_ceil(TILE_WIDTH) {
        let hashes = bundle(dir, tile(TileKind::Entries, index, head.size), report, events)?;
        compare(dir, tile(TileKind::Hashes(0), index, head.size), &hashes)?;
        if wide(hashes.len()) == TILE_WIDTH {
            above.extend(perfect_root(&hashes));
        } else {
            last = hashes;
        }
    }
    edge.push(last);
    let mut level = 1;
    while !above.is_empty() {
        let mut next = Vec::new();
        let mut last = Vec::new();
        for (index, row) in above.chunks(256).enumerate() {
            compare(dir, tile(TileKind::Hashes(level), wide(index), wide(above.len())), row)?;
            if wide(row.len()) == TILE_WIDTH {
                next.extend(perfect_root(row));
            } else {
                last = row.to_vec();
            }
        }
        edge.push(last);
        above = next;
        level += 1;
    }
    if edge_root(edge.iter().map(Vec::as_slice)) != head.root {
        return Err(VerifyError::new(CHECKPOINT_FILE, Fault::Root));
    }
    Ok(())
}

/// Checks a bundle's events and returns their hashes.
fn bundle(dir: &Path, tile: TileRef, report: &mut Report, events: &mut Events<'_>) -> Result<Vec<Hash>, VerifyError> {
    let path = tile.path();
    let bytes = read(dir, &path)?;
    let recorded =
        tiles::hashes(&read(dir, &TileRef { kind: TileKind::Hashes(0), ..tile }.path())?).collect::<Vec<_>>();
    let mut hashes = Vec::with_capacity(256);
    for entry in tiles::entries(&bytes) {
        let number = tile.index * TILE_WIDTH + wide(hashes.len());
        let width = Fault::Width { expected: tile.width, found: wide(hashes.len()) };
        let (start, leaf) =
            entry.map_err(|offset| VerifyError::new(&path, width).offset(wide(offset)).index(number))?;
        let fail = |fault| VerifyError::new(&path, fault).offset(wide(start)).index(number);
        let hash = leaf_hash(leaf);
        if recorded.get(hashes.len()).is_some_and(|recorded| *recorded != hash) {
            return Err(fail(Fault::LeafHash));
        }
        let event_type = events.event_type(leaf).ok_or_else(|| fail(Fault::NotCanonical))?;
        events.counts(leaf, event_type, report);
        hashes.push(hash);
    }
    if wide(hashes.len()) != tile.width {
        return Err(VerifyError::new(&path, Fault::Width { expected: tile.width, found: wide(hashes.len()) }));
    }
    Ok(hashes)
}

/// Checks that a tile holds exactly these hashes.
fn compare(dir: &Path, tile: TileRef, expected: &[Hash]) -> Result<(), VerifyError> {
    let path = tile.path();
    let bytes = read(dir, &path)?;
    if bytes.len() != expected.len() * 32 {
        let width = Fault::Width { expected: wide(expected.len()), found: wide(bytes.len() / 32) };
        return Err(VerifyError::new(&path, width).offset(wide(bytes.len())));
    }
    match tiles::hashes(&bytes).zip(expected).position(|(found, expected)| found != *expected) {
        None => Ok(()),
        Some(at) => Err(VerifyError::new(&path, Fault::TileHash)
            .offset(wide(at * 32))
            .index(tile.index * TILE_WIDTH + wide(at))),
    }
}
