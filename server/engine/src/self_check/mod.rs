//! Does a device compute what the CPU computes?
//!
//! A driver or a compiler can make a wrong kernel and say nothing. A wrong number must never look like a result, so
//! every device but the CPU proves itself before a run begins on it: one training step of the run's own network, on
//! images of its size, against the CPU, tensor by tensor ([`check`]). [`verify`] compares every operator and whole steps
//! with the CPU, for a new device or driver.

mod difference;
mod fits;
mod operators;
mod training_step;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use burn::tensor::Device;
use protocol::device::DeviceCheck;

use crate::base::files::write_atomically;
use crate::{EngineError, devices};

use difference::Named;

pub use difference::Difference;
pub use operators::{Case, cases};
pub use training_step::Step;

/// What a tensor of a training step may differ by, relative to its largest value. A wrong kernel is off by 1e-2 and more. Most
/// tensors agree within 1e-5; sums that nearly cancel do not, because a batch norm takes away what they add up to: the shift and
/// the weights before it (7e-4 measured on SwiftShader for a shift of ResNet20).
pub const TOLERANCE: f64 = 1e-3;

/// What an operator's tensor may differ by, relative to its largest value: 2.1e-6 is the most that was measured.
pub const OPERATOR_TOLERANCE: f64 = 1e-4;

/// The revision of what [`check`] compares; a check of an earlier one is made again. 2: images arrive as bytes.
const REVISION: u32 = 2;

/// The folder, beside those of runs, where checks are kept.
pub const FOLDER: &str = "device-checks";

/// Compares `device` with the CPU on one training step as a run with `step` makes it, and sees that a step of all its
/// images fits into the device's memory. A check that passed is kept in `folder` and not repeated for the same device,
/// driver, compiler, engine, network and batch shape. `None` on the CPU.
///
/// # Errors
/// [`EngineError::Disagrees`] when a tensor differs by more than [`TOLERANCE`], [`EngineError::DeviceMemory`] when a
/// step does not fit, [`EngineError::Device`] when the device does not get through one, and when the folder cannot be
/// written.
pub fn check(
    id: &str,
    device: &Device,
    step: Step,
    folder: &Path,
) -> Result<Option<DeviceCheck>, EngineError> {
    let Some(check) = begin(id, device, &step) else {
        return Ok(None);
    };
    let passed_earlier = earlier(folder)
        .into_iter()
        .find(|earlier| earlier.is_of_the_same(&check) && earlier.passed());
    if passed_earlier.is_some() {
        return Ok(passed_earlier);
    }
    let check = compare(check, &step, device)?;
    if check.passed() {
        let [compared, ..] = step.compared().shape;
        fits::check(id, compared, step.shape[0], |batch| {
            step.fits(batch, device)
        })?;
    }
    save(&check, folder)?;
    accept(check).map(Some)
}

/// Compares `device` with the CPU on one training step, and keeps nothing. `None` on the CPU.
///
/// # Errors
/// [`EngineError::Disagrees`] when a tensor differs by more than [`TOLERANCE`].
pub fn check_once(
    id: &str,
    device: &Device,
    step: Step,
) -> Result<Option<DeviceCheck>, EngineError> {
    begin(id, device, &step)
        .map(|check| accept(compare(check, &step, device)?))
        .transpose()
}

/// A check without a comparison so far.
fn begin(id: &str, device: &Device, step: &Step) -> Option<DeviceCheck> {
    Some(DeviceCheck {
        device: id.to_owned(),
        backend: devices::backend(id, device)?,
        engine_version: env!("CARGO_PKG_VERSION").into(),
        revision: REVISION,
        network: step.config.network,
        classes: step.config.classes as u32,
        shape: step.compared().shape.map(|size| size as u32),
        batch_size: step.shape[0] as u32,
        largest_difference: f64::MAX,
        tensor: "nothing was compared".into(),
        tolerance: TOLERANCE,
        at: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_millis() as i64),
    })
}

/// The check, with the device's largest difference from the CPU.
///
/// # Errors
/// [`EngineError::Device`] when the device does not get through the step.
fn compare(
    mut check: DeviceCheck,
    step: &Step,
    device: &Device,
) -> Result<DeviceCheck, EngineError> {
    let differences =
        fits::caught(|| Ok(against_cpu(&step.compared(), device))).map_err(|reason| {
            EngineError::Device {
                id: check.device.clone(),
                reason: format!(
                    "a training step of {} images failed: {reason}",
                    check.shape[0]
                ),
            }
        })?;
    if let Some(largest) = difference::largest(&differences) {
        check.largest_difference = largest.relative;
        check.tensor = largest.name.clone();
    }
    Ok(check)
}

fn accept(check: DeviceCheck) -> Result<DeviceCheck, EngineError> {
    if check.passed() {
        return Ok(check);
    }
    Err(EngineError::Disagrees {
        id: check.device,
        what: check.tensor,
        network: check.network,
        difference: check.largest_difference,
    })
}

/// Checks that were kept in `folder`, the newest first; files that cannot be read are left out.
pub fn earlier(folder: &Path) -> Vec<DeviceCheck> {
    let Ok(files) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut checks: Vec<DeviceCheck> = files
        .filter_map(|file| std::fs::read(file.ok()?.path()).ok())
        .filter_map(|bytes| serde_json::from_slice(&bytes).ok())
        .collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.at));
    checks
}

fn save(check: &DeviceCheck, folder: &Path) -> Result<(), EngineError> {
    std::fs::create_dir_all(folder).map_err(EngineError::file("cannot create", folder))?;
    let json = serde_json::to_vec_pretty(check).map_err(|error| EngineError::Input {
        path: folder.to_owned(),
        reason: error.to_string(),
    })?;
    let [_, _, height, width] = check.shape;
    let backend = &check.backend;
    let name: String = format!(
        "{} {} {}x{height}x{width} {} {}{}{} {} {} {}",
        check.network,
        check.classes,
        check.batch_size,
        backend.api,
        backend.compiler,
        if backend.fusion { " fusion" } else { "" },
        if backend.autotune { " autotune" } else { "" },
        check.device,
        backend.name,
        backend.driver,
    )
    .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
    .chars()
    .take(180)
    .collect();
    Ok(write_atomically(
        &folder.join(format!("{name}.json")),
        &json,
    )?)
}

fn against_cpu(step: &Step, device: &Device) -> Vec<Difference> {
    differences(&|device| step.compute(device), device)
}

/// How what a device computes differs from what the CPU computes. A device that tunes itself computes twice, and both count:
/// the first time it tries kernels, from the second on it uses those that it chose (burn #5257 is wrong from then on).
fn differences(compute: &dyn Fn(&Device) -> Vec<Named>, device: &Device) -> Vec<Difference> {
    let expected = compute(&Device::flex());
    let mut found = difference::differences(&compute(device), &expected);
    if devices::IS_TUNED {
        found.extend(difference::differences(&compute(device), &expected));
    }
    found
}

/// Compares a device with the CPU, tensor by tensor: every operator, then a training step of each of `steps`.
/// `report` gets each case's name, its differences and their tolerance.
pub fn verify(device: &Device, steps: &[Step], report: &mut dyn FnMut(&str, &[Difference], f64)) {
    for case in cases() {
        let differences = differences(&|device| case.compute(device), device);
        report(&case.name, &differences, OPERATOR_TOLERANCE);
    }
    for step in steps {
        let [batch, _, height, width] = step.shape;
        let name = format!(
            "training step of {}, {batch} images of {height}x{width}",
            step.config.network
        );
        report(&name, &against_cpu(step, device), TOLERANCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Network;
    use protocol::device::DeviceBackend;

    fn device_check(driver: &str, largest_difference: f64, at: i64) -> DeviceCheck {
        DeviceCheck {
            device: "wgpu:0000:01:00.0".into(),
            backend: DeviceBackend {
                name: "A card".into(),
                api: "Vulkan".into(),
                driver: driver.into(),
                compiler: "WGSL".into(),
                fusion: false,
                autotune: false,
            },
            engine_version: "0.1.0".into(),
            revision: REVISION,
            network: Network::ResNet8,
            classes: 10,
            shape: [16, 3, 32, 32],
            batch_size: 128,
            largest_difference,
            tensor: "logits after the step".into(),
            tolerance: TOLERANCE,
            at,
        }
    }

    /// Breaks when a check is not found again, is believed for another driver, shape or compiler, or one that failed
    /// lets a run begin.
    #[test]
    fn checks_are_kept_for_their_device_alone() {
        let folder = tempfile::tempdir().unwrap();
        let passed = device_check("1.0", 1e-6, 1);
        save(&passed, folder.path()).unwrap();
        save(&device_check("2.0", 0.97, 2), folder.path()).unwrap();
        let kept = earlier(folder.path());
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[1], passed);
        assert!(kept[0].at == 2 && !kept[0].passed());
        assert!(device_check("1.0", f64::MAX, 3).is_of_the_same(&passed));
        for other in [
            device_check("2.0", 1e-6, 1),
            DeviceCheck {
                batch_size: 64,
                ..passed.clone()
            },
            DeviceCheck {
                network: Network::ResNet20,
                ..passed.clone()
            },
            DeviceCheck {
                classes: 100,
                ..passed.clone()
            },
            DeviceCheck {
                backend: DeviceBackend {
                    compiler: "SPIR-V".into(),
                    ..passed.backend.clone()
                },
                ..passed.clone()
            },
            DeviceCheck {
                backend: DeviceBackend {
                    fusion: true,
                    ..passed.backend.clone()
                },
                ..passed.clone()
            },
            DeviceCheck {
                backend: DeviceBackend {
                    autotune: true,
                    ..passed.backend.clone()
                },
                ..passed.clone()
            },
        ] {
            assert!(!other.is_of_the_same(&passed), "{other:?}");
            save(&other, folder.path()).unwrap();
            assert!(earlier(folder.path()).contains(&passed), "{other:?}");
        }
        let earlier_revision = DeviceCheck {
            revision: 0,
            ..passed.clone()
        };
        assert!(!earlier_revision.is_of_the_same(&passed));
        assert!(accept(passed).is_ok());
        let refused = accept(device_check("2.0", 0.97, 2))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("logits after the step") && refused.contains("9.7e-1"),
            "{refused}"
        );
        assert!(accept(device_check("2.0", f64::NAN, 2)).is_err());
    }
}
