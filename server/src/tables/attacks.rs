//! One row per run and attack: accuracy under it, and on the same images, clean.

use protocol::Measurement;

use super::{Rows, Source, Table};

pub(super) fn table(source: &Source) -> Table {
    Rows::of_runs(source.measured(Measurement::attack))
        .number("selectivity", |(run, _)| {
            run.result.as_ref().map(|result| result.selectivity)
        })
        .integer("attack_seed", |(_, one)| one.conditions.attack_seed)
        .integer("images", |(_, one)| one.conditions.images)
        .text("method", |(_, one)| one.attack.method.id())
        .text("norm", |(_, one)| one.attack.norm.id())
        .number("epsilon", |(_, one)| one.attack.epsilon)
        .number("step_size", |(_, one)| one.attack.step_size)
        .integer("steps", |(_, one)| one.attack.steps)
        .integer("random_starts", |(_, one)| one.attack.random_starts)
        .number("accuracy", |(_, one)| one.accuracy)
        .number("clean_accuracy", |(_, one)| one.clean_accuracy)
        .number("share_of_clean", |(_, one)| one.share_of_clean())
        .table()
}
