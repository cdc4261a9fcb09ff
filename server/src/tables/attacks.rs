//! One row per run and attack: accuracy under it, and on the same images, clean.

use protocol::Measurement;

use super::{Kind, RUN, Source, Table, run_cells};

pub(super) fn table(source: &Source) -> Table {
    let columns = [
        ("selectivity", Kind::Number),
        ("attack_seed", Kind::Integer),
        ("images", Kind::Integer),
        ("method", Kind::Text),
        ("norm", Kind::Text),
        ("epsilon", Kind::Number),
        ("step_size", Kind::Number),
        ("steps", Kind::Integer),
        ("random_starts", Kind::Integer),
        ("accuracy", Kind::Number),
        ("clean_accuracy", Kind::Number),
        ("share_of_clean", Kind::Number),
    ];
    let rows = source.measured(Measurement::attack).map(|(run, one)| {
        let attack = one.attack;
        let mut row = run_cells(run);
        row.extend([
            run.result.as_ref().map(|result| result.selectivity).into(),
            one.conditions.attack_seed.into(),
            one.conditions.images.into(),
            attack.method.id().into(),
            attack.norm.id().into(),
            attack.epsilon.into(),
            attack.step_size.into(),
            attack.steps.into(),
            attack.random_starts.into(),
            one.accuracy.into(),
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
