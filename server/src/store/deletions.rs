//! Deleted experiments. Each is hidden at once, and can be brought back until it is purged.

use super::{Store, StoreError};
use crate::clock::now;

/// The runs of experiments that are not deleted, as a condition on `runs`.
pub(super) const RUN_IS_KEPT: &str =
    "experiment_id NOT IN (SELECT id FROM experiments WHERE deleted_at IS NOT NULL)";

/// An experiment that is about to be gone for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// Its number.
    pub experiment: i64,
    /// The numbers of its runs.
    pub runs: Vec<i64>,
}

impl Store {
    /// Hides an experiment with its runs, until it is [restored](Store::undelete) or [gone for good](Store::doom). Gives the
    /// numbers of its runs.
    ///
    /// # Errors
    /// When there is no such experiment, or runs of it are queued or running.
    pub async fn delete_experiment(&self, id: i64) -> Result<Vec<i64>, StoreError> {
        // Immediate: a transaction that reads first cannot write once another has written meanwhile.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let active: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM runs WHERE experiment_id = ? AND state IN ('queued', 'running')",
        )
        .bind(id)
        .fetch_one(&mut *transaction)
        .await?;
        if active > 0 {
            return Err(StoreError::Active {
                experiment: id,
                active,
            });
        }
        let deleted = sqlx::query(
            "UPDATE experiments SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL",
        )
        .bind(now())
        .bind(id)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        if deleted == 0 {
            return Err(StoreError::NoExperiment(id));
        }
        let runs = sqlx::query_scalar("SELECT id FROM runs WHERE experiment_id = ? ORDER BY id")
            .bind(id)
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(runs)
    }

    /// Brings a deleted experiment back with everything that it had. Gives the numbers of its runs.
    ///
    /// # Errors
    /// When no experiment of this number is deleted, or it is gone for good.
    pub async fn undelete(&self, id: i64) -> Result<Vec<i64>, StoreError> {
        let restored =
            sqlx::query("UPDATE experiments SET deleted_at = NULL WHERE id = ? AND deleted_at > 0")
                .bind(id)
                .execute(&self.pool)
                .await?;
        if restored.rows_affected() == 0 {
            return Err(StoreError::NotDeleted(id));
        }
        let runs = sqlx::query_scalar("SELECT id FROM runs WHERE experiment_id = ? ORDER BY id");
        Ok(runs.bind(id).fetch_all(&self.pool).await?)
    }

    /// What was deleted at `before` or earlier, in milliseconds since 1970-01-01 UTC. It can no longer be brought back:
    /// whoever asks removes its files, then [forgets](Store::forget) it, and repeats that after a crash.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn doom(&self, before: i64) -> Result<Vec<Doomed>, StoreError> {
        let doomed = "UPDATE experiments SET deleted_at = 0 WHERE deleted_at <= ? RETURNING id";
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let ids = sqlx::query_scalar(doomed)
            .bind(before)
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.with_runs(ids).await
    }

    /// As [`doom`](Store::doom), the deleted experiments that have runs of these keys.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn doom_keys(&self, keys: &[&str]) -> Result<Vec<Doomed>, StoreError> {
        let doomed = "UPDATE experiments SET deleted_at = 0 WHERE deleted_at IS NOT NULL
             AND id IN (SELECT experiment_id FROM runs WHERE key IN (SELECT value FROM json_each(?)))
             RETURNING id";
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let ids = sqlx::query_scalar(doomed)
            .bind(serde_json::to_string(keys)?)
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.with_runs(ids).await
    }

    async fn with_runs(&self, ids: Vec<i64>) -> Result<Vec<Doomed>, StoreError> {
        let mut doomed = Vec::new();
        for experiment in ids {
            let runs = sqlx::query_scalar("SELECT id FROM runs WHERE experiment_id = ?");
            let runs = runs.bind(experiment).fetch_all(&self.pool).await?;
            doomed.push(Doomed { experiment, runs });
        }
        Ok(doomed)
    }

    /// Removes a doomed experiment with its runs and all that they measured.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn forget(&self, experiment: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM experiments WHERE id = ? AND deleted_at = 0")
            .bind(experiment)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
