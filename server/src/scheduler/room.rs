//! Checks for room on the disk. While a disk is full, or the store fails for another reason, nothing new is begun;
//! running workers keep their measurements, wait, and go on by themselves.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::directory::DataDirectory;
use crate::mutex::lock;
use crate::store::StoreError;

/// Below this many bytes nothing new is begun: two checkpoints of the largest network.
const LEAST: u64 = 512 << 20;

/// How long nothing new is begun after the store has failed; then it is tried once more.
const AGAIN: Duration = Duration::from_secs(5);

/// The last failed write, if none has succeeded since.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<Option<Failure>>);

#[derive(Debug, Clone)]
struct Failure {
    what: String,
    at: Instant,
}

impl Room {
    /// Notes whether a write to the store succeeded; gives its result back.
    pub(super) fn note<T>(&self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        match &written {
            Ok(_) => *lock(&self.0) = None,
            Err(StoreError::Database(error)) => {
                *lock(&self.0) = Some(Failure {
                    what: error.to_string(),
                    at: Instant::now(),
                });
            }
            // It was the request's fault, or the measurement's.
            Err(_) => {}
        }
        written
    }

    /// Why nothing new should be begun; `None` when all is well.
    pub(super) fn lacking(&self, directory: &DataDirectory) -> Option<String> {
        if let Some(failure) = lock(&self.0).clone() {
            return Some(format!(
                "the store cannot be written to ({}). Runs in progress keep their measurements and go on; make room or fix the problem",
                failure.what
            ));
        }
        self.full_disk(directory)
    }

    /// Which disk is full, or nearly; `None` when there is room.
    pub(super) fn full_disk(&self, directory: &DataDirectory) -> Option<String> {
        let (store, runs) = (directory.store(), directory.runs());
        let folders = [store.parent().unwrap_or(&runs), &runs];
        folders
            .into_iter()
            .find_map(|folder| short(folder, available(folder)?))
    }

    /// Whether it is too early to try.
    pub(super) fn should_wait(&self, directory: &DataDirectory) -> bool {
        let failure = lock(&self.0).clone();
        match failure {
            Some(failure) => failure.at.elapsed() < AGAIN,
            None => self.lacking(directory).is_some(),
        }
    }
}

/// Bytes that may still be written to the disk of `folder`; `None` where nobody says.
fn available(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

fn short(folder: &Path, available: u64) -> Option<String> {
    (available < LEAST).then(|| {
        format!(
            "the disk of {} has {} MiB left. Runs in progress go on; new ones start once there are {} MiB",
            folder.display(),
            available >> 20,
            LEAST >> 20
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a disk that is nearly full is not mentioned, one with room is, or its bytes are counted in other units.
    #[test]
    fn a_disk_without_room_is_mentioned() {
        let folder = Path::new("/");
        assert_eq!(short(folder, LEAST), None);
        let message = short(folder, LEAST - 1).unwrap();
        assert!(message.contains("511 MiB left"), "{message}");
        let df = std::process::Command::new("df")
            .args(["--output=avail", "-B1", "/"])
            .output()
            .unwrap();
        let df = String::from_utf8(df.stdout).unwrap();
        let expected: u64 = df.lines().nth(1).unwrap().trim().parse().unwrap();
        let bytes = available(folder).unwrap();
        assert!(bytes.abs_diff(expected) < 1 << 30, "{bytes} {expected}");
    }
}
