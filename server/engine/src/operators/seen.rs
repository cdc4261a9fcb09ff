//! Which convolutions a network is made of, as they pass by.

use std::cell::RefCell;

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::shape::ConvolutionShape;

thread_local! {
    static SEEN: RefCell<Option<Vec<ConvolutionShape>>> = const { RefCell::new(None) };
}

/// The convolutions of all layers that `compute` takes on this thread, each shape once, in the order of their first use.
pub fn convolutions_of(compute: impl FnOnce()) -> Vec<ConvolutionShape> {
    SEEN.replace(Some(Vec::new()));
    compute();
    SEEN.take().unwrap_or_default()
}

pub(super) fn note(input: &Tensor<4>, convolution: &Conv2d) {
    SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return };
        let [batch, channels_in, height, width] = input.dims();
        let [channels_out, _, kernel, _] = convolution.weight.dims();
        let shape = ConvolutionShape {
            batch,
            channels_in,
            channels_out,
            height,
            width,
            kernel,
            stride: convolution.stride[0],
            padding: super::padding(convolution)[0],
        };
        if !seen.contains(&shape) {
            seen.push(shape);
        }
    });
}
