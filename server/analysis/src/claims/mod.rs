//! What an experiment says about the source's claims: each is tested over seeds and given a verdict with its rule, its
//! evidence and, where nothing is decided, the seeds that would.
//!
//! [`run_numbers`](crate::run_numbers) takes what is needed from a run's measurements, [`numbers`] sets runs side by side, one file a claim
//! weighs it, with [`evidence`] (tests over seeds) and [`verdict`] (what they amount to).

pub mod evidence;
pub mod numbers;
pub mod verdict;

mod c1;
mod c2;
mod c3;
mod c4;
mod c5;
mod c6;
mod c7;
mod c8;
mod figures;

pub use figures::figures;
use protocol::api::Experiment;
use protocol::finding::{Finding, Findings};
use rayon::prelude::*;

use crate::run_numbers::RunNumbers;
use numbers::Numbers;

/// The claims, in order; a new one is one line and one file.
const CLAIMS: [fn(&Numbers) -> Finding; 8] = [
    c1::weigh,
    c2::weigh,
    c3::weigh,
    c4::weigh,
    c5::weigh,
    c6::weigh,
    c7::weigh,
    c8::weigh,
];

const METHOD: &str = "Seeds are the replicates: runs that share a seed share their initial weights and the order of their images, so each seed gives one value (a least-squares slope over its alphas, or a mean over them), and every test is over seeds. Only numbers under the same conditions compare: those of most runs; a run that lacks a measurement the others have is left out. Intervals and p-values that decide are Student's t, 95 %, two-sided. Bootstrapped (BCa) 95 % intervals stand beside them and do not decide: with 3 seeds they would call 1 of 4 results without any effect significant. Tests made together are corrected after Holm. Accuracies under perturbation are tested raw and as a share of the same network's clean accuracy, which moves with alpha too, and a claim about them is decided only where both agree. At least 3 seeds, for slopes with at least 3 alphas each.";

/// Weighs every claim by the numbers of an experiment's trained runs; `runs` is how many it has, trained or not.
pub fn findings(experiment: &Experiment, trained: &[RunNumbers], runs: usize) -> Findings {
    let numbers = Numbers::new(trained);
    Findings {
        experiment_id: experiment.id,
        name: experiment.spec.name.clone(),
        network: experiment.spec.network,
        dataset: experiment.spec.dataset.clone(),
        alphas: numbers.alphas(),
        seeds: numbers.seeds(),
        runs: trained.len() as u32,
        missing_runs: runs.saturating_sub(trained.len()) as u32,
        findings: CLAIMS.par_iter().map(|weigh| weigh(&numbers)).collect(),
        method: METHOD.into(),
    }
}
