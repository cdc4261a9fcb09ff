//! `selectivity-lab import FILE`: an archived experiment, into this store.

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use crate::archive::{Imported, import};
use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::store::Store;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The archive, as `selectivity-lab export` writes it.
    archive: PathBuf,
}

impl Arguments {
    /// Imports the archive, also beside a server.
    ///
    /// # Errors
    /// When it is damaged or its runs are partly here; nothing has changed then.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        let path = self.archive.display();
        let file = File::open(&self.archive).map_err(|error| format!("{path}: {error}"))?;
        let store = Store::open_in(&directory).await?;
        match import(&store, &directory, file)
            .await
            .map_err(|error| format!("{path}: {error}"))?
        {
            Imported::New(id) => say!("experiment {id}"),
            Imported::Already(id) => {
                say!("experiment {id} has its runs already: nothing was changed")
            }
        }
        store.close().await;
        Ok(())
    }
}
