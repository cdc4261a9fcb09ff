//! Where workers run: one file per kind of place. An executor starts and ends workers; it does not know what they do, since
//! that is in their run's folder ([`crate::worker_folder`]). Another kind of place is one file here, one line in
//! [`Executors::new`] and its settings in [`protocol::executor`].

mod local;
mod slurm;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::executor::JobStatus;
use protocol::{ExecutorKind, ExecutorSpec};

pub use local::Local;
pub use slurm::{SCRIPT_FILE, Slurm, preview};

use crate::worker_folder::WorkerFolder;

/// One worker of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The run's folder.
    pub folder: WorkerFolder,
    /// Counts the run's workers, from 1.
    pub attempt: u32,
    /// Which job of which submission it is, in a place with a queue of its own.
    pub task: Option<Task>,
}

/// A job of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The submission's number in that place.
    pub job: u64,
    /// The job's place in the submission, from 0.
    pub index: u32,
    /// Where the submission's files are.
    pub folder: PathBuf,
}

/// Workers that are handed over together.
#[derive(Debug)]
pub struct Submission<'a> {
    /// Its unique key.
    pub key: &'a str,
    /// Where it may leave files.
    pub folder: PathBuf,
    /// The workers, whose orders are in their runs' folders.
    pub jobs: &'a [Job],
    /// The folder with the data sets.
    pub datasets: PathBuf,
    /// Into how many submissions the experiment is split.
    pub arrays: usize,
    /// Threads that a worker may compute with, where the place does not say so itself.
    pub threads: usize,
    /// What the experiment asks of the place.
    pub settings: &'a ExecutorSpec,
}

/// The state of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerState {
    /// It has not begun, or waits to go on.
    Waiting,
    /// It is at work, or about to be.
    AtWork,
    /// It is gone; says how it ended where that is known.
    Gone(Option<Ending>),
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In words, for example `exit status: 1`, `signal: 9 (SIGKILL)` or `NODE_FAIL`.
    pub description: String,
    /// What caused it.
    pub cause: Cause,
}

/// What caused the end of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It ended by itself and says that all went well.
    Success,
    /// It ended by itself and says that something failed.
    Failure,
    /// Something from outside ended it: a full memory, a driver that crashed, a machine that went down. It can be tried again.
    Outside,
    /// A person ended it there.
    Cancelled,
}

/// How often a place is looked at, and how much time it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How often a worker's log is looked at.
    pub look: Duration,
    /// How long a worker may take to end by itself after it was told to.
    pub grace: Duration,
    /// How long the last output of a worker that is gone may take to be seen here.
    pub settle: Duration,
    /// How long a worker may take to exit after its last event; `None` if that is not waited for.
    pub exit: Option<Duration>,
}

/// A place where workers run.
pub trait Executor: Send + Sync {
    /// Its name and version.
    ///
    /// # Errors
    /// When it cannot be used from here, with the reason.
    fn describe(&self) -> Result<String, String>;

    /// Hands workers over; gives the submission's number where the place has a queue of its own. May take seconds.
    ///
    /// # Errors
    /// When that failed, with the reason. In a place with a queue the submission may exist nevertheless: see
    /// [`Executor::find`].
    fn submit(&self, submission: &Submission<'_>) -> Result<Option<u64>, String>;

    /// The most workers that are handed over together.
    fn most_together(&self) -> usize {
        1
    }

    /// The number of the submission with `key`; `None` when there is none. May take seconds.
    ///
    /// # Errors
    /// When the place does not answer, with the reason.
    fn find(&self, _key: &str) -> Result<Option<u64>, String> {
        Ok(None)
    }

    /// The state of a worker that was submitted, by this process or an earlier one.
    fn poll(&self, job: &Job) -> WorkerState;

    /// The place's own status of a job.
    fn status(&self, _job: &Job) -> Option<JobStatus> {
        None
    }

    /// The last lines that a job left outside its run's folder.
    fn last_words(&self, _job: &Job) -> Vec<String> {
        Vec::new()
    }

    /// Asks a worker to end at its next step; its run can go on from its last checkpoint.
    fn stop(&self, job: &Job);

    /// Ends a worker at once.
    fn kill(&self, job: &Job);

    /// Forgets a job whose run has ended.
    fn forget(&self, _job: &Job) {}

    /// How often it is looked at.
    fn pace(&self) -> Timing;
}

/// Every place.
#[derive(Clone)]
pub struct Executors(Vec<(ExecutorKind, Arc<dyn Executor>)>);

impl Executors {
    /// Places whose workers are `executable worker …`.
    pub fn new(executable: PathBuf) -> Executors {
        Executors(vec![
            (
                ExecutorKind::Local,
                Arc::new(Local::new(executable.clone())) as Arc<dyn Executor>,
            ),
            (ExecutorKind::Slurm, Arc::new(Slurm::new(executable))),
        ])
    }

    /// The place of one kind.
    pub fn get(&self, kind: ExecutorKind) -> &Arc<dyn Executor> {
        let entry = self.0.iter().find(|(known, _)| *known == kind);
        // Every kind is in the list; the first is this machine.
        &entry.unwrap_or(&self.0[0]).1
    }

    /// Places with a queue of their own.
    pub fn with_queues(&self) -> impl Iterator<Item = (ExecutorKind, &Arc<dyn Executor>)> {
        self.0
            .iter()
            .filter(|(kind, _)| *kind != ExecutorKind::Local)
            .map(|(kind, executor)| (*kind, executor))
    }
}
