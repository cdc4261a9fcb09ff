//! `selectivity-lab store`: care for the store.

use std::error::Error;
use std::path::PathBuf;

use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::store::backup;

/// Arguments of `store`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write a copy of the store, as it is at one moment, to a new file; a server may be at work on it.
    Backup {
        /// The file to write. To go back to it, stop the server and put it in the place of `store.sqlite`.
        file: PathBuf,
    },
}

impl Command {
    /// Does what was asked.
    ///
    /// # Errors
    /// When the store cannot be read, or the copy not be written.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let Command::Backup { file } = self;
        backup(&directory.store(), &file).await?;
        say!("{}", file.display());
        Ok(())
    }
}
