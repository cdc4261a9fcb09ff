//! A measure of each layer: its mean over seeds, one line per alpha, with intervals.

use protocol::api::{ExperimentSummary, Mean};
use protocol::layer_measure::LayerProfiles;

use super::{quantity, words};
use crate::chart::{Axis, Cell, Chart, Kind, Point, Series, Table};
use crate::format;

/// What is drawn.
struct Profile<'a> {
    /// What the column of means is called.
    quantity: &'a str,
    /// The vertical axis.
    axis: Axis,
    /// Names in forward order.
    layers: &'a [String],
    /// For every alpha, the mean of each layer; absent where there is none.
    alphas: Vec<(f64, Vec<Option<Mean>>)>,
}

/// The chart of the selectivity of each layer.
pub fn of_selectivity(summary: &ExperimentSummary) -> Chart {
    let alphas = summary.alphas.iter().map(|entry| {
        let means = entry.layer_selectivity.iter().copied().map(Some);
        (entry.alpha, means.collect())
    });
    chart(&Profile {
        quantity: "selectivity",
        axis: Axis::numbers("Mean selectivity of its units (0 to 1)").bounds([0.0, 1.0]),
        layers: &summary.layers,
        alphas: alphas.collect(),
    })
}

/// The chart of any measure of layers.
pub fn of_profiles(profiles: &LayerProfiles) -> Chart {
    let alphas = profiles.alphas.iter();
    chart(&Profile {
        quantity: &profiles.label,
        axis: quantity::layer_axis(&profiles.axis),
        layers: &profiles.layers,
        alphas: alphas
            .map(|entry| (entry.alpha, entry.layers.clone()))
            .collect(),
    })
    .note(note(profiles))
    .how(how(profiles))
}

fn chart(profile: &Profile) -> Chart {
    let alphas = profile.alphas.iter();
    Chart::new(Axis::layers(profile.layers.to_vec()), profile.axis.clone())
        .with(alphas.flat_map(|(alpha, means)| lines(*alpha, profile.layers, means)))
        .table(table(profile))
}

/// The profile as a table.
fn table(profile: &Profile) -> Table {
    let rows = profile.alphas.iter().flat_map(|(alpha, means)| {
        let means = profile.layers.iter().zip(means);
        means.filter_map(move |(layer, mean)| Some((*alpha, layer, (*mean)?)))
    });
    Table::of(rows)
        .column("layer", |(_, layer, _)| layer.as_str())
        .column("alpha", |(alpha, ..)| Cell::Alpha(*alpha))
        .column("seeds (n)", |(.., mean)| mean.n)
        .column(format!("{}, mean", profile.quantity), |(.., mean)| {
            mean.mean
        })
        .interval("95 %", |(.., mean)| mean.interval)
        .into()
}

/// What is drawn, n, and what is left out.
fn note(profiles: &LayerProfiles) -> String {
    let means = profiles.alphas.iter().flat_map(|entry| &entry.layers);
    let seeds = means.flatten().map(|mean| mean.n);
    let text = format!(
        "One line per alpha: the mean over seeds, n = {} each.",
        words::counted(seeds, "seed", "seeds")
    );
    text + &words::incomplete(profiles.incomplete_runs, "this measurement")
}

/// On how many images, under which conditions, and how intervals are made.
fn how(profiles: &LayerProfiles) -> String {
    let measured = match (profiles.conditions, profiles.images) {
        (Some(conditions), _) => format!("Images: {}. ", conditions.label()),
        (None, Some(images)) => {
            let images = format::plural(images.into(), "image", "images");
            format!("Each run is measured on {images}. ")
        }
        (None, None) => String::new(),
    };
    format!("{measured}Bands: {}.", profiles.interval_method)
}

/// A line, and its band where there is an interval. A band cannot have gaps: a layer without a value is passed over.
fn lines(alpha: f64, layers: &[String], means: &[Option<Mean>]) -> Vec<Series> {
    let measured = || {
        layers
            .iter()
            .zip(means)
            .filter_map(|(layer, mean)| Some((layer, (*mean)?)))
    };
    let band = measured()
        .any(|(_, mean)| mean.interval.is_some())
        .then(|| {
            let ends = |mean: Mean| Some(mean.interval.unwrap_or([mean.mean; 2]));
            let points =
                measured().map(|(layer, mean)| Point::new(layer, mean.mean).within(ends(mean)));
            Series {
                name: format!("95 %, α {}", format::alpha(alpha)),
                listed: false,
                ..Series::of_alpha(Kind::Band(0.18), alpha, points.collect())
            }
        });
    let points = measured().map(|(layer, mean)| Point::new(layer, mean.mean));
    let line = Series {
        size: 6.0,
        ..Series::of_alpha(Kind::Curve, alpha, points.collect())
    };
    band.into_iter().chain([line]).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;
    use protocol::api::AlphaSummary;
    use protocol::layer_measure::AlphaProfile;
    use protocol::quantity::LayerQuantity;

    /// Two alphas, two layers; the second alpha has one seed, and so no interval.
    pub(crate) fn summary() -> ExperimentSummary {
        let mean = |mean, n, interval| Mean { mean, n, interval };
        let entry = |alpha, n, interval| AlphaSummary {
            alpha,
            selectivity: mean(0.3, n, interval),
            test_accuracy: mean(0.8, n, interval),
            layer_selectivity: vec![mean(0.2, n, interval), mean(0.4, n, interval)],
        };
        ExperimentSummary {
            alphas: vec![entry(-1.0, 2, Some([0.1, 0.5])), entry(1.0, 1, None)],
            layers: vec!["stem".into(), "stage1.block1.relu1".into()],
            interval_method: "bootstrap".into(),
        }
    }

    /// Broken by: a row that is lost, or an interval invented for one seed.
    #[test]
    fn the_table_has_a_row_for_every_alpha_and_layer() {
        let table = of_selectivity(&summary()).table;
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[0][4], Cell::Number(0.1));
        assert_eq!(table.rows[2][4], Cell::Empty);
    }

    /// Broken by: a band drawn for one seed (5 traces), or none for two (2 traces).
    #[test]
    fn only_alphas_with_an_interval_have_a_band() {
        let json = plotly::figure(&of_selectivity(&summary()), Theme::Dark);
        let traces = json["data"].as_array().unwrap();
        assert_eq!(traces.len(), 4);
        assert_eq!(traces[1]["fill"], "tonexty");
        assert_eq!(
            traces[2]["line"]["color"],
            crate::ui::alpha_scale::colour(-1.0, Theme::Dark)
        );
    }

    /// Broken by: a layer without a value drawn or listed as 0, an axis without its unit, or a caption that
    /// hides what is left out.
    #[test]
    fn layers_without_a_value_are_passed_over_and_the_caption_tells_n() {
        let mean = |mean| {
            Some(Mean {
                mean,
                n: 3,
                interval: Some([0.0, 1.0]),
            })
        };
        let profiles = LayerProfiles {
            label: LayerQuantity::CvAcrossUnits.label(),
            axis: LayerQuantity::CvAcrossUnits.axis(),
            layers: ["a", "b", "c"].map(str::to_owned).into(),
            alphas: vec![AlphaProfile {
                alpha: 0.0,
                layers: vec![mean(0.25), None, mean(0.5)],
            }],
            images: Some(64),
            conditions: None,
            known_conditions: vec![],
            known_attacks: Vec::new(),
            has_activations: false,
            incomplete_runs: 2,
            interval_method: "95 % percentile interval: 10,000 resamples".into(),
        };
        let chart = of_profiles(&profiles);
        assert_eq!(chart.table.rows.len(), 2);
        let json = plotly::figure(&chart, Theme::Light);
        assert_eq!(json["data"][2]["x"], serde_json::json!(["a", "c"]));
        let axis = &json["layout"]["xaxis"]["categoryarray"];
        assert_eq!(*axis, serde_json::json!(["a", "b", "c"]));
        assert!(chart.y.title.contains("(no unit)"), "{}", chart.y.title);
        let text = chart.caption();
        for part in [
            "n = 3 seeds",
            "64 images",
            "2 trained runs lack",
            "percentile interval",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
