//! `selectivity-lab worker`: one run in a process of its own. Spec in, events out.
//!
//! The first line of standard input is the [`WorkerOrder`]. Every event is one line of JSON on standard output. The
//! line `cancel` ends the run after its current step. Standard input is also the lifeline: when it
//! closes, whoever started the worker is gone, and the worker ends at once.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::train::{RunContext, run};
use protocol::{EvaluationSpec, Event, RunSpec};
use serde::{Deserialize, Serialize};

/// Exit status when the lifeline is cut.
const ABANDONED: i32 = 3;

/// What a worker is to do: the first line of its standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerOrder {
    /// The run.
    pub spec: RunSpec,
    /// Evaluations that were asked for after its launch.
    pub later_evaluations: Vec<EvaluationSpec>,
}

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
}

impl Arguments {
    /// Runs to the end.
    ///
    /// # Errors
    /// When the first line of standard input is no order.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        let order: WorkerOrder = read_line()?;
        let cancel = Arc::new(AtomicBool::new(false));
        let flag = cancel.clone();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines() {
                match line {
                    Ok(line) if line == "cancel" => flag.store(true, Ordering::Relaxed),
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            std::process::exit(ABANDONED);
        });
        let context = RunContext {
            data_directory: self.datasets,
            run_directory: self.run_directory,
            checks_directory: self.device_checks,
            cancel,
        };
        run(
            &order.spec,
            &order.later_evaluations,
            &context,
            &mut |event| say(&event),
        );
        Ok(())
    }
}

fn say(event: &Event) {
    let mut output = std::io::stdout().lock();
    let said = serde_json::to_string(event)
        .map_err(std::io::Error::from)
        .and_then(|line| writeln!(output, "{line}"))
        .and_then(|()| output.flush());
    if let Err(error) = said {
        // Nobody listens: the run is taken up from its checkpoint later.
        eprintln!("cannot write an event: {error}");
        std::process::exit(ABANDONED);
    }
}

/// Reads one JSON value from the first line of standard input.
///
/// # Errors
/// When there is none.
pub fn read_line<T: serde::de::DeserializeOwned>() -> Result<T, Box<dyn Error>> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
