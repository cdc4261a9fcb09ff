//! Reading runs of many experiments at once.

use protocol::Run;
use protocol::comparison::ExperimentLabel;
use sqlx::Row;

use super::annotations::{TAGS_OF_EXPERIMENT, TAGS_OF_RUN};
use super::deletions::RUN_IS_KEPT;
use super::runs::{COLUMNS, read_run};
use super::{Store, StoreError};

impl Store {
    /// All runs of `experiments` and the given `runs`, each once, in order of number, results without units; with
    /// the labels of their experiments, in order of number.
    ///
    /// # Errors
    /// When there is no such experiment or run.
    pub async fn chosen_runs(
        &self,
        experiments: &[i64],
        runs: &[i64],
    ) -> Result<(Vec<ExperimentLabel>, Vec<Run>), StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, {TAGS_OF_RUN}, result FROM runs
             WHERE (experiment_id IN (SELECT value FROM json_each(?1)) OR id IN (SELECT value FROM json_each(?2)))
                 AND {RUN_IS_KEPT}
             ORDER BY id"
        )))
        .bind(serde_json::to_string(experiments)?)
        .bind(serde_json::to_string(runs)?)
        .fetch_all(&self.pool)
        .await?;
        let chosen: Vec<Run> = rows.iter().map(read_run).collect::<Result<_, _>>()?;
        for &id in runs {
            if chosen.binary_search_by_key(&id, |run| run.id).is_err() {
                return Err(StoreError::NoRun(id));
            }
        }
        let mut numbers: Vec<i64> = experiments.to_vec();
        numbers.extend(chosen.iter().map(|run| run.experiment_id));
        numbers.sort_unstable();
        numbers.dedup();
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT id, name, {TAGS_OF_EXPERIMENT} FROM experiments
             WHERE id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL ORDER BY id"
        )))
        .bind(serde_json::to_string(&numbers)?)
        .fetch_all(&self.pool)
        .await?;
        let labels = rows.iter().map(|row| {
            Ok(ExperimentLabel {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                tags: serde_json::from_str(row.try_get("tags")?)?,
            })
        });
        let labels: Vec<ExperimentLabel> = labels.collect::<Result<_, StoreError>>()?;
        for id in numbers {
            if !labels.iter().any(|label| label.id == id) {
                return Err(StoreError::NoExperiment(id));
            }
        }
        Ok((labels, chosen))
    }
}
