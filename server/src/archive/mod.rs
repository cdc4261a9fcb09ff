//! An experiment as one file that any store takes: a tar of JSON, JSON lines and the runs' files, compressed with zstd.
//!
//! | entry | what it holds |
//! |---|---|
//! | `runs/1/events.jsonl` | what the run's worker reported, in order: one [`ArchivedEvent`](crate::archived::ArchivedEvent) a line |
//! | `runs/1/files/…` | files of the run's folder, where they were asked for |
//! | `manifest.json` | the [`Manifest`]: the experiment, its runs, and a checksum of every other entry |
//!
//! The manifest comes last, since it is written when all else is known: an archive that was cut off has none, and is
//! refused. A store is made of events alone, so importing replays them; nothing is measured or rounded anew.

mod example;
mod export;
mod import;
mod rebuild;

use serde::{Deserialize, Serialize};

pub use example::import_example;
pub use export::{Contents, export};
pub use import::{Imported, import};
pub use rebuild::{RebuildError, Rebuilt, rebuild};

use crate::archived::{ArchivedExperiment, ArchivedRun};
use crate::store::StoreError;

/// The version of the format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// Name of the entry that says what all others are.
const MANIFEST: &str = "manifest.json";

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format, [`FORMAT`].
    pub format: u32,
    /// Version of Selectivity Lab that wrote the archive.
    pub version: String,
    /// When it was written, in milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// The experiment.
    pub experiment: ArchivedExperiment,
    /// Its runs in the order in which they were queued.
    pub runs: Vec<ArchivedRun>,
    /// Every other entry of the archive.
    pub entries: Vec<Entry>,
}

/// One entry of the archive, by which it is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path in the archive.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

/// The folder of the run at `index` (from 0) in an archive.
fn folder(index: usize) -> String {
    format!("runs/{}", index + 1)
}

/// An archive cannot be written or taken over.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive is not what was written; nothing was taken from it.
    #[error("the archive is damaged: {0}; nothing was imported")]
    Damaged(String),
    /// A newer version wrote it.
    #[error(
        "the archive has format {found}, and this version reads up to {FORMAT}: it was written by Selectivity Lab {version}, use that or a newer one"
    )]
    Newer {
        /// The archive's format.
        found: u32,
        /// Who wrote it.
        version: String,
    },
    /// Some of its runs are here already.
    #[error(
        "{present} of the archive's {all} runs are in experiment {experiment} already; delete that experiment, or import into another data directory"
    )]
    Overlap {
        /// Runs that are here.
        present: usize,
        /// Runs of the archive.
        all: usize,
        /// The experiment that has the first of them.
        experiment: i64,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system reported.
        source: std::io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A task failed.
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

impl ArchiveError {
    fn file(path: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> ArchiveError {
        move |source| ArchiveError::File {
            path: path.to_string(),
            source,
        }
    }
}
