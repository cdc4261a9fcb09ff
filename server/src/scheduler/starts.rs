//! Devices on which nothing starts. A missing program or a machine without file descriptors would fail every run of a queue
//! in milliseconds: after a few failed starts in a row a device is paused instead, and its queue waits.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::mutex::lock;

/// Failed starts in a row after which a device is paused.
pub(super) const FAILED_STARTS: u32 = 3;

/// Failed starts in a row, and pauses, by device.
#[derive(Debug, Default)]
pub(super) struct Starts(Mutex<HashMap<String, RecentStarts>>);

#[derive(Debug, Default)]
struct RecentStarts {
    failed: u32,
    /// Why the device is paused.
    paused: Option<String>,
}

impl Starts {
    /// Counts a worker of `device` that never began, and pauses the device when it was one too many.
    pub(super) fn failed(&self, device: &str, reason: &str) {
        let mut devices = lock(&self.0);
        let lately = devices.entry(device.to_owned()).or_default();
        lately.failed += 1;
        if lately.failed >= FAILED_STARTS && lately.paused.is_none() {
            tracing::error!(
                device,
                reason,
                "paused: {FAILED_STARTS} starts failed in a row"
            );
            lately.paused = Some(format!(
                "{FAILED_STARTS} starts failed in a row; the last: {reason}"
            ));
        }
    }

    /// A worker of `device` has begun.
    pub(super) fn succeeded(&self, device: &str) {
        if let Some(lately) = lock(&self.0).get_mut(device) {
            lately.failed = 0;
        }
    }

    /// Why `device` is paused; `None` when it is not.
    pub(super) fn paused(&self, device: &str) -> Option<String> {
        lock(&self.0).get(device)?.paused.clone()
    }

    /// Takes `device` into use again; `false` when it was not paused.
    pub(super) fn resume(&self, device: &str) -> bool {
        lock(&self.0)
            .remove(device)
            .is_some_and(|lately| lately.paused.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when failures that are not in a row pause a device, or one device's failures another.
    #[test]
    fn only_failures_in_a_row_pause_a_device() {
        let starts = Starts::default();
        for _ in 0..5 {
            for _ in 1..FAILED_STARTS {
                starts.failed("cpu", "no file descriptors");
            }
            starts.failed("wgpu", "no driver");
            starts.succeeded("wgpu");
            starts.succeeded("cpu");
        }
        assert_eq!(starts.paused("cpu"), None);
        for _ in 0..FAILED_STARTS {
            assert_eq!(starts.paused("cpu"), None);
            starts.failed("cpu", "no file descriptors");
        }
        assert!(
            starts
                .paused("cpu")
                .unwrap()
                .contains("no file descriptors")
        );
        assert_eq!(starts.paused("wgpu"), None);
        assert!(starts.resume("cpu") && !starts.resume("cpu"));
        assert_eq!(starts.paused("cpu"), None);
    }
}
