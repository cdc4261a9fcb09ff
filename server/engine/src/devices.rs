//! Devices that train: the CPU, and what wgpu finds.
//!
//! Listing asks GPU drivers, and a driver can crash its process: only a worker or another child
//! process should ask.

use burn::tensor::wgpu::wgpu;
use burn::tensor::{Device, DeviceKind};
use serde::{Deserialize, Serialize};

use crate::EngineError;

/// A device, by the name that specs use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDescription {
    /// `cpu`, `wgpu:discrete:<n>`, `wgpu:integrated:<n>`, `wgpu:virtual:<n>` or `wgpu:software`.
    pub id: String,
    /// The device as its driver names it.
    pub name: String,
    /// How it computes.
    pub backend: String,
    /// Whether it emulates a GPU on the CPU.
    pub software: bool,
    /// What a person should know before choosing it.
    pub note: Option<String>,
}

/// The identifier of the CPU.
pub const CPU: &str = "cpu";

/// The identifier of a software adapter: used only when asked for by name.
pub const SOFTWARE: &str = "wgpu:software";

/// Every device of this machine: the CPU first, then adapters by kind.
pub fn list() -> Vec<DeviceDescription> {
    let mut devices = vec![cpu()];
    let mut counts = [0_usize; 3];
    for information in vulkan_adapters() {
        let numbered = |kind: &str, count: &mut usize| {
            *count += 1;
            format!("wgpu:{kind}:{}", *count - 1)
        };
        let (id, software) = match information.device_type {
            wgpu::DeviceType::DiscreteGpu => (numbered("discrete", &mut counts[0]), false),
            wgpu::DeviceType::IntegratedGpu => (numbered("integrated", &mut counts[1]), false),
            wgpu::DeviceType::VirtualGpu => (numbered("virtual", &mut counts[2]), false),
            wgpu::DeviceType::Cpu => (SOFTWARE.into(), true),
            wgpu::DeviceType::Other => continue,
        };
        if devices.iter().any(|device| device.id == id) {
            continue;
        }
        devices.push(DeviceDescription {
            id,
            name: information.name,
            backend: "wgpu, Vulkan with SPIR-V".into(),
            software,
            note: software.then(|| {
                "Emulates a GPU on the CPU: slower than `cpu`, and its drivers crash or compute wrong numbers, which a run checks before it begins. For testing only.".into()
            }),
        });
    }
    devices
}

fn cpu() -> DeviceDescription {
    let threads = rayon::current_num_threads();
    DeviceDescription {
        id: CPU.into(),
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
    let unknown = || EngineError::UnknownDevice {
        id: id.to_owned(),
        available: list()
            .into_iter()
            .map(|device| device.id)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let kind = match id.split(':').collect::<Vec<_>>()[..] {
        ["wgpu", "software"] => DeviceKind::Cpu,
        ["wgpu", kind, index] => {
            let index = index.parse().map_err(|_| unknown())?;
            match kind {
                "discrete" => DeviceKind::DiscreteGpu(index),
                "integrated" => DeviceKind::IntegratedGpu(index),
                "virtual" => DeviceKind::VirtualGpu(index),
                _ => return Err(unknown()),
            }
        }
        _ => return Err(unknown()),
    };
    if !list().iter().any(|device| device.id == id) {
        return Err(unknown());
    }
    Device::wgpu_options()
        .device_kind(kind)
        .graphics_api(burn::tensor::wgpu::WgpuBackend::Vulkan)
        .init()
        .map_err(|error| EngineError::Device {
            id: id.to_owned(),
            reason: error.to_string(),
        })
}

/// The device as its driver names it.
pub fn name(id: &str) -> String {
    // The CPU asks no driver: a bad one must not end runs that do not use it.
    if id == CPU {
        return cpu().name;
    }
    list()
        .into_iter()
        .find(|device| device.id == id)
        .map_or_else(|| id.to_owned(), |device| device.name)
}

fn vulkan_adapters() -> Vec<wgpu::AdapterInfo> {
    let mut description = wgpu::InstanceDescriptor::new_without_display_handle();
    description.backends = wgpu::Backends::VULKAN;
    let instance = wgpu::Instance::new(description);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    adapters.iter().map(|adapter| adapter.get_info()).collect()
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
        ] {
            match open(id) {
                Err(EngineError::UnknownDevice {
                    id: named,
                    available,
                }) => {
                    assert_eq!(named, id);
                    assert!(available.contains(CPU));
                }
                other => panic!("{id} gave {other:?}"),
            }
        }
    }
}
