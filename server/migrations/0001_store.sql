-- The store: what was asked, what happened, what was measured.
-- Numbers of experiments and runs are never reused (AUTOINCREMENT), so a link never changes its meaning.
-- Times are milliseconds since 1970-01-01 UTC. JSON columns hold the types of the `protocol` crate.

CREATE TABLE experiments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    notes TEXT NOT NULL,
    spec TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
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
    -- The result without its per-unit vectors, for lists; and whole.
    result TEXT,
    result_with_units TEXT,
    CHECK ((state = 'finished') = (result IS NOT NULL)),
    CHECK ((result IS NULL) = (result_with_units IS NULL))
) STRICT;

CREATE INDEX runs_by_experiment ON runs (experiment_id, state);
CREATE INDEX runs_by_state ON runs (state, device, queued_at);

CREATE TABLE epochs (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    metrics TEXT NOT NULL,
    PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_run ON events (run_id, kind, sequence);
CREATE INDEX events_by_experiment ON events (experiment_id, sequence);

-- Short speed measurements, from which time estimates are made before any run has finished.
CREATE TABLE calibrations (
    workload TEXT PRIMARY KEY,
    measured_at INTEGER NOT NULL,
    measurement TEXT NOT NULL
) STRICT;
