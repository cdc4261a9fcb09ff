//! One row per run, layer and unit: its selectivity on the clean test set, and the class it prefers.

use std::borrow::Cow;

use protocol::Run;

use super::{Rows, Table};

/// A unit of a run's result.
struct Unit<'a> {
    layer: usize,
    layer_name: &'a str,
    unit: usize,
    selectivity: f32,
    preferred_class: Cow<'a, str>,
}

/// Needs results with every unit.
pub(super) fn table(runs: &[Run]) -> Table {
    let units = runs
        .iter()
        .flat_map(|run| units(run).map(move |unit| (run, unit)));
    Rows::of_runs(units)
        .integer("layer", |(_, unit)| unit.layer)
        .text("layer_name", |(_, unit)| unit.layer_name.to_owned())
        .integer("unit", |(_, unit)| unit.unit)
        .single("selectivity", |(_, unit)| unit.selectivity)
        .text("preferred_class", |(_, unit)| {
            unit.preferred_class.to_string()
        })
        .table()
}

/// Every unit of a run, in forward order.
fn units(run: &Run) -> impl Iterator<Item = Unit<'_>> {
    let started = run.started.as_ref();
    let classes = started.map_or(&[][..], |started| &started.classes);
    let layers = run.result.iter().flat_map(|result| &result.layers);
    layers.enumerate().flat_map(move |(index, layer)| {
        let units = layer.units.iter().zip(&layer.preferred_class).enumerate();
        units.map(move |(unit, (&selectivity, &class))| Unit {
            layer: index,
            layer_name: &layer.name,
            unit,
            selectivity,
            preferred_class: match classes.get(class as usize) {
                Some(name) => name.into(),
                None => class.to_string().into(),
            },
        })
    })
}
