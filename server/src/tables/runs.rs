//! One row per run: its configuration, how it ended, and its result.

use protocol::Run;

use super::{Rows, Table};

pub(super) fn table(runs: &[Run]) -> Table {
    let rows = runs
        .iter()
        .map(|run| (run, run.result.as_ref(), run.spec.origin.as_ref()));
    Rows::new(rows)
        .integer("run", |(run, ..)| run.id)
        .text("network", |(run, ..)| run.spec.network.to_string())
        .text("dataset", |(run, ..)| run.spec.dataset.to_string())
        .number("alpha", |(run, ..)| run.spec.alpha)
        .integer("seed", |(run, ..)| run.spec.seed)
        .text("device", |(run, ..)| run.spec.device.clone())
        .text("state", |(run, ..)| run.state.id())
        .text("reason", |(run, ..)| run.reason.clone())
        .integer("epochs", |(run, ..)| run.spec.training.epochs)
        .integer("epochs_done", |(run, ..)| run.epochs_done)
        .integer("best_epoch", |&(_, result, _)| result?.best_epoch)
        .number("validation_accuracy", |&(_, result, _)| {
            result?.validation_accuracy
        })
        .integer("validation_images", |&(_, result, _)| {
            Some(result?.validation_images)
        })
        .number("test_accuracy", |&(_, result, _)| {
            Some(result?.test_accuracy)
        })
        .number("test_cross_entropy_nats", |&(_, result, _)| {
            Some(result?.test_cross_entropy)
        })
        .integer("test_images", |&(_, result, _)| Some(result?.test_images))
        .number("selectivity", |&(_, result, _)| Some(result?.selectivity))
        .text("imported_file", |&(.., origin)| Some(origin?.file.clone()))
        .text("imported_sha256", |&(.., origin)| {
            Some(origin?.sha256.clone())
        })
        .integer("imported_at_ms", |&(.., origin)| Some(origin?.imported_at))
        .table()
}
