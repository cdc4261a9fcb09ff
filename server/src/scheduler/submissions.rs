//! Runs that are handed over to a place with a queue of its own. A submission is in the store before the place hears of it: if
//! the server is killed in between, or the place gives an error and keeps it nevertheless, it is found again by its key.

use std::sync::Arc;

use protocol::ExecutorKind;
use tokio::task::spawn_blocking;

use super::supervise::{order, warn};
use super::{AFTER_FAILED_START, LOOK, Scheduler};
use crate::executors::{Executor, Submission, Task};
use crate::mutex::lock;
use crate::store::{self, StoreError};

impl Scheduler {
    /// Hands runs over whenever some are waiting for it.
    pub(super) async fn dispatch_to_queues(&self) {
        loop {
            if let Err(error) = self.hand_over_all().await {
                tracing::error!(%error, "cannot hand runs over; trying again in 5 s");
            }
            if self.is_stopping() {
                return;
            }
            tokio::select! {
                () = self.0.wake_queues.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn hand_over_all(&self) -> Result<(), StoreError> {
        for (kind, executor) in self.0.executors.with_queues() {
            self.settle(kind, executor).await?;
            self.follow_handed_over().await?;
            for (experiment, runs) in self.0.store.unsubmitted(kind, self.0.scope).await? {
                let most = {
                    let executor = executor.clone();
                    // It panics only where the executor does.
                    spawn_blocking(move || executor.most_together())
                        .await
                        .unwrap_or(1)
                        .max(1)
                };
                let arrays = runs.len().div_ceil(most);
                for some in runs.chunks(most) {
                    let waits = self.paused(kind.id()).is_some()
                        || self.0.room.should_wait(&self.0.directory);
                    if self.is_stopping() || waits {
                        return Ok(());
                    }
                    self.hand_over(kind, executor, experiment, some, arrays)
                        .await?;
                    self.follow_handed_over().await?;
                }
            }
        }
        Ok(())
    }

    /// Settles submissions that have no number: either their place has them, or their runs wait again.
    async fn settle(
        &self,
        kind: ExecutorKind,
        executor: &Arc<dyn Executor>,
    ) -> Result<(), StoreError> {
        for submission in self.0.store.unplaced(kind).await? {
            if !self.0.scope.hands_over(submission.experiment_id) {
                continue;
            }
            let answer = {
                let (executor, key) = (executor.clone(), submission.key.clone());
                spawn_blocking(move || executor.find(&key)).await
            };
            match answer.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(Some(job)) => self.placed(kind, executor, submission, job).await?,
                Ok(None) => self.0.store.withdraw(submission.id).await?,
                // It may be there: nothing is submitted twice.
                Err(reason) => tracing::warn!(
                    key = submission.key,
                    reason,
                    "cannot find out whether a submission arrived; asking again"
                ),
            }
        }
        Ok(())
    }

    async fn hand_over(
        &self,
        kind: ExecutorKind,
        executor: &Arc<dyn Executor>,
        experiment: i64,
        runs: &[i64],
        arrays: usize,
    ) -> Result<(), StoreError> {
        let inner = &self.0;
        let settings = inner.store.executor_of(experiment).await?;
        let handover = inner.handover.lock().await;
        let submission = match inner.store.submit(experiment, runs).await {
            // One was cancelled meanwhile; the others are there at the next look.
            Err(StoreError::NotWaiting(_)) => {
                self.0.wake_queues.notify_one();
                return Ok(());
            }
            submission => submission?,
        };
        let mut jobs = Vec::with_capacity(runs.len());
        let mut ordered = Ok(());
        for &run_id in runs {
            let run = inner.store.run(run_id).await?;
            let job = self.job(run_id, inner.store.attempt(run_id).await?.number, None);
            ordered = order(self, &run, &job).await;
            if ordered.is_err() {
                break;
            }
            jobs.push(job);
        }
        drop(handover);
        let submitted = match ordered {
            Err(reason) => Err(reason),
            Ok(()) => {
                let (executor, key) = (executor.clone(), submission.key.clone());
                let folder = inner.directory.submission(experiment, &key);
                let datasets = inner.directory.datasets().to_owned();
                let submit = move || {
                    let submission = Submission {
                        key: &key,
                        folder,
                        jobs: &jobs,
                        arrays,
                        datasets,
                        threads: 1,
                        settings: &settings,
                    };
                    executor.submit(&submission)
                };
                spawn_blocking(submit)
                    .await
                    .unwrap_or_else(|error| Err(error.to_string()))
            }
        };
        match submitted {
            Ok(Some(job)) => self.placed(kind, executor, submission, job).await,
            Ok(None) => Ok(()),
            Err(reason) => {
                inner.starts.failed(kind.id(), &reason);
                if let Some(&first) = runs.first() {
                    warn(
                        self,
                        first,
                        format!("not submitted, and waits again: {reason}"),
                    )
                    .await;
                }
                tokio::time::sleep(AFTER_FAILED_START).await;
                self.settle(kind, executor).await
            }
        }
    }

    /// Follows every handed-over run that is not followed yet: it was just handed over, or the store failed then.
    async fn follow_handed_over(&self) -> Result<(), StoreError> {
        let _handover = self.0.handover.lock().await;
        if self.is_stopping() {
            return Ok(());
        }
        for run_id in self.0.store.handed_over(self.0.scope).await? {
            if !lock(&self.0.workers).contains_key(&run_id) {
                let place = self.place(run_id).await?;
                self.follow(run_id, place, true);
            }
        }
        Ok(())
    }

    /// Records a submission's number: its runs are at its place. Runs that were cancelled meanwhile are taken out.
    async fn placed(
        &self,
        kind: ExecutorKind,
        executor: &Arc<dyn Executor>,
        submission: store::Submission,
        job: u64,
    ) -> Result<(), StoreError> {
        let inner = &self.0;
        let _handover = inner.handover.lock().await;
        inner.store.placed(submission.id, job).await?;
        for (index, run_id) in submission.runs {
            match inner.store.run(run_id).await {
                Ok(run) if run.state.is_active() => continue,
                // Deleted meanwhile.
                Ok(_) | Err(StoreError::NoRun(_)) => {}
                Err(error) => return Err(error),
            }
            let task = Task {
                job,
                index,
                folder: inner
                    .directory
                    .submission(submission.experiment_id, &submission.key),
            };
            executor.kill(&self.job(run_id, 0, Some(task)));
        }
        tracing::info!(executor = kind.id(), job, key = submission.key, "submitted");
        Ok(())
    }
}
