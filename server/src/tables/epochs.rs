//! One row per run and epoch: losses, accuracies, selectivity and speed.

use protocol::EpochMetrics;
use protocol::api::RunMetrics;

use super::{Cell, Kind, RUN, Table};

pub(super) fn table(runs: &[RunMetrics]) -> Table {
    let columns = [
        ("epoch", Kind::Integer),
        ("learning_rate", Kind::Number),
        ("train_loss_nats", Kind::Number),
        ("train_cross_entropy_nats", Kind::Number),
        ("train_selectivity", Kind::Number),
        ("train_accuracy", Kind::Number),
        ("validation_cross_entropy_nats", Kind::Number),
        ("validation_accuracy", Kind::Number),
        ("validation_selectivity", Kind::Number),
        ("images_per_second", Kind::Number),
        ("seconds", Kind::Number),
    ];
    let rows = runs
        .iter()
        .flat_map(|run| run.epochs.iter().map(move |epoch| row(run, epoch)));
    Table {
        columns: RUN.into_iter().chain(columns).collect(),
        rows: rows.collect(),
    }
}

fn row(run: &RunMetrics, epoch: &EpochMetrics) -> Vec<Cell> {
    vec![
        run.run_id.into(),
        run.alpha.into(),
        run.seed.into(),
        epoch.epoch.into(),
        epoch.learning_rate.into(),
        epoch.train_loss.into(),
        epoch.train_cross_entropy.into(),
        epoch.train_selectivity.into(),
        epoch.train_accuracy.into(),
        epoch.validation_cross_entropy.into(),
        epoch.validation_accuracy.into(),
        epoch.selectivity.into(),
        epoch.images_per_second.into(),
        epoch.seconds.into(),
    ]
}
