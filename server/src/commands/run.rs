//! `selectivity-lab run experiment.toml`: the browser's twin without a browser, into the same store.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use protocol::event::Phase;
use protocol::{Event, ExperimentSpec, Run, RunState};
use tokio::sync::broadcast::error::RecvError;

use super::serve::told_to_stop;
use crate::api::launchable;
use crate::catalogue::Catalogue;
use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::lock::StoreLock;
use crate::scheduler::{Scheduler, Slots};
use crate::store::Store;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment, in TOML with the fields of the form; see README.
    experiment: PathBuf,
    /// Runs the experiment's device takes at once.
    #[arg(long, default_value_t = 1)]
    slots: u32,
}

impl Arguments {
    /// Runs the experiment to its end, and prints what it measured.
    ///
    /// # Errors
    /// When the spec is wrong, the store is in use, or a run did not finish.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let text = std::fs::read_to_string(&self.experiment)
            .map_err(|error| format!("{}: {error}", self.experiment.display()))?;
        let spec: ExperimentSpec = toml::from_str(&text)
            .map_err(|error| format!("{}: {error}", self.experiment.display()))?;
        let name = format!("`selectivity-lab run {}`", self.experiment.display());
        let _lock = StoreLock::acquire(&directory.lock(), &name)?;
        let executable = std::env::current_exe()?;
        let catalogue = Catalogue::new(directory.clone(), executable.clone());
        if let Err(fields) = launchable(&catalogue, &spec).await? {
            let reasons: Vec<_> = fields
                .iter()
                .map(|error| format!("  {}: {}", error.field, error.reason))
                .collect();
            return Err(format!(
                "{} cannot be launched:\n{}",
                self.experiment.display(),
                reasons.join("\n")
            )
            .into());
        }
        let store = Store::open(&directory.store()).await?;
        let slots = Slots::new([(spec.device.clone(), self.slots)].into());
        let scheduler = Scheduler::start(store.clone(), directory, executable, slots).await?;
        let mut events = scheduler.subscribe();
        let id = store.create_experiment(&spec).await?;
        say!("experiment {id}: {}", spec.name);
        scheduler.wake();

        let mut bars = Bars::new(&store.runs(id).await?)?;
        let stop = told_to_stop();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(live) => bars.show(live.run_id, &live.event),
                    // Bars only watch; the store has everything.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
                () = &mut stop => {
                    scheduler.stop().await;
                    return Err(format!("stopped; start the server and resume experiment {id} there").into());
                }
            }
            if store
                .experiment(id)
                .await?
                .runs
                .iter()
                .all(|entry| !entry.state.is_active())
            {
                break;
            }
        }
        bars.all.clear()?;
        report(&store.runs(id).await?)
    }
}

struct Bars {
    all: MultiProgress,
    bars: HashMap<i64, ProgressBar>,
    style: ProgressStyle,
    labels: HashMap<i64, String>,
}

impl Bars {
    fn new(runs: &[Run]) -> Result<Self, Box<dyn Error>> {
        Ok(Bars {
            all: MultiProgress::new(),
            bars: HashMap::new(),
            style: ProgressStyle::with_template("{prefix:24} {bar:30} {msg}")?,
            labels: runs
                .iter()
                .map(|run| {
                    (
                        run.id,
                        format!("alpha {:+} seed {}", run.spec.alpha, run.spec.seed),
                    )
                })
                .collect(),
        })
    }

    fn show(&mut self, run: i64, event: &Event) {
        let Some(label) = self.labels.get(&run) else {
            return; // A run of another experiment, taken up on the way.
        };
        let (all, style) = (&self.all, &self.style);
        let bar = self.bars.entry(run).or_insert_with(|| {
            all.add(
                ProgressBar::new(1000)
                    .with_style(style.clone())
                    .with_prefix(label.clone()),
            )
        });
        match event {
            Event::Progress(progress) => {
                let step = f64::from(progress.step) / f64::from(progress.steps.max(1));
                let within = if progress.phase == Phase::Training {
                    step
                } else {
                    1.0
                };
                let done = (f64::from(progress.epoch) - 1.0 + within) / f64::from(progress.epochs);
                bar.set_position((done * 1000.0) as u64);
                let remaining = progress.remaining_seconds.unwrap_or(0.0);
                bar.set_message(format!(
                    "epoch {}/{} {:.0} images/s, {:.0} s left",
                    progress.epoch, progress.epochs, progress.images_per_second, remaining
                ));
            }
            Event::Epoch(metrics) => {
                let line = format!(
                    "{label}: epoch {} validation accuracy {:.4}, selectivity {:.4}, {:.0} images/s",
                    metrics.epoch,
                    metrics.validation_accuracy,
                    metrics.selectivity,
                    metrics.images_per_second
                );
                // Printing fails only where nobody reads.
                let _ = if all.is_hidden() {
                    say!("{line}");
                    Ok(())
                } else {
                    all.println(line)
                };
            }
            Event::Finished(_)
            | Event::Failed { .. }
            | Event::Diverged { .. }
            | Event::Cancelled => {
                bar.finish_and_clear();
            }
            _ => {}
        }
    }
}

/// Prints a row a run; an error when any did not finish.
pub(super) fn report(runs: &[Run]) -> Result<(), Box<dyn Error>> {
    say!(
        "{:>8} {:>6} {:>10} {:>6} {:>14} {:>12} {:>8}",
        "alpha",
        "seed",
        "state",
        "best",
        "test accuracy",
        "selectivity",
        "n test"
    );
    for run in runs {
        let spec = &run.spec;
        let measured = match &run.result {
            Some(result) => format!(
                "{:>6} {:>14.4} {:>12.4} {:>8}",
                result
                    .best_epoch
                    .map_or_else(|| "–".to_owned(), |epoch| epoch.to_string()),
                result.test_accuracy,
                result.selectivity,
                result.test_images
            ),
            None => run.reason.clone().unwrap_or_default(),
        };
        let state = run.state.id();
        say!("{:>8} {:>6} {state:>10} {measured}", spec.alpha, spec.seed);
    }
    let unfinished = runs
        .iter()
        .filter(|run| run.state != RunState::Finished)
        .count();
    match unfinished {
        0 => Ok(()),
        count => Err(format!("{count} of {} runs did not finish", runs.len()).into()),
    }
}
