//! What did alpha do to selectivity? The mean over seeds at every alpha, with the runs behind it.

use protocol::api::ExperimentSummary;
use protocol::measure::ScatterPoint;

use super::comparison::group;
use crate::chart::{Axis, Cell, Chart, Ink, Kind, Point, Series, Table};
use crate::format;

/// The chart.
pub fn chart(points: &[ScatterPoint], summary: &ExperimentSummary) -> Chart {
    let table = Table::of(&summary.alphas)
        .column("alpha", |entry| Cell::Alpha(entry.alpha))
        .column("seeds (n)", |entry| entry.selectivity.n)
        .column("selectivity, mean", |entry| entry.selectivity.mean)
        .interval("95 %", |entry| entry.selectivity.interval)
        .column("test accuracy, mean", |entry| entry.test_accuracy.mean)
        .interval("95 %", |entry| entry.test_accuracy.interval);
    let means = summary.alphas.iter();
    // A quiet line through the means; only the alphas have colours.
    let line = Series {
        width: 1.0,
        ..Series::new(
            Kind::Line,
            "mean",
            Ink::Quiet,
            means
                .clone()
                .map(|entry| Point::new(entry.alpha, entry.selectivity.mean))
                .collect(),
        )
    };
    let groups = means.flat_map(|entry| {
        let runs = points.iter().filter(|point| point.alpha == entry.alpha);
        let runs: Vec<_> = runs.map(|run| (run.run_id, run.seed, run.x)).collect();
        let name = format!("α {}", format::alpha(entry.alpha));
        group(
            entry.alpha,
            &name,
            &entry.selectivity,
            &runs,
            Ink::Alpha(entry.alpha),
        )
    });
    Chart::new(
        Axis::numbers("Regulariser strength α"),
        Axis::numbers("Network selectivity (0 to 1)").bounds([0.0, 1.0]),
    )
    .with([line.unlisted()])
    .with(groups)
    .table(table)
}
