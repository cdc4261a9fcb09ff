//! `selectivity-lab run experiment.toml`: runs an experiment without a browser, into the same store.

mod server;

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use protocol::event::Phase;
use protocol::{Event, ExperimentSpec, FieldError, Run, RunState};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::serve::told_to_stop;
use crate::api::launchable;
use crate::catalogue::Catalogue;
use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::lock::StoreLock;
use crate::scheduler::{News, Scheduler, Slots};
use crate::store::{Scope, Store, StoreError};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment, in TOML with the fields of the form; see README. Where it was launched before, it goes on.
    experiment: PathBuf,
    /// Runs the experiment's device takes at once, where no server is at work.
    #[arg(long, default_value_t = 1)]
    slots: u32,
    /// Launch it once more, although the same was launched before.
    #[arg(long)]
    new: bool,
}

impl Arguments {
    /// Runs the experiment to its end, and prints what it measured. Where a server is at work on the store, that server
    /// runs it.
    ///
    /// # Errors
    /// When the spec is wrong, the store is in use by another command, or a run did not finish.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let text = std::fs::read_to_string(&self.experiment)
            .map_err(|error| format!("{}: {error}", self.experiment.display()))?;
        let spec: ExperimentSpec = toml::from_str(&text)
            .map_err(|error| format!("{}: {error}", self.experiment.display()))?;
        let name = format!("`selectivity-lab run {}`", self.experiment.display());
        match StoreLock::acquire(&directory.lock(), &name) {
            Ok(lock) => self.run_here(directory, spec, lock).await,
            Err(held) => match held.server() {
                Some(address) => {
                    let server = server::Server::new(address, &directory);
                    server.run(&self.experiment, spec, self.new).await
                }
                None => Err(held.into()),
            },
        }
    }

    async fn run_here(
        self,
        directory: DataDirectory,
        spec: ExperimentSpec,
        _lock: StoreLock,
    ) -> Result<(), Box<dyn Error>> {
        let executable = std::env::current_exe()?;
        let catalogue = Catalogue::new(directory.clone(), executable.clone());
        if let Err(fields) = launchable(&catalogue, &spec).await? {
            return Err(not_launchable(&self.experiment, &fields));
        }
        let store = Store::open_in(&directory).await?;
        let slots = Slots::new([(spec.device.clone(), self.slots)].into());
        let known = match self.new {
            true => None,
            false => store.experiment_with(&spec).await?,
        };
        let id = match known {
            Some(id) => id,
            None => store.create_experiment(&spec).await?,
        };
        // Runs of other experiments stay as they are, waiting or at work.
        let scope = Scope::Experiment(id);
        let scheduler =
            Scheduler::start(store.clone(), directory, executable, slots, scope).await?;
        let news = scheduler.subscribe();
        match known {
            Some(id) => {
                let (left, runs) = resume(&store, id).await?;
                say!("{}", goes_on(id, &spec, left, runs));
            }
            None => say!("experiment {id}: {}", spec.name),
        }
        scheduler.wake();
        if let Err(cut_off) = watch(&store, &scheduler, news, id, &spec.device).await? {
            scheduler.stop().await;
            store.close().await;
            return Err(format!("{cut_off}the same command goes on with experiment {id}").into());
        }
        let runs = store.runs(id).await?;
        store.close().await;
        report(&runs)
    }
}

/// Queues the resumable runs of an experiment again; gives how many of its runs are active then, and how many it has.
async fn resume(store: &Store, id: i64) -> Result<(usize, usize), StoreError> {
    let runs = store.runs(id).await?;
    let ids_of = |wanted: fn(RunState) -> bool| -> Vec<i64> {
        let chosen = runs.iter().filter(|run| wanted(run.state));
        chosen.map(|run| run.id).collect()
    };
    let resumed = store.requeue(&ids_of(RunState::is_resumable)).await?;
    let resumed: usize = resumed.values().map(Vec::len).sum();
    Ok((resumed + ids_of(RunState::is_active).len(), runs.len()))
}

/// Shows how far an experiment's runs are until all have ended, or says why that cannot be waited for: the command is to
/// stop, or nothing starts on the device.
async fn watch(
    store: &Store,
    scheduler: &Scheduler,
    mut news: Receiver<News>,
    id: i64,
    device: &str,
) -> Result<Result<(), String>, Box<dyn Error>> {
    let mut bars = Bars::new(&store.runs(id).await?)?;
    let stop = told_to_stop();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            heard = news.recv() => match heard {
                Ok(News::Event(live)) => bars.show(live.run_id, &live.event),
                Ok(News::Change(_)) => {}
                // The bars only display; the store has everything.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            () = &mut stop => return Ok(Err("stopped; ".into())),
        }
        if let Some(reason) = scheduler.paused(device) {
            return Ok(Err(format!("{reason}\n")));
        }
        let counts = store.experiment(id).await?.runs;
        if counts.iter().all(|count| !count.state.is_active()) {
            break;
        }
    }
    bars.all.clear()?;
    Ok(Ok(()))
}

fn not_launchable(experiment: &Path, fields: &[FieldError]) -> Box<dyn Error> {
    let reasons: Vec<_> = fields
        .iter()
        .map(|error| format!("  {}: {}", error.field, error.reason))
        .collect();
    format!(
        "{} cannot be launched:\n{}",
        experiment.display(),
        reasons.join("\n")
    )
    .into()
}

/// Says that an experiment was launched before: `resumed` of its `runs` are queued again.
fn goes_on(id: i64, spec: &ExperimentSpec, resumed: usize, runs: usize) -> String {
    let what = match resumed {
        0 => "was launched before; --new launches it once more".to_owned(),
        resumed => format!("goes on with {resumed} of {runs} runs"),
    };
    format!("experiment {id}: {} {what}", spec.name)
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
