//! The CPU's own operators: a layer of a residual network in one pass forward and one back.
//!
//! Every network here is made of one thing: a convolution, batch norm, perhaps a shortcut, perhaps a ReLU,
//! and the spatial mean of what comes out. Burn computes these one by one, converting layouts between
//! them, and its CPU backend has no convolution backward of its own. [`layer`] computes them together on
//! channels-last memory where it can: on the CPU, in `f32`, with output channels in multiples of 16. Every
//! other device, type and shape takes burn's own operators, which the tests hold it against.
//!
//! A [`Tape`] goes the way back through frozen layers as often as asked, after one pass forward.
//!
//! Sums are taken in an order that depends on the batch alone, so that the same numbers come out bit by bit, on
//! however many threads. `server/engine/PERFORMANCE.md` has the measurements behind this design.

mod ahead;
mod aligned;
mod backend;
mod channels;
mod kernel;
mod layer;
mod layout;
mod packed_cache;
mod recorded;
mod sgd;
mod shape;
mod tape;
#[cfg(test)]
pub(crate) mod tests;
mod transpose;
mod waiting;
mod way_back;
mod wide;

use burn::backend::{Autodiff, Flex};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Tensor, s};

use crate::base::host::is_cpu;
use backend::{LayerBackend, LayerOptions, LayerOutput, LayerTensors};
pub use recorded::convolutions_of;
pub(crate) use sgd::SgdStep;
pub use shape::ConvolutionShape;
pub use tape::Tape;

/// A layer's output: its maps, and the responses of its units.
#[derive(Debug, Clone)]
pub struct Activations {
    /// `[batch, units, height, width]`
    pub maps: Tensor<4>,
    /// Each map's spatial mean, `[batch, units]`.
    pub responses: Tensor<2>,
}

impl Activations {
    /// Maps and their means, by burn's operators.
    fn of(maps: Tensor<4>) -> Self {
        let responses = maps.clone().mean_dims(&[2, 3]).flatten::<2>(1, 3);
        Activations { maps, responses }
    }
}

/// `relu(batch_norm(convolution(input)) + shortcut)`, without the ReLU where `ends_in_relu` is false.
///
/// `input` is `[batch, channels_in, height, width]`; a shortcut has the output's shape. Batch norm takes
/// the batch's statistics and updates its running ones on an autodiff device unless it is frozen, as
/// burn's own does.
pub fn layer(
    input: Tensor<4>,
    convolution: &Conv2d,
    norm: &BatchNorm,
    shortcut: Option<Tensor<4>>,
    ends_in_relu: bool,
) -> Activations {
    recorded::record(&input, convolution);
    let device = input.device();
    let trains = device.is_autodiff() && norm.training.is_enabled();
    if !(is_supported(&input, convolution, &shortcut) && (trains || is_constant(convolution, norm)))
    {
        let normalised = norm.forward(convolution.forward(input));
        let sum = match shortcut {
            Some(shortcut) => normalised + shortcut,
            None => normalised,
        };
        return Activations::of(if ends_in_relu { relu(sum) } else { sum });
    }
    if device.is_autodiff() {
        on_backend::<Autodiff<Flex>>(input, convolution, norm, shortcut, ends_in_relu, trains)
    } else {
        on_backend::<Flex>(input, convolution, norm, shortcut, ends_in_relu, trains)
    }
}

/// Every `step`-th pixel of `[batch, channels_in, height, width]` and zeros for the channels up to
/// `channels`, half before and half after: the parameter-free shortcut of He et al. 2015 (option A).
pub fn subsample(input: Tensor<4>, step: usize, channels: usize) -> Tensor<4> {
    let device = input.device();
    if is_cpu(&device) && input.dtype() == DType::F32 {
        return if device.is_autodiff() {
            let input = primitive::<Autodiff<Flex>, 4>(input);
            Tensor::from_primitive::<Autodiff<Flex>>(Autodiff::<Flex>::subsample(
                input, step, channels,
            ))
        } else {
            Tensor::from_primitive::<Flex>(Flex::subsample(
                primitive::<Flex, 4>(input),
                step,
                channels,
            ))
        };
    }
    let stride = step as isize;
    let input = input.slice(s![.., .., ..;stride, ..;stride]);
    let [batch, channels_in, height, width] = input.dims();
    let added = channels - channels_in;
    let zeros = |count| Tensor::zeros([batch, count, height, width], &device);
    let (before, after) = (zeros(added / 2), zeros(added - added / 2));
    Tensor::cat(vec![before, input, after], 1)
}

/// Whether [`layer`] can compute this itself.
fn is_supported(input: &Tensor<4>, convolution: &Conv2d, shortcut: &Option<Tensor<4>>) -> bool {
    let [channels_out, _, height, width] = convolution.weight.dims();
    let [top, left] = padding(convolution);
    #[cfg(test)]
    if tests::BURN_ALONE.get() {
        return false;
    }
    is_cpu(&input.device())
        && input.dtype() == DType::F32
        && shortcut
            .as_ref()
            .is_none_or(|shortcut| shortcut.dtype() == DType::F32)
        && convolution.weight.val().dtype() == DType::F32
        && convolution.bias.is_none()
        && convolution.groups == 1
        && convolution.dilation == [1, 1]
        && convolution.stride[0] == convolution.stride[1]
        && height == width
        && top == left
        && channels_out.is_multiple_of(kernel::BLOCK)
        && input.dims().into_iter().all(|size| size > 0)
        && input.dims()[2] + 2 * top >= height
        && input.dims()[3] + 2 * top >= width
        && matches!(
            convolution.padding,
            PaddingConfig2d::Explicit(top, left, bottom, right) if top == bottom && left == right
        )
}

fn padding(convolution: &Conv2d) -> [usize; 2] {
    match convolution.padding {
        PaddingConfig2d::Explicit(top, left, _, _) => [top, left],
        _ => [usize::MAX, 0],
    }
}

/// Whether none of the layer's own parameters requires a gradient.
fn is_constant(convolution: &Conv2d, norm: &BatchNorm) -> bool {
    !(convolution.weight.val().is_require_grad()
        || norm.gamma.val().is_require_grad()
        || norm.beta.val().is_require_grad())
}

/// The tensor as a primitive of backend `B`.
fn primitive<B, const D: usize>(tensor: Tensor<D>) -> burn::backend::tensor::FloatTensor<B>
where
    B: LayerBackend,
    burn::backend::DispatchTensor: burn::backend::DispatchKindConversion<B>,
{
    tensor
        .try_into_primitive::<B>()
        .expect("the device was asked before")
}

fn on_backend<B>(
    input: Tensor<4>,
    convolution: &Conv2d,
    norm: &BatchNorm,
    shortcut: Option<Tensor<4>>,
    ends_in_relu: bool,
    trains: bool,
) -> Activations
where
    B: LayerBackend,
    burn::backend::DispatchTensor: burn::backend::DispatchKindConversion<B>,
{
    let device = input.device();
    let tensors = LayerTensors {
        input: primitive::<B, 4>(input),
        weight: primitive::<B, 4>(convolution.weight.val()),
        gamma: primitive::<B, 1>(norm.gamma.val()),
        beta: primitive::<B, 1>(norm.beta.val()),
        shortcut: shortcut.map(primitive::<B, 4>),
    };
    let options = LayerOptions {
        stride: convolution.stride[0],
        padding: padding(convolution)[0],
        epsilon: norm.epsilon,
        relu: ends_in_relu,
    };
    let LayerOutput { maps, responses } = if trains {
        let pass = B::layer_train(tensors, options);
        // As burn's batch norm updates them.
        let update = |running: &burn::module::RunningState<Tensor<1>>, batch: Tensor<1>| {
            let before = running.value_sync().to_device(&device);
            let after = before * (1.0 - norm.momentum) + batch * norm.momentum;
            running.update(after.detach());
        };
        update(&norm.running_mean, Tensor::from_primitive::<B>(pass.mean));
        update(
            &norm.running_var,
            Tensor::from_primitive::<B>(pass.variance),
        );
        pass.output
    } else {
        let value = |running: &burn::module::RunningState<Tensor<1>>| {
            primitive::<B, 1>(running.value().to_device(&device))
        };
        B::layer_infer(
            tensors,
            value(&norm.running_mean),
            value(&norm.running_var),
            options,
        )
    };
    Activations {
        maps: Tensor::from_primitive::<B>(maps),
        responses: Tensor::from_primitive::<B>(responses),
    }
}
