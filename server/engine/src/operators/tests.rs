//! The engine's operators against burn's, and the inner loops against plain sums in `f64`.

use std::cell::Cell;
use std::mem::MaybeUninit;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use protocol::Network;
use pulp::{Simd, WithSimd};
use rand::distr::{Distribution, Uniform};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::channels::{self, Normalisation};
use super::kernel::{
    Affine, Overwrite, PackedWeights, Pairing, WeightOrder, outer_products, windows_product,
};
use super::shape::ConvolutionShape;
use super::{Activations, layer};
use crate::learning::loss::regularised_loss;
use crate::networks::ModelConfig;

thread_local! {
    /// Makes [`layer`] take burn's own operators on this thread.
    pub(super) static BURN_ALONE: Cell<bool> = const { Cell::new(false) };
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
        // Weights enough to be divided among threads.
        shape([96, 80], [5, 6], [3, 2, 1]),
        shape([300, 256], [3, 3], [1, 1, 0]),
    ];
    let mut generator = ChaCha8Rng::seed_from_u64(11);
    while shapes.len() < 26 {
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

/// Breaks when any output or gradient of a layer, training or frozen, is not what burn's operators give.
#[test]
fn layers_agree_with_burn_on_many_shapes() {
    for (index, shape) in shapes().into_iter().enumerate() {
        for (shortcut, relu, frozen) in [
            (true, true, false),
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
        for (relu, frozen) in [(true, false), (true, true), (false, true)] {
            for input in INPUTS {
                for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let compute = || {
                        everything_with(
                            Some((input, value)),
                            shape,
                            index as u64,
                            true,
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

/// Breaks when a loop over one image turns a NaN into a finite number in any instruction set of this machine.
#[test]
fn nan_comes_through_in_every_instruction_set() {
    struct Check(&'static str);
    impl WithSimd for Check {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            check_nan(simd, self.0);
        }
    }
    Check("plain").with_simd(pulp::Scalar::new());
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V3::try_new() {
            Simd::vectorize(simd, Check("AVX2"));
        }
        if let Some(simd) = pulp::x86::V4::try_new() {
            Simd::vectorize(simd, Check("AVX-512"));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(simd) = pulp::aarch64::Neon::try_new() {
        Simd::vectorize(simd, Check("NEON"));
    }
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
            windows_product(simd, &frame, &windows, &packed, &mut output, affine);
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
            Some(&image(broken == 1)),
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

/// Breaks when a sum is taken in an order that depends on how many threads there are.
#[test]
fn results_do_not_depend_on_threads() {
    for shape in [
        shape([16, 32], [11, 9], [3, 2, 1]),
        shape([96, 80], [5, 6], [3, 1, 1]),
    ] {
        check_threads(shape);
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
    for threads in [2, 3, 7] {
        assert!(with(threads) == one, "{threads} threads give other numbers");
    }
}

/// Breaks when the inner loops of any instruction set of this machine are wrong.
#[test]
fn inner_loops_agree_with_plain_sums_in_every_instruction_set() {
    struct Check<'a>(&'a ConvolutionShape, &'static str);
    impl WithSimd for Check<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            check(simd, self.0, self.1);
        }
    }
    for shape in &shapes() {
        Check(shape, "plain").with_simd(pulp::Scalar::new());
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(simd) = pulp::x86::V3::try_new() {
                Simd::vectorize(simd, Check(shape, "AVX2"));
            }
            if let Some(simd) = pulp::x86::V4::try_new() {
                Simd::vectorize(simd, Check(shape, "AVX-512"));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(simd) = pulp::aarch64::Neon::try_new() {
            Simd::vectorize(simd, Check(shape, "NEON"));
        }
    }
}

#[inline(always)]
fn check<S: Simd>(simd: S, shape: &ConvolutionShape, instructions: &str) {
    let mut generator = ChaCha8Rng::seed_from_u64(2);
    let (input, frame) = (shape.input_frame(), shape.gradient_frame());
    let (from, to) = (shape.channels_in, shape.channels_out);
    let (columns, rows) = (shape.width_out(), shape.height_out());
    let framed = random(&mut generator, input.len());
    let run = shape.kernel * from;
    let weights = random(&mut generator, shape.kernel * run * to);
    // Wide registers take two a block where channels fill them.
    let block = if S::F32_LANES == 16 && to.is_multiple_of(32) {
        32
    } else {
        16
    };
    // [window values, channels] as it is: one place, all window values as other channels.
    let order = WeightOrder {
        channels: to,
        channel_stride: 1,
        others: shape.kernel * run,
        other_stride: to,
        rank: vec![Some(0)],
    };
    let packed = PackedWeights::pack_in_blocks(block, &weights, &order);
    let mut output = vec![MaybeUninit::new(f32::NAN); shape.pixels_out() * to];
    windows_product(
        simd,
        &framed,
        &shape.forward_windows(),
        &packed,
        &mut output,
        Overwrite,
    );
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
    #[allow(unsafe_code)]
    // SAFETY: initialised above.
    let output: Vec<f32> = output
        .iter()
        .map(|value| unsafe { value.assume_init() })
        .collect();
    assert_close(
        &format!("{instructions}: windows of {shape:?}"),
        &output,
        &expected,
    );

    let gradient = random(&mut generator, frame.len());
    let pairing = Pairing {
        images: 1,
        source_image: input.len(),
        gradient_image: frame.len(),
        rows,
        columns,
        source_pitch: input.pitch() * shape.stride,
        source_step: from * shape.stride,
        gradient_pitch: frame.pitch(),
        gradient_step: to,
        gradient_start: frame.at(frame.before, frame.before),
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
    assert_close(
        &format!("{instructions}: outer products of {shape:?}"),
        &sums,
        &expected,
    );
}
