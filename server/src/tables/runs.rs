//! One row per run: its configuration, how it ended, and its result.

use protocol::Run;

use super::{Cell, Kind, Table};

pub(super) fn table(runs: &[Run]) -> Table {
    Table {
        columns: vec![
            ("run", Kind::Integer),
            ("network", Kind::Text),
            ("dataset", Kind::Text),
            ("alpha", Kind::Number),
            ("seed", Kind::Integer),
            ("device", Kind::Text),
            ("state", Kind::Text),
            ("reason", Kind::Text),
            ("epochs", Kind::Integer),
            ("epochs_done", Kind::Integer),
            ("best_epoch", Kind::Integer),
            ("validation_accuracy", Kind::Number),
            ("validation_images", Kind::Integer),
            ("test_accuracy", Kind::Number),
            ("test_cross_entropy_nats", Kind::Number),
            ("test_images", Kind::Integer),
            ("selectivity", Kind::Number),
            ("imported_file", Kind::Text),
            ("imported_sha256", Kind::Text),
            ("imported_at_ms", Kind::Integer),
        ],
        rows: runs.iter().map(row).collect(),
    }
}

fn row(run: &Run) -> Vec<Cell> {
    let (spec, result, origin) = (&run.spec, run.result.as_ref(), run.spec.origin.as_ref());
    vec![
        run.id.into(),
        spec.network.to_string().into(),
        spec.dataset.to_string().into(),
        spec.alpha.into(),
        spec.seed.into(),
        spec.device.clone().into(),
        run.state.id().into(),
        run.reason.clone().into(),
        spec.training.epochs.into(),
        run.epochs_done.into(),
        result.and_then(|result| result.best_epoch).into(),
        result.and_then(|result| result.validation_accuracy).into(),
        result.map(|result| result.validation_images).into(),
        result.map(|result| result.test_accuracy).into(),
        result.map(|result| result.test_cross_entropy).into(),
        result.map(|result| result.test_images).into(),
        result.map(|result| result.selectivity).into(),
        origin.map(|origin| origin.file.clone()).into(),
        origin.map(|origin| origin.sha256.clone()).into(),
        origin.map(|origin| origin.imported_at).into(),
    ]
}
