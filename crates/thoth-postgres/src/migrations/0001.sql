-- Times are nanoseconds since 1970. Every table has the tenant in its keys.

CREATE TABLE thoth.tenants (
    tenant TEXT PRIMARY KEY,
    -- Another number whenever anything about its holds and grants was written.
    holds_version BIGINT NOT NULL DEFAULT 0,
    -- How many holds it ever had.
    holds_made BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE thoth.holds (
    tenant TEXT NOT NULL,
    -- In the order in which they were made.
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    -- The digits of its token.
    token TEXT NOT NULL CHECK (length(token) = 32),
    binding BYTEA NOT NULL CHECK (octet_length(binding) = 32),
    agent TEXT,
    server TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'spent')),
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    -- When nothing more can come of it: when it was used up, or else when it ends.
    over_at BIGINT NOT NULL,
    -- Another hold of the same binding has its place: this one was given back after the other was made, or has ended.
    aside BOOLEAN NOT NULL,
    -- Empty when they were deleted; a call without arguments has `{}`.
    arguments BYTEA NOT NULL,
    argument_bytes BIGINT NOT NULL CHECK (argument_bytes = octet_length(arguments)),
    document TEXT NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (tenant, token)
);
CREATE UNIQUE INDEX holds_standing ON thoth.holds (tenant, binding)
    WHERE state IN ('pending', 'approved', 'denied') AND NOT aside;
CREATE INDEX holds_of_call ON thoth.holds (tenant, binding) WHERE state IN ('pending', 'approved', 'denied');
CREATE INDEX holds_open ON thoth.holds (tenant, ends_at) INCLUDE (state, server, agent, argument_bytes)
    WHERE state IN ('pending', 'approved', 'denied');
CREATE INDEX holds_over ON thoth.holds (tenant, over_at) INCLUDE (argument_bytes);
CREATE INDEX holds_contents ON thoth.holds (tenant, over_at) WHERE argument_bytes > 0;

CREATE TABLE thoth.grants (
    tenant TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    id TEXT NOT NULL,
    -- What its scope says of the tenant: nothing, or the same.
    scope_tenant TEXT,
    agent TEXT,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    -- The digits of the token of the hold that it came from.
    hold TEXT NOT NULL CHECK (length(hold) = 32),
    ends_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (tenant, id)
);
CREATE INDEX grants_of_scope ON thoth.grants (tenant, server, tool);
CREATE INDEX grants_ends ON thoth.grants (tenant, ends_at);

CREATE TABLE thoth.violations (
    tenant TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    agent TEXT NOT NULL,
    at BIGINT NOT NULL,
    times BIGINT NOT NULL CHECK (times > 0),
    PRIMARY KEY (tenant, number)
);
CREATE INDEX violations_of_agent ON thoth.violations (tenant, agent, at) INCLUDE (times);
CREATE INDEX violations_at ON thoth.violations (tenant, at);

CREATE TABLE thoth.keys (
    tenant TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    -- Of all tenants, no two have one id or one digest.
    id TEXT NOT NULL UNIQUE,
    -- The SHA-256 of its text, which is kept nowhere.
    digest BYTEA NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    name TEXT,
    scope_level TEXT NOT NULL,
    scope_target TEXT,
    -- Words with commas between.
    permissions TEXT NOT NULL,
    reason TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    PRIMARY KEY (tenant, number)
);

CREATE TABLE thoth.events (
    tenant TEXT NOT NULL,
    -- In the order in which they came, for each tenant; never used again.
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    id TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT,
    tool TEXT,
    kind TEXT NOT NULL,
    occurred_at BIGINT,
    received_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (tenant, id)
);
CREATE INDEX events_of_session ON thoth.events (tenant, session, number);
CREATE INDEX events_of_agent ON thoth.events (tenant, agent, number);
CREATE INDEX events_of_tool ON thoth.events (tenant, tool, number);
CREATE INDEX events_of_kind ON thoth.events (tenant, kind, number);

-- How much the events of each tenant say.
CREATE TABLE thoth.event_rooms (
    tenant TEXT PRIMARY KEY,
    event_bytes BIGINT NOT NULL CHECK (event_bytes >= 0)
) WITH (fillfactor = 50);

CREATE TABLE thoth.session_calls (
    tenant TEXT NOT NULL,
    -- The SHA-256 of everything that makes it another session.
    session BYTEA NOT NULL CHECK (octet_length(session) = 32),
    -- From 1, in the order in which they were allowed.
    number BIGINT NOT NULL CHECK (number > 0),
    -- UTF-8; a text could not have every byte that a name may have.
    tool BYTEA NOT NULL,
    at BIGINT NOT NULL,
    went_out BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, session, number)
);
CREATE INDEX session_calls_at ON thoth.session_calls (tenant, at);

CREATE TABLE thoth.ledgers (
    tenant TEXT PRIMARY KEY,
    -- The log's name.
    origin TEXT NOT NULL UNIQUE,
    -- The secret that signs it.
    signing_key BYTEA NOT NULL CHECK (octet_length(signing_key) = 32),
    -- The secret under which content is hashed.
    content_key BYTEA NOT NULL CHECK (octet_length(content_key) = 32),
    -- How many events there are.
    size BIGINT NOT NULL CHECK (size >= 0),
    -- The roots of the perfect subtrees that the tree is made of, the largest first.
    frontier BYTEA NOT NULL,
    -- The signed head: C2SP tlog-checkpoint.
    checkpoint TEXT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE thoth.entries (
    tenant TEXT NOT NULL REFERENCES thoth.ledgers,
    -- From 0, without gaps.
    position BIGINT NOT NULL CHECK (position >= 0),
    -- RFC 6962, 2.1: over a zero byte and the event.
    leaf_hash BYTEA NOT NULL CHECK (octet_length(leaf_hash) = 32),
    -- The event.
    leaf BYTEA NOT NULL CHECK (octet_length(leaf) < 65536),
    PRIMARY KEY (tenant, position)
);
