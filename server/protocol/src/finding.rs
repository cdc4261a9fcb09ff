//! What an experiment says about the source's claims (method, "What the source claims").

use serde::{Deserialize, Serialize};

use crate::Network;
use crate::dataset::Dataset;
use crate::field_error::FieldError;
use crate::measure::Scale;
use crate::named::named;

named! {
    /// One of the source's claims.
    pub enum Claim {
        /// Selectivity lowers average-case robustness.
        C1 = "C1",
        /// Accuracy falls with selectivity on nearly every corruption and severity.
        C2 = "C2",
        /// Selectivity raises worst-case robustness.
        C3 = "C3",
        /// Early-layer dimensionality falls as selectivity rises.
        C4 = "C4",
        /// Adversarial samples raise early-layer dimensionality more than corrupted ones.
        C5 = "C5",
        /// Input-unit gradients vary more in selective networks.
        C6 = "C6",
        /// The two kinds of robustness trade off.
        C7 = "C7",
        /// Selectivity can be cut about 2.5-fold with no loss of clean accuracy.
        C8 = "C8",
    }
}

impl Claim {
    /// The claim in a sentence.
    pub fn statement(self) -> &'static str {
        match self {
            Claim::C1 => "Selectivity lowers average-case robustness.",
            Claim::C2 => "Accuracy falls with selectivity on nearly every corruption and severity.",
            Claim::C3 => "Selectivity raises worst-case robustness.",
            Claim::C4 => "Early-layer dimensionality falls as selectivity rises.",
            Claim::C5 => {
                "Adversarial samples raise early-layer dimensionality more than corrupted ones."
            }
            Claim::C6 => "Input-unit gradients vary more in selective networks.",
            Claim::C7 => "The two kinds of robustness trade off.",
            Claim::C8 => "Selectivity can be cut about 2.5-fold with no loss of clean accuracy.",
        }
    }

    /// The one estimand that its verdict rests on, declared before the data.
    pub fn primary(self) -> &'static str {
        match self {
            Claim::C1 => "slope of raw corruption accuracy on mean selectivity, one per seed",
            Claim::C2 => "sign of each slope of raw accuracy on mean selectivity",
            Claim::C3 => {
                "slopes of raw FGSM and PGD accuracy on mean selectivity, one of each per seed"
            }
            Claim::C4 => {
                "slope of the early layers' dimension fraction (95 %) on mean selectivity, one per seed"
            }
            Claim::C5 => {
                "early layers' dimension fraction of the difference, PGD minus corruptions"
            }
            Claim::C6 => "slopes of CV_u and CV_l on mean selectivity, one of each per seed",
            Claim::C7 => {
                "slopes of raw FGSM and PGD accuracy on raw corruption accuracy, one of each per seed"
            }
            Claim::C8 => "clean accuracy at each alpha below 0 minus the control's, within seed",
        }
    }

    /// How it is measured over the runs of one network and data set.
    pub fn measured_as(self) -> &'static str {
        match self {
            Claim::C1 => "negative slope of corruption accuracy on selectivity",
            Claim::C2 => {
                "negative slope of accuracy on selectivity for each corruption and severity"
            }
            Claim::C3 => "positive slopes of FGSM and PGD accuracy on selectivity",
            Claim::C4 => {
                "negative slope of the early layers' dimension fraction (clean) on selectivity"
            }
            Claim::C5 => {
                "early layers' dimension fraction of the difference, PGD minus corruptions, above 0"
            }
            Claim::C6 => "positive slopes of CV_u and CV_l on selectivity",
            Claim::C7 => "negative slope of adversarial accuracy on corruption accuracy",
            Claim::C8 => {
                "selectivity and clean accuracy of the runs with alpha below 0, compared with the control"
            }
        }
    }
}

named! {
    /// What an experiment says about a claim, or one estimate of it.
    pub enum Verdict {
        /// The evidence lies on the claimed side, beyond what chance gives.
        Supported = "supported" => "supported",
        /// The evidence lies on the other side, beyond what chance gives.
        Contradicted = "contradicted" => "contradicted",
        /// Two ways of measuring the same claim are decided in opposite directions.
        DependsOnScale = "depends_on_scale" => "depends on the scale",
        /// The interval lies inside the claim's margin on both sides: no difference worth the name.
        NoDifference = "no_difference" => "no difference larger than the margin",
        /// The evidence decides for neither.
        Inconclusive = "inconclusive" => "inconclusive",
        /// There are too few runs, or the measurement is missing, to test it at all.
        NotEnoughRuns = "not_enough_runs" => "not enough runs",
    }
}

/// Seeds below which a study is a pilot.
pub const PILOT_BELOW: u32 = 5;

named! {
    /// What an estimate is for.
    pub enum Role {
        /// The estimand that was declared before the data: the claim's verdict is its.
        Primary = "primary" => "primary",
        /// The same claim measured in another way, with a verdict of its own.
        Sensitivity = "sensitivity" => "sensitivity",
        /// One alpha against the control, within seed; intervals are simultaneous over all alphas.
        Contrast = "contrast" => "contrast",
    }
}

/// One row of a claim's forest drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
// `Estimate` is how long an experiment would take: one name in the document for one thing.
#[cfg_attr(feature = "openapi", schema(as = ClaimEstimate))]
pub struct Estimate {
    /// What is estimated, for example `Raw accuracy`, `Alpha −1`.
    pub label: String,
    /// Unit of the estimate, its interval and its margin, for example `points per 0.1 of selectivity`.
    pub unit: String,
    /// Mean over seeds; absent where it could not be made.
    pub estimate: Option<f64>,
    /// 95 % interval by Student's t over seeds, low end first; of contrasts simultaneous (Bonferroni).
    pub interval: Option<[f64; 2]>,
    /// The largest difference that counts as none, to both sides; absent where the verdict is not by an interval.
    pub margin: Option<f64>,
    /// Two-sided p against no effect; absent below 2 seeds and where seeds do not differ at all (no spread).
    pub p: Option<f64>,
    /// Replicates: seeds.
    pub n: u32,
    /// Runs that it is over.
    pub runs: u32,
    /// What it is for.
    pub role: Role,
    /// What it says by itself.
    pub verdict: Verdict,
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
    /// Bootstrapped (BCa) 95 % interval of the same mean; absent below 10 seeds, where it would be too narrow.
    pub bootstrap_interval: Option<[f64; 2]>,
    /// Two-sided p against no effect, not corrected; absent where seeds do not differ at all.
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

/// What the same rule says of all runs, whatever their clean accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AllRuns {
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub sentence: String,
}

/// What an experiment says about one claim, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimVerdict {
    /// The claim.
    pub claim: Claim,
    /// What this experiment says.
    pub verdict: Verdict,
}

/// One claim, weighed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// The claim.
    pub claim: Claim,
    /// What this experiment says.
    pub verdict: Verdict,
    /// The same in one plain sentence, with the primary estimate, its interval and n.
    pub sentence: String,
    /// A forest drawing's rows: the primary estimand, sensitivity, contrasts.
    pub estimates: Vec<Estimate>,
    /// What a reader must know besides, a sentence each: what lowering and what raising selectivity does, which attacks
    /// are left out.
    pub notes: Vec<String>,
    /// The rule by which the verdict is reached.
    pub rule: String,
    /// The verdict without the window on clean accuracy; absent where the window leaves no run out or does not apply.
    pub all_runs: Option<AllRuns>,
    /// Every test behind it, those that decide first.
    pub evidence: Vec<Evidence>,
    /// What would decide, where nothing does yet.
    pub more_seeds: Option<MoreSeeds>,
}

/// A run that the window on clean accuracy leaves out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeftOutRun {
    /// The run.
    pub run_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Its clean test accuracy, 0 to 1.
    pub test_accuracy: f64,
    /// That of its seed's control (alpha 0), 0 to 1; absent where the seed has none, so that no window can be put around it.
    pub control_accuracy: Option<f64>,
}

/// The window on clean accuracy, in points to either side of the control, when none is asked for (choice).
pub const DEFAULT_WINDOW: f64 = 10.0;

/// The widest window, in points; it leaves no run out.
pub const WIDEST_WINDOW: f64 = 100.0;

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
    /// Whether the seeds are so few that this is a pilot.
    pub pilot: bool,
    /// How far, in points of clean accuracy, a run may be from its seed's control to count; 0 to 100.
    pub window: f64,
    /// The trained runs that it leaves out, in order of seed and alpha.
    pub left_out: Vec<LeftOutRun>,
    /// One a claim, in order.
    pub findings: Vec<Finding>,
    /// How intervals and tests are made, in a few sentences.
    pub method: String,
}

/// The window that an address asks for, in points of clean accuracy; [`DEFAULT_WINDOW`] where it asks for none.
///
/// # Errors
/// What is no number, and numbers outside 0 to 100, by the field `window`.
pub fn window_of(text: Option<&str>) -> Result<f64, FieldError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(DEFAULT_WINDOW);
    };
    match text.parse::<f64>() {
        Ok(window) if (0.0..=WIDEST_WINDOW).contains(&window) => Ok(window),
        _ => Err(FieldError::new(
            "window",
            format!("`{text}` is not a number of points of clean accuracy from 0 to 100"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a window that no run could be within, or what is no number, is taken.
    #[test]
    fn windows_are_within_0_and_100_points() {
        assert_eq!(window_of(None), Ok(DEFAULT_WINDOW));
        assert_eq!(window_of(Some("")), Ok(DEFAULT_WINDOW));
        for (text, expected) in [("0", 0.0), ("2.5", 2.5), ("100", 100.0)] {
            assert_eq!(window_of(Some(text)), Ok(expected));
        }
        for wrong in ["-0.1", "100.1", "NaN", "inf", "ten"] {
            let refused = window_of(Some(wrong)).unwrap_err();
            assert_eq!(refused.field, "window");
            assert!(refused.reason.contains(wrong), "{refused:?}");
        }
    }
}
