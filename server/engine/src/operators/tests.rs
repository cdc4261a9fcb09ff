//! The engine's operators against burn's, and the inner loops against plain sums in `f64`.

use std::cell::Cell;
use std::mem::MaybeUninit;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use protocol::Network;
use pulp::{Arch, Simd, WithSimd};
use rand::distr::{Distribution, Uniform};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::ahead::Ahead;
use super::aligned::Aligned;
use super::channels::{self, Normalisation, NormalisationGradient, ReluMask, StatisticsGradient};
use super::kernel::{
    Affine, Overwrite, PackedWeights, Pairing, TileShape, WeightOrder, block_sizes, outer_products,
    packed_outer_products, tile_height, tile_shape_for, windows_product,
};
use super::layer::{Images, Layer, Waiting, WeightGradient};
use super::shape::ConvolutionShape;
use super::{Activations, Tape, layer, subsample};
use crate::learning::loss::regularised_loss;
use crate::networks::ModelConfig;

thread_local! {
    /// Makes [`layer`] take burn's own operators on this thread.
    pub(super) static BURN_ALONE: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    /// Makes this thread take forward passes and input gradients image by image, however many weights a layer has.
    pub(super) static IMAGE_BY_IMAGE: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    /// Gradients that tapes have given on this thread.
    pub(crate) static TAPED: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn with_burn_alone<T>(compute: impl FnOnce() -> T) -> T {
    BURN_ALONE.set(true);
    let result = compute();
    BURN_ALONE.set(false);
    result
}

fn random(generator: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    Uniform::new(-1.0, 1.0)
        .expect("the range is finite")
        .sample_iter(generator)
        .take(count)
        .collect()
}

fn tensor<const D: usize>(
    generator: &mut ChaCha8Rng,
    sizes: [usize; D],
    device: &Device,
) -> Tensor<D> {
    let values = random(generator, sizes.iter().product());
    Tensor::from_data(TensorData::new(values, sizes), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// The norm of the difference over the norm of what is expected.
fn difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let apart = norm(
        &mut found
            .iter()
            .zip(expected)
            .map(|(a, b)| f64::from(*a) - f64::from(*b)),
    );
    apart / norm(&mut expected.iter().map(|&value| f64::from(value))).max(1e-30)
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    let apart = difference(found, expected);
    assert!(apart < 1e-4, "{what} differs by {apart:.1e} of its norm");
}

fn shape(
    [channels_in, channels_out]: [usize; 2],
    [height, width]: [usize; 2],
    [kernel, stride, padding]: [usize; 3],
) -> ConvolutionShape {
    ConvolutionShape {
        batch: 5,
        channels_in,
        channels_out,
        height,
        width,
        kernel,
        stride,
        padding,
    }
}

/// Shapes of the networks here, shapes that fill no tile, and random ones.
fn shapes() -> Vec<ConvolutionShape> {
    let mut shapes = vec![
        shape([3, 16], [12, 12], [3, 1, 1]),
        shape([16, 16], [9, 7], [3, 1, 1]),
        shape([16, 32], [8, 8], [3, 2, 1]),
        shape([32, 64], [7, 5], [3, 2, 1]),
        shape([64, 64], [4, 4], [3, 1, 1]),
        shape([3, 64], [16, 16], [7, 2, 3]),
        shape([64, 32], [6, 6], [1, 1, 0]),
        shape([32, 48], [7, 7], [1, 2, 0]),
        shape([16, 16], [1, 1], [3, 1, 1]),
        // More pixels than go together, and rows of a window in several pieces.
        shape([16, 32], [12, 13], [3, 1, 1]),
        shape([70, 64], [11, 12], [3, 1, 1]),
        // Weights enough to be divided among threads.
        shape([96, 80], [5, 6], [3, 2, 1]),
        shape([300, 256], [3, 3], [1, 1, 0]),
    ];
    let mut generator = ChaCha8Rng::seed_from_u64(11);
    while shapes.len() < 28 {
        let kernel = generator.random_range(1..=5);
        let stride = generator.random_range(1..=3);
        let padding = generator.random_range(0..=kernel / 2);
        let size = [
            generator.random_range(kernel..=13),
            generator.random_range(kernel..=13),
        ];
        let channels = [
            generator.random_range(1..=40),
            16 * generator.random_range(1..=4),
        ];
        shapes.push(shape(channels, size, [kernel, stride, padding]));
    }
    shapes
}

/// A layer of a shape with random weights, scales and running statistics.
fn layer_of(
    shape: ConvolutionShape,
    generator: &mut ChaCha8Rng,
    device: &Device,
) -> (Conv2d, BatchNorm) {
    let ConvolutionShape {
        channels_in,
        channels_out,
        kernel,
        stride,
        padding,
        ..
    } = shape;
    let mut convolution = Conv2dConfig::new([channels_in, channels_out], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(false)
        .init(device);
    let weight = tensor(
        generator,
        [channels_out, channels_in, kernel, kernel],
        device,
    );
    convolution.weight = burn::module::Param::from_tensor(weight);
    let mut norm = BatchNormConfig::new(channels_out).init(device);
    norm.gamma = burn::module::Param::from_tensor(tensor(generator, [channels_out], device));
    norm.beta = burn::module::Param::from_tensor(tensor(generator, [channels_out], device));
    norm.running_mean
        .update(tensor(generator, [channels_out], device));
    norm.running_var
        .update(tensor(generator, [channels_out], device).abs() + 0.5);
    (convolution, norm)
}

/// The values that go into a layer and its way back.
const INPUTS: [&str; 9] = [
    "input",
    "weights",
    "gamma",
    "beta",
    "running mean",
    "running variance",
    "shortcut",
    "gradient of the maps",
    "gradient of the responses",
];

/// One of [`INPUTS`] whose middle value is replaced.
type Spoilt = Option<(&'static str, f32)>;

/// `tensor`, which is `name`, with its middle value replaced where it is the spoilt one.
fn spoilt<const D: usize>(spoilt: Spoilt, name: &str, tensor: Tensor<D>) -> Tensor<D> {
    let Some((_, value)) = spoilt.filter(|(input, _)| *input == name) else {
        return tensor;
    };
    let (device, shape) = (tensor.device(), tensor.dims());
    let mut values = values(tensor);
    let middle = values.len() / 2;
    values[middle] = value;
    Tensor::from_data(TensorData::new(values, shape), &device)
}

/// Outputs, running statistics, and the gradients of everything that has one.
fn everything(
    shape: ConvolutionShape,
    seed: u64,
    with_shortcut: bool,
    ends_in_relu: bool,
    frozen: bool,
) -> Vec<(&'static str, Vec<f32>)> {
    everything_with(None, shape, seed, with_shortcut, ends_in_relu, frozen)
}

/// The same with one value spoilt.
fn everything_with(
    broken: Spoilt,
    shape: ConvolutionShape,
    seed: u64,
    with_shortcut: bool,
    ends_in_relu: bool,
    frozen: bool,
) -> Vec<(&'static str, Vec<f32>)> {
    let device = Device::flex().autodiff();
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let (mut convolution, mut norm) = layer_of(shape, &mut generator, &device);
    let parameter = |name, tensor| burn::module::Param::from_tensor(spoilt(broken, name, tensor));
    convolution.weight = burn::module::Param::from_tensor(spoilt(
        broken,
        "weights",
        convolution.weight.val().detach(),
    ));
    norm.gamma = parameter("gamma", norm.gamma.val().detach());
    norm.beta = parameter("beta", norm.beta.val().detach());
    for (name, running) in [
        ("running mean", &norm.running_mean),
        ("running variance", &norm.running_var),
    ] {
        running.update(spoilt(broken, name, running.value_sync()));
    }
    if frozen {
        (convolution, norm) = (convolution.freeze(), norm.freeze());
    }
    let sizes = [shape.batch, shape.channels_in, shape.height, shape.width];
    let input = spoilt(broken, "input", tensor(&mut generator, sizes, &device)).require_grad();
    let sizes_out = [
        shape.batch,
        shape.channels_out,
        shape.height_out(),
        shape.width_out(),
    ];
    let shortcut = spoilt(
        broken,
        "shortcut",
        tensor(&mut generator, sizes_out, &device),
    )
    .require_grad();
    let Activations { maps, responses } = layer(
        input.clone(),
        &convolution,
        &norm,
        with_shortcut.then(|| shortcut.clone()),
        ends_in_relu,
    );
    assert_eq!(maps.dims(), sizes_out);
    let pull_maps = tensor(&mut generator, sizes_out, &device);
    let pull_maps = spoilt(broken, "gradient of the maps", pull_maps);
    let pull_responses = tensor(&mut generator, [shape.batch, shape.channels_out], &device);
    let pull_responses = spoilt(broken, "gradient of the responses", pull_responses);
    let loss = (maps.clone() * pull_maps).sum() + (responses.clone() * pull_responses).sum() * 3.0;
    let gradients = loss.backward();
    let mut all = vec![
        ("maps", values(maps)),
        ("responses", values(responses)),
        ("running mean", values(norm.running_mean.value_sync())),
        ("running variance", values(norm.running_var.value_sync())),
        (
            "gradient of the input",
            values(input.grad(&gradients).unwrap()),
        ),
    ];
    if with_shortcut {
        all.push((
            "gradient of the shortcut",
            values(shortcut.grad(&gradients).unwrap()),
        ));
    }
    if !frozen {
        all.push((
            "gradient of the weights",
            values(convolution.weight.val().grad(&gradients).unwrap()),
        ));
        all.push((
            "gradient of gamma",
            values(norm.gamma.val().grad(&gradients).unwrap()),
        ));
        all.push((
            "gradient of beta",
            values(norm.beta.val().grad(&gradients).unwrap()),
        ));
    }
    all
}

/// Breaks when a frozen layer whose weights were changed between two passes computes with the weights of the first.
#[test]
fn changed_weights_are_seen_by_the_next_pass() {
    let device = Device::flex();
    let mut generator = ChaCha8Rng::seed_from_u64(8);
    let shape = ConvolutionShape {
        batch: 2,
        channels_in: 16,
        channels_out: 32,
        height: 6,
        width: 6,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let (convolution, norm) = layer_of(shape, &mut generator, &device);
    let (mut convolution, norm) = (convolution.freeze(), norm.freeze());
    let input = tensor(&mut generator, [2, 16, 6, 6], &device);
    let outputs =
        |convolution: &Conv2d| values(layer(input.clone(), convolution, &norm, None, false).maps);
    let before = outputs(&convolution);
    assert_eq!(outputs(&convolution), before);
    let earlier = convolution.clone();
    convolution.weight = convolution.weight.map(|weight| weight.mul_scalar(2.0));
    let after = outputs(&convolution);
    assert_ne!(after, before);
    assert_close("after", &after, &with_burn_alone(|| outputs(&convolution)));
    assert_eq!(outputs(&earlier), before);
    // Now the tensor is nobody else's: burn writes to it in place.
    convolution.weight = convolution.weight.map(|weight| weight.mul_scalar(0.5));
    assert_close("at last", &outputs(&convolution), &before);
}

/// Breaks when any output or gradient of a layer, training or frozen, is not what burn's operators give.
#[test]
fn layers_agree_with_burn_on_many_shapes() {
    for (index, shape) in shapes().into_iter().enumerate() {
        for (shortcut, relu, frozen) in [
            (true, true, false),
            (false, true, false),
            (false, false, false),
            (true, true, true),
            (false, true, true),
        ] {
            let compute = || everything(shape, index as u64, shortcut, relu, frozen);
            let (engine_values, burn_values) = (compute(), with_burn_alone(compute));
            assert_eq!(engine_values.len(), burn_values.len());
            assert!(
                engine_values != burn_values,
                "bit by bit the same: one of the two was compared with itself"
            );
            for ((what, found), (_, expected)) in engine_values.iter().zip(&burn_values) {
                let what = format!(
                    "{what} of {shape:?}, shortcut {shortcut}, ReLU {relu}, frozen {frozen}"
                );
                assert_close(&what, found, expected);
            }
        }
    }
}

/// Breaks when a layer, training or frozen, turns a value that is not finite, in any of its inputs, into a finite one
/// where burn's operators do not.
#[test]
fn what_is_not_finite_comes_through_every_layer() {
    for (index, shape) in shapes().into_iter().take(11).enumerate() {
        for (shortcut, relu, frozen) in [
            (true, true, false),
            (false, true, false),
            (true, true, true),
            (true, false, true),
        ] {
            for input in INPUTS
                .into_iter()
                .filter(|&input| shortcut || input != "shortcut")
            {
                for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let compute = || {
                        everything_with(
                            Some((input, value)),
                            shape,
                            index as u64,
                            shortcut,
                            relu,
                            frozen,
                        )
                    };
                    let (engine_values, burn_values) = (compute(), with_burn_alone(compute));
                    let mut broken = 0;
                    for ((what, found), (_, expected)) in engine_values.iter().zip(&burn_values) {
                        broken += found.iter().filter(|value| !value.is_finite()).count();
                        let hidden = found
                            .iter()
                            .zip(expected)
                            .filter(|(found, expected)| found.is_finite() && !expected.is_finite());
                        assert_eq!(
                            hidden.count(),
                            0,
                            "{value} in {input}: {what} of {shape:?}, ReLU {relu}, frozen {frozen}"
                        );
                    }
                    // A ReLU stops minus infinity, and a gradient where it let nothing through.
                    assert!(
                        broken > 0
                            || relu && (value < 0.0 || input.starts_with("gradient"))
                            || input == "running variance",
                        "{value} in {input} of {shape:?} came through nowhere, ReLU {relu}, frozen {frozen}"
                    );
                }
            }
        }
    }
}

/// A check of loops that are compiled for each instruction set.
trait Check {
    fn check<S: Simd>(&self, simd: S, instructions: &str);
}

/// Makes the check in every instruction set of this machine.
fn in_every_instruction_set(check: &impl Check) {
    struct One<'a, C>(&'a C, &'static str);
    impl<C: Check> WithSimd for One<'_, C> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.check(simd, self.1);
        }
    }
    One(check, "plain").with_simd(pulp::Scalar::new());
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V3::try_new() {
            Simd::vectorize(simd, One(check, "AVX2"));
        }
        if let Some(simd) = pulp::x86::V4::try_new() {
            Simd::vectorize(simd, One(check, "AVX-512"));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(simd) = pulp::aarch64::Neon::try_new() {
        Simd::vectorize(simd, One(check, "NEON"));
    }
}

/// Breaks when a loop over one image turns a NaN into a finite number in any instruction set of this machine.
#[test]
fn nan_comes_through_in_every_instruction_set() {
    struct Nan;
    impl Check for Nan {
        #[inline(always)]
        fn check<S: Simd>(&self, simd: S, instructions: &str) {
            check_nan(simd, instructions);
        }
    }
    in_every_instruction_set(&Nan);
}

/// Breaks when a ReLU's mask that is computed again from the convolution's output is not bit by bit the one that the
/// layer's output gives, at a NaN and at exactly 0 as well.
#[test]
fn masks_computed_again_are_those_of_the_output() {
    struct Masks;
    impl Check for Masks {
        #[inline(always)]
        fn check<S: Simd>(&self, simd: S, instructions: &str) {
            check_masks(simd, instructions);
        }
    }
    in_every_instruction_set(&Masks);
}

/// One NaN, at the second pixel's third channel of two pixels of 32 channels, or in the third channel.
#[inline(always)]
fn check_nan<S: Simd>(simd: S, instructions: &str) {
    const CHANNELS: usize = 32;
    const AT: usize = CHANNELS + 2;
    let image = |broken: bool| {
        let mut image = vec![1.0_f32; 2 * CHANNELS];
        image[AT] = if broken { f32::NAN } else { 1.0 };
        image
    };
    let row = |broken: bool| {
        let mut row = vec![1.0_f32; CHANNELS];
        row[2] = if broken { f32::NAN } else { 1.0 };
        row
    };
    let only = |what: &str, values: &[f32], places: &[usize]| {
        let nan_places: Vec<usize> = (0..values.len()).filter(|&i| values[i].is_nan()).collect();
        assert_eq!(nan_places, places, "{instructions}: {what}");
    };
    let initialised = |values: Vec<MaybeUninit<f32>>| -> Vec<f32> {
        #[allow(unsafe_code)]
        // SAFETY: made of values below, and written over.
        let values = values
            .iter()
            .map(|value| unsafe { value.assume_init() })
            .collect();
        values
    };

    // Normalisation: NaN in the image, the mean, the scale, the shift or the shortcut.
    for broken in 0..5 {
        for relu in [true, false] {
            let (mean, scale, shift) = (row(broken == 1), row(broken == 2), row(broken == 3));
            let normalisation = Normalisation {
                mean: &mean,
                scale: &scale,
                shift: &shift,
            };
            let mut output = vec![MaybeUninit::new(0.0); 2 * CHANNELS];
            let mut responses = vec![0.0; CHANNELS];
            let shortcut = image(broken == 4);
            channels::normalise(
                simd,
                &image(broken == 0),
                normalisation,
                Some(&shortcut),
                relu,
                &mut output,
                &mut responses,
            );
            let places: &[usize] = match broken {
                0 | 4 => &[AT],
                _ => &[2, AT],
            };
            only(&format!("normalise {broken}"), &initialised(output), places);
            only(&format!("responses {broken}"), &responses, &[2]);
        }
    }

    // The same at the end of a convolution of 1 x 1 pixels, of one channel.
    let shape = ConvolutionShape {
        batch: 1,
        channels_in: 1,
        channels_out: CHANNELS,
        height: 1,
        width: 2,
        kernel: 1,
        stride: 1,
        padding: 0,
    };
    let order = WeightOrder {
        channels: CHANNELS,
        channel_stride: 1,
        others: 1,
        other_stride: 1,
        rank: vec![Some(0)],
    };
    let block = if S::F32_LANES == 16 { 32 } else { 16 };
    for broken in 0..5 {
        for relu in [true, false] {
            let packed = PackedWeights::pack_in_blocks(block, &row(broken == 1), &order);
            let (scale, shift) = (row(broken == 2), row(broken == 3));
            let shortcut = image(broken == 4);
            let affine = Affine {
                scale: &scale,
                shift: &shift,
                shortcut: Some(&shortcut),
                relu,
            };
            let frame = [1.0, if broken == 0 { f32::NAN } else { 1.0 }];
            let mut output = vec![MaybeUninit::new(0.0); 2 * CHANNELS];
            let windows = shape.forward_windows();
            let mut ahead = Ahead::nothing();
            windows_product(
                simd,
                &frame,
                &windows,
                &packed,
                &mut output,
                affine,
                &mut ahead,
            );
            let second: Vec<usize> = (CHANNELS..2 * CHANNELS).collect();
            let places: &[usize] = match broken {
                0 => &second,
                4 => &[AT],
                _ => &[2, AT],
            };
            only(
                &format!("convolution {broken}"),
                &initialised(output),
                places,
            );
        }
    }

    // The way back: NaN in the gradient, or in the ReLU's output (which lets the gradient through).
    let mut gradient = image(true);
    channels::mask(simd, &mut gradient, &image(false));
    only("mask, gradient", &gradient, &[AT]);
    let mut gradient = image(false);
    channels::mask(simd, &mut gradient, &image(true));
    assert_eq!(gradient, image(false), "{instructions}: mask, output");
    for broken in 0..4 {
        let mut gradient = image(broken == 0);
        let (mut sums, mut products) = (vec![0.0; CHANNELS], vec![0.0; CHANNELS]);
        channels::gradient_sums(
            simd,
            &mut gradient,
            ReluMask::Output(&image(broken == 1)),
            &image(broken == 2),
            &row(broken == 3),
            &mut sums,
            &mut products,
        );
        only(
            &format!("sums {broken}"),
            &sums,
            if broken == 0 { &[2] } else { &[] },
        );
        only(
            &format!("products {broken}"),
            &products,
            if broken == 1 { &[] } else { &[2] },
        );
        assert!(
            sums[2] != 1.0,
            "{instructions}: a gradient was stopped at NaN"
        );
    }

    let (mut mean, mut deviation) = (row(false), row(false));
    channels::moments(simd, &image(true), CHANNELS, &mut mean, &mut deviation);
    only("mean", &mean, &[2]);
    only("deviation", &deviation, &[2]);
    channels::means(simd, &image(true), CHANNELS, &mut mean);
    only("means", &mean, &[2]);
}

#[inline(always)]
fn check_masks<S: Simd>(simd: S, instructions: &str) {
    const CHANNELS: usize = 32;
    let frame = shape([CHANNELS, CHANNELS], [4, 5], [3, 1, 1]).gradient_frame();
    let mut generator = ChaCha8Rng::seed_from_u64(5);
    let mut rows = || random(&mut generator, CHANNELS);
    let (mean, scale, mut shift) = (rows(), rows(), rows());
    let (slope, curve, offset) = (rows(), rows(), rows());
    // Channel 3's first pixel normalises to 0.
    shift[3] = 0.0;
    let mut convolved = random(&mut generator, 20 * CHANNELS);
    convolved[3] = mean[3];
    convolved[40] = f32::NAN;
    let gradient = random(&mut generator, 20 * CHANNELS);

    let normalisation = Normalisation {
        mean: &mean,
        scale: &scale,
        shift: &shift,
    };
    let mut output = vec![MaybeUninit::new(0.0); 20 * CHANNELS];
    let mut responses = vec![0.0; CHANNELS];
    channels::normalise(
        simd,
        &convolved,
        normalisation,
        None,
        true,
        &mut output,
        &mut responses,
    );
    // SAFETY: made of values, and written over.
    #[allow(unsafe_code)]
    let output: Vec<f32> = output
        .iter()
        .map(|value| unsafe { value.assume_init() })
        .collect();

    let masks = [
        (ReluMask::Output(&output), None),
        (
            ReluMask::Normalised {
                scale: &scale,
                shift: &shift,
            },
            Some((&scale[..], &shift[..])),
        ),
    ];
    let [by_output, again] = masks.map(|(mask, relu)| {
        let mut gradient = gradient.clone();
        let (mut sums, mut products) = (vec![0.0; CHANNELS], vec![0.0; CHANNELS]);
        channels::gradient_sums(
            simd,
            &mut gradient,
            mask,
            &convolved,
            &mean,
            &mut sums,
            &mut products,
        );
        let coefficients = NormalisationGradient {
            slope: &slope,
            statistics: Some(StatisticsGradient {
                convolved: &convolved,
                mean: &mean,
                curve: &curve,
                offset: &offset,
                relu,
            }),
        };
        let mut framed = vec![0.0; frame.len()];
        channels::normalisation_gradient(simd, &gradient, coefficients, frame, &mut framed);
        let all = [sums, products, framed].concat();
        all.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
    });
    assert_eq!(by_output, again, "{instructions}");
}

/// Breaks when a gradient is lost or counted twice where a layer's output has several readers: the next
/// layer, a shortcut, the regulariser, and global pooling.
///
/// How close two correct computations can be depends on the network. In ResNet50, with batch norm over a few values per
/// channel, burn's own gradients move by 1e-2 of their norm when the images are 3e-7 brighter, with alpha 0 as with 0.7:
/// there, rounding may matter as much. ResNet18 and ResNet20 must agree to 1e-3.
#[test]
fn whole_networks_agree_with_burn() {
    let device = Device::flex().autodiff();
    for network in [Network::ResNet20, Network::ResNet18, Network::ResNet50] {
        let compute = |brighter: f32| {
            let mut generator = ChaCha8Rng::seed_from_u64(5);
            let model = ModelConfig {
                network,
                classes: 4,
                mean: [0.1; 3],
                std: [0.5; 3],
            }
            .init(3, &device);
            let images = tensor(&mut generator, [8, 3, 16, 16], &device);
            let images = (images * (1.0 + brighter)).detach().require_grad();
            let labels = [0, 1, 2, 3, 0, 1, 2, 3];
            let terms = regularised_loss(&model, images.clone(), &labels, 0.7);
            let loss = values(terms.loss.clone());
            let gradients = terms.loss.backward();
            let mut all = vec![loss, values(images.grad(&gradients).unwrap())];
            struct Collect<'a>(&'a burn::tensor::Gradients, &'a mut Vec<Vec<f32>>);
            impl burn::module::ModuleVisitor for Collect<'_> {
                fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                    if let Some(gradient) = param.val().grad(self.0) {
                        self.1.push(values(gradient));
                    }
                }
            }
            model.visit(&mut Collect(&gradients, &mut all));
            all
        };
        let (engine_values, burn_values) = (compute(0.0), with_burn_alone(|| compute(0.0)));
        assert!(
            engine_values.len() > 60,
            "{network}: only {} gradients",
            engine_values.len()
        );
        assert_eq!(engine_values.len(), burn_values.len());
        // All gradients as one vector: rounding grows through depth in single small ones.
        assert_close(
            &format!("{network}: loss"),
            &engine_values[0],
            &burn_values[0],
        );
        let gradients = |all: &[Vec<f32>]| all[1..].concat();
        let apart = difference(&gradients(&engine_values), &gradients(&burn_values));
        let bound = match network {
            Network::ResNet50 => {
                let brighter = with_burn_alone(|| compute(3e-7));
                let moved = difference(&gradients(&brighter), &gradients(&burn_values));
                assert!(
                    moved < 5e-2,
                    "{network}: burn's own gradients move by {moved:.1e}"
                );
                2.0 * moved
            }
            _ => 1e-3,
        };
        assert!(
            apart < bound,
            "{network}: gradients differ by {apart:.1e} of their norm, more than {bound:.1e}"
        );
    }
}

/// A layer's convolution and batch norm.
type Parameters = (Conv2d, BatchNorm);

/// Responses of a network in which every tensor but one is read twice: the images by two layers, the others by a layer
/// and its own shortcut, and by a layer and a subsampling.
fn everything_twice(layers: &[Parameters; 4], images: Tensor<4>) -> Tensor<2> {
    let [first, second, third, last] = layers;
    let one = layer(images.clone(), &first.0, &first.1, None, true).maps;
    let two = layer(images, &second.0, &second.1, Some(one), false).maps;
    let three = layer(two.clone(), &third.0, &third.1, Some(two), true).maps;
    let shortcut = subsample(three.clone(), 2, 32);
    layer(three, &last.0, &last.1, Some(shortcut), true).responses
}

/// Breaks when a tape adds up gradients otherwise than burn does, bit by bit, or gives some though it does not know the
/// whole way or the order of a sum.
#[test]
fn tapes_know_the_whole_way_or_nothing() {
    let device = Device::flex();
    let mut generator = ChaCha8Rng::seed_from_u64(21);
    let layers = [
        shape([3, 16], [9, 7], [3, 1, 1]),
        shape([3, 16], [9, 7], [1, 1, 0]),
        shape([16, 16], [9, 7], [3, 1, 1]),
        shape([16, 32], [9, 7], [3, 2, 1]),
    ]
    .map(|shape| layer_of(shape, &mut generator, &device.clone().autodiff()));
    let plain = layers
        .each_ref()
        .map(|(convolution, norm)| (convolution.valid(), norm.valid()));
    let frozen = layers.each_ref().map(|(convolution, norm)| {
        (
            convolution.valid().freeze().train(),
            norm.valid().freeze().train(),
        )
    });
    let images = tensor(&mut generator, [5, 3, 9, 7], &device);
    let tape = Tape::record(images.clone(), |images| {
        Some(everything_twice(&plain, images))
    })
    .unwrap();
    for unit in [0, 13, 31] {
        let tracked = images.clone().autodiff().require_grad();
        let responses = everything_twice(&frozen, tracked.clone());
        let mut gradients = responses.narrow(1, unit, 1).sum().backward();
        let expected = values(tracked.grad_remove(&mut gradients).unwrap());
        let found = values(tape.gradient(unit).unwrap());
        let bits = |values: &[f32]| -> Vec<u32> { values.iter().map(|v| v.to_bits()).collect() };
        assert!(
            bits(&found) == bits(&expected),
            "other bits for unit {unit}"
        );
        assert!(found.iter().any(|&value| value != 0.0));
    }

    let [first, second, third, _] = &plain;
    let stem = |images| layer(images, &first.0, &first.1, None, true);
    let none = |compute: &dyn Fn(Tensor<4>) -> Tensor<2>| {
        Tape::record(images.clone(), |images| Some(compute(images))).is_none()
    };
    assert!(!none(&|images| stem(images).responses));
    assert!(none(&|images| stem(images * 2.0).responses), "before");
    assert!(none(&|images| stem(images).responses * 2.0), "after");
    assert!(
        none(&|images| {
            let maps = stem(images).maps * 2.0;
            layer(maps, &third.0, &third.1, None, true).responses
        }),
        "between"
    );
    assert!(
        none(&|images| {
            let one = stem(images.clone()).maps;
            let two = layer(images.clone(), &second.0, &second.1, Some(one), true).maps;
            layer(images, &second.0, &second.1, Some(two), true).responses
        }),
        "three readers"
    );
    assert!(
        with_burn_alone(|| none(&|images| stem(images).responses)),
        "burn's own operators"
    );
    assert!(Tape::record(images.autodiff(), |_| panic!("autodiff needs no tape")).is_none());
}

/// Breaks when a sum is taken in an order that depends on how many threads there are.
#[test]
fn results_do_not_depend_on_threads() {
    for (batch, shape) in [
        (5, shape([16, 32], [11, 9], [3, 2, 1])),
        (37, shape([16, 32], [6, 5], [3, 1, 1])),
        (37, shape([64, 48], [4, 4], [1, 1, 0])),
        (37, shape([64, 64], [6, 6], [3, 1, 1])),
        (5, shape([96, 80], [5, 6], [3, 1, 1])),
        (37, shape([512, 512], [3, 3], [1, 1, 0])),
        (1, shape([128, 512], [3, 3], [1, 1, 0])),
    ] {
        check_threads(ConvolutionShape { batch, ..shape });
    }
}

fn check_threads(shape: ConvolutionShape) {
    let with = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| everything(shape, 1, true, true, false))
    };
    let one = with(1);
    for threads in [2, 3, 7, 12, 33] {
        assert!(with(threads) == one, "{threads} threads give other numbers");
    }
}

/// Shapes with weights enough to be taken through all images: blocks that are full and not, pixels that feed no output.
fn wide_shapes() -> [ConvolutionShape; 7] {
    let deep = shape([512, 512], [4, 3], [1, 2, 0]);
    [
        deep,
        ConvolutionShape { batch: 1, ..deep },
        ConvolutionShape { batch: 37, ..deep },
        shape([512, 512], [3, 3], [1, 1, 0]),
        shape([256, 128], [6, 5], [3, 2, 1]),
        shape([520, 512], [4, 3], [1, 2, 0]),
        shape([300, 112], [5, 4], [3, 1, 1]),
    ]
}

/// What `compute` gives with weights taken through all images, after checking that image by image it gives the same.
fn the_same_by_image<T: PartialEq>(what: &str, compute: impl Fn() -> T) -> T {
    let streamed = compute();
    IMAGE_BY_IMAGE.set(true);
    let by_image = compute();
    IMAGE_BY_IMAGE.set(false);
    assert!(
        streamed == by_image,
        "{what}: other bits than image by image"
    );
    streamed
}

/// Breaks when taking weights through all images gives other bits than image by image, in any output or gradient.
#[test]
fn streamed_weights_give_the_same_bits() {
    for shape in wide_shapes() {
        for (with_shortcut, ends_in_relu, frozen) in [
            (true, true, false),
            (false, true, false),
            (false, false, false),
            (true, true, true),
            (false, false, true),
        ] {
            the_same_by_image(&format!("{shape:?}, frozen {frozen}"), || {
                everything(shape, 4, with_shortcut, ends_in_relu, frozen)
            });
        }
    }
}

/// The memory of a layer with random images, channels last, and weights.
struct LayerMemory {
    shape: ConvolutionShape,
    input: Vec<f32>,
    weight: Vec<f32>,
}

impl LayerMemory {
    fn new(shape: ConvolutionShape, generator: &mut ChaCha8Rng) -> Self {
        let len = shape.batch * shape.pixels_in() * shape.channels_in;
        LayerMemory {
            shape,
            input: random(generator, len),
            weight: random(generator, shape.weights_each() * shape.channels_out),
        }
    }

    fn layer(&self) -> Layer<'_> {
        let (shape, row) = (self.shape, self.shape.width * self.shape.channels_in);
        Layer {
            shape,
            input: Images {
                values: &self.input,
                strides: [shape.height * row, 1, row, shape.channels_in],
            },
            weight: &self.weight,
            lasting: None,
        }
    }
}

/// Breaks when an input's gradient is written over the gradient that waits for it, or is added to it in another order.
#[test]
fn streamed_gradients_are_added_to_what_waits() {
    // Only channels in whole blocks wait for more, as `register_input!` has it.
    let whole = |shape: &ConvolutionShape| shape.channels_in.is_multiple_of(16);
    for shape in wide_shapes().into_iter().filter(whole) {
        let mut generator = ChaCha8Rng::seed_from_u64(9);
        let memory = LayerMemory::new(shape, &mut generator);
        let (layer, len) = (memory.layer(), memory.input.len());
        let image_out = shape.pixels_out() * shape.channels_out;
        let gradient = random(&mut generator, shape.batch * image_out);
        let scale = random(&mut generator, shape.channels_out);
        let (image, rows) = (
            random(&mut generator, len),
            random(&mut generator, shape.batch * shape.channels_in),
        );
        let back = |waiting: Waiting<'_>| {
            assert!(layer.is_streamed() || IMAGE_BY_IMAGE.get());
            layer
                .infer_back(&scale, None, &mut gradient.clone(), Some(waiting))
                .unwrap_or_default()
        };
        let alone = the_same_by_image("alone", || back(Waiting::Nothing));
        let added = the_same_by_image("added", || {
            let mut image = image.clone();
            assert!(back(Waiting::Image(&mut image)).is_empty());
            image
        });
        let with_rows = the_same_by_image("with rows", || back(Waiting::Row(&rows)));
        let sums: Vec<f32> = alone.iter().zip(&image).map(|(a, b)| a + b).collect();
        assert_close("added", &added, &sums);
        let image_in = shape.pixels_in() * shape.channels_in;
        let sums: Vec<f32> = (0..len)
            .map(|at| {
                let row = at / image_in * shape.channels_in + at % shape.channels_in;
                alone[at] + rows[row]
            })
            .collect();
        assert_close("with rows", &with_rows, &sums);
    }
}

/// Breaks when a weight gradient that threads divide among them leaves out a pixel, takes one twice, or sums in another order
/// than image after image, row after row.
#[test]
fn many_weights_are_summed_in_order() {
    let narrow = [
        shape([96, 80], [9, 11], [3, 2, 1]),
        shape([64, 128], [8, 8], [3, 1, 1]),
        shape([130, 512], [7, 5], [1, 2, 0]),
    ];
    for shape in wide_shapes().into_iter().chain(narrow) {
        let mut generator = ChaCha8Rng::seed_from_u64(12);
        let memory = LayerMemory::new(shape, &mut generator);
        let layer = memory.layer();
        let gradient = random(
            &mut generator,
            shape.batch * shape.pixels_out() * shape.channels_out,
        );
        assert!(layer.has_many_weights());
        let ones = vec![1.0; shape.channels_out];
        let frames = layer.gradient_frames(&gradient, &|_| NormalisationGradient {
            slope: &ones,
            statistics: None,
        });
        let (frame, gradient_frame) = (shape.input_frame(), shape.gradient_frame());
        let mut sums = Aligned::zeros(memory.weight.len());
        for index in 0..shape.batch {
            let mut framed = Aligned::zeros(frame.len());
            layer.input.fill(index, frame, &mut framed);
            Arch::new().dispatch(WeightGradient {
                shape,
                pairing: layer.pairing(),
                first_row: 0,
                input: &framed,
                framed: &frames[index * gradient_frame.len()..][..gradient_frame.len()],
                sums: &mut sums,
            });
        }
        assert!(
            layer.many_weights(&frames) == layer.unpack_weights(&sums, shape.channels_out),
            "{shape:?}"
        );
    }
}

/// Breaks when the inner loops of any instruction set of this machine are wrong.
#[test]
fn inner_loops_agree_with_plain_sums_in_every_instruction_set() {
    struct Sums(ConvolutionShape);
    impl Check for Sums {
        #[inline(always)]
        fn check<S: Simd>(&self, simd: S, instructions: &str) {
            check_sums(simd, &self.0, instructions);
        }
    }
    for shape in shapes() {
        in_every_instruction_set(&Sums(shape));
    }
}

#[inline(always)]
fn check_sums<S: Simd>(simd: S, shape: &ConvolutionShape, instructions: &str) {
    let mut generator = ChaCha8Rng::seed_from_u64(2);
    let (input, frame) = (shape.input_frame(), shape.gradient_frame());
    let (from, to) = (shape.channels_in, shape.channels_out);
    let (columns, rows) = (shape.width_out(), shape.height_out());
    let framed = random(&mut generator, input.len());
    let run = shape.kernel * from;
    let weights = random(&mut generator, shape.kernel * run * to);
    // [window values, channels] as it is: one place, all window values as other channels.
    let order = WeightOrder {
        channels: to,
        channel_stride: 1,
        others: shape.kernel * run,
        other_stride: to,
        rank: vec![Some(0)],
    };
    let outputs = block_sizes(S::F32_LANES, to).map(|block| {
        let packed = PackedWeights::pack_in_blocks(block, &weights, &order);
        let mut output = vec![MaybeUninit::new(f32::NAN); shape.pixels_out() * to];
        windows_product(
            simd,
            &framed,
            &shape.forward_windows(),
            &packed,
            &mut output,
            Overwrite,
            &mut Ahead::nothing(),
        );
        // SAFETY: initialised above.
        #[allow(unsafe_code)]
        let output = output.iter().map(|value| unsafe { value.assume_init() });
        output.collect::<Vec<f32>>()
    });
    let at = |row: usize, column: usize, k: usize, j: usize| {
        f64::from(framed[input.at(row * shape.stride + k, column * shape.stride) + j])
    };
    let mut expected = Vec::new();
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        for channel in 0..to {
            let terms = (0..shape.kernel).flat_map(|k| (0..run).map(move |j| (k, j)));
            expected.push(
                terms
                    .map(|(k, j)| {
                        at(row, column, k, j) * f64::from(weights[(k * run + j) * to + channel])
                    })
                    .sum::<f64>() as f32,
            );
        }
    }
    for output in &outputs {
        assert_close(
            &format!("{instructions}: windows of {shape:?}"),
            output,
            &expected,
        );
        assert!(
            *output == outputs[0],
            "{instructions}, {shape:?}: another block, other bits"
        );
    }

    let gradient = random(&mut generator, frame.len());
    let pairing = Pairing {
        rows,
        columns,
        source_pitch: input.pitch() * shape.stride,
        source_step: from * shape.stride,
        gradient_pitch: frame.pitch(),
        gradient_step: to,
        gradient_start: frame.at(frame.before, frame.before),
        sums_step: to,
    };
    let k = shape.kernel - 1;
    let mut sums = vec![0.5; run * to];
    outer_products(
        simd,
        &framed,
        input.at(k, 0),
        run,
        &gradient,
        &pairing,
        &mut sums,
    );
    let mut expected = vec![0.5_f64; run * to];
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        for (j, channel) in (0..run).flat_map(|j| (0..to).map(move |channel| (j, channel))) {
            let pull = gradient[frame.at(row + frame.before, column + frame.before) + channel];
            expected[j * to + channel] += at(row, column, k, j) * f64::from(pull);
        }
    }
    let expected: Vec<f32> = expected.iter().map(|&sum| sum as f32).collect();
    let TileShape { height, line } = tile_shape_for(S::F32_LANES, to);
    let mut packed_sums = vec![0.5; run * to];
    for channel in (0..to).step_by(line) {
        let pixels = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let gradients: Vec<f32> = pixels
            .clone()
            .flat_map(|(row, column)| {
                let at = frame.at(row + frame.before, column + frame.before) + channel;
                gradient[at..at + line].to_vec()
            })
            .collect();
        let mut j = 0;
        while j < run {
            let height = tile_height(run - j, height);
            let windows: Vec<f32> = pixels
                .clone()
                .flat_map(|(row, column)| {
                    let at = input.at(row * shape.stride + k, column * shape.stride) + j;
                    framed[at..at + height].to_vec()
                })
                .collect();
            let sums = &mut packed_sums[j * to + channel..];
            packed_outer_products(simd, &windows, height, &gradients, line, sums, to);
            j += height;
        }
    }
    assert!(
        packed_sums == sums,
        "{instructions}, {shape:?}: packed outer products are others"
    );
    assert_close(
        &format!("{instructions}: outer products of {shape:?}"),
        &sums,
        &expected,
    );
}
