//! The key that seals a tenant's documents: one over all servers, so that whoever has its public part can check what any of
//! them sealed.

use thoth_audit::seal::SealKey;

use crate::database::{Database, Lane};
use crate::error::{Fault, PostgresError};
use crate::ledger_rows::random;
use crate::session::{Session, damaged};

/// The key of `tenant`, made if there is none.
///
/// # Errors
/// If it cannot be read or kept.
pub fn seal_key(database: &Database, tenant: &str) -> Result<SealKey, PostgresError> {
    let key = || -> Result<SealKey, Fault> {
        if let Some(key) = database.read(Lane::Ledgers, |session| read(session, tenant))? {
            return Ok(key);
        }
        database.write(Lane::Ledgers, |session| {
            let made = random::<32>()?;
            // Another server may be faster: then its key is the one.
            session.change(
                "INSERT INTO seals (tenant, signing_key) VALUES ($1, $2) ON CONFLICT (tenant) DO NOTHING",
                &[&tenant, &made.as_slice()],
            )?;
            Ok(())
        })?;
        let key = database.read(Lane::Ledgers, |session| read(session, tenant))?;
        key.ok_or_else(|| damaged("the key that was just made is not there"))
    };
    key().map_err(Fault::of_ledger)
}

fn read(session: &Session<'_>, tenant: &str) -> Result<Option<SealKey>, Fault> {
    let Some(row) = session.row("SELECT signing_key FROM seals WHERE tenant = $1", &[&tenant])? else {
        return Ok(None);
    };
    let seed: &[u8; 32] = row.try_get::<_, &[u8]>(0)?.try_into().map_err(|_| damaged("a key that seals is none"))?;
    Ok(Some(SealKey::new(seed)))
}
