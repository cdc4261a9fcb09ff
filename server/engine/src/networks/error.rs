//! What can go wrong with a network or a file of weights.

use std::path::PathBuf;

use crate::base::FileError;

/// A network cannot be made, or its weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
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
    /// No network can be built from the configuration.
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
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
