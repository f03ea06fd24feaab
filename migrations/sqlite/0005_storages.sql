-- Custom storages, and what is to be copied there.

CREATE TABLE storages (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    project       INTEGER NOT NULL REFERENCES projects (id),
    name          TEXT    NOT NULL,
    settings      TEXT    NOT NULL, -- JSON object, with secrets in it
    auto_event    TEXT, -- of the settings: the kind of event at which a file is copied by itself; null where none is
    from_config   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    backfilled_to INTEGER NOT NULL DEFAULT 0, -- upload time of the last file that the back-fill has looked at
    UNIQUE (project, name)
) STRICT;

-- Copies that are to be made, and those that have failed. A copy that is being made has a lease and is due again when it ends.
CREATE TABLE copies (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    storage    INTEGER NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    file       BLOB    NOT NULL,
    request    TEXT, -- JSON object: what was asked for; null for automatic copies
    upload     TEXT, -- JSON object: the multipart upload that is under way at the storage
    created_at INTEGER NOT NULL, -- copies are given up some time after this
    due_at     INTEGER, -- null once nothing is left to do
    lease      BLOB,
    attempt    INTEGER NOT NULL, -- how often it was begun
    error      TEXT, -- of the last attempt
    ended_at   INTEGER -- when it failed for good
) STRICT;

CREATE UNIQUE INDEX copies_automatic ON copies (storage, file) WHERE request IS NULL;
-- Of ended ones as well: they go with their storage.
CREATE INDEX copies_due ON copies (storage, due_at);
CREATE INDEX copies_failed ON copies (storage, id) WHERE ended_at IS NOT NULL;
CREATE INDEX copies_of_file ON copies (file);
