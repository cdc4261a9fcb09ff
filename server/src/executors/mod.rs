//! Where workers run: one kind of place a file. An executor starts workers and ends them; what they do, it neither knows nor
//! hears, since that is in their run's folder ([`crate::worker_folder`]).

mod local;

use std::path::PathBuf;

pub use local::Local;

use crate::worker_folder::WorkerFolder;

/// One worker of a run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The run's folder.
    pub folder: WorkerFolder,
    /// Counts the run's workers, from 1.
    pub attempt: u32,
}

/// What a worker needs besides its order.
#[derive(Debug, Clone)]
pub struct Needs {
    /// The folder with the data sets.
    pub datasets: PathBuf,
    /// The folder where checks of devices are kept.
    pub device_checks: PathBuf,
    /// Threads that it may compute with.
    pub threads: usize,
}

/// How it stands with a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is at work, or about to be.
    AtWork,
    /// It is gone; says how it ended where that is known, for example `exit status: 1` or `signal: 9 (SIGKILL)`.
    Gone(Option<Ending>),
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In words.
    pub description: String,
    /// Whether it said that all went well.
    pub success: bool,
    /// Whether something from outside ended it: a person, a full memory, a driver that crashed. It can be tried again then.
    pub by_signal: bool,
}

/// A place where workers run.
pub trait Executor: Send + Sync {
    /// Starts a worker on the order that stands in its run's folder.
    ///
    /// # Errors
    /// When it cannot be started, with the reason.
    fn submit(&self, job: &Job, needs: &Needs) -> Result<(), String>;

    /// How it stands with a worker that was submitted, by this process or an earlier one.
    fn poll(&self, job: &Job) -> Standing;

    /// Asks a worker to end at its next step; its run can go on from its last checkpoint.
    fn stop(&self, job: &Job);

    /// Ends a worker at once.
    fn kill(&self, job: &Job);
}
