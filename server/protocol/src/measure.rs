//! Two quantities of an experiment's runs against each other.

use serde::{Deserialize, Serialize};

use crate::api::Mean;
use crate::attack::{Attack, AttackConditions};
use crate::corruption_evaluation::CorruptionConditions;
use crate::quantity::Axis;
pub use crate::quantity::Scale;

/// Two quantities of an experiment's runs against each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scatter {
    /// What the horizontal axis says, on one line: [`Axis::label`] of `x_axis`.
    pub x: String,
    /// The same of the vertical axis.
    pub y: String,
    /// The horizontal axis.
    pub x_axis: Axis,
    /// The vertical axis.
    pub y_axis: Axis,
    /// The conditions that were asked for, or those under which most runs were measured; absent when none was.
    pub conditions: Option<CorruptionConditions>,
    /// Every set of conditions that some run was measured under, most runs first.
    pub known_conditions: Vec<CorruptionConditions>,
    /// The conditions of attacks that were asked for, or those under which most runs were attacked.
    #[serde(default)]
    pub attack_conditions: Option<AttackConditions>,
    /// Every set of conditions that some run was attacked under, most runs first.
    #[serde(default)]
    pub known_attack_conditions: Vec<AttackConditions>,
    /// Every attack that some run was tested with under the conditions.
    #[serde(default)]
    pub known_attacks: Vec<Attack>,
    /// One point a run.
    pub points: Vec<ScatterPoint>,
    /// Means over the seeds of each alpha, in order of alpha.
    pub alphas: Vec<ScatterMean>,
    /// Trained runs that are not shown, because they lack a measurement that the others have.
    pub incomplete_runs: u32,
    /// Corruptions and severities that a mean is over; 1 where one of each is chosen, 0 without conditions.
    pub averaged_over: u32,
    /// Images that each run's horizontal value is over; absent while there is none.
    #[serde(default)]
    pub x_images: Option<u32>,
    /// Images that each run's vertical value is over.
    #[serde(default)]
    pub y_images: Option<u32>,
    /// How the intervals are made, in a sentence.
    pub interval_method: String,
}

/// One run in a [`Scatter`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScatterPoint {
    /// The run.
    pub run_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Horizontal value.
    pub x: f64,
    /// Vertical value.
    pub y: f64,
}

/// The runs of one alpha in a [`Scatter`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScatterMean {
    /// Regulariser strength.
    pub alpha: f64,
    /// Mean of the horizontal values.
    pub x: Mean,
    /// Mean of the vertical values.
    pub y: Mean,
}
