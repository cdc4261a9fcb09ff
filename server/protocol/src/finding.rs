//! What an experiment says about the source's claims (method, "What the source claims").

use serde::{Deserialize, Serialize};

use crate::Network;
use crate::dataset::Dataset;
use crate::measure::Scale;

/// One of the source's claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Claim {
    /// Selectivity lowers average-case robustness.
    C1,
    /// Nearly every corruption and severity agrees.
    C2,
    /// Selectivity raises worst-case robustness.
    C3,
    /// Early-layer dimensionality is inverse to selectivity.
    C4,
    /// Adversarial samples raise early-layer dimensionality more than corrupted ones.
    C5,
    /// Input-unit gradients vary more in selective networks.
    C6,
    /// The two kinds of robustness trade off.
    C7,
    /// Selectivity can be cut about 2.5-fold at no loss of clean accuracy.
    C8,
}

impl Claim {
    /// Every claim, in order.
    pub const ALL: [Claim; 8] = [
        Claim::C1,
        Claim::C2,
        Claim::C3,
        Claim::C4,
        Claim::C5,
        Claim::C6,
        Claim::C7,
        Claim::C8,
    ];

    /// The name in the method, `C1` to `C8`.
    pub fn id(self) -> &'static str {
        match self {
            Claim::C1 => "C1",
            Claim::C2 => "C2",
            Claim::C3 => "C3",
            Claim::C4 => "C4",
            Claim::C5 => "C5",
            Claim::C6 => "C6",
            Claim::C7 => "C7",
            Claim::C8 => "C8",
        }
    }

    /// The claim in a sentence.
    pub fn statement(self) -> &'static str {
        match self {
            Claim::C1 => "Selectivity lowers average-case robustness.",
            Claim::C2 => "Nearly every corruption and severity agrees.",
            Claim::C3 => "Selectivity raises worst-case robustness.",
            Claim::C4 => "Early-layer dimensionality is inverse to selectivity.",
            Claim::C5 => {
                "Adversarial samples raise early-layer dimensionality more than corrupted ones."
            }
            Claim::C6 => "Input-unit gradients vary more in selective networks.",
            Claim::C7 => "The two kinds of robustness trade off.",
            Claim::C8 => "Selectivity can be cut about 2.5-fold at no loss of clean accuracy.",
        }
    }

    /// How it is measured over the runs of one network and data set.
    pub fn measured_as(self) -> &'static str {
        match self {
            Claim::C1 => "slope of corruption accuracy on selectivity, below 0",
            Claim::C2 => "sign of that slope for each corruption and severity, below 0",
            Claim::C3 => "slopes of FGSM and PGD accuracy on selectivity, above 0",
            Claim::C4 => {
                "slope of the early layers' dimension fraction (clean) on selectivity, below 0"
            }
            Claim::C5 => {
                "early layers' dimension fraction of the difference, PGD less corruptions, above 0"
            }
            Claim::C6 => "slopes of CV_u and CV_l on selectivity, above 0",
            Claim::C7 => "slope of adversarial accuracy on corruption accuracy, below 0",
            Claim::C8 => {
                "of the runs with alpha below 0, selectivity and clean accuracy against the control"
            }
        }
    }
}

/// What an experiment says about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The evidence lies on the claimed side, beyond what chance gives.
    Supported,
    /// The evidence lies on the other side, beyond what chance gives.
    Contradicted,
    /// The evidence decides for neither.
    Inconclusive,
    /// There are too few runs, or the measurement is missing, to test it at all.
    NotEnoughRuns,
}

impl Verdict {
    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Verdict::Supported => "supported",
            Verdict::Contradicted => "contradicted",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NotEnoughRuns => "not enough runs",
        }
    }
}

/// One test behind a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// What was tested, for example `Corruption accuracy, mean of severities`.
    pub what: String,
    /// Raw, or as a share of clean accuracy; absent where the difference has no meaning.
    pub scale: Option<Scale>,
    /// Unit of estimate and interval, for example `accuracy per unit of selectivity`.
    pub unit: String,
    /// The estimate: a mean over seeds; absent where it could not be made.
    pub estimate: Option<f64>,
    /// Student t 95 % interval of the mean over seeds: the one that the verdict rests on.
    pub interval: Option<[f64; 2]>,
    /// Bootstrapped (BCa) 95 % interval of the same mean; too narrow where seeds are few.
    pub bootstrap_interval: Option<[f64; 2]>,
    /// Two-sided p against no effect, not corrected.
    pub p: Option<f64>,
    /// The same, corrected after Holm for the tests made together; absent where it stands alone.
    pub p_holm: Option<f64>,
    /// Standardised effect: the mean over seeds / their standard deviation; absent where that is 0.
    pub effect: Option<f64>,
    /// Replicates: seeds.
    pub n: u32,
    /// Runs that it is over.
    pub runs: u32,
    /// Whether the estimate is on the claimed side.
    pub agrees: Option<bool>,
    /// Whether a verdict rests on it, or it is only shown.
    pub decides: bool,
}

/// How many more seeds would decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MoreSeeds {
    /// Seeds to add to every alpha.
    pub seeds: u32,
    /// The half-width that the interval would have then, in the evidence's unit, should the spread stay as it is.
    pub half_width: f64,
    /// What this rests on, in a sentence.
    pub basis: String,
}

/// One claim, weighed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// The claim.
    pub claim: Claim,
    /// What this experiment says.
    pub verdict: Verdict,
    /// Why, in a sentence or two with the numbers.
    pub summary: String,
    /// The rule by which the verdict is reached.
    pub rule: String,
    /// The tests behind it, those that decide first.
    pub evidence: Vec<Evidence>,
    /// What would decide, where nothing does yet.
    pub more_seeds: Option<MoreSeeds>,
}

/// What one experiment says about all claims.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Findings {
    /// The experiment.
    pub experiment_id: i64,
    /// Its name.
    pub name: String,
    /// Its network.
    pub network: Network,
    /// Its data set.
    pub dataset: Dataset,
    /// Alphas with a trained run.
    pub alphas: Vec<f64>,
    /// Seeds with a trained run.
    pub seeds: Vec<u64>,
    /// Trained runs.
    pub runs: u32,
    /// Runs that are not trained (yet).
    pub missing_runs: u32,
    /// One a claim, in order.
    pub findings: Vec<Finding>,
    /// How intervals and tests are made, in a few sentences.
    pub method: String,
}
