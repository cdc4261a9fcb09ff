-- Measurements in typed columns. What is measured (kind, conditions and item, for example fog at severity 3 on 1,000
-- generated images) is a row of `items` that all runs share. The few numbers of a measurement are columns of `measurements`;
-- its long parts, one value a layer or a sentence a check, are packed apart in `arrays` (store/arrays.rs writes and reads
-- them). An event that brought a measurement or a result names it and holds no second copy.
--
-- The rows of earlier versions are brought over by store/conversion.rs, in the transaction that this file is applied in.
-- The old tables keep their indexes until then: the events of a run are found by them.

DROP TRIGGER measurements_in_short;
DROP VIEW short_lines;
DROP TABLE short_measurements;
ALTER TABLE measurements RENAME TO measurements_6;

CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    -- The whole of it as text (protocol::MeasurementKey), for people and exports.
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (
        kind IN ('corruption', 'attack', 'masking', 'dimensionality', 'input_unit_gradients')
    ),
    -- Conditions: images, the seed of corruptions or attacks, and where corrupted images come from.
    images INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    source TEXT,
    -- Of generated images: whether they went through a JPEG file, and the fingerprint of the photographs of frost.
    jpeg INTEGER NOT NULL DEFAULT 0 CHECK (jpeg IN (0, 1)),
    frost TEXT,
    -- Dimensionality: of unit responses or of full activations.
    matrix TEXT,
    -- The perturbation: a corruption, an attack, or neither.
    corruption TEXT,
    severity INTEGER,
    method TEXT,
    norm TEXT,
    epsilon REAL,
    step_size REAL,
    steps INTEGER,
    random_starts INTEGER
) STRICT;

CREATE TABLE measurements (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    item_id INTEGER NOT NULL REFERENCES items (id),
    measured_at INTEGER NOT NULL,
    -- Shares of images, 0 to 1; the cross-entropy in nats.
    accuracy REAL,
    clean_accuracy REAL,
    cross_entropy REAL,
    PRIMARY KEY (run_id, item_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE arrays (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    item_id INTEGER NOT NULL REFERENCES items (id),
    packed BLOB NOT NULL,
    PRIMARY KEY (run_id, item_id)
) STRICT, WITHOUT ROWID;

-- The payload of an event may be absent, for which SQLite needs a new table.
ALTER TABLE events RENAME TO events_6;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- Absent where the event brought the run's measurement of `item_id`, or its result, which are kept once.
    payload TEXT,
    item_id INTEGER REFERENCES items (id),
    CHECK (payload IS NOT NULL OR (item_id IS NOT NULL) = (kind = 'measured'))
) STRICT;

CREATE INDEX events_of_run ON events (run_id, kind, sequence);
CREATE INDEX events_of_experiment ON events (experiment_id, sequence);

-- Numbers of events are not given again: readers go on from the last that they saw.
INSERT INTO sqlite_sequence (name, seq) SELECT 'events', seq FROM sqlite_sequence WHERE name = 'events_6';
INSERT INTO events (sequence, run_id, experiment_id, at, kind, payload)
SELECT sequence, run_id, experiment_id, at, kind, payload FROM events_6
WHERE kind NOT IN ('measured', 'trained', 'finished');
