//! The example experiment for newcomers: an archive that is imported into a new store.

use std::fs::File;
use std::path::Path;

use protocol::annotation::Annotation;

use super::{ArchiveError, Imported, import};
use crate::directory::DataDirectory;
use crate::store::Store;

/// What the example is marked with; whoever makes it their own removes the tag.
const TAG: &str = "example";

/// Imports the archive into a store that has never held an experiment, and marks it as an example; gives its number. Once it is
/// deleted it does not come back.
///
/// # Errors
/// When the archive cannot be read, is damaged, or the store fails; nothing has changed then.
pub async fn import_example(
    store: &Store,
    directory: &DataDirectory,
    archive: &Path,
) -> Result<Option<i64>, ArchiveError> {
    if store.has_ever_held_experiments().await? {
        return Ok(None);
    }
    let file = File::open(archive).map_err(ArchiveError::file(archive.display()))?;
    let id = match import(store, directory, file).await? {
        Imported::New(id) => id,
        Imported::Already(_) => return Ok(None),
    };
    let mut tags = store.experiment(id).await?.tags;
    if !tags.iter().any(|tag| tag == TAG) {
        tags.insert(0, TAG.to_owned());
    }
    let marked = Annotation {
        tags: Some(tags),
        notes: None,
    };
    store.annotate_experiment(id, &marked).await?;
    Ok(Some(id))
}
