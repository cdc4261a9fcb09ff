//! `selectivity-lab data`: what data sets there are, and fetching them.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use engine::data;
use indicatif::{ProgressBar, ProgressStyle};
use protocol::Dataset;
use protocol::api::DatasetStatus;

use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::fetch::{Download, Sources, fetch};

/// Arguments of `data`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the data sets and where they are.
    List,
    /// Read a whole data set and check it.
    Check {
        /// builtin, cifar10, tiny-imagenet or folder:NAME.
        dataset: Dataset,
    },
    /// Download a published data set, or the corrupted copy of its test images.
    Fetch {
        /// cifar10, tiny-imagenet, cifar10-c or tiny-imagenet-c.
        dataset: Download,
    },
    /// Make a folder of <split>/<class>/*.{png,jpg} known as folder:NAME.
    Add {
        /// What to call it: letters, digits, `.`, `_`, `-`.
        name: String,
        /// The folder.
        path: PathBuf,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// When a data set is missing, broken, or cannot be fetched.
    pub fn run(self, directory: &DataDirectory) -> Result<(), Box<dyn Error>> {
        match self {
            Command::List => {
                for dataset in data::list(directory.datasets()) {
                    let status = match &dataset.status {
                        DatasetStatus::Installed => "installed".to_owned(),
                        DatasetStatus::Missing => "missing".to_owned(),
                        DatasetStatus::Broken { message } => format!("broken: {message}"),
                        other => format!("{other:?}"),
                    };
                    let path = dataset.path.unwrap_or_default();
                    say!("{:<20} {status:<12} {path}", dataset.id.to_string());
                }
            }
            Command::Check { dataset } => {
                let loaded = data::load(&dataset, directory.datasets())?;
                say!(
                    "{dataset}: {} training and {} test images of {}x{}, {} classes",
                    loaded.train.len(),
                    loaded.test.len(),
                    loaded.train.height(),
                    loaded.train.width(),
                    loaded.classes.len()
                );
            }
            Command::Fetch { dataset } => {
                let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
                    "{msg} {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
                )?);
                let path = fetch(
                    dataset.clone(),
                    directory.datasets(),
                    &Sources::default(),
                    &mut |progress| {
                        bar.set_message(progress.step.to_string());
                        bar.set_length(progress.total_bytes.unwrap_or(progress.bytes));
                        bar.set_position(progress.bytes);
                    },
                    &AtomicBool::new(false),
                )?;
                bar.finish_and_clear();
                say!("{dataset} is in {}", path.display());
            }
            Command::Add { name, path } => {
                let dataset: Dataset = format!("folder:{name}").parse()?;
                let target = std::fs::canonicalize(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let link = directory.datasets().join(&name);
                std::os::unix::fs::symlink(&target, &link)
                    .map_err(|error| format!("cannot link {}: {error}", link.display()))?;
                if let Err(error) = data::load(&dataset, directory.datasets()) {
                    std::fs::remove_file(&link)?;
                    return Err(error.into());
                }
                say!("{dataset} is {}", target.display());
            }
        }
        Ok(())
    }
}
