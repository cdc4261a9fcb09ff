//! Selectivity of every layer over a run's epochs, as a heat map.

use protocol::EpochMetrics;

use crate::chart::{Axis, CellRow, CellScale, Cells, Chart, MapCell, Place, Table};
use crate::format;

/// The map. Its scale is fixed from 0 to 1, so that runs can be compared.
pub fn chart(epochs: &[EpochMetrics], layers: &[String]) -> Chart {
    let selectivity =
        |epoch: &EpochMetrics, layer: usize| epoch.layer_selectivity.get(layer).copied();
    let cell = |value| MapCell {
        value,
        text: String::new(),
        hover: String::new(),
    };
    // The input is at the bottom.
    let rows = layers
        .iter()
        .enumerate()
        .rev()
        .map(|(index, layer)| CellRow {
            label: layer.clone(),
            bold: false,
            cells: epochs
                .iter()
                .map(|epoch| selectivity(epoch, index).map(cell))
                .collect(),
        });
    let mut table = Table::of(epochs).column("epoch", |epoch| epoch.epoch);
    for (index, layer) in layers.iter().enumerate() {
        table = table.column(layer, |epoch| selectivity(epoch, index));
    }
    Chart {
        cells: Some(Cells {
            columns: epochs
                .iter()
                .map(|epoch| Place::Whole(epoch.epoch))
                .collect(),
            rows: rows.collect(),
            scale: CellScale::Share(Some("Selectivity")),
        }),
        ..Chart::new(
            Axis::epochs(epochs.len()),
            Axis::numbers("Layer, from input (bottom) to output"),
        )
    }
    .note(format!(
        "Mean selectivity of each layer's units after each epoch, 0 to 1, on the validation images; n = {} × {}.",
        format::plural(epochs.len() as u64, "epoch", "epochs"),
        format::plural(layers.len() as u64, "layer", "layers")
    ))
    .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Cell;
    use crate::chart::plotly;
    use crate::figures::training_curves::tests::epoch;
    use crate::ui::theme::Theme;

    /// Broken by: a transposed map, or a layer that is missing from an epoch drawn as 0.
    #[test]
    fn rows_are_layers_and_gaps_stay_gaps() {
        let layers = ["a", "b", "c"].map(str::to_owned);
        let json = plotly::figure(&chart(&[epoch(1), epoch(2)], &layers), Theme::Light);
        let z = json["data"][0]["z"].as_array().unwrap();
        assert_eq!(z.len(), 3);
        assert_eq!(z[1], serde_json::json!([0.4, 0.4]));
        assert_eq!(z[2], serde_json::json!([null, null]));
        assert_eq!(chart(&[epoch(1)], &layers).table.rows[0][3], Cell::Empty);
    }
}
