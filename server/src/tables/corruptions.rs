//! One row per run, corruption and severity: accuracy on corrupted images, and on the same images, clean.

use protocol::Measurement;

use super::{Kind, RUN, Source, Table, frost_photographs, jpeg_quality, run_cells};

pub(super) fn table(source: &Source) -> Table {
    let columns = [
        ("selectivity", Kind::Number),
        ("source", Kind::Text),
        ("corruption_seed", Kind::Integer),
        ("images", Kind::Integer),
        ("jpeg_quality", Kind::Integer),
        ("frost_photographs", Kind::Text),
        ("corruption", Kind::Text),
        ("severity", Kind::Integer),
        ("accuracy", Kind::Number),
        ("cross_entropy_nats", Kind::Number),
        ("clean_accuracy", Kind::Number),
        ("share_of_clean", Kind::Number),
    ];
    let rows = source.measured(Measurement::corruption).map(|(run, one)| {
        let mut row = run_cells(run);
        row.extend([
            run.result.as_ref().map(|result| result.selectivity).into(),
            one.conditions.source.id().into(),
            one.conditions.corruption_seed.into(),
            one.conditions.images.into(),
            jpeg_quality(one.conditions).into(),
            frost_photographs(one.conditions).into(),
            one.corruption.to_string().into(),
            u32::from(one.severity).into(),
            one.accuracy.into(),
            one.cross_entropy.into(),
            one.clean_accuracy.into(),
            one.share_of_clean().into(),
        ]);
        row
    });
    Table {
        columns: RUN.into_iter().chain(columns).collect(),
        rows: rows.collect(),
    }
}
