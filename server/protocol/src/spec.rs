//! What a person asks for: an experiment, and the runs it expands into.

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::{Dataset, EvaluationSpec, ExecutorSpec, Network, Origin};

/// The most runs one experiment may expand into.
pub const MAXIMUM_RUNS: usize = 10_000;

named! {
    /// How training images are varied from epoch to epoch.
    pub enum Augmentation {
        /// Images as they are.
        None = "none" => "None",
        /// Pad 4 with zeros, random crop back to size, horizontal flip with probability 1/2 (the source's CIFAR-10 set-up).
        CropFlip = "crop_flip" => "Pad 4, random crop, flip",
        /// Random resized crop (area 0.08 to 1, aspect 3/4 to 4/3) and horizontal flip (the source's Tiny ImageNet set-up).
        ResizedCropFlip = "resized_crop_flip" => "Random resized crop, flip",
    }
}

/// How a network is trained: SGD with momentum, a step schedule, and what is held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    /// Passes over the training set, 1 to 10,000.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10000))]
    pub epochs: u32,
    /// Images a step, 2 to 65,536.
    #[cfg_attr(feature = "openapi", schema(minimum = 2, maximum = 65536))]
    pub batch_size: u32,
    /// SGD's learning rate at the start, over 0.
    #[cfg_attr(feature = "openapi", schema(exclusive_minimum = 0))]
    pub learning_rate: f64,
    /// SGD's momentum, 0 to below 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, exclusive_maximum = 1))]
    pub momentum: f64,
    /// L2 penalty on every parameter, 0 or more.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub weight_decay: f64,
    /// After each of these epochs the learning rate is multiplied by `learning_rate_factor`; increasing.
    pub learning_rate_milestones: Vec<u32>,
    /// What a milestone multiplies the learning rate by, over 0 and at most 1.
    #[cfg_attr(feature = "openapi", schema(exclusive_minimum = 0, maximum = 1))]
    pub learning_rate_factor: f64,
    /// How training images are varied.
    pub augmentation: Augmentation,
    /// Images of each class held out of the training set to choose the best epoch, drawn anew for each seed; 1 or more.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub validation_images_per_class: u32,
    /// Images of each class to train on; all that are left after the hold-out when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub train_images_per_class: Option<u32>,
}

/// One experiment: a network on a data set, trained once for every alpha and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExperimentSpec {
    /// What a person calls it, 1 to 120 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 120))]
    pub name: String,
    /// Why it is run; free text, at most 10,000 characters.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 10000))]
    pub notes: String,
    /// The network.
    pub network: Network,
    /// The data set.
    pub dataset: Dataset,
    /// Regulariser strengths: loss = cross-entropy - alpha x network selectivity. Positive promotes
    /// selectivity, negative suppresses it, 0 is the control. Each in -100 to 100, no repeats.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub alphas: Vec<f64>,
    /// Replicates: each seed draws its own split, initial weights, order and augmentation. Each at
    /// most 9,007,199,254,740,991 (2^53 - 1), so that no JSON reader rounds it; no repeats.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub seeds: Vec<u64>,
    /// The device that trains, by its identifier, for example `cpu` or `wgpu:0000:01:00.0`.
    #[serde(default = "default_device")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub device: String,
    /// How often a run is tried again by itself when its worker was killed from outside (by a full memory, a driver that
    /// crashed, a machine that went down), at most 100. It goes on from its last checkpoint.
    #[serde(default = "default_retries")]
    pub retries: u32,
    /// Where its runs compute.
    #[serde(default, skip_serializing_if = "ExecutorSpec::is_local")]
    pub executor: ExecutorSpec,
    /// How each network is trained.
    pub training: TrainingSpec,
    /// What each trained network is tested on besides clean images.
    #[serde(default, skip_serializing_if = "EvaluationSpec::is_empty")]
    pub evaluation: EvaluationSpec,
}

/// What [`ExperimentSpec::retries`] is where nothing is said.
pub const DEFAULT_RETRIES: u32 = 2;

fn default_retries() -> u32 {
    DEFAULT_RETRIES
}

fn default_device() -> String {
    "cpu".to_owned()
}

/// One run: what a worker is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The network.
    pub network: Network,
    /// The data set.
    pub dataset: Dataset,
    /// Regulariser strength.
    pub alpha: f64,
    /// Replicate.
    pub seed: u64,
    /// The device that trains, by its identifier.
    pub device: String,
    /// How the network is trained.
    pub training: TrainingSpec,
    /// What the trained network is tested on besides clean images.
    #[serde(default, skip_serializing_if = "EvaluationSpec::is_empty")]
    pub evaluation: EvaluationSpec,
    /// Where its weights come from; absent where they are trained here. Of `training`, imported weights have the
    /// epochs alone, as they were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Alphas and seeds that an experiment gets more of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MoreRuns {
    /// Regulariser strengths, as in [`ExperimentSpec::alphas`]; those that the experiment has already change nothing.
    #[serde(default)]
    pub alphas: Vec<f64>,
    /// Replicates, as in [`ExperimentSpec::seeds`]; those that the experiment has already change nothing.
    #[serde(default)]
    pub seeds: Vec<u64>,
}

impl ExperimentSpec {
    /// The experiment with the alphas and seeds of `more` after its own. Every alpha is trained with every seed, so that a
    /// new alpha gets all seeds, and a new seed all alphas. Of a list that is too long for any experiment only as much is
    /// taken as [`ExperimentSpec::validate`] needs to refuse it: comparing all with all of a hostile one would take minutes.
    pub fn with_more(&self, more: &MoreRuns) -> ExperimentSpec {
        fn add<T: Copy + PartialEq>(values: &mut Vec<T>, more: &[T]) {
            for &value in more {
                if values.len() <= MAXIMUM_RUNS && !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        let mut spec = self.clone();
        add(&mut spec.alphas, &more.alphas);
        add(&mut spec.seeds, &more.seeds);
        spec
    }

    /// Whether a run of `alpha` and `seed` is one of its runs.
    pub fn has(&self, alpha: f64, seed: u64) -> bool {
        self.alphas.contains(&alpha) && self.seeds.contains(&seed)
    }

    /// The runs of the experiment. Seeds are the outer loop, so that the first complete set of alphas is there early.
    pub fn runs(&self) -> Vec<RunSpec> {
        let run = |seed: u64, alpha: f64| RunSpec {
            network: self.network,
            dataset: self.dataset.clone(),
            alpha,
            seed,
            device: self.device.clone(),
            training: self.training.clone(),
            evaluation: self.evaluation.clone(),
            origin: None,
        };
        self.seeds
            .iter()
            .flat_map(|&seed| self.alphas.iter().map(move |&alpha| run(seed, alpha)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::presets;

    /// Breaks when an alpha or a seed is taken twice, a present one moves, or a new alpha is not trained with every seed.
    #[test]
    fn more_alphas_and_seeds_complete_the_grid() {
        let spec = ExperimentSpec {
            alphas: vec![0.0, 1.0],
            seeds: vec![3, 1],
            ..presets().remove(0).spec
        };
        let more = MoreRuns {
            alphas: vec![-0.0, -1.0, -1.0],
            seeds: vec![1, 7],
        };
        let whole = spec.with_more(&more);
        assert_eq!(
            (&whole.alphas[..], &whole.seeds[..]),
            (&[0.0, 1.0, -1.0][..], &[3, 1, 7][..])
        );
        let new = whole.runs().into_iter();
        let new: Vec<_> = new
            .map(|run| (run.alpha, run.seed))
            .filter(|&(alpha, seed)| !spec.has(alpha, seed))
            .collect();
        assert_eq!(new, [(-1.0, 3), (-1.0, 1), (0.0, 7), (1.0, 7), (-1.0, 7)]);
        assert_eq!(spec.with_more(&MoreRuns::default()), spec);
        let hostile = MoreRuns {
            alphas: Vec::new(),
            seeds: (0..100_000).collect(),
        };
        let refused = spec.with_more(&hostile);
        assert_eq!(refused.seeds.len(), MAXIMUM_RUNS + 1);
        assert!(
            refused
                .validate()
                .iter()
                .any(|error| error.field == "seeds")
        );
    }
}
