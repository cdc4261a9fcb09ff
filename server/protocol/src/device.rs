//! How a device other than the CPU computes, and how it compared with the CPU.

use serde::{Deserialize, Serialize};

use crate::Network;

/// How a GPU's kernels come about: with another driver or compiler it is another device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceBackend {
    /// The device as its driver names it.
    pub name: String,
    /// Graphics API: `Vulkan`, `Metal` or `DX12`.
    pub api: String,
    /// The driver and its version, as it names itself.
    pub driver: String,
    /// What kernels are compiled to: `WGSL`, `SPIR-V` or `MSL`.
    pub compiler: String,
    /// Whether operators are fused into one kernel.
    pub fusion: bool,
    /// Whether kernels are chosen by measuring them on the device.
    pub autotune: bool,
}

/// One training step of a network, computed by a device and by the CPU: logits, loss, the gradient of every
/// parameter and of the images, running statistics, the change of every parameter by the optimiser, and logits after
/// the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceCheck {
    /// The device's identifier.
    pub device: String,
    /// How it computes.
    pub backend: DeviceBackend,
    /// Version of the engine.
    pub engine_version: String,
    /// The revision of what is compared; 0 before revisions were counted.
    #[serde(default)]
    pub revision: u32,
    /// The network.
    pub network: Network,
    /// The network's classes.
    pub classes: u32,
    /// `[batch, 3, height, width]` of the step that was compared: the run's own, with at most 16 images.
    pub shape: [u32; 4],
    /// Images a step of the run; a step of so many fitted into the device's memory.
    pub batch_size: u32,
    /// Largest difference of a tensor's values, over the CPU's largest value in that tensor.
    pub largest_difference: f64,
    /// The tensor that differs most, for example `gradient of body.cifar.conv1.weight`.
    pub tensor: String,
    /// What the difference may be at most.
    pub tolerance: f64,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
}

impl DeviceCheck {
    /// Whether the device computes what the CPU computes.
    pub fn passed(&self) -> bool {
        self.largest_difference <= self.tolerance
    }

    /// Whether `other` was made of the same step, by the same device, driver, compiler and engine.
    pub fn is_of_the_same(&self, other: &DeviceCheck) -> bool {
        let what = |check: &DeviceCheck| {
            (
                check.device.clone(),
                check.backend.clone(),
                (check.engine_version.clone(), check.revision),
                (check.network, check.classes, check.shape, check.batch_size),
            )
        };
        what(self) == what(other)
    }
}
