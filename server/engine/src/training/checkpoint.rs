//! The state of a run after an epoch, in one file, so that an interrupted run goes on where it was.
//!
//! The file is a safetensors container: weights, optimiser state and best weights as byte tensors
//! (burn's own records), and the rest as JSON in the header. It has a checksum and is replaced in one step
//! (`files.rs`), and the one before it is kept: where the newest is damaged, a run goes on from that.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use protocol::{EpochMetrics, RunSpec};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::base::{FileError, files};
use crate::networks::Model;

const FILE: &str = "checkpoint.safetensors";

/// The checkpoint before.
const PREVIOUS: &str = "checkpoint.previous.safetensors";

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
    /// The file with the units' selectivity after each epoch (`unit_selectivity.rs`): weights that are gone cannot be
    /// measured anew. Empty in checkpoints of earlier versions.
    pub(crate) unit_selectivity: Vec<u8>,
}

/// What is known about a run after its last complete epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    format: u32,
    /// The run's spec: a checkpoint of another spec is not resumed.
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
    /// Writes the checkpoint into `directory`; the one that was there becomes the previous one.
    pub(crate) fn save(&self, directory: &Path) -> Result<(), EngineError> {
        let path = directory.join(FILE);
        let tensors = [
            ("model", &self.model),
            ("optimiser", &self.optimiser),
            ("best", &self.best),
            ("unit_selectivity", &self.unit_selectivity),
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
        Ok(files::write_generation(
            &path,
            Some(&directory.join(PREVIOUS)),
            &bytes,
        )?)
    }

    /// Removes the checkpoints in `directory`, once its run has a result and needs them no more.
    pub(crate) fn remove(directory: &Path) -> Result<(), EngineError> {
        for name in [FILE, PREVIOUS] {
            let path = directory.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(EngineError::file("cannot remove", path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The newest whole checkpoint in `directory`, if there is one of this very spec. `warn` gets a message about a
    /// damaged one, which is kept under another name, and about one without a checksum.
    ///
    /// # Errors
    /// When none can be read, all are damaged, or it belongs to another spec or a newer format.
    pub(crate) fn load(
        directory: &Path,
        spec: &RunSpec,
        warn: &mut dyn FnMut(String),
    ) -> Result<Option<Self>, EngineError> {
        let path = directory.join(FILE);
        let previous = || read(&directory.join(PREVIOUS), spec);
        match read(&path, spec) {
            Ok(Some(checkpoint)) => {
                if files::stamp(&path)? {
                    warn(format!(
                        "{FILE} has no checksum, as of an earlier version: it is taken as it is"
                    ));
                }
                Ok(Some(checkpoint))
            }
            Ok(None) => {
                let before = previous()?;
                if let Some(before) = &before {
                    warn(format!(
                        "{FILE} is missing: the run goes on from the checkpoint before, after epoch {}",
                        before.progress.epochs.len()
                    ));
                }
                Ok(before)
            }
            Err(EngineError::File(FileError::Damaged { reason, .. })) => {
                let Ok(Some(before)) = previous() else {
                    let advice =
                        "there is no whole one before it; delete it to start the run afresh";
                    return Err(broken(&path, format!("is damaged: {reason}, and {advice}")));
                };
                let aside = files::set_aside(&path, "damaged")?;
                warn(format!(
                    "{FILE} is damaged: {reason}. The run goes on from the checkpoint before, after epoch {}; the damaged one is kept as {}",
                    before.progress.epochs.len(),
                    aside.display()
                ));
                Ok(Some(before))
            }
            Err(other) => Err(other),
        }
    }
}

/// The checkpoint in a file, if there is one.
fn read(path: &Path, spec: &RunSpec) -> Result<Option<Checkpoint>, EngineError> {
    let Some(bytes) = files::read_checked(path)? else {
        return Ok(None);
    };
    let damaged = |reason: String| EngineError::from(files::damaged(path, reason));
    let (_, header) =
        SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let progress = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get("progress"))
        .ok_or_else(|| damaged("it has no `progress` entry".into()))?;
    let progress: Progress =
        serde_json::from_str(progress).map_err(|error| damaged(error.to_string()))?;
    if progress.format != FORMAT {
        return Err(broken(
            path,
            format!(
                "is of format {}, this engine reads {FORMAT}; delete it to start the run afresh",
                progress.format
            ),
        ));
    }
    // The device may differ: a run can go on elsewhere.
    let expected = RunSpec {
        device: progress.spec.device.clone(),
        ..spec.clone()
    };
    if progress.spec != expected {
        return Err(broken(
            path,
            "belongs to another run; delete it to start this one afresh".into(),
        ));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
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
        unit_selectivity: part("unit_selectivity").unwrap_or_default(),
        progress,
    }))
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

fn broken(path: &Path, reason: String) -> EngineError {
    EngineError::Checkpoint {
        path: path.to_owned(),
        reason,
    }
}
