//! Which convolutions a network is made of, recorded while it computes.

use std::cell::RefCell;

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::shape::ConvolutionShape;

thread_local! {
    static RECORDED: RefCell<Option<Vec<ConvolutionShape>>> = const { RefCell::new(None) };
}

/// The convolutions of all layers that `compute` takes on this thread, each shape once, in the order of their first use.
pub fn convolutions_of(compute: impl FnOnce()) -> Vec<ConvolutionShape> {
    RECORDED.replace(Some(Vec::new()));
    compute();
    RECORDED.take().unwrap_or_default()
}

/// Adds a layer's convolution, while [`convolutions_of`] computes.
pub(super) fn record(input: &Tensor<4>, convolution: &Conv2d) {
    RECORDED.with_borrow_mut(|recorded| {
        let Some(recorded) = recorded else { return };
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
        if !recorded.contains(&shape) {
            recorded.push(shape);
        }
    });
}
