//! What there is to train on and with: data sets, devices, and downloads under way.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::data;
use engine::devices::DeviceDescription;
use protocol::Dataset;
use protocol::api::{DatasetInfo, DatasetStatus};
use tokio::sync::OnceCell;
use tokio::task::JoinError;

use crate::directory::DataDirectory;
use crate::fetch::{Sources, fetch};

/// How long the devices may take to answer: a cold GPU driver needs seconds.
const DEVICES_TIMEOUT: Duration = Duration::from_secs(30);

/// A handle to the catalogue; clones share it.
#[derive(Clone)]
pub struct Catalogue(Arc<Inner>);

struct Inner {
    directory: DataDirectory,
    executable: PathBuf,
    devices: OnceCell<Vec<DeviceDescription>>,
    /// Downloads under way or failed, by data set.
    fetches: Mutex<HashMap<Dataset, DatasetStatus>>,
    /// Ends every download within a second.
    stopping: AtomicBool,
}

impl Catalogue {
    /// A catalogue of `directory`; `executable devices --json` is asked for the devices.
    pub fn new(directory: DataDirectory, executable: PathBuf) -> Self {
        Catalogue(Arc::new(Inner {
            directory,
            executable,
            devices: OnceCell::new(),
            fetches: Mutex::default(),
            stopping: AtomicBool::new(false),
        }))
    }

    /// The devices, found once by a child process: a driver that crashes must not take the server along.
    pub async fn devices(&self) -> &[DeviceDescription] {
        self.0
            .devices
            .get_or_init(|| async {
                let asked = tokio::process::Command::new(&self.0.executable)
                    .args(["devices", "--json"])
                    .stdin(Stdio::null())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .output();
                let found = match tokio::time::timeout(DEVICES_TIMEOUT, asked).await {
                    Ok(Ok(output)) => serde_json::from_slice(&output.stdout).ok(),
                    _ => None,
                };
                found.unwrap_or_else(|| {
                    tracing::warn!("a GPU driver failed while devices were listed; offering the CPU alone");
                    vec![DeviceDescription {
                        id: engine::devices::CPU.into(),
                        name: "CPU".into(),
                        backend: "burn-flex".into(),
                        software: false,
                        note: Some("listing other devices failed: run `selectivity-lab devices` to see why".into()),
                    }]
                })
            })
            .await
    }

    /// Data sets, installed or not.
    ///
    /// # Errors
    /// When the task that looks at them fails.
    pub async fn datasets(&self) -> Result<Vec<DatasetInfo>, JoinError> {
        let inner = self.0.clone();
        let found =
            tokio::task::spawn_blocking(move || data::list(inner.directory.datasets())).await?;
        Ok(found
            .into_iter()
            .map(|info| self.with_fetch(info))
            .collect())
    }

    /// One data set.
    ///
    /// # Errors
    /// When the task that looks at it fails.
    pub async fn dataset(&self, dataset: Dataset) -> Result<DatasetInfo, JoinError> {
        let inner = self.0.clone();
        let info = tokio::task::spawn_blocking(move || {
            data::describe(&dataset, inner.directory.datasets())
        })
        .await?;
        Ok(self.with_fetch(info))
    }

    fn with_fetch(&self, mut info: DatasetInfo) -> DatasetInfo {
        // A set that a person has put there since is there, whatever the last download came to.
        let installed = info.status == DatasetStatus::Installed;
        if let Some(status) = self.fetches().get(&info.id)
            && !(installed && matches!(status, DatasetStatus::FetchFailed { .. }))
        {
            info.status = status.clone();
        }
        info
    }

    fn fetches(&self) -> MutexGuard<'_, HashMap<Dataset, DatasetStatus>> {
        // A panic elsewhere leaves the map whole: every change is one call.
        self.0
            .fetches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends downloads; what they have is kept, and the next fetch goes on from there.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Starts to download a data set in the background, unless that is under way.
    pub fn fetch(&self, dataset: Dataset) {
        {
            let mut fetches = self.fetches();
            if matches!(fetches.get(&dataset), Some(DatasetStatus::Fetching { .. })) {
                return;
            }
            let step = "connecting".to_owned();
            fetches.insert(
                dataset.clone(),
                DatasetStatus::Fetching {
                    step,
                    bytes: 0,
                    total_bytes: None,
                },
            );
        }
        let catalogue = self.clone();
        tokio::task::spawn_blocking(move || {
            let report = &mut |progress: crate::fetch::FetchProgress| {
                let status = DatasetStatus::Fetching {
                    step: progress.step.to_string(),
                    bytes: progress.bytes,
                    total_bytes: progress.total_bytes,
                };
                catalogue.fetches().insert(dataset.clone(), status);
            };
            let directory = catalogue.0.directory.datasets();
            match fetch(
                &dataset,
                directory,
                &Sources::default(),
                report,
                &catalogue.0.stopping,
            ) {
                Ok(_) => {
                    catalogue.fetches().remove(&dataset);
                }
                Err(error) => {
                    let message = error.to_string();
                    catalogue
                        .fetches()
                        .insert(dataset, DatasetStatus::FetchFailed { message });
                }
            }
        });
    }
}
