-- The index of each tenant's ledger: nothing here that is not made from `entries` anew.

CREATE TABLE thoth.index_marks (
    tenant TEXT PRIMARY KEY,
    -- The public key of the log.
    log TEXT NOT NULL,
    -- The first position that is not in the index.
    next BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE thoth.decisions (
    tenant TEXT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT,
    person TEXT,
    endpoint TEXT,
    tool TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT,
    risk_score BIGINT NOT NULL,
    mode TEXT,
    policy_digest TEXT,
    call TEXT NOT NULL,
    trace TEXT NOT NULL,
    PRIMARY KEY (tenant, position)
);
CREATE INDEX decisions_of_session ON thoth.decisions (tenant, session, position);
CREATE INDEX decisions_of_agent ON thoth.decisions (tenant, agent, position);
CREATE INDEX decisions_of_tool ON thoth.decisions (tenant, tool, position);
CREATE INDEX decisions_violating ON thoth.decisions (tenant, position) WHERE decision IN ('BLOCK', 'STEP_UP');
CREATE INDEX decisions_by_trace ON thoth.decisions (tenant, trace) WHERE decision IN ('BLOCK', 'STEP_UP');

-- From when to when the decisions of 1024 positions are.
CREATE TABLE thoth.decision_spans (
    tenant TEXT NOT NULL,
    number BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, number)
);

CREATE TABLE thoth.sessions (
    tenant TEXT NOT NULL,
    -- Where it begins.
    position BIGINT NOT NULL,
    id TEXT NOT NULL,
    -- Absent where nothing was decided in it.
    first_at BIGINT,
    last_at BIGINT,
    allowed BIGINT NOT NULL DEFAULT 0,
    modified BIGINT NOT NULL DEFAULT 0,
    held BIGINT NOT NULL DEFAULT 0,
    deferred BIGINT NOT NULL DEFAULT 0,
    blocked BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, position),
    UNIQUE (tenant, id)
);
CREATE TABLE thoth.session_names (
    tenant TEXT NOT NULL,
    session BIGINT NOT NULL,
    -- `agent`, `user` or `tool`.
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    calls BIGINT NOT NULL,
    PRIMARY KEY (tenant, session, kind, name)
);
CREATE INDEX session_names_by_name ON thoth.session_names (tenant, kind, name, session) WHERE kind <> 'tool';
CREATE TABLE thoth.session_records (
    tenant TEXT NOT NULL,
    session BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (tenant, session, position)
);

CREATE TABLE thoth.agents (
    tenant TEXT NOT NULL,
    -- In the order of its bytes.
    id TEXT COLLATE "C" NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    allowed BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    held BIGINT NOT NULL,
    deferred BIGINT NOT NULL,
    blocked BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
-- Hours since 1970.
CREATE TABLE thoth.tool_hours (
    tenant TEXT NOT NULL,
    hour BIGINT NOT NULL,
    agent TEXT COLLATE "C" NOT NULL,
    tool TEXT COLLATE "C" NOT NULL,
    calls BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (tenant, hour, agent, tool)
);

-- Hashes of the tree above 256 leaves and more, so that a proof reads few of them. A wrong one makes a proof fail.
CREATE TABLE thoth.subtrees (
    tenant TEXT NOT NULL,
    -- 8, 16, 24…: over 2 to the power of it leaves.
    level BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant, level, number)
);
