//! Runs: how they are read, and every change of their state.

use std::collections::BTreeMap;

use protocol::api::RunPage;
use protocol::event::Started;
use protocol::{EpochMetrics, Event, Run, RunResult, RunState};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::annotations::TAGS_OF_RUN;
use super::deletions::RUN_IS_KEPT;
use super::event_rows::Payload;
use super::scope::within;
use super::{Scope, Store, StoreError, measurements};
use crate::clock::now;

/// The runs that compute on this machine, as a condition on `runs`.
const ON_THIS_MACHINE: &str =
    "experiment_id IN (SELECT id FROM experiments WHERE executor = 'local' AND deleted_at IS NULL)";

pub(super) const COLUMNS: &str = "id, experiment_id, spec, state, reason, queued_at, started_at, ended_at, started, epochs_done, later_evaluations, notes,
    (SELECT metrics FROM epochs WHERE run_id = runs.id ORDER BY epoch DESC LIMIT 1) AS latest_epoch";

/// Which runs are asked for.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Only this experiment's.
    pub experiment: Option<i64>,
    /// Only runs in this state.
    pub state: Option<RunState>,
    /// Only runs of this regulariser strength.
    pub alpha: Option<f64>,
    /// Only runs of this seed.
    pub seed: Option<u64>,
    /// Page, from 1.
    pub page: u32,
    /// Runs a page.
    pub page_size: u32,
}

impl Store {
    /// One run, its result with every unit.
    ///
    /// # Errors
    /// When there is none of this number.
    pub async fn run(&self, id: i64) -> Result<Run, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, {TAGS_OF_RUN}, result_with_units AS result FROM runs WHERE id = ? AND {RUN_IS_KEPT}"
        )))
        .bind(id)
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NoRun(id))?;
        read_run(&row)
    }

    /// The runs of an experiment in the order in which they were queued, results without units.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn runs(&self, experiment_id: i64) -> Result<Vec<Run>, StoreError> {
        self.runs_with(experiment_id, "result", "experiment_id = ?")
            .await
    }

    /// The trained runs of an experiment, results with every unit.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn trained_runs_with_units(
        &self,
        experiment_id: i64,
    ) -> Result<Vec<Run>, StoreError> {
        let result = "result_with_units AS result";
        let trained = "experiment_id = ? AND result IS NOT NULL";
        self.runs_with(experiment_id, result, trained).await
    }

    /// The runs for which `condition` on an experiment holds, with the column `result`.
    async fn runs_with(
        &self,
        experiment_id: i64,
        result: &str,
        condition: &str,
    ) -> Result<Vec<Run>, StoreError> {
        self.must_exist(experiment_id).await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, {TAGS_OF_RUN}, {result} FROM runs
             WHERE {condition} ORDER BY id"
        )))
        .bind(experiment_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_run).collect()
    }

    /// A page of runs, newest first, results without units.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run_page(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        const MATCH: &str = "(?1 IS NULL OR experiment_id = ?1) AND (?2 IS NULL OR state = ?2)
             AND (?3 IS NULL OR alpha = ?3) AND (?4 IS NULL OR seed = ?4)";
        let state = query.state.map(RunState::id);
        // At most 2^53 - 1, checked with the spec: a larger one is no run's.
        let seed = query.seed.map(|seed| i64::try_from(seed).unwrap_or(-1));
        let total = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM runs WHERE {MATCH} AND {RUN_IS_KEPT}"
        )))
        .bind(query.experiment)
        .bind(state)
        .bind(query.alpha)
        .bind(seed)
        .fetch_one(&self.pool)
        .await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, {TAGS_OF_RUN}, result FROM runs WHERE {MATCH} AND {RUN_IS_KEPT} ORDER BY id DESC LIMIT ?5 OFFSET ?6"
        )))
        .bind(query.experiment)
        .bind(state)
        .bind(query.alpha)
        .bind(seed)
        .bind(query.page_size)
        .bind(i64::from(query.page.max(1) - 1) * i64::from(query.page_size))
        .fetch_all(&self.pool)
        .await?;
        Ok(RunPage {
            runs: rows.iter().map(read_run).collect::<Result<_, _>>()?,
            total,
        })
    }

    /// Deletes a run with all that it measured; its files are the caller's to remove. Gives its experiment.
    ///
    /// # Errors
    /// When there is none, or it is queued or running.
    pub async fn delete_run(&self, id: i64) -> Result<i64, StoreError> {
        let experiment = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "DELETE FROM runs WHERE id = ? AND state NOT IN ('queued', 'running') AND {RUN_IS_KEPT}
             RETURNING experiment_id"
        )))
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        if let Some(experiment) = experiment {
            return Ok(experiment);
        }
        self.experiment_of(id).await?;
        Err(StoreError::RunActive(id))
    }

    /// The experiment that a run belongs to.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn experiment_of(&self, run_id: i64) -> Result<i64, StoreError> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT experiment_id FROM runs WHERE id = ? AND {RUN_IS_KEPT}"
        )))
        .bind(run_id)
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NoRun(run_id))
    }

    /// Whether there is a run of this number; also one whose experiment is deleted, as long as that can be undone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn holds_run(&self, run_id: i64) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?)");
        Ok(found.bind(run_id).fetch_one(&self.pool).await?)
    }

    /// A run's key, unique among the runs of all stores: 32 hex digits.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn run_key(&self, run_id: i64) -> Result<String, StoreError> {
        sqlx::query_scalar("SELECT key FROM runs WHERE id = ?")
            .bind(run_id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(StoreError::NoRun(run_id))
    }

    /// Checks that there is an experiment of this number.
    ///
    /// # Errors
    /// When there is none.
    pub async fn must_exist(&self, experiment_id: i64) -> Result<(), StoreError> {
        must_exist(&self.pool, experiment_id).await
    }

    /// Runs of this machine in `state`, by device: for the scheduler and the devices page.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_by_device(
        &self,
        state: RunState,
        scope: Scope,
    ) -> Result<Vec<(String, u32)>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT device, count(*) AS count FROM runs WHERE state = ? AND {ON_THIS_MACHINE} AND {} GROUP BY device",
            within(scope)
        )))
        .bind(state.id())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("device")?, row.try_get("count")?)))
            .collect()
    }

    /// The number of the oldest queued run of `device` on this machine, marked as running now; `None` when none waits.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn take_queued(&self, device: &str, scope: Scope) -> Result<Option<i64>, StoreError> {
        // A transaction: alone, the statement gives its row before it is on disk, and a full disk would go unnoticed.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let taken = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "UPDATE runs SET state = 'running', started_at = ?, ended_at = NULL, reason = NULL,
                 attempt = attempt + 1, events_offset = 0
             WHERE id = (SELECT id FROM runs WHERE state = 'queued' AND device = ? AND {ON_THIS_MACHINE} AND {}
                 ORDER BY queued_at, id LIMIT 1)
             RETURNING id",
            within(scope)
        )))
        .bind(now())
        .bind(device)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(taken)
    }

    /// Puts a run that was taken but never began at the end of the queue.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn return_to_queue(&self, run_id: i64) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE runs SET state = 'queued', queued_at = ? WHERE id = ? AND state = 'running'",
        )
        .bind(now())
        .bind(run_id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Puts a running run whose worker was lost back into the queue, in its old place, unless that was done as often as its
    /// experiment says; gives how often by now.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn try_again(&self, run_id: i64, retries: u32) -> Result<Option<u32>, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let retried = sqlx::query_scalar(
            "UPDATE runs SET state = 'queued', retried = retried + 1, submission_id = NULL
             WHERE id = ? AND (state = 'running' OR state = 'queued' AND submission_id IS NOT NULL) AND retried < ?
             RETURNING retried",
        )
        .bind(run_id)
        .bind(retries)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(retried)
    }

    /// Puts the resumable runs among `ids` back into the queue; gives those that were, by experiment.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn requeue(&self, ids: &[i64]) -> Result<BTreeMap<i64, Vec<i64>>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let mut requeued = BTreeMap::<i64, Vec<i64>>::new();
        for &id in ids {
            let experiment: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                "UPDATE runs SET state = 'queued', queued_at = ?, ended_at = NULL, reason = NULL, retried = 0,
                     submission_id = NULL
                 WHERE id = ? AND state IN ('interrupted', 'cancelled', 'failed') AND {RUN_IS_KEPT}
                 RETURNING experiment_id"
            )))
            .bind(now())
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await?;
            if let Some(experiment) = experiment {
                requeued.entry(experiment).or_default().push(id);
            }
        }
        transaction.commit().await?;
        Ok(requeued)
    }

    /// Numbers of the runs in `state` that a scheduler looks after.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run_ids_within(
        &self,
        state: RunState,
        scope: Scope,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT id FROM runs WHERE state = ? AND {} ORDER BY id",
            within(scope)
        )))
        .bind(state.id())
        .fetch_all(&self.pool)
        .await?)
    }

    /// Numbers of the runs in `state`, of one experiment or of all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run_ids(
        &self,
        state: RunState,
        experiment_id: Option<i64>,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM runs WHERE state = ?1 AND (?2 IS NULL OR experiment_id = ?2) ORDER BY id",
        )
        .bind(state.id())
        .bind(experiment_id)
        .fetch_all(&self.pool)
        .await?)
    }
}

/// Checks that there is an experiment of this number.
pub(super) async fn must_exist(
    store: impl sqlx::SqliteExecutor<'_>,
    experiment_id: i64,
) -> Result<(), StoreError> {
    sqlx::query_scalar::<_, i64>("SELECT id FROM experiments WHERE id = ? AND deleted_at IS NULL")
        .bind(experiment_id)
        .fetch_optional(store)
        .await?
        .map(|_| ())
        .ok_or(StoreError::NoExperiment(experiment_id))
}

/// Applies an event to its run, within the transaction that stores the event, and says where its payload is
/// stored. `None` when the event comes too late: the run is no longer in a state that it could come from.
pub(super) async fn apply(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    run_id: i64,
    event: &Event,
    at: i64,
) -> Result<Option<Payload>, StoreError> {
    let text = || Ok::<_, StoreError>(Payload::Text(serde_json::to_string(event)?));
    match event {
        Event::Started(started) => {
            apply_started(transaction, run_id, started, at).await?;
            Ok(Some(text()?))
        }
        Event::Epoch(metrics) => {
            let is_new = apply_epoch(transaction, run_id, metrics).await?;
            is_new.then(text).transpose()
        }
        Event::Log { .. } | Event::Progress(_) | Event::Job(_) => Ok(Some(text()?)),
        Event::Trained(result) => {
            // A run that only evaluates reports its result again; it is kept as first measured, and published once.
            let changed = sqlx::query(
                "UPDATE runs SET result = ?, result_with_units = ? WHERE id = ? AND result IS NULL",
            )
            .bind(serde_json::to_string(&result.without_units())?)
            .bind(serde_json::to_string(result)?)
            .bind(run_id)
            .execute(&mut **transaction)
            .await?;
            Ok((changed.rows_affected() > 0).then_some(Payload::Result))
        }
        Event::Measured(measurement) => {
            let item = measurements::insert(transaction, run_id, at, measurement).await?;
            Ok(item.map(Payload::Measurement))
        }
        Event::Finished(result) => match apply_finished(transaction, run_id, result, at).await? {
            Some(stored) if stored == serde_json::to_string(result)? => Ok(Some(Payload::Result)),
            Some(_) => Ok(Some(text()?)),
            None => Ok(None),
        },
        Event::Diverged { .. }
        | Event::Failed { .. }
        | Event::Cancelled
        | Event::Interrupted { .. } => {
            let is_new = apply_end(transaction, run_id, event, at).await?;
            is_new.then(text).transpose()
        }
    }
}

/// The state in which an event ends its run, and why; `None` for an event after which the run goes on.
pub fn end_of(event: &Event) -> Option<(RunState, Option<String>)> {
    match event {
        Event::Progress(_)
        | Event::Job(_)
        | Event::Started(_)
        | Event::Epoch(_)
        | Event::Trained(_)
        | Event::Measured(_)
        | Event::Log { .. } => None,
        Event::Finished(_) => Some((RunState::Finished, None)),
        Event::Diverged { epoch, step, what } => {
            let reason = format!("at epoch {epoch}, step {step}: {what}");
            Some((RunState::Diverged, Some(reason)))
        }
        Event::Failed { message } => Some((RunState::Failed, Some(message.clone()))),
        Event::Cancelled => Some((RunState::Cancelled, None)),
        Event::Interrupted { message } => Some((RunState::Interrupted, Some(message.clone()))),
    }
}

/// Whether the run was still active, and has ended now.
async fn apply_end(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    run_id: i64,
    event: &Event,
    at: i64,
) -> Result<bool, StoreError> {
    let (state, reason) = end_of(event).unzip();
    let changed = sqlx::query(
        // The clock may have been set back between two starts of the server.
        "UPDATE runs SET state = ?1, reason = ?2, ended_at = max(?3, coalesce(started_at, ?3))
         WHERE id = ?4 AND state IN ('queued', 'running')",
    )
    .bind(state.map(RunState::id))
    .bind(reason.flatten())
    .bind(at)
    .bind(run_id)
    .execute(&mut **transaction)
    .await?;
    Ok(changed.rows_affected() > 0)
}

async fn apply_started(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    run_id: i64,
    started: &Started,
    at: i64,
) -> Result<(), StoreError> {
    // In a place with a queue of its own, a run is queued until its worker begins.
    sqlx::query(
        "UPDATE runs SET state = 'running', started_at = ?, ended_at = NULL, reason = NULL
         WHERE id = ? AND state = 'queued' AND submission_id IS NOT NULL",
    )
    .bind(at)
    .bind(run_id)
    .execute(&mut **transaction)
    .await?;
    sqlx::query("UPDATE runs SET started = ? WHERE id = ?")
        .bind(serde_json::to_string(started)?)
        .bind(run_id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Whether the epoch is new: a resumed run reports earlier epochs again; they are kept as first measured, and published once.
async fn apply_epoch(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    run_id: i64,
    metrics: &EpochMetrics,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO epochs (run_id, epoch, metrics) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(run_id)
    .bind(metrics.epoch)
    .bind(serde_json::to_string(metrics)?)
    .execute(&mut **transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE runs SET epochs_done = max(epochs_done, ?) WHERE id = ?")
        .bind(metrics.epoch)
        .bind(run_id)
        .execute(&mut **transaction)
        .await?;
    Ok(true)
}

/// The result as it is stored; `None` where the run is no longer running.
async fn apply_finished(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    run_id: i64,
    result: &RunResult,
    at: i64,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "UPDATE runs SET state = 'finished', reason = NULL, ended_at = max(?1, coalesce(started_at, ?1)),
             result = coalesce(result, ?2), result_with_units = coalesce(result_with_units, ?3)
         WHERE id = ?4 AND state = 'running' RETURNING result_with_units",
    )
    .bind(at)
    .bind(serde_json::to_string(&result.without_units())?)
    .bind(serde_json::to_string(result)?)
    .bind(run_id)
    .fetch_optional(&mut **transaction)
    .await?)
}

pub(super) fn read_run(row: &SqliteRow) -> Result<Run, StoreError> {
    fn json<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, StoreError> {
        Ok(text.map(serde_json::from_str).transpose()?)
    }
    let state: &str = row.try_get("state")?;
    Ok(Run {
        id: row.try_get("id")?,
        experiment_id: row.try_get("experiment_id")?,
        spec: serde_json::from_str(row.try_get("spec")?)?,
        // The table's CHECK admits no other.
        state: RunState::from_id(state).unwrap_or(RunState::Failed),
        reason: row.try_get("reason")?,
        queued_at: row.try_get("queued_at")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        started: json(row.try_get("started")?)?,
        epochs_done: row.try_get("epochs_done")?,
        latest_epoch: json(row.try_get("latest_epoch")?)?,
        progress: None,
        job: None,
        later_evaluations: serde_json::from_str(row.try_get("later_evaluations")?)?,
        tags: serde_json::from_str(row.try_get("tags")?)?,
        notes: row.try_get("notes")?,
        result: json(row.try_get("result")?)?,
    })
}
