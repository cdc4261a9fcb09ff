//! What did alpha do to selectivity? The mean over seeds at every alpha, with the runs behind it.

use plotly::common::{ErrorData, ErrorType, Line, Mode};
use plotly::{Plot, Scatter};
use protocol::api::{AlphaSummary, ExperimentSummary};

use super::accuracy_selectivity::Point;
use super::look::{self, alpha_marker, axis, error_arms, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// The means as a table.
pub fn table(summary: &ExperimentSummary) -> Table {
    let mut table = Table::new(&[
        "alpha",
        "seeds (n)",
        "selectivity, mean",
        "95 % from",
        "95 % to",
        "test accuracy, mean",
        "95 % from",
        "95 % to",
    ]);
    let row = |entry: &AlphaSummary| {
        let ends = |mean: &protocol::api::Mean| {
            [0, 1].map(|end| Cell::optional(mean.interval.map(|interval| interval[end])))
        };
        let mut row = vec![
            Cell::Alpha(entry.alpha),
            Cell::Whole(entry.selectivity.n.into()),
        ];
        for mean in [&entry.selectivity, &entry.test_accuracy] {
            row.push(Cell::Number(mean.mean));
            row.extend(ends(mean));
        }
        row
    };
    table.rows = summary.alphas.iter().map(row).collect();
    table
}

/// What plotly draws.
pub fn plot(points: &[Point], summary: &ExperimentSummary, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, "Regulariser strength α"),
        axis(theme, "Network selectivity (0 to 1)"),
    );
    // A quiet line through the means; what carries colour is the alphas themselves.
    let line = Scatter::new(
        summary.alphas.iter().map(|entry| entry.alpha).collect(),
        summary
            .alphas
            .iter()
            .map(|entry| entry.selectivity.mean)
            .collect(),
    )
    .mode(Mode::Lines)
    .name("mean")
    .show_legend(false)
    .line(Line::new().color(ink(theme).line).width(1.0));
    plot.add_trace(line);
    for entry in &summary.alphas {
        let (down, up) = error_arms(&entry.selectivity);
        let name = format!("α {}", format::alpha(entry.alpha));
        let mean = Scatter::new(vec![entry.alpha], vec![entry.selectivity.mean])
            .mode(Mode::Markers)
            .name(format!("{name}, n = {}", entry.selectivity.n))
            .show_legend(false)
            .marker(alpha_marker(entry.alpha, theme).size(11))
            .error_y(
                ErrorData::new(ErrorType::Data)
                    .symmetric(false)
                    .array(vec![up])
                    .array_minus(vec![down])
                    .color(crate::alpha_scale::colour(entry.alpha, theme))
                    .thickness(1.5)
                    .width(5),
            );
        plot.add_trace(mean);
        let runs: Vec<&Point> = points
            .iter()
            .filter(|point| point.alpha == entry.alpha)
            .collect();
        let dots = Scatter::new(
            runs.iter().map(|point| point.alpha).collect(),
            runs.iter().map(|point| point.selectivity).collect(),
        )
        .mode(Mode::Markers)
        .name(name)
        .show_legend(false)
        .text_array(
            runs.iter()
                .map(|point| format!("run {}, seed {}", point.run, point.seed))
                .collect(),
        )
        .marker(alpha_marker(entry.alpha, theme).size(5).opacity(0.6));
        plot.add_trace(dots);
    }
    plot
}
