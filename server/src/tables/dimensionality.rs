//! One row per run, perturbation and layer: how many dimensions activations, or their difference, use.

use analysis::like::is_of_matched_images;
use protocol::Measurement;

use super::{Rows, Source, Table, frost_photographs, jpeg_quality};

pub(super) fn table(source: &Source) -> Table {
    let layers = source.measured_by_layer(Measurement::dimensionality);
    let matched =
        layers.filter(|(run, layer)| is_of_matched_images(layer.measurement, &run.spec.dataset));
    Rows::of_runs(matched)
        .text("matrix", |(_, layer)| layer.measurement.matrix.id())
        .text("source", |(_, layer)| {
            layer.measurement.conditions.source.id()
        })
        .integer("corruption_seed", |(_, layer)| {
            layer.measurement.conditions.corruption_seed
        })
        .integer("images", |(_, layer)| layer.measurement.conditions.images)
        .integer("jpeg_quality", |(_, layer)| {
            jpeg_quality(layer.measurement.conditions)
        })
        .text("frost_photographs", |(_, layer)| {
            frost_photographs(layer.measurement.conditions)
        })
        .text("perturbation", |(_, layer)| {
            layer.measurement.perturbation.to_string()
        })
        .integer("layer", |(_, layer)| layer.index)
        .text("layer_name", |(_, layer)| layer.name.clone())
        .integer("columns", |(_, layer)| {
            layer.at_layer(&layer.measurement.columns)
        })
        .integer("components_90", |(_, layer)| {
            layer.at_layer(&layer.measurement.components_90)
        })
        .integer("components_95", |(_, layer)| {
            layer.at_layer(&layer.measurement.components_95)
        })
        .integer("components_99", |(_, layer)| {
            layer.at_layer(&layer.measurement.components_99)
        })
        .number("participation_ratio", |(_, layer)| {
            layer.at_layer(&layer.measurement.participation_ratio)
        })
        .table()
}

#[cfg(test)]
mod tests {
    use analysis::made_up::{Lab, run};
    use protocol::Dataset;
    use protocol::corruption_evaluation::CorruptionConditions;

    use super::*;

    /// Breaks when an export holds differences between clean images and the published Tiny ImageNet-C, which is of other
    /// photographs, or lacks what was measured on clean images and under attack.
    #[test]
    fn differences_between_other_images_are_not_exported() {
        let lab = Lab::with_alphas(1, &[0.0]).dimensions(|_, _, _, _, selectivity| selectivity);
        let rows = |dataset: Dataset| {
            let mut source = Source::default();
            let mut trained = run(lab.runs[0].id, 0.0, 0.2);
            trained.spec.dataset = dataset;
            source.runs.push(trained);
            for (id, one) in &lab.measurements {
                let mut one = one.clone();
                if let Measurement::Dimensionality(one) = &mut one {
                    one.conditions = CorruptionConditions::published(100);
                }
                source.measurements.push((*id, one));
            }
            table(&source).rows.len()
        };
        // Clean, 95 corruptions at a severity and an attack, one row per layer.
        let (all, left) = (rows(Dataset::Cifar10), rows(Dataset::TinyImagenet));
        assert!(left > 0);
        assert_eq!(all / 97, left / 2);
    }
}
