//! Numbers of which a run has one a layer, of many runs: found among their measurements, like with like.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use protocol::Run;
use protocol::attack::Attack;
use protocol::dimensionality::{
    ActivationMatrix, DimensionStatistic, DimensionalityMeasurement, Perturbation,
};
use protocol::evaluation::CorruptionConditions;
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::layer_measure::{
    AlphaProfile, LayerMeasure, LayerProfiles, LayerRange, Perturbations,
};
use rayon::prelude::*;

use crate::run_numbers::{MeasuredRuns, others_needed};
use crate::scatter::most_common;
use crate::{INTERVAL_METHOD, mean};

/// Values of one measure, by run.
#[derive(Debug, Clone, Default)]
pub struct LayerValues {
    /// One value a layer, absent where the layer has none.
    by_run: BTreeMap<i64, Vec<Option<f64>>>,
    /// Images that each value is over; absent where there is none.
    pub images: Option<u32>,
    /// The conditions of dimensionality that were asked for, or those of most runs.
    pub conditions: Option<CorruptionConditions>,
    /// Every set of conditions of dimensionality, those of most runs first.
    pub known_conditions: Vec<CorruptionConditions>,
}

impl LayerValues {
    /// Finds `measure` of the trained ones of `runs`. Only measurements under the same conditions count, and a mean over
    /// perturbations only where a run has all of those that most runs have.
    pub fn find(
        runs: &[Run],
        measured: &MeasuredRuns,
        measure: LayerMeasure,
        conditions: Option<CorruptionConditions>,
    ) -> LayerValues {
        let gradients = |value: fn(&InputUnitGradientMeasurement, usize) -> Option<f64>| {
            of_gradients(measured, value)
        };
        match measure {
            LayerMeasure::Selectivity => of_selectivity(runs),
            LayerMeasure::CvAcrossSamples => gradients(|of, layer| of.cv_across_samples[layer]),
            LayerMeasure::CvAcrossUnits => gradients(|of, layer| of.cv_across_units[layer]),
            LayerMeasure::GradientNorm => gradients(|of, layer| Some(of.mean_norm[layer])),
            LayerMeasure::Dimensionality {
                matrix,
                statistic,
                perturbations,
            } => of_dimensionality(
                &fractions(measured, matrix, statistic, perturbations),
                perturbations,
                conditions,
                known_conditions(measured, matrix),
            ),
        }
    }

    /// A run's values, one a layer; absent where it lacks the measurement.
    pub fn of(&self, run: i64) -> Option<&[Option<f64>]> {
        self.by_run.get(&run).map(Vec::as_slice)
    }

    /// The mean of a run's values over a range of layers, of those that have one.
    pub fn mean(&self, run: i64, range: LayerRange) -> Option<f64> {
        let values = self.of(run)?;
        let values: Vec<f64> = values[..range.count(values.len())]
            .iter()
            .copied()
            .flatten()
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

fn of_selectivity(runs: &[Run]) -> LayerValues {
    let results = runs
        .iter()
        .filter_map(|run| Some((run.id, run.result.as_ref()?)));
    LayerValues {
        images: results.clone().map(|(_, result)| result.test_images).next(),
        by_run: results
            .map(|(id, result)| {
                let layers = result.layers.iter().map(|layer| Some(layer.mean));
                (id, layers.collect())
            })
            .collect(),
        ..LayerValues::default()
    }
}

fn of_gradients(
    measured: &MeasuredRuns,
    value: impl Fn(&InputUnitGradientMeasurement, usize) -> Option<f64>,
) -> LayerValues {
    let measured = || {
        let runs = measured.numbers.iter();
        runs.flat_map(|run| run.gradients.iter().map(|of| (run.id, of)))
    };
    // Variability depends on the number of images: only the number that most runs have is shown.
    let images = most_common(measured().map(|(run, of)| (run, of.images)).collect());
    let images = images.first().copied();
    LayerValues {
        images,
        by_run: measured()
            .filter(|(_, of)| Some(of.images) == images)
            .map(|(run, of)| {
                let layers = 0..of.mean_norm.len();
                (run, layers.map(|layer| value(of, layer)).collect())
            })
            .collect(),
        ..LayerValues::default()
    }
}

/// Dimension fractions of a run under a perturbation, one a layer.
struct Fractions<'a> {
    run: i64,
    conditions: CorruptionConditions,
    perturbation: Perturbation,
    layers: Cow<'a, [f64]>,
}

/// The dimension fractions that were measured, of `perturbations` and as they come of others.
fn fractions<'a>(
    measured: &'a MeasuredRuns,
    matrix: ActivationMatrix,
    statistic: DimensionStatistic,
    perturbations: Perturbations,
) -> Vec<Fractions<'a>> {
    let whole = |run: i64, of: &DimensionalityMeasurement| {
        let layers = (0..of.columns.len()).filter_map(|layer| of.fraction(layer, statistic));
        Fractions {
            run,
            conditions: of.conditions,
            perturbation: of.perturbation,
            layers: Cow::Owned(layers.collect()),
        }
    };
    let measure = LayerMeasure::Dimensionality {
        matrix,
        statistic,
        perturbations,
    };
    if others_needed(measure).is_some() {
        let of_matrix = measured.others.iter().filter(|(_, of)| of.matrix == matrix);
        return of_matrix.map(|(run, of)| whole(*run, of)).collect();
    }
    let runs = measured.numbers.iter();
    if perturbations == Perturbations::Clean {
        return runs
            .flat_map(|run| run.clean_dimensions.iter().map(|of| whole(run.id, of)))
            .collect();
    }
    runs.flat_map(|run| {
        let differences = run.differences.iter();
        differences.map(|(conditions, perturbation, layers)| Fractions {
            run: run.id,
            conditions: *conditions,
            perturbation: *perturbation,
            layers: Cow::Borrowed(layers.as_slice()),
        })
    })
    .collect()
}

/// Every set of conditions that a matrix was measured under, clean or perturbed, those of most runs first: all figures of
/// it choose the same.
fn known_conditions(
    measured: &MeasuredRuns,
    matrix: ActivationMatrix,
) -> Vec<CorruptionConditions> {
    let others = measured.others.iter().filter(|(_, of)| of.matrix == matrix);
    let others = others.map(|(run, of)| (*run, of.conditions));
    let of_runs = measured.numbers.iter().flat_map(|run| {
        let clean = run.clean_dimensions.iter().map(|of| of.conditions);
        let differences = run.differences.iter().map(|of| of.0);
        clean
            .chain(differences)
            .map(|conditions| (run.id, conditions))
    });
    match matrix {
        ActivationMatrix::Responses => most_common(of_runs.chain(others).collect()),
        ActivationMatrix::Activations => most_common(others.collect()),
    }
}

fn of_dimensionality(
    measured: &[Fractions],
    perturbations: Perturbations,
    conditions: Option<CorruptionConditions>,
    known_conditions: Vec<CorruptionConditions>,
) -> LayerValues {
    let conditions = conditions.or_else(|| known_conditions.first().copied());
    let mut by_run: BTreeMap<i64, Vec<&Fractions>> = BTreeMap::new();
    for of in measured {
        if Some(of.conditions) == conditions && perturbations.covers(of.perturbation) {
            by_run.entry(of.run).or_default().push(of);
        }
    }
    // The set of perturbations that most runs have; of equally frequent ones the largest. Few sets are different: they
    // are told apart one by one, since perturbations have no order.
    let same = |a: &[&Fractions], b: &[&Fractions]| {
        let has = |set: &[&Fractions], one: &Fractions| {
            set.iter().any(|of| of.perturbation == one.perturbation)
        };
        let in_order = a
            .iter()
            .zip(b)
            .all(|(a, b)| a.perturbation == b.perturbation);
        a.len() == b.len() && (in_order || a.iter().all(|one| has(b, one)))
    };
    let names = |set: &[&Fractions]| -> BTreeSet<String> {
        set.iter().map(|of| of.perturbation.to_string()).collect()
    };
    let mut sets: Vec<(&[&Fractions], usize)> = Vec::new();
    for of in by_run.values() {
        match sets.iter_mut().find(|(known, _)| same(known, of)) {
            Some((_, runs)) => *runs += 1,
            None => sets.push((of, 1)),
        }
    }
    let needed = sets
        .into_iter()
        .max_by_key(|(set, runs)| (*runs, set.len(), names(set)))
        .map_or(&[][..], |(set, _)| set);
    let values = by_run.iter().filter(|(_, of)| same(needed, of));
    let values = values.filter_map(|(run, of)| {
        let layers = of.first()?.layers.len();
        let mean_of = |layer: usize| {
            let values: Option<Vec<f64>> =
                of.iter().map(|of| of.layers.get(layer).copied()).collect();
            let values = values?;
            Some(values.iter().sum::<f64>() / values.len() as f64)
        };
        Some((*run, (0..layers).map(mean_of).collect()))
    });
    LayerValues {
        by_run: values.collect(),
        images: conditions.map(|conditions| conditions.images),
        conditions,
        known_conditions,
    }
}

/// A measure of layers aggregated over the seeds of every alpha. `has_activations` is what it says of full activations.
pub fn profiles(
    runs: &[Run],
    measured: &MeasuredRuns,
    measure: LayerMeasure,
    conditions: Option<CorruptionConditions>,
    has_activations: bool,
) -> LayerProfiles {
    let values = LayerValues::find(runs, measured, measure, conditions);
    let trained: Vec<&Run> = runs.iter().filter(|run| run.result.is_some()).collect();
    let shown: Vec<&Run> = trained
        .iter()
        .copied()
        .filter(|run| values.of(run.id).is_some())
        .collect();
    let layers: Vec<String> = shown.first().map_or(Vec::new(), |run| {
        let layers = run.spec.network.layers();
        layers.into_iter().map(|layer| layer.name).collect()
    });
    let mut alphas: Vec<f64> = shown.iter().map(|run| run.spec.alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    let mut known_attacks: Vec<Attack> = Vec::new();
    for (_, perturbation, _) in measured.numbers.iter().flat_map(|run| &run.differences) {
        if let Perturbation::Attack(attack) = perturbation
            && !known_attacks.contains(attack)
        {
            known_attacks.push(*attack);
        }
    }
    known_attacks.sort_by_key(Attack::to_string);
    LayerProfiles {
        label: measure.label(),
        alphas: alphas
            .into_par_iter()
            .map(|alpha| AlphaProfile {
                alpha,
                layers: (0..layers.len())
                    .map(|layer| {
                        let of_seeds: Vec<f64> = shown
                            .iter()
                            .filter(|run| run.spec.alpha == alpha)
                            .filter_map(|run| *values.of(run.id)?.get(layer)?)
                            .collect();
                        mean(&of_seeds)
                    })
                    .collect(),
            })
            .collect(),
        layers,
        images: values.images,
        conditions: values.conditions,
        known_conditions: values.known_conditions,
        known_attacks,
        has_activations,
        incomplete_runs: (trained.len() - shown.len()) as u32,
        interval_method: INTERVAL_METHOD.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run;
    use crate::run_numbers::RunNumbers;
    use protocol::dimensionality::DimensionalitySpec;
    use protocol::{Corruption, Measurement};

    fn dimension(run: i64, images: u32, severity: u8, components: u32) -> (i64, Measurement) {
        let measured = DimensionalityMeasurement {
            conditions: DimensionalitySpec::source(Some(images)).conditions(1000),
            matrix: ActivationMatrix::Responses,
            perturbation: Perturbation::Corruption {
                corruption: Corruption::Fog,
                severity,
            },
            columns: vec![10; 7],
            components_90: vec![1; 7],
            components_95: vec![components; 7],
            components_99: vec![9; 7],
            participation_ratio: vec![2.0; 7],
        };
        (run, Measurement::Dimensionality(measured))
    }

    fn gradients(run: i64, images: u32, first: Option<f64>) -> (i64, Measurement) {
        let mut cv = vec![Some(0.5); 7];
        cv[0] = first;
        let measured = InputUnitGradientMeasurement {
            images,
            mean_norm: vec![1.0; 7],
            cv_across_samples: cv.clone(),
            cv_across_units: cv,
            units_without_gradient: vec![0; 7],
        };
        (run, Measurement::InputUnitGradients(measured))
    }

    /// Breaks when runs measured on other images or fewer severities are averaged with the rest, or seeds are
    /// taken for alphas.
    #[test]
    fn only_like_is_compared_with_like() {
        let runs = [
            run(1, 0.0, 0.2),
            run(2, 0.0, 0.4),
            run(3, 1.0, 0.5),
            run(4, 1.0, 0.5),
        ];
        let measurements = [
            dimension(1, 100, 1, 2),
            dimension(1, 100, 2, 4),
            dimension(2, 100, 1, 4),
            dimension(2, 100, 2, 6),
            dimension(3, 100, 1, 8),
            dimension(4, 50, 1, 8),
            dimension(4, 50, 2, 8),
        ];
        let all = LayerMeasure::dimensionality(Perturbations::Corruption {
            corruption: None,
            severity: None,
        });
        let numbers = RunNumbers::of_runs(&runs, &measurements);
        let measured = MeasuredRuns::new(&numbers);
        let found = profiles(&runs, &measured, all, None, false);
        assert_eq!((found.incomplete_runs, found.images), (2, Some(100)));
        assert_eq!(found.known_conditions.len(), 2);
        assert_eq!((found.alphas.len(), found.layers.len()), (1, 7));
        let first = found.alphas[0].layers[0].unwrap();
        assert!((first.mean - 0.4).abs() < 1e-12);
        assert_eq!(first.n, 2);
        let values = LayerValues::find(&runs, &measured, all, None);
        assert!((values.mean(1, LayerRange::Early).unwrap() - 0.3).abs() < 1e-12);
        assert_eq!(values.mean(3, LayerRange::Early), None);
    }

    /// Breaks when one figure of a layer's dimensionality is of other images than another: clean ones were measured on more
    /// images later, and no perturbed ones.
    #[test]
    fn clean_and_perturbed_are_of_the_same_images() {
        let runs = [run(1, 0.0, 0.2)];
        let clean = |images| {
            let (id, mut measured) = dimension(1, images, 1, 2);
            if let Measurement::Dimensionality(measured) = &mut measured {
                measured.perturbation = Perturbation::Clean;
            }
            (id, measured)
        };
        let measurements = [dimension(1, 50, 1, 2), clean(50), clean(100)];
        let numbers = RunNumbers::of_runs(&runs, &measurements);
        let measured = MeasuredRuns::new(&numbers);
        let fog = Perturbations::Corruption {
            corruption: Some(Corruption::Fog),
            severity: None,
        };
        let found = [Perturbations::Clean, fog].map(|perturbations| {
            let measure = LayerMeasure::dimensionality(perturbations);
            LayerValues::find(&runs, &measured, measure, None)
        });
        assert_eq!(found[0].known_conditions, found[1].known_conditions);
        assert_eq!((found[0].images, found[1].images), (Some(100), Some(100)));
        assert_eq!((found[0].of(1).is_some(), found[1].of(1)), (true, None));
        let asked = LayerMeasure::dimensionality(fog);
        let fifty = found[0].known_conditions[1];
        let asked = LayerValues::find(&runs, &measured, asked, Some(fifty));
        assert!(asked.of(1).is_some(), "what is asked for by name is there");
    }

    /// Breaks when a layer without gradients counts as 0.
    #[test]
    fn a_layer_without_a_value_is_left_out() {
        let runs = [run(1, 0.0, 0.2), run(2, 0.0, 0.4)];
        let measurements = [gradients(1, 64, None), gradients(2, 64, Some(0.1))];
        let measure = LayerMeasure::CvAcrossSamples;
        let numbers = RunNumbers::of_runs(&runs, &measurements);
        let measured = MeasuredRuns::new(&numbers);
        let found = profiles(&runs, &measured, measure, None, false);
        assert_eq!(found.alphas[0].layers[0].map(|mean| mean.n), Some(1));
        let values = LayerValues::find(&runs, &measured, measure, None);
        assert_eq!(values.mean(1, LayerRange::All), Some(0.5));
    }
}
