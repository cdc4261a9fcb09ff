//! Runs as jobs of a real Slurm: two nodes on this machine's loopback, from Debian's packages, by `../shared/slurm/cluster`.
//! Where that is not there, or Slurm cannot be installed, the tests say `skipped`.

#[path = "common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::process::{Server, serve};
use common::{Lab, endless, small};
use protocol::api::{Experiment, LogLine};
use protocol::executor::{BatchScripts, ExecutorInfo, SlurmSpec, SubmissionInfo};
use protocol::{EpochMetrics, ExecutorKind, ExecutorSpec, ExperimentSpec, Run, RunState};

/// How long a cluster of two cores may take for what these tests ask of it.
const PATIENCE: Duration = Duration::from_secs(240);

/// Its ports are the same each time: one cluster at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A cluster, ended when the test ends.
struct Cluster {
    _turn: MutexGuard<'static, ()>,
    script: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// `None`, with the reason printed, where there can be none.
    fn start() -> Option<Cluster> {
        let shared = std::env::var_os("SELECTIVITY_LAB_SHARED").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
            PathBuf::from,
        );
        let script = shared.join("slurm/cluster");
        if !script.is_file() {
            println!("skipped: {} is not there", script.display());
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new(&script)
            .arg("start")
            .arg(folder.path())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let cluster = Cluster {
            _turn: turn,
            script,
            folder,
        };
        if !started.status.success() {
            let installed = Command::new("slurmctld").arg("-V").output().is_ok();
            let stderr = String::from_utf8_lossy(&started.stderr).into_owned();
            assert!(!installed, "Slurm is here and did not start: {stderr}");
            println!("skipped: Slurm cannot be installed: {stderr}");
            return None;
        }
        Some(cluster)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    /// Sends a job's batch script the signal that Slurm sends shortly before the time limit, until this is dropped: `scancel`
    /// retries for two minutes if Slurm was just about to touch the job, even if the signal arrived at once.
    fn notify(&self, job: &str) -> Notice {
        let sent = Command::new("scancel")
            .args(["--batch", "--signal=USR1", job])
            .env("SLURM_CONF", self.configuration())
            .spawn();
        Notice(sent.unwrap())
    }

    /// What a command of Slurm prints.
    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let output = Command::new(name)
            .args(arguments)
            .env("SLURM_CONF", self.configuration())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {arguments:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A server over `folder` that hands runs over to this cluster, and asks it all the time.
    fn serve(&self, folder: &Path) -> Server {
        let mut command = serve(folder);
        command
            .env("SLURM_CONF", self.configuration())
            .env("SELECTIVITY_LAB_SLURM_SECONDS", "0.3");
        Server::start_as(command)
    }
}

/// A signal on its way to a job.
struct Notice(Child);

impl Drop for Notice {
    fn drop(&mut self) {
        // Often it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Its result does not matter: what it began is gone with it.
        let _ = Command::new(&self.script)
            .arg("stop")
            .arg(self.folder.path())
            .output();
    }
}

/// Waits until `look` gives something.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn launch(server: &Server, spec: &ExperimentSpec) -> (i64, Vec<Run>) {
    let body = serde_json::to_string(spec).unwrap();
    let experiment: Experiment = server.ask("POST", "/experiments", &body);
    let runs = runs(server, experiment.id);
    (experiment.id, runs)
}

fn runs(server: &Server, experiment: i64) -> Vec<Run> {
    server.get(&format!("/experiments/{experiment}/runs"))
}

/// The number of the experiment's one job array.
fn array(server: &Server, experiment: i64) -> (u64, String) {
    wait("a submission with a number", || {
        let submissions: Vec<SubmissionInfo> =
            server.get(&format!("/experiments/{experiment}/submissions"));
        let submission = submissions.into_iter().next()?;
        Some((
            submission.job?,
            submission.script.replace(&submission.key, "<key>"),
        ))
    })
}

fn on_slurm(spec: ExperimentSpec, slurm: SlurmSpec) -> ExperimentSpec {
    ExperimentSpec {
        executor: ExecutorSpec::Slurm(slurm),
        ..spec
    }
}

/// The epochs of a run without their durations.
fn epochs(mut epochs: Vec<EpochMetrics>) -> Vec<EpochMetrics> {
    for epoch in &mut epochs {
        epoch.seconds = 0.0;
        epoch.images_per_second = 0.0;
    }
    epochs
}

/// Breaks when a job that Slurm requeues, a node that is drained or a server that is killed in the middle loses, repeats or
/// changes anything: results are those of this machine's workers, bit for bit. Also when what is shown beforehand is not what
/// `sbatch` is given.
#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_on_a_cluster_is_what_it_is_here() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let local = ExperimentSpec {
        seeds: vec![0, 1, 2, 3],
        ..small(&[0.0, 1.0], 40)
    };
    let slurm = SlurmSpec {
        partition: Some("main".into()),
        memory_mib: Some(1000),
        at_once: Some(3),
        setup: "export A_SETUP_LINE=1".into(),
        ..SlurmSpec::default()
    };
    let spec = on_slurm(local.clone(), slurm);
    let folder = tempfile::tempdir().unwrap();
    let mut server = cluster.serve(folder.path());
    let preview: BatchScripts = server.ask(
        "POST",
        "/executors/slurm/scripts",
        &serde_json::to_string(&spec).unwrap(),
    );
    let (id, launched) = launch(&server, &spec);
    assert_eq!(launched.len(), 8);
    let (job, script) = array(&server, id);
    // The copy of the program has its build in its name.
    let program = script.split("/selectivity-lab-").nth(1).unwrap();
    let program = &program[..program.find('\'').unwrap()];
    let script = script
        .replace(&format!("/selectivity-lab-{program}'"), "/selectivity-lab'")
        .replace(&format!("experiment-{id}"), "<experiment>");
    assert_eq!(vec![script], preview.scripts);
    assert!(preview.scripts[0].contains("--array=0-7%3"));

    // What waits says why; what is at work says where.
    wait("a job that waits, with a reason", || {
        let runs = runs(&server, id);
        let run = runs.into_iter().find(|run| run.state == RunState::Queued)?;
        let job = run.job?;
        (job.state == "PENDING" && job.reason.is_some()).then_some(())
    });
    let first = launched[0].id;
    let status = wait("two epochs of a job at work", || {
        let run: Run = server.get(&format!("/runs/{first}"));
        assert!(run.state.is_active(), "{:?}", run.reason);
        let job = run.job.filter(|job| job.state == "RUNNING");
        job.filter(|_| run.epochs_done >= 2)
    });
    assert_eq!(status.job, format!("{job}_0"));
    assert!(status.node.is_some());

    cluster.run(
        "scontrol",
        &["update", "nodename=n2", "state=drain", "reason=test"],
    );
    let notice = cluster.notify(&format!("{job}_0"));
    wait("the requeue in the run's log", || {
        let log: Vec<LogLine> = server.get(&format!("/runs/{first}/log"));
        let requeued = |line: &LogLine| {
            line.message
                .contains("goes back into Slurm's queue (1 of 10)")
        };
        log.iter().any(requeued).then_some(())
    });
    drop(notice);
    // Slurm begins a requeued job again after two minutes, which nothing here needs; it says when only once the job waits.
    wait("the requeued job in the queue", || {
        let state = ["--noheader", "--array", "--format=%T", "--job"];
        let state = cluster.run("squeue", &[&state[..], &[&format!("{job}_0")]].concat());
        if state.trim() != "PENDING" {
            return None;
        }
        let update = Command::new("scontrol")
            .args(["update", &format!("jobid={job}_0"), "starttime=now"])
            .env("SLURM_CONF", cluster.configuration())
            .output();
        update.unwrap().status.success().then_some(())
    });
    let kill = Command::new("kill")
        .args(["-9", &server.process().to_string()])
        .status();
    assert!(kill.unwrap().success());
    server.wait();
    // Meanwhile jobs go on, begin and end.
    std::thread::sleep(Duration::from_secs(3));
    let server = cluster.serve(folder.path());
    cluster.run("scontrol", &["update", "nodename=n2", "state=resume"]);
    let finished = wait("the end of all runs", || {
        let runs = runs(&server, id);
        let failed = runs
            .iter()
            .find(|run| !run.state.is_active() && run.state != RunState::Finished);
        assert!(failed.is_none(), "{:?}", failed.map(|run| &run.reason));
        runs.iter()
            .all(|run| run.state == RunState::Finished)
            .then_some(runs)
    });
    let submissions: Vec<SubmissionInfo> = server.get(&format!("/experiments/{id}/submissions"));
    assert_eq!(submissions.len(), 1, "handed over twice");
    let resumed = finished[0].started.as_ref().unwrap().resumed_from_epoch;
    assert!(resumed.is_some_and(|epoch| epoch >= 2), "{resumed:?}");

    let here = Lab::with_slots(2).await;
    let (_, numbers) = here.launch(&local).await;
    for (run, number) in finished.iter().zip(numbers) {
        let start = Instant::now();
        let twin = loop {
            let twin: Run = here.get(&format!("/runs/{number}")).await;
            if !twin.state.is_active() {
                break twin;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "run {number} takes too long here"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        assert_eq!(
            (run.spec.alpha, run.spec.seed),
            (twin.spec.alpha, twin.spec.seed)
        );
        let whole: Run = server.get(&format!("/runs/{}", run.id));
        assert_eq!(whole.result, twin.result);
        let own: Vec<EpochMetrics> = server.get(&format!("/runs/{}/metrics", run.id));
        let others: Vec<EpochMetrics> = here.get(&format!("/runs/{number}/metrics")).await;
        assert_eq!(epochs(own), epochs(others));
    }
    assert_eq!(cluster.run("squeue", &["--noheader"]), "");
}

/// Breaks when a cancelled run stays in Slurm's queue or at work, somebody's `scancel` counts as a failure or is tried again, a
/// job is requeued more often than asked, or submissions that Slurm refuses empty the queue.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_works_on_a_cluster_can_be_ended() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = cluster.serve(folder.path());
    let slurm = SlurmSpec {
        requeues: 0,
        at_once: Some(2),
        ..SlurmSpec::default()
    };
    let (id, launched) = launch(&server, &on_slurm(endless(&[0.0, 0.5, 1.0]), slurm));
    let (job, _) = array(&server, id);
    let reached = |run: i64, what: &str, holds: &dyn Fn(&Run) -> bool| {
        wait(what, || {
            let run: Run = server.get(&format!("/runs/{run}"));
            holds(&run).then_some(run)
        })
    };
    let [first, second, third] = [launched[0].id, launched[1].id, launched[2].id];
    for run in [first, second] {
        reached(run, "an epoch", &|run| run.epochs_done >= 1);
    }
    cluster.run("scancel", &[&format!("{job}_0")]);
    let ended = reached(first, "the end by scancel", &|run| !run.state.is_active());
    assert_eq!(ended.state, RunState::Interrupted, "{:?}", ended.reason);
    assert!(ended.reason.unwrap().contains("cancelled in Slurm"));
    let notice = cluster.notify(&format!("{job}_1"));
    let ended = reached(second, "the end by its last requeue", &|run| {
        !run.state.is_active()
    });
    assert_eq!(ended.state, RunState::Interrupted, "{:?}", ended.reason);
    assert!(ended.reason.unwrap().contains("requeued 0 times"));
    drop(notice);
    // It has their place now.
    reached(third, "an epoch", &|run| run.epochs_done >= 1);
    // What is handed over now waits until it is cancelled.
    let nodes = |state: &str| {
        cluster.run(
            "scontrol",
            &["update", "nodename=n[1-2]", state, "reason=test"],
        )
    };
    nodes("state=drain");
    let resumed: Experiment = server.ask("POST", &format!("/experiments/{id}/resume"), "");
    assert_eq!(resumed.id, id);
    let again = wait("the second submission", || {
        let submissions: Vec<SubmissionInfo> =
            server.get(&format!("/experiments/{id}/submissions"));
        (submissions.len() == 2).then(|| submissions[0].job)?
    });
    assert_ne!(again, job);
    let cancelled: Experiment = server.ask("POST", &format!("/experiments/{id}/cancel"), "");
    assert_eq!(cancelled.id, id);
    for run in [first, second, third] {
        let ended = reached(run, "the end by cancel", &|run| !run.state.is_active());
        assert_eq!(ended.state, RunState::Cancelled, "{:?}", ended.reason);
    }
    wait("an empty queue", || {
        cluster
            .run("squeue", &["--noheader"])
            .is_empty()
            .then_some(())
    });
    nodes("state=resume");

    let nowhere = SlurmSpec {
        partition: Some("nowhere".into()),
        ..SlurmSpec::default()
    };
    let (id, launched) = launch(&server, &on_slurm(endless(&[0.0, 1.0]), nowhere));
    let paused = wait("a pause", || {
        let executors: Vec<ExecutorInfo> = server.get("/executors");
        let slurm = executors
            .into_iter()
            .find(|executor| executor.id == ExecutorKind::Slurm)?;
        slurm.paused
    });
    assert!(paused.contains("partition"), "{paused}");
    for run in launched {
        let run: Run = server.get(&format!("/runs/{}", run.id));
        assert_eq!(run.state, RunState::Queued);
    }
    let resumed: ExecutorInfo = server.ask("POST", "/executors/slurm/resume", "");
    assert_eq!(resumed.paused, None);
    let cancelled: Experiment = server.ask("POST", &format!("/experiments/{id}/cancel"), "");
    assert_eq!(cancelled.state(), RunState::Cancelled);
}
