//! An experiment's report: its data is read here, and made one HTML file in [`document`].

mod claim;
mod document;
mod table;

use document::{ReportData, render};
use protocol::finding::Claim;

use crate::clock;
use crate::store::{Store, StoreError};

/// The report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store failed, or there is no such experiment.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Making it failed.
    #[error("the report could not be made: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The report of an experiment as one HTML file, on the runs within `window` points of their control's clean accuracy.
///
/// # Errors
/// When there is no such experiment, or the store fails.
pub async fn report(store: &Store, id: i64, window: f64) -> Result<String, ReportError> {
    let experiment = store.experiment(id).await?;
    let runs = store.runs(id).await?;
    let numbers = store.numbers(id, None).await?;
    Ok(tokio::task::spawn_blocking(move || {
        render(&ReportData {
            findings: analysis::claims::findings(&experiment, &numbers, runs.len(), window),
            figures: analysis::claims::figures(&runs, &numbers, &Claim::ALL, window),
            experiment,
            runs,
            at: clock::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    })
    .await?)
}
