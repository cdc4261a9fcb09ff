//! Selectivity of every layer over a run's epochs, as a heat map.

use plotly::common::ColorBar;
use plotly::{HeatMap, Plot};
use protocol::EpochMetrics;

use super::look::{self, axis, epoch_axis, share_scale};
use super::table::{Cell, Table};
use crate::theme::Theme;

/// The map as a table, a row an epoch and a column a layer.
pub fn table(epochs: &[EpochMetrics], layers: &[String]) -> Table {
    let mut columns = vec!["epoch"];
    columns.extend(layers.iter().map(String::as_str));
    let mut table = Table::new(&columns);
    table.rows = epochs
        .iter()
        .map(|epoch| {
            let mut row = vec![Cell::Whole(epoch.epoch.into())];
            row.extend(
                (0..layers.len())
                    .map(|layer| Cell::optional(epoch.layer_selectivity.get(layer).copied())),
            );
            row
        })
        .collect();
    table
}

/// What plotly draws. The scale is fixed from 0 to 1, so that runs can be compared.
pub fn plot(epochs: &[EpochMetrics], layers: &[String], theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        epoch_axis(theme, epochs.len()).show_grid(false),
        axis(theme, "Layer, from input (bottom) to output").show_grid(false),
    );
    let by_layer: Vec<Vec<Option<f64>>> = (0..layers.len())
        .map(|layer| {
            epochs
                .iter()
                .map(|epoch| epoch.layer_selectivity.get(layer).copied())
                .collect()
        })
        .collect();
    let map = HeatMap::new(
        epochs.iter().map(|epoch| epoch.epoch).collect(),
        layers.to_vec(),
        by_layer,
    )
    .zmin(0.0)
    .zmax(1.0)
    .color_scale(share_scale())
    .color_bar(ColorBar::new().title("Selectivity").thickness(12));
    plot.add_trace(map);
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::training_curves::tests::epoch;

    /// Broken by: a transposed map, or a layer that is missing from an epoch drawn as 0.
    #[test]
    fn rows_are_layers_and_gaps_stay_gaps() {
        let layers = ["a", "b", "c"].map(str::to_owned);
        let plot = plot(&[epoch(1), epoch(2)], &layers, Theme::Light);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
        let z = json["data"][0]["z"].as_array().unwrap();
        assert_eq!(z.len(), 3);
        assert_eq!(z[1], serde_json::json!([0.4, 0.4]));
        assert_eq!(z[2], serde_json::json!([null, null]));
        assert_eq!(table(&[epoch(1)], &layers).rows[0][3], Cell::Empty);
    }
}
