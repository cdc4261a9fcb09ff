//! Where everything is kept: the store, the runs' files and the data sets.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use engine::training::run_folder::WEIGHTS_FILE;

/// The data directory: `store.sqlite`, `runs/<id>/`, `datasets/`, and checks of devices in `runs/device-checks/`.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    root: PathBuf,
    datasets: PathBuf,
}

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no home directory to put it in.
    #[error("neither XDG_DATA_HOME nor HOME is set; name a directory with --data")]
    NoHome,
    /// A directory cannot be made.
    #[error("cannot make the directory {path}: {source}; name another with --data")]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl DataDirectory {
    /// The directory at `root` (default: `selectivity-lab` in the user's data home), with data
    /// sets in `datasets` (default: `datasets` inside it). Makes what is missing.
    pub fn open(root: Option<PathBuf>, datasets: Option<PathBuf>) -> Result<Self, DirectoryError> {
        let root = absolute(root.map_or_else(default_root, Ok)?);
        let datasets = absolute(datasets.unwrap_or_else(|| root.join("datasets")));
        for path in [&root.join("runs"), &datasets] {
            std::fs::create_dir_all(path).map_err(|source| DirectoryError::Create {
                path: path.clone(),
                source,
            })?;
        }
        Ok(DataDirectory { root, datasets })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where runs keep their files, each in a folder of its number.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The SQLite file.
    pub fn store(&self) -> PathBuf {
        self.root.join("store.sqlite")
    }

    /// The file whose lock says that a scheduler is at work on this store.
    pub fn lock(&self) -> PathBuf {
        self.root.join("scheduler.lock")
    }

    /// Where data sets are looked for.
    pub fn datasets(&self) -> &Path {
        &self.datasets
    }

    /// Where a run keeps its files. Not made here.
    pub fn run(&self, run_id: i64) -> PathBuf {
        self.runs().join(run_id.to_string())
    }

    /// Where a trained run keeps its weights; they may not be here, as after an import of numbers alone.
    pub fn weights(&self, run_id: i64) -> PathBuf {
        self.run(run_id).join(WEIGHTS_FILE)
    }

    /// Where an experiment keeps what was handed over to a cluster: beside the runs, on the disk that its nodes share. Not made
    /// here.
    pub fn experiment(&self, experiment_id: i64) -> PathBuf {
        self.runs().join(format!("experiment-{experiment_id}"))
    }

    /// Where a submission of an experiment keeps its files. Not made here.
    pub fn submission(&self, experiment_id: i64, key: &str) -> PathBuf {
        self.experiment(experiment_id)
            .join(format!("submission-{key}"))
    }

    /// Where checks of devices are kept: beside the runs, for workers that know nothing but their run's folder. Not made here.
    pub fn device_checks(&self) -> PathBuf {
        self.runs().join(engine::self_check::FOLDER)
    }

    /// A directory for short measurements that leave nothing behind.
    pub fn calibration(&self) -> PathBuf {
        self.root.join("calibration")
    }
}

fn default_root() -> Result<PathBuf, DirectoryError> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|home| home.join("selectivity-lab"))
        .ok_or(DirectoryError::NoHome)
}

fn absolute(path: PathBuf) -> PathBuf {
    // Fails only for an empty path or a deleted working directory; the path as given then says so itself.
    std::path::absolute(&path).unwrap_or(path)
}

/// The folder that a file is in, or is to be written to.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes a file; there may be none.
pub(crate) fn remove_file(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes the files of a run or an experiment that is deleted; there may be none.
pub(crate) async fn remove_folder(folder: &Path) {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(%error, folder = %folder.display(), "the folder of what was deleted stays");
        }
        _ => {}
    }
}
