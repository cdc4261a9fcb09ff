//! One row a run, perturbation and layer: how many dimensions activations, or their difference, use.

use protocol::Measurement;

use super::{Kind, RUN, Source, Table, frost_photographs, jpeg_quality, of};

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
    for (run, one) in source.measured(Measurement::dimensionality) {
        for (layer, shape) in run.spec.network.layers().into_iter().enumerate() {
            let count = |of: &[u32]| of.get(layer).copied();
            let mut row = of(run);
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
