//! Batches of clean images, and a network's outputs for one.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::data::{ImageSet, to_unit_interval};
use crate::networks::Model;

/// Images per batch: large enough to keep the device busy, small enough that 64x64 images of a wide network fit.
pub fn batch_size(height: usize, width: usize) -> usize {
    (128 * 32 * 32 / (height * width).max(1)).clamp(16, 512)
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
