//! Brings measurements and events of a store of version 4, which are JSON, into the columns of migration 5.
//!
//! It runs in the transaction in which that migration is applied: a store is of version 4 with all that it held, or of
//! version 5 with the same. What cannot be read stops it, and is named; nothing is passed over.

use std::collections::HashMap;

use protocol::{Event, Measurement, RunResult};
use sqlx::{Row, SqliteConnection};

use super::StoreError;
use super::events::{NewEvent, Payload, insert_events};
use super::items::item_id;
use super::measurements::{Written, write};

/// Converts what migration 5 set aside; nothing where there is none.
pub(super) async fn convert(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let aside = "SELECT 1 FROM sqlite_schema WHERE name = 'measurements_4'";
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
    for run in runs {
        let measured = measurements(connection, run, &mut known).await?;
        events(connection, run, &measured).await?;
    }
    for (table, old) in [("measurements", "measurements_4"), ("events", "events_4")] {
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

/// The measurements of a run and their items, by key.
type Measured = HashMap<String, (i64, Measurement)>;

async fn measurements(
    connection: &mut SqliteConnection,
    run: i64,
    known: &mut HashMap<String, i64>,
) -> Result<Measured, StoreError> {
    let rows =
        sqlx::query("SELECT key, measured_at, measurement FROM measurements_4 WHERE run_id = ?")
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
        let of = measurement.key();
        if of.to_string() != key {
            return Err(damaged(format!("it is of `{of}`")));
        }
        let item = match known.get(&key) {
            Some(&item) => item,
            None => {
                let item = item_id(connection, of).await?;
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

/// Writes the events of a run that brought a measurement or a result, without it where the run has the same.
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
        "SELECT sequence, experiment_id, at, kind, payload FROM events_4
         WHERE run_id = ? AND kind IN ('measured', 'trained', 'finished')",
    )
    .bind(run)
    .fetch_all(&mut *connection)
    .await?;
    let mut new = Vec::with_capacity(rows.len());
    for row in &rows {
        let text: &str = row.try_get("payload")?;
        let payload = match serde_json::from_str::<Event>(text)? {
            Event::Measured(one) => match measured.get(&one.key().to_string()) {
                Some((item, same)) if *same == one => Payload::Measurement(*item),
                _ => Payload::Text(text.to_owned()),
            },
            Event::Trained(one) | Event::Finished(one) if Some(&one) == result.as_ref() => {
                Payload::Result
            }
            _ => Payload::Text(text.to_owned()),
        };
        new.push(NewEvent {
            sequence: Some(row.try_get("sequence")?),
            run_id: run,
            experiment_id: row.try_get("experiment_id")?,
            at: row.try_get("at")?,
            kind: row.try_get("kind")?,
            payload,
        });
    }
    insert_events(connection, &new).await?;
    Ok(())
}
