//! Devices that train: the CPU, and what wgpu finds.
//!
//! Listing asks GPU drivers, and a driver can crash its process: only a worker or another child
//! process should ask.

#[cfg_attr(feature = "wgpu", path = "devices/gpu.rs")]
#[cfg_attr(not(feature = "wgpu"), path = "devices/no_gpu.rs")]
mod gpu;

use burn::tensor::Device;
use protocol::device::DeviceBackend;
use serde::{Deserialize, Serialize};

use crate::EngineError;

/// A device, by the name that specs use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDescription {
    /// `cpu`; `wgpu:` and a PCI address where the driver tells it, for example `wgpu:0000:01:00.0`; else by kind and
    /// order: `wgpu:discrete:<n>`, `wgpu:metal:integrated:<n>`, …; `wgpu:software`.
    pub id: String,
    /// Another name by which specs may call it: by kind and order, which change when a card is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The device as its driver names it.
    pub name: String,
    /// How it computes.
    pub backend: String,
    /// Whether it emulates a GPU on the CPU.
    pub software: bool,
    /// What a person should know before choosing it.
    pub note: Option<String>,
}

impl DeviceDescription {
    /// Whether a spec that names `id` means this device.
    pub fn is_called(&self, id: &str) -> bool {
        self.id == id || self.alias.as_deref() == Some(id)
    }
}

/// The identifier of the CPU.
pub const CPU: &str = "cpu";

/// The identifier of a software adapter: used only when asked for by name.
pub const SOFTWARE: &str = "wgpu:software";

/// Whether this build can train on GPUs (the feature `wgpu`).
pub const GPU_SUPPORT: bool = cfg!(feature = "wgpu");

/// Whether burn's fusion or autotune is in this build: kernels then depend on what was computed before.
pub const IS_TUNED: bool = cfg!(any(feature = "fusion", feature = "autotune"));

/// Every device of this machine: the CPU first, then GPU adapters.
pub fn list() -> Vec<DeviceDescription> {
    let mut devices = vec![cpu()];
    devices.extend(gpu::list());
    devices
}

fn cpu() -> DeviceDescription {
    let threads = rayon::current_num_threads();
    DeviceDescription {
        id: CPU.into(),
        alias: None,
        name: format!("{} ({threads} threads)", processor_name()),
        backend: "burn-flex".into(),
        software: false,
        note: None,
    }
}

/// Opens the device called `id`, without autodiff.
///
/// # Errors
/// When no device has this name. A driver that crashes takes the process along.
pub fn open(id: &str) -> Result<Device, EngineError> {
    if id == CPU {
        return Ok(Device::flex());
    }
    let devices = list();
    match devices.iter().find(|device| device.is_called(id)) {
        Some(device) => gpu::open(&device.id),
        None if !GPU_SUPPORT && id.starts_with("wgpu:") => gpu::open(id),
        None => Err(EngineError::UnknownDevice {
            id: id.to_owned(),
            available: devices
                .into_iter()
                .map(|device| device.id)
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// The device as its driver names it.
pub fn name(id: &str) -> String {
    // The CPU asks no driver: a bad one must not end runs that do not use it.
    if id == CPU {
        return cpu().name;
    }
    list()
        .into_iter()
        .find(|device| device.is_called(id))
        .map_or_else(|| id.to_owned(), |device| device.name)
}

/// How the open device called `id` computes: driver, compiler, fusion, autotune. `None` for the CPU.
pub fn backend(id: &str, device: &Device) -> Option<DeviceBackend> {
    if id == CPU {
        return None;
    }
    gpu::backend(id, device)
}

/// Why a GPU's numbers can no longer be trusted: one of the device's own threads panicked, after which cubecl goes on
/// without that kernel.
pub fn failure() -> Option<&'static str> {
    gpu::failure()
}

/// Checks that the device called `id` has not failed so far.
///
/// # Errors
/// [`EngineError::Device`] with its [`failure`].
pub fn working(id: &str) -> Result<(), EngineError> {
    match failure() {
        Some(reason) => Err(EngineError::Device {
            id: id.to_owned(),
            reason: reason.to_owned(),
        }),
        None => Ok(()),
    }
}

/// The processor's model as Linux names it, else its architecture.
fn processor_name() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a mistyped device falls back to some other device instead of being refused.
    #[test]
    fn unknown_devices_are_refused_by_name() {
        for id in [
            "gpu",
            "wgpu",
            "wgpu:discrete",
            "wgpu:discrete:x",
            "wgpu:quantum:0",
            "CPU",
            "cuda:0",
        ] {
            match open(id) {
                Err(EngineError::UnknownDevice {
                    id: named,
                    available,
                }) => {
                    assert_eq!(named, id);
                    assert!(available.contains(CPU));
                }
                // A build without GPU support knows no `wgpu:` device, and says how to get one.
                Err(EngineError::Device { id: named, reason }) if !GPU_SUPPORT => {
                    assert_eq!(named, id);
                    assert!(reason.contains("make serve GPU=yes"), "{reason}");
                }
                other => panic!("{id} gave {other:?}"),
            }
        }
    }
}
