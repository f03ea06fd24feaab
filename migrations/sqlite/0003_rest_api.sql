-- The REST API: listings and counts that cost the same however many files there are, webhooks, and what they are told.

-- 0 temporary, 1 stored, 2 removed.
ALTER TABLE files ADD COLUMN state INTEGER
    GENERATED ALWAYS AS (CASE WHEN removed_at IS NOT NULL THEN 2 WHEN stored_at IS NOT NULL THEN 1 ELSE 0 END) VIRTUAL;

CREATE INDEX files_by_state ON files (project, state, uploaded_at);
CREATE INDEX files_by_size ON files (project, state, size, id);
-- The janitor's question: whose bytes may go, because nobody has brought the file back in time.
CREATE INDEX files_recoverable ON files (removed_at) WHERE removed_at IS NOT NULL AND blob IS NOT NULL;

ALTER TABLE groups ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
UPDATE groups SET files = (SELECT count(*) FROM group_files m WHERE m."group" = groups.id);

-- How much a project has of what, written by triggers, so that no statement can forget it. The sum over all slots counts.
CREATE TABLE counts (
    project INTEGER NOT NULL REFERENCES projects (id),
    state   INTEGER NOT NULL, -- of files as above; 3 are groups
    slot    INTEGER NOT NULL, -- always 0 here; several in Postgres, where many write at once
    items   INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (project, state, slot)
) STRICT, WITHOUT ROWID;

INSERT INTO counts SELECT project, state, 0, count(*), sum(size) FROM files GROUP BY project, state;
INSERT INTO counts SELECT project, 3, 0, count(*), 0 FROM groups GROUP BY project;

CREATE TRIGGER files_come AFTER INSERT ON files BEGIN
    INSERT INTO counts VALUES (new.project, new.state, 0, 1, new.size)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER files_change AFTER UPDATE OF stored_at, removed_at ON files WHEN new.state <> old.state BEGIN
    UPDATE counts SET items = items - 1, bytes = bytes - old.size WHERE project = old.project AND state = old.state;
    INSERT INTO counts VALUES (new.project, new.state, 0, 1, new.size)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER files_go AFTER DELETE ON files BEGIN
    UPDATE counts SET items = items - 1, bytes = bytes - old.size WHERE project = old.project AND state = old.state;
END;

CREATE TRIGGER groups_come AFTER INSERT ON groups BEGIN
    INSERT INTO counts VALUES (new.project, 3, 0, 1, 0) ON CONFLICT DO UPDATE SET items = items + 1;
END;

CREATE TRIGGER groups_go AFTER DELETE ON groups BEGIN
    UPDATE counts SET items = items - 1 WHERE project = old.project AND state = 3;
END;

CREATE TABLE webhooks (
    id             INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    project        INTEGER NOT NULL REFERENCES projects (id),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    event          TEXT    NOT NULL,
    target_url     TEXT    NOT NULL,
    is_active      INTEGER NOT NULL,
    version        TEXT    NOT NULL,
    signing_secret TEXT,
    UNIQUE (project, event, target_url)
) STRICT;

-- What webhooks are to be told and were told. A delivery that is being made has a lease and is due again when it ends.
CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook    INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event      TEXT    NOT NULL,
    facts      TEXT    NOT NULL, -- JSON object: what has happened
    body       TEXT, -- as it was first sent
    signature  TEXT, -- as it was first sent
    created_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    lease      BLOB,
    attempts   TEXT    NOT NULL DEFAULT '[]', -- JSON array, in order
    outcome    TEXT, -- null while it is under way; then delivered, failed or dropped
    ended_at   INTEGER
) STRICT;

-- Of ended ones as well: they go with their webhook.
CREATE INDEX deliveries_due ON deliveries (webhook, outcome, due_at);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
