//! The numbers of one run that claims, figures and comparisons need: those of each measurement, by conditions and item.

use std::collections::BTreeMap;

use protocol::attack::{Attack, AttackConditions};
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{
    ActivationMatrix, DimensionStatistic, DimensionalityMeasurement, Perturbation,
};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::quantity::Scale;
use protocol::{Corruption, Dataset, Measurement, Network, Run, RunResult};

use crate::like;

/// An accuracy under perturbation, and the same images' accuracy, clean; shares of images, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Under perturbation.
    pub perturbed: f64,
    /// Clean.
    pub clean: f64,
}

impl Accuracy {
    /// The accuracy in `scale`; absent as a share where the clean accuracy is 0.
    pub fn on(self, scale: Scale) -> Option<f64> {
        match scale {
            Scale::Raw => Some(self.perturbed),
            Scale::ShareOfClean => (self.clean > 0.0).then(|| self.perturbed / self.clean),
        }
    }
}

/// Dimensionality of every layer: of clean activations, or of the difference that a perturbation makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimensions {
    /// The conditions of the measurement.
    pub conditions: CorruptionConditions,
    /// What the columns are.
    pub matrix: ActivationMatrix,
    /// Clean, or the perturbation that makes the difference.
    pub perturbation: Perturbation,
    /// The layers in forward order.
    layers: Box<[LayerDimensions]>,
}

/// One layer's columns, its components for 90, 95 and 99 % of the variance, and its participation ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
struct LayerDimensions {
    columns: u32,
    components: [u32; 3],
    participation_ratio: f64,
}

impl Dimensions {
    fn of(measured: &DimensionalityMeasurement) -> Dimensions {
        let components = measured.components_90.iter().zip(&measured.components_95);
        let components = components.zip(&measured.components_99);
        let layers = measured.columns.iter().zip(components);
        let layers = layers.zip(&measured.participation_ratio);
        Dimensions {
            conditions: measured.conditions,
            matrix: measured.matrix,
            perturbation: measured.perturbation,
            layers: layers
                .map(
                    |((&columns, ((&of_90, &of_95), &of_99)), &participation_ratio)| {
                        LayerDimensions {
                            columns,
                            components: [of_90, of_95, of_99],
                            participation_ratio,
                        }
                    },
                )
                .collect(),
        }
    }

    /// Every layer's value as a share of its columns, 0 to 1, in forward order.
    pub fn fractions(&self, statistic: DimensionStatistic) -> impl ExactSizeIterator<Item = f64> {
        self.layers.iter().map(move |layer| {
            let count = match statistic {
                DimensionStatistic::Fraction90 => f64::from(layer.components[0]),
                DimensionStatistic::Fraction95 => f64::from(layer.components[1]),
                DimensionStatistic::Fraction99 => f64::from(layer.components[2]),
                DimensionStatistic::Participation => layer.participation_ratio,
            };
            count / f64::from(layer.columns).max(1.0)
        })
    }
}

/// One trained run.
#[derive(Debug, Clone)]
pub struct RunNumbers {
    /// Its number.
    pub id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Its network.
    pub network: Network,
    /// What it was trained on, and tested on.
    dataset: Dataset,
    /// Images of the clean test set.
    pub test_images: u32,
    /// Network selectivity on the clean test set, 0 to 1.
    pub selectivity: f64,
    /// The mean selectivity of each layer's units there.
    pub layer_selectivity: Vec<f64>,
    /// Clean test accuracy, 0 to 1.
    pub test_accuracy: f64,
    /// Accuracy on every corruption and severity.
    pub corruptions: Vec<(CorruptionConditions, (Corruption, u8), Accuracy)>,
    /// Accuracy under every attack.
    pub attacks: Vec<(AttackConditions, Attack, Accuracy)>,
    /// Dimensionality, clean and of the difference that each perturbation makes.
    pub dimensions: Vec<Dimensions>,
    /// Input-unit gradients, on one number of images each.
    pub gradients: Vec<InputUnitGradientMeasurement>,
}

impl RunNumbers {
    /// The numbers of a run with this result and nothing else measured yet.
    pub fn new(
        id: i64,
        alpha: f64,
        seed: u64,
        (network, dataset): (Network, &Dataset),
        result: &RunResult,
    ) -> RunNumbers {
        RunNumbers {
            id,
            alpha,
            seed,
            network,
            dataset: dataset.clone(),
            test_images: result.test_images,
            selectivity: result.selectivity,
            layer_selectivity: result.layers.iter().map(|layer| layer.mean).collect(),
            test_accuracy: result.test_accuracy,
            corruptions: Vec::new(),
            attacks: Vec::new(),
            dimensions: Vec::new(),
            gradients: Vec::new(),
        }
    }

    /// The numbers of a run; `None` while it is not trained.
    pub fn of_run(run: &Run) -> Option<RunNumbers> {
        let (spec, result) = (&run.spec, run.result.as_ref()?);
        Some(RunNumbers::new(
            run.id,
            spec.alpha,
            spec.seed,
            (spec.network, &spec.dataset),
            result,
        ))
    }

    /// The numbers of the trained runs among `runs`, in order of run number.
    pub fn of_runs(runs: &[Run], measurements: &[(i64, Measurement)]) -> Vec<RunNumbers> {
        let mut by_run: BTreeMap<i64, RunNumbers> = runs
            .iter()
            .filter_map(|run| Some((run.id, RunNumbers::of_run(run)?)))
            .collect();
        for (run, measurement) in measurements {
            if let Some(numbers) = by_run.get_mut(run) {
                numbers.add(measurement);
            }
        }
        by_run.into_values().collect()
    }

    /// Adds a measurement, unless it is of images that do not match (see [`like::is_of_matched_images`]). Checks for
    /// gradient masking add no number.
    pub fn add(&mut self, measurement: &Measurement) {
        let accuracy = |perturbed, clean| Accuracy { perturbed, clean };
        match measurement {
            Measurement::Corruption(measured) => self.corruptions.push((
                measured.conditions,
                (measured.corruption, measured.severity),
                accuracy(measured.accuracy, measured.clean_accuracy),
            )),
            Measurement::Attack(measured) => self.attacks.push((
                measured.conditions,
                measured.attack,
                accuracy(measured.accuracy, measured.clean_accuracy),
            )),
            Measurement::Dimensionality(measured) => {
                if like::is_of_matched_images(measured, &self.dataset) {
                    self.dimensions.push(Dimensions::of(measured));
                }
            }
            Measurement::InputUnitGradients(measured) => self.gradients.push(measured.clone()),
            Measurement::Masking(_) => {}
        }
    }

    /// Dimensionality of unit responses, clean or of a difference.
    pub fn response_dimensions(&self) -> impl Iterator<Item = &Dimensions> {
        self.dimensions_of(ActivationMatrix::Responses)
    }

    /// Dimensionality of `matrix`, clean or of a difference.
    pub fn dimensions_of(&self, matrix: ActivationMatrix) -> impl Iterator<Item = &Dimensions> {
        self.dimensions
            .iter()
            .filter(move |dimensions| dimensions.matrix == matrix)
    }
}
