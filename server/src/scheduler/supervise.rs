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
use crate::commands::worker::WorkerOrder;
use crate::store::StoreError;

/// How long a worker may take to end by itself after it was told to cancel.
const GRACE: Duration = Duration::from_millis(1200);

/// How long a worker may take to exit after its last event, or after it closed its output.
const EXIT: Duration = Duration::from_secs(10);

/// How long to wait for what a worker that is gone, or was killed, has written.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Lines of standard error that go into the run's log; all of them go into `worker.log`.
const LOGGED_LINES: usize = 200;

/// Lines of standard error that are quoted when a worker dies.
const QUOTED_LINES: usize = 8;

/// Runs a worker on `run` and records what it says; gives the event that ends the run, which is
/// still to be recorded. The worker is gone by then, so that the run can be resumed or deleted.
pub(super) async fn supervise(
    scheduler: &Scheduler,
    run: Run,
    commands: UnboundedReceiver<Command>,
) -> Event {
    match start(scheduler, &run).await {
        Ok(worker) => worker.follow(scheduler, run.id, commands).await,
        Err(message) => Event::Failed { message },
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
    std::fs::create_dir_all(&directory).map_err(|error| {
        format!(
            "cannot make the run's folder {}: {error}",
            directory.display()
        )
    })?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores / scheduler.slots(&run.spec.device) as usize).max(1);
    let mut child = tokio::process::Command::new(&inner.executable)
        .arg("worker")
        .arg("--run-directory")
        .arg(&directory)
        .arg("--datasets")
        .arg(inner.directory.datasets())
        .arg("--device-checks")
        .arg(inner.directory.device_checks())
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // Ctrl-C in a terminal is for the server, which then stops its workers in order.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start a worker: {error}"))?;
    let (Some(mut input), Some(errors)) = (child.stdin.take(), child.stderr.take()) else {
        return Err("a worker started without its pipes".into());
    };
    let order = WorkerOrder {
        spec: run.spec.clone(),
        later_evaluations: run.later_evaluations.clone(),
    };
    let mut order = serde_json::to_vec(&order).map_err(|error| error.to_string())?;
    order.push(b'\n');
    // A worker that is gone already is seen at the end of its output, and its last words say more.
    let _ = input.write_all(&order).await;
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
    /// Records events until the worker is gone; gives the one that ends the run.
    async fn follow(
        mut self,
        scheduler: &Scheduler,
        run_id: i64,
        mut commands: UnboundedReceiver<Command>,
    ) -> Event {
        let Some(output) = self.child.stdout.take() else {
            return failed("a worker started without its pipes");
        };
        // Lines of bytes: what a driver prints need not be UTF-8.
        let mut lines = BufReader::new(output).split(b'\n');
        let (mut told, mut end, mut killed) = (None, None, false);
        loop {
            // Once told to cancel, the worker has its grace; then it is killed, and what it said
            // before is still read.
            let deadline = async {
                match told {
                    Some((Command::Cancel, at)) if !killed => {
                        tokio::time::sleep_until(at + GRACE).await
                    }
                    _ if killed => tokio::time::sleep(LAST_WORDS).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                line = lines.next_segment() => match line {
                    Ok(Some(line)) => match take(scheduler, run_id, &line).await {
                        Ok(event) => end = end.or(event),
                        Err(error) => return self.give_up(run_id, &error).await,
                    },
                    Ok(None) | Err(_) => break,
                },
                Some(command) = commands.recv(), if told.is_none() => {
                    told = Some((command, tokio::time::Instant::now()));
                    match command {
                        // A worker that is gone already is seen at the end of its output.
                        Command::Cancel => { let _ = self.input.write_all(b"cancel\n").await; }
                        Command::Stop => { let _ = self.child.start_kill(); killed = true; }
                    }
                },
                () = deadline => {
                    if killed {
                        break;
                    }
                    let _ = self.child.start_kill();
                    killed = true;
                },
            }
        }
        let status = self.exit(told.map(|(_, at)| at)).await;
        // Its pipe closes with the process; what it printed last is worth quoting.
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.errors).await;
        match (end, told) {
            (Some(end), _) => {
                if !killed && status.is_none_or(|status| !status.success()) {
                    let message = format!("after its last event the worker {}", how_ended(status));
                    warn(scheduler, run_id, message).await;
                }
                end
            }
            (None, Some((Command::Cancel, _))) => Event::Cancelled,
            (None, Some((Command::Stop, _))) => Event::Interrupted {
                message: "the server was stopped".into(),
            },
            (None, None) => failed(&format!(
                "the worker {} before the run's end{}",
                how_ended(status),
                quote(&lock(&self.quoted))
            )),
        }
    }

    /// Waits for the process to exit, less long when it was told to at `told`; kills it after that.
    async fn exit(&mut self, told: Option<tokio::time::Instant>) -> Option<ExitStatus> {
        let patience = match told {
            Some(at) => (at + GRACE).saturating_duration_since(tokio::time::Instant::now()),
            None => EXIT,
        };
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = tokio::time::timeout(LAST_WORDS, self.child.kill()).await;
                None
            }
        }
    }

    /// Ends a worker whose events cannot be stored. A resumed run says its earlier epochs again, so
    /// nothing measured is lost.
    async fn give_up(mut self, run_id: i64, error: &StoreError) -> Event {
        tracing::error!(run_id, %error, "an event cannot be stored; the run is interrupted");
        let _ = self.child.kill().await;
        Event::Interrupted {
            message: format!("an event could not be stored: {error}"),
        }
    }
}

/// Records what a worker said, or gives it back when it ends the run.
async fn take(
    scheduler: &Scheduler,
    run_id: i64,
    line: &[u8],
) -> Result<Option<Event>, StoreError> {
    let event = match serde_json::from_slice::<Event>(line) {
        Ok(event) => event,
        Err(error) => {
            let line = String::from_utf8_lossy(line);
            warn(
                scheduler,
                run_id,
                format!("the worker wrote a line that is no event ({error}): {line:.200}"),
            )
            .await;
            return Ok(None);
        }
    };
    match event {
        Event::Progress(progress) => {
            lock(&scheduler.0.progress).insert(run_id, progress.clone());
            let experiment_id = scheduler.0.store.experiment_of(run_id).await?;
            // No listener is no error.
            let _ = scheduler.0.live.send(LiveEvent {
                sequence: None,
                at: now(),
                experiment_id,
                run_id,
                event: Event::Progress(progress),
            });
            Ok(None)
        }
        Event::Started(_)
        | Event::Epoch(_)
        | Event::Trained(_)
        | Event::Measured(_)
        | Event::Log { .. } => {
            scheduler.publish(run_id, &event).await?;
            Ok(None)
        }
        Event::Finished(_)
        | Event::Diverged { .. }
        | Event::Failed { .. }
        | Event::Cancelled
        | Event::Interrupted { .. } => Ok(Some(event)),
    }
}

/// Puts a warning into the run's log.
async fn warn(scheduler: &Scheduler, run_id: i64, message: String) {
    let level = LogLevel::Warning;
    if let Err(error) = scheduler
        .publish(run_id, &Event::Log { level, message })
        .await
    {
        tracing::warn!(run_id, %error, "cannot write to the run's log");
    }
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
    // Lines of bytes: what a driver prints need not be UTF-8, and closing the pipe on it would end it.
    let mut lines = BufReader::new(errors).split(b'\n');
    let mut count = 0;
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line);
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
            warn(&scheduler, run_id, line.chars().take(2000).collect()).await;
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
