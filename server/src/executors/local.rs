//! Workers on this machine, each a process that outlives the server.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Cause, Ending, Executor, Job, Submission, Timing, WorkerState};
use crate::mutex::lock;

/// See the module's text.
#[derive(Debug)]
pub struct Local {
    executable: PathBuf,
    /// Workers that this process started: only their parent learns how they end.
    children: Mutex<HashMap<(PathBuf, u32), Started>>,
}

#[derive(Debug)]
enum Started {
    Running(Child),
    Ended(Option<ExitStatus>),
}

impl Local {
    /// Workers are `executable worker …`.
    pub fn new(executable: PathBuf) -> Local {
        Local {
            executable,
            children: Mutex::default(),
        }
    }

    /// The process of a worker that is at work.
    fn process(&self, job: &Job) -> Option<u32> {
        let children = lock(&self.children);
        match children.get(&key(job)) {
            Some(Started::Running(child)) => Some(child.id()),
            Some(Started::Ended(_)) => None,
            None => job
                .folder
                .is_at_work(job.attempt)
                .then(|| job.folder.process())?
                .map(|process| process.process),
        }
    }

    fn start(&self, job: &Job, submission: &Submission<'_>) -> Result<(), String> {
        let append = |path: &Path| -> Result<File, String> {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.map_err(|error| format!("cannot write {}: {error}", path.display()))
        };
        let child = Command::new(&self.executable)
            .arg("worker")
            .arg("--run-directory")
            .arg(job.folder.run())
            .arg("--datasets")
            .arg(&submission.datasets)
            .arg("--attempt")
            .arg(job.attempt.to_string())
            .env("RAYON_NUM_THREADS", submission.threads.to_string())
            .stdin(Stdio::null())
            .stdout(append(&job.folder.events(job.attempt))?)
            .stderr(append(&job.folder.errors())?)
            // Ctrl-C in a terminal is for the server.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start a worker: {error}"))?;
        let mut children = lock(&self.children);
        children.retain(|(folder, _), _| folder != job.folder.run());
        children.insert(key(job), Started::Running(child));
        Ok(())
    }

    fn signal(&self, job: &Job, signal: Signal) {
        // A worker leads its own process group: its children are ended with it.
        let group = self
            .process(job)
            .and_then(|process| Pid::from_raw(i32::try_from(process).ok()?));
        if let Some(group) = group
            && let Err(error) = kill_process_group(group, signal)
        {
            tracing::warn!(?job, ?signal, %error, "a worker cannot be signalled");
        }
    }
}

fn key(job: &Job) -> (PathBuf, u32) {
    (job.folder.run().to_owned(), job.attempt)
}

impl Executor for Local {
    fn describe(&self) -> Result<String, String> {
        Ok("this machine".into())
    }

    fn submit(&self, submission: &Submission<'_>) -> Result<Option<u64>, String> {
        for job in submission.jobs {
            self.start(job, submission)?;
        }
        Ok(None)
    }

    fn poll(&self, job: &Job) -> WorkerState {
        let mut children = lock(&self.children);
        let Some(started) = children.get_mut(&key(job)) else {
            return match job.folder.is_at_work(job.attempt) {
                true => WorkerState::AtWork,
                false => WorkerState::Gone(None),
            };
        };
        if let Started::Running(child) = started {
            match child.try_wait() {
                Ok(None) => return WorkerState::AtWork,
                Ok(status) => *started = Started::Ended(status),
                Err(error) => {
                    tracing::warn!(?job, %error, "a worker cannot be waited for");
                    *started = Started::Ended(None);
                }
            }
        }
        let Started::Ended(status) = started else {
            return WorkerState::AtWork;
        };
        WorkerState::Gone(status.map(|status| Ending {
            description: status.to_string(),
            cause: match (status.success(), status.signal()) {
                (true, _) => Cause::Success,
                (false, None) => Cause::Failure,
                (false, Some(_)) => Cause::Outside,
            },
        }))
    }

    fn stop(&self, job: &Job) {
        self.signal(job, Signal::TERM);
    }

    fn kill(&self, job: &Job) {
        self.signal(job, Signal::KILL);
    }

    fn pace(&self) -> Timing {
        Timing {
            look: Duration::from_millis(40),
            grace: Duration::from_millis(1200),
            settle: Duration::ZERO,
            exit: Some(Duration::from_secs(10)),
        }
    }
}
