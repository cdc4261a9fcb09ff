//! One row per run, perturbation and layer: how many dimensions activations, or their difference, use.

use analysis::like::is_of_matched_images;
use protocol::Measurement;

use super::{Kind, RUN, Source, Table, frost_photographs, jpeg_quality, run_cells};

pub(super) fn table(source: &Source) -> Table {
    let columns = [
        ("matrix", Kind::Text),
        ("source", Kind::Text),
        ("corruption_seed", Kind::Integer),
        ("images", Kind::Integer),
        ("jpeg_quality", Kind::Integer),
        ("frost_photographs", Kind::Text),
        ("perturbation", Kind::Text),
        ("layer", Kind::Integer),
        ("layer_name", Kind::Text),
        ("columns", Kind::Integer),
        ("components_90", Kind::Integer),
        ("components_95", Kind::Integer),
        ("components_99", Kind::Integer),
        ("participation_ratio", Kind::Number),
    ];
    let mut rows = Vec::new();
    let measured = source.measured(Measurement::dimensionality);
    for (run, one) in measured.filter(|(run, one)| is_of_matched_images(one, &run.spec.dataset)) {
        for (layer, shape) in run.spec.network.layers().into_iter().enumerate() {
            let count = |counts: &[u32]| counts.get(layer).copied();
            let mut row = run_cells(run);
            row.extend([
                one.matrix.id().into(),
                one.conditions.source.id().into(),
                one.conditions.corruption_seed.into(),
                one.conditions.images.into(),
                jpeg_quality(one.conditions).into(),
                frost_photographs(one.conditions).into(),
                one.perturbation.to_string().into(),
                layer.into(),
                shape.name.into(),
                count(&one.columns).into(),
                count(&one.components_90).into(),
                count(&one.components_95).into(),
                count(&one.components_99).into(),
                one.participation_ratio.get(layer).copied().into(),
            ]);
            rows.push(row);
        }
    }
    Table {
        columns: RUN.into_iter().chain(columns).collect(),
        rows,
    }
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
