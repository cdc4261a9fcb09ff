//! A new store from run folders alone, when the store is lost or damaged beyond repair.

use std::collections::BTreeMap;

use protocol::RunState;

use super::ArchiveError;
use crate::archived::{ArchivedEvent, ArchivedExperiment, ArchivedRun};
use crate::directory::DataDirectory;
use crate::lock::StoreLock;
use crate::store::{Attempt, Restored, Store, StoreError, end_of};
use crate::worker_folder::{WorkerFolder, WorkerOrder, lines_after, read_line};

/// What was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rebuilt {
    /// Experiments.
    pub experiments: usize,
    /// Runs.
    pub runs: usize,
    /// Folders from which nothing could be taken, with the reason.
    pub left_out: Vec<String>,
}

/// The store cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// A store exists already.
    #[error("{0} is there; move it away first, with {0}-wal and {0}-shm where they are")]
    Present(std::path::PathBuf),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ArchiveError),
    /// The new store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the store of `directory` anew from the orders and logs of workers in its run folders. Runs keep their numbers and
/// everything that was measured. What a server alone knew is lost: runs that had not begun, notes and tags that are newer than
/// a run's last start, and experiments that came from an archive or an earlier version.
///
/// # Errors
/// When there is a store, or something cannot be read or written; there is no store then.
pub async fn rebuild(
    directory: &DataDirectory,
    _lock: &StoreLock,
) -> Result<Rebuilt, RebuildError> {
    let path = directory.store();
    if path.exists() {
        return Err(RebuildError::Present(path));
    }
    let mut rebuilt = Rebuilt::default();
    let experiments = ordered_runs(directory, &mut rebuilt.left_out)?;
    let part = path.with_extension("sqlite.rebuilding");
    for name in ["", "-wal", "-shm"] {
        // Left by a rebuild that was cut off.
        let _ = std::fs::remove_file(format!("{}{name}", part.display()));
    }
    let store = Store::open(&part).await?;
    for (id, runs) in experiments {
        rebuilt.experiments += 1;
        rebuilt.runs += runs.len();
        restore(&store, id, runs).await?;
    }
    store.close().await;
    std::fs::rename(&part, &path).map_err(ArchiveError::file(path.display()))?;
    Ok(rebuilt)
}

/// A run's number, its worker's folder and its last order.
type OrderedRun = (i64, WorkerFolder, WorkerOrder);

/// The runs that have an order, in order of number, by experiment; names in `left_out` the folders without one.
fn ordered_runs(
    directory: &DataDirectory,
    left_out: &mut Vec<String>,
) -> Result<BTreeMap<i64, Vec<OrderedRun>>, RebuildError> {
    let folder = directory.runs();
    let mut experiments: BTreeMap<i64, Vec<OrderedRun>> = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).map_err(ArchiveError::file(folder.display()))? {
        let entry = entry.map_err(ArchiveError::file(folder.display()))?;
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue; // Set aside, or on its way in.
        };
        let folder = WorkerFolder::of(&entry.path());
        match folder.read_order() {
            Ok(order) => {
                let runs = experiments.entry(order.experiment_id).or_default();
                runs.push((number, folder, order));
            }
            Err(error) => left_out.push(format!(
                "{}: no worker's order: {error}",
                entry.path().display()
            )),
        }
    }
    for runs in experiments.values_mut() {
        runs.sort_by_key(|(number, ..)| *number);
    }
    Ok(experiments)
}

/// Puts experiment `id` into the store, with its `folders` in order of number.
async fn restore(store: &Store, id: i64, folders: Vec<OrderedRun>) -> Result<(), RebuildError> {
    // The newest order has the newest notes.
    let Some((.., newest)) = folders.last() else {
        return Ok(());
    };
    let experiment = &newest.experiment;
    let events: Vec<Vec<ArchivedEvent>> = folders
        .iter()
        .map(|(_, folder, order)| events(folder, order))
        .collect();
    let runs: Vec<ArchivedRun> = folders
        .iter()
        .zip(&events)
        .map(|((.., order), events)| run(order, events, experiment))
        .collect();
    let numbers: Vec<i64> = folders.iter().map(|(number, ..)| *number).collect();
    let restored = Restored {
        experiment,
        runs: &runs,
        archived_at: experiment.created_at,
        numbers: Some((id, &numbers)),
    };
    store
        .restore(restored, |index| Ok(events[index].clone()), |_, _| Ok(()))
        .await?;
    for (number, folder, order) in &folders {
        let length = |path| std::fs::metadata(path).map_or(0, |file| file.len());
        let attempt = Attempt {
            number: order.attempt,
            events_offset: length(folder.events(order.attempt)),
            errors_offset: length(folder.errors()),
        };
        store.set_attempt(*number, attempt).await?;
    }
    Ok(())
}

/// What the run's workers reported, the first worker first. Lines that are no events, or were cut off, are skipped.
fn events(folder: &WorkerFolder, order: &WorkerOrder) -> Vec<ArchivedEvent> {
    let mut events = Vec::new();
    for attempt in 1..=order.attempt {
        let (mut offset, path) = (0, folder.events(attempt));
        while let Ok((lines, end)) = lines_after(&path, offset)
            && end > offset
        {
            offset = end;
            for line in lines.split(|&byte| byte == b'\n') {
                if let Ok((at, event)) = read_line(line) {
                    let last = events.last().map(|last: &ArchivedEvent| last.at);
                    let at = at.or(last).unwrap_or(order.experiment.created_at);
                    events.push(ArchivedEvent { at, event });
                }
            }
        }
    }
    events
}

/// The run as its last worker left it.
fn run(
    order: &WorkerOrder,
    events: &[ArchivedEvent],
    experiment: &ArchivedExperiment,
) -> ArchivedRun {
    let (first, last) = (events.first(), events.last());
    let end = last.and_then(|last| end_of(&last.event));
    let end = end.filter(|(state, _)| *state != RunState::Interrupted);
    let (state, reason) = end.unwrap_or_else(|| {
        let reason = "the store was rebuilt, and its worker had not come to an end";
        (RunState::Interrupted, Some(reason.into()))
    });
    ArchivedRun {
        key: order.key.clone(),
        spec: order.spec.clone(),
        state,
        reason,
        queued_at: experiment.created_at,
        started_at: first.map(|first| first.at),
        ended_at: last.map(|last| last.at),
        later_evaluations: order.later_evaluations.clone(),
        tags: Vec::new(),
        notes: String::new(),
    }
}
