//! How selective are single units? The distribution over the units of every layer, a box a layer.

use plotly::box_plot::BoxPoints;
use plotly::common::{Line, Marker};
use plotly::{BoxPlot, Plot};
use protocol::RunResult;

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::theme::Theme;

/// Every unit as a table.
pub fn table(result: Option<&RunResult>, classes: &[String]) -> Table {
    let mut table = Table::new(&["layer", "unit", "selectivity (0 to 1)", "preferred class"]);
    for layer in result.iter().flat_map(|result| &result.layers) {
        for (unit, selectivity) in layer.units.iter().enumerate() {
            let class = layer
                .preferred_class
                .get(unit)
                .and_then(|&class| classes.get(class as usize));
            table.rows.push(vec![
                Cell::Text(layer.name.clone()),
                Cell::Whole(unit as u64),
                Cell::Number(f64::from(*selectivity)),
                class.cloned().map_or(Cell::Empty, Cell::Text),
            ]);
        }
    }
    table
}

/// What plotly draws: median, quartiles, whiskers to 1.5 interquartile ranges, and every unit
/// beyond them.
pub fn plot(result: Option<&RunResult>, theme: Theme) -> Plot {
    let ink = ink(theme);
    let mut plot = look::plot(
        theme,
        axis(theme, "Layer, from input to output").tick_angle(-35.0),
        axis(theme, "Selectivity of a unit (0 to 1)").range(vec![-0.02, 1.02]),
    );
    for layer in result.iter().flat_map(|result| &result.layers) {
        let units = BoxPlot::<String, f32>::new_xy(
            vec![layer.name.clone(); layer.units.len()],
            layer.units.clone(),
        )
        .name(&layer.name)
        .show_legend(false)
        .box_points(BoxPoints::Outliers)
        .marker(Marker::new().color(ink.first).size(4).opacity(0.6))
        .line(Line::new().color(ink.first).width(1.2));
        plot.add_trace(units);
    }
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let table = table(Some(&result), &["cat".into(), "dog".into()]);
        assert_eq!(table.rows[0][3], Cell::Text("dog".into()));
        assert_eq!(table.rows[1][3], Cell::Empty);
        assert_eq!(super::table(None, &[]).rows.len(), 0);
    }
}
