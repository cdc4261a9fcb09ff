-- Evaluations after training: a run has its result before it is finished, can be queued once more to be
-- tested on more, and has measurements of its own.
-- The CHECKs of `runs` change, for which SQLite needs a new table (https://sqlite.org/lang_altertable.html,
-- section 7). Migrations run with foreign keys off: dropping the old table would else delete all that
-- refers to it.

CREATE TABLE runs_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    alpha REAL NOT NULL,
    seed INTEGER NOT NULL,
    device TEXT NOT NULL,
    epochs INTEGER NOT NULL,
    spec TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'running', 'interrupted', 'cancelled', 'failed', 'diverged', 'finished')
    ),
    reason TEXT,
    queued_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    epochs_done INTEGER NOT NULL DEFAULT 0,
    started TEXT,
    -- Evaluations asked for after the launch: a JSON array of specs.
    later_evaluations TEXT NOT NULL DEFAULT '[]',
    -- The result without its per-unit vectors, for lists; and whole.
    result TEXT,
    result_with_units TEXT,
    CHECK (state != 'finished' OR result IS NOT NULL),
    CHECK ((result IS NULL) = (result_with_units IS NULL))
) STRICT;

INSERT INTO runs_new (id, experiment_id, alpha, seed, device, epochs, spec, state, reason, queued_at, started_at,
    ended_at, epochs_done, started, result, result_with_units)
SELECT id, experiment_id, alpha, seed, device, epochs, spec, state, reason, queued_at, started_at,
    ended_at, epochs_done, started, result, result_with_units FROM runs;

-- Numbers of deleted runs are not given again.
DELETE FROM sqlite_sequence WHERE name = 'runs_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'runs_new', seq FROM sqlite_sequence WHERE name = 'runs';

DROP TABLE runs;
ALTER TABLE runs_new RENAME TO runs;

CREATE INDEX runs_by_experiment ON runs (experiment_id, state);
CREATE INDEX runs_by_state ON runs (state, device, queued_at);

-- What evaluations measured; the key says what, and under which conditions.
CREATE TABLE measurements (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    measured_at INTEGER NOT NULL,
    measurement TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
