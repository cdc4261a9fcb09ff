//! How selective are single units? The distribution over the units of every layer, one box per layer.

use protocol::RunResult;

use crate::chart::{Axis, Chart, Ink, Kind, Point, Series, Table};

/// Median, quartiles, whiskers to 1.5 interquartile ranges, and every unit beyond them; the table has every unit and its
/// preferred class, named as in `classes`.
pub fn chart(result: Option<&RunResult>, classes: &[String]) -> Chart {
    let layers = || result.iter().flat_map(|result| &result.layers);
    let boxes = layers().map(|layer| {
        let units = layer.units.iter();
        let points = units.map(|&unit| Point::new(&layer.name, unit)).collect();
        boxes(&layer.name, points, false)
    });
    let units = layers().flat_map(|layer| {
        let units = layer.units.iter().enumerate();
        units.map(move |(unit, selectivity)| (layer, unit, *selectivity))
    });
    let table = Table::of(units)
        .column("layer", |(layer, ..)| layer.name.as_str())
        .column("unit", |(_, unit, _)| *unit)
        .column("selectivity (0 to 1)", |(.., selectivity)| *selectivity)
        .column("preferred class", |(layer, unit, _)| {
            let class = layer.preferred_class.get(*unit);
            let name = class.and_then(|&class| classes.get(class as usize));
            name.cloned()
        });
    Chart::new(
        Axis::layers(layers().map(|layer| layer.name.clone()).collect()),
        Axis::unit_range("Selectivity of a unit (0 to 1)"),
    )
    .with(boxes)
    .table(table)
}

/// The values of a layer's units as a box.
pub fn boxes(layer: &str, points: Vec<Point>, mean: bool) -> Series {
    Series {
        listed: false,
        size: 4.0,
        opacity: 0.6,
        width: 1.2,
        ..Series::new(Kind::Boxes { mean }, layer, Ink::First, points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Cell;
    use protocol::LayerSelectivity;

    /// Broken by: units that are lost, or a class index that is out of range and panics.
    #[test]
    fn every_unit_is_listed_with_its_class() {
        let result = RunResult {
            best_epoch: Some(1),
            validation_accuracy: Some(0.5),
            validation_images: 10,
            test_accuracy: 0.5,
            test_cross_entropy: 1.0,
            test_images: 10,
            selectivity: 0.4,
            layers: vec![LayerSelectivity {
                name: "stem".into(),
                mean: 0.4,
                units: vec![0.3, 0.5],
                preferred_class: vec![1, 9],
                dead_units: 0,
            }],
        };
        let table = chart(Some(&result), &["cat".into(), "dog".into()]).table;
        assert_eq!(table.rows[0][3], Cell::Text("dog".into()));
        assert_eq!(table.rows[1][3], Cell::Empty);
        assert_eq!(chart(None, &[]).table.rows.len(), 0);
    }
}
