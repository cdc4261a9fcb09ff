//! Removes for good what was deleted some minutes ago, with its files.

use std::time::Duration;

use protocol::api::UNDO_MINUTES;

use crate::clock::now;
use crate::directory::{DataDirectory, remove_folder};
use crate::scheduler::Scheduler;
use crate::store::{Purged, Store, StoreError};

/// Time between two rounds.
const EVERY: Duration = Duration::from_secs(30);

/// Purges for as long as the server is at work.
pub async fn purge_deleted(store: Store, directory: DataDirectory, scheduler: Scheduler) {
    loop {
        // On a full disk, whoever deletes needs the room now.
        let minutes = match scheduler.lacking_room() {
            Some(_) => 0,
            None => UNDO_MINUTES,
        };
        if let Err(error) = purge(&store, &directory, minutes).await {
            tracing::warn!(%error, "what was deleted still takes room");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Removes what was deleted `minutes` ago or earlier.
///
/// # Errors
/// When the store fails; nothing is removed then.
pub async fn purge(
    store: &Store,
    directory: &DataDirectory,
    minutes: u32,
) -> Result<(), StoreError> {
    for Purged { experiment, runs } in store.purge(now() - i64::from(minutes) * 60_000).await? {
        for run in runs {
            remove_folder(&directory.run(run)).await;
        }
        remove_folder(&directory.experiment(experiment)).await;
        tracing::info!(experiment, "gone for good");
    }
    Ok(())
}
