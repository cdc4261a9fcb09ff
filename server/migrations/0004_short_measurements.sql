-- What the findings need of a run's measurements, in one row a run: thousands of runs are read in milliseconds, without
-- their long texts. A line for each measurement: its key, a space, and
--   corruption, attack: accuracy and clean accuracy, as they were written, with a space between;
--   dimensionality of unit responses under a perturbation: the components for 95 % of the variance, a JSON array;
--   dimensionality of clean unit responses, input-unit gradients: the measurement itself.
-- Others have none. A measurement is never changed and goes only with its run, so adding lines is all there is to do.

CREATE VIEW short_lines (run_id, key, line) AS
SELECT run_id, key, key || ' ' || coalesce(
    CASE
        WHEN key GLOB 'corruption/*' OR key GLOB 'attack/*'
            THEN (measurement -> '$.accuracy') || ' ' || (measurement -> '$.clean_accuracy')
        WHEN key GLOB '*/clean' OR key GLOB 'input_unit_gradients/*' THEN measurement
        ELSE measurement -> '$.components_95'
    END,
    ''
) || char(10)
FROM measurements
WHERE key GLOB 'corruption/*' OR key GLOB 'attack/*' OR key GLOB 'dimensionality/responses/*'
    OR key GLOB 'input_unit_gradients/*';

CREATE TABLE short_measurements (
    run_id INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    lines TEXT NOT NULL
) STRICT;

INSERT INTO short_measurements (run_id, lines)
SELECT run_id, group_concat(line, '') FROM short_lines GROUP BY run_id;

CREATE TRIGGER measurements_in_short AFTER INSERT ON measurements
BEGIN
    INSERT INTO short_measurements (run_id, lines)
    SELECT run_id, line FROM short_lines WHERE run_id = NEW.run_id AND key = NEW.key
    ON CONFLICT (run_id) DO UPDATE SET lines = lines || excluded.lines;
END;
