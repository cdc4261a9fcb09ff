//! A number of each layer: its mean over seeds, a line an alpha, with intervals.

use plotly::common::{Fill, Line, Mode};
use plotly::layout::{AxisType, CategoryOrder};
use plotly::{Plot, Scatter};
use protocol::api::{ExperimentSummary, Mean};
use protocol::layer_measure::LayerProfiles;

use super::look::{self, alpha_marker, axis};
use super::measures::layer_axis;
use super::table::{Cell, Table};
use crate::alpha_scale::colour;
use crate::format;
use crate::theme::Theme;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What the column of means is called.
    quantity: String,
    /// The vertical axis, with its unit.
    axis: String,
    /// Names in forward order.
    layers: Vec<String>,
    /// Of every alpha a mean for each layer; absent where there is none.
    alphas: Vec<(f64, Vec<Option<Mean>>)>,
}

impl From<&ExperimentSummary> for Profile {
    fn from(summary: &ExperimentSummary) -> Profile {
        let alpha = |entry: &protocol::api::AlphaSummary| {
            let means = entry.layer_selectivity.iter().copied().map(Some);
            (entry.alpha, means.collect())
        };
        Profile {
            quantity: "selectivity".to_owned(),
            axis: "Mean selectivity of its units (0 to 1)".to_owned(),
            layers: summary.layers.clone(),
            alphas: summary.alphas.iter().map(alpha).collect(),
        }
    }
}

impl From<&LayerProfiles> for Profile {
    fn from(profiles: &LayerProfiles) -> Profile {
        let alphas = profiles.alphas.iter();
        Profile {
            quantity: profiles.label.clone(),
            axis: layer_axis(&profiles.label),
            layers: profiles.layers.clone(),
            alphas: alphas
                .map(|entry| (entry.alpha, entry.layers.clone()))
                .collect(),
        }
    }
}

/// The profile as a table.
pub fn table(profile: &Profile) -> Table {
    let mean = format!("{}, mean", profile.quantity);
    let mut table = Table::new(&["layer", "alpha", "seeds (n)", &mean, "95 % from", "95 % to"]);
    for (alpha, means) in &profile.alphas {
        for (layer, mean) in profile.layers.iter().zip(means) {
            let Some(mean) = mean else { continue };
            let end = |end: usize| Cell::optional(mean.interval.map(|interval| interval[end]));
            table.rows.push(vec![
                Cell::Text(layer.clone()),
                Cell::Alpha(*alpha),
                Cell::Whole(mean.n.into()),
                Cell::Number(mean.mean),
                end(0),
                end(1),
            ]);
        }
    }
    table
}

/// How many seeds, on how many images under which conditions, how intervals are made, and what is left out.
pub fn subtitle(profiles: &LayerProfiles) -> String {
    let seeds = || {
        let means = profiles.alphas.iter().flat_map(|entry| &entry.layers);
        means.flatten().map(|mean| mean.n)
    };
    let (least, most) = (seeds().min().unwrap_or(0), seeds().max().unwrap_or(0));
    let seeds = if least == most {
        format::plural(most.into(), "seed", "seeds")
    } else {
        format!("{least} to {most} seeds")
    };
    let mut text = format!("A line an alpha, the mean over seeds; n = {seeds} for each alpha");
    match (profiles.conditions, profiles.images) {
        (Some(conditions), _) => text += &format!("; {}", conditions.label()),
        (None, Some(images)) => {
            let images = format::plural(images.into(), "image", "images");
            text += &format!("; each run on {images}");
        }
        (None, None) => {}
    }
    let method = profiles.interval_method.split(':').next();
    text += &format!(
        ". Bands: {}, where an alpha has 2 seeds or more.",
        method.unwrap_or_default()
    );
    match profiles.incomplete_runs {
        0 => {}
        1 => text += " 1 trained run lacks this measurement, and is not shown.",
        more => {
            let more = format::count(more.into());
            text += &format!(" {more} trained runs lack this measurement, and are not shown.");
        }
    }
    text
}

/// What plotly draws.
pub fn plot(profile: &Profile, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, "Layer, from input to output")
            .type_(AxisType::Category)
            .category_order(CategoryOrder::Array)
            .category_array(profile.layers.clone())
            .tick_angle(-35.0),
        axis(theme, &profile.axis),
    );
    for (alpha, means) in &profile.alphas {
        let hue = colour(*alpha, theme);
        let group = alpha.to_string();
        // A band cannot have gaps: a layer without a value is passed over.
        let (layers, means): (Vec<String>, Vec<Mean>) = profile
            .layers
            .iter()
            .zip(means)
            .filter_map(|(layer, mean)| Some((layer.clone(), (*mean)?)))
            .unzip();
        if means.iter().any(|mean| mean.interval.is_some()) {
            let edge = |end: usize| {
                let ends = means.iter().map(|mean| end_of(mean, end)).collect();
                Scatter::new(layers.clone(), ends)
                    .mode(Mode::Lines)
                    .name(format!("95 %, α {}", format::alpha(*alpha)))
                    .legend_group(group.clone())
                    .show_legend(false)
                    .hover_info(plotly::common::HoverInfo::Skip)
                    .line(Line::new().width(0.0).color(hue.clone()))
            };
            plot.add_trace(edge(0));
            // Two hexadecimal digits of opacity after the six of the colour.
            plot.add_trace(edge(1).fill(Fill::ToNextY).fill_color(format!("{hue}2e")));
        }
        let line = Scatter::new(layers, means.iter().map(|mean| mean.mean).collect())
            .mode(Mode::LinesMarkers)
            .name(format!("α {}", format::alpha(*alpha)))
            .legend_group(group)
            .marker(alpha_marker(*alpha, theme).size(6))
            .line(Line::new().color(hue).width(1.5));
        plot.add_trace(line);
    }
    plot
}

fn end_of(mean: &Mean, end: usize) -> f64 {
    mean.interval.map_or(mean.mean, |interval| interval[end])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
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
        let table = table(&Profile::from(&summary()));
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[0][4], Cell::Number(0.1));
        assert_eq!(table.rows[2][4], Cell::Empty);
    }

    /// Broken by: a band drawn for one seed (5 traces), or none for two (2 traces).
    #[test]
    fn only_alphas_with_an_interval_have_a_band() {
        let json: serde_json::Value =
            serde_json::from_str(&plot(&Profile::from(&summary()), Theme::Dark).to_json()).unwrap();
        let traces = json["data"].as_array().unwrap();
        assert_eq!(traces.len(), 4);
        assert_eq!(traces[1]["fill"], "tonexty");
        assert_eq!(traces[2]["line"]["color"], colour(-1.0, Theme::Dark));
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
        let profile = Profile::from(&profiles);
        assert_eq!(table(&profile).rows.len(), 2);
        let json: serde_json::Value =
            serde_json::from_str(&plot(&profile, Theme::Light).to_json()).unwrap();
        assert_eq!(json["data"][2]["x"], serde_json::json!(["a", "c"]));
        let axis = &json["layout"]["xaxis"]["categoryarray"];
        assert_eq!(*axis, serde_json::json!(["a", "b", "c"]));
        assert!(profile.axis.contains("(no unit)"), "{}", profile.axis);
        let text = subtitle(&profiles);
        for part in [
            "n = 3 seeds",
            "64 images",
            "2 trained runs lack",
            "percentile interval,",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
