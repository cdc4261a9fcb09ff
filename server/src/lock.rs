//! One scheduler a store: two that share one would both start the same runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held for as long as a scheduler is at work on a store. The operating system lets go of it
/// when the process ends, however it ends, so there is never a stale lock to remove.
#[derive(Debug)]
pub struct StoreLock {
    file: File,
    path: PathBuf,
}

/// The store cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process works on it.
    #[error(
        "the store beside {path} is in use by {holder}; launch the experiment there, end that process, or name another directory with --data"
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl LockError {
    /// The address of the server that holds the lock, if a server does.
    pub fn server(&self) -> Option<&str> {
        let LockError::Held { holder, .. } = self else {
            return None;
        };
        holder.strip_prefix("the server at ")?.split(' ').next()
    }
}

impl StoreLock {
    /// Locks, and says in the file who holds it, for example `the server at http://127.0.0.1:3000`.
    pub fn acquire(path: &Path, holder: &str) -> Result<StoreLock, LockError> {
        let failed = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The name is a courtesy: a holder that has not written it yet still holds the lock.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                return Err(LockError::Held {
                    path: path.to_owned(),
                    holder: if holder.is_empty() {
                        "another process"
                    } else {
                        holder
                    }
                    .to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut lock = StoreLock {
            file,
            path: path.to_owned(),
        };
        lock.describe(holder)?;
        Ok(lock)
    }

    /// Says anew who holds the lock.
    pub fn describe(&mut self, holder: &str) -> Result<(), LockError> {
        let text = format!("{holder} (process {})\n", std::process::id());
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(|source| LockError::Io {
                path: self.path.clone(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: not locking, or an error that does not say who holds the store.
    #[test]
    fn a_second_holder_is_refused_and_told_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scheduler.lock");
        let first = StoreLock::acquire(&path, "the first").unwrap();
        let error = StoreLock::acquire(&path, "the second").unwrap_err();
        assert!(error.to_string().contains("the first (process "), "{error}");
        assert_eq!(error.server(), None);
        drop(first);
        let server = StoreLock::acquire(&path, "the server at http://[::1]:3000").unwrap();
        let error = StoreLock::acquire(&path, "a second").unwrap_err();
        assert_eq!(error.server(), Some("http://[::1]:3000"));
        drop(server);
        StoreLock::acquire(&path, "the second").unwrap();
    }
}
