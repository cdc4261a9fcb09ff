//! Writing an archive.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use engine::base::digest::sha256;
use engine::training::run_folder::{WEIGHTS_FILE, WORKER_FOLDER};
use protocol::RunState;

use super::{ArchiveError, Entry, FORMAT, MANIFEST, Manifest, folder};
use crate::archived::{ArchivedEvent, RunHistory};
use crate::clock::now;
use crate::directory::DataDirectory;
use crate::store::Store;

/// How hard zstd tries: 19 of 22. Writing is rare, and what is written is kept.
const LEVEL: i32 = 19;

/// Which files of the runs' folders go into an archive; numbers are always in it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Deserialize,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// No files: every number and figure, but no network to go on with.
    #[default]
    Numbers,
    /// The weights of trained networks.
    Weights,
    /// Every file: weights, predictions, adversarial images, checkpoints of unfinished runs.
    Everything,
}

impl Contents {
    fn holds(self, state: RunState, path: &Path) -> bool {
        let name = path.to_string_lossy();
        match self {
            Contents::Numbers => false,
            Contents::Weights => name == WEIGHTS_FILE,
            // A finished run has nothing to resume; the worker's folder is of no use elsewhere; names of unfinished files
            // begin with a dot.
            Contents::Everything => {
                let over = matches!(state, RunState::Finished | RunState::Diverged);
                let hidden = |part: &OsStr| part.as_encoded_bytes().starts_with(b".");
                let left_out = (over && name.starts_with("checkpoint"))
                    || path.starts_with(WORKER_FOLDER)
                    || path.iter().any(hidden);
                !left_out
            }
        }
    }
}

/// Writes experiment `id` to `output`: its runs with every event, and of the runs of `seeds` (all when empty) the files
/// that `contents` says. The store may be at work meanwhile: the numbers are those of one moment.
///
/// # Errors
/// When there is no such experiment, or something cannot be read or written.
pub async fn export(
    store: &Store,
    directory: &DataDirectory,
    id: i64,
    contents: Contents,
    seeds: &[u64],
    output: impl Write + Send + 'static,
) -> Result<(), ArchiveError> {
    let (experiment, runs) = store.archived(id).await?;
    let folders: Vec<PathBuf> = runs.iter().map(|run| directory.run(run.id)).collect();
    let seeds: BTreeSet<u64> = seeds.iter().copied().collect();
    let write = move || {
        let failed = || ArchiveError::file("the archive");
        let mut archive = Archive {
            tar: tar::Builder::new(zstd::Encoder::new(output, LEVEL).map_err(failed())?),
            entries: Vec::new(),
            at: u64::try_from(experiment.created_at).unwrap_or(0) / 1000,
        };
        let mut archived = Vec::with_capacity(runs.len());
        for (index, (history, source)) in runs.into_iter().zip(folders).enumerate() {
            let RunHistory { run, events, .. } = history;
            let folder = folder(index);
            archive.add(&format!("{folder}/events.jsonl"), &lines(&events)?)?;
            if seeds.is_empty() || seeds.contains(&run.spec.seed) {
                for file in files(&source)? {
                    if contents.holds(run.state, &file) {
                        let path = source.join(&file);
                        let bytes =
                            std::fs::read(&path).map_err(ArchiveError::file(path.display()))?;
                        archive.add(&format!("{folder}/files/{}", file.display()), &bytes)?;
                    }
                }
            }
            archived.push(run);
        }
        let manifest = Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            created_at: now(),
            experiment,
            runs: archived,
            entries: std::mem::take(&mut archive.entries),
        };
        let json = serde_json::to_vec_pretty(&manifest).map_err(|error| failed()(error.into()))?;
        archive.add(MANIFEST, &json)?;
        let encoder = archive.tar.into_inner().map_err(failed())?;
        let mut output = encoder.finish().map_err(failed())?;
        output.flush().map_err(failed())
    };
    tokio::task::spawn_blocking(write).await?
}

/// A tar file that remembers what it holds.
struct Archive<W: Write> {
    tar: tar::Builder<zstd::Encoder<'static, W>>,
    entries: Vec<Entry>,
    at: u64,
}

impl<W: Write> Archive<W> {
    fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(self.at);
        self.tar
            .append_data(&mut header, path, bytes)
            .map_err(ArchiveError::file("the archive"))?;
        self.entries.push(Entry {
            path: path.into(),
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        });
        Ok(())
    }
}

fn lines(events: &[ArchivedEvent]) -> Result<Vec<u8>, ArchiveError> {
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, event)
            .map_err(|error| ArchiveError::file("the archive")(error.into()))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Paths of the files below `folder`, in order; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let (mut files, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(current) = left.pop() {
        let entries = match std::fs::read_dir(&current) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(ArchiveError::file(current.display()))?,
        };
        for entry in entries {
            let entry = entry.map_err(ArchiveError::file(current.display()))?;
            let kind = entry
                .file_type()
                .map_err(ArchiveError::file(current.display()))?;
            let path = entry.path();
            if kind.is_dir() {
                left.push(path);
            } else if let Ok(inside) = path.strip_prefix(folder)
                && kind.is_file()
            {
                files.push(inside.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}
