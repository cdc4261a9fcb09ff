//! Removes for good what was deleted some minutes ago, with its files.

use crate::clock::now;
use crate::directory::{DataDirectory, remove_folder};
use crate::store::{Doomed, Store, StoreError};

/// Removes what was deleted `minutes` ago or earlier.
///
/// # Errors
/// When the store fails; what is not removed yet is removed by the next call.
pub async fn purge(
    store: &Store,
    directory: &DataDirectory,
    minutes: u32,
) -> Result<(), StoreError> {
    let doomed = store.doom(now() - i64::from(minutes) * 60_000).await?;
    remove(store, directory, doomed).await
}

/// Removes the deleted experiments that have runs of these keys: an archive brings them anew.
///
/// # Errors
/// As [`purge`].
pub async fn purge_keys(
    store: &Store,
    directory: &DataDirectory,
    keys: &[&str],
) -> Result<(), StoreError> {
    let doomed = store.doom_keys(keys).await?;
    remove(store, directory, doomed).await
}

/// Files first: on a full disk the store needs the room that they give back.
async fn remove(
    store: &Store,
    directory: &DataDirectory,
    doomed: Vec<Doomed>,
) -> Result<(), StoreError> {
    for Doomed { experiment, runs } in doomed {
        for run in runs {
            remove_folder(&directory.run(run)).await;
        }
        remove_folder(&directory.experiment(experiment)).await;
        store.forget(experiment).await?;
        tracing::info!(experiment, "gone for good");
    }
    Ok(())
}
