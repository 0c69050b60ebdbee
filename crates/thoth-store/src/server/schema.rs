//! The tables of a server's file.

use crate::schema::Schema;

/// The file of keys, machines, policy bundles and events: `Thtd`.
pub(crate) const SERVER: Schema = Schema { application_id: 0x5468_7464, migrations: MIGRATIONS };

/// The index of a ledger: `Thdx`.
pub(super) const INDEX: Schema = Schema { application_id: 0x5468_6478, migrations: INDEX_MIGRATIONS };

/// What no record of before could have is added to a file that is there: it stays unknown of what an earlier version indexed
/// meanwhile, who went back to one. Any other change needs no migration: a new number of
/// tables, and the file is made anew.
const INDEX_MIGRATIONS: &[&str] = &[
    "
CREATE TABLE mark (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 0),
    -- The public key of the log.
    log TEXT NOT NULL,
    -- The first position that is not here.
    next INTEGER NOT NULL
) STRICT;

CREATE TABLE decisions (
    position INTEGER PRIMARY KEY,
    -- Times are nanoseconds since 1970.
    at INTEGER NOT NULL,
    session TEXT NOT NULL,
    agent TEXT,
    user TEXT,
    endpoint TEXT,
    tool TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT,
    risk_score INTEGER NOT NULL,
    mode TEXT,
    policy_digest TEXT,
    call TEXT NOT NULL,
    trace TEXT NOT NULL,
    violation INTEGER NOT NULL AS (decision IN ('BLOCK', 'STEP_UP')) VIRTUAL
) STRICT;
CREATE INDEX decisions_of_session ON decisions (session, position);
CREATE INDEX decisions_of_agent ON decisions (agent, position);
CREATE INDEX decisions_of_tool ON decisions (tool, position);
CREATE INDEX decisions_violating ON decisions (position) WHERE violation = 1;
CREATE INDEX decisions_by_trace ON decisions (trace) WHERE violation = 1;

-- From when to when the decisions of 1024 positions are.
CREATE TABLE spans (number INTEGER PRIMARY KEY, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL) STRICT;

CREATE TABLE sessions (
    -- Where it begins.
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- Absent where nothing was decided in it.
    first_at INTEGER,
    last_at INTEGER,
    allowed INTEGER NOT NULL DEFAULT 0,
    modified INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE session_names (
    session INTEGER NOT NULL REFERENCES sessions (position),
    -- `agent`, `user` or `tool`.
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (session, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_names_by_name ON session_names (kind, name, session) WHERE kind != 'tool';
CREATE TABLE session_records (
    session INTEGER NOT NULL REFERENCES sessions (position),
    position INTEGER NOT NULL,
    PRIMARY KEY (session, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    allowed INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    held INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    blocked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Hours since 1970.
CREATE TABLE tool_hours (
    hour INTEGER NOT NULL,
    agent TEXT NOT NULL,
    tool TEXT NOT NULL,
    calls INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (hour, agent, tool)
) STRICT, WITHOUT ROWID;
",
    "
-- What whoever asked for it calls a decision.
ALTER TABLE decisions ADD COLUMN enforcement_trace TEXT;
CREATE INDEX decisions_called ON decisions (enforcement_trace, position) WHERE enforcement_trace IS NOT NULL;
",
];

const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE keys (
    -- In the order in which they were made.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    -- The SHA-256 of its text, which is kept nowhere.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    name TEXT,
    scope_level TEXT NOT NULL,
    scope_target TEXT,
    -- Words with commas between.
    permissions TEXT NOT NULL,
    reason TEXT,
    -- Times are nanoseconds since 1970.
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE INDEX keys_of_tenant ON keys (tenant, number);

CREATE TABLE events (
    -- In the order in which they came; never used again.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT,
    tool TEXT,
    kind TEXT NOT NULL,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (tenant, id)
) STRICT;
CREATE INDEX events_of_tenant ON events (tenant, number);
CREATE INDEX events_of_session ON events (tenant, session, number);
CREATE INDEX events_of_agent ON events (tenant, agent, number);
CREATE INDEX events_of_tool ON events (tenant, tool, number);
CREATE INDEX events_of_kind ON events (tenant, kind, number);

-- How much the events of each tenant say.
CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY,
    event_bytes INTEGER NOT NULL CHECK (event_bytes >= 0)
) STRICT;
",
    "
CREATE TABLE endpoints (
    -- In the order in which they registered first.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    hostname TEXT NOT NULL,
    os TEXT,
    os_version TEXT,
    proxy_version TEXT,
    environment TEXT,
    enrollment TEXT,
    fleet TEXT,
    -- A JSON list of texts.
    agents TEXT NOT NULL,
    enforcement_mode TEXT,
    policy_digest TEXT,
    events_pending INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    -- Set as long as it is in quarantine.
    quarantined_at INTEGER,
    quarantined_by TEXT,
    quarantine_reason TEXT,
    UNIQUE (tenant, id)
) STRICT;
CREATE INDEX endpoints_of_tenant ON endpoints (tenant, number);
CREATE INDEX endpoints_of_fleet ON endpoints (tenant, fleet, number);
CREATE INDEX endpoints_by_sight ON endpoints (tenant, last_seen);
",
    "
CREATE TABLE bundles (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- The version that holds, and the one that held before it.
    active INTEGER,
    previous INTEGER,
    -- A JSON list of texts.
    assignments TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    CHECK (active IS NULL OR deleted_at IS NULL)
) STRICT;
CREATE UNIQUE INDEX bundles_by_name ON bundles (tenant, name) WHERE deleted_at IS NULL;
CREATE INDEX bundles_active ON bundles (tenant, id) WHERE active IS NOT NULL;

-- Never changed once written.
CREATE TABLE bundle_versions (
    bundle INTEGER NOT NULL REFERENCES bundles (number),
    version INTEGER NOT NULL CHECK (version >= 1),
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    description TEXT,
    decisions TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (bundle, version)
) STRICT;

-- How often what holds for anybody of a tenant has changed.
CREATE TABLE policy_changes (
    tenant TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;
",
    "
CREATE TABLE settings (
    tenant TEXT PRIMARY KEY,
    -- How often they were set.
    revision INTEGER NOT NULL CHECK (revision >= 1),
    -- A JSON object.
    document TEXT NOT NULL,
    -- The same as in the document, for statements.
    event_days INTEGER,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL
) STRICT;

CREATE TABLE tools (
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    -- The digest of the definition.
    fingerprint TEXT NOT NULL,
    -- The one before it, and since when it is another.
    previous TEXT,
    changed_at INTEGER,
    -- How often it was another one.
    changes INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (tenant, agent, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tools_by_sight ON tools (tenant, last_seen);
",
];
