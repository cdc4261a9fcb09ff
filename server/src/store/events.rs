//! Events: stored before anyone is told of them, and read back for pages and for replay.

use std::ops::RangeInclusive;

use protocol::api::{LiveEvent, LogLine, RunMetrics};
use protocol::training_curve::{CurveQuantity, MOST_EPOCHS, RunCurve};
use protocol::{EpochMetrics, Event, RunSpec};
use sqlx::Row as _;

use super::event_rows::{NewEvent, insert_events};
use super::items::items;
use super::measurements::Row;
use super::{Store, StoreError, runs};
use crate::clock::now;

/// All epochs of a run.
pub const EVERY_EPOCH: RangeInclusive<u32> = 1..=u32::MAX;

impl Store {
    /// Stores an event and what it means for its run, all or nothing. `None` when it comes too late:
    /// the run has ended otherwise in the meantime, and stays as it ended.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn record(
        &self,
        run_id: i64,
        event: &Event,
    ) -> Result<Option<LiveEvent>, StoreError> {
        self.record_at(run_id, event, now()).await
    }

    /// The same for an event at a given time, in milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn record_at(
        &self,
        run_id: i64,
        event: &Event,
        at: i64,
    ) -> Result<Option<LiveEvent>, StoreError> {
        Ok(self.record_all_at(&[(run_id, event)], at).await?.pop())
    }

    /// Stores events of any runs and what they mean, all or nothing; gives those that counted. One
    /// transaction, so that cancelling thousands of runs takes one write to disk.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn record_all(&self, events: &[(i64, &Event)]) -> Result<Vec<LiveEvent>, StoreError> {
        self.record_all_at(events, now()).await
    }

    async fn record_all_at(
        &self,
        events: &[(i64, &Event)],
        at: i64,
    ) -> Result<Vec<LiveEvent>, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut counted = Vec::new();
        for &(run_id, event) in events {
            counted.extend(record(&mut transaction, run_id, event, at).await?);
        }
        transaction.commit().await?;
        Ok(counted)
    }

    /// Up to `limit` events after `sequence`, of one experiment or run, or of all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn events_after(
        &self,
        sequence: i64,
        experiment_id: Option<i64>,
        run_id: Option<i64>,
        limit: i64,
    ) -> Result<Vec<LiveEvent>, StoreError> {
        // One transaction: the item of every event that is read is known.
        let mut transaction = self.pool.begin().await?;
        let items = items(&mut transaction).await?;
        // The first columns are a measurement's row.
        let rows = sqlx::query(
            "SELECT events.run_id, events.item_id, accuracy, clean_accuracy, cross_entropy, packed,
                 sequence, at, experiment_id, kind, payload,
                 CASE WHEN payload IS NULL AND events.item_id IS NULL
                     THEN (SELECT result_with_units FROM runs WHERE id = events.run_id) END AS result
             FROM events LEFT JOIN measurements USING (run_id, item_id) LEFT JOIN arrays USING (run_id, item_id)
             WHERE sequence > ?1 AND (?2 IS NULL OR experiment_id = ?2) AND (?3 IS NULL OR events.run_id = ?3)
             ORDER BY sequence LIMIT ?4",
        )
        .bind(sequence)
        .bind(experiment_id)
        .bind(run_id)
        .bind(limit)
        .fetch_all(&mut *transaction)
        .await?;
        rows.iter()
            .map(|row| {
                let payload: Option<&str> = row.try_get("payload")?;
                let result: Option<&str> = row.try_get("result")?;
                let event = match (payload, result) {
                    (Some(payload), _) => serde_json::from_str(payload)?,
                    (None, None) => Event::Measured(Row::new(row)?.read(&items)?.1),
                    (None, Some(result)) => match row.try_get("kind")? {
                        "trained" => Event::Trained(serde_json::from_str(result)?),
                        _ => Event::Finished(serde_json::from_str(result)?),
                    },
                };
                Ok(LiveEvent {
                    sequence: Some(row.try_get("sequence")?),
                    at: row.try_get("at")?,
                    experiment_id: row.try_get("experiment_id")?,
                    run_id: row.try_get("run_id")?,
                    event,
                })
            })
            .collect()
    }

    /// The newest sequence number; 0 in an empty store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn last_sequence(&self) -> Result<i64, StoreError> {
        Ok(
            sqlx::query_scalar("SELECT coalesce(max(sequence), 0) FROM events")
                .fetch_one(&self.pool)
                .await?,
        )
    }

    /// The newest 5000 lines of a run's log, oldest first.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn log(&self, run_id: i64) -> Result<Vec<LogLine>, StoreError> {
        self.run(run_id).await?;
        let rows = sqlx::query(
            "SELECT at, payload FROM
               (SELECT sequence, at, payload FROM events WHERE run_id = ? AND kind = 'log' ORDER BY sequence DESC LIMIT 5000)
             ORDER BY sequence",
        )
        .bind(run_id)
        .fetch_all(&self.pool)
        .await?;
        let mut lines = Vec::new();
        for row in &rows {
            if let Event::Log { level, message } = serde_json::from_str(row.try_get("payload")?)? {
                lines.push(LogLine {
                    at: row.try_get("at")?,
                    level,
                    message,
                });
            }
        }
        Ok(lines)
    }

    /// A run's epochs in order, those of `epochs` alone.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn run_metrics(
        &self,
        run_id: i64,
        epochs: RangeInclusive<u32>,
    ) -> Result<Vec<EpochMetrics>, StoreError> {
        self.run(run_id).await?;
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT metrics FROM epochs WHERE run_id = ? AND epoch BETWEEN ? AND ? ORDER BY epoch",
        )
        .bind(run_id)
        .bind(epochs.start())
        .bind(epochs.end())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|metrics| Ok(serde_json::from_str(metrics)?))
            .collect()
    }

    /// A quantity over the epochs of an experiment's runs that have any; and the step between the epochs given.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn curves(
        &self,
        experiment_id: i64,
        quantity: CurveQuantity,
    ) -> Result<(Vec<RunCurve>, u32), StoreError> {
        self.experiment(experiment_id).await?;
        let most: Option<u32> =
            sqlx::query_scalar("SELECT max(epochs_done) FROM runs WHERE experiment_id = ?")
                .bind(experiment_id)
                .fetch_one(&self.pool)
                .await?;
        let every = most.unwrap_or(0).div_ceil(MOST_EPOCHS).max(1);
        let rows = sqlx::query(
            "SELECT runs.id AS id, runs.alpha AS alpha, runs.seed AS seed, epochs.epoch AS epoch,
                 epochs.metrics ->> ? AS value
             FROM runs JOIN epochs ON epochs.run_id = runs.id
             WHERE runs.experiment_id = ? AND epochs.epoch % ? = 0
             ORDER BY runs.id, epochs.epoch",
        )
        .bind(quantity.id())
        .bind(experiment_id)
        .bind(every)
        .fetch_all(&self.pool)
        .await?;
        let mut curves: Vec<RunCurve> = Vec::new();
        for row in &rows {
            let run_id: i64 = row.try_get("id")?;
            if curves.last().is_none_or(|last| last.run_id != run_id) {
                curves.push(RunCurve {
                    run_id,
                    alpha: row.try_get("alpha")?,
                    seed: row.try_get("seed")?,
                    epochs: Vec::new(),
                    values: Vec::new(),
                });
            }
            if let Some(curve) = curves.last_mut() {
                curve.epochs.push(row.try_get("epoch")?);
                curve.values.push(row.try_get("value")?);
            }
        }
        Ok((curves, every))
    }

    /// The epochs of every run of an experiment, those of `epochs` alone.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn experiment_metrics(
        &self,
        experiment_id: i64,
        epochs: RangeInclusive<u32>,
    ) -> Result<Vec<RunMetrics>, StoreError> {
        self.experiment(experiment_id).await?;
        let rows = sqlx::query(
            "SELECT runs.id AS id, runs.spec AS spec, epochs.metrics AS metrics
             FROM runs LEFT JOIN epochs ON epochs.run_id = runs.id AND epochs.epoch BETWEEN ? AND ?
             WHERE runs.experiment_id = ? ORDER BY runs.id, epochs.epoch",
        )
        .bind(epochs.start())
        .bind(epochs.end())
        .bind(experiment_id)
        .fetch_all(&self.pool)
        .await?;
        let mut metrics: Vec<RunMetrics> = Vec::new();
        for row in &rows {
            let run_id: i64 = row.try_get("id")?;
            if metrics.last().is_none_or(|last| last.run_id != run_id) {
                let spec: RunSpec = serde_json::from_str(row.try_get("spec")?)?;
                metrics.push(RunMetrics {
                    run_id,
                    alpha: spec.alpha,
                    seed: spec.seed,
                    epochs: Vec::new(),
                });
            }
            if let (Some(epoch), Some(last)) = (
                row.try_get::<Option<&str>, _>("metrics")?,
                metrics.last_mut(),
            ) {
                last.epochs.push(serde_json::from_str(epoch)?);
            }
        }
        Ok(metrics)
    }
}

/// Stores one event within a transaction; `None` when it comes too late to count.
pub(super) async fn record(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    run_id: i64,
    event: &Event,
    at: i64,
) -> Result<Option<LiveEvent>, StoreError> {
    let experiment_id: i64 = sqlx::query_scalar("SELECT experiment_id FROM runs WHERE id = ?")
        .bind(run_id)
        .fetch_optional(&mut **transaction)
        .await?
        .ok_or(StoreError::NoRun(run_id))?;
    record_in(transaction, experiment_id, run_id, event, at).await
}

/// The same for a run whose experiment is known.
pub(super) async fn record_in(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    experiment_id: i64,
    run_id: i64,
    event: &Event,
    at: i64,
) -> Result<Option<LiveEvent>, StoreError> {
    let Some(payload) = runs::apply(transaction, run_id, event, at).await? else {
        return Ok(None);
    };
    let new = NewEvent {
        sequence: None,
        run_id,
        experiment_id,
        at,
        kind: event.kind(),
        payload,
    };
    let sequence = insert_events(transaction, &[new]).await?;
    Ok(Some(LiveEvent {
        sequence: Some(sequence),
        at,
        experiment_id,
        run_id,
        event: event.clone(),
    }))
}
