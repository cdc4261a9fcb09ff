//! A build without GPU support: no adapters.

use burn::tensor::Device;
use protocol::device::DeviceBackend;

use super::DeviceDescription;
use crate::EngineError;

/// None.
pub fn list() -> Vec<DeviceDescription> {
    Vec::new()
}

/// Opens nothing.
///
/// # Errors
/// Always.
pub fn open(id: &str) -> Result<Device, EngineError> {
    Err(EngineError::Device {
        id: id.to_owned(),
        reason: "this program was built without GPU support; build it with `make serve GPU=yes`"
            .into(),
    })
}

/// None.
pub fn backend(_id: &str, _device: &Device) -> Option<DeviceBackend> {
    None
}

/// Never any.
pub fn failure() -> Option<&'static str> {
    None
}
