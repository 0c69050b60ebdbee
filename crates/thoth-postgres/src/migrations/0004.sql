-- What administrators set for their tenant, and the tools that agents said they have.

CREATE TABLE thoth.settings (
    tenant TEXT PRIMARY KEY,
    -- How often they were set.
    revision BIGINT NOT NULL CHECK (revision >= 1),
    -- A JSON object.
    document TEXT NOT NULL,
    -- The same as in the document, for statements.
    event_days BIGINT,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE TABLE thoth.tools (
    tenant TEXT NOT NULL,
    agent TEXT COLLATE "C" NOT NULL,
    -- UTF-8; a text could not have every byte that a name may have.
    name BYTEA NOT NULL,
    source TEXT NOT NULL,
    -- The digest of the definition.
    fingerprint TEXT NOT NULL,
    -- The one before it, and since when it is another.
    previous TEXT,
    changed_at BIGINT,
    -- How often it was another one.
    changes BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    -- The definition, UTF-8.
    definition BYTEA NOT NULL,
    PRIMARY KEY (tenant, agent, name)
);
CREATE INDEX tools_by_sight ON thoth.tools (tenant, last_seen);
