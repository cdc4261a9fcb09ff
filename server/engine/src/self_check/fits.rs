//! Does a training step fit into a device's memory, and if not, what would?

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::EngineError;

/// Runs steps with twice as many images each time, from `known` images, which fit, to `batch_size`. Upwards, because a
/// device that ran out of memory may not recover in this process.
///
/// # Errors
/// [`EngineError::DeviceMemory`] with the last batch that fitted.
pub(super) fn check(
    id: &str,
    known: usize,
    batch_size: usize,
    mut step: impl FnMut(usize) -> Result<(), String>,
) -> Result<(), EngineError> {
    let mut fits = known;
    while fits < batch_size {
        let next = (2 * fits).min(batch_size);
        let reason = match caught(|| step(next)) {
            Ok(()) => {
                fits = next;
                continue;
            }
            Err(reason) => reason,
        };
        return Err(EngineError::DeviceMemory {
            id: id.to_owned(),
            batch_size,
            failed: next,
            fits,
            reason,
        });
    }
    Ok(())
}

/// The result of `compute`, or why it failed: wgpu panics where a buffer cannot be made or a kernel is refused.
///
/// # Errors
/// The device's reason.
pub(super) fn caught<T>(compute: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|panic| {
        Err(panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()))
            .unwrap_or_else(|| "it panicked".into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a batch size is advised that was not tried, a larger one is tried after one that failed, the run's
    /// own is not tried, or a panic of the driver takes the worker along.
    #[test]
    fn the_batch_size_that_fits_is_named() {
        let mut tried = Vec::new();
        let mut attempt = |batch_size: usize, limit: usize, panics: bool| {
            tried.clear();
            let result = check("gpu", 16, batch_size, |batch| {
                tried.push(batch);
                match batch <= limit {
                    true => Ok(()),
                    false if panics => panic!("Out of Memory"),
                    false => Err("Out of Memory".into()),
                }
            });
            (result.map_err(|error| error.to_string()), tried.clone())
        };
        assert_eq!(attempt(100, 100, false), (Ok(()), vec![32, 64, 100]));
        assert_eq!(attempt(16, 0, false), (Ok(()), vec![]));
        assert_eq!(attempt(8, 0, false), (Ok(()), vec![]));
        for panics in [false, true] {
            let (result, tried) = attempt(4096, 600, panics);
            let error = result.unwrap_err();
            assert!(
                error.contains("512 images fit") && error.contains("Out of Memory"),
                "{error}"
            );
            assert_eq!(tried.last(), Some(&1024));
        }
    }
}
