//! What wgpu finds.

use std::sync::{Once, OnceLock};

use burn::backend::{Backend as _, Dispatch};
use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig as _};
use burn::tensor::wgpu::{WgpuBackend, wgpu};
use burn::tensor::{Device, DeviceKind};
use protocol::device::DeviceBackend;

use super::{DeviceDescription, SOFTWARE};
use crate::EngineError;

/// An adapter, and how burn finds it again.
struct Adapter {
    description: DeviceDescription,
    api: WgpuBackend,
    kind: DeviceKind,
    information: wgpu::AdapterInfo,
}

/// The graphics APIs that are queried, with their names.
const APIS: [(WgpuBackend, wgpu::Backends, &str); 3] = [
    (WgpuBackend::Vulkan, wgpu::Backends::VULKAN, "Vulkan"),
    (WgpuBackend::Metal, wgpu::Backends::METAL, "Metal"),
    (WgpuBackend::Dx12, wgpu::Backends::DX12, "DX12"),
];

/// The panic message of a device's own thread.
static FAILURE: OnceLock<String> = OnceLock::new();

/// How cubecl's device threads are called: `DSD-1-0` and so on.
const DEVICE_THREADS: &str = "DS";

/// Burn does not report at run time whether it was built with autotune.
const AUTOTUNE: bool = cfg!(feature = "autotune");

/// Every adapter, by graphics API.
pub fn list() -> Vec<DeviceDescription> {
    find()
        .into_iter()
        .map(|adapter| adapter.description)
        .collect()
}

/// Opens the adapter whose identifier is `id`, without autodiff.
///
/// # Errors
/// When there is none, or its driver refuses. A driver that crashes takes the process along.
pub fn open(id: &str) -> Result<Device, EngineError> {
    let failed = |reason: String| EngineError::Device {
        id: id.to_owned(),
        reason,
    };
    let adapter = find()
        .into_iter()
        .find(|adapter| adapter.description.id == id)
        .ok_or_else(|| failed("it is gone".into()))?;
    watch();
    CubeClRuntimeConfig::try_set(configuration(&adapter.information));
    let (device, setup) = Device::wgpu_options()
        .device_kind(adapter.kind)
        .graphics_api(adapter.api)
        .init_with_setup()
        .map_err(|error| failed(error.to_string()))?;
    // Burn counts adapters anew: a card that came or went in between would shift them.
    let opened = setup.adapter.get_info();
    if (&opened.name, &opened.device_pci_bus_id)
        != (
            &adapter.information.name,
            &adapter.information.device_pci_bus_id,
        )
    {
        return Err(failed(format!("the driver opened {} instead", opened.name)));
    }
    Ok(device)
}

/// Cubecl's own defaults, whatever a `cubecl.toml` in a folder above says, but for where autotune keeps what it has
/// measured: in a file of this device and driver, since a choice made for another can crash this one. All workers share it.
fn configuration(adapter: &wgpu::AdapterInfo) -> CubeClRuntimeConfig {
    let mut configuration = CubeClRuntimeConfig::default();
    configuration.environment.path = CacheConfig::Global;
    configuration.environment.name = tuning_name(adapter);
    configuration
}

/// The name of that file, without its ending: for example `selectivity-lab-NVIDIA-H200-0000-01-00-0-NVIDIA-580-65`.
fn tuning_name(adapter: &wgpu::AdapterInfo) -> String {
    let parts = [
        "selectivity-lab",
        &adapter.name,
        &adapter.device_pci_bus_id,
        &adapter.driver,
        &adapter.driver_info,
    ];
    let letters = |part: &str| part.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    parts.map(letters).join("-")
}

/// The panic message of a device's own thread. Cubecl logs it, and goes on without that thread's work.
pub fn failure() -> Option<&'static str> {
    FAILURE.get().map(String::as_str)
}

/// Notes panics of device threads, from now on.
fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            if thread
                .name()
                .is_some_and(|name| name.starts_with(DEVICE_THREADS))
            {
                let message = panic.payload_as_str().unwrap_or("its thread panicked");
                // The first panic is the cause; later ones are its consequences.
                let _ = FAILURE.set(message.to_owned());
            }
            before(panic);
        }));
    });
}

/// How the open adapter whose name is `id` computes.
pub fn backend(id: &str, device: &Device) -> Option<DeviceBackend> {
    let adapter = find()
        .into_iter()
        .find(|adapter| adapter.description.is_called(id))?;
    // For example `dispatch<fusion<cubecl<wgpu<spirv>>>>`.
    let path = Dispatch::name(device.as_dispatch());
    let compiler = [("wgsl", "WGSL"), ("spirv", "SPIR-V"), ("msl", "MSL")]
        .into_iter()
        .find(|(part, _)| path.contains(part))
        .map_or(path.as_str(), |(_, name)| name)
        .to_owned();
    Some(DeviceBackend {
        name: adapter.information.name,
        api: api_name(adapter.api).to_owned(),
        driver: format!(
            "{} {}",
            adapter.information.driver, adapter.information.driver_info
        )
        .trim()
        .to_owned(),
        compiler,
        fusion: path.contains("fusion"),
        autotune: AUTOTUNE,
    })
}

fn api_name(api: WgpuBackend) -> &'static str {
    APIS.iter()
        .find(|(known, _, _)| *known == api)
        .map_or("", |&(_, _, name)| name)
}

fn find() -> Vec<Adapter> {
    let mut all: Vec<Adapter> = Vec::new();
    for (api, backends, _) in APIS {
        // As burn counts: each kind from 0, separately in each API.
        let mut counts = [0_usize; 3];
        for information in adapters(backends) {
            let Some((kind, by_order)) = by_order(&information, &mut counts) else {
                continue;
            };
            let description = describe(api, &information, by_order);
            if all
                .iter()
                .all(|adapter| adapter.description.id != description.id)
            {
                all.push(Adapter {
                    description,
                    api,
                    kind,
                    information,
                });
            }
        }
    }
    all
}

fn adapters(backends: wgpu::Backends) -> Vec<wgpu::AdapterInfo> {
    if !wgpu::Instance::enabled_backend_features().contains(backends) {
        return Vec::new();
    }
    let mut description = wgpu::InstanceDescriptor::new_without_display_handle();
    description.backends = backends;
    let instance = wgpu::Instance::new(description);
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.iter().map(|adapter| adapter.get_info()).collect()
}

/// An adapter's kind with its index in that kind, for burn and as part of a name. `None` if it is no GPU.
fn by_order(
    information: &wgpu::AdapterInfo,
    counts: &mut [usize; 3],
) -> Option<(DeviceKind, String)> {
    let mut next = |index: usize| {
        counts[index] += 1;
        counts[index] - 1
    };
    Some(match information.device_type {
        wgpu::DeviceType::DiscreteGpu => {
            let index = next(0);
            (DeviceKind::DiscreteGpu(index), format!("discrete:{index}"))
        }
        wgpu::DeviceType::IntegratedGpu => {
            let index = next(1);
            (
                DeviceKind::IntegratedGpu(index),
                format!("integrated:{index}"),
            )
        }
        wgpu::DeviceType::VirtualGpu => {
            let index = next(2);
            (DeviceKind::VirtualGpu(index), format!("virtual:{index}"))
        }
        // Burn opens only the first.
        wgpu::DeviceType::Cpu => (DeviceKind::Cpu, "software".into()),
        wgpu::DeviceType::Other => return None,
    })
}

fn describe(
    api: WgpuBackend,
    information: &wgpu::AdapterInfo,
    by_order: String,
) -> DeviceDescription {
    let software = information.device_type == wgpu::DeviceType::Cpu;
    let address = &information.device_pci_bus_id;
    let (id, alias) = match api {
        WgpuBackend::Vulkan if !address.is_empty() && !software => {
            (format!("wgpu:{address}"), Some(format!("wgpu:{by_order}")))
        }
        WgpuBackend::Vulkan if software => (SOFTWARE.into(), None),
        WgpuBackend::Vulkan => (format!("wgpu:{by_order}"), None),
        other => {
            let name = api_name(other).to_lowercase();
            (format!("wgpu:{name}:{by_order}"), None)
        }
    };
    let note = if software {
        "Emulates a GPU on the CPU, and is slower than `cpu`: for testing only."
    } else if api == WgpuBackend::Vulkan {
        "No real GPU was tried yet: a run compares a training step with the CPU before it begins."
    } else {
        "Untested: nothing was run on this graphics API yet. A run compares a training step with the CPU before it begins."
    };
    DeviceDescription {
        id,
        alias,
        name: information.name.clone(),
        backend: format!("wgpu, {}", api_name(api)),
        software,
        note: Some(note.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(kind: wgpu::DeviceType, backend: wgpu::Backend, address: &str) -> wgpu::AdapterInfo {
        let mut information = wgpu::AdapterInfo::new(kind, backend);
        information.device_pci_bus_id = address.into();
        information
    }

    /// Breaks when choices of autotune are carried from one driver, or one card, to another.
    #[test]
    fn tuning_is_of_one_device_and_driver() {
        use wgpu::{Backend::Vulkan, DeviceType::DiscreteGpu};
        let named = |address: &str, driver_info: &str| {
            let mut information = adapter(DiscreteGpu, Vulkan, address);
            information.name = "A card / 2".into();
            information.driver_info = driver_info.into();
            tuning_name(&information)
        };
        let name = named("0000:01:00.0", "580.65");
        assert_eq!(name, named("0000:01:00.0", "580.65"));
        assert_ne!(name, named("0000:01:00.0", "580.66"));
        assert_ne!(name, named("0000:02:00.0", "580.65"));
        assert!(
            name.starts_with("selectivity-lab-A-card---2-0000-01"),
            "{name}"
        );
    }

    /// Breaks when a card's name depends on which other cards there are, a spec by the old name finds no device, or two
    /// adapters have one name.
    #[test]
    fn cards_are_named_by_their_address() {
        use wgpu::Backend::{Dx12, Metal, Vulkan};
        use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu};
        let mut counts = [0; 3];
        let mut named = |api, information: wgpu::AdapterInfo| {
            let (_, order) = by_order(&information, &mut counts).unwrap();
            describe(api, &information, order)
        };
        let first = named(
            WgpuBackend::Vulkan,
            adapter(DiscreteGpu, Vulkan, "0000:01:00.0"),
        );
        let second = named(
            WgpuBackend::Vulkan,
            adapter(DiscreteGpu, Vulkan, "0000:02:00.0"),
        );
        assert_eq!(first.id, "wgpu:0000:01:00.0");
        assert_eq!(second.id, "wgpu:0000:02:00.0");
        assert!(first.is_called("wgpu:discrete:0") && !first.is_called("wgpu:discrete:1"));
        assert!(second.is_called("wgpu:discrete:1") && second.is_called(&second.id));
        let nameless = named(WgpuBackend::Vulkan, adapter(IntegratedGpu, Vulkan, ""));
        assert_eq!(
            (nameless.id.as_str(), nameless.alias),
            ("wgpu:integrated:0", None)
        );
        let software = named(WgpuBackend::Vulkan, adapter(Cpu, Vulkan, ""));
        assert!(software.software && software.id == SOFTWARE);
        let metal = named(WgpuBackend::Metal, adapter(IntegratedGpu, Metal, ""));
        assert_eq!(metal.id, "wgpu:metal:integrated:1");
        let dx12 = named(
            WgpuBackend::Dx12,
            adapter(DiscreteGpu, Dx12, "0000:01:00.0"),
        );
        assert!(dx12.id == "wgpu:dx12:discrete:2" && dx12.note.unwrap().contains("Untested"));
    }
}
