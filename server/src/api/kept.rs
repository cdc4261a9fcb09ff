//! What was made of an experiment's measurements, kept until there are new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::findings::findings;
use crate::run_numbers::RunNumbers;
use crate::store::{FindingsVersion, Store, StoreError};
use protocol::finding::Findings;

use super::Refusal;

/// Something, and the version of the store that it is of.
type Known<T> = (FindingsVersion, Arc<T>);

/// Numbers of the runs, and findings, of the experiments that were last looked at.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    numbers: KeptOf<Vec<RunNumbers>>,
    findings: KeptOf<Findings>,
}

/// Runs whose numbers are kept: some 30 kB each with everything measured.
const RUNS: usize = 5_000;

/// Experiments whose findings are kept: some 100 kB each.
const EXPERIMENTS: usize = 64;

impl Kept {
    /// The numbers of an experiment's trained runs, in order of number.
    ///
    /// # Errors
    /// When there is no such experiment, or the store fails.
    pub async fn numbers(
        &self,
        store: &Store,
        experiment: i64,
    ) -> Result<Arc<Vec<RunNumbers>>, Refusal> {
        // Before the runs are read: what is measured meanwhile makes what is kept old, not wrong.
        let version = store.findings_version(experiment).await?;
        if let Some(known) = self.numbers.get(experiment, version) {
            return Ok(known);
        }
        let network = store.experiment(experiment).await?.spec.network;
        let trained = store.trained_runs_for_findings(experiment).await?;
        let numbers =
            tokio::task::spawn_blocking(move || RunNumbers::of_experiment(network, &trained))
                .await?
                .map_err(StoreError::from)?;
        Ok(self
            .numbers
            .keep(experiment, version, numbers, RUNS, Vec::len))
    }

    /// The findings of an experiment.
    ///
    /// # Errors
    /// When there is no such experiment, or the store fails.
    pub async fn findings(&self, store: &Store, experiment: i64) -> Result<Findings, Refusal> {
        let described = store.experiment(experiment).await?;
        let version = store.findings_version(experiment).await?;
        let name = described.spec.name.clone();
        let known = match self.findings.get(experiment, version) {
            Some(known) => known,
            None => {
                let numbers = self.numbers(store, experiment).await?;
                let made = tokio::task::spawn_blocking(move || {
                    findings(&described, &numbers, version.runs())
                })
                .await?;
                self.findings
                    .keep(experiment, version, made, EXPERIMENTS, |_| 1)
            }
        };
        Ok(Findings {
            name, // It can change without a measurement.
            ..(*known).clone()
        })
    }
}

/// One thing an experiment, of a few experiments.
#[derive(Debug)]
struct KeptOf<T>(Arc<Mutex<HashMap<i64, Known<T>>>>);

// Derived, they would ask the same of `T`.
impl<T> Clone for KeptOf<T> {
    fn clone(&self) -> Self {
        KeptOf(self.0.clone())
    }
}

impl<T> Default for KeptOf<T> {
    fn default() -> Self {
        KeptOf(Arc::default())
    }
}

impl<T> KeptOf<T> {
    fn get(&self, experiment: i64, version: FindingsVersion) -> Option<Arc<T>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, kept) = known.get(&experiment)?;
        (*of == version).then(|| kept.clone())
    }

    /// Keeps `made`; everything else is forgotten where all together would weigh more than `limit`.
    fn keep(
        &self,
        experiment: i64,
        version: FindingsVersion,
        made: T,
        limit: usize,
        weight: impl Fn(&T) -> usize,
    ) -> Arc<T> {
        let made = Arc::new(made);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&experiment);
        let others: usize = known.values().map(|(_, kept)| weight(kept)).sum();
        if others + weight(&made) > limit {
            known.clear();
        }
        known.insert(experiment, (version, made.clone()));
        made
    }
}
