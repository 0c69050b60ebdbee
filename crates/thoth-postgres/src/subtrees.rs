//! The hashes of the tree above its leaves: kept for every 256 leaves, 65,536 and so on, so that a proof reads few rows.
//!
//! What is not kept yet is computed from the hashes below it. None of them is believed: a proof either holds under the signed
//! head or it does not.

use thoth_audit::merkle::{Hash, perfect_root};

use crate::error::Fault;
use crate::session::{Session, damaged};

/// How many bits of a level one kept row spans.
const STEP: u32 = 8;
/// How many hashes make up the next one that is kept.
const WIDTH: i64 = 1 << STEP;

/// The hashes of the subtrees `from..to` of `level`, which is 0 or one that is kept. Those that are not kept are computed.
pub(crate) fn row(session: &Session<'_>, tenant: &str, level: u32, from: i64, to: i64) -> Result<Vec<Hash>, Fault> {
    let hash = |bytes: &[u8]| Hash::try_from(bytes).map_err(|_| damaged("a hash of a ledger is none"));
    if level == 0 {
        let sql =
            "SELECT leaf_hash FROM entries WHERE tenant = $1 AND position >= $2 AND position < $3 ORDER BY position";
        let rows = session.rows(sql, &[&tenant, &from, &to])?;
        return rows.iter().map(|row| hash(row.try_get(0)?)).collect();
    }
    let rows = session.rows(
        "SELECT number, hash FROM subtrees WHERE tenant = $1 AND level = $2 AND number >= $3 AND number < $4 ORDER BY number",
        &[&tenant, &i64::from(level), &from, &to],
    )?;
    let mut kept = rows.iter().peekable();
    let mut found = Vec::new();
    for number in from..to {
        let known = match kept.peek() {
            Some(row) if row.try_get::<_, i64>(0)? == number => Some(hash(row.try_get(1)?)?),
            _ => None,
        };
        if let Some(known) = known {
            kept.next();
            found.push(known);
        } else {
            found.push(computed(session, tenant, level, number)?);
        }
    }
    Ok(found)
}

/// The hash of a subtree from those below it. `None`: not all of them are there.
fn below(session: &Session<'_>, tenant: &str, level: u32, number: i64) -> Result<Option<Hash>, Fault> {
    let first = number.saturating_mul(WIDTH);
    let below = row(session, tenant, level.saturating_sub(STEP), first, first.saturating_add(WIDTH))?;
    Ok(perfect_root(&below).filter(|_| i64::try_from(below.len()).ok() == Some(WIDTH)))
}

fn computed(session: &Session<'_>, tenant: &str, level: u32, number: i64) -> Result<Hash, Fault> {
    below(session, tenant, level, number)?
        .ok_or_else(|| damaged(format!("the ledger of `{tenant}` lacks events that its head covers")))
}

/// Keeps those that the positions `from..next` have completed. Where events are missing nothing is kept: whoever looks at the
/// ledger finds out.
pub(crate) fn complete(session: &Session<'_>, tenant: &str, from: i64, next: i64) -> Result<(), Fault> {
    let (mut level, mut first, mut last) = (STEP, from / WIDTH, next / WIDTH);
    while first < last {
        for number in first..last {
            let Some(hash) = below(session, tenant, level, number)? else { return Ok(()) };
            session.change(
                "INSERT INTO subtrees (tenant, level, number, hash) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant, level, number) DO UPDATE SET hash = excluded.hash",
                &[&tenant, &i64::from(level), &number, &hash.as_slice()],
            )?;
        }
        (level, first, last) = (level + STEP, first / WIDTH, last / WIDTH);
    }
    Ok(())
}
