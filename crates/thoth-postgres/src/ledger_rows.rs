//! The statements over ledgers.

use thoth_audit::checkpoint::Checkpoint;
use thoth_audit::merkle::{Hash, leaf_hash};
use thoth_audit::note::{Signer, Verifier};
use thoth_audit::{Frontier, LedgerKeys};

use crate::error::{Fault, PostgresError};
use crate::session::{Session, damaged};

/// A ledger that was read: its name and its keys.
pub(crate) struct Opened {
    pub(crate) origin: String,
    pub(crate) keys: LedgerKeys,
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
}

/// Where a ledger stands.
pub(crate) struct Head {
    pub(crate) frontier: Frontier,
    pub(crate) checkpoint: String,
}

/// The ledger of a tenant, if there is one.
pub(crate) fn open(session: &Session<'_>, tenant: &str) -> Result<Option<Opened>, Fault> {
    let sql = "SELECT origin, signing_key, content_key FROM ledgers WHERE tenant = $1";
    let Some(row) = session.row(sql, &[&tenant])? else { return Ok(None) };
    let secret = |column: usize| -> Result<[u8; 32], Fault> {
        row.try_get::<_, &[u8]>(column)?.try_into().map_err(|_| damaged("a ledger's key is none"))
    };
    opened(row.try_get(0)?, secret(1)?, secret(2)?).map(Some)
}

fn opened(origin: &str, signing_key: [u8; 32], content_key: [u8; 32]) -> Result<Opened, Fault> {
    let signer = Signer::new(origin, &signing_key).map_err(damaged)?;
    let verifier = signer.verifier();
    Ok(Opened { origin: origin.to_owned(), keys: LedgerKeys::new(signing_key, content_key), signer, verifier })
}

/// Begins the ledger of a tenant, unless another server is faster.
pub(crate) fn create(session: &Session<'_>, tenant: &str) -> Result<(), Fault> {
    let (signing_key, content_key) = (random::<32>()?, random::<32>()?);
    let origin =
        random::<16>()?.iter().fold("thoth.local/ledger/".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let opened = opened(&origin, signing_key, content_key)?;
    let frontier = Frontier::new();
    session.change(
        "INSERT INTO ledgers (tenant, origin, signing_key, content_key, size, frontier, checkpoint)
         VALUES ($1, $2, $3, $4, 0, $5, $6) ON CONFLICT (tenant) DO NOTHING",
        &[
            &tenant,
            &origin,
            &signing_key.as_slice(),
            &content_key.as_slice(),
            &frontier.bytes(),
            &checkpoint(&opened, &frontier).sign(&opened.signer),
        ],
    )?;
    Ok(())
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], PostgresError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| PostgresError::NoRandomness)?;
    Ok(bytes)
}

fn checkpoint(ledger: &Opened, frontier: &Frontier) -> Checkpoint {
    Checkpoint { origin: ledger.origin.clone(), size: frontier.size(), root: frontier.root() }
}

/// Where the ledger stands, as it is signed. With `lock`, nobody else appends until the transaction ends.
///
/// INVARIANT: nothing is appended to a head that its signature does not cover. `known` is a signed head that was found good
/// before.
pub(crate) fn head(
    session: &Session<'_>,
    tenant: &str,
    ledger: &Opened,
    lock: bool,
    known: Option<&str>,
) -> Result<Head, Fault> {
    let sql = if lock {
        "SELECT size, frontier, checkpoint, origin FROM ledgers WHERE tenant = $1 FOR UPDATE"
    } else {
        "SELECT size, frontier, checkpoint, origin FROM ledgers WHERE tenant = $1"
    };
    let row = session.row(sql, &[&tenant])?.ok_or_else(|| damaged(format!("the ledger of `{tenant}` is gone")))?;
    let size = u64::try_from(row.try_get::<_, i64>(0)?).map_err(damaged)?;
    let frontier = Frontier::from_parts(size, row.try_get(1)?)
        .ok_or_else(|| damaged(format!("the head of the ledger of `{tenant}` is no head")))?;
    let signed: &str = row.try_get(2)?;
    let wrong = |what: &dyn std::fmt::Display| damaged(format!("the head of the ledger of `{tenant}`: {what}"));
    let expected = checkpoint(ledger, &frontier);
    let covers = if known == Some(signed) {
        signed.starts_with(&expected.text())
    } else {
        Checkpoint::open(signed.as_bytes(), &ledger.verifier).map_err(|error| wrong(&error))? == expected
    };
    if !covers || row.try_get::<_, &str>(3)? != ledger.origin {
        return Err(wrong(&"it is not what was signed"));
    }
    Ok(Head { frontier, checkpoint: signed.to_owned() })
}

/// Appends leaves behind `head`, and signs the new one.
pub(crate) fn append(
    session: &Session<'_>,
    tenant: &str,
    ledger: &Opened,
    head: Head,
    leaves: &[&[u8]],
) -> Result<String, Fault> {
    let Head { mut frontier, .. } = head;
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let first = i64::try_from(frontier.size()).map_err(damaged)?;
    hashes.iter().for_each(|hash| frontier.push(*hash));
    let hashes: Vec<&[u8]> = hashes.iter().map(Hash::as_slice).collect();
    session.change(
        "INSERT INTO entries (tenant, position, leaf_hash, leaf)
         SELECT $1, $2 + place - 1, leaf_hash, leaf
         FROM unnest($3::bytea[], $4::bytea[]) WITH ORDINALITY AS new (leaf_hash, leaf, place)",
        &[&tenant, &first, &hashes, &leaves],
    )?;
    let signed = checkpoint(ledger, &frontier).sign(&ledger.signer);
    let size = i64::try_from(frontier.size()).map_err(damaged)?;
    let written = session.change(
        "UPDATE ledgers SET size = $2, frontier = $3, checkpoint = $4 WHERE tenant = $1",
        &[&tenant, &size, &frontier.bytes(), &signed],
    )?;
    if written == 1 { Ok(signed) } else { Err(damaged(format!("the ledger of `{tenant}` is gone"))) }
}

/// One event as it is kept.
pub(crate) struct Entry {
    pub(crate) position: i64,
    pub(crate) leaf_hash: Vec<u8>,
    pub(crate) leaf: Vec<u8>,
}

/// The events from a position on, at most so many.
pub(crate) fn entries(session: &Session<'_>, tenant: &str, from: i64, most: i64) -> Result<Vec<Entry>, Fault> {
    let sql =
        "SELECT position, leaf_hash, leaf FROM entries WHERE tenant = $1 AND position >= $2 ORDER BY position LIMIT $3";
    let rows = session.rows(sql, &[&tenant, &from, &most])?;
    rows.iter()
        .map(|row| Ok(Entry { position: row.try_get(0)?, leaf_hash: row.try_get(1)?, leaf: row.try_get(2)? }))
        .collect()
}
