//! Brings measurements and events of a store of version 6 or earlier, which are JSON, into the columns of migration 7.
//!
//! It runs in the transaction in which that migration is applied: a store is of the old version with all that it held, or of
//! version 7 with the same. What cannot be read stops it, and is named; nothing is passed over. Runs are converted one
//! after another, so that it takes no more memory than the largest of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::{Event, Measurement, RunResult};
use sqlx::{Row, SqliteConnection};

use super::StoreError;
use super::event_rows::{NewEvent, Payload, insert_events};
use super::items::item_id;
use super::measurements::{Written, write};

/// How often progress is reported.
const EVERY: Duration = Duration::from_secs(5);

/// Converts what migration 7 set aside; nothing where there is none.
pub(super) async fn convert(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let aside = "SELECT 1 FROM sqlite_schema WHERE name = 'measurements_6'";
    let aside: Option<i64> = sqlx::query_scalar(aside)
        .fetch_optional(&mut *connection)
        .await?;
    if aside.is_none() {
        return Ok(());
    }
    let runs: Vec<i64> = sqlx::query_scalar("SELECT id FROM runs ORDER BY id")
        .fetch_all(&mut *connection)
        .await?;
    let mut known = HashMap::new();
    let mut last_report = Instant::now();
    for (done, &run) in runs.iter().enumerate() {
        let measured = measurements(connection, run, &mut known).await?;
        events(connection, run, &measured).await?;
        if last_report.elapsed() >= EVERY {
            last_report = Instant::now();
            progress(done + 1, runs.len());
        }
    }
    for (table, old) in [("measurements", "measurements_6"), ("events", "events_6")] {
        let counts =
            format!("SELECT (SELECT count(*) FROM {old}) - (SELECT count(*) FROM {table})");
        let lost: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(counts))
            .fetch_one(&mut *connection)
            .await?;
        if lost != 0 {
            return Err(StoreError::Orphans { table, rows: lost });
        }
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TABLE {old}")))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn progress(done: usize, runs: usize) {
    tracing::info!(
        "bringing the store up to date: {done} of {runs} runs (if it is stopped now, it stays as it was)"
    );
}

/// The measurements of a run and their items, by key.
type Measured = HashMap<String, (i64, Measurement)>;

async fn measurements(
    connection: &mut SqliteConnection,
    run: i64,
    known: &mut HashMap<String, i64>,
) -> Result<Measured, StoreError> {
    let rows =
        sqlx::query("SELECT key, measured_at, measurement FROM measurements_6 WHERE run_id = ?")
            .bind(run)
            .fetch_all(&mut *connection)
            .await?;
    let mut measured = Measured::with_capacity(rows.len());
    let mut written = Vec::with_capacity(rows.len());
    for row in &rows {
        let key: String = row.try_get("key")?;
        let damaged = |reason: String| StoreError::DamagedMeasurement {
            run,
            measurement: format!("`{key}`"),
            reason,
        };
        let measurement: Measurement = serde_json::from_str(row.try_get("measurement")?)
            .map_err(|error| damaged(error.to_string()))?;
        let item_key = measurement.key();
        if item_key.to_string() != key {
            return Err(damaged(format!("it is of `{item_key}`")));
        }
        let item = match known.get(&key) {
            Some(&item) => item,
            None => {
                let item = item_id(connection, item_key).await?;
                known.insert(key.clone(), item);
                item
            }
        };
        written.push(Written::new(
            item,
            row.try_get("measured_at")?,
            &measurement,
        )?);
        measured.insert(key, (item, measurement));
    }
    write(connection, run, &written).await?;
    Ok(measured)
}

/// Writes a run's events that have a measurement or a result, without it where the run has the same.
async fn events(
    connection: &mut SqliteConnection,
    run: i64,
    measured: &Measured,
) -> Result<(), StoreError> {
    let result: Option<String> =
        sqlx::query_scalar("SELECT result_with_units FROM runs WHERE id = ?")
            .bind(run)
            .fetch_one(&mut *connection)
            .await?;
    let result: Option<RunResult> = result.as_deref().map(serde_json::from_str).transpose()?;
    let rows = sqlx::query(
        "SELECT sequence, experiment_id, at, kind, payload FROM events_6
         WHERE run_id = ? AND kind IN ('measured', 'trained', 'finished')",
    )
    .bind(run)
    .fetch_all(&mut *connection)
    .await?;
    let mut new = Vec::with_capacity(rows.len());
    for row in &rows {
        let (kind, text): (&str, &str) = (row.try_get("kind")?, row.try_get("payload")?);
        let payload = match kind {
            // An event is its measurement plus a type, which need not be read.
            "measured" => of_measurement(serde_json::from_str(text)?, measured),
            _ => match (serde_json::from_str::<Event>(text)?, &result) {
                (Event::Trained(one) | Event::Finished(one), Some(same)) if one == *same => {
                    Some(Payload::Result)
                }
                _ => None,
            },
        };
        new.push(NewEvent {
            sequence: Some(row.try_get("sequence")?),
            run_id: run,
            experiment_id: row.try_get("experiment_id")?,
            at: row.try_get("at")?,
            kind,
            payload: payload.unwrap_or_else(|| Payload::Text(text.to_owned())),
        });
    }
    insert_events(connection, &new).await?;
    Ok(())
}

/// A reference to the run's measurement, if it equals the event's; `None` if the run has none or another of that key.
fn of_measurement(one: Measurement, measured: &Measured) -> Option<Payload> {
    let (item, same) = measured.get(&one.key().to_string())?;
    (*same == one).then_some(Payload::Measurement(*item))
}
