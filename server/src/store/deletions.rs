//! Deleted experiments. Each is hidden at once, and can be brought back until it is purged.

use sqlx::Row;

use super::{Store, StoreError};
use crate::clock::now;

/// The runs of experiments that are not deleted, as a condition on `runs`.
pub(super) const RUN_IS_KEPT: &str =
    "experiment_id NOT IN (SELECT id FROM experiments WHERE deleted_at IS NOT NULL)";

/// An experiment that is gone for good. Its files are the caller's to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// Its number.
    pub experiment: i64,
    /// The numbers of its runs.
    pub runs: Vec<i64>,
}

impl Store {
    /// Hides an experiment with its runs, until it is [restored](Store::undelete) or [purged](Store::purge). Gives the
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
        // Its key is free again: the same launch, repeated, is a new experiment.
        let deleted = sqlx::query(
            "UPDATE experiments SET deleted_at = ?, launch_key = NULL WHERE id = ? AND deleted_at IS NULL",
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
        let restored = sqlx::query(
            "UPDATE experiments SET deleted_at = NULL WHERE id = ? AND deleted_at IS NOT NULL",
        )
        .bind(id)
        .execute(&self.pool)
        .await?;
        if restored.rows_affected() == 0 {
            return Err(StoreError::NotDeleted(id));
        }
        let runs = sqlx::query_scalar("SELECT id FROM runs WHERE experiment_id = ? ORDER BY id");
        Ok(runs.bind(id).fetch_all(&self.pool).await?)
    }

    /// Removes for good what was deleted at `before` or earlier, in milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn purge(&self, before: i64) -> Result<Vec<Purged>, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let rows = sqlx::query(
            "SELECT experiments.id AS experiment, runs.id AS run
             FROM experiments LEFT JOIN runs ON runs.experiment_id = experiments.id
             WHERE deleted_at <= ? ORDER BY experiments.id, runs.id",
        )
        .bind(before)
        .fetch_all(&mut *transaction)
        .await?;
        let mut purged: Vec<Purged> = Vec::new();
        for row in &rows {
            let experiment: i64 = row.try_get("experiment")?;
            if purged
                .last()
                .is_none_or(|last| last.experiment != experiment)
            {
                purged.push(Purged {
                    experiment,
                    runs: Vec::new(),
                });
            }
            let run: Option<i64> = row.try_get("run")?;
            if let Some(last) = purged.last_mut() {
                last.runs.extend(run);
            }
        }
        for Purged { experiment, .. } in &purged {
            sqlx::query("DELETE FROM experiments WHERE id = ?")
                .bind(experiment)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(purged)
    }
}
