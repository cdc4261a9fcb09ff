//! One row per run and layer: norms of input-unit gradients and their variability.

use protocol::Measurement;

use super::{Rows, Source, Table};

pub(super) fn table(source: &Source) -> Table {
    Rows::of_runs(source.measured_by_layer(Measurement::input_unit_gradients))
        .integer("images", |(_, layer)| layer.measurement.images)
        .integer("layer", |(_, layer)| layer.index)
        .text("layer_name", |(_, layer)| layer.name.clone())
        .number("mean_norm", |(_, layer)| {
            layer.at_layer(&layer.measurement.mean_norm)
        })
        .number("cv_across_samples", |(_, layer)| {
            layer.at_layer(&layer.measurement.cv_across_samples)
        })
        .number("cv_across_units", |(_, layer)| {
            layer.at_layer(&layer.measurement.cv_across_units)
        })
        .integer("units_without_gradient", |(_, layer)| {
            layer.at_layer(&layer.measurement.units_without_gradient)
        })
        .table()
}
