//! What the figures of the source's claims are drawn from, rebuilt from one experiment's runs.

use serde::{Deserialize, Serialize};

use crate::api::Mean;
use crate::corruption::Corruption;
use crate::finding::Claim;
use crate::measure::{Scale, Scatter};
use crate::quantity::Axis;

/// Which figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClaimFigureName {
    /// Corruption accuracy against selectivity.
    CorruptionSelectivity,
    /// Corruption accuracy by alpha.
    CorruptionAlpha,
    /// Corruption accuracy by severity, a line an alpha.
    CorruptionSeverity,
    /// The slope of accuracy on selectivity, by corruption and severity.
    CorruptionSlopes,
    /// Accuracy under FGSM by epsilon, a line an alpha.
    FgsmEpsilon,
    /// Accuracy under PGD by steps, a line an alpha.
    PgdSteps,
    /// Dimension fraction of clean activations by layer, a line an alpha.
    DimensionLayers,
    /// Early layers' dimension fraction against selectivity.
    DimensionSelectivity,
    /// Dimension fraction of the difference by layer: PGD beside corruptions.
    DifferenceLayers,
    /// CV_u by layer, a line an alpha.
    SampleVariabilityLayers,
    /// CV_u against selectivity.
    SampleVariabilitySelectivity,
    /// CV_l by layer, a line an alpha.
    UnitVariabilityLayers,
    /// CV_l against selectivity.
    UnitVariabilitySelectivity,
    /// Accuracy under FGSM against corruption accuracy.
    TradeOffFgsm,
    /// Accuracy under PGD against corruption accuracy.
    TradeOffPgd,
    /// Clean accuracy against selectivity.
    CleanSelectivity,
}

/// One figure of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimFigure {
    /// Which.
    pub name: ClaimFigureName,
    /// How accuracies are shown; absent where there is no accuracy under perturbation.
    pub scale: Option<Scale>,
    /// What is drawn.
    pub picture: Picture,
}

/// What a figure draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Picture {
    /// A point a run, and the mean of every alpha.
    Scatter(Scatter),
    /// Means over seeds at places along an axis.
    Lines(Lines),
    /// Slopes by corruption and severity.
    Slopes(SlopeMap),
}

/// Means over seeds at places along an axis, in a line each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lines {
    /// What the horizontal axis says, with its unit.
    pub x: String,
    /// The places, from left to right; they are evenly spaced.
    pub places: Vec<String>,
    /// What the vertical axis says, on one line: [`Axis::label`] of `y_axis`.
    pub y: String,
    /// The vertical axis.
    pub y_axis: Axis,
    /// The lines; none while nothing was measured.
    pub series: Vec<Series>,
    /// What is averaged over and under which conditions, in a phrase; empty where there is nothing to add.
    pub of: String,
    /// Images that each run's values are over; absent while nothing was measured.
    pub images: Option<u32>,
    /// Trained runs that are not shown, because they lack a measurement that the others have.
    pub incomplete_runs: u32,
    /// How the intervals are made, in a sentence.
    pub interval_method: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Series {
    /// What it is called where it is not one alpha's.
    pub label: String,
    /// The alpha that it is of; absent where it is over all.
    pub alpha: Option<f64>,
    /// One a place: the mean over seeds; absent where there is none.
    pub means: Vec<Option<Mean>>,
}

/// How accuracy moves with selectivity, by corruption and severity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SlopeMap {
    /// How accuracies are taken.
    pub scale: Scale,
    /// Severities, mildest first.
    pub severities: Vec<u8>,
    /// One a corruption that was measured.
    pub rows: Vec<SlopeRow>,
    /// Test images of each accuracy; absent while nothing was measured.
    pub images: Option<u32>,
    /// How slopes and tests are made, in a sentence.
    pub method: String,
}

/// The slopes of one corruption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SlopeRow {
    /// The corruption.
    pub corruption: Corruption,
    /// One a severity; absent where no seed has runs of enough alphas.
    pub cells: Vec<Option<SlopeCell>>,
}

/// One slope: the mean over seeds of each seed's least-squares line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SlopeCell {
    /// Accuracy, or its share of clean accuracy, per unit of selectivity.
    pub slope: f64,
    /// Student t 95 % interval over seeds; absent below 2 seeds.
    pub interval: Option<[f64; 2]>,
    /// Two-sided p against a slope of 0, corrected after Holm for all cells; absent below 2 seeds.
    pub p_holm: Option<f64>,
    /// Seeds.
    pub n: u32,
}

/// The figures of one claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimFigures {
    /// The claim.
    pub claim: Claim,
    /// Its figures; the one that shows it best is first, with the share of clean accuracy after raw accuracy.
    pub figures: Vec<ClaimFigure>,
}

impl Picture {
    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        match self {
            Picture::Scatter(scatter) => scatter.points.is_empty(),
            Picture::Lines(lines) => lines.series.is_empty(),
            Picture::Slopes(map) => map.rows.is_empty(),
        }
    }
}

impl ClaimFigureName {
    /// What the figure answers.
    pub fn question(self) -> &'static str {
        match self {
            ClaimFigureName::CorruptionSelectivity => {
                "Does selectivity cost average-case robustness?"
            }
            ClaimFigureName::CorruptionAlpha => "What does alpha do to average-case robustness?",
            ClaimFigureName::CorruptionSeverity => "Does it hold at every severity?",
            ClaimFigureName::CorruptionSlopes => "Does every corruption agree?",
            ClaimFigureName::FgsmEpsilon => "Does selectivity protect against one-step attacks?",
            ClaimFigureName::PgdSteps => "Does selectivity protect against iterated attacks?",
            ClaimFigureName::DimensionLayers => "How many dimensions does each layer use?",
            ClaimFigureName::DimensionSelectivity => {
                "Does selectivity lower the dimensionality of early layers?"
            }
            ClaimFigureName::DifferenceLayers => {
                "Do attacks change more dimensions than corruptions?"
            }
            ClaimFigureName::SampleVariabilityLayers => {
                "Where do gradients vary across samples (CV_u)?"
            }
            ClaimFigureName::SampleVariabilitySelectivity => {
                "Do gradients of selective networks vary more across samples (CV_u)?"
            }
            ClaimFigureName::UnitVariabilityLayers => {
                "Where do gradients vary across units (CV_l)?"
            }
            ClaimFigureName::UnitVariabilitySelectivity => {
                "Do gradients of selective networks vary more across units (CV_l)?"
            }
            ClaimFigureName::TradeOffFgsm => {
                "Does average-case robustness cost robustness to FGSM?"
            }
            ClaimFigureName::TradeOffPgd => "Does average-case robustness cost robustness to PGD?",
            ClaimFigureName::CleanSelectivity => "How far can selectivity be cut without loss?",
        }
    }
}
