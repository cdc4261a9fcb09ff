//! What a run measures: numbers by epoch, and the result at its best epoch.

use serde::{Deserialize, Serialize};

/// Everything measured in one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EpochMetrics {
    /// Epoch, from 1.
    pub epoch: u32,
    /// The learning rate the epoch trained with.
    pub learning_rate: f64,
    /// Mean training loss over the epoch's images: cross-entropy - alpha x selectivity, in nats.
    pub train_loss: f64,
    /// Mean training cross-entropy over the epoch's images, in nats.
    pub train_cross_entropy: f64,
    /// Mean over the epoch's minibatches of the network selectivity that the regulariser saw, 0 to 1.
    pub train_selectivity: f64,
    /// Share of the epoch's (augmented) training images classified correctly as they were trained on.
    pub train_accuracy: f64,
    /// Mean cross-entropy on the validation images, in nats, network in inference mode.
    pub validation_cross_entropy: f64,
    /// Share of the validation images classified correctly, network in inference mode.
    pub validation_accuracy: f64,
    /// Selectivity of each layer in forward order on the clean validation images: the mean over its units, 0 to 1.
    pub layer_selectivity: Vec<f64>,
    /// Selectivity of the network on the clean validation images: the mean over its layers.
    pub selectivity: f64,
    /// Training images a second, evaluation left out.
    pub images_per_second: f64,
    /// Wall time of the whole epoch, evaluation and checkpoint included.
    pub seconds: f64,
}

/// One layer's name and width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerShape {
    /// Stable name of the ReLU, for example `stem` or `stage2.block1.relu2`.
    pub name: String,
    /// Units: feature maps of the layer.
    pub units: u32,
}

/// Selectivity of one layer's units on the clean test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerSelectivity {
    /// Stable name of the ReLU.
    pub name: String,
    /// Mean over the units, 0 to 1.
    pub mean: f64,
    /// Selectivity index of each unit, 0 to 1.
    pub units: Vec<f32>,
    /// The class each unit responds to most, as an index into the data set's class names.
    pub preferred_class: Vec<u32>,
    /// Units that respond to no image at all; their selectivity is 0 by definition.
    pub dead_units: u32,
}

/// What a finished run reports: the weights of the epoch with the best clean validation accuracy, on the clean test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunResult {
    /// The epoch whose weights are used: best validation accuracy, the earliest where several tie; absent where the
    /// weights were imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<u32>,
    /// Validation accuracy at that epoch; absent where the weights were imported: they may have been trained on these
    /// images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Number of validation images; 0 where the weights were imported.
    pub validation_images: u32,
    /// Share of the test images classified correctly.
    pub test_accuracy: f64,
    /// Mean cross-entropy on the test images, in nats.
    pub test_cross_entropy: f64,
    /// Number of test images.
    pub test_images: u32,
    /// Network selectivity on the clean test set: the mean over layers of the mean over units. The index is
    /// biased upwards where a class has few images (noise alone makes one class mean the largest), so
    /// only values on the same number of images compare.
    pub selectivity: f64,
    /// Selectivity of every layer and unit, in forward order.
    pub layers: Vec<LayerSelectivity>,
}

impl RunResult {
    /// The result without its per-unit lists, for pages and lists that show many runs.
    pub fn without_units(&self) -> RunResult {
        let mut result = self.clone();
        for layer in &mut result.layers {
            layer.units.clear();
            layer.preferred_class.clear();
        }
        result
    }
}
