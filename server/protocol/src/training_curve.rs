//! One quantity over the epochs of training: the mean of each alpha, and each run where these are few.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::EpochMetrics;
use crate::api::Mean;
use crate::named::named;

named! {
    /// What can be shown over the epochs, in the order of the selector, by the names of an epoch's numbers.
    #[derive(Default)]
    pub enum CurveQuantity {
        /// Network selectivity on the validation images, 0 to 1.
        #[default]
        Selectivity = "selectivity",
        /// Share of the validation images classified correctly.
        ValidationAccuracy = "validation_accuracy",
        /// Share of the (augmented) training images classified correctly as they were trained on.
        TrainAccuracy = "train_accuracy",
        /// Cross-entropy on the validation images, in nats.
        ValidationCrossEntropy = "validation_cross_entropy",
        /// Cross-entropy on the training images, in nats.
        TrainCrossEntropy = "train_cross_entropy",
        /// The loss that is minimised: cross-entropy − alpha × selectivity, in nats.
        TrainLoss = "train_loss",
    }
}

impl CurveQuantity {
    /// Its value in an epoch.
    pub fn of(self, epoch: &EpochMetrics) -> f64 {
        match self {
            CurveQuantity::Selectivity => epoch.selectivity,
            CurveQuantity::ValidationAccuracy => epoch.validation_accuracy,
            CurveQuantity::TrainAccuracy => epoch.train_accuracy,
            CurveQuantity::ValidationCrossEntropy => epoch.validation_cross_entropy,
            CurveQuantity::TrainCrossEntropy => epoch.train_cross_entropy,
            CurveQuantity::TrainLoss => epoch.train_loss,
        }
    }
}

impl FromStr for CurveQuantity {
    type Err = String;

    fn from_str(text: &str) -> Result<CurveQuantity, String> {
        CurveQuantity::from_id(text).ok_or_else(|| {
            let known = CurveQuantity::ALL.map(CurveQuantity::id).join(", ");
            format!("no curve is called `{text}`; choose one of {known}")
        })
    }
}

/// A quantity over the epochs of an experiment's runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrainingCurves {
    /// What is shown.
    pub quantity: CurveQuantity,
    /// Of every alpha that has an epoch, in order of alpha.
    pub alphas: Vec<AlphaCurve>,
    /// Each run that has an epoch, in order of alpha and seed; empty where there are more than [`MOST_RUNS`].
    pub runs: Vec<RunCurve>,
    /// Runs that have an epoch.
    pub run_count: u32,
    /// Every which epoch is told: 1 unless there are more than [`MOST_EPOCHS`].
    pub every: u32,
    /// How the intervals are made, in a sentence.
    pub interval_method: String,
}

/// Runs whose curves are told one by one.
pub const MOST_RUNS: usize = 50;

/// Epochs of a curve that are told.
pub const MOST_EPOCHS: u32 = 400;

/// The runs of one alpha in [`TrainingCurves`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlphaCurve {
    /// Regulariser strength.
    pub alpha: f64,
    /// The epochs, from 1.
    pub epochs: Vec<u32>,
    /// At each of them the mean over the runs that have come so far.
    pub means: Vec<Mean>,
}

/// One run in [`TrainingCurves`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunCurve {
    /// The run.
    pub run_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// The epochs, from 1.
    pub epochs: Vec<u32>,
    /// The value at each of them.
    pub values: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a quantity is read under another name than it has in an epoch, in the store or in an address.
    #[test]
    fn a_quantity_has_the_name_of_its_field() {
        let epoch = EpochMetrics {
            epoch: 1,
            learning_rate: 0.1,
            train_loss: 1.5,
            train_cross_entropy: 1.6,
            train_selectivity: 0.31,
            train_accuracy: 0.41,
            validation_cross_entropy: 1.7,
            validation_accuracy: 0.42,
            layer_selectivity: vec![0.2, 0.4],
            selectivity: 0.3,
            images_per_second: 500.0,
            seconds: 2.0,
        };
        let written = serde_json::to_value(&epoch).unwrap();
        for quantity in CurveQuantity::ALL {
            assert_eq!(written[quantity.id()], quantity.of(&epoch));
            assert_eq!(quantity.id().parse(), Ok(quantity));
            assert_eq!(serde_json::to_value(quantity).unwrap(), quantity.id());
        }
        assert!("loss".parse::<CurveQuantity>().is_err());
    }
}
