//! The state of a run after an epoch, in one file, so that an interrupted run goes on where it was.
//!
//! The file is a safetensors container: weights, optimiser state and best weights as byte tensors
//! (burn's own records), and the rest as JSON in the header. It is written beside its final name,
//! flushed to disk and renamed, so that a kill at any moment leaves the old or the new one whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use protocol::{EpochMetrics, RunSpec};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::networks::Model;

const FILE: &str = "checkpoint.safetensors";
const FORMAT: u32 = 1;

/// A run after its last complete epoch.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub(crate) progress: Progress,
    /// Record of the model as it is.
    pub(crate) model: Vec<u8>,
    /// Record of the optimiser.
    pub(crate) optimiser: Vec<u8>,
    /// Record of the model at its best epoch.
    pub(crate) best: Vec<u8>,
}

/// What is known about a run after its last complete epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    format: u32,
    /// What was asked: a checkpoint of another spec is not resumed.
    pub(crate) spec: RunSpec,
    /// Every epoch so far.
    pub(crate) epochs: Vec<EpochMetrics>,
    /// The epoch with the best validation accuracy so far, from 1; the earliest of several.
    pub(crate) best_epoch: u32,
}

impl Progress {
    pub(crate) fn new(spec: RunSpec) -> Self {
        Progress {
            format: FORMAT,
            spec,
            epochs: Vec::new(),
            best_epoch: 0,
        }
    }

    pub(crate) fn best_validation_accuracy(&self) -> Option<f64> {
        let best = (self.best_epoch as usize).checked_sub(1)?;
        Some(self.epochs.get(best)?.validation_accuracy)
    }
}

/// Record of a model in inference mode as bytes. Taking `valid()` first matters: it folds the last
/// step's batch statistics into the running ones, which a plain visit would miss.
pub(crate) fn model_bytes(model: &Model) -> Result<Vec<u8>, EngineError> {
    model
        .valid()
        .into_record()
        .into_bytes()
        .map(|bytes| bytes.to_vec())
        .map_err(|error| broken(Path::new(FILE), error.to_string()))
}

/// `model` with the weights of a record.
pub(crate) fn load_model(model: Model, bytes: &[u8]) -> Result<Model, EngineError> {
    ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec()))
        .and_then(|record| model.try_load_record(record))
        .map_err(|error| broken(Path::new(FILE), error.to_string()))
}

impl Checkpoint {
    /// Writes the checkpoint into `directory`, replacing the one before in one step.
    pub(crate) fn save(&self, directory: &Path) -> Result<(), EngineError> {
        let path = directory.join(FILE);
        let tensors = [
            ("model", &self.model),
            ("optimiser", &self.optimiser),
            ("best", &self.best),
        ];
        let mut views = Vec::new();
        for (name, bytes) in tensors {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes)
                .map_err(|error| broken(&path, error.to_string()))?;
            views.push((name, view));
        }
        let progress = serde_json::to_string(&self.progress)
            .map_err(|error| broken(&path, error.to_string()))?;
        let metadata = HashMap::from([("progress".to_owned(), progress)]);
        let bytes = safetensors::serialize(views, Some(metadata))
            .map_err(|error| broken(&path, error.to_string()))?;
        write_atomically(&path, &bytes)
    }

    /// Removes the checkpoint in `directory`, once its run has a result and needs it no more.
    pub(crate) fn remove(directory: &Path) -> Result<(), EngineError> {
        let path = directory.join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(EngineError::file("cannot remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// The checkpoint in `directory`, if there is one of this very spec.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or belongs to another spec or a newer format.
    pub(crate) fn load(directory: &Path, spec: &RunSpec) -> Result<Option<Self>, EngineError> {
        let path = directory.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineError::file("cannot read", path)(error)),
        };
        let damaged = |reason: String| broken(&path, reason);
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let progress = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get("progress"))
            .ok_or_else(|| damaged("has no `progress` entry".into()))?;
        let progress: Progress =
            serde_json::from_str(progress).map_err(|error| damaged(error.to_string()))?;
        if progress.format != FORMAT {
            return Err(damaged(format!(
                "is of format {}, this engine reads {FORMAT}; delete it to start the run afresh",
                progress.format
            )));
        }
        // The device may differ: a run can go on elsewhere.
        let asked = RunSpec {
            device: progress.spec.device.clone(),
            ..spec.clone()
        };
        if progress.spec != asked {
            return Err(damaged(
                "belongs to another run; delete it to start this one afresh".into(),
            ));
        }
        let tensors =
            SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let part = |name: &str| {
            tensors
                .tensor(name)
                .map(|tensor| tensor.data().to_vec())
                .map_err(|error| damaged(format!("`{name}`: {error}")))
        };
        Ok(Some(Checkpoint {
            model: part("model")?,
            optimiser: part("optimiser")?,
            best: part("best")?,
            progress,
        }))
    }
}

/// The optimiser with the state of a record.
pub(crate) fn load_optimiser(
    optimiser: ModuleOptimizer,
    bytes: &[u8],
) -> Result<ModuleOptimizer, EngineError> {
    optimiser
        .from_bytes(Bytes::from_bytes_vec(bytes.to_vec()))
        .map_err(|error| broken(Path::new(FILE), error.to_string()))
}

/// Writes a file so that a kill or a power cut leaves the old content or the new, never a part.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let mut file = File::create(&partial).map_err(EngineError::file("cannot create", &partial))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(EngineError::file("cannot write", &partial))?;
    fs::rename(&partial, path).map_err(EngineError::file("cannot rename to", path))
}

fn broken(path: &Path, reason: String) -> EngineError {
    EngineError::Checkpoint {
        path: path.to_owned(),
        reason,
    }
}
