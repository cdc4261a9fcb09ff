//! A measure of layers by alpha: means over seeds, with intervals.

use protocol::attack::Attack;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{ActivationMatrix, Perturbation};
use protocol::layer_measure::{AlphaProfile, LayerProfiles};
use protocol::quantity::LayerQuantity;
use rayon::prelude::*;

use crate::run_numbers::{Dimensions, RunNumbers};
use crate::table::Table;
use crate::{INTERVAL_METHOD, distinct_alphas, mean};

/// A measure of layers, aggregated over the seeds of every alpha. `conditions` are those of dimensionality.
pub fn profiles(
    table: &Table,
    measure: LayerQuantity,
    conditions: Option<CorruptionConditions>,
) -> LayerProfiles {
    let values = table.layers(measure, conditions);
    let runs = table.runs.iter().copied();
    let complete: Vec<&RunNumbers> = runs.filter(|run| values.of_run(run.id).is_some()).collect();
    let layers: Vec<String> = complete.first().map_or(Vec::new(), |run| {
        let layers = run.network.layers();
        layers.into_iter().map(|layer| layer.name).collect()
    });
    let alphas = distinct_alphas(complete.iter().map(|run| run.alpha));
    let mut known_attacks: Vec<Attack> = Vec::new();
    let measured = || table.runs.iter().flat_map(|run| &run.dimensions);
    let responses = |dimensions: &&Dimensions| dimensions.matrix == ActivationMatrix::Responses;
    for dimensions in measured().filter(responses) {
        if let Perturbation::Attack(attack) = dimensions.perturbation
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
                        let of_seeds: Vec<f64> = complete
                            .iter()
                            .filter(|run| run.alpha == alpha)
                            .filter_map(|run| *values.of_run(run.id)?.get(layer)?)
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
        has_activations: measured()
            .any(|dimensions| dimensions.matrix == ActivationMatrix::Activations),
        incomplete_runs: (table.runs.len() - complete.len()) as u32,
        interval_method: INTERVAL_METHOD.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run;
    use protocol::dimensionality::DimensionalityMeasurement;
    use protocol::dimensionality::DimensionalitySpec;
    use protocol::gradient::InputUnitGradientMeasurement;
    use protocol::quantity::{LayerRange, Perturbations};
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

    /// Breaks when figures of a layer's dimensionality are of different images. Here only clean ones were measured on
    /// more images later.
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
        let values = [Perturbations::Clean, fog].map(|perturbations| {
            let measure = LayerQuantity::dimensionality(perturbations);
            table.layers(measure, None)
        });
        assert_eq!(values[0].known_conditions, values[1].known_conditions);
        assert_eq!((values[0].images, values[1].images), (Some(100), Some(100)));
        assert_eq!(
            (values[0].of_run(1).is_some(), values[1].of_run(1)),
            (true, None)
        );
        let measure = LayerQuantity::dimensionality(fog);
        let fifty = values[0].known_conditions[1];
        let at_fifty = table.layers(measure, Some(fifty));
        assert!(
            at_fifty.of_run(1).is_some(),
            "what is asked for by name is there"
        );
    }

    /// Breaks when differences between clean images and the published Tiny ImageNet-C, which has other photographs, are
    /// shown, or valid measurements are left out with them.
    #[test]
    fn differences_between_other_images_are_left_out() {
        let measured_under = |perturbation: Perturbation| {
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
        let measurements = perturbations.map(measured_under);
        let counts = |dataset: Dataset| {
            let mut trained = run(1, 0.0, 0.2);
            trained.spec.dataset = dataset;
            let numbers = RunNumbers::of_runs(&[trained], &measurements);
            let chosen = [
                Perturbations::Clean,
                Perturbations::CORRUPTIONS,
                Perturbations::Attack(attack),
            ];
            chosen.map(|perturbations| {
                let found = profiles(
                    &Table::new(&numbers),
                    LayerQuantity::dimensionality(perturbations),
                    None,
                );
                (found.alphas.len(), found.incomplete_runs)
            })
        };
        assert_eq!(counts(Dataset::TinyImagenet), [(1, 0), (0, 1), (1, 0)]);
        assert_eq!(counts(Dataset::Cifar10), [(1, 0); 3]);
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
