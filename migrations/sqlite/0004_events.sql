-- What has happened and is not yet spread to the webhooks that are to be told of it: one row for all events of a project in a transaction,
-- so that whoever writes it pays the same however many webhooks there are.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project    INTEGER NOT NULL REFERENCES projects (id),
    items      INTEGER NOT NULL, -- how many events there are in `facts`
    facts      TEXT    NOT NULL, -- JSON array of objects, in order
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX events_of_project ON events (project, id);
