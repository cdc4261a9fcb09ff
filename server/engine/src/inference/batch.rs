//! Batches of clean images, and a network's outputs for one.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::base::host::is_cpu;
use crate::data::{ImageSet, to_unit_interval};
use crate::networks::Model;

/// Images per batch: large enough to keep a device busy, small enough that 64x64 images of a wide network fit.
pub fn batch_size(height: usize, width: usize) -> usize {
    (128 * 32 * 32 / (height * width).max(1)).clamp(16, 512)
}

/// Images of bytes on their way to a device: made into numbers by this side's threads for the CPU, left as bytes for a GPU.
pub(crate) enum HostImages {
    /// `[batch, 3, height, width]`, row by row, in [0, 1].
    Numbers(Vec<f32>),
    /// The same, 0 to 255.
    Bytes(Vec<u8>),
}

impl HostImages {
    /// Of `bytes` `[batch, 3, height, width]`, row by row, `length` an image.
    pub(crate) fn prepare(bytes: Vec<u8>, length: usize, device: &Device) -> HostImages {
        if !is_cpu(device) {
            return HostImages::Bytes(bytes);
        }
        let mut values = vec![0.0_f32; bytes.len()];
        values
            .par_chunks_mut(length)
            .zip(bytes.par_chunks(length))
            .for_each(|(out, image)| to_unit_interval(image, out));
        HostImages::Numbers(values)
    }

    /// The `batch` images, `[batch, 3, height, width]` in [0, 1], on the device; they have the size of those in `set`.
    pub(crate) fn upload(self, batch: usize, set: &ImageSet, device: &Device) -> Tensor<4> {
        match self {
            HostImages::Numbers(values) => to_tensor(values, batch, set, device),
            HostImages::Bytes(bytes) => bytes_to_tensor(bytes, batch, set, device),
        }
    }
}

/// Logits `[batch, classes]` and unit responses `[batch, units of all layers]` of images `[batch, 3, height, width]`.
pub fn logits_and_responses(model: &Model, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
    let mut responses = Vec::new();
    let logits = model.forward_observed(images, &mut |activations| {
        responses.push(activations.responses);
    });
    (logits, Tensor::cat(responses, 1))
}

/// Images `[batch, 3, height, width]` in [0, 1] at `indices`, as they are.
pub fn clean_images(set: &ImageSet, indices: &[usize], device: &Device) -> Tensor<4> {
    let length = set.image_len();
    if !is_cpu(device) {
        let mut bytes = Vec::with_capacity(indices.len() * length);
        for &index in indices {
            bytes.extend_from_slice(set.image(index));
        }
        return bytes_to_tensor(bytes, indices.len(), set, device);
    }
    let mut values = vec![0.0_f32; indices.len() * length];
    values
        .par_chunks_mut(length)
        .zip(indices)
        .for_each(|(out, &index)| to_unit_interval(set.image(index), out));
    to_tensor(values, indices.len(), set, device)
}

/// `values` `[batch, 3, height, width]`, row by row, on the device; images have the size of those in `set`.
pub(crate) fn to_tensor(
    values: Vec<f32>,
    batch: usize,
    set: &ImageSet,
    device: &Device,
) -> Tensor<4> {
    let shape = [batch, 3, set.height(), set.width()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `bytes` `[batch, 3, height, width]`, row by row, as numbers in [0, 1] on the device; images have the size of those in
/// `set`. A quarter of the numbers' traffic: four bytes travel in a word, since WGSL has no smaller type, and are told apart
/// on the device. A GPU's division may round otherwise than the CPU's, in the last bit.
pub(crate) fn bytes_to_tensor(
    mut bytes: Vec<u8>,
    batch: usize,
    set: &ImageSet,
    device: &Device,
) -> Tensor<4> {
    let count = bytes.len();
    let shape = [batch, 3, set.height(), set.width()];
    if count == 0 {
        return Tensor::zeros(shape, device);
    }
    bytes.resize(count.next_multiple_of(4), 0);
    let words: Vec<i32> = bytes
        .chunks_exact(4)
        .map(|four| i32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect();
    let words = {
        let column = [words.len(), 1];
        Tensor::<2, Int>::from_data(TensorData::new(words, column), device)
    };
    let shifts = Tensor::<2, Int>::from_ints([[0, 8, 16, 24]], device);
    // A word whose last byte is 128 or more is negative: shifts bring copies of its sign, which the mask takes away.
    let bytes = words
        .bitwise_right_shift(shifts)
        .bitwise_and_scalar(0xFF_i32);
    bytes
        .flatten::<1>(0, 1)
        .narrow(0, 0, count)
        .float()
        .div_scalar(255.0)
        .reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::host::host;

    /// Breaks when a byte comes out as another number than on the CPU: out of order, with another's sign, or lost where images
    /// are no whole number of words.
    #[test]
    fn bytes_are_the_numbers_of_the_cpu() {
        for side in [1, 3, 15, 16] {
            let pixels: Vec<u8> = (0..2 * 3 * side * side)
                .map(|index| (index * 37 + 128) as u8)
                .collect();
            let set = ImageSet::new(pixels.clone(), vec![0, 1], side, side).unwrap();
            let device = Device::flex();
            let expected = clean_images(&set, &[0, 1], &device);
            let found = bytes_to_tensor(pixels, 2, &set, &device);
            assert_eq!(found.dims(), expected.dims());
            assert_eq!(host(found), host(expected), "{side}");
            let none = bytes_to_tensor(vec![], 0, &set, &device);
            assert_eq!(none.dims(), [0, 3, side, side]);
        }
    }
}
