//! The states of our jobs in Slurm: one query for all of them now and then, and the last answer in between.
//!
//! Three things are told apart. A job that Slurm names has the state that Slurm names. A job that Slurm does not name, in two
//! answers one after the other, has left its queue; `sacct` is asked how, where there is one. While Slurm does not answer,
//! nothing is known, and nothing is concluded.

use std::collections::{BTreeSet, HashMap};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::executor::JobStatus;

use super::super::{Cause, Ending, WorkerState};
use crate::mutex::lock;

/// How often Slurm is asked, at most.
const INTERVAL: Duration = Duration::from_secs(30);

/// How rarely it is asked while it does not answer.
const LONGEST_INTERVAL: Duration = Duration::from_secs(300);

/// Answers without a job after which it has left the queue. It is not in the first when it was submitted meanwhile.
const ABSENCES: u32 = 2;

/// How long a command of Slurm may take.
const TIMEOUT_SECONDS: &str = "60";

/// A job: its array's number and its place there.
pub(super) type JobId = (u64, u32);

/// What is known of jobs.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Mutex<Known>,
    /// There is a job to ask for.
    wake: Condvar,
    interval: Duration,
}

#[derive(Debug, Default)]
struct Known {
    jobs: HashMap<JobId, Entry>,
    /// Whether a thread asks.
    asking: bool,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    status: Option<JobStatus>,
    /// Answers in a row that did not name it.
    absences: u32,
    /// What `sacct` said of it, once it had left the queue.
    accounted: bool,
}

impl Queue {
    /// Knows nothing yet. Tests ask more often than people's clusters would like: `SELECTIVITY_LAB_SLURM_SECONDS`.
    pub(super) fn new() -> Queue {
        let seconds = std::env::var("SELECTIVITY_LAB_SLURM_SECONDS").ok();
        let seconds = seconds.and_then(|seconds| seconds.parse().ok());
        Queue(Arc::new(Inner {
            known: Mutex::default(),
            wake: Condvar::new(),
            interval: seconds.map_or(INTERVAL, |seconds: f64| {
                Duration::from_secs_f64(seconds.clamp(0.2, 3600.0))
            }),
        }))
    }

    /// The state of a job, as far as is known. From now on Slurm is asked for it.
    pub(super) fn standing(&self, job: JobId) -> WorkerState {
        let mut known = self.known();
        let unknown = !known.jobs.contains_key(&job);
        let standing = known.jobs.entry(job).or_default().standing();
        if unknown {
            self.ask(&mut known);
        }
        standing
    }

    /// What Slurm said of a job last.
    pub(super) fn status(&self, job: JobId) -> Option<JobStatus> {
        self.known().jobs.get(&job)?.status.clone()
    }

    /// Slurm need not be asked for a job any more.
    pub(super) fn forget(&self, job: JobId) {
        self.known().jobs.remove(&job);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0.known)
    }

    /// Wakes the thread that asks, or starts it.
    fn ask(&self, known: &mut Known) {
        if known.asking {
            self.0.wake.notify_one();
            return;
        }
        let queue = self.clone();
        let started = std::thread::Builder::new()
            .name("slurm".into())
            .spawn(move || queue.keep_asking());
        match started {
            Ok(_) => known.asking = true,
            Err(error) => {
                tracing::error!(%error, "cannot ask Slurm for its jobs; trying again with the next")
            }
        }
    }

    fn keep_asking(self) {
        let mut interval = self.0.interval;
        loop {
            let jobs: Vec<JobId> = {
                let mut known = self.known();
                while known.jobs.is_empty() {
                    known = self
                        .0
                        .wake
                        .wait(known)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                known.jobs.keys().copied().collect()
            };
            let began = Instant::now();
            match squeue(&jobs) {
                Ok(answer) => {
                    interval = self.0.interval;
                    let absent = self.heard(&jobs, &answer);
                    if !absent.is_empty() {
                        // Without accounting this is empty: the job is gone, and nobody knows how.
                        let statuses = sacct(&absent).unwrap_or_default();
                        self.accounted(&absent, &statuses);
                    }
                }
                Err(reason) => {
                    interval = (interval * 2).min(LONGEST_INTERVAL.max(self.0.interval));
                    tracing::warn!(reason, ?interval, "Slurm does not answer; asking again");
                }
            }
            std::thread::sleep(interval.saturating_sub(began.elapsed()));
        }
    }

    /// Takes in Slurm's answer about `jobs`; gives the jobs that have just left the queue.
    fn heard(&self, jobs: &[JobId], answer: &HashMap<JobId, JobStatus>) -> Vec<JobId> {
        let mut known = self.known();
        let mut absent = Vec::new();
        for job in jobs {
            let Some(entry) = known.jobs.get_mut(job) else {
                continue;
            };
            match answer.get(job) {
                Some(status) => {
                    *entry = Entry {
                        status: Some(status.clone()),
                        ..Entry::default()
                    };
                }
                None => {
                    entry.absences += 1;
                    if entry.absences == ABSENCES {
                        absent.push(*job);
                    }
                }
            }
        }
        absent
    }

    fn accounted(&self, jobs: &[JobId], statuses: &HashMap<JobId, JobStatus>) {
        let mut known = self.known();
        for job in jobs {
            if let Some(entry) = known.jobs.get_mut(job) {
                entry.accounted = true;
                if let Some(status) = statuses.get(job) {
                    entry.status = Some(status.clone());
                }
            }
        }
    }
}

impl Entry {
    fn standing(&self) -> WorkerState {
        let left = self.accounted && self.absences >= ABSENCES;
        let Some(status) = &self.status else {
            return match left {
                true => WorkerState::Gone(None),
                // Just submitted, or Slurm does not answer.
                false => WorkerState::Waiting,
            };
        };
        match standing(&status.state) {
            WorkerState::Gone(ending) => WorkerState::Gone(ending),
            // It was still there when Slurm named it last, and left without accounting.
            _ if left => WorkerState::Gone(None),
            other => other,
        }
    }
}

/// What a state of Slurm's means for a worker (squeue(1), "JOB STATE CODES").
fn standing(state: &str) -> WorkerState {
    let (cause, words) = match state {
        "PENDING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "SPECIAL_EXIT"
        | "RESV_DEL_HOLD" | "SUSPENDED" | "STOPPED" => return WorkerState::Waiting,
        "COMPLETED" => (Cause::Success, "the job ended"),
        "FAILED" => (Cause::Failure, "Slurm says FAILED"),
        "CANCELLED" => (Cause::Cancelled, "the job was cancelled in Slurm"),
        "TIMEOUT" => (Cause::Outside, "TIMEOUT: the job reached its time limit"),
        "PREEMPTED" => (Cause::Outside, "PREEMPTED: another job took its place"),
        "NODE_FAIL" => (Cause::Outside, "NODE_FAIL: its node was lost"),
        "OUT_OF_MEMORY" => (
            Cause::Outside,
            "OUT_OF_MEMORY: it needs more than it asked for",
        ),
        "BOOT_FAIL" => (Cause::Outside, "BOOT_FAIL: its node did not start"),
        "DEADLINE" => (Cause::Outside, "DEADLINE: it reached its deadline"),
        "REVOKED" => (Cause::Outside, "REVOKED: it was moved to another cluster"),
        // RUNNING, COMPLETING, CONFIGURING, STAGE_OUT, SIGNALING, RESIZING, and what a later Slurm may say.
        _ => return WorkerState::AtWork,
    };
    WorkerState::Gone(Some(Ending {
        description: words.into(),
        cause,
    }))
}

/// What `squeue` says of `jobs`, those that have just ended included.
fn squeue(jobs: &[JobId]) -> Result<HashMap<JobId, JobStatus>, String> {
    let arrays: BTreeSet<u64> = jobs.iter().map(|(array, _)| *array).collect();
    let arrays: Vec<String> = arrays.iter().map(u64::to_string).collect();
    let arguments = [
        "--noheader".to_owned(),
        "--array".into(),
        "--states=all".into(),
        "--format=%F|%K|%T|%r|%N".into(),
        format!("--jobs={}", arrays.join(",")),
    ];
    match output("squeue", &arguments) {
        Ok(text) => Ok(read(&text)),
        // None of them is known any more.
        Err(reason) if reason.contains("Invalid job id") => Ok(HashMap::new()),
        Err(reason) => Err(reason),
    }
}

/// How jobs that have left the queue ended; an error where there is no accounting.
fn sacct(jobs: &[JobId]) -> Result<HashMap<JobId, JobStatus>, String> {
    let names: Vec<String> = jobs
        .iter()
        .map(|(array, index)| format!("{array}_{index}"))
        .collect();
    let arguments = [
        "--noheader".to_owned(),
        "--parsable2".into(),
        "--allocations".into(),
        "--format=JobID,State,NodeList".into(),
        format!("--jobs={}", names.join(",")),
    ];
    Ok(read_accounts(&output("sacct", &arguments)?))
}

/// The fields of a line of Slurm's; `None` where it has more or fewer.
fn fields<const COUNT: usize>(line: &str) -> Option<[&str; COUNT]> {
    let fields: Vec<&str> = line.trim().split('|').collect();
    fields.try_into().ok()
}

/// A job by its array's number and its place there, as Slurm writes them; `None` where it is no job of an array.
fn job_id(array: &str, index: &str) -> Option<JobId> {
    Some((array.parse().ok()?, index.parse().ok()?))
}

/// Reads `squeue`'s answer; lines that are no job of an array are left out.
fn read(text: &str) -> HashMap<JobId, JobStatus> {
    let job = |line| {
        let [array, index, state, reason, node] = fields(line)?;
        let job = job_id(array, index)?;
        Some((job, status(job, state, Some(reason), node)))
    };
    text.lines().filter_map(job).collect()
}

/// Reads `sacct`'s answer.
fn read_accounts(text: &str) -> HashMap<JobId, JobStatus> {
    let job = |line| {
        let [job, state, node] = fields(line)?;
        let (array, index) = job.split_once('_')?;
        let job = job_id(array, index)?;
        // `CANCELLED by 1000`.
        let state = state.split(' ').next().unwrap_or(state);
        Some((job, status(job, state, None, node)))
    };
    text.lines().filter_map(job).collect()
}

fn status((array, index): JobId, state: &str, reason: Option<&str>, node: &str) -> JobStatus {
    let some = |text: &str| {
        let absent = ["", "None", "N/A", "(null)", "None assigned"];
        (!absent.contains(&text)).then(|| text.to_owned())
    };
    JobStatus {
        job: format!("{array}_{index}"),
        state: state.to_owned(),
        reason: reason.and_then(some),
        node: some(node),
    }
}

/// What a command of Slurm printed. One that hangs is ended by coreutils' `timeout`, which is wherever Slurm is.
///
/// # Errors
/// When it is not there, failed or took too long, with what it said.
pub(super) fn output(name: &str, arguments: &[String]) -> Result<String, String> {
    let output = Command::new("timeout")
        .arg(TIMEOUT_SECONDS)
        .arg(name)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{name} ended with {}: {}",
        output.status,
        stderr.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "17|0|RUNNING|None|n1\n17|1|PENDING|Priority|\n17|2|NODE_FAIL|None|n2\n18|N/A|PENDING|None|\n\nnoise\n";

    fn status_of(jobs: &HashMap<JobId, JobStatus>, job: JobId) -> String {
        jobs[&job].words()
    }

    /// Breaks when a job is taken for another one, or its reason or node for what it is not.
    #[test]
    fn the_answer_of_squeue_is_read() {
        let jobs = read(ANSWER);
        assert_eq!(jobs.len(), 3);
        assert_eq!(status_of(&jobs, (17, 0)), "Slurm job 17_0: RUNNING on n1");
        assert_eq!(
            status_of(&jobs, (17, 1)),
            "Slurm job 17_1: PENDING (Priority)"
        );
        let accounts = read_accounts("17_1|CANCELLED by 1000|n1\n17_2|COMPLETED|n2\n17|RUNNING|\n");
        assert_eq!(accounts.len(), 2);
        assert_eq!(accounts[&(17, 1)].state, "CANCELLED");
    }

    /// Breaks when a job that Slurm did not name once, or while it did not answer, counts as gone.
    #[test]
    fn unknown_is_never_gone() {
        let queue = Queue::new();
        let job = (17, 1);
        // Put there by hand: no thread asks.
        queue.known().jobs.insert(job, Entry::default());
        let nothing = HashMap::new();
        assert_eq!(queue.standing(job), WorkerState::Waiting);
        assert_eq!(queue.heard(&[job], &nothing), []);
        assert_eq!(queue.standing(job), WorkerState::Waiting);
        queue.heard(&[job], &read(ANSWER));
        assert_eq!(queue.heard(&[job], &nothing), [], "it was named in between");
        assert_eq!(queue.standing(job), WorkerState::Waiting);
        assert_eq!(queue.heard(&[job], &nothing), [job]);
        assert_eq!(
            queue.standing(job),
            WorkerState::Waiting,
            "sacct has not been asked"
        );
        queue.accounted(&[job], &nothing);
        assert_eq!(queue.standing(job), WorkerState::Gone(None));
        queue.accounted(&[job], &read_accounts("17_1|TIMEOUT|n1\n"));
        let WorkerState::Gone(Some(ending)) = queue.standing(job) else {
            panic!("it has ended");
        };
        assert_eq!(ending.cause, Cause::Outside);
        assert!(ending.description.contains("time limit"));
    }

    /// Breaks when a preemption is taken for a failure, a person's `scancel` is tried again, or a state that a later Slurm has
    /// ends a run.
    #[test]
    fn states_mean_what_slurm_says_they_mean() {
        let cause = |state: &str| match standing(state) {
            WorkerState::Gone(Some(ending)) => Some(ending.cause),
            _ => None,
        };
        for state in [
            "TIMEOUT",
            "PREEMPTED",
            "NODE_FAIL",
            "OUT_OF_MEMORY",
            "BOOT_FAIL",
        ] {
            assert_eq!(cause(state), Some(Cause::Outside), "{state}");
        }
        assert_eq!(cause("CANCELLED"), Some(Cause::Cancelled));
        assert_eq!(cause("FAILED"), Some(Cause::Failure));
        assert_eq!(cause("COMPLETED"), Some(Cause::Success));
        assert_eq!(standing("PENDING"), WorkerState::Waiting);
        assert_eq!(standing("REQUEUE_HOLD"), WorkerState::Waiting);
        for state in ["RUNNING", "COMPLETING", "SOMETHING_NEW"] {
            assert_eq!(standing(state), WorkerState::AtWork, "{state}");
        }
    }
}
