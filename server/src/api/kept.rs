//! What was made of an experiment's measurements, kept until there are new ones.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::store::{FindingsVersion, Store};
use analysis::claims::findings;
use analysis::run_numbers::RunNumbers;
use protocol::finding::{ClaimVerdict, DEFAULT_WINDOW, Findings};

use super::Refusal;

/// Something, the version of the store that it is of, and when it was last asked for.
#[derive(Debug)]
struct Known<T> {
    version: FindingsVersion,
    kept: Arc<T>,
    asked: Instant,
}

/// Numbers of the runs, and findings, of the experiments that were last looked at.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    numbers: KeptOf<i64, Vec<RunNumbers>>,
    reading: Arc<tokio::sync::Mutex<()>>,
    /// By experiment and window.
    findings: KeptOf<(i64, u64), Findings>,
    /// Of the default window: lists show those of many experiments.
    verdicts: KeptOf<i64, Vec<ClaimVerdict>>,
    /// Experiments whose verdicts are being made, one after the other.
    making: Arc<Mutex<HashSet<i64>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Runs whose numbers are kept: some 65 kB each with everything measured.
const RUNS: usize = 3_000;

/// Findings that are kept, of different experiments or windows: some 100 kB each.
const EXPERIMENTS: usize = 64;

/// Experiments whose verdicts are kept: some 100 bytes each.
const VERDICTS: usize = 10_000;

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
        store.must_exist(experiment).await?;
        // Before the runs are read: what is measured meanwhile makes what is kept old, not wrong.
        let version = store.findings_version(experiment).await?;
        if let Some(known) = self.numbers.get(experiment, version) {
            return Ok(known);
        }
        // A page asks for several figures at once: the first reads for all of them.
        let _reading = self.reading.lock().await;
        let version = store.findings_version(experiment).await?;
        if let Some(known) = self.numbers.get(experiment, version) {
            return Ok(known);
        }
        let older = self.numbers.of_any_version(experiment);
        let known = older
            .as_ref()
            .map(|(version, numbers)| (*version, &numbers[..]));
        let numbers = store.numbers(experiment, known).await?;
        Ok(self
            .numbers
            .keep(experiment, version, numbers, RUNS, Vec::len))
    }

    /// The findings of an experiment, within a window on clean accuracy (in points).
    ///
    /// # Errors
    /// When there is no such experiment, or the store fails.
    pub async fn findings(
        &self,
        store: &Store,
        experiment: i64,
        window: f64,
    ) -> Result<Findings, Refusal> {
        let key = (experiment, window.to_bits());
        let described = store.experiment(experiment).await?;
        let version = store.findings_version(experiment).await?;
        let name = described.spec.name.clone();
        let known = match self.findings.get(key, version) {
            Some(known) => known,
            None => {
                let numbers = self.numbers(store, experiment).await?;
                let made = tokio::task::spawn_blocking(move || {
                    findings(&described, &numbers, version.runs(), window)
                })
                .await?;
                self.findings.keep(key, version, made, EXPERIMENTS, |_| 1)
            }
        };
        Ok(Findings {
            name, // It can change without a measurement.
            ..(*known).clone()
        })
    }
}

impl Kept {
    /// What an experiment says about each claim with the default window, where that is known already; none without a trained
    /// run. Else it is made meanwhile, and `tell` is called once it is there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verdicts(
        &self,
        store: &Store,
        experiment: i64,
        tell: impl FnOnce() + Send + 'static,
    ) -> Result<Option<Vec<ClaimVerdict>>, Refusal> {
        let version = store.findings_version(experiment).await?;
        if version.trained() == 0 {
            return Ok(None);
        }
        if let Some(known) = self.verdicts.get(experiment, version) {
            return Ok(Some(known.to_vec()));
        }
        let lock = || self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().insert(experiment) {
            let (kept, store) = (self.clone(), store.clone());
            tokio::spawn(async move {
                // One at a time: nobody waits for these, and others want to be answered.
                let made = async {
                    let _turn = kept.turn.lock().await;
                    kept.make_verdicts(&store, experiment).await
                };
                let made = made.await;
                let mut making = kept.making.lock().unwrap_or_else(PoisonError::into_inner);
                making.remove(&experiment);
                drop(making);
                match made {
                    Ok(()) => tell(),
                    Err(refusal) => {
                        tracing::warn!(experiment, ?refusal, "no verdicts for the list");
                    }
                }
            });
        }
        Ok(None)
    }

    async fn make_verdicts(&self, store: &Store, experiment: i64) -> Result<(), Refusal> {
        let version = store.findings_version(experiment).await?;
        let found = self.findings(store, experiment, DEFAULT_WINDOW).await?;
        let verdicts = found.findings.iter().map(|finding| ClaimVerdict {
            claim: finding.claim,
            verdict: finding.verdict,
        });
        self.verdicts
            .keep(experiment, version, verdicts.collect(), VERDICTS, |_| 1);
        Ok(())
    }
}

/// One thing a key, of a few keys.
#[derive(Debug)]
struct KeptOf<K, T>(Arc<Mutex<HashMap<K, Known<T>>>>);

// Derived, they would ask the same of `T`.
impl<K, T> Clone for KeptOf<K, T> {
    fn clone(&self) -> Self {
        KeptOf(self.0.clone())
    }
}

impl<K, T> Default for KeptOf<K, T> {
    fn default() -> Self {
        KeptOf(Arc::default())
    }
}

impl<K: Copy + Eq + Hash, T> KeptOf<K, T> {
    fn get(&self, key: K, version: FindingsVersion) -> Option<Arc<T>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_mut(&key)?;
        known.asked = Instant::now();
        (known.version == version).then(|| known.kept.clone())
    }

    /// What is kept, however old, with the version that it is of.
    fn of_any_version(&self, key: K) -> Option<(FindingsVersion, Arc<T>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&key)
            .map(|known| (known.version, known.kept.clone()))
    }

    /// Keeps `made`; what was not asked for the longest is forgotten until all weighs at most `limit`, or is `made` alone.
    fn keep(
        &self,
        key: K,
        version: FindingsVersion,
        made: T,
        limit: usize,
        weight: impl Fn(&T) -> usize,
    ) -> Arc<T> {
        let kept = Arc::new(made);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = Known {
            version,
            kept: kept.clone(),
            asked: Instant::now(),
        };
        known.insert(key, one);
        while known.len() > 1 && known.values().map(|one| weight(&one.kept)).sum::<usize>() > limit
        {
            let oldest = known.iter().min_by_key(|(_, one)| one.asked);
            match oldest.map(|(key, _)| *key) {
                Some(key) => known.remove(&key),
                None => break,
            };
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when what is looked at is forgotten before what is not, or nothing is ever forgotten.
    #[test]
    fn what_was_not_asked_for_the_longest_is_forgotten() {
        let version = FindingsVersion::default();
        let kept = KeptOf::<i64, u32>::default();
        let keep = |id| kept.keep(id, version, 10, 25, |weight| *weight as usize);
        keep(1);
        keep(2);
        assert!(kept.get(1, version).is_some());
        keep(3);
        let there = [1, 2, 3].map(|id| kept.get(id, version).is_some());
        assert_eq!(there, [true, false, true]);
        // One that is too heavy by itself is kept all the same: it is being looked at.
        kept.keep(4, version, 99, 25, |weight| *weight as usize);
        let there = [1, 3, 4].map(|id| kept.get(id, version).is_some());
        assert_eq!(there, [false, false, true]);
    }
}
