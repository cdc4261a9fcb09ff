//! Checks a store for damage before it is used, and copies it while it is in use.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::{Store, StoreError};
use crate::directory::{DataDirectory, folder_of};

/// Stores up to this many bytes are checked before anything else is done; larger ones take seconds, and are checked while
/// the server is at work already.
const CHECKED_AT_ONCE: u64 = 64 << 20;

/// Faults that are named when a store is damaged.
const NAMED_FAULTS: usize = 3;

impl Store {
    /// Opens the store of a data directory, as [`Store::open`], unless it was emptied or is damaged. A large one is still to
    /// be checked with [`check_large`].
    ///
    /// # Errors
    /// When it was emptied or is damaged (nothing has changed then), or cannot be opened.
    pub async fn open_in(directory: &DataDirectory) -> Result<Store, StoreError> {
        let path = directory.store();
        let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let is_new = bytes == 0 || tables(&path).await? == 0;
        if is_new {
            let runs = std::fs::read_dir(directory.runs()).map_or(0, Iterator::count);
            if runs > 0 {
                return Err(StoreError::Emptied {
                    path,
                    folder: directory.runs(),
                    runs,
                });
            }
        } else if bytes <= CHECKED_AT_ONCE {
            check(&path).await?;
        }
        Store::open(&path).await
    }
}

/// Checks the store of a data directory where [`Store::open_in`] has left that for later. Reading every page of 1 GB takes
/// seconds.
///
/// # Errors
/// When it is damaged, or cannot be read.
pub async fn check_large(directory: &DataDirectory) -> Result<(), StoreError> {
    let path = directory.store();
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() > CHECKED_AT_ONCE => check(&path).await,
        _ => Ok(()),
    }
}

/// Writes a copy of the store at `path`, as it is at one moment, to `copy`; a server may be at work on it. The copy is one
/// file, without free pages, and checked.
///
/// # Errors
/// When there is no store, it is damaged, `copy` is there already, or cannot be written.
pub async fn backup(path: &Path, copy: &Path) -> Result<(), StoreError> {
    let unwritable = |source: std::io::Error| StoreError::Copy {
        path: copy.to_owned(),
        source,
    };
    if copy.exists() {
        return Err(unwritable(std::io::ErrorKind::AlreadyExists.into()));
    }
    // Written beside its place, so that a file with the copy's name is always whole.
    let part = tempfile::Builder::new()
        .prefix(".selectivity-lab-backup")
        .tempfile_in(folder_of(copy))
        .map_err(unwritable)?;
    let mut connection = open_for_reading(path).await?;
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(part.path().to_string_lossy().into_owned())
        .execute(&mut connection)
        .await;
    copied.map_err(|error| damaged(path, error))?;
    connection.close().await?;
    check(part.path()).await?;
    part.as_file().sync_all().map_err(unwritable)?;
    part.persist_noclobber(copy)
        .map_err(|error| unwritable(error.error))?;
    Ok(())
}

async fn open_for_reading(path: &Path) -> Result<SqliteConnection, StoreError> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(std::time::Duration::from_secs(10))
        .connect()
        .await
        .map_err(|error| damaged(path, error))
}

async fn tables(path: &Path) -> Result<i64, StoreError> {
    let mut connection = open_for_reading(path).await?;
    let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await;
    let tables = tables.map_err(|error| damaged(path, error))?;
    connection.close().await?;
    Ok(tables)
}

/// SQLite's own check of every page and every row.
async fn check(path: &Path) -> Result<(), StoreError> {
    let mut connection = open_for_reading(path).await?;
    let faults: Result<Vec<String>, sqlx::Error> = sqlx::query_scalar("PRAGMA quick_check(100)")
        .fetch_all(&mut connection)
        .await;
    let faults = faults.map_err(|error| damaged(path, error))?;
    connection.close().await?;
    if faults == ["ok"] {
        return Ok(());
    }
    let mut what = faults
        .iter()
        .take(NAMED_FAULTS)
        .map(|fault| fault.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("; ");
    if faults.len() > NAMED_FAULTS {
        what.push_str("; and more");
    }
    Err(StoreError::Damaged {
        path: path.to_owned(),
        what,
    })
}

/// Tells damage from everything else that SQLite says: `SQLITE_CORRUPT` and `SQLITE_NOTADB`, with their extended codes.
fn damaged(path: &Path, error: sqlx::Error) -> StoreError {
    let code = match &error {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<u32>().ok()),
        _ => None,
    };
    match code.map(|code| code & 0xff) {
        Some(11 | 26) => StoreError::Damaged {
            path: PathBuf::from(path),
            what: error.to_string(),
        },
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::preset::presets;

    use super::*;

    async fn filled() -> (tempfile::TempDir, DataDirectory) {
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(Some(folder.path().to_owned()), None).unwrap();
        let store = Store::open_in(&directory).await.unwrap();
        for _ in 0..20 {
            store
                .create_experiment(&presets().remove(0).spec)
                .await
                .unwrap();
        }
        std::fs::create_dir(directory.run(1)).unwrap();
        store.close().await;
        (folder, directory)
    }

    /// Breaks when what was finished is in the write-ahead log alone after a clean stop: a copy of the file lacks it then.
    #[tokio::test]
    async fn a_closed_store_is_one_file() {
        let (folder, directory) = filled().await;
        assert!(!folder.path().join("store.sqlite-wal").exists());
        let copy = folder.path().join("copy.sqlite");
        std::fs::copy(directory.store(), &copy).unwrap();
        let copy = Store::open(&copy).await.unwrap();
        assert_eq!(copy.experiment(20).await.unwrap().id, 20);
    }

    /// Breaks when a store whose file was emptied, deleted or replaced begins anew without a word, and gives the numbers of
    /// old runs' folders to new runs; or when a new directory is refused.
    #[tokio::test]
    async fn an_emptied_store_is_refused() {
        let (folder, directory) = filled().await;
        std::fs::write(directory.store(), "").unwrap();
        for case in ["emptied", "deleted"] {
            let error = Store::open_in(&directory).await.unwrap_err();
            assert!(
                matches!(error, StoreError::Emptied { runs: 1, .. }),
                "{case}: {error}"
            );
            let text = error.to_string();
            assert!(text.contains("backup") && text.contains("runs"), "{text}");
            std::fs::remove_file(directory.store()).unwrap_or_default();
        }
        assert!(!directory.store().exists(), "it was begun all the same");
        std::fs::remove_dir(directory.run(1)).unwrap();
        Store::open_in(&directory).await.unwrap();
        drop(folder);
    }

    /// Breaks when a store with damaged pages is taken into use, or the refusal does not say what to do.
    #[tokio::test]
    async fn a_damaged_store_is_refused() {
        let (_folder, directory) = filled().await;
        let whole = std::fs::read(directory.store()).unwrap();
        let mut opened = Vec::new();
        let pages = whole.len() / 4096;
        assert!(pages > 8);
        // A page's head, every page in turn, is overwritten; and the file is cut off.
        for page in 0..pages {
            let mut damaged = whole.clone();
            for (offset, byte) in damaged[page * 4096..].iter_mut().take(64).enumerate() {
                *byte ^= 0x5a ^ offset as u8;
            }
            std::fs::write(directory.store(), &damaged).unwrap();
            match Store::open_in(&directory).await {
                Ok(store) => {
                    store.close().await;
                    opened.push(page);
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("backup"), "page {page}: {text}");
                    let same = std::fs::read(directory.store()).unwrap() == damaged;
                    assert!(same, "page {page}: a refused store was written to");
                }
            }
        }
        assert_eq!(opened, Vec::<usize>::new());
        std::fs::write(directory.store(), &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(
            Store::open_in(&directory).await.unwrap_err(),
            StoreError::Damaged { .. }
        ));
        std::fs::write(directory.store(), &whole).unwrap();
        Store::open_in(&directory).await.unwrap();
    }

    /// Breaks when a backup lacks what was just stored, replaces a file, or leaves half of one.
    #[tokio::test]
    async fn a_backup_of_a_store_in_use_is_whole() {
        let (folder, directory) = filled().await;
        let store = Store::open_in(&directory).await.unwrap();
        let last = store
            .create_experiment(&presets().remove(0).spec)
            .await
            .unwrap();
        let copy = folder.path().join("backups.sqlite");
        backup(&directory.store(), &copy).await.unwrap();
        let error = backup(&directory.store(), &copy).await.unwrap_err();
        assert!(matches!(error, StoreError::Copy { .. }), "{error}");
        let copied = Store::open(&copy).await.unwrap();
        assert_eq!(
            copied.experiment(last).await.unwrap(),
            store.experiment(last).await.unwrap()
        );
        let missing = backup(
            &folder.path().join("none.sqlite"),
            &folder.path().join("other"),
        )
        .await;
        assert!(missing.is_err() && !folder.path().join("other").exists());
        let hidden = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with('.')
        });
        assert_eq!(hidden.count(), 0);
    }
}
