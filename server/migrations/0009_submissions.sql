-- Runs that compute in a place with a queue of its own (a Slurm cluster): which place an experiment's runs go to, and what was
-- handed over together. A submission is here before the place hears of it, so that one that was made while the server was
-- killed is found again by its key.

ALTER TABLE experiments ADD COLUMN executor TEXT NOT NULL DEFAULT 'local';

-- What a program gave with a launch (`Idempotency-Key`), so that the same launch sent again is the same experiment.
ALTER TABLE experiments ADD COLUMN launch_key TEXT;
CREATE UNIQUE INDEX experiments_by_launch_key ON experiments (launch_key);

CREATE TABLE submissions (
    id INTEGER PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    -- In the names of its jobs.
    key TEXT NOT NULL UNIQUE,
    -- The place's own number; NULL until it has given one.
    job INTEGER,
    submitted_at INTEGER NOT NULL
) STRICT;

CREATE INDEX submissions_of_experiment ON submissions (experiment_id);

-- The submission that a queued or running run is in, and its place there; NULL for one that waits to be handed over, and for
-- all that compute on this machine.
ALTER TABLE runs ADD COLUMN submission_id INTEGER REFERENCES submissions (id) ON DELETE SET NULL;
ALTER TABLE runs ADD COLUMN task INTEGER;
