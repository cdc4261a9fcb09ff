//! Reads an experiment for an archive, and restores one from it: all of it, or nothing.

use std::io;

use protocol::{Event, RunState};
use sqlx::SqliteTransaction;

use super::annotations::{Subject, insert_tags};
use super::deletions::RUN_IS_KEPT;
use super::experiments::{insert_experiment, insert_run};
use super::{Store, StoreError, events};
use crate::archived::{ArchivedEvent, ArchivedExperiment, ArchivedRun, RunHistory};

/// What is restored from an archive.
#[derive(Debug, Clone, Copy)]
pub struct Restored<'a> {
    /// The experiment.
    pub experiment: &'a ArchivedExperiment,
    /// Its runs, in the order in which they were queued.
    pub runs: &'a [ArchivedRun],
    /// When the archive was written, in milliseconds since 1970-01-01 UTC: runs that were at work then have ended there.
    pub archived_at: i64,
    /// The numbers of the experiment and of each run; new ones if `None`. Only with given numbers may events occur twice, as
    /// they do in workers' logs.
    pub numbers: Option<(i64, &'a [i64])>,
}

impl Store {
    /// An experiment without its runs.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn archived_experiment(&self, id: i64) -> Result<ArchivedExperiment, StoreError> {
        let experiment = self.experiment(id).await?;
        Ok(ArchivedExperiment {
            spec: experiment.spec,
            notes: experiment.notes,
            tags: experiment.tags,
            created_at: experiment.created_at,
        })
    }

    /// An experiment as it is at one moment, and its runs with their numbers and every event.
    ///
    /// # Errors
    /// When there is no such experiment.
    pub async fn archived(
        &self,
        id: i64,
    ) -> Result<(ArchivedExperiment, Vec<RunHistory>), StoreError> {
        let experiment = self.archived_experiment(id).await?;
        let mut runs = Vec::new();
        // Runs first: events that come meanwhile make a run more than its row says, never less.
        for run in self.runs(id).await? {
            let mut events: Vec<ArchivedEvent> = Vec::new();
            let mut after = 0;
            loop {
                let page = self.events_after(after, None, Some(run.id), 1000).await?;
                let Some(last) = page.last() else { break };
                after = last.sequence.unwrap_or(i64::MAX);
                events.extend(page.into_iter().map(|live| ArchivedEvent {
                    at: live.at,
                    event: live.event,
                }));
            }
            let (id, key) = (run.id, self.run_key(run.id).await?);
            let run = ArchivedRun {
                key,
                spec: run.spec,
                state: run.state,
                reason: run.reason,
                queued_at: run.queued_at,
                started_at: run.started_at,
                ended_at: run.ended_at,
                later_evaluations: run.later_evaluations,
                tags: run.tags,
                notes: run.notes,
            };
            runs.push(RunHistory { id, run, events });
        }
        Ok((experiment, runs))
    }

    /// The experiments of those runs of `keys` that are here and not deleted, in the order of `keys`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn experiments_of_keys(&self, keys: &[&str]) -> Result<Vec<i64>, StoreError> {
        let mut experiments = Vec::new();
        for key in keys {
            let experiment: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                "SELECT experiment_id FROM runs WHERE key = ? AND {RUN_IS_KEPT}"
            )))
            .bind(key)
            .fetch_optional(&self.pool)
            .await?;
            experiments.extend(experiment);
        }
        Ok(experiments)
    }

    /// Brings back an archived experiment, all or nothing: every run with its `events`, then its files by `place`, which
    /// is told the run's place in the archive and its number here. Gives the experiment's number.
    ///
    /// # Errors
    /// When an event cannot be read or does not fit its run, `place` fails, or the store does.
    pub async fn restore(
        &self,
        archived: Restored<'_>,
        events: impl Fn(usize) -> Result<Vec<ArchivedEvent>, StoreError>,
        mut place: impl FnMut(usize, i64) -> io::Result<()>,
    ) -> Result<i64, StoreError> {
        let Restored { experiment, .. } = archived;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let number = archived.numbers.map(|(id, _)| id);
        let at = experiment.created_at;
        let id = insert_experiment(&mut transaction, number, &experiment.spec, at).await?;
        sqlx::query("UPDATE experiments SET notes = ? WHERE id = ?")
            .bind(&experiment.notes)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        insert_tags(&mut transaction, Subject::Experiment(id), &experiment.tags).await?;
        let mut numbers = Vec::with_capacity(archived.runs.len());
        for (index, run) in archived.runs.iter().enumerate() {
            let number = archived
                .numbers
                .and_then(|(_, runs)| runs.get(index).copied());
            let number = insert_run(&mut transaction, number, id, &run.spec, run.queued_at).await?;
            let mut at_work = false;
            for (line, ArchivedEvent { at, event }) in events(index)?.iter().enumerate() {
                // A run may have ended and been resumed several times, which no event says.
                if !at_work {
                    go_on(&mut transaction, number).await?;
                }
                at_work = matches!(event, Event::Measured(_) | Event::Epoch(_));
                let new = events::record_in(&mut transaction, id, number, event, *at).await?;
                if new.is_none() && archived.numbers.is_none() {
                    return Err(StoreError::Replay {
                        run: index + 1,
                        line: line + 1,
                        reason: "the run has it already".into(),
                    });
                }
            }
            become_as_archived(&mut transaction, number, run, archived.archived_at).await?;
            numbers.push(number);
        }
        for (index, &number) in numbers.iter().enumerate() {
            place(index, number).map_err(StoreError::Place)?;
        }
        transaction.commit().await?;
        Ok(id)
    }
}

/// Puts a run to work, so that it takes events.
async fn go_on(transaction: &mut SqliteTransaction<'_>, run: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE runs SET state = 'running' WHERE id = ?")
        .bind(run)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn become_as_archived(
    transaction: &mut SqliteTransaction<'_>,
    number: i64,
    run: &ArchivedRun,
    archived_at: i64,
) -> Result<(), StoreError> {
    let (state, reason, ended_at) = match run.state.is_active() {
        false => (run.state, run.reason.clone(), run.ended_at),
        true => (
            RunState::Interrupted,
            Some(format!(
                "it was {} when the archive was written; resume it to go on here",
                run.state.id()
            )),
            Some(archived_at),
        ),
    };
    sqlx::query(
        "UPDATE runs SET key = ?, state = ?, reason = ?, queued_at = ?, started_at = ?, ended_at = ?,
             later_evaluations = ?, notes = ? WHERE id = ?",
    )
    .bind(&run.key)
    .bind(state.id())
    .bind(reason)
    .bind(run.queued_at)
    .bind(run.started_at)
    .bind(ended_at)
    .bind(serde_json::to_string(&run.later_evaluations)?)
    .bind(&run.notes)
    .bind(number)
    .execute(&mut **transaction)
    .await?;
    insert_tags(transaction, Subject::Run(number), &run.tags).await
}
