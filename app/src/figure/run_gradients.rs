//! How evenly do units respond to changes of the image? Each unit's variability across samples, a box a layer;
//! and each layer's variability across its units.

use plotly::box_plot::{BoxMean, BoxPoints};
use plotly::common::{HoverInfo, Line, Marker, Mode};
use plotly::layout::RangeMode;
use plotly::{BoxPlot, Plot, Scatter};
use protocol::unit::{LayerUnitGradients, UnitGradients};

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// The variabilities of a layer's units that have one.
fn with_gradient(layer: &LayerUnitGradients) -> Vec<f32> {
    layer.cv_across_samples.iter().copied().flatten().collect()
}

/// Mean over a layer's units of their variability across samples; absent where no unit has one.
fn mean_across_samples(layer: &LayerUnitGradients) -> Option<f64> {
    let values = with_gradient(layer);
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    (!values.is_empty()).then(|| sum / values.len() as f64)
}

/// Units of all layers, and how many of them have no gradient.
fn unit_counts(gradients: &UnitGradients) -> (u64, u64) {
    let all = gradients.layers.iter();
    let units: usize = all.clone().map(|layer| layer.cv_across_samples.len()).sum();
    let with: usize = all.map(|layer| with_gradient(layer).len()).sum();
    (units as u64, (units - with) as u64)
}

/// On how many images, and of how many units.
fn n(gradients: &UnitGradients) -> String {
    let (units, without) = unit_counts(gradients);
    let without = match without {
        0 => String::new(),
        _ => format!(
            ", {} of them without a gradient on any image and so without a CV_u",
            format::count(without)
        ),
    };
    format!(
        "n = {} and {} in {}{without}",
        format::plural(gradients.images.into(), "image", "images"),
        format::plural(units, "unit", "units"),
        format::plural(gradients.layers.len() as u64, "layer", "layers")
    )
}

/// What the boxes show.
pub fn samples_subtitle(gradients: &UnitGradients) -> String {
    if gradients.layers.is_empty() {
        return String::new();
    }
    format!(
        "CV_u of each unit: the L2 norm of the gradient of its response with respect to the image, standard deviation / mean over images; 0: the same on every image. Box: median and quartiles, dashed: mean; whiskers: 1.5 interquartile ranges. {}",
        n(gradients)
    )
}

/// Every unit as a table.
pub fn samples_table(gradients: &UnitGradients) -> Table {
    let mut table = Table::new(&["layer", "unit", "CV_u", "images (n)"]);
    for layer in &gradients.layers {
        for (unit, value) in layer.cv_across_samples.iter().enumerate() {
            table.rows.push(vec![
                Cell::Text(layer.layer.clone()),
                Cell::Whole(unit as u64),
                Cell::optional(value.map(f64::from)),
                Cell::Whole(gradients.images.into()),
            ]);
        }
    }
    table
}

/// What plotly draws of the units.
pub fn samples_plot(gradients: &UnitGradients, theme: Theme) -> Plot {
    let ink = ink(theme);
    let mut plot = look::plot(
        theme,
        axis(theme, "Layer, from input to output").tick_angle(-35.0),
        axis(theme, "Variability across samples, CV_u").range_mode(RangeMode::ToZero),
    );
    for layer in &gradients.layers {
        let values = with_gradient(layer);
        let units = BoxPlot::<String, f32>::new_xy(vec![layer.layer.clone(); values.len()], values)
            .name(&layer.layer)
            .show_legend(false)
            .box_mean(BoxMean::True)
            .box_points(BoxPoints::Outliers)
            .marker(Marker::new().color(ink.first).size(4).opacity(0.6))
            .line(Line::new().color(ink.first).width(1.2));
        plot.add_trace(units);
    }
    plot
}

/// What the line shows.
pub fn units_subtitle(gradients: &UnitGradients) -> String {
    if gradients.layers.is_empty() {
        return String::new();
    }
    format!(
        "CV_l of each layer: standard deviation / mean over its units of their mean gradient norm; 0: every unit as sensitive as the next. {}. One run: intervals over seeds are on the experiment’s page",
        n(gradients)
    )
}

/// Every layer as a table.
pub fn units_table(gradients: &UnitGradients) -> Table {
    let mut table = Table::new(&[
        "layer",
        "CV_l",
        "CV_u, mean of its units",
        "units (n)",
        "units without a gradient",
        "images (n)",
    ]);
    for layer in &gradients.layers {
        let units = layer.cv_across_samples.len();
        let without = units - with_gradient(layer).len();
        table.rows.push(vec![
            Cell::Text(layer.layer.clone()),
            Cell::optional(layer.cv_across_units),
            Cell::optional(mean_across_samples(layer)),
            Cell::Whole(units as u64),
            Cell::Whole(without as u64),
            Cell::Whole(gradients.images.into()),
        ]);
    }
    table
}

/// What plotly draws of the layers.
pub fn units_plot(gradients: &UnitGradients, theme: Theme) -> Plot {
    let hue = ink(theme).first;
    let mut plot = look::plot(
        theme,
        axis(theme, "Layer, from input to output").tick_angle(-35.0),
        axis(theme, "Variability across units, CV_l").range_mode(RangeMode::ToZero),
    );
    let layers = gradients.layers.iter();
    let words = layers
        .clone()
        .map(|layer| {
            let value = layer
                .cv_across_units
                .map_or("–".to_owned(), |value| format!("{value:.3}"));
            format!(
                "{}<br>CV_l {value}<br>n = {}",
                layer.layer,
                format::plural(layer.cv_across_samples.len() as u64, "unit", "units")
            )
        })
        .collect();
    let line = Scatter::new(
        layers.clone().map(|layer| layer.layer.clone()).collect(),
        layers.map(|layer| layer.cv_across_units).collect(),
    )
    .mode(Mode::LinesMarkers)
    .show_legend(false)
    .hover_text_array(words)
    .hover_info(HoverInfo::Text)
    .marker(Marker::new().size(7).color(hue))
    .line(Line::new().color(hue).width(1.8));
    plot.add_trace(line);
    plot
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> UnitGradients {
        UnitGradients {
            images: 64,
            layers: vec![
                LayerUnitGradients {
                    layer: "stem".into(),
                    cv_across_samples: vec![Some(0.5), None, Some(1.0)],
                    cv_across_units: Some(0.25),
                },
                LayerUnitGradients {
                    layer: "stage1.block1.relu1".into(),
                    cv_across_samples: vec![None],
                    cv_across_units: None,
                },
            ],
        }
    }

    /// Broken by: a unit without a gradient drawn or averaged as 0, or lost from the table.
    #[test]
    fn units_without_a_gradient_are_gaps_not_noughts() {
        let table = samples_table(&some());
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[1][2], Cell::Empty);
        let layers = units_table(&some());
        assert_eq!(
            layers.rows[0][1..5],
            [
                Cell::Number(0.25),
                Cell::Number(0.75),
                Cell::Whole(3),
                Cell::Whole(1)
            ]
        );
        assert_eq!(layers.rows[1][1..3], [Cell::Empty, Cell::Empty]);
        let json =
            |plot: Plot| -> serde_json::Value { serde_json::from_str(&plot.to_json()).unwrap() };
        let boxes = json(samples_plot(&some(), Theme::Light));
        assert_eq!(boxes["data"][0]["y"], serde_json::json!([0.5, 1.0]));
        let line = json(units_plot(&some(), Theme::Light));
        assert_eq!(line["data"][0]["y"], serde_json::json!([0.25, null]));
        let nothing = UnitGradients {
            images: 0,
            layers: Vec::new(),
        };
        assert_eq!(samples_table(&nothing).rows.len(), 0);
        assert_eq!(units_table(&nothing).rows.len(), 0);
    }

    /// Broken by: a caption without n, or one that hides units without a gradient.
    #[test]
    fn the_captions_tell_n() {
        for text in [samples_subtitle(&some()), units_subtitle(&some())] {
            let n = "n = 64 images and 4 units in 2 layers, 2 of them without a gradient";
            assert!(text.contains(n), "{text}");
        }
    }
}
