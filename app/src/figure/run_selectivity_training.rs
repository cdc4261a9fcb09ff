//! How did selectivity spread over training? Quantiles over a layer's units after each epoch.

use plotly::common::{DashType, Fill, HoverInfo, Line, Marker, Mode};
use plotly::{Plot, Scatter};
use protocol::unit::LayerQuantiles;

use super::look::{self, axis, epoch_axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// The epochs of a layer's quantiles, from 1.
fn epochs(layer: &LayerQuantiles) -> Vec<u32> {
    (1..).take(layer.median.len()).collect()
}

/// A layer's quantiles as a table, a row an epoch.
pub fn table(layer: Option<&LayerQuantiles>) -> Table {
    let mut table = Table::new(&[
        "layer",
        "epoch",
        "selectivity, 5 % of units below",
        "25 % below",
        "median",
        "75 % below",
        "95 % below",
        "units (n)",
    ]);
    let Some(layer) = layer else {
        return table;
    };
    table.rows = epochs(layer)
        .into_iter()
        .enumerate()
        .map(|(index, epoch)| {
            let quantiles = [
                &layer.quantile_05,
                &layer.quantile_25,
                &layer.median,
                &layer.quantile_75,
                &layer.quantile_95,
            ];
            let mut row = vec![Cell::Text(layer.layer.clone()), Cell::Whole(epoch.into())];
            row.extend(quantiles.map(|all| Cell::optional(all.get(index).copied().map(f64::from))));
            row.push(Cell::Whole(layer.units.into()));
            row
        })
        .collect();
    table
}

/// What is shown, of how many units, on how many images, and which epoch counts.
pub fn subtitle(
    layer: Option<&LayerQuantiles>,
    validation_images: u32,
    best_epoch: Option<u32>,
) -> String {
    let Some(layer) = layer else {
        return String::new();
    };
    let best = best_epoch.map_or_else(String::new, |epoch| {
        format!("; dotted: epoch {epoch}, whose weights are used")
    });
    format!(
        "Selectivity of the units of {}, 0 to 1, after each epoch: median, dark band 25 to 75 % of the units, light band 5 to 95 %{best}. n = {}, {}",
        layer.layer,
        format::plural(layer.units.into(), "unit", "units"),
        format::plural(
            validation_images.into(),
            "clean validation image",
            "clean validation images"
        )
    )
}

/// What plotly draws. The scale is fixed from 0 to 1, so that layers and runs can be compared.
pub fn plot(layer: Option<&LayerQuantiles>, best_epoch: Option<u32>, theme: Theme) -> Plot {
    let ink = ink(theme);
    let known = layer.map_or(0, |layer| layer.median.len());
    let mut plot = look::plot(
        theme,
        epoch_axis(theme, known),
        axis(theme, "Selectivity of a unit (0 to 1)").range(vec![-0.02, 1.02]),
    );
    let Some(layer) = layer else {
        return plot;
    };
    let x = epochs(layer);
    // One epoch has no width: its quantiles are points.
    let edges = if x.len() < 2 {
        Mode::Markers
    } else {
        Mode::Lines
    };
    let hue = ink.first;
    let edge = |values: &[f32], name: &str| {
        Scatter::new(x.clone(), values.to_vec())
            .mode(edges.clone())
            .name(name)
            .show_legend(false)
            .hover_info(HoverInfo::Skip)
            .marker(Marker::new().size(5).color(hue).opacity(0.6))
            .line(Line::new().width(0.0).color(hue))
    };
    // Two hexadecimal digits of opacity after the six of the colour; the dark band lies on the light one.
    let bands = [
        (
            &layer.quantile_05,
            &layer.quantile_95,
            "5 to 95 % of units",
            "24",
        ),
        (
            &layer.quantile_25,
            &layer.quantile_75,
            "25 to 75 % of units",
            "48",
        ),
    ];
    for (low, high, name, opacity) in bands {
        plot.add_trace(edge(low, name));
        let upper = edge(high, name)
            .fill(Fill::ToNextY)
            .fill_color(format!("{hue}{opacity}"));
        plot.add_trace(upper);
    }
    if let Some(best) = best_epoch {
        let mark = Scatter::new(vec![best, best], vec![0.0_f32, 1.0])
            .mode(Mode::Lines)
            .name("best epoch")
            .hover_info(HoverInfo::Skip)
            .line(Line::new().color(ink.text).width(1.0).dash(DashType::Dot));
        plot.add_trace(mark);
    }
    let words = x
        .iter()
        .enumerate()
        .map(|(index, epoch)| hover(layer, index, *epoch))
        .collect();
    let median = Scatter::new(x.clone(), layer.median.clone())
        .mode(if x.len() < 2 {
            Mode::Markers
        } else {
            Mode::LinesMarkers
        })
        .name("median of units")
        .hover_text_array(words)
        .hover_info(HoverInfo::Text)
        .marker(Marker::new().size(5).color(hue))
        .line(Line::new().color(hue).width(2.2));
    plot.add_trace(median);
    plot
}

/// What is said of an epoch.
fn hover(layer: &LayerQuantiles, index: usize, epoch: u32) -> String {
    let at = |all: &[f32]| {
        all.get(index)
            .map_or("–".to_owned(), |value| format!("{value:.3}"))
    };
    format!(
        "epoch {epoch}<br>median {}<br>25 to 75 %: {} to {}<br>5 to 95 %: {} to {}",
        at(&layer.median),
        at(&layer.quantile_25),
        at(&layer.quantile_75),
        at(&layer.quantile_05),
        at(&layer.quantile_95)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(epochs: usize) -> LayerQuantiles {
        LayerQuantiles {
            layer: "stem".into(),
            units: 16,
            quantile_05: vec![0.125; epochs],
            quantile_25: vec![0.25; epochs],
            median: vec![0.5; epochs],
            quantile_75: vec![0.75; epochs],
            quantile_95: vec![0.875; epochs],
        }
    }

    /// Broken by: epochs counted from 0, quantiles in each other's columns, or a band between the wrong ones.
    #[test]
    fn bands_lie_between_their_quantiles() {
        let layer = layer(3);
        let table = table(Some(&layer));
        assert_eq!(table.rows.len(), 3);
        assert_eq!(
            table.rows[0][1..7],
            [
                Cell::Whole(1),
                Cell::Number(0.125),
                Cell::Number(0.25),
                Cell::Number(0.5),
                Cell::Number(0.75),
                Cell::Number(0.875)
            ]
        );
        let plot = plot(Some(&layer), Some(2), Theme::Light);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
        let lines = json["data"].as_array().unwrap();
        let first: Vec<_> = lines.iter().map(|line| line["y"][0].clone()).collect();
        assert_eq!(
            first,
            [0.125, 0.875, 0.25, 0.75, 0.0, 0.5].map(|y| serde_json::json!(y))
        );
        assert_eq!(lines[5]["x"], serde_json::json!([1, 2, 3]));
        assert_eq!(lines[4]["x"], serde_json::json!([2, 2]));
        assert_eq!(lines[1]["fill"], "tonexty");
        assert_eq!(super::table(None).rows.len(), 0);
    }

    /// Broken by: a caption without n, or a best epoch invented for a run that has none.
    #[test]
    fn the_caption_tells_layer_and_n() {
        let layer = layer(1);
        let text = subtitle(Some(&layer), 500, None);
        for part in ["units of stem", "n = 16 units, 500 clean validation images"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("dotted"), "{text}");
        assert!(subtitle(Some(&layer), 500, Some(1)).contains("epoch 1"));
    }
}
