//! The file layout of C2SP tlog-tiles: hash tiles and entry bundles, 256 wide.

use std::collections::BTreeMap;

use crate::merkle::Hash;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// The directory of all tiles.
pub const TILE_DIR: &str = "tile";
/// The longest entry: its length is written as 16 bits.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// What a file under `tile/` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileKind {
    /// Entries, each after its length.
    Entries,
    /// Hashes of this tile level.
    Hashes(u32),
}

/// One file of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileRef {
    /// What it holds.
    pub kind: TileKind,
    /// Its index within its level.
    pub index: u64,
    /// How many hashes or entries it has: 256 for a full tile.
    pub width: u64,
}

impl TileRef {
    /// Its path below the ledger's directory, with `/` as separator.
    #[must_use]
    pub fn path(&self) -> String {
        let level = match self.kind {
            TileKind::Entries => "entries".to_owned(),
            TileKind::Hashes(level) => level.to_string(),
        };
        let mut number = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        if self.width < TILE_WIDTH {
            format!("{TILE_DIR}/{level}/{number}.p/{}", self.width)
        } else {
            format!("{TILE_DIR}/{level}/{number}")
        }
    }
}

/// How many hashes tile level `level` has for a tree of `size` leaves.
#[must_use]
pub const fn hashes_at(level: u32, size: u64) -> u64 {
    match size.checked_shr(8 * level) {
        Some(count) => count,
        None => 0,
    }
}

/// The partial files at the right edge of a tree: the bundle first, then the levels upwards. Levels without one are
/// left out.
#[must_use]
pub fn partials(size: u64) -> Vec<TileRef> {
    let mut found = Vec::new();
    let mut level = 0;
    while hashes_at(level, size) > 0 {
        let count = hashes_at(level, size);
        let (index, width) = (count / TILE_WIDTH, count % TILE_WIDTH);
        if width > 0 {
            if level == 0 {
                found.push(TileRef { kind: TileKind::Entries, index, width });
            }
            found.push(TileRef { kind: TileKind::Hashes(level), index, width });
        }
        level += 1;
    }
    found
}

/// Every file that a tree of `size` leaves consists of, by path.
#[must_use]
pub fn all_files(size: u64) -> BTreeMap<String, TileRef> {
    let mut files = BTreeMap::new();
    let mut level = 0;
    while hashes_at(level, size) > 0 {
        for index in 0..hashes_at(level, size) / TILE_WIDTH {
            let kinds = [Some(TileKind::Hashes(level)), (level == 0).then_some(TileKind::Entries)];
            for kind in kinds.into_iter().flatten() {
                let tile = TileRef { kind, index, width: TILE_WIDTH };
                files.insert(tile.path(), tile);
            }
        }
        level += 1;
    }
    files.extend(partials(size).into_iter().map(|tile| (tile.path(), tile)));
    files
}

/// Whether this is the path of a tile or bundle, of a tree of whatever size.
#[must_use]
pub fn is_tile_path(path: &str) -> bool {
    let three = |digits: &str| digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit());
    let parse = || {
        let (dir, rest) = path.split_once('/')?;
        let (level, rest) = rest.split_once('/')?;
        let level_fits = level == "entries" || level.parse::<u8>().is_ok_and(|n| n.to_string() == level);
        let (number, width) = rest.split_once(".p/").map_or((rest, None), |(number, width)| (number, Some(width)));
        let width_fits = width.is_none_or(|width| width.parse::<u8>().is_ok_and(|n| n > 0 && n.to_string() == width));
        let (upper, last) = number.rsplit_once('/').map_or(("", number), |(upper, last)| (upper, last));
        let upper_fits = upper.is_empty() || upper.split('/').all(|part| part.strip_prefix('x').is_some_and(three));
        Some(dir == TILE_DIR && level_fits && width_fits && upper_fits && three(last))
    };
    parse().unwrap_or(false)
}

/// Splits a tile's bytes into hashes; a rest that is no whole hash is left out, so compare lengths first.
pub fn hashes(bytes: &[u8]) -> impl Iterator<Item = Hash> + '_ {
    bytes.chunks_exact(32).filter_map(|chunk| Hash::try_from(chunk).ok())
}

/// Adds one entry to a bundle. Returns `false`, and adds nothing, when it is too long.
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle in order; an `Err` with the offset where the bytes stop being entries ends it.
#[derive(Debug, Clone)]
pub struct Entries<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// Reads a bundle.
#[must_use]
pub const fn entries(bundle: &[u8]) -> Entries<'_> {
    Entries { bytes: bundle, at: 0 }
}

impl<'b> Iterator for Entries<'b> {
    type Item = Result<(usize, &'b [u8]), usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        let entry = self.bytes.get(start..start + 2).and_then(|length| {
            let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
            self.bytes.get(start + 2..start + 2 + length)
        });
        let Some(entry) = entry else {
            self.at = self.bytes.len();
            return Some(Err(start));
        };
        self.at = start + 2 + entry.len();
        Some(Ok((start, entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path encoding of the specification, with its own examples.
    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |kind, index, width| TileRef { kind, index, width }.path();
        assert_eq!(tile(TileKind::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile(TileKind::Entries, 0, 1), "tile/entries/000.p/1");
        assert_eq!(tile(TileKind::Hashes(63), 1000, 255), "tile/63/x001/000.p/255");
        for path in ["tile/0/x001/x234/067", "tile/entries/000.p/1", "tile/63/x001/000.p/255"] {
            assert!(is_tile_path(path), "{path}");
        }
        for path in ["tile/0/1", "tile/00/000", "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/001/000", "tile/x/000"] {
            assert!(!is_tile_path(path), "{path}");
        }
    }

    /// "A tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of width 112, one
    /// full level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile of width 1."
    #[test]
    fn the_files_of_a_tree_are_those_of_the_specification() {
        let files = all_files(70_000);
        let count = |kind, full: bool| files.values().filter(|t| t.kind == kind && (t.width == 256) == full).count();
        assert_eq!(count(TileKind::Hashes(0), true), 273);
        assert_eq!(count(TileKind::Entries, true), 273);
        assert_eq!(count(TileKind::Hashes(1), true), 1);
        let mut edge: Vec<_> = partials(70_000).iter().map(TileRef::path).collect();
        edge.sort();
        assert_eq!(edge, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]);
        assert_eq!(all_files(256).len(), 3);
        assert!(all_files(0).is_empty());
    }

    /// A bundle that is cut anywhere is never read as a shorter good one.
    #[test]
    fn a_cut_bundle_is_noticed() {
        let mut bundle = Vec::new();
        for entry in [&b"a"[..], b"", b"xyz"] {
            assert!(push_entry(&mut bundle, entry));
        }
        let read: Vec<_> = entries(&bundle).map(|e| e.unwrap().1.to_vec()).collect();
        assert_eq!(read, [b"a".to_vec(), b"".to_vec(), b"xyz".to_vec()]);
        for cut in 1..bundle.len() {
            let good = entries(&bundle[..cut]).take_while(Result::is_ok).count();
            let whole = entries(&bundle[..cut]).all(|e| e.is_ok());
            assert!(!whole || good < 3, "cut at {cut}");
        }
        assert!(!push_entry(&mut bundle, &vec![0; MAX_ENTRY_BYTES + 1]));
    }
}
