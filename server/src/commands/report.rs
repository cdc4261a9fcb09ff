//! `selectivity-lab report EXPERIMENT --out FILE`: an experiment's report, without a browser.

use std::error::Error;
use std::path::PathBuf;

use protocol::finding::{DEFAULT_WINDOW, window_of};

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
    /// How far, in points, a run's clean accuracy may be from its seed's control for the run to count, 0 to 100.
    #[arg(long, default_value_t = DEFAULT_WINDOW)]
    window: f64,
}

impl Arguments {
    /// Writes the report. It only reads the store, also beside a server.
    ///
    /// # Errors
    /// When there is no such experiment, or the file cannot be written.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let window = window_of(Some(&self.window.to_string()))
            .map_err(|refused| format!("--window: {}", refused.reason))?;
        let store = Store::open_in(&directory).await?;
        let text = report(&store, self.experiment, window).await?;
        std::fs::write(&self.out, text)
            .map_err(|error| format!("{}: {error}", self.out.display()))?;
        say!("{}", self.out.display());
        Ok(())
    }
}
