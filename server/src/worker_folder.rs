//! Files that a server and a worker exchange, in `runs/<id>/worker/`. Nothing else joins the two: either may end and be
//! started again without the other, on another machine even, as long as both see the folder.
//!
//! | file | written by | what it is |
//! |---|---|---|
//! | `order.json` | server | what to do, and for which attempt; a worker of another attempt ends itself |
//! | `lock` | worker | locked for as long as the worker lives: two can never write |
//! | `process.json` | worker | its attempt, process and start: the server finds it again by that |
//! | `events-N.jsonl` | worker | the events of attempt N, one a line, flushed to disk |
//! | `progress.json` | worker | where it is; replaced at most a few times a second, and its heartbeat |
//! | `cancel` | server | ends the run after the current step |

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use protocol::event::Progress;
use protocol::{EvaluationSpec, Event, RunResult, RunSpec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::archived::ArchivedExperiment;
use crate::directory::remove_file;
use crate::lock::{LockedFile, Locking};

/// The most bytes of a log that are read at once.
const READ_AT_ONCE: u64 = 4 << 20;

/// What a worker is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerOrder {
    /// Counts the run's workers, from 1.
    pub attempt: u32,
    /// The number of the run's experiment.
    pub experiment_id: i64,
    /// The experiment, so that a store that is lost can be made anew from run folders.
    pub experiment: ArchivedExperiment,
    /// The run.
    pub spec: RunSpec,
    /// Evaluations that were asked for after its launch.
    pub later_evaluations: Vec<EvaluationSpec>,
    /// The run's key, unique among the runs of all stores.
    pub key: String,
    /// Its result, where the store has one.
    pub known_result: Option<RunResult>,
}

/// Which process a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The worker's attempt.
    pub attempt: u32,
    /// Its number on its machine.
    pub process: u32,
    /// When it started, in clock ticks since its machine did: numbers of processes are used again. 0 where that cannot be
    /// known.
    pub started: u64,
}

impl Process {
    /// This process.
    pub fn this(attempt: u32) -> Process {
        let process = std::process::id();
        Process {
            attempt,
            process,
            started: started(process).unwrap_or(0),
        }
    }

    /// Whether a process of this number and start is there.
    pub fn is_there(&self) -> bool {
        started(self.process).map_or(self.started == 0, |started| started == self.started)
    }
}

/// When a process started, in clock ticks since the machine did (proc(5), `stat`, field 22); `None` when there is none.
fn started(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state is field 3.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()
}

/// The folder of a run's worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerFolder {
    run: PathBuf,
    path: PathBuf,
}

impl WorkerFolder {
    /// The worker folder of the run whose folder is `run`.
    pub fn of(run: &Path) -> WorkerFolder {
        WorkerFolder {
            run: run.to_owned(),
            path: run.join(engine::training::run_folder::WORKER_FOLDER),
        }
    }

    /// The run's own folder.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The events of an attempt.
    pub fn events(&self, attempt: u32) -> PathBuf {
        self.path.join(format!("events-{attempt}.jsonl"))
    }

    /// What workers wrote to standard error, one attempt after the other.
    pub fn errors(&self) -> PathBuf {
        self.run.join("worker.log")
    }

    /// Writes the order for the next worker, and removes the cancellation and the progress of the previous one.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn order(&self, order: &WorkerOrder) -> io::Result<()> {
        std::fs::create_dir_all(&self.path)?;
        for name in ["cancel", "progress.json"] {
            remove_file(&self.path.join(name))?;
        }
        // Left by a run of the same number in another store: no attempt of this run begins twice.
        let events = self.events(order.attempt);
        if events.exists() {
            engine::base::files::set_aside(&events, "earlier").map_err(io::Error::other)?;
        }
        self.replace("order.json", order)
    }

    /// The current order.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read_order(&self) -> io::Result<WorkerOrder> {
        self.read("order.json")
    }

    /// Whether the order is for attempt `attempt` of the run with `key`. `false` without an order, so that the worker of a
    /// deleted run ends.
    pub fn wants(&self, key: &str, attempt: u32) -> bool {
        #[derive(Deserialize)]
        struct Order {
            attempt: u32,
            key: String,
        }
        self.read("order.json")
            .is_ok_and(|order: Order| order.attempt == attempt && order.key == key)
    }

    /// Asks the worker to end its run as cancelled.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn cancel(&self) -> io::Result<()> {
        File::create(self.path.join("cancel")).map(|_| ())
    }

    /// Whether [`WorkerFolder::cancel`] was called since the order.
    pub fn is_cancelled(&self) -> bool {
        self.path.join("cancel").exists()
    }

    /// Says which process the worker is.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn say_process(&self, process: &Process) -> io::Result<()> {
        self.replace("process.json", process)
    }

    /// The worker that was last at work here.
    pub fn process(&self) -> Option<Process> {
        self.read("process.json").ok()
    }

    /// Says where the run is.
    ///
    /// # Errors
    /// When the folder cannot be written; it may be gone.
    pub fn say_progress(&self, progress: &Progress) -> io::Result<()> {
        self.replace("progress.json", progress)
    }

    /// Where the run is, when that was said after `since`, and when it was said.
    pub fn progress(&self, since: Option<SystemTime>) -> Option<(SystemTime, Progress)> {
        let path = self.path.join("progress.json");
        let written = std::fs::metadata(&path).ok()?.modified().ok()?;
        if since.is_some_and(|since| written <= since) {
            return None;
        }
        Some((written, self.read("progress.json").ok()?))
    }

    /// Locks the folder for this process, until it ends; `None` while another worker has it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn lock(&self) -> io::Result<Option<LockedFile>> {
        match LockedFile::open(&self.path.join("lock"))? {
            Locking::Ours(file) => Ok(Some(file)),
            Locking::Held(_) => Ok(None),
        }
    }

    /// Whether the worker of `attempt` has the lock.
    pub fn is_at_work(&self, attempt: u32) -> bool {
        self.process()
            .is_some_and(|process| process.attempt == attempt && process.is_there())
            && matches!(self.lock(), Ok(None))
    }

    /// Replaces a file in one step, not flushed to disk: it need not outlive a crash of the machine.
    fn replace(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .suffix(".part")
            .tempfile_in(&self.path)?;
        serde_json::to_writer(&mut file, value)?;
        file.persist(self.path.join(name))?;
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        Ok(serde_json::from_slice(&std::fs::read(
            self.path.join(name),
        )?)?)
    }
}

/// One line of a worker's log, as it is written.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// When it happened, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// Counts the lines of the attempt, from 1.
    pub number: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: &'a Event,
}

/// Reads a line of a worker's log: when it happened, where it says so, and what.
///
/// # Errors
/// When it is no event: a driver may print there, and a line may have been cut off.
pub fn read_line(line: &[u8]) -> Result<(Option<i64>, Event), serde_json::Error> {
    #[derive(Deserialize)]
    struct Time {
        at: i64,
    }
    let event = serde_json::from_slice(line)?;
    let time: Option<Time> = serde_json::from_slice(line).ok();
    Ok((time.map(|time| time.at), event))
}

/// The whole lines of the file at `path` from `offset` on, and where they end. Of a very long line, or one that is still
/// being written, nothing is given yet.
///
/// # Errors
/// When the file cannot be read; no file has no lines.
pub fn lines_after(path: &Path, offset: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), offset)),
        file => file?,
    };
    let length = file.metadata()?.len();
    if length <= offset {
        return Ok((Vec::new(), offset));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut limit = READ_AT_ONCE;
    loop {
        let mut bytes = Vec::new();
        file.by_ref().take(limit).read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        if whole == 0 && bytes.len() as u64 == limit {
            // One line longer than what is read at once.
            limit *= 2;
            file.seek(SeekFrom::Start(offset))?;
            continue;
        }
        bytes.truncate(whole);
        return Ok((bytes, offset + whole as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a line is read in part, twice, or never.
    #[test]
    fn lines_are_read_once_and_whole() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events-1.jsonl");
        assert_eq!(lines_after(&path, 0).unwrap(), (vec![], 0));
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let (lines, offset) = lines_after(&path, 0).unwrap();
        assert_eq!((&lines[..], offset), (&b"one\n"[..], 4));
        assert_eq!(lines_after(&path, offset).unwrap(), (vec![], 4));
        file.write_all(b"o\n").unwrap();
        assert_eq!(lines_after(&path, offset).unwrap(), (b"two\n".to_vec(), 8));
        let long = vec![b'x'; READ_AT_ONCE as usize * 3];
        file.write_all(&long).unwrap();
        file.write_all(b"\nend\n").unwrap();
        let (lines, end) = lines_after(&path, 8).unwrap();
        assert!(lines.starts_with(&long) && end >= 8 + long.len() as u64);
    }

    /// Breaks when a worker of an earlier attempt, or a process that has its number by now, counts as at work.
    #[test]
    fn a_worker_is_known_by_attempt_process_start_and_lock() {
        let folder = tempfile::tempdir().unwrap();
        let folder = WorkerFolder::of(folder.path());
        std::fs::create_dir_all(&folder.path).unwrap();
        let this = Process::this(2);
        assert!(!folder.is_at_work(2));
        folder.say_process(&this).unwrap();
        assert!(!folder.is_at_work(2), "it has no lock");
        let lock = folder.lock().unwrap().unwrap();
        assert!(folder.is_at_work(2) && !folder.is_at_work(1));
        let earlier = Process {
            started: this.started + 1,
            ..this
        };
        folder.say_process(&earlier).unwrap();
        assert!(!folder.is_at_work(2), "another process of that number");
        drop(lock);
    }
}
