//! Weights that were trained elsewhere, registered as a run: checked first, then there whole or not at all. A worker
//! measures it as it measures any other.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::EngineError;
use engine::base::digest::sha256;
use engine::networks::{ModelConfig, NetworkError, weights};
use protocol::api::DatasetFacts;
use protocol::origin::{IMPORTED_FILES, ImportRequest};
use protocol::{ExperimentSpec, FieldError, Origin, RunSpec};
use tempfile::TempDir;

use crate::clock::now;
use crate::directory::DataDirectory;
use crate::store::{ImportTarget, Store, StoreError};

/// The beginning of the names of [`staging_folder`]s.
const STAGED: &str = ".importing-";

/// An unfinished import that is older belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The largest weights file, in bytes.
pub const MAXIMUM_BYTES: u64 = 2 << 30;

/// Weights cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What was said of them is wrong.
    #[error("{}", .0.iter().map(|error| format!("{}: {}", error.field, error.reason)).collect::<Vec<_>>().join("; "))]
    Fields(Vec<FieldError>),
    /// The file is no whole file of finite weights of this network; says which tensor.
    #[error("{file}: {reason}")]
    Weights {
        /// The file's name as it was given.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error("cannot keep the file: {0}")]
    Io(#[from] std::io::Error),
    /// A task failed.
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// A folder for files on their way in, beside the runs' folders in `runs`: one an import.
pub(crate) fn staging_folder(runs: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(STAGED)
        // As other runs' folders: this becomes one.
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in(runs)
}

/// A file being imported; dropping this removes it, unless a run has taken it over.
#[derive(Debug)]
pub struct Staged {
    folder: TempDir,
    file: File,
    bytes: u64,
}

impl Staged {
    /// Room for a file in the data directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(directory: &DataDirectory) -> std::io::Result<Staged> {
        let folder = staging_folder(&directory.runs())?;
        let file = File::create(folder.path().join("arriving"))?;
        Ok(Staged {
            folder,
            file,
            bytes: 0,
        })
    }

    /// Adds a part of the file.
    ///
    /// # Errors
    /// When the file becomes larger than [`MAXIMUM_BYTES`], or cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAXIMUM_BYTES {
            return Err(std::io::Error::new(
                ErrorKind::FileTooLarge,
                format!("a weights file may have {MAXIMUM_BYTES} bytes at most"),
            ));
        }
        self.file.write_all(bytes)
    }

    /// Copies the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or written, or is too large.
    pub fn copy(directory: &DataDirectory, path: &Path) -> std::io::Result<Staged> {
        let mut staged = Staged::create(directory)?;
        let mut from = File::open(path)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(staged),
                count => staged.write(&buffer[..count])?,
            }
        }
    }

    /// Gives the file the name under which its run keeps it; gives that path, and the file's checksum.
    fn complete(&self, origin: &mut Origin) -> std::io::Result<PathBuf> {
        self.file.sync_all()?;
        let path = self.folder.path().join(origin.kept_file());
        std::fs::rename(self.folder.path().join("arriving"), &path)?;
        origin.sha256 = sha256(&std::fs::read(&path)?);
        Ok(path)
    }

    /// Becomes the folder of run `id`.
    fn become_run(&self, directory: &DataDirectory, id: i64) -> std::io::Result<()> {
        let folder = directory.run(id);
        if is_orphan(&folder) {
            std::fs::remove_dir_all(&folder)?;
        }
        if folder.exists() {
            return Err(std::io::Error::new(
                ErrorKind::AlreadyExists,
                format!(
                    "{} is there, though no run of this store has that number: it is of another store; move it away",
                    folder.display()
                ),
            ));
        }
        std::fs::rename(self.folder.path(), &folder)?;
        // Flushes both directories before the store says that the run is there.
        for changed in [&folder, &directory.runs()] {
            File::open(changed)?.sync_all()?;
        }
        Ok(())
    }
}

/// Whether a folder holds an imported file and nothing else: what an import leaves that was cut off between the file
/// and the store.
fn is_orphan(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    names.len() == 1 && IMPORTED_FILES.iter().any(|file| names[0] == *file)
}

/// Removes what imports have left that were cut off: files that never became a run's. Nothing of a run that is in the
/// store is touched.
///
/// # Errors
/// When the store fails. A folder that cannot be removed stays.
pub async fn remove_abandoned(store: &Store, directory: &DataDirectory) -> Result<(), StoreError> {
    let Ok(entries) = std::fs::read_dir(directory.runs()) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        // Another process may be importing right now.
        let old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age >= ABANDONED));
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let abandoned = match name.parse::<i64>() {
            Ok(id) if is_orphan(&entry.path()) => {
                matches!(store.holds_run(id).await, Ok(false))
            }
            Ok(_) => false,
            Err(_) => name.starts_with(STAGED),
        };
        if old && abandoned {
            let removed = std::fs::remove_dir_all(entry.path());
            tracing::info!(folder = %entry.path().display(), ?removed, "an import was cut off");
        }
    }
    Ok(())
}

/// `spec` with only the requested run: the request's values replace the experiment's.
pub fn one_run(spec: &ExperimentSpec, request: &ImportRequest) -> ExperimentSpec {
    let mut spec = ExperimentSpec {
        alphas: vec![request.alpha],
        seeds: vec![request.seed],
        ..spec.clone()
    };
    if let Some(epochs) = request.epochs {
        spec.training.epochs = epochs;
    }
    spec
}

/// A number for each of the three channels, such as `0.49,0.48,0.45`; `None` where the text is something else.
pub fn three_numbers(text: &str) -> Option<[f32; 3]> {
    let numbers: Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    numbers.ok()?.try_into().ok()
}

/// Why [`one_run`] cannot be launched, under the names that an import has for it.
pub fn not_launchable(errors: Vec<FieldError>) -> ImportError {
    let renamed = errors.into_iter().map(|error| {
        let field = match error.field.as_str() {
            "alphas" => "alpha",
            "seeds" => "seed",
            "training.epochs" => "epochs",
            other => other,
        };
        FieldError::new(field, error.reason)
    });
    ImportError::Fields(renamed.collect())
}

/// Registers `staged` as a run of `target`, to be measured by a worker; gives the numbers of experiment and run. `spec`
/// is its [`one_run`], which can be launched on a data set of `facts`. Wake the scheduler after it.
///
/// # Errors
/// When anything is wrong with the request or the file; nothing was created then.
pub async fn import(
    store: &Store,
    directory: &DataDirectory,
    target: ImportTarget<'_>,
    (spec, facts): (&ExperimentSpec, &DatasetFacts),
    request: &ImportRequest,
    staged: Staged,
) -> Result<(i64, i64), ImportError> {
    let file = request
        .file
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    if file.is_empty() || file.chars().count() > 255 {
        return Err(ImportError::Fields(vec![FieldError::new(
            "file",
            "name the file, in at most 255 characters: its extension tells safetensors from a PyTorch state dict",
        )]));
    }
    let config = ModelConfig {
        network: spec.network,
        classes: facts.classes.len(),
        // Whether weights fit does not depend on the data set's normalisation.
        mean: request.mean.unwrap_or([0.5; 3]),
        std: request.std.unwrap_or([0.25; 3]),
    };
    let mut origin = Origin {
        file: file.clone(),
        sha256: String::new(),
        imported_at: now(),
        mean: request.mean,
        std: request.std,
    };
    let checked = tokio::task::spawn_blocking(move || -> Result<_, ImportError> {
        let path = staged.complete(&mut origin)?;
        let device = engine::devices::open(engine::devices::CPU);
        match device.and_then(|device| Ok(weights::load(&config, &path, &device)?)) {
            Ok(_) => Ok((staged, origin)),
            Err(error) => Err(refused(&file, error)),
        }
    })
    .await;
    let (staged, origin) = match checked {
        // Only the reader of the uploaded file panicked.
        Err(error) if error.is_panic() => {
            return Err(ImportError::Weights {
                file: request.file.clone(),
                reason: "is damaged: it cannot be read as weights".into(),
            });
        }
        checked => checked??,
    };
    let run = RunSpec {
        origin: Some(origin),
        ..spec.runs().remove(0)
    };
    let imported = store
        .import_run(target, &run, |id| staged.become_run(directory, id))
        .await;
    Ok(imported?)
}

fn refused(file: &str, error: EngineError) -> ImportError {
    let reason = match error {
        // The path is internal to the server.
        EngineError::Network(NetworkError::Weights { reason, .. }) => reason,
        EngineError::Network(NetworkError::Model { reason }) => {
            return ImportError::Fields(vec![FieldError::new("std", reason)]);
        }
        other => other.to_string(),
    };
    ImportError::Weights {
        file: file.to_owned(),
        reason,
    }
}
