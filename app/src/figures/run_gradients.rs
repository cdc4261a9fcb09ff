//! How evenly do units respond to changes of the image? Each unit's variability across samples, a box a layer;
//! and each layer's variability across its units.

use protocol::unit::{LayerUnitGradients, UnitGradients};

use super::run_units::boxes;
use crate::chart::{Axis, Chart, Ink, Kind, Point, Series, Table};
use crate::format;

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

/// The numbers of images and units.
fn n(gradients: &UnitGradients) -> String {
    let (units, without) = unit_counts(gradients);
    let without = match without {
        0 => String::new(),
        _ => format!(
            "; units without a gradient on any image, and so without a CV_u: {}",
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

/// The names of the layers.
fn layer_names(gradients: &UnitGradients) -> Vec<String> {
    let layers = gradients.layers.iter();
    layers.map(|layer| layer.layer.clone()).collect()
}

/// The variability across samples of each unit, one box per layer.
pub fn of_samples(gradients: &UnitGradients) -> Chart {
    let note = match gradients.layers.as_slice() {
        [] => String::new(),
        _ => format!(
            "CV_u of each unit: standard deviation / mean over images of the L2 norm of the gradient of its response with respect to the image; 0 means the same on every image. Box: median and quartiles; dashed line: mean; whiskers: 1.5 interquartile ranges. {}.",
            n(gradients)
        ),
    };
    let layers = gradients.layers.iter();
    let drawn = layers.clone().map(|layer| {
        let units = with_gradient(layer).into_iter();
        let points = units.map(|value| Point::new(&layer.layer, value)).collect();
        boxes(&layer.layer, points, true)
    });
    let units = layers.flat_map(|layer| {
        let units = layer.cv_across_samples.iter().enumerate();
        units.map(move |(unit, value)| (layer, unit, *value))
    });
    let table = Table::of(units)
        .column("layer", |(layer, ..)| layer.layer.as_str())
        .column("unit", |(_, unit, _)| *unit)
        .column("CV_u", |(.., value)| *value)
        .column("images (n)", |_| gradients.images);
    Chart::new(
        Axis::layers(layer_names(gradients)),
        Axis::numbers("Variability across samples, CV_u").from_zero(),
    )
    .with(drawn)
    .note(note)
    .table(table)
}

/// The variability across units of each layer.
pub fn of_units(gradients: &UnitGradients) -> Chart {
    let note = match gradients.layers.as_slice() {
        [] => String::new(),
        _ => format!(
            "CV_l of each layer: standard deviation / mean over its units of their mean gradient norm; 0 means that all units are equally sensitive. {}. This is one run; intervals over seeds are on the experiment’s page.",
            n(gradients)
        ),
    };
    let points = gradients.layers.iter().map(|layer| {
        let value = layer
            .cv_across_units
            .map_or("–".to_owned(), |value| format!("{value:.3}"));
        Point::new(&layer.layer, layer.cv_across_units).says(format!(
            "{}<br>CV_l {value}<br>n = {}",
            layer.layer,
            format::plural(layer.cv_across_samples.len() as u64, "unit", "units")
        ))
    });
    let line = Series::new(Kind::Curve, "CV_l", Ink::First, points.collect());
    let table = Table::of(&gradients.layers)
        .column("layer", |layer| layer.layer.clone())
        .column("CV_l", |layer| layer.cv_across_units)
        .column("CV_u, mean of its units", |layer| {
            mean_across_samples(layer)
        })
        .column("units (n)", |layer| layer.cv_across_samples.len())
        .column("units without a gradient", |layer| {
            layer.cv_across_samples.len() - with_gradient(layer).len()
        })
        .column("images (n)", |_| gradients.images);
    Chart::new(
        Axis::layers(layer_names(gradients)),
        Axis::numbers("Variability across units, CV_l").from_zero(),
    )
    .with([line.unlisted()])
    .note(note)
    .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Cell, plotly};
    use crate::ui::theme::Theme;

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
        let table = of_samples(&some()).table;
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[1][2], Cell::Empty);
        let layers = of_units(&some()).table;
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
        let json = |chart: Chart| plotly::figure(&chart, Theme::Light);
        let boxes = json(of_samples(&some()));
        assert_eq!(boxes["data"][0]["y"], serde_json::json!([0.5, 1.0]));
        let line = json(of_units(&some()));
        assert_eq!(line["data"][0]["y"], serde_json::json!([0.25, null]));
        let nothing = UnitGradients {
            images: 0,
            layers: Vec::new(),
        };
        assert_eq!(of_samples(&nothing).table.rows.len(), 0);
        assert_eq!(of_units(&nothing).table.rows.len(), 0);
    }

    /// Broken by: a caption without n, or one that hides units without a gradient.
    #[test]
    fn the_captions_tell_n() {
        for text in [of_samples(&some()), of_units(&some())].map(|chart| chart.note) {
            let n = "n = 64 images and 4 units in 2 layers; units without a gradient on any image, and so without a CV_u: 2";
            assert!(text.contains(n), "{text}");
        }
    }
}
