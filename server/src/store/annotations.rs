//! Tags and notes of experiments and runs.

use protocol::annotation::Annotation;
use sqlx::SqliteTransaction;

use super::{Store, StoreError};

/// A row's tags as a JSON array, in the order in which they were given; for the columns of a query.
pub(super) const TAGS_OF_EXPERIMENT: &str = "(SELECT json_group_array(tag) FROM (SELECT tag FROM tags WHERE experiment_id = experiments.id ORDER BY id)) AS tags";
/// The same of a run.
pub(super) const TAGS_OF_RUN: &str = "(SELECT json_group_array(tag) FROM (SELECT tag FROM tags WHERE run_id = runs.id ORDER BY id)) AS tags";

/// What is annotated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Experiment(i64),
    Run(i64),
}

impl Store {
    /// Changes the tags and notes of an experiment, which must be valid; what is absent stays.
    ///
    /// # Errors
    /// When there is no such experiment; nothing has changed then.
    pub async fn annotate_experiment(
        &self,
        id: i64,
        annotation: &Annotation,
    ) -> Result<(), StoreError> {
        self.annotate(Subject::Experiment(id), annotation).await
    }

    /// Changes the tags and notes of a run, which must be valid; what is absent stays.
    ///
    /// # Errors
    /// When there is no such run; nothing has changed then.
    pub async fn annotate_run(&self, id: i64, annotation: &Annotation) -> Result<(), StoreError> {
        self.annotate(Subject::Run(id), annotation).await
    }

    async fn annotate(&self, subject: Subject, annotation: &Annotation) -> Result<(), StoreError> {
        let (update, delete, id) = match subject {
            Subject::Experiment(id) => (
                "UPDATE experiments SET notes = coalesce(?, notes) WHERE id = ? AND deleted_at IS NULL",
                "DELETE FROM tags WHERE experiment_id = ?",
                id,
            ),
            Subject::Run(id) => (
                "UPDATE runs SET notes = coalesce(?, notes) WHERE id = ?
                     AND experiment_id NOT IN (SELECT id FROM experiments WHERE deleted_at IS NOT NULL)",
                "DELETE FROM tags WHERE run_id = ?",
                id,
            ),
        };
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let changed_rows = sqlx::query(update)
            .bind(annotation.notes.as_deref())
            .bind(id)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if changed_rows == 0 {
            return Err(match subject {
                Subject::Experiment(id) => StoreError::NoExperiment(id),
                Subject::Run(id) => StoreError::NoRun(id),
            });
        }
        if let Some(tags) = &annotation.tags {
            sqlx::query(delete)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            insert_tags(&mut transaction, subject, tags).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Gives a subject these tags besides those that it has.
pub(super) async fn insert_tags(
    transaction: &mut SqliteTransaction<'_>,
    subject: Subject,
    tags: &[String],
) -> Result<(), StoreError> {
    let (insert, id) = match subject {
        Subject::Experiment(id) => ("INSERT INTO tags (experiment_id, tag) VALUES (?, ?)", id),
        Subject::Run(id) => ("INSERT INTO tags (run_id, tag) VALUES (?, ?)", id),
    };
    for tag in tags {
        sqlx::query(insert)
            .bind(id)
            .bind(tag)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
