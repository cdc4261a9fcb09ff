//! One row per run and epoch: losses, accuracies, selectivity and speed.

use protocol::api::RunMetrics;

use super::{Rows, Table};

pub(super) fn table(runs: &[RunMetrics]) -> Table {
    Rows::new(
        runs.iter()
            .flat_map(|run| run.epochs.iter().map(move |epoch| (run, epoch))),
    )
    .integer("run", |(run, _)| run.run_id)
    .number("alpha", |(run, _)| run.alpha)
    .integer("seed", |(run, _)| run.seed)
    .integer("epoch", |(_, epoch)| epoch.epoch)
    .number("learning_rate", |(_, epoch)| epoch.learning_rate)
    .number("train_loss_nats", |(_, epoch)| epoch.train_loss)
    .number("train_cross_entropy_nats", |(_, epoch)| {
        epoch.train_cross_entropy
    })
    .number("train_selectivity", |(_, epoch)| epoch.train_selectivity)
    .number("train_accuracy", |(_, epoch)| epoch.train_accuracy)
    .number("validation_cross_entropy_nats", |(_, epoch)| {
        epoch.validation_cross_entropy
    })
    .number("validation_accuracy", |(_, epoch)| {
        epoch.validation_accuracy
    })
    .number("validation_selectivity", |(_, epoch)| epoch.selectivity)
    .number("images_per_second", |(_, epoch)| epoch.images_per_second)
    .number("seconds", |(_, epoch)| epoch.seconds)
    .table()
}
