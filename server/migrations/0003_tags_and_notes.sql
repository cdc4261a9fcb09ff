-- What people write on experiments and runs after the launch. The notes of an experiment have had a column of
-- their own since 0001 (filled from the spec): it is the one that is shown and edited; the spec stays as launched.

ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT '';

CREATE TABLE tags (
    id INTEGER PRIMARY KEY,
    experiment_id INTEGER REFERENCES experiments (id) ON DELETE CASCADE,
    run_id INTEGER REFERENCES runs (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    CHECK ((experiment_id IS NULL) != (run_id IS NULL))
) STRICT;

CREATE UNIQUE INDEX tags_by_experiment ON tags (experiment_id, tag) WHERE experiment_id IS NOT NULL;
CREATE UNIQUE INDEX tags_by_run ON tags (run_id, tag) WHERE run_id IS NOT NULL;
