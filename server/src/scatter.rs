//! Two measures of an experiment's runs against each other: one point a run, means over seeds by alpha.

use std::collections::{BTreeMap, BTreeSet};

use protocol::attack::{Attack, AttackConditions, AttackMeasurement};
use protocol::dimensionality::ActivationMatrix;
use protocol::evaluation::{CorruptionConditions, CorruptionMeasurement};
use protocol::layer_measure::LayerMeasure;
use protocol::measure::{Measure, Scale, Scatter, ScatterMean, ScatterPoint};
use protocol::{Corruption, Measurement, Run, RunResult};

use crate::layer_values::LayerValues;
use crate::statistics::{INTERVAL_METHOD, mean};

/// Corruptions and severities that a mean is over.
type Items = BTreeSet<(Corruption, u8)>;

/// Sets `x` against `y`. Measurements count only under `conditions`, or, when absent, under those that most
/// runs share; a mean over corruptions only where a run has all of those that most runs have, so that no
/// point is a mean over something else than its neighbours.
pub fn scatter(
    runs: &[Run],
    measurements: &[(i64, Measurement)],
    x: Measure,
    y: Measure,
    scale: Scale,
    conditions: Option<CorruptionConditions>,
    attack_conditions: Option<AttackConditions>,
) -> Scatter {
    let points = points(
        runs,
        measurements,
        x,
        y,
        scale,
        conditions,
        attack_conditions,
    );
    Scatter {
        alphas: means(&points.points),
        ..points
    }
}

/// As [`scatter`], without the means over seeds.
pub(crate) fn points(
    runs: &[Run],
    measurements: &[(i64, Measurement)],
    x: Measure,
    y: Measure,
    scale: Scale,
    conditions: Option<CorruptionConditions>,
    attack_conditions: Option<AttackConditions>,
) -> Scatter {
    let mut by_run: BTreeMap<i64, Vec<&CorruptionMeasurement>> = BTreeMap::new();
    for (run, measurement) in measurements {
        if let Some(measured) = measurement.corruption() {
            by_run.entry(*run).or_default().push(measured);
        }
    }
    let attacked: Vec<(i64, &AttackMeasurement)> = measurements
        .iter()
        .filter_map(|(run, measurement)| Some((*run, measurement.attack()?)))
        .collect();
    let known_attack_conditions = most_common(
        attacked
            .iter()
            .map(|(run, measured)| (*run, measured.conditions))
            .collect(),
    );
    let attack_conditions = attack_conditions.or_else(|| known_attack_conditions.first().copied());
    let attacked: Vec<_> = attacked
        .into_iter()
        .filter(|(_, measured)| Some(measured.conditions) == attack_conditions)
        .collect();
    let mut known_attacks: Vec<Attack> = Vec::new();
    for (_, measured) in &attacked {
        if !known_attacks.contains(&measured.attack) {
            known_attacks.push(measured.attack);
        }
    }
    known_attacks.sort_by(|a, b| {
        (a.method, a.norm)
            .cmp(&(b.method, b.norm))
            .then(a.epsilon.total_cmp(&b.epsilon))
            .then(a.steps.cmp(&b.steps))
    });
    let known_conditions = most_common(
        by_run
            .iter()
            .flat_map(|(run, measured)| measured.iter().map(|one| (*run, one.conditions)))
            .collect(),
    );
    let conditions = conditions.or_else(|| known_conditions.first().copied());
    for measured in by_run.values_mut() {
        measured.retain(|measured| Some(measured.conditions) == conditions);
    }
    let needs = [x, y].map(|measure| needed(measure, &by_run));
    let of_layers = [x, y].map(|measure| match measure {
        Measure::Layers { measure, .. } => {
            // Under the conditions of most runs: `conditions` are of the test on corruptions.
            LayerValues::find(runs, measurements, measure, None)
        }
        _ => LayerValues::default(),
    });

    let mut points = Vec::new();
    let mut incomplete_runs = 0;
    for run in runs {
        let Some(result) = &run.result else {
            continue;
        };
        let measured = by_run.get(&run.id).map_or(&[][..], Vec::as_slice);
        let value = |measure, needed, of_layers: &LayerValues| match measure {
            Measure::Layers { range, .. } => of_layers.mean(run.id, range),
            Measure::Attack(attack) => attacked
                .iter()
                .find(|(of, measured)| *of == run.id && measured.attack == attack)
                .and_then(|(_, measured)| match scale {
                    Scale::Raw => Some(measured.accuracy),
                    Scale::ShareOfClean => measured.share_of_clean(),
                }),
            _ => value(measure, result, measured, needed, scale),
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

/// The kinds of measurements that these measures and their choices are made of, as keys begin: to read all of them
/// takes a multiple of the time.
pub fn kinds(measures: &[Measure]) -> Vec<&'static str> {
    let mut kinds = vec!["corruption", "attack"];
    for measure in measures {
        let kind = match measure {
            Measure::Layers { measure, .. } => match measure {
                LayerMeasure::Selectivity => continue,
                LayerMeasure::CvAcrossSamples
                | LayerMeasure::CvAcrossUnits
                | LayerMeasure::GradientNorm => "input_unit_gradients",
                LayerMeasure::Dimensionality { matrix, .. } => match matrix {
                    ActivationMatrix::Responses => "dimensionality/responses",
                    ActivationMatrix::Activations => "dimensionality/activations",
                },
            },
            Measure::Selectivity
            | Measure::TestAccuracy
            | Measure::Corruption { .. }
            | Measure::Attack(_) => continue,
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
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
fn needed(measure: Measure, by_run: &BTreeMap<i64, Vec<&CorruptionMeasurement>>) -> Items {
    let mut counts: BTreeMap<Items, usize> = BTreeMap::new();
    for measured in by_run.values() {
        let items: Items = measured
            .iter()
            .filter(|measured| measure.covers(measured))
            .map(|measured| (measured.corruption, measured.severity))
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
    measured: &[&CorruptionMeasurement],
    needed: &Items,
    scale: Scale,
) -> Option<f64> {
    match measure {
        Measure::Selectivity => Some(result.selectivity),
        Measure::TestAccuracy => Some(result.test_accuracy),
        Measure::Attack(_) | Measure::Layers { .. } => None,
        Measure::Corruption { .. } => {
            let values: Option<Vec<f64>> = measured
                .iter()
                .filter(|measured| needed.contains(&(measured.corruption, measured.severity)))
                .map(|measured| match scale {
                    Scale::Raw => Some(measured.accuracy),
                    Scale::ShareOfClean => measured.share_of_clean(),
                })
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
        .into_iter()
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
pub(crate) mod tests {
    use super::*;
    use protocol::RunState;
    use protocol::evaluation::CorruptionSpec;
    use protocol::preset::presets;

    /// A trained ResNet8.
    pub(crate) fn run(id: i64, alpha: f64, selectivity: f64) -> Run {
        let mut spec = presets().remove(0).spec.runs().remove(0);
        spec.alpha = alpha;
        spec.seed = id as u64;
        Run {
            id,
            experiment_id: 1,
            spec,
            state: RunState::Finished,
            reason: None,
            queued_at: 0,
            started_at: None,
            ended_at: None,
            started: None,
            epochs_done: 1,
            latest_epoch: None,
            progress: None,
            later_evaluations: vec![],
            tags: Vec::new(),
            notes: String::new(),
            result: Some(RunResult {
                best_epoch: 1,
                validation_accuracy: 0.5,
                validation_images: 10,
                test_accuracy: 0.8,
                test_cross_entropy: 1.0,
                test_images: 100,
                selectivity,
                layers: vec![],
            }),
        }
    }

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
        let shown = scatter(
            &runs,
            &measurements,
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
            &measurements,
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
            &[],
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

    /// Breaks when what a measure is made of is not read, and its figure stays empty.
    #[test]
    fn every_kind_is_a_keys_beginning() {
        let layers = |measure| Measure::Layers {
            range: protocol::layer_measure::LayerRange::All,
            measure,
        };
        let clean = protocol::layer_measure::Perturbations::Clean;
        let found = kinds(&[
            Measure::Selectivity,
            layers(LayerMeasure::CvAcrossUnits),
            layers(LayerMeasure::GradientNorm),
            layers(LayerMeasure::dimensionality(clean)),
        ]);
        assert_eq!(
            found,
            [
                "corruption",
                "attack",
                "input_unit_gradients",
                "dimensionality/responses"
            ]
        );
        let (_, corruption) = measured(1, 100, Corruption::Fog, 1, 0.6);
        assert!(corruption.key().starts_with("corruption/"));
        assert_eq!(kinds(&[]), ["corruption", "attack"]);
    }
}
