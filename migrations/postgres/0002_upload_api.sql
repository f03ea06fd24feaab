-- Uploads in parts, files that are fetched from URLs, groups, and what counts and signs. Times are microseconds since 1970 (UTC).

CREATE TABLE uploads (
    id           UUID    PRIMARY KEY, -- the id that the file will have
    project      BIGINT  NOT NULL REFERENCES projects (id),
    started_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    size         BIGINT  NOT NULL,
    part_size    BIGINT  NOT NULL,
    blob         TEXT COLLATE "C" NOT NULL UNIQUE, -- compared by prefix, so by bytes
    blob_upload  TEXT, -- the blob store's own name of the upload
    completed_at BIGINT, -- null while the upload is open
    name         TEXT    NOT NULL,
    mime_type    TEXT    NOT NULL,
    stored       BOOLEAN NOT NULL,
    metadata     JSONB   NOT NULL,
    tags         JSONB   NOT NULL,
    source       TEXT
);

CREATE INDEX uploads_by_end ON uploads (expires_at);

-- Parts that have arrived, where the blob store does not know it itself; none of a completed upload.
CREATE TABLE upload_parts (
    upload UUID   NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number BIGINT NOT NULL, -- from 1
    size   BIGINT NOT NULL,
    etag   TEXT   NOT NULL,
    PRIMARY KEY (upload, number)
);

-- Work for later. A job that is being done has a lease and is due again when the lease ends.
CREATE TABLE jobs (
    id         UUID   PRIMARY KEY,
    kind       TEXT   NOT NULL,
    payload    JSONB  NOT NULL,
    due_at     BIGINT NOT NULL,
    attempt    BIGINT NOT NULL, -- how often it was begun
    lease      UUID,
    created_at BIGINT NOT NULL
);

CREATE INDEX jobs_due ON jobs (due_at);

-- How far the fetching of URLs is.
CREATE TABLE url_tasks (
    token       UUID   PRIMARY KEY,
    project     BIGINT NOT NULL REFERENCES projects (id),
    created_at  BIGINT NOT NULL,
    status      TEXT   NOT NULL, -- waiting, progress, success or error
    done        BIGINT NOT NULL, -- bytes
    total       BIGINT,
    file        UUID, -- of a success
    error       TEXT, -- of an error
    error_code  TEXT,
    finished_at BIGINT
);

CREATE INDEX url_tasks_finished ON url_tasks (finished_at) WHERE finished_at IS NOT NULL;

-- Which file was fetched from a URL last.
CREATE TABLE url_history (
    project  BIGINT NOT NULL REFERENCES projects (id),
    digest   TEXT   NOT NULL, -- BLAKE3 of the URL, hexadecimal
    file     UUID   NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (project, digest)
);

CREATE INDEX url_history_by_file ON url_history (file);

CREATE TABLE groups (
    id         UUID   PRIMARY KEY,
    project    BIGINT NOT NULL REFERENCES projects (id),
    created_at BIGINT NOT NULL,
    UNIQUE (project, created_at) -- listings page by time
);

CREATE TABLE group_files (
    "group"  UUID   NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    position BIGINT NOT NULL, -- from 0
    file     UUID   NOT NULL,
    effects  TEXT   NOT NULL,
    PRIMARY KEY ("group", position)
);

-- What access tokens have used of their budgets.
CREATE TABLE token_uses (
    key        TEXT   PRIMARY KEY,
    used       BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX token_uses_by_end ON token_uses (expires_at);

-- What all nodes sign with.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
