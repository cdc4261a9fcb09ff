//! What can go wrong in the engine.

use std::path::PathBuf;

use crate::data::DataError;

/// Why a run, an analysis or a calibration could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The data set could not be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device is not there.
    #[error("no device is called `{id}` on this machine; choose one of {available}")]
    UnknownDevice {
        /// What was asked for.
        id: String,
        /// What there is.
        available: String,
    },
    /// The device is there but cannot be used.
    #[error("the device `{id}` cannot be used: {reason}")]
    Device {
        /// What was asked for.
        id: String,
        /// What its driver said.
        reason: String,
    },
    /// The device computes something else than the CPU.
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
        /// Images a step of the run.
        batch_size: usize,
        /// The most images of a step that was made.
        fits: usize,
        /// Images of the step that failed.
        failed: usize,
        /// What the device said.
        reason: String,
    },
    /// Images and network do not fit.
    #[error(
        "{network} needs images of at least {minimum}x{minimum} pixels; these are {height}x{width}"
    )]
    ImagesTooSmall {
        /// The network.
        network: protocol::Network,
        /// Smallest side.
        minimum: usize,
        /// Height of the images.
        height: usize,
        /// Width of the images.
        width: usize,
    },
    /// No network can be made of what was asked.
    #[error("the network cannot be made: {reason}")]
    Model {
        /// What was wrong.
        reason: String,
    },
    /// A weights file could not be used.
    #[error("weights {path}: {reason}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What was wrong, naming the tensor.
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
    /// A file of a run is not what was written to it.
    #[error("{path} is damaged: {reason}; evaluate the run again, and it is measured anew", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that was seen.
        reason: String,
    },
    /// No analysis has this name.
    #[error("no analysis is called `{name}`; there are {known}")]
    UnknownAnalysis {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The perturbation bench cannot do what it was asked.
    #[error("{reason}")]
    Bench {
        /// What is wrong.
        reason: String,
    },
    /// Several of a run's tests failed; the others were made.
    #[error("several tests failed: {reasons}")]
    Evaluations {
        /// What each says.
        reasons: String,
    },
    /// A file could not be read or written.
    #[error("{action} {path}: {source}", path = path.display())]
    File {
        /// What was tried, for example `cannot write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An attack could not be made, or left its bounds.
    #[error(transparent)]
    Attack(#[from] crate::attacks::AttackError),
    /// Corrupted images could not be drawn.
    #[error(transparent)]
    Corruption(#[from] crate::corruptions::CorruptionError),
    /// Clean and corrupted images were to be set side by side that do not match.
    #[error("{0}")]
    Unmatched(&'static str),
    /// A network computed NaN or infinity where a number is measured.
    #[error("{what} are not finite numbers: the network's weights are broken; train it again")]
    NotFinite {
        /// What was not finite, in the plural.
        what: String,
    },
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
    /// A person ended it.
    #[error("cancelled")]
    Cancelled,
}

impl EngineError {
    /// Whether nothing that the run has still to do can succeed: it is cancelled, or its device fails.
    pub(crate) fn ends_everything(&self) -> bool {
        matches!(
            self,
            EngineError::Cancelled
                | EngineError::Attack(crate::attacks::AttackError::Cancelled)
                | EngineError::Device { .. }
                | EngineError::Disagrees { .. }
                | EngineError::DeviceMemory { .. }
        )
    }

    /// Wraps what the system said about a file.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> EngineError {
        let path = path.into();
        move |source| EngineError::File {
            action,
            path,
            source,
        }
    }
}
