//! What wgpu finds.

use burn::tensor::wgpu::wgpu;
use burn::tensor::{Device, DeviceKind};

use super::{DeviceDescription, SOFTWARE};
use crate::EngineError;

/// Every adapter, by kind.
pub fn list() -> Vec<DeviceDescription> {
    let mut devices: Vec<DeviceDescription> = Vec::new();
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

/// Opens the adapter called `id`, without autodiff.
///
/// # Errors
/// When its driver refuses. A driver that crashes takes the process along.
pub fn open(id: &str) -> Result<Device, EngineError> {
    let failed = |reason: String| EngineError::Device {
        id: id.to_owned(),
        reason,
    };
    let kind = match id.split(':').collect::<Vec<_>>()[..] {
        ["wgpu", "software"] => Some(DeviceKind::Cpu),
        ["wgpu", kind, index] => index.parse().ok().and_then(|index| match kind {
            "discrete" => Some(DeviceKind::DiscreteGpu(index)),
            "integrated" => Some(DeviceKind::IntegratedGpu(index)),
            "virtual" => Some(DeviceKind::VirtualGpu(index)),
            _ => None,
        }),
        _ => None,
    };
    let kind = kind.ok_or_else(|| failed("not a name of a GPU".into()))?;
    Device::wgpu_options()
        .device_kind(kind)
        .graphics_api(burn::tensor::wgpu::WgpuBackend::Vulkan)
        .init()
        .map_err(|error| failed(error.to_string()))
}

fn vulkan_adapters() -> Vec<wgpu::AdapterInfo> {
    let mut description = wgpu::InstanceDescriptor::new_without_display_handle();
    description.backends = wgpu::Backends::VULKAN;
    let instance = wgpu::Instance::new(description);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    adapters.iter().map(|adapter| adapter.get_info()).collect()
}
