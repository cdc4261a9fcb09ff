//! The input of findings: the trained runs, and whether there is anything new.

use std::collections::HashSet;

use analysis::run_numbers::RunNumbers;
use protocol::RunResult;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::measurements::MeasurementsOf;
use super::{Store, StoreError};

/// A version that changes whenever an experiment's findings may change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FindingsVersion {
    /// The newest event that brought a result or a measurement; 0 without one.
    newest: i64,
    /// Runs; they can be deleted.
    runs: i64,
    /// Runs with a result.
    trained: i64,
}

impl FindingsVersion {
    /// How many runs there are, trained or not.
    pub fn runs(self) -> usize {
        usize::try_from(self.runs).unwrap_or(0)
    }

    /// How many runs have a result.
    pub fn trained(self) -> usize {
        usize::try_from(self.trained).unwrap_or(0)
    }
}

impl Store {
    /// The version of an experiment's findings.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn findings_version(
        &self,
        experiment_id: i64,
    ) -> Result<FindingsVersion, StoreError> {
        // Events of other kinds are skipped from the newest on; a run at work writes mostly such events.
        let newest: Option<i64> = sqlx::query_scalar(
            "SELECT sequence FROM events
             WHERE experiment_id = ? AND kind IN ('trained', 'measured', 'finished')
             ORDER BY sequence DESC LIMIT 1",
        )
        .bind(experiment_id)
        .fetch_optional(&self.pool)
        .await?;
        let counts = sqlx::query(
            "SELECT count(*) AS runs, count(result) AS trained FROM runs WHERE experiment_id = ?",
        )
        .bind(experiment_id)
        .fetch_one(&self.pool)
        .await?;
        Ok(FindingsVersion {
            newest: newest.unwrap_or(0),
            runs: counts.try_get("runs")?,
            trained: counts.try_get("trained")?,
        })
    }

    /// The numbers of an experiment's trained runs, in order of run. Runs whose numbers are `known` as they were at a
    /// version are read again only if they measured something after it.
    ///
    /// # Errors
    /// When there is no such experiment, the store fails, or a measurement cannot be read.
    pub async fn numbers(
        &self,
        experiment_id: i64,
        known: Option<(FindingsVersion, &[RunNumbers])>,
    ) -> Result<Vec<RunNumbers>, StoreError> {
        let spec = self.experiment(experiment_id).await?.spec;
        let changed: HashSet<i64> = match known {
            Some((version, _)) => self.measured_after(experiment_id, version).await?,
            None => HashSet::new(),
        };
        let known = known.map_or(&[][..], |(_, known)| known);
        let unchanged = |id: i64| {
            let place = known.binary_search_by_key(&id, |numbers| numbers.id).ok();
            place
                .map(|place| &known[place])
                .filter(|_| !changed.contains(&id))
        };
        let trained: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM runs WHERE experiment_id = ? AND result IS NOT NULL ORDER BY id",
        )
        .bind(experiment_id)
        .fetch_all(&self.pool)
        .await?;
        let new: Vec<i64> = trained
            .iter()
            .copied()
            .filter(|&id| unchanged(id).is_none())
            .collect();
        let rows = sqlx::query(
            "SELECT id, alpha, seed, result FROM runs
             WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        )
        .bind(serde_json::to_string(&new)?)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &SqliteRow| {
            let result: RunResult = serde_json::from_str(row.try_get("result")?)?;
            let seed: i64 = row.try_get("seed")?;
            // A seed is at most 2^53 - 1, checked with the spec.
            let (id, alpha) = (row.try_get("id")?, row.try_get("alpha")?);
            let setup = (spec.network, &spec.dataset);
            Ok(RunNumbers::new(id, alpha, seed as u64, setup, &result))
        };
        let mut numbers: Vec<RunNumbers> =
            rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        // Both are in order of run.
        let mut place = 0;
        let selection = match new.len() == trained.len() {
            true => MeasurementsOf::Experiment(experiment_id),
            false => MeasurementsOf::Runs(&new),
        };
        self.each_measurement(selection, |run, measurement| {
            while numbers.get(place).is_some_and(|numbers| numbers.id < run) {
                place += 1;
            }
            if let Some(numbers) = numbers.get_mut(place).filter(|numbers| numbers.id == run) {
                numbers.add(&measurement);
            }
        })
        .await?;
        numbers.extend(trained.iter().filter_map(|&id| unchanged(id).cloned()));
        numbers.sort_by_key(|numbers| numbers.id);
        Ok(numbers)
    }

    /// The runs of an experiment that have measured something after a version.
    async fn measured_after(
        &self,
        experiment_id: i64,
        version: FindingsVersion,
    ) -> Result<HashSet<i64>, StoreError> {
        let runs: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT run_id FROM events
             WHERE experiment_id = ? AND kind IN ('trained', 'measured', 'finished') AND sequence > ?",
        )
        .bind(experiment_id)
        .bind(version.newest)
        .fetch_all(&self.pool)
        .await?;
        Ok(runs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::MIGRATIONS;
    use super::super::tests::old_store;
    use super::*;
    use analysis::made_up::{Lab, falls, rises};
    use protocol::Event;
    use protocol::dimensionality::DimensionalitySpec;
    use protocol::preset::presets;

    /// Breaks when what was measured before a migration is lost or reads otherwise than what came after, a measurement
    /// that is said twice counts twice, or a version stays the same though something was measured.
    #[tokio::test]
    async fn measurements_of_any_age_give_the_same_numbers() {
        let mut spec = presets().remove(0).spec;
        (spec.alphas, spec.seeds) = (vec![0.0], vec![7, 8]);
        spec.evaluation.dimensionality = Some(DimensionalitySpec::source(Some(100)));
        let lab = Lab::with_alphas(1, &[0.0])
            .corruptions(falls(0.3))
            .attacks(rises(0.3))
            .dimensions(|_, _, _, _, selectivity| selectivity)
            .gradients(|_, _, _| [0.5, 0.25]);
        let result = lab.runs[0].result.clone().unwrap();

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.sqlite");
        let pool = old_store(&path, &MIGRATIONS[..3]).await;
        let old = Store { pool };
        // By hand: today's code writes columns that this store lacks.
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO experiments (name, notes, spec, created_at) VALUES ('old', '', ?, 1) RETURNING id",
        )
        .bind(serde_json::to_string(&spec).unwrap())
        .fetch_one(&old.pool)
        .await
        .unwrap();
        let mut runs: Vec<i64> = Vec::new();
        for run in spec.runs() {
            let inserted = sqlx::query_scalar(
                "INSERT INTO runs (experiment_id, alpha, seed, device, epochs, spec, state, queued_at) \
                 VALUES (?, ?, ?, ?, ?, ?, 'queued', 1) RETURNING id",
            )
            .bind(id)
            .bind(run.alpha)
            .bind(run.seed as i64)
            .bind(run.device.as_str())
            .bind(run.training.epochs as i64)
            .bind(serde_json::to_string(&run).unwrap());
            runs.push(inserted.fetch_one(&old.pool).await.unwrap());
        }
        sqlx::query("UPDATE runs SET result = ?, result_with_units = ? WHERE id = ?")
            .bind(serde_json::to_string(&result.without_units()).unwrap())
            .bind(serde_json::to_string(&result).unwrap())
            .bind(runs[0])
            .execute(&old.pool)
            .await
            .unwrap();
        for (_, measured) in &lab.measurements {
            sqlx::query("INSERT INTO measurements (run_id, key, measured_at, measurement) VALUES (?, ?, 1, ?)")
                .bind(runs[0])
                .bind(measured.key().to_string())
                .bind(serde_json::to_string(measured).unwrap())
                .execute(&old.pool)
                .await
                .unwrap();
        }
        old.pool.close().await;
        let measure = async |store: &Store, run: i64| {
            let trained = Event::Trained(result.clone());
            store.record(run, &trained).await.unwrap();
            for (_, measured) in &lab.measurements {
                let event = Event::Measured(measured.clone());
                store.record(run, &event).await.unwrap();
            }
        };

        let store = Store::open(&path).await.unwrap();
        let before = store.findings_version(id).await.unwrap();
        let earlier = store.numbers(id, None).await.unwrap();
        assert_eq!(earlier.len(), 1);
        measure(&store, runs[1]).await;
        let after = store.findings_version(id).await.unwrap();
        assert_ne!(before, after);
        measure(&store, runs[1]).await;
        assert_eq!(after, store.findings_version(id).await.unwrap());

        let all = store.numbers(id, None).await.unwrap();
        assert_eq!((all.len(), after.runs()), (2, 2));
        assert_eq!((all[0].seed, all[1].seed), (7, 8));
        // Read in two parts, they are the same; what is known is not read again.
        let grown = store.numbers(id, Some((before, &earlier))).await.unwrap();
        assert_eq!(format!("{grown:?}"), format!("{all:?}"));
        let mut marked = all.clone();
        marked[0].selectivity = -1.0;
        let again = store.numbers(id, Some((after, &marked))).await.unwrap();
        assert_eq!(again[0].selectivity, -1.0);
        let again = store.numbers(id, Some((before, &marked))).await.unwrap();
        assert_eq!(
            (again[0].selectivity, again[1].selectivity),
            (-1.0, result.selectivity)
        );
        for numbers in &all {
            assert_eq!(numbers.selectivity, result.selectivity, "to the last digit");
            assert_eq!((numbers.corruptions.len(), numbers.attacks.len()), (95, 12));
            // One of them clean.
            assert_eq!((numbers.dimensions.len(), numbers.gradients.len()), (97, 1));
        }
        assert_eq!(all[0].corruptions, all[1].corruptions);
        assert_eq!(all[0].attacks, all[1].attacks);
        assert_eq!(all[0].dimensions, all[1].dimensions);
        assert_eq!(all[0].gradients, all[1].gradients);
        // In order of key, whatever the order in which they were measured.
        let mut measured = lab.measurements.clone();
        measured.sort_by_key(|(_, one)| one.key().to_string());
        let mut numbers = RunNumbers::new(1, 0.0, 7, (spec.network, &spec.dataset), &result);
        for (_, one) in &measured {
            numbers.add(one);
        }
        assert_eq!(all[1].corruptions, numbers.corruptions);
        assert_eq!(all[1].dimensions, numbers.dimensions);
        assert_eq!(store.measurements(runs[1]).await.unwrap(), {
            let measured = measured.into_iter().map(|(_, one)| one);
            measured.collect::<Vec<_>>()
        });
    }
}
