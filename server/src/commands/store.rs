//! `selectivity-lab store`: care for the store.

use std::error::Error;
use std::path::PathBuf;

use crate::archive::rebuild;
use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::lock::StoreLock;
use crate::store::backup;

/// Arguments of `store`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write a copy of the store, as it is at one moment, to a new file; a server may be at work on it.
    Backup {
        /// The file to write. To go back to it, stop the server and put it in the place of `store.sqlite`.
        file: PathBuf,
    },
    /// Make a lost store anew from the folders of its runs, in its place.
    Rebuild,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// When the store or the folders cannot be read, or the new file not be written.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        match self {
            Command::Backup { file } => {
                backup(&directory.store(), &file).await?;
                say!("{}", file.display());
            }
            Command::Rebuild => {
                let lock =
                    StoreLock::acquire(&directory.lock(), "`selectivity-lab store rebuild`")?;
                let rebuilt = rebuild(&directory, &lock).await?;
                for reason in &rebuilt.left_out {
                    say!("left out: {reason}");
                }
                say!(
                    "{} runs of {} experiments",
                    rebuilt.runs,
                    rebuilt.experiments
                );
            }
        }
        Ok(())
    }
}
