//! What evaluations measured, and asking for more of them.

use protocol::{EvaluationSpec, Measurement};
use sqlx::Row;

use super::{Store, StoreError};
use crate::clock::now;

impl Store {
    /// What was measured on a run, in order of key.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn measurements(&self, run_id: i64) -> Result<Vec<Measurement>, StoreError> {
        self.experiment_of(run_id).await?;
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT measurement FROM measurements WHERE run_id = ? ORDER BY key",
        )
        .bind(run_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok(serde_json::from_str(row)?))
            .collect()
    }

    /// What was measured on every run of an experiment, with the run's number, in order of run and key.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn experiment_measurements(
        &self,
        experiment_id: i64,
    ) -> Result<Vec<(i64, Measurement)>, StoreError> {
        let rows = sqlx::query(
            "SELECT run_id, measurement FROM measurements
             WHERE run_id IN (SELECT id FROM runs WHERE experiment_id = ?) ORDER BY run_id, key",
        )
        .bind(experiment_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.try_get("run_id")?,
                    serde_json::from_str(row.try_get("measurement")?)?,
                ))
            })
            .collect()
    }

    /// Asks for an evaluation of a trained run that is not at work, and queues it.
    ///
    /// # Errors
    /// When there is no such run, or it is queued, running, or not trained; nothing has changed then.
    pub async fn evaluate_again(
        &self,
        run_id: i64,
        spec: &EvaluationSpec,
    ) -> Result<(), StoreError> {
        self.experiment_of(run_id).await?;
        let changed = sqlx::query(
            "UPDATE runs SET state = 'queued', queued_at = ?, ended_at = NULL, reason = NULL,
                 later_evaluations = json_insert(later_evaluations, '$[#]', json(?))
             WHERE id = ? AND result IS NOT NULL AND state NOT IN ('queued', 'running', 'diverged')",
        )
        .bind(now())
        .bind(serde_json::to_string(spec)?)
        .bind(run_id)
        .execute(&self.pool)
        .await?;
        match changed.rows_affected() {
            0 => Err(StoreError::NotEvaluable(run_id)),
            _ => Ok(()),
        }
    }
}
