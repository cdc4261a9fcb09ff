//! One row per run, corruption and severity: accuracy on corrupted images, and on the same images, clean.

use protocol::Measurement;

use super::{Rows, Source, Table, frost_photographs, jpeg_quality};

pub(super) fn table(source: &Source) -> Table {
    Rows::of_runs(source.measured(Measurement::corruption))
        .number("selectivity", |(run, _)| {
            run.result.as_ref().map(|result| result.selectivity)
        })
        .text("source", |(_, one)| one.conditions.source.id())
        .integer("corruption_seed", |(_, one)| one.conditions.corruption_seed)
        .integer("images", |(_, one)| one.conditions.images)
        .integer("jpeg_quality", |(_, one)| jpeg_quality(one.conditions))
        .text("frost_photographs", |(_, one)| {
            frost_photographs(one.conditions)
        })
        .text("corruption", |(_, one)| one.corruption.to_string())
        .integer("severity", |(_, one)| u32::from(one.severity))
        .number("accuracy", |(_, one)| one.accuracy)
        .number("cross_entropy_nats", |(_, one)| one.cross_entropy)
        .number("clean_accuracy", |(_, one)| one.clean_accuracy)
        .number("share_of_clean", |(_, one)| one.share_of_clean())
        .table()
}
