//! Where in the network is selectivity? Its mean in every layer, a line an alpha, with intervals.

use plotly::common::{Fill, Line, Mode};
use plotly::{Plot, Scatter};
use protocol::api::{ExperimentSummary, Mean};

use super::look::{self, alpha_marker, axis};
use super::table::{Cell, Table};
use crate::alpha_scale::colour;
use crate::format;
use crate::theme::Theme;

/// The profile as a table.
pub fn table(summary: &ExperimentSummary) -> Table {
    let mut table = Table::new(&[
        "layer",
        "alpha",
        "seeds (n)",
        "selectivity, mean",
        "95 % from",
        "95 % to",
    ]);
    for entry in &summary.alphas {
        for (layer, mean) in summary.layers.iter().zip(&entry.layer_selectivity) {
            let end = |end: usize| Cell::optional(mean.interval.map(|interval| interval[end]));
            table.rows.push(vec![
                Cell::Text(layer.clone()),
                Cell::Alpha(entry.alpha),
                Cell::Whole(mean.n.into()),
                Cell::Number(mean.mean),
                end(0),
                end(1),
            ]);
        }
    }
    table
}

/// What plotly draws.
pub fn plot(summary: &ExperimentSummary, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, "Layer, from input to output").tick_angle(-35.0),
        axis(theme, "Mean selectivity of its units (0 to 1)"),
    );
    for entry in &summary.alphas {
        let hue = colour(entry.alpha, theme);
        let group = entry.alpha.to_string();
        let means = &entry.layer_selectivity;
        if means.iter().any(|mean| mean.interval.is_some()) {
            let edge = |end: usize| {
                let ends = means.iter().map(|mean| end_of(mean, end)).collect();
                Scatter::new(summary.layers.clone(), ends)
                    .mode(Mode::Lines)
                    .name(format!("95 %, α {}", format::alpha(entry.alpha)))
                    .legend_group(group.clone())
                    .show_legend(false)
                    .hover_info(plotly::common::HoverInfo::Skip)
                    .line(Line::new().width(0.0).color(hue.clone()))
            };
            plot.add_trace(edge(0));
            // Two hexadecimal digits of opacity after the six of the colour.
            plot.add_trace(edge(1).fill(Fill::ToNextY).fill_color(format!("{hue}2e")));
        }
        let line = Scatter::new(
            summary.layers.clone(),
            means.iter().map(|mean| mean.mean).collect(),
        )
        .mode(Mode::LinesMarkers)
        .name(format!("α {}", format::alpha(entry.alpha)))
        .legend_group(group)
        .marker(alpha_marker(entry.alpha, theme).size(6))
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
        let table = table(&summary());
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[0][4], Cell::Number(0.1));
        assert_eq!(table.rows[2][4], Cell::Empty);
    }

    /// Broken by: a band drawn for one seed (5 traces), or none for two (2 traces).
    #[test]
    fn only_alphas_with_an_interval_have_a_band() {
        let json: serde_json::Value =
            serde_json::from_str(&plot(&summary(), Theme::Dark).to_json()).unwrap();
        let traces = json["data"].as_array().unwrap();
        assert_eq!(traces.len(), 4);
        assert_eq!(traces[1]["fill"], "tonexty");
        assert_eq!(traces[2]["line"]["color"], colour(-1.0, Theme::Dark));
    }
}
