//! What findings are made of, read in a short form: thousands of runs in a fraction of a second.

use analysis::run_numbers::TrainedRun;
use sqlx::Row;

use super::{Store, StoreError};

/// What changes whenever an experiment's findings may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
        // Events of other kinds are passed over from the newest on; those of a run at work are mostly of these.
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

    /// The trained runs of an experiment, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trained_runs_for_findings(
        &self,
        experiment_id: i64,
    ) -> Result<Vec<TrainedRun>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, alpha, seed, result -> '$.selectivity' AS selectivity, result -> '$.test_accuracy' AS test_accuracy,
                 coalesce(lines, '') AS measurements
             FROM runs LEFT JOIN short_measurements ON run_id = id
             WHERE experiment_id = ? AND result IS NOT NULL ORDER BY id",
        )
        .bind(experiment_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<TrainedRun, StoreError> {
    Ok(TrainedRun {
        id: row.try_get("id")?,
        alpha: row.try_get("alpha")?,
        seed: row.try_get::<i64, _>("seed")? as u64, // At most 2^53 - 1, checked with the spec.
        selectivity: row.try_get("selectivity")?,
        test_accuracy: row.try_get("test_accuracy")?,
        measurements: row.try_get("measurements")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{MIGRATIONS, migrate};
    use super::*;
    use protocol::Event;
    use protocol::dimensionality::DimensionalitySpec;
    use protocol::preset::presets;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use analysis::made_up::{Lab, falls, rises};
    use analysis::run_numbers::{Keys, RunNumbers};

    /// Breaks when what was measured before the migration is lost or has another form than what came after, a measurement
    /// that is said twice counts twice, or a version stays the same though something was measured.
    #[tokio::test]
    async fn measurements_of_any_age_have_the_same_short_form() {
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
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .unwrap();
        migrate(&pool, &MIGRATIONS[..3]).await.unwrap();
        let old = Store { pool };
        let id = old.create_experiment(&spec).await.unwrap();
        let runs: Vec<i64> = old
            .runs(id)
            .await
            .unwrap()
            .iter()
            .map(|run| run.id)
            .collect();
        let measure = async |store: &Store, run: i64| {
            let trained = Event::Trained(result.clone());
            store.record(run, &trained).await.unwrap();
            for (_, measured) in &lab.measurements {
                let event = Event::Measured(measured.clone());
                store.record(run, &event).await.unwrap();
            }
        };
        measure(&old, runs[0]).await;
        old.pool.close().await;

        let store = Store::open(&path).await.unwrap();
        let before = store.findings_version(id).await.unwrap();
        measure(&store, runs[1]).await;
        let after = store.findings_version(id).await.unwrap();
        assert_ne!(before, after);
        measure(&store, runs[1]).await;
        assert_eq!(after, store.findings_version(id).await.unwrap());

        let found = store.trained_runs_for_findings(id).await.unwrap();
        assert_eq!((found.len(), after.runs()), (2, 2));
        let lines = |run: &TrainedRun| {
            let mut lines: Vec<String> = run.measurements.lines().map(Into::into).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&found[0]).len(), lab.measurements.len());
        assert_eq!(lines(&found[0]), lines(&found[1]));
        assert_eq!((found[0].seed, found[1].seed), (7, 8));
        let layers = lab.runs[0].spec.network.layers();
        let units: Vec<u32> = layers.iter().map(|layer| layer.units).collect();
        let numbers = RunNumbers::of_stored(&found[0], &units, &Keys::default()).unwrap();
        // The keys of a run whose measurements came in another order change nothing.
        let keys = Keys::of(&found[1]);
        let by_keys = RunNumbers::of_stored(&found[0], &units, &keys).unwrap();
        assert_eq!(numbers.corruptions, by_keys.corruptions);
        assert_eq!(numbers.attacks, by_keys.attacks);
        assert_eq!(numbers.differences, by_keys.differences);
        assert_eq!(numbers.selectivity, result.selectivity, "to the last digit");
        assert_eq!((numbers.corruptions.len(), numbers.attacks.len()), (95, 12));
        assert_eq!(
            (numbers.differences.len(), numbers.gradients.len()),
            (96, 1)
        );
        let mut spoilt = found[0].clone();
        spoilt.measurements.push_str("corruption/none\n");
        assert!(RunNumbers::of_stored(&spoilt, &units, &keys).is_err());
    }
}
