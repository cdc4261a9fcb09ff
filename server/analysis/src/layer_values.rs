//! Quantities with one value per layer, for many runs, taken from comparable measurements only (see [`like`]).

use std::collections::BTreeMap;

use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic, Perturbation};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::quantity::{LayerQuantity, LayerRange, Perturbations};

use crate::like;
use crate::run_numbers::{Dimensions, RunNumbers};

/// Values of one measure, by run.
#[derive(Debug, Clone, Default)]
pub struct LayerValues {
    /// One value per layer, absent where the layer has none.
    by_run: BTreeMap<i64, Vec<Option<f64>>>,
    /// Images behind each value; absent where there is none.
    pub images: Option<u32>,
    /// The chosen conditions of dimensionality, or else those of most runs.
    pub conditions: Option<CorruptionConditions>,
    /// Every set of conditions of dimensionality, those of most runs first.
    pub known_conditions: Vec<CorruptionConditions>,
}

impl LayerValues {
    /// Finds `measure` for these runs. Only measurements under the same conditions count, and a mean over
    /// perturbations only where a run has every perturbation that most runs have.
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
            LayerQuantity::CvAcrossSamples => {
                gradients(|measured, layer| measured.cv_across_samples[layer])
            }
            LayerQuantity::CvAcrossUnits => {
                gradients(|measured, layer| measured.cv_across_units[layer])
            }
            LayerQuantity::GradientNorm => {
                gradients(|measured, layer| Some(measured.mean_norm[layer]))
            }
            LayerQuantity::Dimensionality {
                matrix,
                statistic,
                perturbations,
            } => of_dimensionality(numbers, matrix, statistic, perturbations, conditions),
        }
    }

    /// A run's values, one per layer; absent where it lacks the measurement.
    pub fn of_run(&self, run: i64) -> Option<&[Option<f64>]> {
        self.by_run.get(&run).map(Vec::as_slice)
    }

    /// The mean of a run's values over the layers of a range that have one.
    pub fn mean(&self, run: i64, range: LayerRange) -> Option<f64> {
        layer_mean(self.of_run(run)?, range)
    }
}

/// The mean over the layers within `range` that have a value.
pub fn layer_mean(layers: &[Option<f64>], range: LayerRange) -> Option<f64> {
    let layers = &layers[..range.count(layers.len())];
    let values: Vec<f64> = layers.iter().copied().flatten().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
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
        runs.flat_map(|run| run.gradients.iter().map(|gradients| (run.id, gradients)))
    };
    // Variability depends on the number of images: only the number that most runs have is shown.
    let images = like::conditions(measured().map(|(run, gradients)| (run, gradients.images)));
    let images = images.first().copied();
    LayerValues {
        images,
        by_run: measured()
            .filter(|(_, gradients)| Some(gradients.images) == images)
            .map(|(run, gradients)| {
                let layers = 0..gradients.mean_norm.len();
                (run, layers.map(|layer| value(gradients, layer)).collect())
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
        runs.flat_map(|run| {
            run.dimensions_of(matrix)
                .map(|dimensions| (run.id, dimensions))
        })
    };
    // Clean and perturbed measurements count together, so that all figures of a matrix have the same conditions.
    let known_conditions =
        like::conditions(measured().map(|(run, dimensions)| (run, dimensions.conditions)));
    let conditions = conditions.or_else(|| known_conditions.first().copied());
    let mut by_run: BTreeMap<i64, Vec<&Dimensions>> = BTreeMap::new();
    for (run, dimensions) in measured() {
        if Some(dimensions.conditions) == conditions
            && perturbations.covers(dimensions.perturbation)
        {
            by_run.entry(run).or_default().push(dimensions);
        }
    }
    // Perturbations have no order of their own: each is identified by its place in order of text, in which most runs list
    // them.
    let mut known: Vec<Perturbation> = Vec::new();
    for of_run in by_run.values() {
        for (next, dimensions) in of_run.iter().enumerate() {
            let perturbation = dimensions.perturbation;
            if known.get(next) != Some(&perturbation) && !known.contains(&perturbation) {
                known.push(perturbation);
            }
        }
    }
    known.sort_by_cached_key(Perturbation::to_string);
    let place = |(next, dimensions): (usize, &&Dimensions)| match known.get(next) {
        Some(perturbation) if *perturbation == dimensions.perturbation => Some(next),
        _ => known
            .iter()
            .position(|perturbation| *perturbation == dimensions.perturbation),
    };
    let places = |of_run: &Vec<&Dimensions>| {
        let mut places: Vec<usize> = of_run.iter().enumerate().filter_map(place).collect();
        places.sort_unstable();
        places
    };
    let needed = like::items(by_run.values().map(places));
    let values = by_run.iter().filter(|(_, of_run)| places(of_run) == needed);
    let values = values.filter_map(|(run, of_run)| {
        let mut sums = vec![Some(0.0); of_run.first()?.fractions(statistic).len()];
        for dimensions in of_run {
            let mut layers = dimensions.fractions(statistic);
            for sum in &mut sums {
                *sum = sum.zip(layers.next()).map(|(sum, value)| sum + value);
            }
        }
        let mean = |sum: Option<f64>| Some(sum? / of_run.len() as f64);
        Some((*run, sums.into_iter().map(mean).collect()))
    });
    LayerValues {
        by_run: values.collect(),
        images: conditions.map(|conditions| conditions.images),
        conditions,
        known_conditions,
    }
}
