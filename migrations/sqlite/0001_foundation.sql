-- Projects, their files, and blobs that wait for deletion. Times are microseconds since 1970 (UTC).

CREATE TABLE projects (
    id          INTEGER PRIMARY KEY,
    public_key  TEXT    NOT NULL UNIQUE,
    secret_keys TEXT    NOT NULL, -- JSON array of texts
    settings    TEXT    NOT NULL, -- JSON object
    from_config INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE files (
    seq         INTEGER PRIMARY KEY, -- rows are laid down in order of arrival; the id is random and has its own index
    id          BLOB    NOT NULL UNIQUE,
    project     INTEGER NOT NULL REFERENCES projects (id),
    uploaded_at INTEGER NOT NULL,
    stored_at   INTEGER,
    removed_at  INTEGER,
    blob        TEXT, -- null once the bytes are gone
    size        INTEGER NOT NULL,
    etag        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    mime_type   TEXT    NOT NULL,
    is_image    INTEGER NOT NULL,
    content     TEXT    NOT NULL, -- JSON object: content_info
    metadata    TEXT    NOT NULL, -- JSON object
    tags        TEXT    NOT NULL, -- JSON array
    source      TEXT
) STRICT;

-- Listings page by time, so no two files of a project may share one.
CREATE UNIQUE INDEX files_by_time ON files (project, uploaded_at);
-- The janitor's questions: what expires next, what was removed long ago, whether somebody knows this blob.
CREATE INDEX files_temporary ON files (uploaded_at) WHERE stored_at IS NULL AND removed_at IS NULL;
CREATE INDEX files_removed ON files (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX files_by_blob ON files (blob) WHERE blob IS NOT NULL;

-- Blobs that no record needs any more: written in the transaction that lets go of them, deleted by the janitor.
CREATE TABLE garbage (
    blob  TEXT    PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
