-- The REST API: listings and counts that cost the same however many files there are, webhooks, and what they are told.

-- 0 temporary, 1 stored, 2 removed.
ALTER TABLE files ADD COLUMN state SMALLINT
    GENERATED ALWAYS AS (CASE WHEN removed_at IS NOT NULL THEN 2 WHEN stored_at IS NOT NULL THEN 1 ELSE 0 END) STORED;

CREATE INDEX files_by_state ON files (project, state, uploaded_at);
CREATE INDEX files_by_size ON files (project, state, size, id);
-- The janitor's question: whose bytes may go, because nobody has brought the file back in time.
CREATE INDEX files_recoverable ON files (removed_at) WHERE removed_at IS NOT NULL AND blob IS NOT NULL;

ALTER TABLE groups ADD COLUMN files BIGINT NOT NULL DEFAULT 0;
UPDATE groups SET files = (SELECT count(*) FROM group_files m WHERE m."group" = groups.id);

-- How much a project has of what, written by triggers, so that no statement can forget it. The sum over all slots counts.
CREATE TABLE counts (
    project BIGINT   NOT NULL REFERENCES projects (id),
    state   SMALLINT NOT NULL, -- of files as above; 3 are groups
    slot    INTEGER  NOT NULL, -- of the connection that wrote, so that many can write at once
    items   BIGINT   NOT NULL,
    bytes   BIGINT   NOT NULL,
    PRIMARY KEY (project, state, slot)
);

INSERT INTO counts SELECT project, state, 0, count(*), sum(size) FROM files GROUP BY project, state;
INSERT INTO counts SELECT project, 3, 0, count(*), 0 FROM groups GROUP BY project;

CREATE FUNCTION count_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- In order, so that two connections of one slot cannot wait for each other.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO counts SELECT project, state, pg_backend_pid() % 64, count(*), sum(size) FROM after_it
        GROUP BY project, state ORDER BY project, state
        ON CONFLICT (project, state, slot)
        DO UPDATE SET items = counts.items + excluded.items, bytes = counts.bytes + excluded.bytes;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO counts SELECT project, state, pg_backend_pid() % 64, -count(*), -sum(size) FROM before_it
        GROUP BY project, state ORDER BY project, state
        ON CONFLICT (project, state, slot)
        DO UPDATE SET items = counts.items + excluded.items, bytes = counts.bytes + excluded.bytes;
    ELSE
        INSERT INTO counts SELECT project, state, pg_backend_pid() % 64, sum(item), sum(bytes)
        FROM (SELECT project, state, 1 AS item, size AS bytes FROM after_it
              UNION ALL SELECT project, state, -1, -size FROM before_it) AS changes
        GROUP BY project, state HAVING sum(item) <> 0 OR sum(bytes) <> 0 ORDER BY project, state
        ON CONFLICT (project, state, slot)
        DO UPDATE SET items = counts.items + excluded.items, bytes = counts.bytes + excluded.bytes;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER files_come AFTER INSERT ON files REFERENCING NEW TABLE AS after_it
    FOR EACH STATEMENT EXECUTE FUNCTION count_files();
CREATE TRIGGER files_change AFTER UPDATE ON files REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it
    FOR EACH STATEMENT EXECUTE FUNCTION count_files();
CREATE TRIGGER files_go AFTER DELETE ON files REFERENCING OLD TABLE AS before_it
    FOR EACH STATEMENT EXECUTE FUNCTION count_files();

CREATE FUNCTION count_groups() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counts VALUES (
        CASE TG_OP WHEN 'INSERT' THEN new.project ELSE old.project END, 3, pg_backend_pid() % 64,
        CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END, 0)
    ON CONFLICT (project, state, slot) DO UPDATE SET items = counts.items + excluded.items;
    RETURN NULL;
END $$;

CREATE TRIGGER groups_counted AFTER INSERT OR DELETE ON groups FOR EACH ROW EXECUTE FUNCTION count_groups();

CREATE TABLE webhooks (
    id             BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project        BIGINT  NOT NULL REFERENCES projects (id),
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL,
    event          TEXT    NOT NULL,
    target_url     TEXT    NOT NULL,
    is_active      BOOLEAN NOT NULL,
    version        TEXT    NOT NULL,
    signing_secret TEXT,
    UNIQUE (project, event, target_url)
);

-- What webhooks are to be told and were told. A delivery that is being made has a lease and is due again when it ends.
CREATE TABLE deliveries (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook    BIGINT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event      TEXT   NOT NULL,
    facts      TEXT   NOT NULL, -- JSON object: what has happened
    body       TEXT, -- as it was first sent
    signature  TEXT, -- as it was first sent
    created_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    lease      UUID,
    attempts   TEXT   NOT NULL DEFAULT '[]', -- JSON array, in order
    outcome    TEXT, -- null while it is under way; then delivered, failed or dropped
    ended_at   BIGINT
);

-- Of ended ones as well: they go with their webhook.
CREATE INDEX deliveries_due ON deliveries (webhook, outcome, due_at);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
