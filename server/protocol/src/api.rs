//! Answers of the API under `/api/v1` that are not a run, an event or a spec themselves.

use serde::{Deserialize, Serialize};

use crate::device::DeviceCheck;
use crate::event::{Event, LogLevel};
use crate::finding::ClaimVerdict;
use crate::named::named;
use crate::result::EpochMetrics;
use crate::run::RunState;
use crate::spec::ExperimentSpec;
use crate::{Dataset, Network, Run};

pub use crate::problem::ApiError;

/// Whether the server is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok` when the store answers.
    pub status: String,
    /// Version of the server.
    pub version: String,
    /// Whether the server was built with support for GPUs.
    pub gpu_support: bool,
    /// Runs that wait for a slot.
    pub queued: u32,
    /// Runs that a worker is on.
    pub running: u32,
    /// Runs that were interrupted and can be resumed.
    pub interrupted: u32,
    /// Why nothing new is begun on any device: a full disk, or a store that takes nothing. It goes on by itself.
    #[serde(default)]
    pub lacking_room: Option<String>,
}

/// One device that can train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceInfo {
    /// Identifier in specs: `cpu`, `wgpu:0000:01:00.0` (a PCI address), `wgpu:discrete:0`, …
    pub id: String,
    /// The device as its driver names it.
    pub name: String,
    /// How it computes, for example `burn-flex` or `wgpu, Vulkan`.
    pub backend: String,
    /// Whether it emulates a GPU in software; such a device is never chosen by default.
    pub software: bool,
    /// Anything a person should know before choosing it.
    pub note: Option<String>,
    /// Comparisons of training steps with the CPU, the newest first; none for the CPU itself.
    #[serde(default)]
    pub checks: Vec<DeviceCheck>,
    /// Runs it takes at once.
    pub slots: u32,
    /// Why no run is started on it, when several starts failed in a row; its queue waits until it is resumed.
    #[serde(default)]
    pub paused: Option<String>,
    /// Runs on it right now.
    pub running: u32,
    /// Runs waiting for it.
    pub queued: u32,
}

/// One data set, installed or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetInfo {
    /// Its name in specs.
    pub id: Dataset,
    /// What a person calls it.
    pub label: String,
    /// What it is and where it comes from, in a sentence or two.
    pub description: String,
    /// Where it stands.
    pub status: DatasetStatus,
    /// Where it is, or where it is looked for.
    pub path: Option<String>,
    /// Classes, sizes and shape; only when installed and readable.
    pub facts: Option<DatasetFacts>,
    /// Whether `fetch` can download it.
    pub fetchable: bool,
    /// Whether the published corrupted copy of its test images is there (by its folder; a test that uses it
    /// checks it whole); absent for data sets that have none.
    #[serde(default)]
    pub corrupted: Option<DatasetStatus>,
}

/// Whether a data set can be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DatasetStatus {
    /// Ready to train on.
    Installed,
    /// Not there.
    Missing,
    /// There, but something is wrong with it.
    Broken {
        /// What is wrong, naming file and offset.
        message: String,
    },
    /// Being downloaded or unpacked.
    Fetching {
        /// What is being done, for example `downloading` or `unpacking`.
        step: String,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, when known.
        total_bytes: Option<u64>,
    },
    /// The last download failed.
    FetchFailed {
        /// What went wrong and what to do.
        message: String,
    },
}

/// What a data set holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetFacts {
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Training images of the class that has fewest.
    pub smallest_class: u32,
    /// Training images (validation is held out of them).
    pub train_images: u32,
    /// Test images.
    pub test_images: u32,
    /// Image height in pixels.
    pub height: u32,
    /// Image width in pixels.
    pub width: u32,
}

/// One sample image of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// Index within its split.
    pub index: u32,
    /// Label.
    pub label: u32,
    /// Class name.
    pub class: String,
    /// Where the PNG is, relative to the server's root.
    pub url: String,
}

/// How long an experiment would take, and how that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Estimate {
    /// Runs the experiment expands into.
    pub runs: u32,
    /// Expected seconds for all of them on the chosen device with its slots; absent where nothing was measured yet.
    pub seconds: Option<f64>,
    /// Training images a second that the estimate rests on.
    pub images_per_second: Option<f64>,
    /// How it is known, in a sentence a person can judge: measured when, on what.
    pub basis: String,
}

/// One experiment, with its runs counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Experiment {
    /// Number of the experiment, unique in the store.
    pub id: i64,
    /// What was asked.
    pub spec: ExperimentSpec,
    /// What people sort it under: 1 to 50 characters each, at most 20.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Why it is run and what came of it: the spec's notes until they are edited; at most 10,000 characters.
    #[serde(default)]
    pub notes: String,
    /// When it was created, in milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// Its runs by state; states that no run is in are left out.
    pub runs: Vec<StateCount>,
    /// Share of all work that is done, training and tests, 0 to 1.
    pub progress: f64,
    /// Expected seconds until its last active run ends; absent when none is active or nothing was measured.
    pub remaining_seconds: Option<f64>,
    /// The lowest and the highest test accuracy of its trained runs, 0 to 1; absent while none is trained.
    #[serde(default)]
    pub test_accuracy: Option<[f64; 2]>,
    /// What it says about each claim with the default window, C1 to C8. Filled in by lists alone; absent while runs are at work,
    /// while none is trained, and until it was computed, which is told as [`Change::FindingsMade`].
    #[serde(default)]
    pub verdicts: Option<Vec<ClaimVerdict>>,
}

impl Experiment {
    /// Whether a run of it waits or is at work.
    pub fn is_active(&self) -> bool {
        let mut runs = self.runs.iter();
        runs.any(|entry| entry.count > 0 && entry.state.is_active())
    }

    /// Runs in `state`.
    pub fn count(&self, state: RunState) -> u32 {
        self.runs
            .iter()
            .filter(|entry| entry.state == state)
            .map(|entry| entry.count)
            .sum()
    }

    /// The one state that says most about the experiment: running before queued before what went
    /// wrong; finished only when every run is.
    pub fn state(&self) -> RunState {
        [
            RunState::Running,
            RunState::Queued,
            RunState::Interrupted,
            RunState::Failed,
            RunState::Diverged,
            RunState::Cancelled,
        ]
        .into_iter()
        .find(|&state| self.count(state) > 0)
        .unwrap_or(RunState::Finished)
    }
}

/// How many runs are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StateCount {
    /// The state.
    pub state: RunState,
    /// Runs in it.
    pub count: u32,
}

/// A page of experiments, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentPage {
    /// The experiments of this page.
    pub experiments: Vec<Experiment>,
    /// Experiments that match in all.
    pub total: u32,
}

/// A page of runs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunPage {
    /// The runs of this page, without per-unit values.
    pub runs: Vec<Run>,
    /// Runs that match in all.
    pub total: u32,
}

/// A mean over replicates with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Replicates it is over.
    pub n: u32,
    /// Bootstrapped 95 % confidence interval over replicates; absent for fewer than 2.
    pub interval: Option<[f64; 2]>,
}

/// What the finished runs of one alpha measured, over their seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlphaSummary {
    /// Regulariser strength.
    pub alpha: f64,
    /// Network selectivity on the clean test set.
    pub selectivity: Mean,
    /// Clean test accuracy.
    pub test_accuracy: Mean,
    /// Selectivity of each layer on the clean test set, in forward order.
    pub layer_selectivity: Vec<Mean>,
}

/// An experiment's finished runs, aggregated over seeds for every alpha, in order of alpha.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentSummary {
    /// One entry an alpha that has a finished run.
    pub alphas: Vec<AlphaSummary>,
    /// Layer names in forward order; empty while no run is finished.
    pub layers: Vec<String>,
    /// How the intervals are made, in a sentence.
    pub interval_method: String,
}

/// What came of asking for an evaluation of an experiment's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluationQueued {
    /// Runs that were queued to be evaluated.
    pub queued: u32,
    /// Runs that were not: they are queued, running, or not trained.
    pub skipped: u32,
}

named! {
    /// Which of a run's predictions are shown.
    #[derive(Default)]
    pub enum SampleFilter {
        /// Right when clean, wrong now.
        #[default]
        Broken = "broken" => "Right when clean, wrong now",
        /// Right both times.
        Robust = "robust" => "Right both times",
        /// Wrong when clean, right now.
        Mended = "mended" => "Wrong when clean, right now",
        /// All.
        All = "all" => "All",
    }
}

impl SampleFilter {
    /// Whether it lets an image through that was classified so.
    pub fn takes(self, clean_right: bool, right: bool) -> bool {
        match self {
            SampleFilter::All => true,
            SampleFilter::Broken => clean_right && !right,
            SampleFilter::Robust => clean_right && right,
            SampleFilter::Mended => !clean_right && right,
        }
    }
}

/// What a network said about one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Prediction {
    /// Name of the predicted class; absent where the logits were not numbers.
    pub class: Option<String>,
    /// Softmax probability of that class, 0 to 1.
    pub confidence: f32,
    /// Whether it is the image's own class.
    pub right: bool,
    /// Where the image is as PNG, relative to the server's root.
    pub url: String,
}

/// One test image of a run, clean and corrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CorruptedSample {
    /// Index within the test set.
    pub index: u32,
    /// Name of its class.
    pub class: String,
    /// The clean image.
    pub clean: Prediction,
    /// The corrupted image.
    pub corrupted: Prediction,
}

/// A page of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CorruptedSamplePage {
    /// The samples of this page.
    pub samples: Vec<CorruptedSample>,
    /// Samples that the filter lets through in all.
    pub total: u32,
    /// Test images that were corrupted.
    pub images: u32,
}

/// At which radius of FGSM an image's class is first wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fall {
    /// It is wrong as it is.
    WrongWhenClean,
    /// At this radius, the smallest measured, on the [0, 1] scale.
    At {
        /// The radius.
        epsilon: f64,
    },
    /// At none that was measured.
    Never,
}

/// One test image of a run, clean and attacked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdversarialSample {
    /// Index within the test set.
    pub index: u32,
    /// Name of its class.
    pub class: String,
    /// The clean image.
    pub clean: Prediction,
    /// The adversarial image.
    pub adversarial: Prediction,
    /// The change, magnified, as PNG; relative to the server's root.
    pub perturbation_url: String,
    /// Where it falls.
    pub falls_at: Fall,
}

/// A page of attacked samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdversarialSamplePage {
    /// The samples of this page.
    pub samples: Vec<AdversarialSample>,
    /// Samples that the filter lets through in all.
    pub total: u32,
    /// Samples whose images were kept: the first of those attacked.
    pub kept: u32,
    /// Test images that were attacked.
    pub images: u32,
}

/// The epochs of one run, for curves that overlay many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunMetrics {
    /// The run.
    pub run_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Its epochs in order.
    pub epochs: Vec<EpochMetrics>,
}

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// How much it matters.
    pub level: LogLevel,
    /// What happened.
    pub message: String,
}

/// One file that a run left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Artifact {
    /// File name.
    pub name: String,
    /// What it is, in a few words.
    pub description: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Where to download it, relative to the server's root.
    pub url: String,
}

/// An event on its way to a browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LiveEvent {
    /// Sequence number in the store; absent for progress, which is not stored.
    pub sequence: Option<i64>,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// The experiment.
    pub experiment_id: i64,
    /// The run.
    pub run_id: i64,
    /// What happened.
    pub event: Event,
}

/// For how many minutes a deleted experiment can be brought back.
pub const UNDO_MINUTES: u32 = 10;

/// What was changed of an experiment or its runs, besides what the runs themselves report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The experiment was launched, or imported.
    ExperimentCreated,
    /// Its tags or notes were edited.
    ExperimentAnnotated,
    /// It was deleted with all its runs.
    ExperimentDeleted,
    /// It was deleted, and brought back with all its runs.
    ExperimentRestored,
    /// Weights were imported as new runs of it.
    RunsImported,
    /// Runs wait again: to go on, or to be tested on more.
    RunsQueued,
    /// Tags or notes of runs were edited.
    RunsAnnotated,
    /// Runs were deleted.
    RunsDeleted,
    /// What its runs say about the claims was computed anew; lists show it.
    FindingsMade,
}

/// A change on its way to a browser. Changes are told as they happen and are not kept: who comes back reads everything
/// anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeEvent {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// The experiment.
    pub experiment_id: i64,
    /// The runs that changed; of an experiment that is deleted, all it had.
    pub run_ids: Vec<i64>,
    /// What was changed.
    pub change: Change,
}

/// What the New experiment form needs to know, in one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FormOptions {
    /// Ready-made experiments.
    pub presets: Vec<crate::preset::Preset>,
    /// Networks that can be chosen.
    pub networks: Vec<Network>,
    /// Data sets and whether they are installed.
    pub datasets: Vec<DatasetInfo>,
    /// Devices.
    pub devices: Vec<DeviceInfo>,
    /// Places where workers can run.
    pub executors: Vec<crate::executor::ExecutorInfo>,
}
