//! A new store from run folders alone, when the store is lost or damaged beyond repair.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::{Event, RunState};

use crate::archived::{ArchivedEvent, ArchivedExperiment, ArchivedRun};
use crate::directory::DataDirectory;
use crate::lock::StoreLock;
use crate::store::{Attempt, Restored, Store, StoreError};
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
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system reported.
        source: std::io::Error,
    },
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
    let file = |path: &Path| {
        let path = path.display().to_string();
        move |source| RebuildError::File { path, source }
    };
    let mut rebuilt = Rebuilt::default();
    let mut experiments: BTreeMap<i64, Vec<(i64, WorkerFolder, WorkerOrder)>> = BTreeMap::new();
    for entry in std::fs::read_dir(directory.runs()).map_err(file(&directory.runs()))? {
        let entry = entry.map_err(file(&directory.runs()))?;
        let Some(number) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue; // Set aside, or on its way in.
        };
        let folder = WorkerFolder::of(&entry.path());
        match folder.read_order() {
            Ok(order) => experiments
                .entry(order.experiment_id)
                .or_default()
                .push((number, folder, order)),
            Err(error) => rebuilt.left_out.push(format!(
                "{}: no worker's order: {error}",
                entry.path().display()
            )),
        }
    }
    let part = path.with_extension("sqlite.rebuilding");
    for name in ["", "-wal", "-shm"] {
        // Left by a rebuild that was cut off.
        let _ = std::fs::remove_file(format!("{}{name}", part.display()));
    }
    let store = Store::open(&part).await?;
    for (id, mut folders) in experiments {
        folders.sort_by_key(|(number, ..)| *number);
        // The newest order has the newest notes.
        let newest = folders.iter().max_by_key(|(number, ..)| *number);
        let Some(experiment) = newest.map(|(.., order)| order.experiment.clone()) else {
            continue;
        };
        let events: Vec<Vec<ArchivedEvent>> = folders
            .iter()
            .map(|(_, folder, order)| events(folder, order))
            .collect();
        let runs: Vec<ArchivedRun> = folders
            .iter()
            .zip(&events)
            .map(|((.., order), events)| run(order, events, &experiment))
            .collect();
        let numbers: Vec<i64> = folders.iter().map(|(number, ..)| *number).collect();
        let restored = Restored {
            experiment: &experiment,
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
        rebuilt.experiments += 1;
        rebuilt.runs += runs.len();
    }
    store.close().await;
    std::fs::rename(&part, &path).map_err(file(&path))?;
    Ok(rebuilt)
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
    let (state, reason) = match last.map(|last| &last.event) {
        Some(Event::Finished(_)) => (RunState::Finished, None),
        Some(Event::Diverged { epoch, step, what }) => (
            RunState::Diverged,
            Some(format!("at epoch {epoch}, step {step}: {what}")),
        ),
        Some(Event::Failed { message }) => (RunState::Failed, Some(message.clone())),
        Some(Event::Cancelled) => (RunState::Cancelled, None),
        _ => (
            RunState::Interrupted,
            Some("the store was rebuilt, and its worker had not come to an end".into()),
        ),
    };
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
