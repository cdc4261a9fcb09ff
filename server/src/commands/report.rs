//! `selectivity-lab report EXPERIMENT --out FILE`: an experiment's report, without a browser.

use std::error::Error;
use std::path::PathBuf;

use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::report::report;
use crate::store::Store;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The number of the experiment.
    experiment: i64,
    /// The HTML file to write; an older one is replaced.
    #[arg(long)]
    out: PathBuf,
}

impl Arguments {
    /// Writes the report. It only reads the store, also beside a server.
    ///
    /// # Errors
    /// When there is no such experiment, or the file cannot be written.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let store = Store::open_in(&directory).await?;
        let text = report(&store, self.experiment).await?;
        std::fs::write(&self.out, text)
            .map_err(|error| format!("{}: {error}", self.out.display()))?;
        say!("{}", self.out.display());
        Ok(())
    }
}
