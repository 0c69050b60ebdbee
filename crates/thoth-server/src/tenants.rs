//! Tenants: each has its own holds and ledger, so that none can see another's by construction.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use thoth_types::TenantId;

use crate::stores::{OpenError, Stores};
use crate::tenant::{Settings, Tenant};

/// The longest name of a tenant, as of a label of a host name.
const MAX_NAME: usize = 63;

/// The name of a tenant: lower-case letters, digits and `-`, so that it is a folder's name everywhere, and no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantName(String);

/// It is no name of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's name has 1 to 63 lower-case letters, digits and `-`, and begins with a letter or digit")]
pub struct NoTenantName;

impl TenantName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantName {
    type Err = NoTenantName;

    fn from_str(text: &str) -> Result<Self, NoTenantName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = text.bytes().next().is_some_and(plain);
        let all = text.bytes().all(|byte| plain(byte) || byte == b'-');
        if begins && all && text.len() <= MAX_NAME { Ok(Self(text.to_owned())) } else { Err(NoTenantName) }
    }
}

/// The tenants of a server. Each is opened when somebody with a key of it comes for the first time.
#[derive(Debug)]
pub(crate) struct Tenants {
    stores: Arc<dyn Stores>,
    settings: Settings,
    open: Mutex<HashMap<TenantName, Arc<Slot>>>,
}

/// The place of one tenant: while it is opened, which may take long, only those wait who ask for the same one.
#[derive(Debug, Default)]
struct Slot(Mutex<Option<Arc<Tenant>>>);

impl Tenants {
    pub(crate) fn new(stores: Arc<dyn Stores>, settings: Settings) -> Self {
        Self { stores, settings, open: Mutex::default() }
    }

    /// The tenant of this name. Only for names that a key was found for, or that the server's own settings have.
    pub(crate) fn get(&self, name: &TenantName) -> Result<Arc<Tenant>, OpenError> {
        let slot = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(open.entry(name.clone()).or_default())
        };
        let mut slot = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tenant) = &*slot {
            return Ok(Arc::clone(tenant));
        }
        let id = TenantId::from_str(name.as_str()).map_err(|error| OpenError(error.to_string()))?;
        let stores = self.stores.tenant(name)?;
        let tenant = Arc::new(Tenant::new(id, stores, &self.settings));
        *slot = Some(Arc::clone(&tenant));
        Ok(tenant)
    }

    /// Those that are open.
    pub(crate) fn opened(&self) -> Vec<Arc<Tenant>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is just being opened has nothing to look after yet.
        let tenant = |slot: &Arc<Slot>| slot.0.try_lock().ok().and_then(|tenant| tenant.clone());
        open.values().filter_map(tenant).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No name leads out of the folder of tenants, and no two names are one folder.
    #[test]
    fn the_table_of_names() {
        let long = "a".repeat(63);
        for good in ["acme", "a", "0", "acme-2", "a--b", &long] {
            assert!(good.parse::<TenantName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "Acme", "a/b", "..", ".", "a.b", "a b", "a\0", "é", "a_b", &"a".repeat(64), "a\n"] {
            assert_eq!(bad.parse::<TenantName>(), Err(NoTenantName), "{bad:?}");
        }
    }
}
