//! What can go wrong with a file.

use std::path::PathBuf;

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be read or written.
    #[error("{action} {path}: {source}", path = path.display())]
    System {
        /// What was tried, for example `cannot write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is not what was written to it.
    #[error("{path} is damaged: {reason}; evaluate the run again, and it is measured anew", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that was seen.
        reason: String,
    },
}

impl FileError {
    /// Wraps a system error about a file.
    pub(crate) fn system(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> FileError {
        let path = path.into();
        move |source| FileError::System {
            action,
            path,
            source,
        }
    }
}
