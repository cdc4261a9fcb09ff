//! What makes a spec acceptable. The form and the API ask the same function, so they always agree.

use crate::field_error::{Checks, FieldError};
use crate::numeral::{MAXIMUM_SEED, plain};
use crate::spec::{ExperimentSpec, MAXIMUM_RUNS, TrainingSpec};

impl ExperimentSpec {
    /// Everything wrong with the spec by itself; empty when it can be launched. Whether the data
    /// set and the device exist is for the server to say.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut checks = Checks::new("");

        let name_length = self.name.trim().chars().count();
        if name_length == 0 {
            checks.refuse("name", "give the experiment a name");
        } else if name_length > 120 {
            checks.refuse(
                "name",
                format!("{name_length} characters; at most 120 are allowed"),
            );
        }
        if self.notes.chars().count() > 10_000 {
            checks.refuse("notes", "at most 10,000 characters");
        }
        if self.alphas.is_empty() {
            checks.refuse("alphas", "give at least one alpha; 0 is the control");
        }
        // Up to the most that can be right: comparing all with all of a hostile list would take minutes.
        for (index, &alpha) in self.alphas.iter().enumerate().take(MAXIMUM_RUNS) {
            if !alpha.is_finite() || alpha.abs() > 100.0 {
                checks.refuse(
                    "alphas",
                    format!("{} is not between -100 and 100", plain(alpha)),
                );
            }
            if self.alphas[..index].contains(&alpha) {
                checks.refuse("alphas", format!("{} is given twice", plain(alpha)));
            }
        }
        if self.seeds.is_empty() {
            checks.refuse("seeds", "give at least one seed");
        }
        for (index, &seed) in self.seeds.iter().enumerate().take(MAXIMUM_RUNS) {
            if seed > MAXIMUM_SEED {
                checks.refuse("seeds", format!("{seed} is above {MAXIMUM_SEED}"));
            }
            if self.seeds[..index].contains(&seed) {
                checks.refuse("seeds", format!("{seed} is given twice"));
            }
        }
        let runs = self.alphas.len().saturating_mul(self.seeds.len());
        if runs > MAXIMUM_RUNS {
            checks.refuse(
                "seeds",
                format!("{runs} runs; at most {MAXIMUM_RUNS} are allowed"),
            );
        }
        if self.device.trim().is_empty() {
            checks.refuse("device", "name a device, for example cpu");
        }
        if self.retries > 100 {
            checks.refuse(
                "retries",
                format!("{} times; at most 100 are allowed", self.retries),
            );
        }
        checks.extend(self.executor.validate());
        checks.extend(self.training.validate());
        checks.extend(self.evaluation.validate_on(&self.dataset));
        checks.errors()
    }
}

impl TrainingSpec {
    /// Everything wrong with the training set-up, with fields named `training.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut checks = Checks::new("training.");
        checks.require(
            (1..=10_000).contains(&self.epochs),
            "epochs",
            format!("{} is not between 1 and 10,000", self.epochs),
        );
        checks.require(
            (2..=65_536).contains(&self.batch_size),
            "batch_size",
            format!("{} is not between 2 and 65,536", self.batch_size),
        );
        checks.require(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "learning_rate",
            format!("{} is not above 0", plain(self.learning_rate)),
        );
        checks.require(
            (0.0..1.0).contains(&self.momentum),
            "momentum",
            format!("{} is not in [0, 1)", plain(self.momentum)),
        );
        checks.require(
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            "weight_decay",
            format!("{} is not 0 or more", plain(self.weight_decay)),
        );
        checks.require(
            self.learning_rate_milestones
                .iter()
                .all(|&epoch| epoch >= 1)
                && self
                    .learning_rate_milestones
                    .windows(2)
                    .all(|pair| pair[0] < pair[1]),
            "learning_rate_milestones",
            "epochs must be 1 or more and in increasing order",
        );
        checks.require(
            self.learning_rate_factor > 0.0 && self.learning_rate_factor <= 1.0,
            "learning_rate_factor",
            format!("{} is not in (0, 1]", plain(self.learning_rate_factor)),
        );
        checks.require(
            self.validation_images_per_class >= 1,
            "validation_images_per_class",
            "hold out at least 1 image per class: the best epoch is chosen on these images",
        );
        checks.require(
            self.train_images_per_class != Some(0),
            "train_images_per_class",
            "train on at least 1 image per class, or leave it empty for all",
        );
        checks.errors()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::presets;

    #[test]
    fn every_preset_can_be_launched() {
        for preset in presets() {
            assert_eq!(preset.spec.validate(), vec![], "{}", preset.id);
        }
    }

    #[test]
    fn each_wrong_value_is_refused_under_its_own_field() {
        let good = presets().remove(0).spec;
        type Spoil = fn(&mut ExperimentSpec);
        let spoil: [(&str, Spoil); 15] = [
            ("name", |s| s.name = "  ".into()),
            ("alphas", |s| s.alphas = vec![]),
            ("alphas", |s| s.alphas = vec![f64::NAN]),
            ("alphas", |s| s.alphas = vec![1.0, 1.0]),
            ("seeds", |s| s.seeds = vec![]),
            ("seeds", |s| s.seeds = vec![u64::MAX]),
            ("device", |s| s.device.clear()),
            ("retries", |s| s.retries = 101),
            ("training.epochs", |s| s.training.epochs = 0),
            ("training.batch_size", |s| s.training.batch_size = 1),
            ("training.learning_rate", |s| {
                s.training.learning_rate = f64::NAN
            }),
            ("training.momentum", |s| s.training.momentum = 1.0),
            ("training.weight_decay", |s| s.training.weight_decay = -1.0),
            ("training.learning_rate_milestones", |s| {
                s.training.learning_rate_milestones = vec![5, 5]
            }),
            ("training.train_images_per_class", |s| {
                s.training.train_images_per_class = Some(0)
            }),
        ];
        for (field, wrong) in spoil {
            let mut spec = good.clone();
            wrong(&mut spec);
            let fields: Vec<_> = spec.validate().into_iter().map(|e| e.field).collect();
            assert_eq!(fields, [field]);
        }
    }
}
