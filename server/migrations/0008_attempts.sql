-- Workers outlive the server: how many a run has had, and how far the logs of the last one have been read. Offsets are
-- written in the transaction that stores what was read, so that nothing is stored twice or left out.

ALTER TABLE runs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN events_offset INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN errors_offset INTEGER NOT NULL DEFAULT 0;

-- How often a run was tried again by itself since a person last asked for it.
ALTER TABLE runs ADD COLUMN retried INTEGER NOT NULL DEFAULT 0;
