//! One row per run, layer and unit: its selectivity on the clean test set, and the class it prefers.

use protocol::Run;

use super::{Kind, RUN, Table, run_cells};

/// Needs results with every unit.
pub(super) fn table(runs: &[Run]) -> Table {
    let columns = [
        ("layer", Kind::Integer),
        ("layer_name", Kind::Text),
        ("unit", Kind::Integer),
        ("selectivity", Kind::Single),
        ("preferred_class", Kind::Text),
    ];
    let mut rows = Vec::new();
    for run in runs {
        let started = run.started.as_ref();
        let classes = started.map_or(&[][..], |started| &started.classes);
        let layers = run.result.iter().flat_map(|result| &result.layers);
        for (index, layer) in layers.enumerate() {
            let units = layer.units.iter().zip(&layer.preferred_class);
            for (unit, (&selectivity, &class)) in units.enumerate() {
                let name = classes.get(class as usize).cloned();
                let mut row = run_cells(run);
                row.extend([
                    index.into(),
                    layer.name.clone().into(),
                    unit.into(),
                    selectivity.into(),
                    name.unwrap_or_else(|| class.to_string()).into(),
                ]);
                rows.push(row);
            }
        }
    }
    Table {
        columns: RUN.into_iter().chain(columns).collect(),
        rows,
    }
}
