//! One worker, from its order to the event that ends its run. The worker writes a log and knows nothing of the server; here
//! the log is read to its end, whoever started the worker, and however often the server was started since.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::api::LiveEvent;
use protocol::event::LogLevel;
use protocol::executor::JobStatus;
use protocol::{Event, ExecutorKind, ExecutorSpec, Run, RunState};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::{Command, News, Place, Scheduler};
use crate::clock::now;
use crate::executors::{Cause, Ending, Executor, Job, Submission, WorkerState};
use crate::mutex::lock;
use crate::store::{Attempt, StoreError, end_of};
use crate::worker_folder::{WorkerOrder, lines_after, read_line};

/// How long to wait for a killed worker to be gone.
const DEATH: Duration = Duration::from_millis(300);

/// How long to wait before storing again what the store did not take.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// Lines of standard error that go into the run's log; all of them are in `worker.log`.
const LOGGED_LINES: usize = 200;

/// Lines of standard error that are quoted when a worker dies.
const QUOTED_LINES: usize = 8;

/// How the supervision of a run's worker ended.
pub(super) enum End {
    /// With this event, at this time in milliseconds since 1970-01-01 UTC; still to be recorded.
    Ended(i64, Event),
    /// Its worker was lost, for this reason: something from outside ended it.
    Lost(String),
    /// No worker began, for this reason.
    NotStarted(String),
    /// It is still at work, and no longer followed.
    Left,
}

impl End {
    /// It ended now.
    pub(super) fn now(event: Event) -> End {
        End::Ended(now(), event)
    }
}

/// Starts a worker on `run`, unless one is `at_work` already, and records what it reports; gives how that ended, which is
/// still to be recorded. The worker is gone by then, so that the run can be resumed or deleted.
pub(super) async fn supervise(
    scheduler: &Scheduler,
    run: Run,
    place: &Place,
    at_work: bool,
    commands: &mut UnboundedReceiver<Command>,
) -> End {
    let mut attempt = match scheduler.0.store.attempt(run.id).await {
        Ok(attempt) => attempt,
        Err(error) => return End::NotStarted(format!("the store cannot be read: {error}")),
    };
    let job = place.job.clone();
    if !at_work {
        attempt.errors_offset = length(&job);
        if let Err(reason) = start(scheduler, &run, &job).await {
            return End::NotStarted(reason);
        }
    }
    let follower = Follower {
        scheduler,
        executor: scheduler.0.executors.get(place.kind).clone(),
        queue: &place.queue,
        run: &run,
        job,
        attempt,
        quoted: VecDeque::new(),
        logged: 0,
        // A worker that waits in another queue has written nothing yet.
        began: at_work && run.state == RunState::Running,
        status: None,
        end: None,
        seen: None,
    };
    follower.follow(commands).await
}

fn length(job: &Job) -> u64 {
    std::fs::metadata(job.folder.errors()).map_or(0, |file| file.len())
}

/// Writes the order for a run's next worker.
pub(super) async fn order(scheduler: &Scheduler, run: &Run, job: &Job) -> Result<(), String> {
    let inner = &scheduler.0;
    let key = inner.store.run_key(run.id).await;
    let key = key.map_err(|error| format!("cannot read the run's key: {error}"))?;
    let experiment = inner.store.archived_experiment(run.experiment_id).await;
    let experiment = experiment.map_err(|error| format!("cannot read the experiment: {error}"))?;
    let order = WorkerOrder {
        attempt: job.attempt,
        experiment_id: run.experiment_id,
        experiment,
        spec: run.spec.clone(),
        later_evaluations: run.later_evaluations.clone(),
        key,
        known_result: run.result.clone(),
    };
    let folder = job.folder.run().display();
    job.folder
        .order(&order)
        .map_err(|error| format!("cannot write to the run's folder {folder}: {error}"))
}

/// Starts a worker on this machine.
async fn start(scheduler: &Scheduler, run: &Run, job: &Job) -> Result<(), String> {
    order(scheduler, run, job).await?;
    let inner = &scheduler.0;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let submission = Submission {
        key: "",
        folder: job.folder.run().to_owned(),
        jobs: std::slice::from_ref(job),
        arrays: 1,
        datasets: inner.directory.datasets().to_owned(),
        threads: (cores / scheduler.slots(&run.spec.device) as usize).max(1),
        settings: &ExecutorSpec::Local,
    };
    let local = inner.executors.get(ExecutorKind::Local);
    local.submit(&submission).map(|_| ())
}

/// What is known of a worker from its logs.
struct Follower<'a> {
    scheduler: &'a Scheduler,
    executor: Arc<dyn Executor>,
    /// What is paused when starts fail.
    queue: &'a str,
    run: &'a Run,
    job: Job,
    attempt: Attempt,
    quoted: VecDeque<String>,
    logged: usize,
    began: bool,
    /// What its place said of it last.
    status: Option<JobStatus>,
    /// The event that ends the run, when it was reported, and when it was read.
    end: Option<(i64, Event, Instant)>,
    /// When the last published progress was written.
    seen: Option<SystemTime>,
}

impl Follower<'_> {
    async fn follow(mut self, commands: &mut UnboundedReceiver<Command>) -> End {
        let executor = self.executor.clone();
        let pace = executor.pace();
        let (mut first_command, mut killed) = (None::<(Command, Instant)>, None::<Instant>);
        let mut gone = None::<Instant>;
        let ending = loop {
            // Polled before the log is read, so that everything is read from a worker that is gone.
            let standing = executor.poll(&self.job);
            let more = self.read(commands).await;
            self.tell_progress();
            self.tell_status().await;
            if pace.exit.is_none() && self.end.is_some() {
                break None;
            }
            match standing {
                // Its last output may take a while to be seen here.
                WorkerState::Gone(ending)
                    if !more && gone.get_or_insert_with(Instant::now).elapsed() >= pace.settle =>
                {
                    break ending;
                }
                WorkerState::Gone(_) => {}
                WorkerState::Waiting | WorkerState::AtWork => gone = None,
            }
            let patience = match (&first_command, &self.end) {
                (Some((_, at)), _) => Some(*at + pace.grace),
                (None, Some((_, _, at))) => pace.exit.map(|exit| *at + exit),
                (None, None) => None,
            };
            match (killed, patience) {
                (Some(at), _) if at.elapsed() > DEATH => break None,
                (None, Some(until)) if Instant::now() > until => {
                    executor.kill(&self.job);
                    killed = Some(Instant::now());
                }
                _ => {}
            }
            if more {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(pace.look) => {}
                Some(command) = commands.recv() => match command {
                    Command::Leave => return End::Left,
                    // Jobs elsewhere, waiting or at work, go on without this process.
                    Command::Stop if self.job.task.is_some() => return End::Left,
                    Command::Cancel if first_command.is_none() => {
                        first_command = Some((command, Instant::now()));
                        let cancelled = self.job.folder.cancel();
                        if let Err(error) = &cancelled {
                            tracing::warn!(run = self.run.id, %error, "cannot ask the worker to end; it is killed");
                        }
                        if cancelled.is_err() || executor.poll(&self.job) == WorkerState::Waiting {
                            executor.kill(&self.job);
                            killed = Some(Instant::now());
                        }
                    }
                    Command::Stop if first_command.is_none_or(|(command, _)| command == Command::Cancel) => {
                        first_command = first_command.or(Some((command, Instant::now())));
                        executor.stop(&self.job);
                    }
                    Command::Cancel | Command::Stop => {}
                },
            }
        };
        let killed = killed.is_some();
        self.ended(ending, first_command.map(|(command, _)| command), killed)
            .await
    }

    /// How the run ended, now that its worker is gone.
    async fn ended(self, ending: Option<Ending>, command: Option<Command>, killed: bool) -> End {
        let how = match &ending {
            // `exit status: 1`, or `signal: 9 (SIGKILL)`.
            Some(ending) => format!("ended with {}", ending.description),
            None if killed => "had to be killed".into(),
            None => "is gone".into(),
        };
        match (self.end, command) {
            (Some((at, event, _)), _) => {
                if killed || ending.is_some_and(|ending| ending.cause != Cause::Success) {
                    let message = format!("after its last event the worker {how}");
                    warn(self.scheduler, self.run.id, message).await;
                }
                End::Ended(at, event)
            }
            (None, Some(Command::Cancel)) => End::now(Event::Cancelled),
            (None, Some(Command::Stop | Command::Leave)) => End::now(Event::Interrupted {
                message: "the server was stopped".into(),
            }),
            (None, None) => {
                let mut quoted = self.quoted;
                quoted.extend(self.executor.last_words(&self.job));
                let message = format!("the worker {how} before the run's end{}", quote(&quoted));
                let cause = ending.map(|ending| ending.cause);
                if !self.began && cause != Some(Cause::Cancelled) {
                    self.scheduler.0.starts.failed(self.queue, &message);
                }
                match cause {
                    // A worker that exits by itself without a word would do so again.
                    Some(Cause::Success | Cause::Failure) => End::now(Event::Failed { message }),
                    Some(Cause::Cancelled) => End::now(Event::Interrupted { message }),
                    Some(Cause::Outside) | None => End::Lost(message),
                }
            }
        }
    }

    /// Stores what is new in the worker's logs, up to the event that ends the run; gives whether there was anything. While
    /// the store does not take it, nothing of it is lost, and the worker goes on.
    async fn read(&mut self, commands: &mut UnboundedReceiver<Command>) -> bool {
        let before = self.attempt;
        let logs = self.read_events().and_then(|mut read| {
            read.extend(self.read_errors()?);
            Ok(read)
        });
        let read = match logs {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(run = self.run.id, %error, "the worker's log cannot be read");
                return false;
            }
        };
        if self.attempt == before {
            return false;
        }
        while let Err(error) = self.record(&read).await {
            tracing::error!(run = self.run.id, %error, "events cannot be stored; trying again in 1 s");
            tokio::time::sleep(STORE_AGAIN).await;
            if self.scheduler.is_stopping() && !commands.is_empty() {
                // They are in the log, and read again after the next start.
                self.attempt = before;
                self.end = None;
                return false;
            }
        }
        true
    }

    async fn record(&self, read: &[(i64, Event)]) -> Result<(), StoreError> {
        let inner = &self.scheduler.0;
        let _publishing = inner.publishing.lock().await;
        let stored = inner
            .store
            .record_read(self.run.id, read, self.attempt)
            .await;
        for live in inner.room.note(stored)? {
            self.scheduler.tell(News::Event(live));
        }
        Ok(())
    }

    fn read_events(&mut self) -> io::Result<Vec<(i64, Event)>> {
        if self.end.is_some() {
            return Ok(Vec::new()); // The first end counts.
        }
        let path = self.job.folder.events(self.attempt.number);
        let (bytes, offset) = lines_after(&path, self.attempt.events_offset)?;
        let mut read = Vec::new();
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (at, event) = parse(line);
            let event = match event {
                Ok(event) if end_of(&event).is_some() => {
                    self.end = Some((at, event, Instant::now()));
                    self.begin();
                    // Its line is read again by whoever records it, should this process not live to do so.
                    return Ok(read);
                }
                Ok(event) => {
                    self.begin();
                    event
                }
                Err(noise) => noise,
            };
            self.attempt.events_offset += line.len() as u64;
            read.push((at, event));
        }
        debug_assert_eq!(self.attempt.events_offset, offset, "every line is counted");
        Ok(read)
    }

    fn begin(&mut self) {
        if !self.began {
            self.began = true;
            self.scheduler.0.starts.succeeded(self.queue);
        }
    }

    fn read_errors(&mut self) -> io::Result<Vec<(i64, Event)>> {
        let (bytes, offset) = lines_after(&self.job.folder.errors(), self.attempt.errors_offset)?;
        self.attempt.errors_offset = offset;
        let mut read = Vec::new();
        for line in bytes
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            // What a driver prints need not be UTF-8.
            let line = String::from_utf8_lossy(line);
            if self.quoted.len() == QUOTED_LINES {
                self.quoted.pop_front();
            }
            self.quoted.push_back(line.chars().take(500).collect());
            self.logged += 1;
            if self.logged <= LOGGED_LINES {
                read.push((now(), warning(line.chars().take(2000).collect())));
            }
        }
        Ok(read)
    }

    /// Tells everyone where its job stands, when that is news; another state also goes into the run's log.
    async fn tell_status(&mut self) {
        let status = self.executor.status(&self.job);
        let Some(status) = status.filter(|status| self.status.as_ref() != Some(status)) else {
            return;
        };
        let is_new_state = self
            .status
            .as_ref()
            .is_none_or(|known| known.state != status.state);
        self.status = Some(status.clone());
        if is_new_state {
            let event = Event::Log {
                level: LogLevel::Info,
                message: status.words(),
            };
            log(self.scheduler, self.run.id, event).await;
        }
        self.tell_unstored(Event::Job(status));
    }

    /// Publishes an event that is not stored.
    fn tell_unstored(&self, event: Event) {
        self.scheduler.tell(News::Event(LiveEvent {
            sequence: None,
            at: now(),
            experiment_id: self.run.experiment_id,
            run_id: self.run.id,
            event,
        }));
    }

    fn tell_progress(&mut self) {
        let Some((written, mut progress)) = self.job.folder.progress(self.seen) else {
            return;
        };
        self.seen = Some(written);
        let inner = &self.scheduler.0;
        // When it was written: the worker goes on while no server runs, and may hang meanwhile.
        let since = written.duration_since(std::time::UNIX_EPOCH).ok();
        progress.heard_at = since.map(|since| since.as_millis() as i64);
        lock(&inner.progress).insert(self.run.id, progress.clone());
        self.tell_unstored(Event::Progress(progress));
    }
}

/// A line of a worker's log: its time, and its event, or a warning that it is none.
fn parse(line: &[u8]) -> (i64, Result<Event, Event>) {
    match read_line(line) {
        Ok((at, event)) => (at.unwrap_or_else(now), Ok(event)),
        Err(error) => {
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end();
            let noise = format!("the worker wrote a line that is no event ({error}): {line:.200}");
            (now(), Err(warning(noise)))
        }
    }
}

/// A line for the run's log.
pub(super) fn warning(message: String) -> Event {
    Event::Log {
        level: LogLevel::Warning,
        message,
    }
}

/// Puts a warning into the run's log.
pub(super) async fn warn(scheduler: &Scheduler, run_id: i64, message: String) {
    log(scheduler, run_id, warning(message)).await;
}

async fn log(scheduler: &Scheduler, run_id: i64, line: Event) {
    if let Err(error) = scheduler.publish(run_id, &line).await {
        tracing::warn!(run_id, %error, "cannot write to the run's log");
    }
}

fn quote(lines: &VecDeque<String>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    format!("; its last words:\n{}", lines.join("\n"))
}
