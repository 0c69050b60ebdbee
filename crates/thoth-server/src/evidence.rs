//! `…/evidence/…` and `…/sessions/{id}/evidence-bundle`: the ledger itself, its check part by part, and what of it one session
//! takes along.

use std::time::Duration;

use thoth_api::contract::Json;
use thoth_api::contract::evidence::{BundleQuery, Chain, ChainQuery, Check, CheckQuery, Head, MAX_RECORDS, Record};
use thoth_audit::merkle::leaf_hash;
use thoth_audit::session_bundle::{self, MAX_RECORD_BYTES, Material, sealed_bundle};
use thoth_audit::view::{self, Snapshot, ViewError, prove};

use crate::access::Access;
use crate::clock;
use crate::decided::hex;
use crate::fault::Fault;
use crate::query::limit;

/// How many records are on a page where nothing is said.
const PAGE: u32 = 50;
/// How much a page says at most, beyond its first record.
const MAX_PAGE_BYTES: usize = 4 << 20;
/// How many records are checked at once, at most.
const MAX_CHECKED: u32 = 20_000;
/// How long a bundle waits for the index to have what the ledger has.
const PATIENCE: Duration = Duration::from_secs(5);

fn head(head: &view::Head) -> Head {
    Head {
        origin: head.checkpoint.origin.clone(),
        size: head.checkpoint.size,
        root: hex(&head.checkpoint.root),
        checkpoint: head.note.clone(),
        vkey: head.verifier.to_vkey(),
    }
}

/// A part of the ledger. Blocks on the disk.
pub(crate) fn chain(access: &Access, query: &ChainQuery) -> Result<Chain, Fault> {
    let limit = u64::from(limit(query.limit, PAGE, MAX_RECORDS)?);
    Ok(access.tenant.indexing.look(|snapshot| part(snapshot, query.from_sequence, limit))?)
}

fn part(snapshot: &dyn Snapshot, from: Option<u64>, limit: u64) -> Result<Chain, ViewError> {
    let size = snapshot.head().checkpoint.size;
    let mut next = from.unwrap_or_else(|| size.saturating_sub(limit));
    let end = next.saturating_add(limit).min(size);
    let (mut data, mut bytes, mut latest_session_id) = (Vec::new(), 0_usize, None);
    'parts: while next < end {
        for leaf in snapshot.leaves(next)? {
            bytes = bytes.saturating_add(leaf.len());
            if next >= end || (bytes > MAX_PAGE_BYTES && !data.is_empty()) {
                break 'parts;
            }
            if let Some(session) = session_of(&leaf) {
                latest_session_id = Some(session);
            }
            let leaf_hash = hex(&leaf_hash(&leaf));
            let text = String::from_utf8(leaf).map_err(|_| ViewError::Damaged(format!("event {next} is no text")))?;
            data.push(Record { index: next, leaf_hash, event: Json::new(text) });
            next += 1;
        }
    }
    Ok(Chain { data, head: head(snapshot.head()), next_sequence: (next < size).then_some(next), latest_session_id })
}

/// The session of an agent that a record belongs to.
fn session_of(leaf: &[u8]) -> Option<String> {
    thoth_store::server::index::Record::of(0, leaf).session
}

/// Checks a part of the ledger. Blocks on the disk.
pub(crate) fn verify(access: &Access, query: &CheckQuery) -> Result<Check, Fault> {
    let from = query.from_sequence.unwrap_or_default();
    let most = u64::from(limit(query.limit, MAX_CHECKED, MAX_CHECKED)?);
    match access.tenant.indexing.check(from, most) {
        Ok((checked, seen)) => {
            let head = head(&seen);
            let breach = checked.breach;
            let next = Some(checked.next).filter(|next| breach.is_none() && *next < head.size);
            Ok(Check {
                verified: breach.is_none(),
                records_checked: checked.good,
                from_sequence: checked.next - checked.good,
                next_sequence: next,
                chain_head: Some(head),
                breach_sequence: breach.as_ref().map(|breach| breach.index),
                breach_detail: breach.map(|breach| breach.what),
            })
        }
        Err(ViewError::Damaged(what)) => Ok(Check {
            verified: false,
            records_checked: 0,
            from_sequence: from,
            next_sequence: None,
            chain_head: None,
            breach_detail: Some(what),
            breach_sequence: None,
        }),
        Err(error) => Err(error.into()),
    }
}

/// The evidence of a session. Blocks on the disk.
pub(crate) fn session(access: &Access, id: &str, query: &BundleQuery) -> Result<Json, Fault> {
    let indexing = &access.tenant.indexing;
    if !indexing.catch_up(PATIENCE)? {
        return Err(Fault::unavailable("the index of the ledger is still being made"));
    }
    let from = query.from_sequence.unwrap_or_default();
    let start = i64::try_from(from).map_err(|_| Fault::bad("`from_sequence` is none that a bundle gave"))?;
    let most = session_bundle::MAX_RECORDS;
    let one_more = u32::try_from(most + 1).map_err(Fault::broken)?;
    let found = indexing.index.positions(id, start, one_more).map_err(Fault::unavailable)?;
    let found: Vec<u64> = found.into_iter().filter_map(|position| u64::try_from(position).ok()).collect();
    if found.is_empty() {
        return Err(Fault::not_found("the ledger has no such session, or nothing of it from there on"));
    }
    let exported_at = clock::now().wall;
    let text = indexing.look(|snapshot| {
        let mut records = prove(snapshot, found.get(..most).unwrap_or(&found))?;
        let mut bytes = 0_usize;
        let fits = |(at, record): (usize, &view::Proven)| {
            bytes = bytes.saturating_add(record.leaf.len());
            at == 0 || bytes <= MAX_RECORD_BYTES
        };
        let fitting = records.iter().enumerate().map(fits).take_while(|fits| *fits).count();
        records.truncate(fitting);
        let head = snapshot.head();
        let material = Material {
            tenant: access.tenant.id.as_str(),
            session: id,
            checkpoint: &head.note,
            verifier: &head.verifier,
            records: &records,
            from,
            next: found.get(fitting).copied(),
        };
        Ok(sealed_bundle(&material, exported_at, &access.tenant.seal))
    })?;
    Ok(Json::new(text.map_err(Fault::broken)?))
}
