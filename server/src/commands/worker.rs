//! `selectivity-lab worker`: one run in a process of its own, which outlives whoever started it.
//!
//! It reads its order from the run's folder, prints each event as one line of JSON to standard output, which is a file
//! there, and says where it is in a file of its own ([`crate::worker_folder`]). It ends by itself when its order is
//! another attempt's, or the folder is gone.
//!
//! As a job of Slurm it may live several times with one attempt: Slurm tells it by SIGUSR1 that its time is nearly over, or
//! that another job takes its place; it then ends after the current step and puts itself back into Slurm's queue, and goes on
//! from its checkpoint.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use engine::self_check::FOLDER;
use engine::training::{RunContext, run};
use protocol::Event;
use protocol::event::LogLevel;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::now;
use crate::lock::LockedFile;
use crate::worker_folder::{Line, Process, WorkerFolder};

/// Exit status of a worker that is no longer wanted.
const ABANDONED: i32 = 3;

/// Exit status of a process that SIGTERM ends.
const TERMINATED: i32 = 143;

/// How often a worker looks whether it is wanted.
const LOOK: Duration = Duration::from_millis(100);

/// The same on a disk that machines share.
const LOOK_SHARED: Duration = Duration::from_secs(1);

/// A notice that comes at most this many milliseconds before the job's end is about its time limit; else, about a preemption.
/// The batch script asks for two minutes, and Slurm may be a minute early.
const NEAR_THE_LIMIT: i64 = 240_000;

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
    /// Counts the run's workers, from 1.
    #[arg(long)]
    attempt: u32,
    /// It is a job of Slurm, which may put it back into its queue this often.
    #[arg(long)]
    slurm_requeues: Option<u32>,
}

/// Why a run was ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Reason {
    /// A person asked for it.
    Cancelled,
    /// SIGTERM.
    Stopped,
    /// SIGUSR1 of Slurm.
    Notified,
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
        let reason = Arc::new(AtomicU8::new(Reason::Cancelled as u8));
        let wanted = {
            let (folder, key) = (folder.clone(), order.key.clone());
            move || folder.wants(&key, self.attempt)
        };
        let look = match self.slurm_requeues {
            Some(_) => LOOK_SHARED,
            None => LOOK,
        };
        watch(folder.clone(), look, wanted, cancel.clone(), reason.clone())?;
        let context = RunContext {
            data_directory: self.datasets,
            checks_directory: self.run_directory.with_file_name(FOLDER),
            run_directory: self.run_directory,
            key: order.key,
            known_result: order.known_result,
            cancel,
        };
        let mut log = Log::new(&folder, self.attempt)?;
        run(
            &order.spec,
            &order.later_evaluations,
            &context,
            &mut |event| {
                let early = match event {
                    Event::Cancelled => reason.load(Ordering::Relaxed),
                    event => return log.write(event),
                };
                match self.slurm_requeues {
                    _ if early == Reason::Cancelled as u8 => log.write(Event::Cancelled),
                    None => log.write(Event::Interrupted {
                        message: "its worker was stopped".into(),
                    }),
                    Some(most) if early == Reason::Notified as u8 => requeue(&mut log, most),
                    // Slurm knows whether it is cancelled, or preempted and comes back.
                    Some(_) => {
                        eprintln!("Slurm ended the job (SIGTERM)");
                        std::process::exit(TERMINATED);
                    }
                }
            },
        );
        Ok(())
    }
}

/// Puts the job back into Slurm's queue, from where it goes on; or ends the run as interrupted,
/// after `most` requeues or where Slurm refuses.
fn requeue(log: &mut Log<'_>, most: u32) {
    let variable = |name: &str| std::env::var(name).ok();
    let number = |name: &str| variable(name)?.parse::<i64>().ok();
    // Seconds since 1970-01-01; of Slurm 22.05 and later.
    let near = number("SLURM_JOB_END_TIME").is_none_or(|end| end * 1000 - now() <= NEAR_THE_LIMIT);
    let why = match near {
        true => "the job's time limit is near",
        false => "Slurm needs the job's place (preemption)",
    };
    let done = number("SLURM_RESTART_COUNT").unwrap_or(0);
    if done >= i64::from(most) {
        let message = format!(
            "{why}, and it was requeued {done} times, as often as the experiment allows; resume it to go on"
        );
        return log.write(Event::Interrupted { message });
    }
    let job = variable("SLURM_JOB_ID").unwrap_or_default();
    // Written first: Slurm ends this process as soon as it requeues the job.
    log.write(Event::Log {
        level: LogLevel::Info,
        message: format!(
            "{why}: it goes back into Slurm's queue ({} of {most}), and on from its checkpoint",
            done + 1
        ),
    });
    let refused = match Command::new("scontrol").args(["requeue", &job]).output() {
        Ok(output) if is_requeued(output.status) => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    let message = format!("{why}, and Slurm does not requeue it: {refused}");
    log.write(Event::Interrupted { message });
}

/// Whether Slurm took the request to requeue the job. It ends the job's processes then, `scontrol` among them.
fn is_requeued(scontrol: ExitStatus) -> bool {
    scontrol.success() || scontrol.signal().is_some()
}

/// The lock, once the previous worker has released it.
fn lock(folder: &WorkerFolder) -> Result<LockedFile, Box<dyn Error>> {
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
    look: Duration,
    wanted: impl Fn() -> bool + Send + 'static,
    cancel: Arc<AtomicBool>,
    reason: Arc<AtomicU8>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    // A terminal that is closed hangs up; the run goes on.
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut notify = signal(SignalKind::user_defined1())?;
    drop(_entered);
    let end = move |why: Reason| {
        reason.store(why as u8, Ordering::Relaxed);
        cancel.store(true, Ordering::Relaxed);
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = hang_up.recv() => {}
                    _ = terminate.recv() => end(Reason::Stopped),
                    _ = notify.recv() => end(Reason::Notified),
                    () = tokio::time::sleep(look) => {
                        if !wanted() {
                            eprintln!("the run was deleted, or is another worker's by now");
                            std::process::exit(ABANDONED);
                        }
                        if folder.is_cancelled() {
                            end(Reason::Cancelled);
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
    /// Appends to what the attempt has written already. A line that was cut off is ended first, or the next would be lost
    /// with it.
    fn new(folder: &WorkerFolder, attempt: u32) -> io::Result<Log<'_>> {
        let written = match std::fs::read(folder.events(attempt)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            written => written.unwrap_or_default(),
        };
        let mut log = Log {
            folder,
            output: io::stdout().as_fd().try_clone_to_owned()?.into(),
            number: written.iter().filter(|&&byte| byte == b'\n').count() as u64,
        };
        if written.last().is_some_and(|&byte| byte != b'\n') {
            log.append(b"\n")?;
        }
        Ok(log)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a run is said to be interrupted though its job waits again: Slurm ended `scontrol` with the job.
    #[test]
    fn a_request_that_ends_its_sender_was_taken() {
        for (status, taken) in [(0, true), (15, true), (1 << 8, false)] {
            assert_eq!(is_requeued(ExitStatus::from_raw(status)), taken, "{status}");
        }
    }
}
