//! How far the layers of a few networks move when one image is changed: one line per network.

use protocol::perturbation_bench::{BenchAnswer, BenchNetwork};

use crate::chart::{Axis, Chart, Dash, Ink, Kind, Point, Series, Table};
use crate::format;

/// What a network is called.
fn name(network: &BenchNetwork) -> String {
    let alpha = format::alpha(network.alpha);
    format!("alpha {alpha}, seed {}", network.seed)
}

/// The chart.
pub fn chart(answer: &BenchAnswer) -> Chart {
    let layers = answer.networks.first().map(|network| {
        let layers = network.layers.iter();
        layers.map(|layer| layer.layer.clone()).collect()
    });
    let dashes = [Dash::Solid, Dash::Dash, Dash::Dot];
    let lines = answer.networks.iter().zip(dashes).map(|(network, dash)| {
        let points = network.layers.iter().map(|layer| {
            let moved = layer.relative.map_or("silent".into(), format::significant);
            let says = format!("{}<br>{}<br>{moved}", name(network), layer.layer);
            Point::new(&layer.layer, layer.relative).says(says)
        });
        let line = Series::new(
            Kind::Curve,
            name(network),
            Ink::Alpha(network.alpha),
            points.collect(),
        );
        Series { dash, ..line }
    });
    let rows = answer
        .networks
        .iter()
        .flat_map(|network| network.layers.iter().map(move |layer| (network, layer)));
    let table = Table::of(rows)
        .column("run", |(network, _)| network.run_id.to_string())
        .column("alpha", |(network, _)| network.alpha)
        .column("seed", |(network, _)| network.seed.to_string())
        .column("layer", |(_, layer)| layer.layer.clone())
        .column("relative change of responses", |(_, layer)| layer.relative);
    let image = match (answer.image.index, &answer.image.class) {
        (Some(index), Some(class)) => format!("Test image {index} ({class})"),
        _ => "Your own image".to_owned(),
    };
    Chart::new(
        Axis::layers(layers.unwrap_or_default()),
        Axis::numbers("Change in the layer's responses,<br>relative to the clean image").from_zero(),
    )
    .with(lines)
    .note(format!(
        "Norm of the change in the units' responses (after ReLU, averaged over space), divided by the norm of the responses to the clean image. {}, {}; n = 1 image.",
        image, answer.change
    ))
    .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;
    use protocol::perturbation_bench::{BenchImage, LayerChange};

    fn network(run_id: i64, alpha: f64, moved: &[Option<f64>]) -> BenchNetwork {
        let layers = moved
            .iter()
            .enumerate()
            .map(|(index, &relative)| LayerChange {
                layer: format!("layer{index}"),
                relative,
            });
        BenchNetwork {
            run_id,
            alpha,
            seed: 0,
            url: String::new(),
            change_url: String::new(),
            full_scale: 0.0,
            linf: 0.0,
            l2: 0.0,
            clean_class: String::new(),
            changed_class: String::new(),
            classes: Vec::new(),
            layers: layers.collect(),
            units: Vec::new(),
            maps: None,
        }
    }

    /// Breaks when a silent layer is drawn as one that did not move, two networks share a line, or n is not said.
    #[test]
    fn a_silent_layer_is_a_gap() {
        let answer = BenchAnswer {
            image: BenchImage {
                index: Some(3),
                class: Some("cat".into()),
                test_images: 10,
                url: String::new(),
                height: 32,
                width: 32,
            },
            change: "fog:3".into(),
            networks: vec![
                network(1, -1.0, &[Some(0.1), None, Some(0.3)]),
                network(2, 0.0, &[Some(0.0), Some(0.2), Some(0.4)]),
            ],
        };
        let chart = chart(&answer);
        let json = plotly::figure(&chart, Theme::Light);
        assert_eq!(json["data"].as_array().unwrap().len(), 2);
        assert_eq!(json["data"][0]["y"], serde_json::json!([0.1, null, 0.3]));
        assert_eq!(chart.table.rows.len(), 6);
        assert!(
            chart
                .note
                .contains("Test image 3 (cat), fog:3; n = 1 image")
        );
    }
}
