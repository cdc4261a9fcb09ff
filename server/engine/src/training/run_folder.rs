//! Makes sure that a folder's files belong to the run.
//!
//! A run first writes its key and its whole spec into its folder. It uses nothing from a folder that another run has
//! written to, not even if that run has the same number in another store. A folder of an earlier version has no such file; it
//! is taken over where the result in the store, or a checkpoint (which has always held the whole spec), shows that it
//! is this run's. So is one that came with an archive, by the key in its weights. Files of another or an unknown run are moved
//! beside the folder, and the run begins afresh.

use std::path::{Path, PathBuf};

use protocol::{RunResult, RunSpec};
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::base::{FileError, files};
use crate::networks::weights;
use crate::training::checkpoint::Checkpoint;

/// Name of the file with the weights of the best epoch, in the run's directory.
pub const WEIGHTS_FILE: &str = "weights.safetensors";

/// Name of the file with the result, in the run's directory.
pub const RESULT_FILE: &str = "result.json";

/// Name of the file that identifies the folder's run.
pub(crate) const RUN_FILE: &str = "run.json";

/// Name of the folder in which a server and the run's worker leave each other messages.
pub const WORKER_FOLDER: &str = "worker";

/// What the server puts into a run's folder before the run begins. It is thus this run's: the folder of messages between
/// server and worker, the worker's standard error, and imported weights (their checksum is in the spec).
const PLACED: [&str; 4] = [
    WORKER_FOLDER,
    "worker.log",
    "imported.safetensors",
    "imported.pt",
];

/// What identifies a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The run's key, which no other run has in any store.
    pub(crate) key: String,
    /// The run's spec; only its device may change.
    pub(crate) spec: RunSpec,
}

impl Identity {
    fn is(&self, other: &Identity) -> bool {
        let elsewhere = RunSpec {
            device: other.spec.device.clone(),
            ..self.spec.clone()
        };
        self.key == other.key && elsewhere == other.spec
    }
}

/// Makes `folder` the run's own. `known` is its result in the store. `warn` gets a message about what was moved away,
/// or taken over from an earlier version.
///
/// # Errors
/// When the folder cannot be read or written.
pub(crate) fn claim(
    folder: &Path,
    identity: &Identity,
    known: Option<&RunResult>,
    warn: &mut dyn FnMut(String),
) -> Result<(), EngineError> {
    std::fs::create_dir_all(folder).map_err(EngineError::file("cannot create", folder))?;
    let entries = entries(folder)?;
    let path = folder.join(RUN_FILE);
    let (written, strange) = match read(&path) {
        Ok(Some(owner)) if owner.is(identity) => return Ok(()),
        Ok(Some(owner)) if owner.key == identity.key => {
            (true, "files of this run as it was asked before")
        }
        Ok(Some(_)) => (true, "another run's files"),
        Ok(None) => (false, "files of which nothing says whose they are"),
        Err(FileError::Damaged { .. }) => (false, "files, and what says whose they are is damaged"),
        Err(other) => return Err(other.into()),
    };
    if !entries.is_empty() {
        let verified = match written {
            true => None,
            false => verified(folder, identity, known)?,
        };
        match verified {
            Some(evidence) => warn(format!(
                "{} is of an earlier version, or came with an archive; it is this run's by {evidence}",
                folder.display()
            )),
            None => {
                let aside = move_aside(folder, entries)?;
                warn(format!(
                    "{} held {strange}: they were moved to {}, and this run begins afresh",
                    folder.display(),
                    aside.display()
                ));
            }
        }
    }
    let json = serde_json::to_vec_pretty(identity)
        .map_err(|error| EngineError::file("cannot write", &path)(error.into()))?;
    Ok(files::write_checked(&path, &json)?)
}

fn read(path: &Path) -> Result<Option<Identity>, FileError> {
    let Some(bytes) = files::read_checked(path)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| files::damaged(path, error.to_string()))
}

/// What a run left in its folder, without what the server writes there. Writes that were cut off are removed.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let mut entries = Vec::new();
    let listed = std::fs::read_dir(folder).map_err(EngineError::file("cannot read", folder))?;
    for entry in listed {
        let path = entry
            .map_err(EngineError::file("cannot read", folder))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "part")
        {
            std::fs::remove_file(&path).map_err(EngineError::file("cannot remove", &path))?;
        } else if PLACED.iter().all(|name| !path.ends_with(name)) {
            entries.push(path);
        }
    }
    Ok(entries)
}

/// The evidence that a folder whose run file is missing or damaged is this run's; none where nothing shows it.
fn verified(
    folder: &Path,
    identity: &Identity,
    known: Option<&RunResult>,
) -> Result<Option<&'static str>, EngineError> {
    let spec = &identity.spec;
    let (result, weights_path) = (folder.join(RESULT_FILE), folder.join(WEIGHTS_FILE));
    let metadata = weights::metadata(&weights_path).unwrap_or_default();
    let expected = [
        ("network", spec.network.to_string()),
        ("dataset", spec.dataset.to_string()),
        ("alpha", spec.alpha.to_string()),
        ("seed", spec.seed.to_string()),
    ];
    let same = expected
        .iter()
        .all(|(name, value)| metadata.get(*name) == Some(value));
    // An archive has the weights of a run, and its result goes into the store.
    if same && known.is_some() && metadata.get("run") == Some(&identity.key) {
        return Ok(Some("the key in its weights"));
    }
    if result.is_file() && weights_path.is_file() {
        let bytes = std::fs::read(&result).map_err(EngineError::file("cannot read", &result))?;
        let kept: Option<RunResult> = serde_json::from_slice(&bytes).ok();
        let verified = same && known.is_some() && kept.as_ref() == known;
        return Ok(verified.then_some("the result that the store has"));
    }
    let checkpoint = Checkpoint::load(folder, spec, &mut |_| {});
    Ok(matches!(checkpoint, Ok(Some(_))).then_some("the spec in its checkpoint"))
}

/// Moves entries of `folder` to a new folder beside it, the run file last.
fn move_aside(folder: &Path, mut entries: Vec<PathBuf>) -> Result<PathBuf, EngineError> {
    entries.sort_by_key(|path| path.file_name().is_some_and(|name| name == RUN_FILE));
    let aside = files::free_name(folder, "earlier");
    std::fs::create_dir_all(&aside).map_err(EngineError::file("cannot create", &aside))?;
    for entry in entries {
        let Some(name) = entry.file_name() else {
            continue;
        };
        std::fs::rename(&entry, aside.join(name))
            .map_err(EngineError::file("cannot move", &entry))?;
    }
    Ok(aside)
}
