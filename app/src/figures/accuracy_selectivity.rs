//! Does selectivity cost accuracy? One point per run, and the mean of every alpha with its intervals.

use protocol::Run;
use protocol::api::ExperimentSummary;
use protocol::measure::{ScatterMean, ScatterPoint};
use protocol::quantity::{Quantity, Unit};

use super::{measures, quantity};
use crate::chart::{Axis, Cell, Chart, Table};

/// The finished runs, in order of alpha and seed: network selectivity on the test set, and the share of its images
/// classified correctly.
pub fn points(runs: &[Run]) -> Vec<ScatterPoint> {
    let mut points: Vec<ScatterPoint> = runs
        .iter()
        .filter_map(|run| {
            let result = run.result.as_ref()?;
            Some(ScatterPoint {
                run_id: run.id,
                alpha: run.spec.alpha,
                seed: run.spec.seed,
                x: result.selectivity,
                y: result.test_accuracy,
            })
        })
        .collect();
    points.sort_by(|a, b| a.alpha.total_cmp(&b.alpha).then(a.seed.cmp(&b.seed)));
    points
}

/// The chart.
pub fn chart(points: &[ScatterPoint], summary: &ExperimentSummary) -> Chart {
    let means: Vec<ScatterMean> = summary
        .alphas
        .iter()
        .map(|entry| ScatterMean {
            alpha: entry.alpha,
            x: entry.selectivity,
            y: entry.test_accuracy,
        })
        .collect();
    let selectivity = Quantity::Selectivity.axis();
    let accuracy = protocol::quantity::Axis::new("Test accuracy", Unit::Share);
    let table = Table::of(points)
        .column("run", |run| run.run_id.unsigned_abs())
        .column("alpha", |run| Cell::Alpha(run.alpha))
        .column("seed", |run| run.seed)
        .column("selectivity (0 to 1)", |run| run.x)
        .column("test accuracy (share)", |run| run.y);
    Chart::new(
        quantity::axis(&selectivity, false),
        Axis::percent("Test accuracy (%)"),
    )
    .with(measures::series([&selectivity, &accuracy], points, &means))
    .table(table)
}
