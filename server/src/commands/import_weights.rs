//! `selectivity-lab import-weights`: a network that was trained elsewhere, as a run of an experiment.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use protocol::origin::ImportRequest;
use protocol::preset::presets;
use protocol::{Dataset, EvaluationSpec, ExperimentSpec, Network};

use super::analyze::channels;
use super::output::say;
use super::run::report;
use super::serve::told_to_stop;
use crate::api::launchable;
use crate::catalogue::Catalogue;
use crate::directory::DataDirectory;
use crate::import::{Staged, import, not_launchable, one_run};
use crate::lock::{LockError, StoreLock};
use crate::scheduler::{Scheduler, Slots};
use crate::store::{ImportTarget, Scope, Store};

/// Written into a new experiment's notes.
const NOTES: &str = "Made for imported weights. The training settings here are for networks that are trained here; those of imported networks are not known, but for alpha, seed and epochs, as they were given.";

/// Arguments of `import-weights`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("to").required(true).args(["experiment", "new_experiment"]))]
pub struct Arguments {
    /// The experiment that the run becomes part of, by its number.
    #[arg(long)]
    experiment: Option<i64>,
    /// A new experiment for it, by this name.
    #[arg(long, requires_all = ["arch", "dataset", "epochs"])]
    new_experiment: Option<String>,
    /// Weights: safetensors or a PyTorch state dict. They are copied.
    #[arg(long)]
    weights: PathBuf,
    /// The network they belong to; it must be the experiment's.
    #[arg(long)]
    arch: Option<Network>,
    /// The data set it was trained on; it must be the experiment's.
    #[arg(long)]
    dataset: Option<Dataset>,
    /// The alpha it was trained with.
    #[arg(long, allow_negative_numbers = true)]
    alpha: f64,
    /// The seed it counts as: a replicate.
    #[arg(long)]
    seed: u64,
    /// Epochs it was trained for; the experiment's when absent.
    #[arg(long)]
    epochs: Option<u32>,
    /// Channel means it was trained with, on the [0, 1] scale; the data set's own when absent.
    #[arg(long, value_parser = channels, allow_hyphen_values = true)]
    mean: Option<[f32; 3]>,
    /// Channel standard deviations it was trained with; the data set's own when absent.
    #[arg(long, value_parser = channels)]
    std: Option<[f32; 3]>,
    /// For a new experiment: a TOML file whose table `evaluation` says what its networks are tested on, such as the
    /// one that `selectivity-lab run` takes.
    #[arg(long, conflicts_with = "experiment")]
    evaluation: Option<PathBuf>,
    /// For a new experiment: the device that measures.
    #[arg(long, default_value = "cpu", conflicts_with = "experiment")]
    device: String,
}

/// The part of an experiment's TOML that is read here.
#[derive(serde::Deserialize)]
struct Evaluated {
    #[serde(default)]
    evaluation: EvaluationSpec,
}

impl Arguments {
    /// Imports the weights and measures them; if a server is at work on the store, the server measures them.
    ///
    /// # Errors
    /// When the weights do not fit or are broken, or what is said of them is wrong; nothing was created then. When the
    /// run did not finish.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let lock = match StoreLock::acquire(&directory.lock(), "`selectivity-lab import-weights`") {
            Ok(lock) => Ok(lock),
            Err(LockError::Held { holder, .. }) => Err(holder),
            Err(error) => return Err(error.into()),
        };
        let store = Store::open(&directory.store()).await?;
        let request = ImportRequest {
            file: self
                .weights
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            alpha: self.alpha,
            seed: self.seed,
            epochs: self.epochs,
            mean: self.mean,
            std: self.std,
        };
        let experiment = self.spec(&store).await?;
        let spec = one_run(&experiment, &request);
        let executable = std::env::current_exe()?;
        let catalogue = Catalogue::new(directory.clone(), executable.clone());
        let facts = launchable(&catalogue, &spec)
            .await?
            .map_err(not_launchable)?;
        let staged = Staged::copy(&directory, &self.weights)
            .map_err(|error| format!("{}: {error}", self.weights.display()))?;
        let target = match self.experiment {
            Some(id) => ImportTarget::Experiment(id),
            None => ImportTarget::New(&spec),
        };
        let (experiment, run) = import(
            &store,
            &directory,
            target,
            (&spec, &facts),
            &request,
            staged,
        )
        .await?;
        say!("run {run} of experiment {experiment}: {}", request.file);
        let _lock = match lock {
            Ok(lock) => lock,
            Err(holder) => {
                say!("{holder} measures it");
                return Ok(());
            }
        };
        let (slots, scope) = (Slots::default(), Scope::Run(run));
        let scheduler =
            Scheduler::start(store.clone(), directory, executable, slots, scope).await?;
        scheduler.wake();
        let stop = told_to_stop();
        tokio::pin!(stop);
        while store.run(run).await?.state.is_active() {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
                () = &mut stop => {
                    scheduler.stop().await;
                    return Err(format!("stopped; start the server and resume run {run} there").into());
                }
            }
        }
        report(&[store.run(run).await?])
    }

    /// The experiment that the run is to be part of.
    async fn spec(&self, store: &Store) -> Result<ExperimentSpec, Box<dyn Error>> {
        if let Some(id) = self.experiment {
            let spec = store.experiment(id).await?.spec;
            if let Some(network) = self.arch.filter(|&network| network != spec.network) {
                return Err(format!(
                    "the networks of experiment {id} are {}, not {network}",
                    spec.network
                )
                .into());
            }
            if let Some(dataset) = self.dataset.as_ref().filter(|&name| *name != spec.dataset) {
                return Err(format!(
                    "the networks of experiment {id} are trained on {}, not {dataset}",
                    spec.dataset
                )
                .into());
            }
            return Ok(spec);
        }
        let (Some(name), Some(network), Some(dataset)) =
            (&self.new_experiment, self.arch, &self.dataset)
        else {
            return Err("name the experiment, --arch and --dataset".into());
        };
        let mut all = presets();
        let like = all
            .iter()
            .position(|preset| preset.spec.network == network && preset.spec.dataset == *dataset);
        let evaluation = match &self.evaluation {
            Some(path) => {
                let failed = |error: String| format!("{}: {error}", path.display());
                let text =
                    std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                let read: Evaluated =
                    toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
                read.evaluation
            }
            None => EvaluationSpec::default(),
        };
        Ok(ExperimentSpec {
            name: name.clone(),
            notes: NOTES.into(),
            network,
            dataset: dataset.clone(),
            device: self.device.clone(),
            evaluation,
            ..all.swap_remove(like.unwrap_or(0)).spec
        })
    }
}
