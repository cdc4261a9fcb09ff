//! What an experiment says about the claims of Leavitt & Morcos (2020): each is tested over seeds and given a verdict with its
//! rule, its estimates and, where nothing is decided, how many more seeds would decide.
//!
//! [`run_numbers`](crate::run_numbers) takes what is needed from a run's measurements and [`numbers`] sets runs side by side:
//! runs x quantities. Each claim has a file with its verdict and its figures, both from the same columns. The claims share
//! [`window`] (which networks count), [`evidence`] (tests over seeds), [`estimands`] (the primary estimand and its sensitivity),
//! [`contrasts`] (alphas against the control), [`attacks`] (which attacks count), [`verdict`] (the conclusion) and [`draw`].

pub mod attacks;
pub mod contrasts;
pub mod draw;
pub mod estimands;
pub mod evidence;
pub mod numbers;
pub mod verdict;
pub mod window;

mod c1;
mod c2;
mod c3;
mod c4;
mod c5;
mod c6;
mod c7;
mod c8;

use protocol::Run;
use protocol::api::Experiment;
use protocol::claim_figure::{ClaimFigure, ClaimFigures};
use protocol::finding::{AllRuns, Claim, Finding, Findings, PILOT_BELOW};
use rayon::prelude::*;

use crate::run_numbers::RunNumbers;
use draw::Sheet;
use numbers::Numbers;
use verdict::not_enough;

/// A claim's verdict and its figures, from the same numbers.
struct ClaimAnalysis {
    claim: Claim,
    weigh: fn(&Numbers) -> Finding,
    figures: fn(&Sheet) -> Vec<ClaimFigure>,
    /// Whether the window on clean accuracy applies; it does not where clean accuracy is what the claim is about.
    windowed: bool,
}

/// The claims, in order; a new one is one line and one file.
#[rustfmt::skip]
const CLAIMS: [ClaimAnalysis; 8] = [
    ClaimAnalysis { claim: Claim::C1, weigh: c1::weigh, figures: c1::figures, windowed: true },
    ClaimAnalysis { claim: Claim::C2, weigh: c2::weigh, figures: c2::figures, windowed: true },
    ClaimAnalysis { claim: Claim::C3, weigh: c3::weigh, figures: c3::figures, windowed: true },
    ClaimAnalysis { claim: Claim::C4, weigh: c4::weigh, figures: c4::figures, windowed: true },
    ClaimAnalysis { claim: Claim::C5, weigh: c5::weigh, figures: c5::figures, windowed: true },
    ClaimAnalysis { claim: Claim::C6, weigh: c6::weigh, figures: c6::figures, windowed: true },
    ClaimAnalysis { claim: Claim::C7, weigh: c7::weigh, figures: c7::figures, windowed: true },
    ClaimAnalysis { claim: Claim::C8, weigh: c8::weigh, figures: c8::figures, windowed: false },
];

const METHOD: &str = "Each claim has one primary estimand, declared before the data; the claim takes its verdict. Other ways of measuring the same thing (share of clean accuracy, accuracy-adjusted) stand beside it with verdicts of their own; if two are decided in opposite directions, the claim depends on the scale. Seeds are the replicates: runs that share a seed share their initial weights and the order of their images, so each seed gives one value (a least-squares slope over its alphas, or a mean over them). Intervals are 95 % intervals by Student's t over seeds. Each claim has one margin, on both sides, that says which differences count as none: an interval within the margin is a verdict of its own. Only runs whose clean accuracy is within the window around that of their seed's control (alpha 0) count; runs of a seed without a control do not. Tests that must all agree are not corrected; where any of many may be claimed, p is Holm-corrected or intervals are simultaneous (Bonferroni). Only numbers measured under the same conditions, those of most runs, are compared. At least 3 seeds are needed, and for slopes at least 3 alphas per seed; a study with fewer than 5 seeds is a pilot. Seeds that do not differ at all have no p and can only show that there is no difference.";

/// Weighs every claim by the numbers of an experiment's trained runs; `runs` is how many it has, trained or not. `window` is how
/// far, in points, a run's clean accuracy may be from its seed's control for the run to count (see [`window::within`]).
pub fn findings(
    experiment: &Experiment,
    trained: &[RunNumbers],
    runs: usize,
    window: f64,
) -> Findings {
    let all = Numbers::new(trained);
    let (inside, left_out) = window::within(&all, window);
    let weigh = |claim: &ClaimAnalysis| {
        if !claim.windowed || left_out.is_empty() {
            return (claim.weigh)(&all);
        }
        let of_all = (claim.weigh)(&all);
        let found = if inside.runs.is_empty() {
            let sentence = format!(
                "Not enough runs: no run has a clean accuracy within {window} points of its seed's control (alpha 0)."
            );
            not_enough(claim.claim, &of_all.rule, sentence)
        } else {
            (claim.weigh)(&inside)
        };
        Finding {
            all_runs: Some(AllRuns {
                verdict: of_all.verdict,
                sentence: of_all.sentence,
            }),
            ..found
        }
    };
    let seeds = all.seeds();
    Findings {
        experiment_id: experiment.id,
        name: experiment.spec.name.clone(),
        network: experiment.spec.network,
        dataset: experiment.spec.dataset.clone(),
        alphas: all.alphas(),
        pilot: (seeds.len() as u32) < PILOT_BELOW,
        seeds,
        runs: trained.len() as u32,
        missing_runs: runs.saturating_sub(trained.len()) as u32,
        findings: CLAIMS.par_iter().map(weigh).collect(),
        window,
        left_out,
        method: METHOD.into(),
    }
}

/// The figures of `claims`, in their order, over the runs that count in their verdicts. `trained` holds the numbers of those
/// of `runs` that are trained.
pub fn figures(
    runs: &[Run],
    trained: &[RunNumbers],
    claims: &[Claim],
    window: f64,
) -> Vec<ClaimFigures> {
    let all = Numbers::new(trained);
    let (inside, _) = window::within(&all, window);
    let result = runs.iter().find_map(|run| run.result.as_ref());
    let sheet = |numbers| Sheet {
        numbers,
        network: runs.first().map(|run| run.spec.network),
        test_images: result.map(|result| result.test_images),
    };
    let drawn = claims.par_iter().filter_map(|claim| {
        let analysis = CLAIMS.iter().find(|one| one.claim == *claim)?;
        let numbers = if analysis.windowed { &inside } else { &all };
        Some(ClaimFigures {
            claim: *claim,
            figures: (analysis.figures)(&sheet(numbers)),
        })
    });
    drawn.collect()
}

#[cfg(test)]
mod tests;
