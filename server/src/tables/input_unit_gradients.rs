//! One row per run and layer: norms of input-unit gradients and their variability.

use protocol::Measurement;

use super::{Kind, RUN, Source, Table, run_cells};

pub(super) fn table(source: &Source) -> Table {
    let columns = [
        ("images", Kind::Integer),
        ("layer", Kind::Integer),
        ("layer_name", Kind::Text),
        ("mean_norm", Kind::Number),
        ("cv_across_samples", Kind::Number),
        ("cv_across_units", Kind::Number),
        ("units_without_gradient", Kind::Integer),
    ];
    let mut rows = Vec::new();
    for (run, one) in source.measured(Measurement::input_unit_gradients) {
        for (layer, shape) in run.spec.network.layers().into_iter().enumerate() {
            let number = |numbers: &[Option<f64>]| numbers.get(layer).copied().flatten();
            let mut row = run_cells(run);
            row.extend([
                one.images.into(),
                layer.into(),
                shape.name.into(),
                one.mean_norm.get(layer).copied().into(),
                number(&one.cv_across_samples).into(),
                number(&one.cv_across_units).into(),
                one.units_without_gradient.get(layer).copied().into(),
            ]);
            rows.push(row);
        }
    }
    Table {
        columns: RUN.into_iter().chain(columns).collect(),
        rows,
    }
}
