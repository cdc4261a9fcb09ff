//! `selectivity-lab export EXPERIMENT --out FILE`: an experiment as one file that any store takes.

use std::error::Error;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use crate::archive::{Contents, export};
use crate::commands::output::say;
use crate::directory::{DataDirectory, folder_of};
use crate::store::Store;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The number of the experiment.
    experiment: i64,
    /// The archive to write, for example `experiment.tar.zst`; an older one is replaced.
    #[arg(long)]
    out: PathBuf,
    /// Files of the runs that go with their numbers.
    #[arg(long, value_enum, default_value_t)]
    files: Contents,
    /// Take files only of the runs of these seeds, for example `0,1`; of all when absent.
    #[arg(long, value_delimiter = ',')]
    seeds: Vec<u64>,
}

impl Arguments {
    /// Writes the archive. It only reads the store, also beside a server.
    ///
    /// # Errors
    /// When there is no such experiment, or the file cannot be written; an older one is left as it was then.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.out.display());
        let store = Store::open_in(&directory).await?;
        let file = NamedTempFile::new_in(folder_of(&self.out)).map_err(failed)?;
        let output = file.reopen().map_err(failed)?;
        export(
            &store,
            &directory,
            self.experiment,
            self.files,
            &self.seeds,
            output,
        )
        .await?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.out)
            .map_err(|error| failed(error.error))?;
        say!("{}", self.out.display());
        Ok(())
    }
}
