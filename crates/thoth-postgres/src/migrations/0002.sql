-- Machines, policy bundles, and the key that seals a tenant's documents.

CREATE TABLE thoth.endpoints (
    tenant TEXT NOT NULL,
    -- In the order in which they registered first.
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    id TEXT NOT NULL,
    hostname TEXT NOT NULL,
    os TEXT,
    os_version TEXT,
    proxy_version TEXT,
    environment TEXT,
    enrollment TEXT,
    fleet TEXT,
    agents TEXT[] NOT NULL,
    enforcement_mode TEXT,
    policy_digest TEXT,
    events_pending BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    -- Set as long as it is in quarantine.
    quarantined_at BIGINT,
    quarantined_by TEXT,
    quarantine_reason TEXT,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX endpoints_of_tenant ON thoth.endpoints (tenant, number);
CREATE INDEX endpoints_of_fleet ON thoth.endpoints (tenant, fleet, number);
CREATE INDEX endpoints_by_sight ON thoth.endpoints (tenant, last_seen);

CREATE TABLE thoth.bundles (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The version that holds, and the one that held before it.
    active BIGINT,
    previous BIGINT,
    assignments TEXT[] NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (tenant, id),
    CHECK (active IS NULL OR deleted_at IS NULL)
);
CREATE UNIQUE INDEX bundles_by_name ON thoth.bundles (tenant, name) WHERE deleted_at IS NULL;
CREATE INDEX bundles_active ON thoth.bundles (tenant, id) WHERE active IS NOT NULL;

-- Never changed once written.
CREATE TABLE thoth.bundle_versions (
    tenant TEXT NOT NULL,
    bundle TEXT NOT NULL,
    version BIGINT NOT NULL CHECK (version >= 1),
    digest TEXT NOT NULL,
    -- UTF-8; a text could not have every character that a policy may have.
    body BYTEA NOT NULL,
    description TEXT,
    decisions TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, bundle, version),
    FOREIGN KEY (tenant, bundle) REFERENCES thoth.bundles (tenant, id)
);

-- How often what holds for anybody of a tenant has changed.
CREATE TABLE thoth.policy_changes (
    tenant TEXT PRIMARY KEY,
    number BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE thoth.seals (
    tenant TEXT PRIMARY KEY,
    -- The secret that seals receipts and policies.
    signing_key BYTEA NOT NULL CHECK (octet_length(signing_key) = 32)
);
