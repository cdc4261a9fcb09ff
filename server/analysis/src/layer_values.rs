//! Numbers of which a run has one a layer, of many runs: found among their measurements, like with like.

use std::collections::BTreeMap;

use protocol::attack::Attack;
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic, Perturbation};
use protocol::evaluation::CorruptionConditions;
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::layer_measure::{AlphaProfile, LayerProfiles};
use protocol::quantity::{LayerQuantity, LayerRange, Perturbations};
use rayon::prelude::*;

use crate::like;
use crate::run_numbers::{Dimensions, RunNumbers};
use crate::table::Table;
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
    /// Finds `measure` of these runs. Only measurements under the same conditions count, and a mean over
    /// perturbations only where a run has all of those that most runs have.
    pub(crate) fn find(
        numbers: &[&RunNumbers],
        measure: LayerQuantity,
        conditions: Option<CorruptionConditions>,
    ) -> LayerValues {
        let gradients = |value: fn(&InputUnitGradientMeasurement, usize) -> Option<f64>| {
            of_gradients(numbers, value)
        };
        match measure {
            LayerQuantity::Selectivity => of_selectivity(numbers),
            LayerQuantity::CvAcrossSamples => gradients(|of, layer| of.cv_across_samples[layer]),
            LayerQuantity::CvAcrossUnits => gradients(|of, layer| of.cv_across_units[layer]),
            LayerQuantity::GradientNorm => gradients(|of, layer| Some(of.mean_norm[layer])),
            LayerQuantity::Dimensionality {
                matrix,
                statistic,
                perturbations,
            } => of_dimensionality(numbers, matrix, statistic, perturbations, conditions),
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

fn of_selectivity(numbers: &[&RunNumbers]) -> LayerValues {
    let values = numbers.iter().map(|run| {
        let layers = run.layer_selectivity.iter().copied().map(Some);
        (run.id, layers.collect())
    });
    LayerValues {
        images: numbers.first().map(|run| run.test_images),
        by_run: values.collect(),
        ..LayerValues::default()
    }
}

fn of_gradients(
    numbers: &[&RunNumbers],
    value: impl Fn(&InputUnitGradientMeasurement, usize) -> Option<f64>,
) -> LayerValues {
    let measured = || {
        let runs = numbers.iter();
        runs.flat_map(|run| run.gradients.iter().map(|of| (run.id, of)))
    };
    // Variability depends on the number of images: only the number that most runs have is shown.
    let images = like::conditions(measured().map(|(run, of)| (run, of.images)));
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

fn of_dimensionality(
    numbers: &[&RunNumbers],
    matrix: ActivationMatrix,
    statistic: DimensionStatistic,
    perturbations: Perturbations,
    conditions: Option<CorruptionConditions>,
) -> LayerValues {
    let measured = || {
        let runs = numbers.iter();
        runs.flat_map(|run| run.dimensions_of(matrix).map(|of| (run.id, of)))
    };
    // Of clean ones and perturbed ones together: all figures of a matrix choose the same.
    let known_conditions = like::conditions(measured().map(|(run, of)| (run, of.conditions)));
    let conditions = conditions.or_else(|| known_conditions.first().copied());
    let mut by_run: BTreeMap<i64, Vec<&Dimensions>> = BTreeMap::new();
    for (run, of) in measured() {
        if Some(of.conditions) == conditions && perturbations.covers(of.perturbation) {
            by_run.entry(run).or_default().push(of);
        }
    }
    // Perturbations have no order of their own: they are told apart by their places in order of text, in which most runs
    // list them.
    let mut known: Vec<Perturbation> = Vec::new();
    for of in by_run.values() {
        for (next, of) in of.iter().enumerate() {
            if known.get(next) != Some(&of.perturbation) && !known.contains(&of.perturbation) {
                known.push(of.perturbation);
            }
        }
    }
    known.sort_by_cached_key(Perturbation::to_string);
    let place = |(next, of): (usize, &&Dimensions)| match known.get(next) {
        Some(one) if *one == of.perturbation => Some(next),
        _ => known.iter().position(|one| *one == of.perturbation),
    };
    let places = |of: &Vec<&Dimensions>| {
        let mut places: Vec<usize> = of.iter().enumerate().filter_map(place).collect();
        places.sort_unstable();
        places
    };
    let needed = like::items(by_run.values().map(places));
    let values = by_run.iter().filter(|(_, of)| places(of) == needed);
    let values = values.filter_map(|(run, of)| {
        let mut sums = vec![Some(0.0); of.first()?.fractions(statistic).len()];
        for of in of {
            let mut layers = of.fractions(statistic);
            for sum in &mut sums {
                *sum = sum.zip(layers.next()).map(|(sum, value)| sum + value);
            }
        }
        let mean = |sum: Option<f64>| Some(sum? / of.len() as f64);
        Some((*run, sums.into_iter().map(mean).collect()))
    });
    LayerValues {
        by_run: values.collect(),
        images: conditions.map(|conditions| conditions.images),
        conditions,
        known_conditions,
    }
}

/// A measure of layers aggregated over the seeds of every alpha. `conditions` are of dimensionality.
pub fn profiles(
    table: &Table,
    measure: LayerQuantity,
    conditions: Option<CorruptionConditions>,
) -> LayerProfiles {
    let values = table.layers(measure, conditions);
    let shown = table.runs.iter().copied();
    let shown: Vec<&RunNumbers> = shown.filter(|run| values.of(run.id).is_some()).collect();
    let layers: Vec<String> = shown.first().map_or(Vec::new(), |run| {
        let layers = run.network.layers();
        layers.into_iter().map(|layer| layer.name).collect()
    });
    let mut alphas: Vec<f64> = shown.iter().map(|run| run.alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    let mut known_attacks: Vec<Attack> = Vec::new();
    let measured = || table.runs.iter().flat_map(|run| &run.dimensions);
    for of in measured().filter(|of| of.matrix == ActivationMatrix::Responses) {
        if let Perturbation::Attack(attack) = of.perturbation
            && !known_attacks.contains(&attack)
        {
            known_attacks.push(attack);
        }
    }
    known_attacks.sort_by_key(Attack::to_string);
    LayerProfiles {
        label: measure.label(),
        axis: measure.axis(),
        alphas: alphas
            .into_par_iter()
            .map(|alpha| AlphaProfile {
                alpha,
                layers: (0..layers.len())
                    .map(|layer| {
                        let of_seeds: Vec<f64> = shown
                            .iter()
                            .filter(|run| run.alpha == alpha)
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
        has_activations: measured().any(|of| of.matrix == ActivationMatrix::Activations),
        incomplete_runs: (table.runs.len() - shown.len()) as u32,
        interval_method: INTERVAL_METHOD.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run;
    use protocol::dimensionality::DimensionalityMeasurement;
    use protocol::dimensionality::DimensionalitySpec;
    use protocol::{Corruption, Dataset, Measurement};

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
        let all = LayerQuantity::dimensionality(Perturbations::Corruption {
            corruption: None,
            severity: None,
        });
        let numbers = RunNumbers::of_runs(&runs, &measurements);
        let table = Table::new(&numbers);
        let found = profiles(&table, all, None);
        assert_eq!((found.incomplete_runs, found.images), (2, Some(100)));
        assert_eq!(found.known_conditions.len(), 2);
        assert_eq!((found.alphas.len(), found.layers.len()), (1, 7));
        let first = found.alphas[0].layers[0].unwrap();
        assert!((first.mean - 0.4).abs() < 1e-12);
        assert_eq!(first.n, 2);
        let values = table.layers(all, None);
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
        let table = Table::new(&numbers);
        let fog = Perturbations::Corruption {
            corruption: Some(Corruption::Fog),
            severity: None,
        };
        let found = [Perturbations::Clean, fog].map(|perturbations| {
            let measure = LayerQuantity::dimensionality(perturbations);
            table.layers(measure, None)
        });
        assert_eq!(found[0].known_conditions, found[1].known_conditions);
        assert_eq!((found[0].images, found[1].images), (Some(100), Some(100)));
        assert_eq!((found[0].of(1).is_some(), found[1].of(1)), (true, None));
        let asked = LayerQuantity::dimensionality(fog);
        let fifty = found[0].known_conditions[1];
        let asked = table.layers(asked, Some(fifty));
        assert!(asked.of(1).is_some(), "what is asked for by name is there");
    }

    /// Breaks when differences between clean images and the published Tiny ImageNet-C, which is of other photographs, are
    /// shown, or what can be measured is left out with them.
    #[test]
    fn differences_between_other_images_are_left_out() {
        let of = |perturbation: Perturbation| {
            let (id, mut measured) = dimension(1, 100, 1, 2);
            if let Measurement::Dimensionality(measured) = &mut measured {
                measured.conditions = CorruptionConditions::published(100);
                measured.perturbation = perturbation;
            }
            (id, measured)
        };
        let fog = Perturbation::Corruption {
            corruption: Corruption::Fog,
            severity: 1,
        };
        let attack = Attack::fgsm(1.0);
        let perturbations = [Perturbation::Clean, fog, Perturbation::Attack(attack)];
        let measurements = perturbations.map(of);
        let shown = |dataset: Dataset| {
            let mut trained = run(1, 0.0, 0.2);
            trained.spec.dataset = dataset;
            let numbers = RunNumbers::of_runs(&[trained], &measurements);
            let of = [
                Perturbations::Clean,
                Perturbations::CORRUPTIONS,
                Perturbations::Attack(attack),
            ];
            of.map(|of| {
                let found = profiles(
                    &Table::new(&numbers),
                    LayerQuantity::dimensionality(of),
                    None,
                );
                (found.alphas.len(), found.incomplete_runs)
            })
        };
        assert_eq!(shown(Dataset::TinyImagenet), [(1, 0), (0, 1), (1, 0)]);
        assert_eq!(shown(Dataset::Cifar10), [(1, 0); 3]);
    }

    /// Breaks when a layer without gradients counts as 0.
    #[test]
    fn a_layer_without_a_value_is_left_out() {
        let runs = [run(1, 0.0, 0.2), run(2, 0.0, 0.4)];
        let measurements = [gradients(1, 64, None), gradients(2, 64, Some(0.1))];
        let measure = LayerQuantity::CvAcrossSamples;
        let numbers = RunNumbers::of_runs(&runs, &measurements);
        let table = Table::new(&numbers);
        let found = profiles(&table, measure, None);
        assert_eq!(found.alphas[0].layers[0].map(|mean| mean.n), Some(1));
        let values = table.layers(measure, None);
        assert_eq!(values.mean(1, LayerRange::All), Some(0.5));
    }
}
