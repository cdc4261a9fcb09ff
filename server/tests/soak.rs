//! What a lab's worst week does to a server: it and its workers killed at random moments, and everybody looking at once.
//! `make test` does a little of it, `make soak` a hundred kills of each and 200 listeners.

#[path = "common/mod.rs"]
mod common;
#[path = "scheduler/processes.rs"]
mod processes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::process::{Server, event};
use common::{corruptions, endless, small};
use protocol::api::{DeviceInfo, LiveEvent};
use protocol::{EpochMetrics, Event, ExperimentSpec, Network, Run, RunState};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How much of it: `SELECTIVITY_LAB_SOAK` kills of servers, and as many of workers.
fn kills() -> usize {
    let wanted = std::env::var("SELECTIVITY_LAB_SOAK").ok();
    wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(3)
}

/// Random, but the same again with `SELECTIVITY_LAB_SEED`.
fn generator() -> StdRng {
    let given = std::env::var("SELECTIVITY_LAB_SEED").ok();
    let seed = given.and_then(|given| given.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random::<u32>().into());
    println!("SELECTIVITY_LAB_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Two runs that are trained and tested on one corruption.
fn spec() -> ExperimentSpec {
    let mut evaluation = corruptions(20);
    if let Some(corruptions) = &mut evaluation.corruptions {
        corruptions.corruptions.truncate(3);
    }
    ExperimentSpec {
        evaluation,
        retries: 100,
        ..small(&[0.0, 1.0], 30)
    }
}

fn launch(server: &Server) -> i64 {
    server.launch(&spec()).id
}

fn runs(server: &Server, experiment: i64) -> Vec<Run> {
    server.get(&format!("/experiments/{experiment}/runs"))
}

/// All that runs measured, in order of alpha, without times and durations.
fn measured(server: &Server, experiment: i64) -> Vec<Value> {
    let mut runs = runs(server, experiment);
    runs.sort_by(|a, b| a.spec.alpha.total_cmp(&b.spec.alpha));
    let numbers = runs.iter().map(|run| {
        let epochs: Vec<EpochMetrics> = server.get(&format!("/runs/{}/metrics", run.id));
        let epochs: Vec<EpochMetrics> = epochs
            .into_iter()
            .map(|epoch| EpochMetrics {
                seconds: 0.0,
                images_per_second: 0.0,
                ..epoch
            })
            .collect();
        let whole: Run = server.get(&format!("/runs/{}", run.id));
        let measurements: Value = server.get(&format!("/runs/{}/measurements", run.id));
        serde_json::json!([run.spec, epochs, whole.result, measurements])
    });
    numbers.map(timeless).collect()
}

/// Without durations, at any depth.
fn timeless(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| !name.ends_with("seconds") && name != "measured_at")
            .map(|(name, value)| (name, timeless(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(timeless).collect(),
        value => value,
    }
}

/// The measurements of an undisturbed experiment.
fn twin() -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = launch(&server);
    for run in runs(&server, id) {
        let run = server.wait_for(run.id, |run| !run.state.is_active());
        assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
    }
    measured(&server, id)
}

/// Looks all the time whether two workers are on one run.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Watch {
    fn start(folder: &Path) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (over, folder) = (stop.clone(), folder.to_owned());
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                let mut seen = BTreeMap::new();
                for process in processes::workers(&folder) {
                    // The folder whose lock a worker holds, not the one it was given: one that waits for a lock writes nothing.
                    if let Some(lock) = held(process)
                        && let Some(other) = seen.insert(lock.clone(), process)
                    {
                        panic!("{other} and {process} both work on {lock}");
                    }
                }
                looks += usize::from(!seen.is_empty());
                std::thread::sleep(Duration::from_millis(10));
            }
            looks
        });
        Watch {
            stop,
            thread: Some(thread),
        }
    }

    /// How often it saw a worker at work.
    fn end(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// The events file that a process has open for writing.
fn held(process: u32) -> Option<String> {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let mut files = open.flatten().filter_map(|file| {
        let target = std::fs::read_link(file.path()).ok()?;
        let name = target.file_name()?.to_str()?;
        name.starts_with("events-")
            .then(|| target.parent().unwrap().display().to_string())
    });
    files.next()
}

/// Takes the CPU into use again when three workers in a row were killed before they had begun: that looks like a device
/// on which nothing starts. Gives how often that was needed: 0 or 1.
fn resume_if_paused(server: &Server) -> usize {
    let devices: Vec<DeviceInfo> = server.get("/devices");
    let is_paused = devices[0].paused.is_some();
    if is_paused {
        server.ask::<DeviceInfo>("POST", "/devices/cpu/resume", "");
    }
    is_paused.into()
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Victim {
    Server,
    Worker,
}

/// Kills [`kills`] times, each time at a random moment; then everything comes to its end by itself, with the results of an
/// undisturbed experiment.
fn kill_again_and_again(victim: Victim) {
    let mut random = generator();
    let undisturbed = twin();
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let watch = Watch::start(folder.path());
    let (mut experiments, mut received) = (vec![launch(&server)], Vec::<LiveEvent>::new());
    let mut heard = server.listen();
    let (mut killed, mut resumed) = (0, 0);
    while killed < kills() {
        std::thread::sleep(Duration::from_millis(random.random_range(0..1500)));
        match victim {
            Victim::Server => {
                processes::send("KILL", server.process());
                server.wait();
                killed += 1;
                received.append(&mut heard.lock().unwrap());
                server = Server::start(folder.path());
                heard = server.listen();
            }
            Victim::Worker => {
                let workers = processes::workers(folder.path());
                if workers.is_empty() {
                    resumed += resume_if_paused(&server);
                    std::thread::sleep(Duration::from_millis(50));
                } else {
                    let worker = workers[random.random_range(0..workers.len())];
                    // It may have ended meanwhile.
                    let _ = std::process::Command::new("kill")
                        .args(["-KILL", &worker.to_string()])
                        .stderr(std::process::Stdio::null())
                        .status();
                    killed += 1;
                }
            }
        }
        let newest = *experiments.last().unwrap();
        if runs(&server, newest)
            .iter()
            .all(|run| !run.state.is_active())
        {
            experiments.push(launch(&server));
        }
    }
    for &experiment in &experiments {
        for run in runs(&server, experiment) {
            let run = server.wait_for(run.id, |run| {
                resumed += resume_if_paused(&server);
                !run.state.is_active()
            });
            assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
        }
        assert_eq!(measured(&server, experiment), undisturbed);
    }
    received.append(&mut heard.lock().unwrap());
    let replayed = server.listen();
    let received: BTreeMap<i64, LiveEvent> = received
        .into_iter()
        .filter_map(|event| Some((event.sequence?, event)))
        .collect();
    let start = Instant::now();
    loop {
        let replayed = replayed.lock().unwrap();
        let there: BTreeMap<_, _> = replayed
            .iter()
            .filter_map(|event| Some((event.sequence?, event)))
            .collect();
        let lost = received
            .iter()
            .find(|(sequence, event)| there.get(sequence) != Some(event));
        match lost {
            None => break,
            Some(lost) => assert!(start.elapsed() < common::PATIENCE, "lost: {lost:?}"),
        }
        drop(replayed);
        std::thread::sleep(Duration::from_millis(100));
    }
    let looks = watch.end();
    assert!(looks > 0, "no worker was seen at work");
    println!(
        "{killed} kills ({victim:?}) over {} experiments of two runs: all finished, equal to an undisturbed one; {} events told, none lost; {looks} looks at workers saw no two on a run; the device was resumed {resumed} times",
        experiments.len(),
        received.len(),
    );
}

/// Breaks when a killed server loses what it sent, starts a second worker on a run, leaves a run behind, or a number differs from
/// those of an undisturbed experiment.
#[test]
fn servers_are_killed_at_random_moments() {
    kill_again_and_again(Victim::Server);
}

/// Breaks when a run whose worker was killed is not tried again, or goes on to other numbers.
#[test]
fn workers_are_killed_at_random_moments() {
    kill_again_and_again(Victim::Worker);
}

/// Breaks when one of many listeners misses an event or hears it twice. How soon they hear, and what it costs, is printed.
#[test]
fn nobody_of_many_misses_anything() {
    // Many look at a run whose epochs take seconds, as people's do; a few at one of tenths of a second.
    let quick = endless(&[0.0]);
    let (listeners, pollers, epochs, spec) = match kills() {
        0..100 => (20, 2, 12, quick),
        _ => (200, 20, 12, resnet20(quick)),
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::start(folder.path()));
    let experiment = server.launch(&spec);
    let run = runs(&server, experiment.id)[0].id;
    let first = until(&server, run, 2);
    let alone = until(&server, run, first + epochs);

    let heard = listen(&server, listeners);
    let over = Arc::new(AtomicBool::new(false));
    let polling: Vec<_> = (0..pollers)
        .map(|_| {
            let (server, over) = (server.clone(), over.clone());
            std::thread::spawn(move || {
                let mut polls = 0;
                while !over.load(Ordering::Relaxed) {
                    server.get::<Value>("/experiments");
                    polls += 1;
                    std::thread::sleep(Duration::from_secs(1));
                }
                polls
            })
        })
        .collect();
    let connected = |heard: &Heard| !heard.lock().unwrap().is_empty();
    while !heard.iter().all(connected) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let listened = now();
    let begun = server.get::<Run>(&format!("/runs/{run}")).epochs_done + 1;
    let (start, before) = (Instant::now(), processor_seconds(server.process()));
    let crowded = until(&server, run, begun + epochs);
    let busy = (processor_seconds(server.process()) - before) / start.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let polls: usize = polling
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    let memory = peak_memory(server.process());

    let all: Vec<EpochMetrics> = server.get(&format!("/runs/{run}/metrics"));
    let speed = |from: u32, to: u32| {
        let epochs = all.iter().filter(|one| (from..=to).contains(&one.epoch));
        let mut speeds: Vec<f64> = epochs.map(|one| one.images_per_second).collect();
        median(&mut speeds)
    };
    let (quiet, loaded) = (speed(first, alone), speed(begun, crowded));
    // Whoever listens has heard of every one of these epochs, each once.
    let wanted: BTreeSet<u32> = (begun..=crowded).collect();
    let start = Instant::now();
    let mut delays = Vec::new();
    for listener in &heard {
        loop {
            let events = events(listener);
            let heard_epochs: Vec<u32> = events
                .iter()
                .filter_map(|(event, _)| match &event.event {
                    Event::Epoch(metrics) => Some(metrics.epoch),
                    _ => None,
                })
                .filter(|epoch| wanted.contains(epoch))
                .collect();
            let each = BTreeSet::from_iter(heard_epochs.iter().copied());
            assert_eq!(
                each.len(),
                heard_epochs.len(),
                "heard twice: {heard_epochs:?}"
            );
            if each == wanted {
                // Events from before somebody listened are read from the store, at their own time.
                let live = events.iter().filter(|(event, _)| event.at > listened);
                delays.extend(live.map(|(event, at)| (at - event.at) as f64));
                break;
            }
            assert!(
                start.elapsed() < common::PATIENCE,
                "{heard_epochs:?} of {wanted:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    println!(
        "{listeners} listeners, {pollers} pollers ({polls} lists): {} events heard, none lost, median latency {:.0} ms; server {memory:.0} MiB at most, busy {:.1} % of a core; training at {:.3} of its speed alone ({loaded:.0} of {quiet:.0} images/s, medians of {epochs} epochs)",
        delays.len(),
        median(&mut delays),
        100.0 * busy,
        loaded / quiet,
    );
}

/// A network and epochs of a size that people train.
fn resnet20(mut spec: ExperimentSpec) -> ExperimentSpec {
    spec.network = Network::ResNet20;
    spec.training.batch_size = 128;
    spec.training.train_images_per_class = Some(250);
    spec
}

/// The epochs that a run has done, once they are as many as `wanted`, however long that takes.
fn until(server: &Server, run: i64, wanted: u32) -> u32 {
    loop {
        let found: Run = server.get(&format!("/runs/{run}"));
        assert!(found.state.is_active(), "{:?}", found.reason);
        if found.epochs_done >= wanted {
            return found.epochs_done;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What one listener was sent, piece by piece, and when, in milliseconds since 1970-01-01.
type Heard = Arc<Mutex<Vec<(Vec<u8>, i64)>>>;

/// Listens `count` times over, all in one thread, so that listening takes as little as it can from the cores that train.
fn listen(server: &Server, count: usize) -> Vec<Heard> {
    let heard: Vec<Heard> = std::iter::repeat_with(Heard::default).take(count).collect();
    let (lists, address) = (heard.clone(), server.url().replace("http://", ""));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for list in lists {
                let address = address.clone();
                tasks.spawn(async move {
                    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
                    let request = format!("GET /api/v1/events HTTP/1.0\r\nhost: {address}\r\n\r\n");
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let mut piece = vec![0; 1 << 16];
                    // Until the server ends.
                    while let Ok(length @ 1..) = stream.read(&mut piece).await {
                        list.lock().unwrap().push((piece[..length].to_vec(), now()));
                    }
                });
            }
            while tasks.join_next().await.is_some() {}
        });
    });
    heard
}

/// The events of pieces, each with the time of the piece that it ends in.
fn events(heard: &Heard) -> Vec<(LiveEvent, i64)> {
    let (mut events, mut line) = (Vec::new(), Vec::new());
    for (piece, at) in &*heard.lock().unwrap() {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            line.extend_from_slice(part);
            if line.ends_with(b"\n") {
                let parsed = event(String::from_utf8_lossy(&line).trim_end());
                events.extend(parsed.map(|event| (event, *at)));
                line.clear();
            }
        }
    }
    events
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Processor time that a process has used.
fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name, which may hold anything: user and system time are the 12th and 13th, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

/// MiB.
fn peak_memory(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes: f64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kibibytes / 1024.0
}
