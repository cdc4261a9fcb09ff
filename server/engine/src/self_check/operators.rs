//! The operators that networks, training and attacks are made of: one list, computed by any device.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{BatchNorm, BatchNormConfig, LinearConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use protocol::Network;

use super::difference::Named;
use super::training_step::random;
use crate::attacks::{gradient_at_logits, not_finite};
use crate::base::host::host;
use crate::data::ImageSet;
use crate::inference::batch::clean_images;
use crate::learning::optimiser::default_optimiser;
use crate::measures::selectivity::minibatch_selectivity;
use crate::networks::ModelConfig;
use crate::operators::{Activations, ConvolutionShape, convolutions_of, layer, subsample};

/// Images of every case.
const BATCH: usize = 2;

/// Computes named tensors on a device.
type Compute = dyn Fn(&Device) -> Vec<Named>;

/// Something that a device computes.
pub struct Case {
    /// What it is, with its sizes.
    pub name: String,
    compute: Box<Compute>,
}

impl Case {
    fn new(name: impl Into<String>, compute: impl Fn(&Device) -> Vec<Named> + 'static) -> Self {
        Case {
            name: name.into(),
            compute: Box::new(compute),
        }
    }

    pub(super) fn compute(&self, device: &Device) -> Vec<Named> {
        (self.compute)(device)
    }
}

/// Every operator: each convolution of each network (images of 32x32 pixels for the CIFAR family, 64x64 for the
/// others), forward and both gradients; the layer that it stands in, which the CPU computes with kernels of its own;
/// batch norm with its running statistics; the shortcut without parameters; pooling; the classifier; the loss with its
/// regulariser; SGD; what attacks do with gradients.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in convolutions() {
        let name = describe(&shape);
        cases.push(Case::new(format!("convolution {name}"), move |device| {
            convolution(shape, device)
        }));
        cases.push(Case::new(format!("layer {name}"), move |device| {
            whole_layer(shape, false, device)
        }));
    }
    // A value that rounding moves across zero changes a ReLU's gradient: among few values there is none.
    let small = ConvolutionShape {
        batch: BATCH,
        channels_in: 16,
        channels_out: 32,
        height: 8,
        width: 8,
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    cases.push(Case::new(
        format!("layer {} with a ReLU", describe(&small)),
        move |device| whole_layer(small, true, device),
    ));
    for sizes in [
        [8, 16, 8, 8],
        [BATCH, 64, 8, 8],
        [BATCH, 64, 32, 32],
        [BATCH, 512, 2, 2],
    ] {
        cases.push(Case::new(
            format!("batch norm of {sizes:?}"),
            move |device| batch_norm(sizes, device),
        ));
    }
    for (channels, side) in [(16, 32), (32, 16)] {
        cases.push(Case::new(
            format!(
                "shortcut from {channels} to {} channels, {side}x{side}",
                2 * channels
            ),
            move |device| shortcut([BATCH, channels, side, side], device),
        ));
    }
    for sizes in [[BATCH, 64, 8, 8], [BATCH, 16, 32, 32], [BATCH, 512, 8, 8]] {
        cases.push(Case::new(
            format!("ReLU and pooling of {sizes:?}"),
            move |device| pooling(sizes, device),
        ));
    }
    for (batch, units, classes) in [(8, 64, 10), (4, 512, 200), (4, 2048, 200)] {
        cases.push(Case::new(
            format!("classifier of {batch} images, {units} units, {classes} classes"),
            move |device| classifier([batch, units], classes, device),
        ));
    }
    cases.push(Case::new("loss of 8 images, 10 classes", loss));
    cases.push(Case::new("three steps of SGD", sgd));
    cases.push(Case::new("a step along the gradient's sign", signed_step));
    cases.push(Case::new("images that arrive as bytes", bytes));
    cases.push(Case::new(
        "gradient of the cross-entropy at logits",
        at_logits,
    ));
    cases.push(Case::new("what is not finite", finite));
    cases
}

fn convolutions() -> Vec<ConvolutionShape> {
    let device = Device::flex();
    let mut shapes = Vec::new();
    for network in Network::ALL {
        let side = network.usual_image_side();
        let model = ModelConfig::with_generic_normalisation(network, 10)
            .init(0, &device)
            .valid();
        // One image gives all sizes but the batch.
        shapes.extend(convolutions_of(|| {
            model.forward(Tensor::zeros([1, 3, side, side], &device));
        }));
    }
    let mut once: Vec<ConvolutionShape> = Vec::new();
    for shape in shapes {
        let shape = ConvolutionShape {
            batch: BATCH,
            ..shape
        };
        if !once.contains(&shape) {
            once.push(shape);
        }
    }
    once
}

fn describe(shape: &ConvolutionShape) -> String {
    format!(
        "{0}x{0}, stride {1}, {2} to {3} channels, {4}x{5}",
        shape.kernel,
        shape.stride,
        shape.channels_in,
        shape.channels_out,
        shape.height,
        shape.width
    )
}

/// Values in [-0.5, 0.5).
fn tensor<const D: usize>(sizes: [usize; D], device: &Device) -> Tensor<D> {
    tensor_of(0, sizes, device)
}

/// Values in [-0.5, 0.5), different ones for each sequence.
fn tensor_of<const D: usize>(sequence: u64, sizes: [usize; D], device: &Device) -> Tensor<D> {
    let values = random(sequence, sizes.iter().product());
    Tensor::from_data(TensorData::new(values, sizes), device) - 0.5
}

/// A scalar whose gradient differs from value to value, and from the input: a gradient equal to its input would leave
/// nothing but rounding after batch norm.
fn weighted<const D: usize>(output: Tensor<D>) -> Tensor<1> {
    let weights = tensor_of(1, output.dims(), &output.device());
    (output * weights).sum()
}

fn convolution(shape: ConvolutionShape, device: &Device) -> Vec<Named> {
    let device = device.clone().autodiff();
    let ConvolutionShape {
        batch,
        channels_in,
        channels_out,
        height,
        width,
        kernel,
        stride,
        padding,
    } = shape;
    let input = tensor([batch, channels_in, height, width], &device).require_grad();
    let weight = tensor([channels_out, channels_in, kernel, kernel], &device).require_grad();
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    let output = conv2d(input.clone(), weight.clone(), None, options);
    let (mut tensors, gradients) = forward_and_backward(&input, output);
    tensors.push(gradient_of(&weight, "weight", &gradients));
    tensors
}

/// The output that was computed of `input`, and the input's gradient; with all gradients.
fn forward_and_backward<const D: usize, const E: usize>(
    input: &Tensor<D>,
    output: Tensor<E>,
) -> (Vec<Named>, Gradients) {
    let gradients = weighted(output.clone()).backward();
    let tensors = vec![
        Named::new("output", host(output.inner())),
        gradient_of(input, "input", &gradients),
    ];
    (tensors, gradients)
}

/// The gradient with respect to a tensor.
fn gradient_of<const D: usize>(tensor: &Tensor<D>, name: &str, gradients: &Gradients) -> Named {
    Named::new(
        format!("gradient of the {name}"),
        tensor.grad(gradients).map(host).unwrap_or_default(),
    )
}

/// Batch norm with a convolution before it, a shortcut after it, and the units' responses.
fn whole_layer(shape: ConvolutionShape, ends_in_relu: bool, device: &Device) -> Vec<Named> {
    let device = device.clone().autodiff();
    let (kernel, padding) = (shape.kernel, shape.padding);
    let mut convolution = Conv2dConfig::new([shape.channels_in, shape.channels_out], [kernel; 2])
        .with_stride([shape.stride; 2])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(false)
        .init(&device);
    let sizes = [shape.channels_out, shape.channels_in, kernel, kernel];
    convolution.weight = Param::from_tensor(tensor(sizes, &device));
    let norm = norm_of(shape.channels_out, &device);
    let sizes = [shape.batch, shape.channels_in, shape.height, shape.width];
    let input = tensor(sizes, &device).require_grad();
    let sizes = [
        shape.batch,
        shape.channels_out,
        shape.height_out(),
        shape.width_out(),
    ];
    let shortcut = tensor_of(2, sizes, &device).require_grad();
    let Activations { maps, responses } = layer(
        input.clone(),
        &convolution,
        &norm,
        Some(shortcut.clone()),
        ends_in_relu,
    );
    let gradients = (weighted(maps.clone()) + weighted(responses.clone()) * 3.0).backward();
    let mut tensors = vec![
        Named::new("output", host(maps.inner())),
        Named::new("responses", host(responses.inner())),
        gradient_of(&input, "input", &gradients),
        gradient_of(&shortcut, "shortcut", &gradients),
        gradient_of(&convolution.weight.val(), "weight", &gradients),
    ];
    tensors.extend(norm_state(&norm, &gradients));
    tensors
}

/// Batch norm with other scales and shifts than 1 and 0.
fn norm_of(channels: usize, device: &Device) -> BatchNorm {
    let mut norm = BatchNormConfig::new(channels).init(device);
    norm.gamma = Param::from_tensor(tensor([channels], device) + 1.0);
    norm.beta = Param::from_tensor(tensor([channels], device));
    norm
}

fn norm_state(norm: &BatchNorm, gradients: &Gradients) -> [Named; 4] {
    [
        gradient_of(&norm.gamma.val(), "scale", gradients),
        gradient_of(&norm.beta.val(), "shift", gradients),
        Named::new("running mean", host(norm.running_mean.value_sync().inner())),
        Named::new(
            "running variance",
            host(norm.running_var.value_sync().inner()),
        ),
    ]
}

fn batch_norm(sizes: [usize; 4], device: &Device) -> Vec<Named> {
    let training_device = device.clone().autodiff();
    let norm = norm_of(sizes[1], &training_device);
    let input = tensor(sizes, &training_device).require_grad();
    norm.forward(input.clone() * 2.0 + 0.25);
    let (mut tensors, gradients) = forward_and_backward(&input, norm.forward(input.clone()));
    tensors.extend(norm_state(&norm, &gradients));
    let output = norm.valid().forward(tensor(sizes, device));
    tensors.push(Named::new("output in inference mode", host(output)));
    tensors
}

fn shortcut(sizes: [usize; 4], device: &Device) -> Vec<Named> {
    let input = tensor(sizes, &device.clone().autodiff()).require_grad();
    forward_and_backward(&input, subsample(input.clone(), 2, 2 * sizes[1])).0
}

fn pooling(sizes: [usize; 4], device: &Device) -> Vec<Named> {
    let input = tensor(sizes, &device.clone().autodiff()).require_grad();
    let output = relu(input.clone()).mean_dims(&[2, 3]).flatten::<2>(1, 3);
    forward_and_backward(&input, output).0
}

fn classifier([batch, units]: [usize; 2], classes: usize, device: &Device) -> Vec<Named> {
    let device = device.clone().autodiff();
    let input = tensor([batch, units], &device).require_grad();
    let mut linear = LinearConfig::new(units, classes).init(&device);
    linear.weight = Param::from_tensor(tensor([units, classes], &device));
    linear.bias = Some(Param::from_tensor(tensor([classes], &device)));
    let (mut tensors, gradients) = forward_and_backward(&input, linear.forward(input.clone()));
    tensors.push(gradient_of(&linear.weight.val(), "weight", &gradients));
    tensors.extend(
        linear
            .bias
            .map(|bias| gradient_of(&bias.val(), "bias", &gradients)),
    );
    tensors
}

fn loss(device: &Device) -> Vec<Named> {
    let device = device.clone().autodiff();
    let labels: Vec<u32> = (0..8).map(|image| image % 5).collect();
    let logits = (tensor([8, 10], &device) * 4.0).require_grad();
    let responses = [16, 40].map(|units| (tensor([8, units], &device) + 0.5).require_grad());
    let targets: Vec<i64> = labels.iter().map(|&label| label.into()).collect();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [8, 1]), &device);
    let cross_entropy = log_softmax(logits.clone(), 1)
        .gather(1, targets.clone())
        .mean()
        .neg();
    let correct = logits.clone().argmax(1).equal(targets).float().sum();
    let selectivity =
        minibatch_selectivity(responses.to_vec(), &labels).expect("five classes are present");
    let gradients = (cross_entropy.clone() - selectivity.clone()).backward();
    let mut tensors = vec![
        Named::new("cross-entropy", host(cross_entropy.inner())),
        Named::new("selectivity", host(selectivity.inner())),
        Named::new("correct", host(correct.inner())),
        gradient_of(&logits, "logits", &gradients),
    ];
    tensors.extend(responses.iter().enumerate().map(|(layer, responses)| {
        gradient_of(
            responses,
            &format!("responses of layer {}", layer + 1),
            &gradients,
        )
    }));
    tensors
}

fn sgd(device: &Device) -> Vec<Named> {
    let device = device.clone().autodiff();
    let mut linear = LinearConfig::new(64, 10).init(&device);
    linear.weight = Param::from_tensor(tensor([64, 10], &device));
    linear.bias = Some(Param::from_tensor(tensor([10], &device)));
    let mut optimiser = default_optimiser();
    for step in 1..=3 {
        let input = tensor([8, 64], &device) * step as f32;
        let gradients = weighted(linear.forward(input)).backward();
        let gradients = GradientsParams::from_grads(gradients, &linear);
        linear = optimiser.step(0.1, linear, gradients);
    }
    let mut tensors = vec![Named::new("weight", host(linear.weight.val().inner()))];
    tensors.extend(
        linear
            .bias
            .map(|bias| Named::new("bias", host(bias.val().inner()))),
    );
    tensors
}

fn signed_step(device: &Device) -> Vec<Named> {
    let sizes = [BATCH, 3, 32, 32];
    let (images, gradient) = (tensor(sizes, device) + 0.5, tensor_of(1, sizes, device));
    let moved = (images.clone() + gradient.clone().sign() * 0.03).clamp(0.0, 1.0);
    let apart = moved.clone() - images;
    let norm = gradient.square().sum_dims(&[1, 2, 3]).sqrt();
    vec![
        Named::new("images", host(moved)),
        Named::new("largest change", host(apart.abs().max_dims(&[1, 2, 3]))),
        Named::new("L2 norm of the gradient", host(norm)),
    ]
}

/// Images of no whole number of words: only the CPU gets numbers.
fn bytes(device: &Device) -> Vec<Named> {
    let side = 15;
    let pixels: Vec<u8> = (0..BATCH * 3 * side * side)
        .map(|index| (index * 37 + 128) as u8)
        .collect();
    let set =
        ImageSet::new(pixels, vec![0; BATCH], side, side).expect("as many pixels as the sizes say");
    let images = clean_images(&set, &[0, 1], device);
    vec![Named::new("images", host(images))]
}

/// Of networks that hesitate, are sure, and are sure of something else.
fn at_logits(device: &Device) -> Vec<Named> {
    let logits = [
        [2.0, -1.0, 5.0, 0.5, 1.0],
        [20.0, 0.0, 1.0, -3.0, 2.0],
        [-50.0, 9.0, 0.0, 5.0, 5.0],
    ];
    let gradient = gradient_at_logits(Tensor::from_floats(logits, device), &[2, 0, 0]);
    // Each image's alone: a sure network's gradient is small beside the others'.
    let rows = host(gradient);
    let named = |(name, row): (&str, &[f32])| Named::new(name, row.to_vec());
    ["hesitating", "sure", "wrong"]
        .into_iter()
        .zip(rows.chunks(5))
        .map(named)
        .collect()
}

/// A gradient with a NaN, one with an infinity, one without either; then logits with and without.
fn finite(device: &Device) -> Vec<Named> {
    let mut values = vec![0.5_f32; 4 * 3 * 4 * 4];
    for (place, value) in [(7, f32::NAN), (60, f32::NEG_INFINITY), (150, f32::NAN)] {
        values[place] = value;
    }
    let gradient = Tensor::<4>::from_data(TensorData::new(values, [4, 3, 4, 4]), device);
    let logits = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [f32::INFINITY, 0.0]];
    let (broken, failed) = not_finite(&gradient, Tensor::from_floats(logits, device));
    vec![
        Named::new("gradient", host(gradient.mask_fill(broken, 0.0))),
        Named::new("images", host(failed.float())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::tests::with_burn_alone;
    use crate::self_check::difference::{differences, largest};

    /// Breaks when a convolution of a network is not on the list: it would be trusted unseen.
    #[test]
    fn every_convolution_is_listed() {
        let names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
        for name in [
            "convolution 3x3, stride 1, 3 to 16 channels, 32x32",
            "convolution 3x3, stride 2, 32 to 64 channels, 16x16",
            "convolution 7x7, stride 2, 3 to 64 channels, 64x64",
            "convolution 1x1, stride 2, 256 to 512 channels, 8x8",
            "convolution 1x1, stride 1, 2048 to 512 channels, 4x4",
        ] {
            assert!(
                names.iter().any(|listed| listed == name),
                "{name} is not among {names:#?}"
            );
        }
    }

    /// Breaks when a case computes nothing or zeros, or the CPU's own kernels compute otherwise than burn's operators.
    #[test]
    fn the_cpus_own_kernels_agree_with_burns() {
        let device = Device::flex();
        let mut others = 0;
        for case in cases() {
            let tensors = case.compute(&device);
            let expected = with_burn_alone(|| case.compute(&device));
            for tensor in &tensors {
                assert!(
                    tensor.values.iter().any(|&value| value != 0.0),
                    "{}: {}",
                    case.name,
                    tensor.name
                );
            }
            let differences = differences(&tensors, &expected);
            let largest = largest(&differences).expect("every case computes something");
            assert!(largest.relative < 1e-4, "{}: {largest:?}", case.name);
            others += usize::from(largest.relative > 0.0);
        }
        assert!(others > 20, "only {others} cases were computed in two ways");
    }
}
