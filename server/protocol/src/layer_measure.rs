//! A number of every layer, aggregated over the runs of each alpha.

use serde::{Deserialize, Serialize};

use crate::api::Mean;
use crate::attack::Attack;
use crate::corruption_evaluation::CorruptionConditions;
use crate::quantity::Axis;

/// A measure of layers, aggregated over the seeds of every alpha of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerProfiles {
    /// What the vertical axis says, on one line: [`Axis::label`] of `axis`.
    pub label: String,
    /// The vertical axis.
    pub axis: Axis,
    /// Layer names in forward order; empty while nothing was measured.
    pub layers: Vec<String>,
    /// One profile an alpha, in order of alpha.
    pub alphas: Vec<AlphaProfile>,
    /// Images that each run's value is over; absent while nothing was measured.
    pub images: Option<u32>,
    /// The conditions under which dimensionality was measured that are shown; absent for other measures.
    pub conditions: Option<CorruptionConditions>,
    /// Every set of conditions under which some run's dimensionality was measured, most runs first.
    #[serde(default)]
    pub known_conditions: Vec<CorruptionConditions>,
    /// Attacks that dimensionality was measured under in some run.
    pub known_attacks: Vec<Attack>,
    /// Whether some run has dimensionality of full activations.
    pub has_activations: bool,
    /// Trained runs that are not shown, because they lack the measurement.
    pub incomplete_runs: u32,
    /// How the intervals are made, in a sentence.
    pub interval_method: String,
}

/// One alpha's profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlphaProfile {
    /// Regulariser strength.
    pub alpha: f64,
    /// A mean over seeds for each layer; absent where no run has a value there.
    pub layers: Vec<Option<Mean>>,
}
