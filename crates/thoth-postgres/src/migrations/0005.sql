-- What whoever asked for it calls a decision.

ALTER TABLE thoth.decisions ADD COLUMN enforcement_trace TEXT;
CREATE INDEX decisions_called ON thoth.decisions (tenant, enforcement_trace, position) WHERE enforcement_trace IS NOT NULL;
