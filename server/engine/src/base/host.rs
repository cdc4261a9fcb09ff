//! Values of tensors on the host.

use burn::tensor::{Tensor, TensorData};

/// A float tensor's values on the host, row by row.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data: TensorData = tensor.into_data();
    data.convert::<f32>()
        .try_into_vec()
        .expect("converted to f32 just now")
}
