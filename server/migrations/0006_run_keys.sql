-- What tells a run from every run of every other store: the worker writes it into the run's folder, and takes nothing
-- from a folder that says another. Made here, so that no way of adding a run can forget it.

ALTER TABLE runs ADD COLUMN key TEXT NOT NULL DEFAULT '';

UPDATE runs SET key = lower(hex(randomblob(16)));

CREATE UNIQUE INDEX runs_by_key ON runs (key);

CREATE TRIGGER runs_have_keys AFTER INSERT ON runs WHEN NEW.key = ''
BEGIN
    UPDATE runs SET key = lower(hex(randomblob(16))) WHERE id = NEW.id;
END;
