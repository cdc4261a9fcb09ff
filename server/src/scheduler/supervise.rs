//! One worker process, from its spec to the event that ends its run.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::api::LiveEvent;
use protocol::event::LogLevel;
use protocol::{Event, Run};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::{Command, Scheduler, lock};
use crate::clock::now;
use crate::store::StoreError;

/// How long a worker may take to end by itself after it was told to cancel.
const GRACE: Duration = Duration::from_millis(1500);

/// How long a worker may take to exit after its last event, or after it closed its output.
const EXIT: Duration = Duration::from_secs(10);

/// Lines of standard error that go into the run's log; all of them go into `worker.log`.
const LOGGED_LINES: usize = 200;

/// Lines of standard error that are quoted when a worker dies.
const QUOTED_LINES: usize = 8;

/// Runs a worker on `run` and records everything that it says, to the end.
pub(super) async fn supervise(
    scheduler: &Scheduler,
    run: Run,
    commands: UnboundedReceiver<Command>,
) {
    let run_id = run.id;
    let end = match start(scheduler, &run).await {
        Ok(worker) => worker.follow(scheduler, run_id, commands).await,
        Err(message) => Ok(Some(Event::Failed { message })),
    };
    let recorded = match end {
        Ok(Some(event)) => scheduler.publish(run_id, &event).await.map(|_| ()),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = recorded {
        // The run stays `running` in the store, and is shown as interrupted after the next start.
        tracing::error!(run_id, %error, "cannot record how the run ended");
    }
}

struct Worker {
    child: Child,
    input: ChildStdin,
    quoted: Arc<Mutex<VecDeque<String>>>,
    errors: JoinHandle<()>,
}

async fn start(scheduler: &Scheduler, run: &Run) -> Result<Worker, String> {
    let inner = &scheduler.0;
    let directory = inner.directory.run(run.id);
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("cannot make the run's folder {}: {error}", directory.display()))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores / scheduler.slots(&run.spec.device) as usize).max(1);
    let mut child = tokio::process::Command::new(&inner.executable)
        .arg("worker")
        .arg("--run-directory")
        .arg(&directory)
        .arg("--datasets")
        .arg(inner.directory.datasets())
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start a worker: {error}"))?;
    let (Some(mut input), Some(errors)) = (child.stdin.take(), child.stderr.take()) else {
        return Err("a worker started without its pipes".into());
    };
    let mut spec = serde_json::to_vec(&run.spec).map_err(|error| error.to_string())?;
    spec.push(b'\n');
    input
        .write_all(&spec)
        .await
        .map_err(|error| format!("the worker did not take its spec: {error}"))?;
    let quoted = Arc::new(Mutex::new(VecDeque::new()));
    let errors = tokio::spawn(keep_errors(
        scheduler.clone(),
        run.id,
        errors,
        directory.join("worker.log"),
        quoted.clone(),
    ));
    Ok(Worker {
        child,
        input,
        quoted,
        errors,
    })
}

impl Worker {
    /// Records events until the worker ends; gives the event that is still to be recorded, if its
    /// last words did not end the run.
    async fn follow(
        mut self,
        scheduler: &Scheduler,
        run_id: i64,
        mut commands: UnboundedReceiver<Command>,
    ) -> Result<Option<Event>, StoreError> {
        let Some(output) = self.child.stdout.take() else {
            return Ok(Some(failed("a worker started without its pipes")));
        };
        let mut lines = BufReader::new(output).lines();
        let (mut told, mut ended) = (None, false);
        loop {
            // Once told to cancel, the worker has its grace; then it is killed.
            let deadline = async {
                match told {
                    Some((Command::Cancel, at)) => tokio::time::sleep_until(at + GRACE).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) => ended |= take(scheduler, run_id, &line, told.is_some()).await?,
                    Ok(None) | Err(_) => break,
                },
                Some(command) = commands.recv(), if told.is_none() => {
                    told = Some((command, tokio::time::Instant::now()));
                    match command {
                        // A worker that is gone already is seen at the end of its output.
                        Command::Cancel => { let _ = self.input.write_all(b"cancel\n").await; }
                        Command::Stop => { let _ = self.child.start_kill(); }
                    }
                },
                () = deadline => { let _ = self.child.start_kill(); break; },
            }
        }
        let status = match tokio::time::timeout(EXIT, self.child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = self.child.kill().await;
                None
            }
        };
        // Its pipe closes with the process; what it printed last is worth quoting.
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.errors).await;
        if ended {
            if status.is_none_or(|status| !status.success()) {
                let message = format!("after its last event the worker {}", how_ended(status));
                let level = LogLevel::Warning;
                scheduler.publish(run_id, &Event::Log { level, message }).await?;
            }
            return Ok(None);
        }
        Ok(Some(match told {
            Some((Command::Cancel, _)) => Event::Cancelled,
            Some((Command::Stop, _)) => Event::Interrupted {
                message: "the server was stopped".into(),
            },
            None => failed(&format!(
                "the worker {} before the run's end{}",
                how_ended(status),
                quote(&lock(&self.quoted))
            )),
        }))
    }
}

/// Records what a worker said; `true` when that ended the run.
async fn take(
    scheduler: &Scheduler,
    run_id: i64,
    line: &str,
    told: bool,
) -> Result<bool, StoreError> {
    let event = match serde_json::from_str::<Event>(line) {
        Ok(event) => event,
        Err(error) => {
            let message = format!("the worker wrote a line that is no event ({error}): {line:.200}");
            let level = LogLevel::Warning;
            scheduler.publish(run_id, &Event::Log { level, message }).await?;
            return Ok(false);
        }
    };
    if let Event::Progress(progress) = event {
        lock(&scheduler.0.progress).insert(run_id, progress.clone());
        if let Ok(run) = scheduler.0.store.experiment_of(run_id).await {
            // No listener is no error.
            let _ = scheduler.0.live.send(LiveEvent {
                sequence: None,
                at: now(),
                experiment_id: run,
                run_id,
                event: Event::Progress(progress),
            });
        }
        return Ok(false);
    }
    // A worker only says so when it was told to; on its own it would be a fault of ours.
    let ends = matches!(
        event,
        Event::Finished(_) | Event::Diverged { .. } | Event::Failed { .. }
    ) || (matches!(event, Event::Cancelled) && told);
    scheduler.publish(run_id, &event).await?;
    Ok(ends)
}

/// Keeps standard error: all of it in a file, its beginning in the log, its end for quoting.
async fn keep_errors(
    scheduler: Scheduler,
    run_id: i64,
    errors: ChildStderr,
    path: std::path::PathBuf,
    quoted: Arc<Mutex<VecDeque<String>>>,
) {
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .await
        .ok();
    let mut lines = BufReader::new(errors).lines();
    let mut count = 0;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(file) = &mut file {
            // The log in the store has the beginning; a full disk must not end the run.
            let _ = file.write_all(format!("{line}\n").as_bytes()).await;
        }
        {
            let mut quoted = lock(&quoted);
            if quoted.len() == QUOTED_LINES {
                quoted.pop_front();
            }
            quoted.push_back(line.chars().take(500).collect());
        }
        count += 1;
        if count <= LOGGED_LINES {
            let event = Event::Log {
                level: LogLevel::Warning,
                message: line.chars().take(2000).collect(),
            };
            if let Err(error) = scheduler.publish(run_id, &event).await {
                tracing::warn!(run_id, %error, "cannot log what the worker wrote");
            }
        }
    }
    if let Some(file) = &mut file {
        let _ = file.flush().await;
    }
}

fn failed(message: &str) -> Event {
    Event::Failed {
        message: message.to_owned(),
    }
}

fn how_ended(status: Option<ExitStatus>) -> String {
    match status {
        // Says `exit status: 1`, or `signal: 9 (SIGKILL)`.
        Some(status) => format!("ended with {status}"),
        None => "had to be killed".into(),
    }
}

fn quote(lines: &VecDeque<String>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    format!("; its last words:\n{}", lines.join("\n"))
}
