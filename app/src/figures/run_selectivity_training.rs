//! How did selectivity spread over training? Quantiles over a layer's units after each epoch.

use protocol::unit::LayerQuantiles;

use crate::chart::{Axis, Chart, Dash, Hover, Ink, Kind, Point, Series, Table};
use crate::format;

/// What is shown, of how many units, on how many images, and which epoch counts.
fn note(layer: &LayerQuantiles, validation_images: u32, best_epoch: Option<u32>) -> String {
    let best = best_epoch.map_or_else(String::new, |epoch| {
        format!("; dotted line: epoch {epoch}, whose weights are used")
    });
    format!(
        "Selectivity of the units of {}, 0 to 1, after each epoch: median, dark band 25 to 75 % of the units, light band 5 to 95 %{best}. n = {}, {}.",
        layer.layer,
        format::plural(layer.units.into(), "unit", "units"),
        format::plural(
            validation_images.into(),
            "clean validation image",
            "clean validation images"
        )
    )
}

/// The chart. Its scale is fixed from 0 to 1, so that layers and runs can be compared.
pub fn chart(
    layer: Option<&LayerQuantiles>,
    validation_images: u32,
    best_epoch: Option<u32>,
) -> Chart {
    let epochs = layer.map_or(0, |layer| layer.median.len());
    let empty = Chart::new(
        Axis::epochs(epochs),
        Axis::unit_range("Selectivity of a unit (0 to 1)"),
    );
    let Some(layer) = layer else {
        return empty;
    };
    let band = |low: &[f32], high: &[f32], name, opacity| {
        let ends = low
            .iter()
            .zip(high)
            .map(|(&low, &high)| [low, high].map(f64::from));
        let points = (1_u32..)
            .zip(ends)
            .map(|(epoch, ends)| Point::new(epoch, ends[0]).within(Some(ends)));
        Series::new(Kind::Band(opacity), name, Ink::First, points.collect())
    };
    // The dark band lies on the light one.
    let bands = [
        band(
            &layer.quantile_05,
            &layer.quantile_95,
            "5 to 95 % of units",
            0.14,
        ),
        band(
            &layer.quantile_25,
            &layer.quantile_75,
            "25 to 75 % of units",
            0.28,
        ),
    ];
    let best = best_epoch.map(|best| Series {
        hover: Hover::Silent,
        width: 1.0,
        dash: Dash::Dot,
        ..Series::new(
            Kind::Line,
            "best epoch",
            Ink::Text,
            [0.0, 1.0].map(|end| Point::new(best, end)).into(),
        )
    });
    let median = (1_u32..).zip(&layer.median).enumerate();
    let median = median
        .map(|(index, (epoch, &value))| Point::new(epoch, value).says(hover(layer, index, epoch)));
    let median = Series::new(Kind::Curve, "median of units", Ink::First, median.collect());
    let at = |all: &[f32], index: usize| all.get(index).copied();
    let table = Table::of(0..epochs)
        .column("layer", |_| layer.layer.clone())
        .column("epoch", |index| index + 1)
        .column("selectivity, 5 % of units below", |&index| {
            at(&layer.quantile_05, index)
        })
        .column("25 % below", |&index| at(&layer.quantile_25, index))
        .column("median", |&index| at(&layer.median, index))
        .column("75 % below", |&index| at(&layer.quantile_75, index))
        .column("95 % below", |&index| at(&layer.quantile_95, index))
        .column("units (n)", |_| layer.units);
    empty
        .with(bands.map(Series::unlisted))
        .with(best)
        .with([Series {
            size: 5.0,
            width: 2.2,
            ..median
        }])
        .note(note(layer, validation_images, best_epoch))
        .table(table)
}

/// The hover text of an epoch.
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
    use crate::chart::{Cell, plotly};
    use crate::ui::theme::Theme;

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
        let table = chart(Some(&layer), 500, None).table;
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
        let json = plotly::figure(&chart(Some(&layer), 500, Some(2)), Theme::Light);
        let lines = json["data"].as_array().unwrap();
        let first: Vec<_> = lines.iter().map(|line| line["y"][0].clone()).collect();
        assert_eq!(
            first,
            [0.125, 0.875, 0.25, 0.75, 0.0, 0.5].map(|y| serde_json::json!(y))
        );
        assert_eq!(lines[5]["x"], serde_json::json!([1, 2, 3]));
        assert_eq!(lines[4]["x"], serde_json::json!([2, 2]));
        assert_eq!(lines[1]["fill"], "tonexty");
        assert_eq!(chart(None, 500, None).table.rows.len(), 0);
    }

    /// Broken by: a caption without n, or a best epoch invented for a run that has none.
    #[test]
    fn the_caption_tells_layer_and_n() {
        let layer = layer(1);
        let text = note(&layer, 500, None);
        for part in ["units of stem", "n = 16 units, 500 clean validation images"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("dotted"), "{text}");
        assert!(note(&layer, 500, Some(1)).contains("epoch 1"));
    }
}
