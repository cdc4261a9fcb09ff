//! Does selectivity cost accuracy? A point a run, and the mean of every alpha with its intervals.

use plotly::common::{ErrorData, ErrorType, Line, Marker, Mode};
use plotly::{Plot, Scatter};
use protocol::Run;
use protocol::api::{AlphaSummary, ExperimentSummary};

use super::look::{self, alpha_marker, axis, error_arms};
use super::table::{Cell, Table};
use crate::alpha_scale::colour;
use crate::format;
use crate::theme::Theme;

/// One finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The run.
    pub run: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Network selectivity on the test set.
    pub selectivity: f64,
    /// Share of the test images classified correctly.
    pub accuracy: f64,
}

/// The finished runs, in order of alpha and seed.
pub fn points(runs: &[Run]) -> Vec<Point> {
    let mut points: Vec<Point> = runs
        .iter()
        .filter_map(|run| {
            let result = run.result.as_ref()?;
            Some(Point {
                run: run.id,
                alpha: run.spec.alpha,
                seed: run.spec.seed,
                selectivity: result.selectivity,
                accuracy: result.test_accuracy,
            })
        })
        .collect();
    points.sort_by(|a, b| a.alpha.total_cmp(&b.alpha).then(a.seed.cmp(&b.seed)));
    points
}

/// The points as a table.
pub fn table(points: &[Point]) -> Table {
    let mut table = Table::new(&[
        "run",
        "alpha",
        "seed",
        "selectivity (0 to 1)",
        "test accuracy (share)",
    ]);
    table.rows = points
        .iter()
        .map(|point| {
            vec![
                Cell::Whole(point.run.unsigned_abs()),
                Cell::Alpha(point.alpha),
                Cell::Whole(point.seed),
                Cell::Number(point.selectivity),
                Cell::Number(point.accuracy),
            ]
        })
        .collect();
    table
}

/// What plotly draws.
pub fn plot(points: &[Point], summary: &ExperimentSummary, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, "Network selectivity, clean test set (0 to 1)"),
        axis(theme, "Test accuracy (%)"),
    );
    let mut alphas: Vec<f64> = points.iter().map(|point| point.alpha).collect();
    alphas.dedup();
    for alpha in alphas {
        let of_alpha: Vec<&Point> = points.iter().filter(|point| point.alpha == alpha).collect();
        let labels = of_alpha
            .iter()
            .map(|point| format!("run {}, seed {}", point.run, point.seed))
            .collect();
        let runs = Scatter::new(
            of_alpha.iter().map(|point| point.selectivity).collect(),
            of_alpha
                .iter()
                .map(|point| point.accuracy * 100.0)
                .collect(),
        )
        .mode(Mode::Markers)
        .name(format!("α {}", format::alpha(alpha)))
        .legend_group(alpha.to_string())
        .text_array(labels)
        .marker(alpha_marker(alpha, theme).opacity(0.75));
        plot.add_trace(runs);
        if let Some(entry) = summary.alphas.iter().find(|entry| entry.alpha == alpha) {
            plot.add_trace(mean(entry, theme));
        }
    }
    plot
}

fn mean(entry: &AlphaSummary, theme: Theme) -> Box<Scatter<f64, f64>> {
    let hue = colour(entry.alpha, theme);
    let (left, right) = error_arms(&entry.selectivity);
    let (down, up) = error_arms(&entry.test_accuracy);
    let bars = |minus: f64, plus: f64| {
        ErrorData::new(ErrorType::Data)
            .symmetric(false)
            .array(vec![plus])
            .array_minus(vec![minus])
            .color(hue.clone())
            .thickness(1.5)
            .width(4)
    };
    Scatter::new(
        vec![entry.selectivity.mean],
        vec![entry.test_accuracy.mean * 100.0],
    )
    .mode(Mode::Markers)
    .name(format!(
        "mean, α {}, n = {}",
        format::alpha(entry.alpha),
        entry.test_accuracy.n
    ))
    .legend_group(entry.alpha.to_string())
    .show_legend(false)
    .marker(
        Marker::new()
            .symbol(plotly::common::MarkerSymbol::DiamondOpen)
            .size(14)
            .color(hue.clone())
            .line(Line::new().width(2.0).color(hue.clone())),
    )
    .error_x(bars(left, right))
    .error_y(bars(down * 100.0, up * 100.0))
}
