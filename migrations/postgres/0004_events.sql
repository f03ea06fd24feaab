-- What has happened and is not yet spread to the webhooks that are to be told of it: one row for all events of a project in a transaction,
-- so that whoever writes it pays the same however many webhooks there are.
CREATE TABLE events (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project    BIGINT NOT NULL REFERENCES projects (id),
    items      BIGINT NOT NULL, -- how many events there are in `facts`
    facts      TEXT   NOT NULL, -- JSON array of objects, in order
    created_at BIGINT NOT NULL
);

CREATE INDEX events_of_project ON events (project, id);
