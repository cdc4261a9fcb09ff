//! Errors of the engine, on top of those of its lower layers.

use std::path::PathBuf;

use crate::attacks::AttackError;
use crate::base::FileError;
use crate::data::DataError;
use crate::measures::NotFinite;
use crate::networks::NetworkError;

/// Why a run, an analysis or a calibration could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The data set could not be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A network could not be made, or its weights could not be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A network computed NaN or infinity.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// The device is not there.
    #[error("no device is called `{id}` on this machine; choose one of {available}")]
    UnknownDevice {
        /// The name that was asked for.
        id: String,
        /// The names that exist.
        available: String,
    },
    /// The device is there but cannot be used.
    #[error("the device `{id}` cannot be used: {reason}")]
    Device {
        /// The name that was asked for.
        id: String,
        /// Its driver's error.
        reason: String,
    },
    /// The device's results differ from the CPU's.
    #[error(
        "the device `{id}` computes wrong numbers: in a training step of {network}, {what} differs from the CPU's by {difference:.1e} of its largest value; use another device or driver (`selectivity-lab devices --check {id}` compares every operator)"
    )]
    Disagrees {
        /// The device.
        id: String,
        /// The tensor that differs most.
        what: String,
        /// The network.
        network: protocol::Network,
        /// Largest difference over the CPU's largest value in that tensor.
        difference: f64,
    },
    /// A training step does not fit into the device's memory.
    #[error(
        "the batch size of {batch_size} does not fit into the memory of `{id}`: {fits} images fit, {failed} do not ({reason})"
    )]
    DeviceMemory {
        /// The device.
        id: String,
        /// Images per step of the run.
        batch_size: usize,
        /// Images of the largest step that fitted.
        fits: usize,
        /// Images of the step that failed.
        failed: usize,
        /// The device's error.
        reason: String,
    },
    /// A checkpoint could not be used.
    #[error("checkpoint {path}: {reason}", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was wrong and what to do.
        reason: String,
    },
    /// An input array of an analysis could not be used.
    #[error("{path}: {reason}", path = path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
    /// No analysis has this name.
    #[error("no analysis is called `{name}`; there are {known}")]
    UnknownAnalysis {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The perturbation bench cannot do what it was asked.
    #[error("{reason}")]
    Bench {
        /// What is wrong.
        reason: String,
    },
    /// Several of a run's tests failed; the others completed.
    #[error("several tests failed: {reasons}")]
    Evaluations {
        /// The message of each failure.
        reasons: String,
    },
    /// An attack could not be run, or left its bounds.
    #[error(transparent)]
    Attack(AttackError),
    /// Corrupted images could not be drawn.
    #[error(transparent)]
    Corruption(#[from] crate::corruptions::CorruptionError),
    /// Clean and corrupted images that do not match were to be compared.
    #[error("{0}")]
    Unmatched(&'static str),
    /// A loss was not a finite number.
    #[error("diverged at epoch {epoch}, step {step}: {what}")]
    Diverged {
        /// Epoch, from 1.
        epoch: u32,
        /// Step within the epoch, from 1.
        step: u32,
        /// What was not finite.
        what: String,
    },
    /// A person cancelled it.
    #[error("cancelled")]
    Cancelled,
}

impl From<AttackError> for EngineError {
    fn from(error: AttackError) -> Self {
        match error {
            AttackError::Cancelled => EngineError::Cancelled,
            other => EngineError::Attack(other),
        }
    }
}

impl EngineError {
    /// Whether nothing else in the run can succeed: it is cancelled, or its device fails.
    pub(crate) fn ends_everything(&self) -> bool {
        matches!(
            self,
            EngineError::Cancelled
                | EngineError::Device { .. }
                | EngineError::Disagrees { .. }
                | EngineError::DeviceMemory { .. }
        )
    }

    /// Wraps a system error about a file.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> EngineError {
        let wrap = FileError::system(action, path);
        move |source| wrap(source).into()
    }
}
