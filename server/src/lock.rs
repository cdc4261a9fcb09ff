//! Files that only one process may use; and one scheduler per store: two would both start the same runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

/// A file that is locked until this is dropped, or the process ends.
///
/// Unlocked by name when it is dropped: closing it is not enough, since a child that is started at that moment has the file open too
/// until it has become another program, and would hold the lock meanwhile.
#[derive(Debug)]
pub struct LockedFile(File);

/// The result of locking a file.
#[derive(Debug)]
pub enum Locking {
    /// It is ours.
    Ours(LockedFile),
    /// Another process, or another part of this one, has it; the file can be read all the same.
    Held(File),
}

impl LockedFile {
    /// Opens a file, which is created where there is none, and locks it without waiting.
    ///
    /// # Errors
    /// When it cannot be opened or locked.
    pub fn open(path: &Path) -> io::Result<Locking> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Locking::Ours(LockedFile(file))),
            Err(TryLockError::WouldBlock) => Ok(Locking::Held(file)),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // If this fails, closing the file unlocks it.
        let _ = self.0.unlock();
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for LockedFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

/// Held for as long as a scheduler is at work on a store. The operating system lets go of it
/// when the process ends, however it ends, so there is never a stale lock to remove.
#[derive(Debug)]
pub struct StoreLock {
    file: LockedFile,
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
        let file = match LockedFile::open(path).map_err(failed)? {
            Locking::Ours(file) => file,
            Locking::Held(mut file) => {
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
        };
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

    /// Breaks when a lock outlives its drop because a child that was started meanwhile still has the file open.
    #[test]
    fn a_dropped_lock_is_free_whoever_has_the_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let Locking::Ours(first) = LockedFile::open(&path).unwrap() else {
            panic!("nobody else has it");
        };
        assert!(matches!(LockedFile::open(&path).unwrap(), Locking::Held(_)));
        // What a child process holds between fork and exec.
        let same = first.try_clone().unwrap();
        drop(first);
        assert!(matches!(LockedFile::open(&path).unwrap(), Locking::Ours(_)));
        drop(same);
    }

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
