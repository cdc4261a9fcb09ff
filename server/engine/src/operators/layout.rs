//! Burn's CPU tensors as memory: channels last between the engine's operators, read from any layout.

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{Bytes, DType, TensorMetadata};
use burn::tensor::Shape;
use rayon::prelude::*;

use super::layer::{Images, Layer};
use super::shape::ConvolutionShape;

/// Sizes of `[batch, channels, height, width]`.
pub(super) fn sizes(tensor: &FlexTensor) -> [usize; 4] {
    tensor.shape().dims()
}

/// A tensor `[batch, channels, height, width]` of values that lie channels last.
pub(super) fn channels_last(values: Vec<f32>, sizes: [usize; 4]) -> FlexTensor {
    let [_, channels, height, width] = sizes;
    let row = (width * channels) as isize;
    let strides = vec![height as isize * row, 1, row, channels as isize];
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::new(Shape::from(sizes.to_vec()), strides, 0),
        DType::F32,
    )
}

/// A contiguous tensor.
pub(super) fn contiguous(values: Vec<f32>, sizes: impl Into<Vec<usize>>) -> FlexTensor {
    let shape = Shape::from(sizes.into());
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape),
        DType::F32,
    )
}

/// A tensor `[batch, channels, height, width]` whose every pixel is the row `[batch, channels]`.
pub(super) fn spread(rows: Vec<f32>, sizes: [usize; 4]) -> FlexTensor {
    let shape = Shape::from(sizes.to_vec());
    let strides = vec![sizes[1] as isize, 1, 0, 0];
    FlexTensor::new(
        Bytes::from_elems(rows),
        Layout::new(shape, strides, 0),
        DType::F32,
    )
}

/// Whether the tensor is as [`spread`] makes it.
pub(super) fn is_spread(tensor: &FlexTensor) -> bool {
    let channels = sizes(tensor)[1] as isize;
    tensor.layout().start_offset() == 0 && tensor.layout().strides() == [channels, 1, 0, 0]
}

/// The values of a vector, `[channels]`.
pub(super) fn vector(tensor: &FlexTensor) -> Vec<f32> {
    let stride = tensor.layout().strides()[0] as usize;
    let values = &tensor.storage::<f32>()[tensor.layout().start_offset()..];
    let length: [usize; 1] = tensor.shape().dims();
    values
        .iter()
        .step_by(stride)
        .take(length[0])
        .copied()
        .collect()
}

/// The tensor as images to read, whatever its layout.
///
/// # Panics
/// Where a stride is negative; see [`readable`].
pub(super) fn images(tensor: &FlexTensor) -> Images<'_> {
    let layout = tensor.layout();
    Images {
        values: &tensor.storage::<f32>()[layout.start_offset()..],
        strides: std::array::from_fn(|dimension| {
            usize::try_from(layout.strides()[dimension]).expect("made readable before")
        }),
    }
}

/// A layer on its input and its contiguous weights, which are not kept packed for later passes.
pub(super) fn layer_on<'a>(
    shape: ConvolutionShape,
    input: &'a FlexTensor,
    weight: &'a FlexTensor,
) -> Layer<'a> {
    Layer {
        shape,
        input: images(input),
        weight: weight.as_slice().expect("made contiguous"),
        lasting: None,
    }
}

/// The tensor with strides that [`images`] takes.
pub(super) fn readable(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().strides().iter().all(|&stride| stride >= 0) {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The same values, channels last from the beginning of their memory: [`values`] then takes them.
pub(super) fn into_channels_last(tensor: FlexTensor) -> FlexTensor {
    let sizes = sizes(&tensor);
    let [batch, channels, height, width] = sizes;
    let row = width * channels;
    let wanted = [height * row, 1, row, channels];
    // The stride of a dimension of one element means nothing.
    let lies = tensor.layout().start_offset() == 0
        && tensor
            .layout()
            .strides()
            .iter()
            .zip(wanted)
            .zip(sizes)
            .all(|((&stride, wanted), size)| size == 1 || stride == wanted as isize);
    if lies {
        return tensor;
    }
    let tensor = readable(tensor);
    let from = images(&tensor);
    let mut values = vec![0.0; batch * height * row];
    values
        .par_chunks_mut(height * row)
        .enumerate()
        .for_each(|(index, image)| from.copy(index, channels, width, image));
    channels_last(values, sizes)
}

/// The values of a tensor that lies channels last.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    &tensor.storage::<f32>()[..tensor.layout().num_elements()]
}

/// The values of a tensor that lies channels last, to be changed; copied first where others hold them too.
pub(super) fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let len = tensor.layout().num_elements();
    &mut tensor.storage_mut::<f32>()[..len]
}
