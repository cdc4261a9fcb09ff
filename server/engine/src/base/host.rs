//! What is on the host, and what is not.

use burn::tensor::{Device, Tensor, TensorData};

/// Whether `device`, with autodiff or without, is the CPU: tensors there are on the host, so that reading one costs
/// nothing, and an image's numbers are the same to the last bit in every batch.
pub(crate) fn is_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// A float tensor's values on the host, row by row.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data: TensorData = tensor.into_data();
    data.convert::<f32>()
        .try_into_vec()
        .expect("converted to f32 just now")
}
