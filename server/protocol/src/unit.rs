//! Single units: what the unit explorer shows.

use serde::{Deserialize, Serialize};

use crate::corruption_evaluation::CorruptionConditions;
use crate::dimensionality::Perturbation;
use crate::result::LayerShape;

/// The units of one layer of a trained run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitTable {
    /// The layer.
    pub layer: String,
    /// Every layer of the network in forward order.
    pub layers: Vec<LayerShape>,
    /// Class names.
    pub classes: Vec<String>,
    /// The layer's units, in order.
    pub units: Vec<UnitSummary>,
    /// Test images that selectivity is measured on.
    pub test_images: u32,
    /// Images that gradients were measured on; absent where they were not.
    pub gradient_images: Option<u32>,
}

/// One unit in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitSummary {
    /// Number of the unit within its layer, from 0.
    pub unit: u32,
    /// Selectivity index on the clean test set, 0 to 1.
    pub selectivity: f32,
    /// The class it responds to most, as an index into the class names.
    pub preferred_class: u32,
    /// Whether it responds to none of the images that responses were kept of; absent where none were kept.
    pub dead: Option<bool>,
    /// Mean response to those images.
    pub mean_response: Option<f64>,
    /// mu_u: mean norm of its input gradient; absent where not measured.
    pub gradient_norm: Option<f64>,
    /// CV_u: variability of that norm across samples; absent where not measured, or the gradient is nil.
    pub gradient_cv: Option<f64>,
}

/// One unit, looked at closely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitDetail {
    /// Its layer.
    pub layer: String,
    /// Units of that layer.
    pub units: u32,
    /// Its numbers.
    pub summary: UnitSummary,
    /// Class names.
    pub classes: Vec<String>,
    /// The conditions under which responses were kept; absent where none were.
    pub conditions: Option<CorruptionConditions>,
    /// Its mean response to each class, clean first, then under each perturbation measured.
    pub tuning: Vec<UnitTuning>,
    /// Why responses to corrupted images are left out though they were kept; absent where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmatched: Option<String>,
    /// The images that activate it most, strongest first.
    pub most_activating: Vec<ActivatingImage>,
    /// The images that activate it least, weakest first.
    pub least_activating: Vec<ActivatingImage>,
    /// Where its mean input gradient is as PNG, relative to the server's root (each colour channel about middle
    /// grey, the largest magnitude of the map at full scale); absent where not measured.
    pub gradient_url: Option<String>,
    /// The largest magnitude in that map, response per unit of pixel value on the [0, 1] scale.
    pub gradient_scale: Option<f64>,
    /// Images that gradients were measured on.
    pub gradient_images: Option<u32>,
    /// Norms of its input gradient on each of those images.
    pub gradient_norms: Vec<f32>,
    /// Its selectivity on the clean validation images after each epoch, from epoch 1; empty for runs trained before this was kept.
    pub selectivity_by_epoch: Vec<f32>,
    /// The epoch whose weights everything else here is of; absent where they were imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<u32>,
}

/// A unit's mean responses to classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitTuning {
    /// What was done to the images.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "corruption:fog:3"))]
    pub perturbation: Perturbation,
    /// Images of each class.
    pub images: Vec<u32>,
    /// Mean response to each class.
    pub mean: Vec<f32>,
    /// Standard error of each mean, over images: sample standard deviation / square root of n.
    pub standard_error: Vec<f32>,
    /// Selectivity index of these means.
    pub selectivity: f32,
}

/// An image and a unit's response to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActivatingImage {
    /// Index within the test set.
    pub index: u32,
    /// Name of its class.
    pub class: String,
    /// The unit's response.
    pub response: f32,
    /// Where the image is as PNG, relative to the server's root.
    pub url: String,
}

/// How the selectivity of a layer's units is distributed after each epoch, on the clean validation images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SelectivityOverTraining {
    /// The layers in forward order.
    pub layers: Vec<LayerQuantiles>,
    /// Validation images.
    pub validation_images: u32,
}

/// Quantiles over the units of a layer; lists hold one value an epoch, from epoch 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerQuantiles {
    /// The layer.
    pub layer: String,
    /// Its units.
    pub units: u32,
    /// 5 % of the units are below.
    pub quantile_05: Vec<f32>,
    /// A quarter is below.
    pub quantile_25: Vec<f32>,
    /// The median.
    pub median: Vec<f32>,
    /// A quarter is above.
    pub quantile_75: Vec<f32>,
    /// 5 % are above.
    pub quantile_95: Vec<f32>,
}

/// The variability of every unit's input gradient across samples, by layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitGradients {
    /// Images measured on.
    pub images: u32,
    /// The layers in forward order.
    pub layers: Vec<LayerUnitGradients>,
}

/// One layer's units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerUnitGradients {
    /// The layer.
    pub layer: String,
    /// CV_u of each unit; absent for a unit without a gradient.
    pub cv_across_samples: Vec<Option<f32>>,
    /// CV_l of the layer; absent where no unit has a gradient.
    pub cv_across_units: Option<f64>,
}
