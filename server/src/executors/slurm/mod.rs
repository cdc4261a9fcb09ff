//! Workers as jobs of a Slurm cluster: one job array a submission, whose batch script a person can read beforehand and find
//! again. Slurm starts the jobs, tells them when their time is nearly over, and says where they stand; the runs' folders, on a
//! disk that the nodes share, say everything else. How submitit does it was the model (its code is not used).

mod queue;
mod script;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use protocol::executor::{JobStatus, SlurmSpec};

use super::{Executor, Job, Submission, Task, Timing, WorkerState};
use crate::mutex::lock;
use queue::{Queue, output};
use script::{NAME, Script, TASKS};

/// Name of the file that holds what `sbatch` was given.
pub const SCRIPT_FILE: &str = "job.sbatch";

/// Slurm's own default, for clusters that do not say.
const DEFAULT_ARRAY_SIZE: usize = 1001;

/// How long the last answer about Slurm's version, or why there is none, is used again.
const VERSION_HOLDS: Duration = Duration::from_secs(60);

/// Lines of a job's own log that are quoted.
const QUOTED_LINES: usize = 8;

/// See the module's text.
#[derive(Debug)]
pub struct Slurm {
    executable: PathBuf,
    queue: Queue,
    most_together: OnceLock<usize>,
    /// What [`Slurm::version`] gave last, and when.
    version: Mutex<Option<(Instant, Result<String, String>)>>,
}

impl Slurm {
    /// Jobs run `executable worker …`, from a copy that later builds leave alone.
    pub fn new(executable: PathBuf) -> Slurm {
        Slurm {
            executable,
            queue: Queue::new(),
            most_together: OnceLock::new(),
            version: Mutex::default(),
        }
    }

    /// The version of Slurm that is here.
    ///
    /// # Errors
    /// When there is none, with the reason.
    pub fn version() -> Result<String, String> {
        let version = output("sbatch", &["--version".into()])?;
        Ok(version.trim().to_owned())
    }
}

/// What a launch of `runs` runs would give to `sbatch`, array by array; `<key>` and `<experiment>` stand for what is set then.
/// `folder` is where experiments keep their submissions.
pub fn preview(
    spec: &SlurmSpec,
    runs: usize,
    most_together: usize,
    folder: &Path,
    datasets: &Path,
) -> Vec<String> {
    let sizes = sizes(runs, most_together);
    let arrays = sizes.len();
    let texts = sizes.into_iter().map(|jobs| {
        Script {
            key: "<key>",
            folder: &folder.join("<experiment>/submission-<key>"),
            program: &folder.join("<experiment>/selectivity-lab"),
            datasets,
            jobs,
            at_once: share(spec.at_once, arrays),
            spec,
        }
        .text()
    });
    texts.collect()
}

/// Jobs of each array.
pub fn sizes(runs: usize, most_together: usize) -> Vec<usize> {
    let most = most_together.max(1);
    let whole = std::iter::repeat_n(most, runs / most);
    whole
        .chain(Some(runs % most).filter(|rest| *rest > 0))
        .collect()
}

/// How many jobs each of `arrays` may run at once if all of them together may run `at_once`; at least 1.
fn share(at_once: Option<u32>, arrays: usize) -> Option<u32> {
    let arrays = u32::try_from(arrays.max(1)).unwrap_or(u32::MAX);
    at_once.map(|at_once| (at_once / arrays).max(1))
}

fn place(task: &Task) -> (u64, u32) {
    (task.job, task.index)
}

impl Executor for Slurm {
    fn describe(&self) -> Result<String, String> {
        // Every form and every page of devices asks; where no cluster is set up, Slurm may search for one for seconds.
        let mut known = lock(&self.version);
        match &*known {
            Some((at, version)) if at.elapsed() < VERSION_HOLDS => version.clone(),
            _ => {
                let version = Slurm::version();
                *known = Some((Instant::now(), version.clone()));
                version
            }
        }
    }

    /// The cluster's `MaxArraySize`, asked once: an array's places are below it.
    fn most_together(&self) -> usize {
        *self.most_together.get_or_init(|| {
            let configuration = output("scontrol", &["show".into(), "config".into()]);
            let configuration = configuration.inspect_err(|reason| {
                tracing::warn!(reason, "Slurm does not say how large an array may be");
            });
            let size = configuration.ok().and_then(|text| {
                let line = text.lines().find(|line| line.starts_with("MaxArraySize"))?;
                line.split('=').nth(1)?.trim().parse().ok()
            });
            size.filter(|&size| size > 0).unwrap_or(DEFAULT_ARRAY_SIZE)
        })
    }

    fn submit(&self, submission: &Submission<'_>) -> Result<Option<u64>, String> {
        let default = SlurmSpec::default();
        let spec = submission.settings.slurm().unwrap_or(&default);
        let folder = &submission.folder;
        let fail = |what: &str, error: std::io::Error| {
            format!("cannot write {what} in {}: {error}", folder.display())
        };
        std::fs::create_dir_all(folder).map_err(|error| fail("a folder", error))?;
        let program =
            program(&self.executable, folder).map_err(|error| fail("the program", error))?;
        let mut tasks = String::new();
        for job in submission.jobs {
            let run = job.folder.run().display().to_string();
            if run.contains(['\n', '\t']) {
                return Err(format!(
                    "the folder {run:?} has a tab or a line break in its name"
                ));
            }
            tasks.push_str(&format!("{}\t{run}\n", job.attempt));
        }
        let text = Script {
            key: submission.key,
            folder,
            program: &program,
            datasets: &submission.datasets,
            jobs: submission.jobs.len(),
            at_once: share(spec.at_once, submission.arrays),
            spec,
        }
        .text();
        let file = folder.join(SCRIPT_FILE);
        std::fs::write(folder.join(TASKS), tasks).map_err(|error| fail(TASKS, error))?;
        std::fs::write(&file, text).map_err(|error| fail(SCRIPT_FILE, error))?;
        let arguments = ["--parsable".to_owned(), file.display().to_string()];
        let answer = output("sbatch", &arguments)?;
        // `JOB` or `JOB;CLUSTER`.
        let number = answer.trim().split(';').next().unwrap_or_default();
        let number = number.parse();
        number
            .map(Some)
            .map_err(|_| format!("sbatch gave no job's number but `{}`", answer.trim()))
    }

    fn find(&self, key: &str) -> Result<Option<u64>, String> {
        let arguments = [
            "--noheader".to_owned(),
            "--states=all".into(),
            "--format=%F".into(),
            format!("--name={NAME}{key}"),
        ];
        let answer = output("squeue", &arguments)?;
        Ok(answer.lines().find_map(|line| line.trim().parse().ok()))
    }

    fn poll(&self, job: &Job) -> WorkerState {
        match &job.task {
            Some(task) => self.queue.standing(place(task)),
            // It was never handed over.
            None => WorkerState::Gone(None),
        }
    }

    fn status(&self, job: &Job) -> Option<JobStatus> {
        self.queue.status(place(job.task.as_ref()?))
    }

    fn last_words(&self, job: &Job) -> Vec<String> {
        let Some(task) = &job.task else {
            return Vec::new();
        };
        let log = std::fs::read(task.folder.join(format!("job-{}.log", task.index)));
        // Without a log there is nothing to quote.
        let log = String::from_utf8_lossy(&log.unwrap_or_default()).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(QUOTED_LINES);
        lines[from..]
            .iter()
            .map(|line| line.chars().take(500).collect())
            .collect()
    }

    fn stop(&self, job: &Job) {
        // SIGUSR1 would requeue it; a job that is to go on later is cancelled, and its run resumed.
        self.kill(job);
    }

    fn kill(&self, job: &Job) {
        let Some((array, index)) = job.task.as_ref().map(place) else {
            return;
        };
        // On its own thread, so that a busy controller does not delay the caller.
        std::thread::spawn(move || {
            if let Err(reason) = output("scancel", &[format!("{array}_{index}")]) {
                tracing::warn!(array, index, reason, "a job cannot be cancelled");
            }
        });
    }

    fn forget(&self, job: &Job) {
        if let Some(task) = &job.task {
            self.queue.forget(place(task));
        }
    }

    /// Logs are on a shared disk, where the writes of another machine appear after a while.
    fn pace(&self) -> Timing {
        Timing {
            look: Duration::from_millis(500),
            grace: Duration::from_secs(20),
            settle: Duration::from_secs(3),
            exit: None,
        }
    }
}

/// The copy of the program that the experiment's jobs run, in the folder above `submission`; made where it is not yet there, so
/// that a later build changes nothing that waits.
fn program(executable: &Path, submission: &Path) -> std::io::Result<PathBuf> {
    use std::hash::{Hash, Hasher};
    let facts = std::fs::metadata(executable)?;
    let mut hasher = std::hash::DefaultHasher::new();
    (facts.len(), facts.modified()?).hash(&mut hasher);
    let folder = submission.parent().unwrap_or(submission);
    let copy = folder.join(format!("selectivity-lab-{:016x}", hasher.finish()));
    if !copy.exists() {
        let part = tempfile::Builder::new()
            .prefix(".program")
            .tempfile_in(folder)?;
        std::fs::copy(executable, part.path())?;
        let permissions = std::fs::metadata(executable)?.permissions();
        std::fs::set_permissions(part.path(), permissions)?;
        part.persist(&copy)?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a run is in no array or in two, an array is larger than the cluster takes, or several arrays together have
    /// more at once than was asked for.
    #[test]
    fn experiments_are_split_at_the_largest_array() {
        assert_eq!(sizes(8, 64), [8]);
        assert_eq!(sizes(128, 64), [64, 64]);
        assert_eq!(sizes(130, 64), [64, 64, 2]);
        assert_eq!(sizes(0, 64), Vec::<usize>::new());
        assert_eq!(
            (share(Some(9), 3), share(Some(2), 3), share(None, 3)),
            (Some(3), Some(1), None)
        );
        let scripts = preview(
            &SlurmSpec::default(),
            130,
            64,
            Path::new("/lab"),
            Path::new("/data"),
        );
        assert_eq!(scripts.len(), 3);
        assert!(scripts[2].contains("--array=0-1\n"), "{}", scripts[2]);
    }
}
