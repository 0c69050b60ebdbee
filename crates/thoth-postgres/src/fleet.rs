//! The machines and policy bundles of all tenants.

use jiff::Timestamp;
use thoth_store::server::ServerError;
use thoth_store::server::bundles::{ActiveBundle, Bundle, BundleChange, BundleRecords, Changed, NewVersion, Version};
use thoth_store::server::endpoints::{
    CheckIn, Endpoint, EndpointCounts, EndpointFilter, EndpointRecords, EndpointStanding, Endpoints,
    MAX_ENDPOINTS_OF_TENANT, MayChange, Quarantine, Told,
};
use thoth_store::server::rules::{self, Registration};

use crate::database::Lane;
use crate::error::Fault;
use crate::records::PostgresRecords;
use crate::session::Order;
use crate::{bundle_rows, endpoint_rows};

impl EndpointRecords for PostgresRecords {
    fn register_endpoint(
        &self,
        tenant: &str,
        id: &str,
        told: &Told,
        may: &MayChange<'_>,
        now: Timestamp,
    ) -> Result<Option<Endpoint>, ServerError> {
        let registered = self.database().write(Lane::Calls, |session| {
            session.in_order(Order::Endpoints, tenant)?;
            let known = endpoint_rows::one(session, tenant, id)?;
            let told = match rules::register(known.as_ref(), told, may).map_err(Fault::Server)? {
                Registration::Refused => return Ok(None),
                Registration::Known(told) => told,
                Registration::New(told) => {
                    endpoint_rows::make_room(session, tenant, MAX_ENDPOINTS_OF_TENANT, rules::forgotten(now))?;
                    told
                }
            };
            endpoint_rows::put(session, tenant, id, &told, now)?;
            endpoint_rows::one(session, tenant, id)
        });
        registered.map_err(Fault::of_server)
    }

    fn check_in(
        &self,
        tenant: &str,
        id: &str,
        told: &CheckIn,
        may: &MayChange<'_>,
        now: Timestamp,
    ) -> Result<Option<Endpoint>, ServerError> {
        let seen = self.database().write(Lane::Calls, |session| {
            session.in_order(Order::Endpoints, tenant)?;
            let known = endpoint_rows::one(session, tenant, id)?;
            let told = rules::check_in(known.as_ref(), told, may).map_err(Fault::Server)?;
            let Some(told) = told else { return Ok(None) };
            endpoint_rows::seen(session, tenant, id, &told, now)?;
            endpoint_rows::one(session, tenant, id)
        });
        seen.map_err(Fault::of_server)
    }

    fn quarantine_endpoint(
        &self,
        tenant: &str,
        id: &str,
        quarantine: Option<&Quarantine>,
    ) -> Result<Option<Endpoint>, ServerError> {
        let changed = self.database().write(Lane::Calls, |session| {
            session.in_order(Order::Endpoints, tenant)?;
            endpoint_rows::quarantine(session, tenant, id, quarantine)?;
            endpoint_rows::one(session, tenant, id)
        });
        changed.map_err(Fault::of_server)
    }

    fn endpoint(&self, tenant: &str, id: &str) -> Result<Option<Endpoint>, ServerError> {
        self.database().read(Lane::Calls, |session| endpoint_rows::one(session, tenant, id)).map_err(Fault::of_server)
    }

    fn endpoint_standing(&self, tenant: &str, id: &str) -> Result<Option<EndpointStanding>, ServerError> {
        let standing = self.database().read(Lane::Calls, |session| endpoint_rows::standing(session, tenant, id));
        standing.map_err(Fault::of_server)
    }

    fn endpoints(&self, tenant: &str, filter: &EndpointFilter<'_>) -> Result<Endpoints, ServerError> {
        let found = self.database().read(Lane::Events, |session| endpoint_rows::page(session, tenant, filter));
        found.map_err(Fault::of_server)
    }

    fn agents_of_endpoints(
        &self,
        tenant: &str,
        filter: &EndpointFilter<'_>,
        beyond: &str,
    ) -> Result<Vec<String>, ServerError> {
        let found =
            self.database().read(Lane::Events, |session| endpoint_rows::agents(session, tenant, filter, beyond));
        found.map_err(Fault::of_server)
    }

    fn endpoint_counts(
        &self,
        tenant: &str,
        online: Timestamp,
        stale: Timestamp,
    ) -> Result<EndpointCounts, ServerError> {
        let counts =
            self.database().read(Lane::Events, |session| endpoint_rows::counts(session, tenant, online, stale));
        counts.map_err(Fault::of_server)
    }
}

impl BundleRecords for PostgresRecords {
    fn add_bundle_version(
        &self,
        tenant: &str,
        version: &NewVersion<'_>,
        now: Timestamp,
    ) -> Result<(Bundle, Version), ServerError> {
        rules::fits(version.text)?;
        let added = self.database().write(Lane::Calls, |session| {
            session.in_order(Order::Bundles, tenant)?;
            bundle_rows::add(session, tenant, version, now)
        });
        added.map_err(Fault::of_server)
    }

    fn bundles(&self, tenant: &str) -> Result<Vec<Bundle>, ServerError> {
        self.database().read(Lane::Events, |session| bundle_rows::of_tenant(session, tenant)).map_err(Fault::of_server)
    }

    fn bundle(&self, tenant: &str, id_or_name: &str) -> Result<Option<Bundle>, ServerError> {
        let found = self.database().read(Lane::Events, |session| bundle_rows::one(session, tenant, id_or_name));
        found.map_err(Fault::of_server)
    }

    fn bundle_versions(&self, tenant: &str, id: &str) -> Result<Vec<Version>, ServerError> {
        let found = self.database().read(Lane::Events, |session| bundle_rows::versions(session, tenant, id));
        found.map_err(Fault::of_server)
    }

    fn bundle_version(&self, tenant: &str, id: &str, version: u32) -> Result<Option<(Version, String)>, ServerError> {
        let found = self.database().read(Lane::Events, |session| bundle_rows::version(session, tenant, id, version));
        found.map_err(Fault::of_server)
    }

    fn change_bundle(
        &self,
        tenant: &str,
        id: &str,
        change: &BundleChange<'_>,
        seen: u64,
        now: Timestamp,
    ) -> Result<Changed, ServerError> {
        let changed = self.database().write(Lane::Calls, |session| {
            session.in_order(Order::Bundles, tenant)?;
            if bundle_rows::counter(session, tenant)? != seen {
                return Ok(Changed::Moved);
            }
            if !bundle_rows::change(session, tenant, id, change, now)? {
                return Ok(Changed::Gone);
            }
            bundle_rows::count(session, tenant)?;
            Ok(bundle_rows::one(session, tenant, id)?.map_or(Changed::Gone, Changed::Done))
        });
        changed.map_err(Fault::of_server)
    }

    fn policy_change(&self, tenant: &str) -> Result<u64, ServerError> {
        self.database().read(Lane::Calls, |session| bundle_rows::counter(session, tenant)).map_err(Fault::of_server)
    }

    fn active_bundles(&self, tenant: &str) -> Result<(u64, Vec<ActiveBundle>), ServerError> {
        let found = self.database().read(Lane::Events, |session| {
            // The counter first: what changes after it was read is found by the next look.
            let counter = bundle_rows::counter(session, tenant)?;
            Ok((counter, bundle_rows::active(session, tenant)?))
        });
        found.map_err(Fault::of_server)
    }
}
