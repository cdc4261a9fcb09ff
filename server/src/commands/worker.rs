//! `selectivity-lab worker`: one run in a process of its own, which outlives whoever started it.
//!
//! It reads its order from the run's folder, prints each event as one line of JSON to standard output, which is a file
//! there, and says where it is in a file of its own ([`crate::worker_folder`]). It ends by itself when its order is
//! another attempt's, or the folder is gone.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::train::{RunContext, run};
use protocol::Event;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::now;
use crate::worker_folder::{Process, WorkerFolder};

/// Exit status of a worker that nobody wants any more.
const ABANDONED: i32 = 3;

/// How often a worker looks whether it is wanted.
const LOOK: Duration = Duration::from_millis(100);

/// How long a worker waits for the one before it to end.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// How long a worker waits before it tries once more to write on a full disk.
const FULL_DISK: Duration = Duration::from_secs(1);

/// Arguments of `worker`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run's folder.
    #[arg(long)]
    run_directory: PathBuf,
    /// The folder with the data sets.
    #[arg(long)]
    datasets: PathBuf,
    /// The folder where checks of devices are kept.
    #[arg(long)]
    device_checks: PathBuf,
    /// Counts the run's workers, from 1.
    #[arg(long)]
    attempt: u32,
}

/// One line of a worker's log.
#[derive(Serialize)]
struct Line<'a> {
    /// When it happened, in milliseconds since 1970-01-01 UTC.
    at: i64,
    /// Counts the lines of the attempt, from 1.
    number: u64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Arguments {
    /// Runs to the end.
    ///
    /// # Errors
    /// When there is no order, it is another attempt's, or another worker is at work on the run.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        let folder = WorkerFolder::of(&self.run_directory);
        let _lock = lock(&folder)?;
        let order = folder
            .read_order()
            .map_err(|error| format!("{}: {error}", self.run_directory.display()))?;
        if order.attempt != self.attempt {
            let (ordered, own) = (order.attempt, self.attempt);
            return Err(
                format!("the order is for attempt {ordered}, and this is attempt {own}").into(),
            );
        }
        folder.say_process(&Process::this(self.attempt))?;
        let cancel = Arc::new(AtomicBool::new(false));
        let stopped = Arc::new(AtomicBool::new(false));
        let wanted = {
            let (folder, key) = (folder.clone(), order.key.clone());
            move || folder.wants(&key, self.attempt)
        };
        watch(folder.clone(), wanted, cancel.clone(), stopped.clone())?;
        let context = RunContext {
            data_directory: self.datasets,
            run_directory: self.run_directory,
            key: order.key,
            known_result: order.known_result,
            checks_directory: self.device_checks,
            cancel,
        };
        let mut log = Log::new(&folder)?;
        run(
            &order.spec,
            &order.later_evaluations,
            &context,
            &mut |event| {
                log.write(match event {
                    Event::Cancelled if stopped.load(Ordering::Relaxed) => Event::Interrupted {
                        message: "its worker was stopped".into(),
                    },
                    event => event,
                });
            },
        );
        Ok(())
    }
}

/// The lock, once the worker before this one has let go of it.
fn lock(folder: &WorkerFolder) -> Result<File, Box<dyn Error>> {
    let start = Instant::now();
    loop {
        let locked = folder
            .lock()
            .map_err(|error| format!("cannot lock {}: {error}", folder.run().display()))?;
        match locked {
            Some(lock) => return Ok(lock),
            None if start.elapsed() > PREDECESSOR => {
                return Err("another worker is at work on this run".into());
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Watches, beside the run, whether it is still wanted.
fn watch(
    folder: WorkerFolder,
    wanted: impl Fn() -> bool + Send + 'static,
    cancel: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    // A terminal that is closed hangs up; the run goes on.
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(_entered);
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = hang_up.recv() => {}
                    _ = terminate.recv() => {
                        stopped.store(true, Ordering::Relaxed);
                        cancel.store(true, Ordering::Relaxed);
                    }
                    () = tokio::time::sleep(LOOK) => {
                        if !wanted() {
                            eprintln!("the run was deleted, or is another worker's by now");
                            std::process::exit(ABANDONED);
                        }
                        if folder.is_cancelled() {
                            cancel.store(true, Ordering::Relaxed);
                        }
                    }
                }
            }
        });
    });
    Ok(())
}

/// Where a worker's events go.
struct Log<'a> {
    folder: &'a WorkerFolder,
    /// Standard output, unbuffered.
    output: File,
    number: u64,
}

impl Log<'_> {
    fn new(folder: &WorkerFolder) -> io::Result<Log<'_>> {
        Ok(Log {
            folder,
            output: io::stdout().as_fd().try_clone_to_owned()?.into(),
            number: 0,
        })
    }

    fn write(&mut self, event: Event) {
        if let Event::Progress(progress) = event {
            // Only for watching: a full disk, or a folder that is gone, is seen elsewhere.
            let _ = self.folder.say_progress(&progress);
            return;
        }
        self.number += 1;
        let line = Line {
            at: now(),
            number: self.number,
            event: &event,
        };
        let written = serde_json::to_vec(&line)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                self.append(&line)
            });
        if let Err(error) = written {
            // The run is taken up from its checkpoint later.
            eprintln!("cannot write an event: {error}");
            std::process::exit(ABANDONED);
        }
    }

    /// Writes all of it, however long a full disk takes to have room, and flushes it to disk.
    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.output.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
                    ) =>
                {
                    std::thread::sleep(FULL_DISK);
                }
                Err(error) => return Err(error),
            }
        }
        match self.output.sync_data() {
            // No file: a pipe or a terminal.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }
}

/// Reads one JSON value from the first line of standard input.
///
/// # Errors
/// When there is none.
pub fn read_line<T: serde::de::DeserializeOwned>() -> Result<T, Box<dyn Error>> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
