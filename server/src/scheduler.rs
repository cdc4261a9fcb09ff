//! The scheduler: runs wait for a slot on their device, and each gets a worker process of its own; or they are handed over to a
//! place with a queue of its own, and wait there.
//!
//! Workers outlive it. A scheduler that starts finds those of an earlier one at work and reads on in their logs; runs that
//! waited wait still. Whatever ends a worker (a crash, a full memory, a GPU driver's fault) ends that run and nothing else.

mod room;
mod starts;
mod submissions;
mod supervise;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::api::{Change, ChangeEvent, LiveEvent};
use protocol::event::Progress;
use protocol::{Event, ExecutorKind, Run, RunState};
use tokio::sync::{Notify, broadcast, mpsc};

use crate::clock::now;
use crate::directory::DataDirectory;
use crate::executors::{Executors, Job, Task, WorkerState};
use crate::mutex::lock;
use crate::store::{Scope, Store, StoreError};
use crate::worker_folder::WorkerFolder;
use room::Room;
use starts::Starts;
use supervise::End;

/// Events that a slow listener may fall behind before it is told to read everything anew.
const NEWS_CAPACITY: usize = 4096;

/// How long a device rests after a start that failed.
const AFTER_FAILED_START: Duration = Duration::from_millis(500);
/// How often the queue is looked at where nothing wakes the dispatcher.
const LOOK: Duration = Duration::from_secs(5);

/// A command to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    /// End the run as cancelled.
    Cancel,
    /// End at its next step; the run becomes interrupted.
    Stop,
    /// Go on, unwatched.
    Leave,
}

/// The follower of a run.
#[derive(Debug)]
struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    place: Place,
}

/// Where a worker is, or is to be.
#[derive(Debug, Clone)]
struct Place {
    kind: ExecutorKind,
    /// What is paused when starts fail there: a device of this machine, or the whole place.
    queue: String,
    job: Job,
}

/// How many runs each device takes at once.
#[derive(Debug, Clone, Default)]
pub struct Slots(BTreeMap<String, u32>);

impl Slots {
    /// Slots by device identifier; 1 for every device that is not named.
    pub fn new(slots: BTreeMap<String, u32>) -> Self {
        Slots(slots)
    }

    /// Slots of `device`, 1 or more.
    pub fn of(&self, device: &str) -> u32 {
        self.0.get(device).copied().unwrap_or(1).max(1)
    }
}

/// News for listeners.
#[derive(Debug, Clone)]
pub enum News {
    /// A run reported something.
    Event(LiveEvent),
    /// Somebody changed something.
    Change(ChangeEvent),
}

/// A handle to the scheduler; clones share it.
#[derive(Clone)]
pub struct Scheduler(Arc<Inner>);

struct Inner {
    store: Store,
    directory: DataDirectory,
    executors: Executors,
    scope: Scope,
    slots: Slots,
    /// Workers at work, and those that wait in another queue, by run.
    workers: Mutex<HashMap<i64, Worker>>,
    /// Where each worker is right now.
    progress: Mutex<HashMap<i64, Progress>>,
    /// How starting goes, by device, and by place where that has a queue of its own.
    starts: Starts,
    /// Whether there is room for what runs measure.
    room: Room,
    news: broadcast::Sender<News>,
    /// Held while an event is stored and published, so that events are published in the order of their numbers.
    publishing: tokio::sync::Mutex<()>,
    /// Held while a run passes from the queue to a worker or from a worker to its end, so that a
    /// cancel or a stop never looks in between.
    handover: tokio::sync::Mutex<()>,
    /// Something may be startable here.
    wake: Notify,
    /// Something may have to be handed over.
    wake_queues: Notify,
    /// A worker has ended.
    ended: Notify,
    stopping: AtomicBool,
}

impl Scheduler {
    /// A scheduler over `store` whose workers are `executable worker …`. Workers of an earlier scheduler are taken over;
    /// what those that ended meanwhile reported is in the store when this returns.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(
        store: Store,
        directory: DataDirectory,
        executable: PathBuf,
        slots: Slots,
        scope: Scope,
    ) -> Result<Scheduler, StoreError> {
        let scheduler = Scheduler(Arc::new(Inner {
            store,
            directory,
            executors: Executors::new(executable),
            scope,
            slots,
            workers: Mutex::default(),
            progress: Mutex::default(),
            starts: Starts::default(),
            room: Room::default(),
            news: broadcast::Sender::new(NEWS_CAPACITY),
            publishing: tokio::sync::Mutex::default(),
            handover: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            wake_queues: Notify::new(),
            ended: Notify::new(),
            stopping: false.into(),
        }));
        scheduler.take_over().await?;
        let dispatcher = scheduler.clone();
        tokio::spawn(async move { dispatcher.dispatch().await });
        let dispatcher = scheduler.clone();
        tokio::spawn(async move { dispatcher.dispatch_to_queues().await });
        Ok(scheduler)
    }

    /// Follows the workers that an earlier scheduler started, and ends the runs of those that are gone.
    async fn take_over(&self) -> Result<(), StoreError> {
        let inner = &self.0;
        let mut runs = inner
            .store
            .run_ids_within(RunState::Running, inner.scope)
            .await?;
        runs.extend(inner.store.handed_over(inner.scope).await?);
        runs.sort_unstable();
        runs.dedup();
        for run_id in runs {
            let place = match self.place(run_id).await {
                Ok(place) => place,
                Err(StoreError::Json(error)) => {
                    let message = format!("the run cannot be read from the store: {error}");
                    self.publish(run_id, &Event::Failed { message }).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let standing = inner.executors.get(place.kind).poll(&place.job);
            let followed = self.follow(run_id, place, true);
            if matches!(standing, WorkerState::Gone(_)) {
                // A task that panicked is seen in the log; the run then stays as it is.
                let _ = followed.await;
            }
        }
        Ok(())
    }

    /// Where a run's worker is, or is to be.
    async fn place(&self, run_id: i64) -> Result<Place, StoreError> {
        let inner = &self.0;
        let run = inner.store.run(run_id).await?;
        let kind = inner.store.executor_of(run.experiment_id).await?.kind();
        let task = inner
            .store
            .task(run_id)
            .await?
            .map(|(job, key, index)| Task {
                job,
                index,
                folder: inner.directory.submission(run.experiment_id, &key),
            });
        Ok(Place {
            kind,
            queue: match kind {
                ExecutorKind::Local => run.spec.device,
                kind => kind.id().to_owned(),
            },
            job: self.job(run_id, inner.store.attempt(run_id).await?.number, task),
        })
    }

    /// A run's worker, by its attempt.
    fn job(&self, run_id: i64, attempt: u32, task: Option<Task>) -> Job {
        let folder = WorkerFolder::of(&self.0.directory.run(run_id));
        Job {
            folder,
            attempt,
            task,
        }
    }

    /// What happens from now on: stored events with their number, progress, and changes.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.0.news.subscribe()
    }

    fn tell(&self, news: News) {
        // No listener is no error.
        let _ = self.0.news.send(news);
    }

    /// Tells everyone of a change that is in the store by now.
    pub fn tell_change(&self, experiment_id: i64, run_ids: Vec<i64>, change: Change) {
        self.tell(News::Change(ChangeEvent {
            at: now(),
            experiment_id,
            run_ids,
            change,
        }));
    }

    /// Tells everyone of runs that were queued, by experiment, and looks for some to start.
    pub fn queued(&self, runs: BTreeMap<i64, Vec<i64>>) {
        for (experiment_id, run_ids) in runs {
            self.tell_change(experiment_id, run_ids, Change::RunsQueued);
        }
        self.wake();
    }

    /// Slots of `device`.
    pub fn slots(&self, device: &str) -> u32 {
        self.0.slots.of(device)
    }

    /// Why no run of `device`, or of a place by its name, is started, when three starts failed in a row; its queue waits.
    pub fn paused(&self, device: &str) -> Option<String> {
        self.0.starts.paused(device)
    }

    /// Why nothing new is begun anywhere: a full disk, or a store that takes nothing. It goes on by itself.
    pub fn lacking_room(&self) -> Option<String> {
        self.0.room.lacking(&self.0.directory)
    }

    /// Whether the disk is full, or nearly.
    pub fn disk_is_full(&self) -> bool {
        self.0.room.full_disk(&self.0.directory).is_some()
    }

    /// Takes a paused device or place into use again.
    pub fn resume_device(&self, device: &str) {
        self.0.starts.resume(device);
        self.wake();
    }

    /// Places where workers can run.
    pub fn executors(&self) -> &Executors {
        &self.0.executors
    }

    /// Fills in where the run's worker is.
    pub fn with_progress(&self, mut run: Run) -> Run {
        if run.state.is_active()
            && let Some(worker) = lock(&self.0.workers).get(&run.id)
        {
            let executor = self.0.executors.get(worker.place.kind);
            run.job = executor.status(&worker.place.job);
        }
        if run.state == RunState::Running {
            run.progress = lock(&self.0.progress).get(&run.id).cloned();
        }
        run
    }

    /// Looks for runs to start; call it after queueing some.
    pub fn wake(&self) {
        self.0.wake.notify_one();
        self.0.wake_queues.notify_one();
    }

    /// Cancels a run that is queued or running; what it measured is kept. A running one ends within 2 s.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn cancel(&self, run_id: i64) -> Result<(), StoreError> {
        let _handover = self.0.handover.lock().await;
        if !self.tell_to_cancel(run_id) && self.0.store.run(run_id).await?.state == RunState::Queued
        {
            self.publish(run_id, &Event::Cancelled).await?;
        }
        Ok(())
    }

    /// Cancels every run of an experiment that is queued or running.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn cancel_experiment(&self, experiment_id: i64) -> Result<(), StoreError> {
        let _handover = self.0.handover.lock().await;
        let runs_in = |state| self.0.store.run_ids(state, Some(experiment_id));
        let mut waiting = runs_in(RunState::Queued).await?;
        // Runs that wait in another queue have a task that takes them out of it.
        waiting.retain(|&run_id| !self.tell_to_cancel(run_id));
        self.publish_all(&waiting, &Event::Cancelled).await?;
        for run_id in runs_in(RunState::Running).await? {
            self.tell_to_cancel(run_id);
        }
        Ok(())
    }

    /// Tells a run's worker to cancel; `false` when it has none.
    fn tell_to_cancel(&self, run_id: i64) -> bool {
        lock(&self.0.workers)
            .get(&run_id)
            .is_some_and(|worker| worker.commands.send(Command::Cancel).is_ok())
    }

    /// Ends every worker and starts no more; their runs become interrupted.
    pub async fn stop(&self) {
        self.tell_all(Command::Stop).await;
    }

    /// Starts no more workers, and leaves those at work to themselves: the next scheduler finds them. Gives how many.
    pub async fn leave(&self) -> usize {
        self.tell_all(Command::Leave).await
    }

    /// Tells every worker, and waits until none is followed any more; gives how many there were.
    async fn tell_all(&self, command: Command) -> usize {
        self.0.stopping.store(true, Ordering::SeqCst);
        // A worker that is being started now is seen below.
        drop(self.0.handover.lock().await);
        let followed = lock(&self.0.workers).len();
        loop {
            let ended = self.0.ended.notified();
            {
                let workers = lock(&self.0.workers);
                if workers.is_empty() {
                    return followed;
                }
                for worker in workers.values() {
                    // A worker that has just ended no longer listens.
                    let _ = worker.commands.send(command);
                }
            }
            ended.await;
        }
    }

    /// Whether no worker is at work on this machine and none waits for it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_idle(&self) -> Result<bool, StoreError> {
        let here = |worker: &Worker| worker.place.kind == ExecutorKind::Local;
        Ok(!lock(&self.0.workers).values().any(here)
            && self
                .0
                .store
                .count_by_device(RunState::Queued, self.0.scope)
                .await?
                .is_empty())
    }

    /// A run whose worker was lost is tried again, as often as its experiment says.
    async fn lost(&self, run_id: i64, reason: &str) -> Result<(), StoreError> {
        let store = &self.0.store;
        let experiment = store.experiment_of(run_id).await?;
        let retries = store.archived_experiment(experiment).await?.spec.retries;
        let message = reason.to_owned();
        let event = match store.try_again(run_id, retries).await? {
            Some(retried) => {
                self.queued(BTreeMap::from([(experiment, vec![run_id])]));
                supervise::warning(format!("{reason}; tried again ({retried} of {retries})"))
            }
            None => Event::Interrupted { message },
        };
        self.publish(run_id, &event).await.map(|_| ())
    }

    /// Stores an event, then tells everyone. `false` when it came too late to count.
    async fn publish(&self, run_id: i64, event: &Event) -> Result<bool, StoreError> {
        self.publish_at(run_id, event, now()).await
    }

    /// The same for an event at a given time, in milliseconds since 1970-01-01 UTC.
    async fn publish_at(&self, run_id: i64, event: &Event, at: i64) -> Result<bool, StoreError> {
        let _publishing = self.0.publishing.lock().await;
        let stored = self.0.store.record_at(run_id, event, at).await;
        let stored = self.0.room.note(stored)?;
        let counted = stored.is_some();
        if let Some(live) = stored {
            self.tell(News::Event(live));
        }
        Ok(counted)
    }

    /// The same event for many runs, in one transaction.
    async fn publish_all(&self, run_ids: &[i64], event: &Event) -> Result<(), StoreError> {
        let _publishing = self.0.publishing.lock().await;
        let events: Vec<_> = run_ids.iter().map(|&run_id| (run_id, event)).collect();
        for live in self.0.store.record_all(&events).await? {
            self.tell(News::Event(live));
        }
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// Starts runs whenever there is one waiting and a slot free.
    async fn dispatch(&self) {
        loop {
            if let Err(error) = self.fill_slots().await {
                tracing::error!(%error, "cannot look for runs to start; trying again in 5 s");
                tokio::time::sleep(Duration::from_secs(5)).await;
                continue;
            }
            tokio::select! {
                () = self.0.wake.notified() => {}
                // `import-weights` of another process queues runs too, and cannot wake this one.
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn fill_slots(&self) -> Result<(), StoreError> {
        let scope = self.0.scope;
        for (device, _) in self
            .0
            .store
            .count_by_device(RunState::Queued, scope)
            .await?
        {
            loop {
                let _handover = self.0.handover.lock().await;
                if self.is_stopping() {
                    return Ok(());
                }
                if self.paused(&device).is_some() || self.0.room.should_wait(&self.0.directory) {
                    break;
                }
                let running = self
                    .0
                    .store
                    .count_by_device(RunState::Running, scope)
                    .await?;
                let running = running.iter().find(|(name, _)| *name == device);
                if running.map_or(0, |&(_, count)| count) >= self.slots(&device) {
                    break;
                }
                let taken = self.0.store.take_queued(&device, scope).await;
                let Some(run_id) = self.0.room.note(taken)? else {
                    break;
                };
                // A run that cannot be read is ended by whoever follows it.
                let place = self.place(run_id).await.unwrap_or_else(|_| Place {
                    kind: ExecutorKind::Local,
                    queue: device.clone(),
                    job: self.job(run_id, 0, None),
                });
                self.follow(run_id, place, false);
            }
        }
        Ok(())
    }

    /// Looks after a run that is `running` until its end is in the store: until then it has an entry among the workers, so
    /// that it never lacks someone who ends it. Starts its worker unless one is `at_work`.
    fn follow(&self, run_id: i64, place: Place, at_work: bool) -> tokio::task::JoinHandle<()> {
        let (commands, mut receiver) = mpsc::unbounded_channel();
        let worker = Worker {
            commands,
            place: place.clone(),
        };
        lock(&self.0.workers).insert(run_id, worker);
        let scheduler = self.clone();
        tokio::spawn(async move {
            let end = match scheduler.0.store.run(run_id).await {
                Ok(run) => {
                    supervise::supervise(&scheduler, run, &place, at_work, &mut receiver).await
                }
                Err(error @ StoreError::Json(_)) => End::now(Event::Failed {
                    message: format!("the run cannot be read from the store: {error}"),
                }),
                Err(error) => {
                    End::NotStarted(format!("the run cannot be read from the store: {error}"))
                }
            };
            if !matches!(end, End::Left) {
                scheduler.0.executors.get(place.kind).forget(&place.job);
            }
            scheduler.end(run_id, &place.queue, end, receiver).await;
        })
    }

    /// Records how a run ended, now that its worker is gone, and frees its slot; one that never started goes back into the
    /// queue. Tries until the store takes it: a run that stayed `running` without a worker would hold its slot for good.
    async fn end(
        &self,
        run_id: i64,
        queue: &str,
        mut end: End,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        loop {
            let handover = self.0.handover.lock().await;
            // A cancel that no worker has received.
            if matches!(end, End::NotStarted(_)) && commands.try_recv() == Ok(Command::Cancel) {
                end = End::now(Event::Cancelled);
            }
            let recorded = match &end {
                End::Ended(at, event) => self.publish_at(run_id, event, *at).await.map(|_| ()),
                End::Lost(reason) => self.lost(run_id, reason).await,
                End::NotStarted(_) => self.0.store.return_to_queue(run_id).await,
                End::Left => Ok(()),
            };
            if let Err(error) = &recorded {
                tracing::error!(run_id, %error, "cannot record how the run ended; trying again in 1 s");
            }
            // A stopping server does not wait: the next one reads the worker's log to its end.
            if recorded.is_ok() || self.is_stopping() {
                if let End::NotStarted(reason) = &end {
                    self.0.starts.failed(queue, reason);
                }
                lock(&self.0.workers).remove(&run_id);
                lock(&self.0.progress).remove(&run_id);
                break;
            }
            drop(handover);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.0.ended.notify_waiters();
        if let End::NotStarted(reason) = end {
            supervise::warn(
                self,
                run_id,
                format!("not started, and waits again: {reason}"),
            )
            .await;
            tokio::time::sleep(AFTER_FAILED_START).await;
        }
        self.wake();
    }
}
