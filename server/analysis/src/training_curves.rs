//! A quantity over the epochs of training: each run, and each alpha's mean over the runs that have reached an epoch.

use std::collections::BTreeMap;

use protocol::api::Mean;
use protocol::training_curve::{AlphaCurve, CurveQuantity, MOST_RUNS, RunCurve, TrainingCurves};

use crate::{INTERVAL_METHOD, mean};

/// The curves of an experiment. `runs` holds every `every`th epoch of the runs that have one.
pub fn training_curves(
    quantity: CurveQuantity,
    mut runs: Vec<RunCurve>,
    every: u32,
) -> TrainingCurves {
    runs.sort_by(|a, b| a.alpha.total_cmp(&b.alpha).then(a.seed.cmp(&b.seed)));
    let alphas = runs.chunk_by(|a, b| a.alpha == b.alpha).map(|of_alpha| {
        let mut values = BTreeMap::<u32, Vec<f64>>::new();
        for run in of_alpha {
            for (&epoch, &value) in run.epochs.iter().zip(&run.values) {
                values.entry(epoch).or_default().push(value);
            }
        }
        let means = values
            .into_iter()
            .filter_map(|(epoch, values)| Some((epoch, mean(&values)?)));
        let (epochs, means): (Vec<u32>, Vec<Mean>) = means.unzip();
        AlphaCurve {
            alpha: of_alpha[0].alpha,
            epochs,
            means,
        }
    });
    TrainingCurves {
        quantity,
        alphas: alphas.collect(),
        run_count: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        every,
        interval_method: INTERVAL_METHOD.to_owned(),
        runs: match runs.len() {
            0..=MOST_RUNS => runs,
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(run_id: i64, alpha: f64, values: &[f64]) -> RunCurve {
        RunCurve {
            run_id,
            alpha,
            seed: run_id.unsigned_abs(),
            epochs: (1..).take(values.len()).collect(),
            values: values.to_vec(),
        }
    }

    /// Breaks when a mean is over runs of another alpha or epoch, or over a run that has not reached the epoch.
    #[test]
    fn means_are_over_the_runs_that_have_come_so_far() {
        let runs = vec![
            run(1, 1.0, &[0.3, 0.5]),
            run(2, -1.0, &[0.2]),
            run(3, 1.0, &[0.4]),
        ];
        let curves = training_curves(CurveQuantity::Selectivity, runs, 1);
        let found: Vec<_> = curves
            .alphas
            .iter()
            .flat_map(|curve| {
                let means = curve.epochs.iter().zip(&curve.means);
                means.map(|(epoch, mean)| (curve.alpha, *epoch, mean.n, mean.mean))
            })
            .collect();
        assert_eq!(found[0], (-1.0, 1, 1, 0.2));
        assert_eq!((found[1].2, found[2]), (2, (1.0, 2, 1, 0.5)));
        assert!((found[1].3 - 0.35).abs() < 1e-12);
        let order: Vec<i64> = curves.runs.iter().map(|run| run.run_id).collect();
        assert_eq!(order, [2, 1, 3]);
    }

    /// Breaks when an experiment of hundreds of runs sends a curve for each.
    #[test]
    fn many_runs_are_means_alone() {
        let runs = (0..=MOST_RUNS as i64).map(|id| run(id, 0.0, &[0.5]));
        let curves = training_curves(CurveQuantity::TrainLoss, runs.collect(), 1);
        assert_eq!((curves.runs.len(), curves.run_count), (0, 51));
        assert_eq!(curves.alphas[0].means[0].n, 51);
    }
}
