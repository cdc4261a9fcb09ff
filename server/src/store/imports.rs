//! Imported weights: a run that is there with its file, or not at all.

use protocol::{ExperimentSpec, RunSpec, RunState};
use sqlx::SqliteTransaction;

use super::experiments::{insert_experiment, insert_run};
use super::runs::must_exist;
use super::{Store, StoreError};
use crate::clock::now;

/// What an imported run belongs to.
#[derive(Debug, Clone, Copy)]
pub enum ImportTarget<'a> {
    /// An experiment that is there, by its number.
    Experiment(i64),
    /// A new one, without other runs.
    New(&'a ExperimentSpec),
}

impl Store {
    /// Queues an imported run, all or nothing: `place` puts its file where the run of that number looks for it, before
    /// the run is there for anybody. Gives the numbers of experiment and run.
    ///
    /// # Errors
    /// When there is no such experiment, it has a run of this alpha and seed already, or `place` fails; nothing was
    /// created then.
    pub async fn import_run(
        &self,
        target: ImportTarget<'_>,
        run: &RunSpec,
        place: impl FnOnce(i64) -> std::io::Result<()>,
    ) -> Result<(i64, i64), StoreError> {
        let at = now();
        // Immediate: two imports of one alpha and seed must not both find the place free.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let experiment = match target {
            ImportTarget::Experiment(id) => {
                must_be_free(&mut transaction, id, run).await?;
                id
            }
            ImportTarget::New(spec) => insert_experiment(&mut transaction, None, spec, at).await?,
        };
        let id = insert_run(&mut transaction, None, experiment, run, at).await?;
        place(id).map_err(StoreError::Place)?;
        transaction.commit().await?;
        Ok((experiment, id))
    }
}

/// An experiment has one network for each alpha and seed: two would count twice in every statistic over seeds. One
/// that came to nothing does not count.
async fn must_be_free(
    transaction: &mut SqliteTransaction<'_>,
    experiment: i64,
    run: &RunSpec,
) -> Result<(), StoreError> {
    must_exist(&mut **transaction, experiment).await?;
    let taken: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM runs WHERE experiment_id = ? AND alpha = ? AND seed = ?
         AND NOT (result IS NULL AND state IN (?, ?)) LIMIT 1",
    )
    .bind(experiment)
    .bind(run.alpha)
    .bind(run.seed as i64) // At most 2^53 - 1, checked with the spec.
    .bind(RunState::Failed.id())
    .bind(RunState::Diverged.id())
    .fetch_optional(&mut **transaction)
    .await?;
    match taken {
        Some(taken) => Err(StoreError::Taken {
            experiment,
            run: taken,
            alpha: run.alpha,
            seed: run.seed,
        }),
        None => Ok(()),
    }
}
