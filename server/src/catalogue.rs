//! Data sets and devices for training, and downloads under way.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use engine::data;
use engine::devices::DeviceDescription;
use protocol::api::{DatasetFacts, DatasetInfo, DatasetStatus};
use protocol::corruption_evaluation::{CorruptionSource, CorruptionSpec};
use protocol::{Dataset, EvaluationSpec, FieldError};
use tokio::sync::OnceCell;
use tokio::task::JoinError;

use crate::directory::DataDirectory;
use crate::fetch::{Download, Sources, fetch};
use crate::mutex::lock;

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
    fetches: Mutex<HashMap<Download, DatasetStatus>>,
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
                let output = tokio::process::Command::new(&self.0.executable)
                    .args(["devices", "--json"])
                    .stdin(Stdio::null())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .output();
                let devices = match tokio::time::timeout(DEVICES_TIMEOUT, output).await {
                    Ok(Ok(output)) => serde_json::from_slice(&output.stdout).ok(),
                    _ => None,
                };
                devices.unwrap_or_else(|| {
                    tracing::warn!("a GPU driver failed while devices were listed; offering the CPU alone");
                    vec![DeviceDescription {
                        id: engine::devices::CPU.into(),
                        alias: None,
                        name: "CPU".into(),
                        backend: "burn-flex".into(),
                        software: false,
                        note: Some("listing other devices failed: run `selectivity-lab devices` to see why".into()),
                    }]
                })
            })
            .await
    }

    /// The identifier of the device that a spec calls `name`; `name` itself where there is none.
    pub async fn device_id(&self, name: String) -> String {
        let devices = self.devices().await;
        devices
            .iter()
            .find(|device| device.is_called(&name))
            .map_or(name, |device| device.id.clone())
    }

    /// Data sets, installed or not.
    ///
    /// # Errors
    /// When the task that looks at them fails.
    pub async fn datasets(&self) -> Result<Vec<DatasetInfo>, JoinError> {
        let inner = self.0.clone();
        let datasets =
            tokio::task::spawn_blocking(move || data::list(inner.directory.datasets())).await?;
        Ok(datasets
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
        let fetches = self.fetches();
        // A set that a person has installed since is ready, whatever became of the last download.
        let overlay = |status: &mut DatasetStatus, download: &Download| {
            let installed = *status == DatasetStatus::Installed;
            if let Some(fetching) = fetches.get(download)
                && !(installed && matches!(fetching, DatasetStatus::FetchFailed { .. }))
            {
                *status = fetching.clone();
            }
        };
        overlay(&mut info.status, &Download::from(&info.id));
        if let Some(corrupted) = &mut info.corrupted {
            overlay(corrupted, &Download::Corrupted(info.id.clone()));
        }
        info
    }

    /// Why the published corrupted images that `spec` asks for cannot be used; `None` when they can, as far
    /// as a look at the folder tells, or none are asked for.
    pub fn lacks_published(&self, dataset: &Dataset, spec: &CorruptionSpec) -> Option<String> {
        if spec.source != CorruptionSource::Published {
            return None;
        }
        let Some(folder) = data::published_folder(dataset) else {
            return Some(format!(
                "{} has no published corrupted set; choose generated corruptions",
                dataset.label()
            ));
        };
        if *dataset == Dataset::TinyImagenet
            && let Some(extra) = spec
                .corruptions
                .iter()
                .find(|corruption| corruption.is_extra())
        {
            return Some(format!(
                "Tiny ImageNet-C does not publish {extra}; leave it out, or choose generated corruptions"
            ));
        }
        let path = self.0.directory.datasets().join(folder);
        (!path.is_dir()).then(|| {
            format!("{} is not there; fetch it with `selectivity-lab data fetch`, link it there, or choose generated corruptions", path.display())
        })
    }

    /// Why the frost photographs that `spec` names cannot be used: they are missing, or do not suit images as `facts`
    /// describe them.
    ///
    /// # Errors
    /// When the task that looks at them fails.
    pub async fn lacks_photographs(
        &self,
        spec: &EvaluationSpec,
        facts: &DatasetFacts,
    ) -> Result<Vec<FieldError>, JoinError> {
        let corruptions = spec.corruptions.clone().map(|spec| ("corruptions", spec));
        let dimensionality = spec.dimensionality.as_ref();
        let dimensionality = dimensionality.map(|spec| ("dimensionality", spec.corrupted()));
        // Invalid names were refused already, and must not be looked up.
        let named: Vec<_> = corruptions
            .into_iter()
            .chain(dimensionality)
            .filter(|(_, spec)| spec.frost_photographs.is_some() && spec.validate().is_empty())
            .collect();
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let inner = self.0.clone();
        let (height, width) = (facts.height as usize, facts.width as usize);
        tokio::task::spawn_blocking(move || {
            let datasets = inner.directory.datasets();
            let problems = named.into_iter().filter_map(|(kind, spec)| {
                let problem =
                    engine::studies::evaluations::corruptor(&spec, datasets, height, width)
                        .err()?;
                let field = format!("evaluation.{kind}.frost_photographs");
                Some(FieldError::new(field, problem.to_string()))
            });
            problems.collect()
        })
        .await
    }

    fn fetches(&self) -> MutexGuard<'_, HashMap<Download, DatasetStatus>> {
        lock(&self.0.fetches)
    }

    /// Ends downloads; what they have is kept, and the next fetch goes on from there.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Starts a download in the background, unless that is under way.
    pub fn fetch(&self, download: Download) {
        {
            let mut fetches = self.fetches();
            if matches!(fetches.get(&download), Some(DatasetStatus::Fetching { .. })) {
                return;
            }
            let step = "connecting".to_owned();
            fetches.insert(
                download.clone(),
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
                catalogue.fetches().insert(download.clone(), status);
            };
            let directory = catalogue.0.directory.datasets();
            match fetch(
                download.clone(),
                directory,
                &Sources::default(),
                report,
                &catalogue.0.stopping,
            ) {
                Ok(_) => {
                    catalogue.fetches().remove(&download);
                }
                Err(error) => {
                    let message = error.to_string();
                    catalogue
                        .fetches()
                        .insert(download, DatasetStatus::FetchFailed { message });
                }
            }
        });
    }
}
