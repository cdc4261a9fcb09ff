//! Submissions: runs that were handed over to a place with a queue of its own.

use protocol::ExecutorKind;
use protocol::executor::ExecutorSpec;
use sqlx::Row;

use super::scope::within;
use super::{Scope, Store, StoreError};
use crate::clock::now;

/// A submission as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Number in the store.
    pub id: i64,
    /// The experiment of its runs.
    pub experiment_id: i64,
    /// Its key, part of the names of its jobs: 16 hex digits.
    pub key: String,
    /// The place's number for it; `None` until it has given one.
    pub job: Option<u64>,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub submitted_at: i64,
    /// Its runs that are queued or running, by their places in it.
    pub runs: Vec<(u32, i64)>,
}

impl Store {
    /// Experiments of which runs wait to be handed over to places of one kind, with those runs in the order in which they were
    /// queued.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unsubmitted(
        &self,
        kind: ExecutorKind,
        scope: Scope,
    ) -> Result<Vec<(i64, Vec<i64>)>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT id, experiment_id FROM runs
             WHERE state = 'queued' AND submission_id IS NULL AND {}
                 AND experiment_id IN (SELECT id FROM experiments WHERE executor = ?)
             ORDER BY experiment_id, queued_at, id",
            within(scope)
        )))
        .bind(kind.id())
        .fetch_all(&self.pool)
        .await?;
        let mut waiting: Vec<(i64, Vec<i64>)> = Vec::new();
        for row in &rows {
            let experiment: i64 = row.try_get("experiment_id")?;
            let run: i64 = row.try_get("id")?;
            match waiting.last_mut() {
                Some((last, runs)) if *last == experiment => runs.push(run),
                _ => waiting.push((experiment, vec![run])),
            }
        }
        Ok(waiting)
    }

    /// Puts queued runs into a submission, in this order; each gets its next attempt. All or nothing.
    ///
    /// # Errors
    /// When a run no longer waits, or the store fails; nothing has changed then.
    pub async fn submit(&self, experiment_id: i64, runs: &[i64]) -> Result<Submission, StoreError> {
        let submitted_at = now();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let (id, key): (i64, String) = sqlx::query_as(
            "INSERT INTO submissions (experiment_id, key, submitted_at) VALUES (?, lower(hex(randomblob(8))), ?)
             RETURNING id, key",
        )
        .bind(experiment_id)
        .bind(submitted_at)
        .fetch_one(&mut *transaction)
        .await?;
        let mut places = Vec::with_capacity(runs.len());
        for (task, &run) in (0_u32..).zip(runs) {
            let changed = sqlx::query(
                "UPDATE runs SET submission_id = ?, task = ?, attempt = attempt + 1, events_offset = 0
                 WHERE id = ? AND state = 'queued' AND submission_id IS NULL",
            )
            .bind(id)
            .bind(task)
            .bind(run)
            .execute(&mut *transaction)
            .await?;
            if changed.rows_affected() == 0 {
                return Err(StoreError::NotWaiting(run));
            }
            places.push((task, run));
        }
        transaction.commit().await?;
        Ok(Submission {
            id,
            experiment_id,
            key,
            job: None,
            submitted_at,
            runs: places,
        })
    }

    /// The place has given a submission its number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn placed(&self, submission: i64, job: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE submissions SET job = ? WHERE id = ?")
            .bind(i64::try_from(job).unwrap_or(i64::MAX))
            .bind(submission)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A submission never reached its place: its runs wait again.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn withdraw(&self, submission: i64) -> Result<(), StoreError> {
        // Its runs' references go with it (ON DELETE SET NULL).
        sqlx::query("DELETE FROM submissions WHERE id = ?")
            .bind(submission)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Submissions of places of one kind that have no number yet: the server was stopped while it made them, or the place gave
    /// an error.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unplaced(&self, kind: ExecutorKind) -> Result<Vec<Submission>, StoreError> {
        self.submissions_where(
            "job IS NULL AND experiment_id IN (SELECT id FROM experiments WHERE executor = ?)",
            kind.id(),
        )
        .await
    }

    /// The submissions of an experiment, newest first.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn submissions(&self, experiment_id: i64) -> Result<Vec<Submission>, StoreError> {
        self.must_exist(experiment_id).await?;
        self.submissions_where("experiment_id = ?", experiment_id)
            .await
    }

    async fn submissions_where<'a, T>(
        &self,
        condition: &'static str,
        value: T,
    ) -> Result<Vec<Submission>, StoreError>
    where
        T: sqlx::Encode<'a, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + 'a,
    {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT id, experiment_id, key, job, submitted_at FROM submissions WHERE {condition} ORDER BY id DESC"
        )))
        .bind(value)
        .fetch_all(&self.pool)
        .await?;
        let mut submissions = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: i64 = row.try_get("id")?;
            let runs = sqlx::query(
                "SELECT task, id FROM runs WHERE submission_id = ? AND state IN ('queued', 'running') ORDER BY task",
            )
            .bind(id)
            .fetch_all(&self.pool)
            .await?;
            let runs = runs
                .iter()
                .map(|run| Ok((run.try_get("task")?, run.try_get("id")?)))
                .collect::<Result<_, StoreError>>()?;
            submissions.push(Submission {
                id,
                experiment_id: row.try_get("experiment_id")?,
                key: row.try_get("key")?,
                job: row.try_get("job")?,
                submitted_at: row.try_get("submitted_at")?,
                runs,
            });
        }
        Ok(submissions)
    }

    /// Active runs that were handed over, which a starting server must look after.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn handed_over(&self, scope: Scope) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT id FROM runs WHERE state IN ('queued', 'running')
                 AND submission_id IN (SELECT id FROM submissions WHERE job IS NOT NULL) AND {} ORDER BY id",
            within(scope)
        )))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Which job of which submission a run is: the place's number, the submission's key, the job's place in it. `None` when it
    /// is in none, or that has no number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn task(&self, run_id: i64) -> Result<Option<(u64, String, u32)>, StoreError> {
        let row = sqlx::query(
            "SELECT job, submissions.key AS key, task FROM runs JOIN submissions ON submissions.id = submission_id
             WHERE runs.id = ? AND job IS NOT NULL",
        )
        .bind(run_id)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let job = row.try_get("job")?;
            Ok((job, row.try_get("key")?, row.try_get("task")?))
        })
        .transpose()
    }

    /// Where an experiment's runs compute.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn executor_of(&self, experiment_id: i64) -> Result<ExecutorSpec, StoreError> {
        let spec: Option<String> = sqlx::query_scalar("SELECT spec FROM experiments WHERE id = ?")
            .bind(experiment_id)
            .fetch_optional(&self.pool)
            .await?;
        let spec = spec.ok_or(StoreError::NoExperiment(experiment_id))?;
        let spec: protocol::ExperimentSpec = serde_json::from_str(&spec)?;
        Ok(spec.executor)
    }

    /// Runs of places of one kind: how many are queued, and how many are running.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(&self, kind: ExecutorKind) -> Result<(u32, u32), StoreError> {
        let row = sqlx::query(
            "SELECT count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'running') AS running
             FROM runs WHERE state IN ('queued', 'running')
                 AND experiment_id IN (SELECT id FROM experiments WHERE executor = ?)",
        )
        .bind(kind.id())
        .fetch_one(&self.pool)
        .await?;
        Ok((row.try_get("queued")?, row.try_get("running")?))
    }
}
