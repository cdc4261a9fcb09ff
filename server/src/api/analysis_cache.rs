//! Results computed from an experiment's measurements, kept until there are new ones.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::mutex::lock;
use crate::store::{FindingsVersion, Store};
use analysis::claims::findings;
use analysis::run_numbers::RunNumbers;
use protocol::finding::{ClaimVerdict, DEFAULT_WINDOW, Findings};

use super::Refusal;

/// A cached value, the store version that it was computed from, and when it was last used.
#[derive(Debug)]
struct Known<T> {
    version: FindingsVersion,
    kept: Arc<T>,
    last_used: Instant,
}

/// Run numbers, findings and verdicts of the experiments that were last viewed.
#[derive(Debug, Clone, Default)]
pub struct AnalysisCache {
    numbers: CachedAnalysis<i64, Vec<RunNumbers>>,
    reading: Arc<tokio::sync::Mutex<()>>,
    /// By experiment and window.
    findings: CachedAnalysis<(i64, u64), Findings>,
    /// For the default window: lists show the verdicts of many experiments.
    verdicts: CachedAnalysis<i64, Vec<ClaimVerdict>>,
    /// Experiments whose verdicts are being computed, one after the other.
    making: Arc<Mutex<HashSet<i64>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Runs whose numbers are kept: some 65 kB each with everything measured.
const RUNS: usize = 3_000;

/// Findings that are kept, of different experiments or windows: some 100 kB each.
const EXPERIMENTS: usize = 64;

/// Experiments whose verdicts are kept: some 100 bytes each.
const VERDICTS: usize = 10_000;

impl AnalysisCache {
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
        // Read before the runs: a measurement made in between makes the cache old, not wrong.
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
                let computed = tokio::task::spawn_blocking(move || {
                    findings(&described, &numbers, version.runs(), window)
                })
                .await?;
                self.findings
                    .keep(key, version, computed, EXPERIMENTS, |_| 1)
            }
        };
        Ok(Findings {
            name, // It can change without a measurement.
            ..(*known).clone()
        })
    }
}

impl AnalysisCache {
    /// An experiment's verdict on each claim with the default window, if known already. `None` without a trained run, or
    /// until they are computed: that is done in the background, and `tell` is called when they are ready.
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
        if lock(&self.making).insert(experiment) {
            let (kept, store) = (self.clone(), store.clone());
            tokio::spawn(async move {
                // One at a time: nobody waits for these, but other requests do wait.
                let verdicts = async {
                    let _turn = kept.turn.lock().await;
                    kept.make_verdicts(&store, experiment).await
                };
                let verdicts = verdicts.await;
                lock(&kept.making).remove(&experiment);
                match verdicts {
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
        let computed = self.findings(store, experiment, DEFAULT_WINDOW).await?;
        let verdicts = computed.findings.iter().map(|finding| ClaimVerdict {
            claim: finding.claim,
            verdict: finding.verdict,
        });
        self.verdicts
            .keep(experiment, version, verdicts.collect(), VERDICTS, |_| 1);
        Ok(())
    }
}

/// One value for each of a few keys.
#[derive(Debug)]
struct CachedAnalysis<K, T>(Arc<Mutex<HashMap<K, Known<T>>>>);

// Derived impls would require the same of `T`.
impl<K, T> Clone for CachedAnalysis<K, T> {
    fn clone(&self) -> Self {
        CachedAnalysis(self.0.clone())
    }
}

impl<K, T> Default for CachedAnalysis<K, T> {
    fn default() -> Self {
        CachedAnalysis(Arc::default())
    }
}

impl<K: Copy + Eq + Hash, T> CachedAnalysis<K, T> {
    fn get(&self, key: K, version: FindingsVersion) -> Option<Arc<T>> {
        let mut known = lock(&self.0);
        let known = known.get_mut(&key)?;
        known.last_used = Instant::now();
        (known.version == version).then(|| known.kept.clone())
    }

    /// The cached value, however old, with its version.
    fn of_any_version(&self, key: K) -> Option<(FindingsVersion, Arc<T>)> {
        let known = lock(&self.0);
        known
            .get(&key)
            .map(|known| (known.version, known.kept.clone()))
    }

    /// Caches `value`, and drops the least recently used values until all weigh at most `limit` or only `value` is left.
    fn keep(
        &self,
        key: K,
        version: FindingsVersion,
        value: T,
        limit: usize,
        weight: impl Fn(&T) -> usize,
    ) -> Arc<T> {
        let kept = Arc::new(value);
        let mut known = lock(&self.0);
        let entry = Known {
            version,
            kept: kept.clone(),
            last_used: Instant::now(),
        };
        known.insert(key, entry);
        while known.len() > 1
            && known
                .values()
                .map(|entry| weight(&entry.kept))
                .sum::<usize>()
                > limit
        {
            let oldest = known.iter().min_by_key(|(_, entry)| entry.last_used);
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

    /// Breaks when a recently used value is dropped before an older one, or nothing is ever dropped.
    #[test]
    fn what_was_not_asked_for_the_longest_is_forgotten() {
        let version = FindingsVersion::default();
        let kept = CachedAnalysis::<i64, u32>::default();
        let keep = |id| kept.keep(id, version, 10, 25, |weight| *weight as usize);
        keep(1);
        keep(2);
        assert!(kept.get(1, version).is_some());
        keep(3);
        let there = [1, 2, 3].map(|id| kept.get(id, version).is_some());
        assert_eq!(there, [true, false, true]);
        // A value that is too heavy by itself is still kept: it is in use.
        kept.keep(4, version, 99, 25, |weight| *weight as usize);
        let there = [1, 3, 4].map(|id| kept.get(id, version).is_some());
        assert_eq!(there, [false, false, true]);
    }
}
