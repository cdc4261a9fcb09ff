//! Two measures of an experiment's runs against each other: one point a run, means over seeds by alpha.

use std::collections::{BTreeMap, BTreeSet};

use protocol::attack::{Attack, AttackConditions};
use protocol::evaluation::CorruptionConditions;
use protocol::measure::{Measure, Scale, Scatter, ScatterMean, ScatterPoint};
use protocol::{Corruption, Run, RunResult};
use rayon::prelude::*;

use crate::layer_values::LayerValues;
use crate::run_numbers::{Accuracy, MeasuredRuns, others_needed};
use crate::{INTERVAL_METHOD, mean};

/// Corruptions and severities that a mean is over.
type Items = BTreeSet<(Corruption, u8)>;

/// A run's accuracies on corruptions under one set of conditions.
type Corrupted = Vec<((Corruption, u8), Accuracy)>;

/// Sets `x` against `y`. Measurements count only under `conditions`, or, when absent, under those that most
/// runs share; a mean over corruptions only where a run has all of those that most runs have, so that no
/// point is a mean over something else than its neighbours.
pub fn scatter(
    runs: &[Run],
    measured: &MeasuredRuns,
    x: Measure,
    y: Measure,
    scale: Scale,
    conditions: Option<CorruptionConditions>,
    attack_conditions: Option<AttackConditions>,
) -> Scatter {
    let points = points(runs, measured, x, y, scale, conditions, attack_conditions);
    Scatter {
        alphas: means(&points.points),
        ..points
    }
}

/// As [`scatter`], without the means over seeds.
pub(crate) fn points(
    runs: &[Run],
    measured: &MeasuredRuns,
    x: Measure,
    y: Measure,
    scale: Scale,
    conditions: Option<CorruptionConditions>,
    attack_conditions: Option<AttackConditions>,
) -> Scatter {
    let numbers = &measured.numbers;
    let known_attack_conditions = most_common(
        numbers
            .iter()
            .flat_map(|run| run.attacks.iter().map(|one| (run.id, one.0)))
            .collect(),
    );
    let attack_conditions = attack_conditions.or_else(|| known_attack_conditions.first().copied());
    let mut known_attacks: Vec<Attack> = Vec::new();
    let mut attacked: BTreeMap<i64, Vec<(Attack, Accuracy)>> = BTreeMap::new();
    for run in numbers {
        let of_run = run.attacks.iter();
        let of_run: Vec<(Attack, Accuracy)> = of_run
            .filter(|one| Some(one.0) == attack_conditions)
            .map(|&(_, attack, accuracy)| (attack, accuracy))
            .collect();
        for (attack, _) in &of_run {
            if !known_attacks.contains(attack) {
                known_attacks.push(*attack);
            }
        }
        attacked.insert(run.id, of_run);
    }
    known_attacks.sort_by(|a, b| {
        (a.method, a.norm)
            .cmp(&(b.method, b.norm))
            .then(a.epsilon.total_cmp(&b.epsilon))
            .then(a.steps.cmp(&b.steps))
    });
    let known_conditions = most_common(
        numbers
            .iter()
            .flat_map(|run| run.corruptions.iter().map(|one| (run.id, one.0)))
            .collect(),
    );
    let conditions = conditions.or_else(|| known_conditions.first().copied());
    let by_run: BTreeMap<i64, Corrupted> = numbers
        .iter()
        .map(|run| {
            let of_run = run.corruptions.iter();
            let of_run = of_run.filter(|one| Some(one.0) == conditions);
            (run.id, of_run.map(|one| (one.1, one.2)).collect())
        })
        .collect();
    let needs = [x, y].map(|measure| needed(measure, &by_run));
    let of_layers = [x, y].map(|measure| match measure {
        Measure::Layers { measure, .. } => {
            // Under the conditions of most runs: `conditions` are of the test on corruptions.
            LayerValues::find(runs, measured, measure, None)
        }
        _ => LayerValues::default(),
    });

    let mut points = Vec::new();
    let mut incomplete_runs = 0;
    for run in runs {
        let Some(result) = &run.result else {
            continue;
        };
        let corrupted = by_run.get(&run.id).map_or(&[][..], Vec::as_slice);
        let attacked = attacked.get(&run.id).map_or(&[][..], Vec::as_slice);
        let value = |measure, needed, of_layers: &LayerValues| match measure {
            Measure::Layers { range, .. } => of_layers.mean(run.id, range),
            Measure::Attack(attack) => attacked
                .iter()
                .find(|(by, _)| *by == attack)
                .and_then(|(_, accuracy)| accuracy.on(scale)),
            _ => value(measure, result, corrupted, needed, scale),
        };
        match (
            value(x, &needs[0], &of_layers[0]),
            value(y, &needs[1], &of_layers[1]),
        ) {
            (Some(x), Some(y)) => points.push(ScatterPoint {
                run_id: run.id,
                alpha: run.spec.alpha,
                seed: run.spec.seed,
                x,
                y,
            }),
            _ => incomplete_runs += 1,
        }
    }
    let label = |measure: Measure| match scale {
        Scale::ShareOfClean if measure.is_robustness() => {
            format!("{}, share of clean", measure.label())
        }
        _ => measure.label(),
    };
    let test_images = runs
        .iter()
        .find_map(|run| run.result.as_ref())
        .map(|result| result.test_images);
    let images = |measure: Measure, of_layers: &LayerValues| match measure {
        Measure::Selectivity | Measure::TestAccuracy => test_images,
        Measure::Corruption { .. } => conditions.map(|conditions| conditions.images),
        Measure::Attack(_) => attack_conditions.map(|conditions| conditions.images),
        Measure::Layers { .. } => of_layers.images,
    };
    Scatter {
        x_images: images(x, &of_layers[0]),
        y_images: images(y, &of_layers[1]),
        x: label(x),
        y: label(y),
        conditions,
        known_conditions,
        attack_conditions,
        known_attack_conditions,
        known_attacks,
        alphas: Vec::new(),
        points,
        incomplete_runs,
        averaged_over: needs.iter().map(BTreeSet::len).max().unwrap_or(0) as u32,
        interval_method: INTERVAL_METHOD.into(),
    }
}

/// What keys begin with of the measurements that these measures are made of and the runs' numbers lack.
pub fn others(measures: &[Measure]) -> Vec<&'static str> {
    let mut kinds: Vec<&str> = measures
        .iter()
        .filter_map(|measure| match measure {
            Measure::Layers { measure, .. } => others_needed(*measure),
            _ => None,
        })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Every set of conditions, those of most runs first; of equals, the greatest.
pub(crate) fn most_common<T: Copy + Ord>(of_runs: BTreeSet<(i64, T)>) -> Vec<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for (_, conditions) in of_runs {
        *counts.entry(conditions).or_default() += 1;
    }
    let mut known: Vec<_> = counts.into_iter().collect();
    known.sort_by_key(|&(conditions, runs)| std::cmp::Reverse((runs, conditions)));
    known
        .into_iter()
        .map(|(conditions, _)| conditions)
        .collect()
}

/// The set of corruptions and severities that most runs were measured on, as far as `measure` covers them;
/// of equally frequent sets the largest.
fn needed(measure: Measure, by_run: &BTreeMap<i64, Corrupted>) -> Items {
    let mut counts: BTreeMap<Items, usize> = BTreeMap::new();
    for measured in by_run.values() {
        let items: Items = measured
            .iter()
            .map(|(item, _)| *item)
            .filter(|&(corruption, severity)| measure.covers(corruption, severity))
            .collect();
        if !items.is_empty() {
            *counts.entry(items).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .max_by_key(|(items, runs)| (*runs, items.len()))
        .map(|(items, _)| items)
        .unwrap_or_default()
}

/// A run's value; `None` where it was not measured on all that is needed.
fn value(
    measure: Measure,
    result: &RunResult,
    corrupted: &[((Corruption, u8), Accuracy)],
    needed: &Items,
    scale: Scale,
) -> Option<f64> {
    match measure {
        Measure::Selectivity => Some(result.selectivity),
        Measure::TestAccuracy => Some(result.test_accuracy),
        Measure::Attack(_) | Measure::Layers { .. } => None,
        Measure::Corruption { .. } => {
            let values: Option<Vec<f64>> = corrupted
                .iter()
                .filter(|(item, _)| needed.contains(item))
                .map(|(_, accuracy)| accuracy.on(scale))
                .collect();
            let values =
                values.filter(|values| !values.is_empty() && values.len() == needed.len())?;
            Some(values.iter().sum::<f64>() / values.len() as f64)
        }
    }
}

fn means(points: &[ScatterPoint]) -> Vec<ScatterMean> {
    let mut alphas: Vec<f64> = points.iter().map(|point| point.alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    alphas
        .into_par_iter()
        .filter_map(|alpha| {
            let of = |value: fn(&ScatterPoint) -> f64| -> Vec<f64> {
                points
                    .iter()
                    .filter(|point| point.alpha == alpha)
                    .map(value)
                    .collect()
            };
            Some(ScatterMean {
                alpha,
                x: mean(&of(|point| point.x))?,
                y: mean(&of(|point| point.y))?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run;
    use crate::run_numbers::RunNumbers;
    use protocol::Measurement;
    use protocol::dimensionality::{ActivationMatrix, DimensionStatistic};
    use protocol::evaluation::{CorruptionMeasurement, CorruptionSpec};
    use protocol::layer_measure::{LayerMeasure, LayerRange, Perturbations};

    fn measured(
        run: i64,
        images: u32,
        corruption: Corruption,
        severity: u8,
        accuracy: f64,
    ) -> (i64, Measurement) {
        let measured = CorruptionMeasurement {
            conditions: CorruptionSpec::everything(Some(images)).conditions(1000),
            corruption,
            severity,
            accuracy,
            cross_entropy: 1.0,
            clean_accuracy: 0.8,
        };
        (run, Measurement::Corruption(measured))
    }

    const ALL: Measure = Measure::Corruption {
        corruption: None,
        severity: None,
    };

    /// Breaks when a run that lacks a corruption is averaged over fewer, conditions are mixed, or a share is
    /// taken of something else than the same images' clean accuracy.
    #[test]
    fn only_like_is_compared_with_like() {
        let runs = [run(1, 0.0, 0.2), run(2, 0.0, 0.4), run(3, 1.0, 0.5)];
        let measurements = [
            measured(1, 100, Corruption::Fog, 1, 0.6),
            measured(1, 100, Corruption::Fog, 2, 0.4),
            measured(2, 100, Corruption::Fog, 1, 0.4),
            measured(2, 100, Corruption::Fog, 2, 0.2),
            measured(2, 200, Corruption::Fog, 2, 0.9),
            measured(3, 100, Corruption::Fog, 1, 0.8),
        ];
        let numbers = RunNumbers::of_runs(&runs, &measurements);
        let shown = scatter(
            &runs,
            &MeasuredRuns::new(&numbers),
            Measure::Selectivity,
            ALL,
            Scale::Raw,
            None,
            None,
        );
        assert_eq!(shown.known_conditions.len(), 2);
        assert_eq!(
            shown.conditions.map(|conditions| conditions.images),
            Some(100)
        );
        assert_eq!((shown.incomplete_runs, shown.averaged_over), (1, 2));
        let values: Vec<_> = shown
            .points
            .iter()
            .map(|point| (point.run_id, point.x))
            .collect();
        assert_eq!(values, [(1, 0.2), (2, 0.4)]);
        assert!((shown.points[0].y - 0.5).abs() < 1e-12);
        assert_eq!(shown.alphas.len(), 1);
        assert!((shown.alphas[0].y.mean - 0.4).abs() < 1e-12);
        assert_eq!(shown.alphas[0].y.n, 2);

        let severity_1 = Measure::Corruption {
            corruption: Some(Corruption::Fog),
            severity: Some(1),
        };
        let shown = scatter(
            &runs,
            &MeasuredRuns::new(&numbers),
            Measure::TestAccuracy,
            severity_1,
            Scale::ShareOfClean,
            None,
            None,
        );
        assert_eq!((shown.points.len(), shown.incomplete_runs), (3, 0));
        assert!((shown.points[2].y - 1.0).abs() < 1e-12);
        assert!(shown.y.ends_with("share of clean"), "{}", shown.y);
        assert!(!shown.x.contains("share"), "{}", shown.x);
    }

    /// Breaks when a figure without measurements is an error instead of an empty figure.
    #[test]
    fn nothing_measured_is_an_empty_figure() {
        let shown = scatter(
            &[run(1, 0.0, 0.2)],
            &MeasuredRuns::default(),
            Measure::Selectivity,
            ALL,
            Scale::Raw,
            None,
            None,
        );
        assert_eq!(
            (shown.points.len(), shown.incomplete_runs, shown.conditions),
            (0, 1, None)
        );
    }

    /// Breaks when what a measure is made of is not read, and its figure stays empty, or all of it is read for nothing.
    #[test]
    fn what_the_numbers_lack_is_asked_for() {
        let dimensionality = |matrix, statistic, perturbations| Measure::Layers {
            range: LayerRange::All,
            measure: LayerMeasure::Dimensionality {
                matrix,
                statistic,
                perturbations,
            },
        };
        let cv = Measure::Layers {
            range: LayerRange::All,
            measure: LayerMeasure::CvAcrossUnits,
        };
        let fog = Perturbations::Corruption {
            corruption: Some(Corruption::Fog),
            severity: None,
        };
        let (responses, activations) = (ActivationMatrix::Responses, ActivationMatrix::Activations);
        let (at_90, at_95) = (
            DimensionStatistic::Fraction90,
            DimensionStatistic::Fraction95,
        );
        let held = [
            Measure::Selectivity,
            ALL,
            cv,
            dimensionality(responses, at_90, Perturbations::Clean),
            dimensionality(responses, at_95, fog),
        ];
        assert_eq!(others(&held), [""; 0]);
        let lacking = [
            dimensionality(responses, at_90, fog),
            dimensionality(activations, at_95, Perturbations::Clean),
            dimensionality(activations, at_90, fog),
        ];
        assert_eq!(
            others(&lacking),
            ["dimensionality/activations", "dimensionality/responses"]
        );
    }
}
