-- Uploads in parts, files that are fetched from URLs, groups, and what counts and signs. Times are microseconds since 1970 (UTC).

CREATE TABLE uploads (
    id           BLOB    NOT NULL PRIMARY KEY, -- the id that the file will have
    project      INTEGER NOT NULL REFERENCES projects (id),
    started_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    part_size    INTEGER NOT NULL,
    blob         TEXT    NOT NULL UNIQUE,
    blob_upload  TEXT, -- the blob store's own name of the upload
    completed_at INTEGER, -- null while the upload is open
    name         TEXT    NOT NULL,
    mime_type    TEXT    NOT NULL,
    stored       INTEGER NOT NULL,
    metadata     TEXT    NOT NULL, -- JSON object
    tags         TEXT    NOT NULL, -- JSON array
    source       TEXT
) STRICT;

CREATE INDEX uploads_by_end ON uploads (expires_at);

-- Parts that have arrived, where the blob store does not know it itself; none of a completed upload.
CREATE TABLE upload_parts (
    upload BLOB    NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL, -- from 1
    size   INTEGER NOT NULL,
    etag   TEXT    NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- Work for later. A job that is being done has a lease and is due again when the lease ends.
CREATE TABLE jobs (
    id         BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL, -- JSON object
    due_at     INTEGER NOT NULL,
    attempt    INTEGER NOT NULL, -- how often it was begun
    lease      BLOB,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX jobs_due ON jobs (due_at);

-- How far the fetching of URLs is.
CREATE TABLE url_tasks (
    token       BLOB    NOT NULL PRIMARY KEY,
    project     INTEGER NOT NULL REFERENCES projects (id),
    created_at  INTEGER NOT NULL,
    status      TEXT    NOT NULL, -- waiting, progress, success or error
    done        INTEGER NOT NULL, -- bytes
    total       INTEGER,
    file        BLOB, -- of a success
    error       TEXT, -- of an error
    error_code  TEXT,
    finished_at INTEGER
) STRICT;

CREATE INDEX url_tasks_finished ON url_tasks (finished_at) WHERE finished_at IS NOT NULL;

-- Which file was fetched from a URL last.
CREATE TABLE url_history (
    project  INTEGER NOT NULL REFERENCES projects (id),
    digest   TEXT    NOT NULL, -- BLAKE3 of the URL, hexadecimal
    file     BLOB    NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (project, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX url_history_by_file ON url_history (file);

CREATE TABLE groups (
    id         BLOB    NOT NULL PRIMARY KEY,
    project    INTEGER NOT NULL REFERENCES projects (id),
    created_at INTEGER NOT NULL,
    UNIQUE (project, created_at) -- listings page by time
) STRICT;

CREATE TABLE group_files (
    "group"  BLOB    NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    position INTEGER NOT NULL, -- from 0
    file     BLOB    NOT NULL,
    effects  TEXT    NOT NULL,
    PRIMARY KEY ("group", position)
) STRICT, WITHOUT ROWID;

-- What access tokens have used of their budgets.
CREATE TABLE token_uses (
    key        TEXT    NOT NULL PRIMARY KEY,
    used       INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX token_uses_by_end ON token_uses (expires_at);

-- What all nodes sign with.
CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
