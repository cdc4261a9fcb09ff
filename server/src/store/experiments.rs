//! Experiments: created whole, and listed with their runs counted.

use protocol::api::{Experiment, ExperimentPage, StateCount};
use protocol::{EvaluationSpec, ExperimentSpec, MoreRuns, RunSpec, RunState};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteTransaction};

use super::annotations::TAGS_OF_EXPERIMENT;
use super::{Store, StoreError};
use crate::clock::now;

const COLUMNS: &str = "id, spec, notes, created_at";

/// Which experiments are asked for.
#[derive(Debug, Clone, Default)]
pub struct ExperimentQuery {
    /// Part of the name, the notes, the network, the data set or a tag of it or of a run; everything when empty.
    pub search: String,
    /// Only experiments that have a run in this state.
    pub state: Option<RunState>,
    /// Page, from 1.
    pub page: u32,
    /// Experiments a page.
    pub page_size: u32,
}

/// Inserts an experiment without runs, by `number` or the next one; gives its number.
pub(super) async fn insert_experiment(
    transaction: &mut SqliteTransaction<'_>,
    number: Option<i64>,
    spec: &ExperimentSpec,
    at: i64,
) -> Result<i64, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO experiments (id, name, notes, spec, created_at, executor) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(number)
    .bind(&spec.name)
    .bind(&spec.notes)
    .bind(serde_json::to_string(spec)?)
    .bind(at)
    .bind(spec.executor.kind().id())
    .execute(&mut **transaction)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// Queues a run of an experiment, by `number` or the next one; gives its number.
pub(super) async fn insert_run(
    transaction: &mut SqliteTransaction<'_>,
    number: Option<i64>,
    experiment_id: i64,
    run: &RunSpec,
    at: i64,
) -> Result<i64, StoreError> {
    // Epochs to be trained here: progress is counted in them.
    let epochs = match run.origin {
        Some(_) => 0,
        None => run.training.epochs,
    };
    let inserted = sqlx::query(
        "INSERT INTO runs (id, experiment_id, alpha, seed, device, epochs, spec, state, queued_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?)",
    )
    .bind(number)
    .bind(experiment_id)
    .bind(run.alpha)
    .bind(run.seed as i64) // At most 2^53 - 1, checked with the spec.
    .bind(&run.device)
    .bind(epochs)
    .bind(serde_json::to_string(run)?)
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    Ok(inserted.last_insert_rowid())
}

impl Store {
    /// Creates an experiment and queues its runs, all or nothing.
    ///
    /// # Errors
    /// When the store fails; nothing was created then.
    pub async fn create_experiment(&self, spec: &ExperimentSpec) -> Result<i64, StoreError> {
        self.create_experiment_once(spec, None).await
    }

    /// The same, once for each `key`: called again with the same spec, it gives the existing experiment.
    ///
    /// # Errors
    /// When the key was given with another spec, or the store fails; nothing was created then.
    pub async fn create_experiment_once(
        &self,
        spec: &ExperimentSpec,
        key: Option<&str>,
    ) -> Result<i64, StoreError> {
        let at = now();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(key) = key {
            // The same launch after a deletion is a new experiment.
            sqlx::query(
                "UPDATE experiments SET launch_key = NULL WHERE launch_key = ? AND deleted_at IS NOT NULL",
            )
            .bind(key)
            .execute(&mut *transaction)
            .await?;
            let known = sqlx::query("SELECT id, spec FROM experiments WHERE launch_key = ?")
                .bind(key)
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some(row) = known {
                let launched: ExperimentSpec = serde_json::from_str(row.try_get("spec")?)?;
                let id = row.try_get("id")?;
                return match launched == *spec {
                    true => Ok(id),
                    false => Err(StoreError::KeyTaken(id)),
                };
            }
        }
        let experiment_id = insert_experiment(&mut transaction, None, spec, at).await?;
        sqlx::query("UPDATE experiments SET launch_key = ? WHERE id = ?")
            .bind(key)
            .bind(experiment_id)
            .execute(&mut *transaction)
            .await?;
        for run in spec.runs() {
            insert_run(&mut transaction, None, experiment_id, &run, at).await?;
        }
        transaction.commit().await?;
        Ok(experiment_id)
    }

    /// Adds alphas and seeds to an experiment and queues the runs that it gets by that, all or nothing; gives their numbers. The
    /// new runs are also tested on what was requested later for every run that there is. Runs that were deleted stay so.
    ///
    /// # Errors
    /// When there is no such experiment, or the store fails; nothing has changed then.
    pub async fn add_runs(&self, id: i64, more: &MoreRuns) -> Result<Vec<i64>, StoreError> {
        let at = now();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let spec: String =
            sqlx::query_scalar("SELECT spec FROM experiments WHERE id = ? AND deleted_at IS NULL")
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await?
                .ok_or(StoreError::NoExperiment(id))?;
        let known: ExperimentSpec = serde_json::from_str(&spec)?;
        let whole = known.with_more(more);
        let mut present = Vec::new();
        let mut later: Option<Vec<EvaluationSpec>> = None;
        let rows =
            sqlx::query("SELECT alpha, seed, later_evaluations FROM runs WHERE experiment_id = ?")
                .bind(id)
                .fetch_all(&mut *transaction)
                .await?;
        for row in rows {
            present.push((
                row.try_get::<f64, _>("alpha")?,
                row.try_get::<i64, _>("seed")?,
            ));
            let own: Vec<EvaluationSpec> = serde_json::from_str(row.try_get("later_evaluations")?)?;
            match &mut later {
                None => later = Some(own),
                Some(later) => later.retain(|evaluation| own.contains(evaluation)),
            }
        }
        let later = serde_json::to_string(&later.unwrap_or_default())?;
        sqlx::query("UPDATE experiments SET spec = ? WHERE id = ?")
            .bind(serde_json::to_string(&whole)?)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        let mut added = Vec::new();
        for run in whole.runs() {
            // Imported weights may have an alpha or a seed that was not trained.
            let taken = present.contains(&(run.alpha, run.seed as i64));
            if taken || known.has(run.alpha, run.seed) {
                continue;
            }
            let number = insert_run(&mut transaction, None, id, &run, at).await?;
            sqlx::query("UPDATE runs SET later_evaluations = ? WHERE id = ?")
                .bind(&later)
                .bind(number)
                .execute(&mut *transaction)
                .await?;
            added.push(number);
        }
        transaction.commit().await?;
        Ok(added)
    }

    /// One experiment with its runs counted.
    ///
    /// # Errors
    /// When there is none of this number.
    pub async fn experiment(&self, id: i64) -> Result<Experiment, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, {TAGS_OF_EXPERIMENT} FROM experiments WHERE id = ? AND deleted_at IS NULL"
        )))
        .bind(id)
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NoExperiment(id))?;
        self.with_counts(&row).await
    }

    /// A page of experiments, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn experiments(&self, query: &ExperimentQuery) -> Result<ExperimentPage, StoreError> {
        const MATCH: &str = "deleted_at IS NULL AND (?1 = ''
                 OR instr(lower(concat_ws(char(10), name, notes, spec ->> 'network', spec ->> 'dataset')), lower(?1)) > 0
                 OR EXISTS (SELECT 1 FROM tags WHERE experiment_id = experiments.id AND instr(lower(tag), lower(?1)) > 0)
                 OR EXISTS (SELECT 1 FROM runs JOIN tags ON tags.run_id = runs.id
                     WHERE runs.experiment_id = experiments.id AND instr(lower(tag), lower(?1)) > 0))
             AND (?2 IS NULL OR EXISTS (SELECT 1 FROM runs WHERE experiment_id = experiments.id AND state = ?2))";
        let state = query.state.map(RunState::id);
        let total = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM experiments WHERE {MATCH}"
        )))
        .bind(query.search.trim())
        .bind(state)
        .fetch_one(&self.pool)
        .await?;
        let page_size = query.page_size.max(1);
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, {TAGS_OF_EXPERIMENT} FROM experiments WHERE {MATCH} ORDER BY id DESC LIMIT ?3 OFFSET ?4"
        )))
        .bind(query.search.trim())
        .bind(state)
        .bind(page_size)
        .bind(i64::from(query.page.max(1) - 1) * i64::from(page_size))
        .fetch_all(&self.pool)
        .await?;
        let mut experiments = Vec::with_capacity(rows.len());
        for row in &rows {
            experiments.push(self.with_counts(row).await?);
        }
        Ok(ExperimentPage { experiments, total })
    }

    /// The newest experiment that was launched with exactly `spec`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn experiment_with(&self, spec: &ExperimentSpec) -> Result<Option<i64>, StoreError> {
        let rows = sqlx::query("SELECT id, spec FROM experiments WHERE name = ? AND deleted_at IS NULL ORDER BY id DESC")
            .bind(&spec.name)
            .fetch_all(&self.pool)
            .await?;
        for row in &rows {
            // Compared as it is read, not as it is written: a later version may write it otherwise.
            if serde_json::from_str::<ExperimentSpec>(row.try_get("spec")?)? == *spec {
                return Ok(Some(row.try_get("id")?));
            }
        }
        Ok(None)
    }

    /// Whether there was ever an experiment, though it may be deleted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn has_ever_held_experiments(&self) -> Result<bool, StoreError> {
        // Numbers are never given out twice: SQLite remembers the last.
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'experiments' AND seq > 0)",
        )
        .fetch_one(&self.pool)
        .await?)
    }

    async fn with_counts(&self, row: &SqliteRow) -> Result<Experiment, StoreError> {
        let id: i64 = row.try_get("id")?;
        let counts = sqlx::query(
            "SELECT state, count(*) AS count, sum(epochs) AS epochs, sum(epochs_done) AS done,
                 min(result ->> 'test_accuracy') AS lowest, max(result ->> 'test_accuracy') AS highest
             FROM runs WHERE experiment_id = ? GROUP BY state",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        let (mut runs, mut epochs, mut done) = (Vec::new(), 0_i64, 0_i64);
        let mut test_accuracy: Option<[f64; 2]> = None;
        for count in &counts {
            let state: String = count.try_get("state")?;
            let Some(state) = RunState::from_id(&state) else {
                continue; // The table's CHECK knows the same states.
            };
            runs.push(StateCount {
                state,
                count: count.try_get("count")?,
            });
            epochs += count.try_get::<i64, _>("epochs")?;
            done += count.try_get::<i64, _>("done")?;
            let lowest: Option<f64> = count.try_get("lowest")?;
            if let Some(ends) = lowest.zip(count.try_get("highest")?) {
                let [low, high] = test_accuracy.unwrap_or(ends.into());
                test_accuracy = Some([low.min(ends.0), high.max(ends.1)]);
            }
        }
        runs.sort_by_key(|count| RunState::ALL.iter().position(|&state| state == count.state));
        Ok(Experiment {
            id,
            spec: serde_json::from_str(row.try_get("spec")?)?,
            tags: serde_json::from_str(row.try_get("tags")?)?,
            notes: row.try_get("notes")?,
            created_at: row.try_get("created_at")?,
            progress: if epochs > 0 {
                done as f64 / epochs as f64
            } else {
                // Imported runs alone: there is nothing to train.
                let all: u32 = runs.iter().map(|count| count.count).sum();
                let ended = runs.iter().filter(|count| !count.state.is_active());
                f64::from(ended.map(|count| count.count).sum::<u32>()) / f64::from(all.max(1))
            },
            runs,
            test_accuracy,
            // Filled in by the API: it knows what is at work, and the verdicts.
            remaining_seconds: None,
            verdicts: None,
        })
    }
}
