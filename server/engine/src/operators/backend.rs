//! The operators on burn's tensors: on the CPU's own, and on those it differentiates.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, OpsPrep};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Flex};
use pulp::Arch;
use rayon::prelude::*;

use super::channels::{self, ReluMask};
use super::layer::{Layer, Waiting, Wanted};
use super::layout::{
    channels_last, contiguous, into_channels_last, is_spread, layer_on, readable, sizes, spread,
    values, values_mut, vector,
};
use super::shape::ConvolutionShape;
use super::tape::{self, Operator, Pass};
use super::waiting;
use super::way_back::{InferenceState, added, subsample_back};

/// A layer's settings, besides its tensors.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerOptions {
    pub(super) stride: usize,
    pub(super) padding: usize,
    /// What keeps batch norm from dividing by zero.
    pub(super) epsilon: f64,
    /// Whether it ends in a ReLU.
    pub(super) relu: bool,
}

/// The tensors of a layer.
pub(super) struct LayerTensors<B: Backend> {
    /// `[batch, channels_in, height, width]`
    pub(super) input: FloatTensor<B>,
    /// `[channels_out, channels_in, kernel, kernel]`
    pub(super) weight: FloatTensor<B>,
    /// `[channels_out]`
    pub(super) gamma: FloatTensor<B>,
    /// `[channels_out]`
    pub(super) beta: FloatTensor<B>,
    /// `[batch, channels_out, height, width]` of the output, added before the ReLU.
    pub(super) shortcut: Option<FloatTensor<B>>,
}

/// A layer's output.
pub(super) struct LayerOutput<B: Backend> {
    /// `[batch, channels_out, height, width]`
    pub(super) maps: FloatTensor<B>,
    /// Spatial means of the maps, `[batch, channels_out]`.
    pub(super) responses: FloatTensor<B>,
}

/// A training pass's output, and the statistics of its batch.
pub(super) struct TrainingOutput<B: Backend> {
    pub(super) output: LayerOutput<B>,
    /// `[channels_out]`
    pub(super) mean: FloatTensor<B>,
    /// Biased, `[channels_out]`.
    pub(super) variance: FloatTensor<B>,
}

/// The operators that burn's CPU backend lacks, or is slow at.
pub(super) trait LayerBackend: Backend {
    /// Convolution, batch norm with the batch's statistics, shortcut, ReLU.
    fn layer_train(tensors: LayerTensors<Self>, options: LayerOptions) -> TrainingOutput<Self>;

    /// The same with given statistics. Differentiable in the input and the shortcut alone.
    fn layer_infer(
        tensors: LayerTensors<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        options: LayerOptions,
    ) -> LayerOutput<Self>;

    /// Every `step`-th pixel of `[batch, channels, height, width]`, with zeros for channels that are new,
    /// half before and half after.
    fn subsample(input: FloatTensor<Self>, step: usize, channels: usize) -> FloatTensor<Self>;
}

fn shape_of(input: &FlexTensor, weight: &FlexTensor, options: LayerOptions) -> ConvolutionShape {
    let [batch, channels_in, height, width] = sizes(input);
    let [channels_out, _, kernel, _] = sizes(weight);
    ConvolutionShape {
        batch,
        channels_in,
        channels_out,
        height,
        width,
        kernel,
        stride: options.stride,
        padding: options.padding,
    }
}

fn sizes_out(shape: ConvolutionShape) -> [usize; 4] {
    [
        shape.batch,
        shape.channels_out,
        shape.height_out(),
        shape.width_out(),
    ]
}

/// A training pass, and the state that its backward pass needs.
fn train(
    tensors: LayerTensors<Flex>,
    options: LayerOptions,
) -> (TrainingOutput<Flex>, TrainingState) {
    let input = readable(tensors.input);
    let weight = tensors.weight.to_contiguous();
    let shape = shape_of(&input, &weight, options);
    let shortcut = tensors.shortcut.map(into_channels_last);
    let (gamma, beta) = (vector(&tensors.gamma), vector(&tensors.beta));
    let pass = layer_on(shape, &input, &weight).train(
        &gamma,
        &beta,
        options.epsilon,
        shortcut.as_ref().map(values),
        options.relu,
    );
    let maps = channels_last(pass.output, sizes_out(shape));
    let state = TrainingState {
        shape,
        convolved: channels_last(pass.convolved, sizes_out(shape)),
        relu: match (options.relu, &shortcut) {
            (false, _) => Relu::Absent,
            (true, Some(_)) => Relu::AfterShortcut(maps.clone()),
            (true, None) => Relu::AfterNorm {
                scale: pass.scale,
                shift: beta,
            },
        },
        gamma,
        mean: pass.mean.clone(),
        variance: pass.variance.clone(),
        epsilon: options.epsilon,
        input,
        weight,
    };
    let channels = shape.channels_out;
    let output = TrainingOutput {
        output: LayerOutput {
            maps,
            responses: contiguous(pass.responses, [shape.batch, channels]),
        },
        mean: contiguous(pass.mean, [channels]),
        variance: contiguous(pass.variance, [channels]),
    };
    (output, state)
}

/// An inference pass, and the state that its backward pass needs.
fn infer(
    tensors: LayerTensors<Flex>,
    mean: &FlexTensor,
    variance: &FlexTensor,
    options: LayerOptions,
) -> (LayerOutput<Flex>, InferenceState) {
    let input = readable(tensors.input);
    let weight = tensors.weight.to_contiguous();
    let shape = shape_of(&input, &weight, options);
    let shortcut = tensors.shortcut.map(into_channels_last);
    let scale: Vec<f32> = vector(&tensors.gamma)
        .iter()
        .zip(vector(variance))
        .map(|(gamma, variance)| {
            (f64::from(*gamma) / (f64::from(variance) + options.epsilon).sqrt()) as f32
        })
        .collect();
    let shift: Vec<f32> = vector(&tensors.beta)
        .iter()
        .zip(vector(mean))
        .zip(&scale)
        .map(|((beta, mean), scale)| beta - mean * scale)
        .collect();
    let layer = Layer {
        lasting: Some(&weight),
        ..layer_on(shape, &input, &weight)
    };
    let (maps, responses) =
        layer.infer(&scale, &shift, shortcut.as_ref().map(values), options.relu);
    let maps = channels_last(maps, sizes_out(shape));
    let state = InferenceState {
        shape,
        scale,
        relu_output: options.relu.then(|| maps.clone()),
        input,
        weight,
    };
    let output = LayerOutput {
        maps,
        responses: contiguous(responses, [shape.batch, shape.channels_out]),
    };
    (output, state)
}

fn subsample(input: FlexTensor, step: usize, channels: usize) -> FlexTensor {
    let input = into_channels_last(input);
    let [batch, channels_in, height, width] = sizes(&input);
    let (rows, columns) = (height.div_ceil(step), width.div_ceil(step));
    let before = (channels - channels_in) / 2;
    let source = values(&input);
    let mut output = vec![0.0; batch * rows * columns * channels];
    output
        .par_chunks_mut(rows * columns * channels)
        .zip(source.par_chunks(height * width * channels_in))
        .for_each(|(output, source)| {
            for (pixel, values) in output.chunks_exact_mut(channels).enumerate() {
                let (row, column) = (pixel / columns * step, pixel % columns * step);
                let from = (row * width + column) * channels_in;
                values[before..before + channels_in]
                    .copy_from_slice(&source[from..from + channels_in]);
            }
        });
    channels_last(output, [batch, channels, rows, columns])
}

impl LayerBackend for Flex {
    fn layer_train(tensors: LayerTensors<Self>, options: LayerOptions) -> TrainingOutput<Self> {
        train(tensors, options).0
    }

    fn layer_infer(
        tensors: LayerTensors<Self>,
        mean: FlexTensor,
        variance: FlexTensor,
        options: LayerOptions,
    ) -> LayerOutput<Self> {
        let read = tape::is_recording().then(|| (tensors.input.clone(), tensors.shortcut.clone()));
        let (output, state) = infer(tensors, &mean, &variance, options);
        if let Some((input, shortcut)) = read {
            tape::record(Pass {
                input,
                shortcut,
                output: output.maps.clone(),
                responses: Some(output.responses.clone()),
                operator: Operator::Layer(Box::new(state)),
            });
        }
        output
    }

    fn subsample(input: FlexTensor, step: usize, channels: usize) -> FlexTensor {
        let read = tape::is_recording().then(|| input.clone());
        let output = subsample(input, step, channels);
        if let Some(input) = read {
            tape::record(Pass {
                input,
                shortcut: None,
                output: output.clone(),
                responses: None,
                operator: Operator::Subsample(step),
            });
        }
        output
    }
}

type Differentiated = Autodiff<Flex>;
type Tracked = FloatTensor<Differentiated>;

/// A tensor that no gradient flows to.
fn constant(tensor: FlexTensor) -> Tracked {
    Differentiated::from_inner(tensor)
}

/// What stands in for a shortcut where a layer has none: its node gets no gradient.
fn no_shortcut() -> Tracked {
    constant(contiguous(vec![0.0], [1]))
}

/// The state that a training pass keeps for its backward pass.
#[derive(Debug, Clone)]
struct TrainingState {
    shape: ConvolutionShape,
    input: FlexTensor,
    weight: FlexTensor,
    gamma: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    epsilon: f64,
    convolved: FlexTensor,
    relu: Relu,
}

/// What tells which values a layer's ReLU let through.
#[derive(Debug, Clone)]
enum Relu {
    /// The layer ends without one.
    Absent,
    /// The layer's output.
    AfterShortcut(FlexTensor),
    /// Batch norm's scale and shift; see [`ReluMask::Normalised`].
    AfterNorm { scale: Vec<f32>, shift: Vec<f32> },
}

impl Relu {
    fn mask(&self) -> ReluMask<'_> {
        match self {
            Relu::Absent => ReluMask::Everything,
            Relu::AfterShortcut(output) => ReluMask::Output(values(output)),
            Relu::AfterNorm { scale, shift } => ReluMask::Normalised { scale, shift },
        }
    }
}

/// Registers an input's gradient, added to the one that waits for it. `$pass` takes the [`Waiting`] gradient and
/// returns the new one, unless it added to it in place.
///
/// A macro, since burn's type of a parent node has no public name.
macro_rules! register_input {
    ($node:expr, $grads:expr, $sizes:expr, $pass:expr) => {{
        let node = $node;
        let waits = waiting::waits(node.id, node.parents.is_empty());
        let before = waits.then(|| $grads.consume::<Flex>(&node));
        let gradient = added(before, $sizes, $pass);
        $grads.register::<Flex>(node.id, gradient);
        waiting::note(node.id);
    }};
}

/// Registers a shortcut's gradient.
fn register_shortcut(node: NodeId, gradient: FlexTensor, grads: &mut Gradients) {
    grads.register::<Flex>(node, gradient);
    waiting::note(node);
}

#[derive(Debug)]
struct TrainingBack;

impl Backward<Flex, 5> for TrainingBack {
    type State = TrainingState;

    fn backward(
        self,
        ops: Ops<TrainingState, 5>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [input, weight, gamma, beta, shortcut] = ops.parents;
        let state = ops.state;
        let mut gradient = into_channels_last(grads.consume::<Flex>(&ops.node));
        let layer = layer_on(state.shape, &state.input, &state.weight);
        let mut gradients = None;
        let mut pass = |waiting: Option<Waiting<'_>>| {
            let gradients = gradients.insert(layer.train_back(
                &state.gamma,
                &state.mean,
                &state.variance,
                state.epsilon,
                values(&state.convolved),
                state.relu.mask(),
                values_mut(&mut gradient),
                Wanted {
                    input: waiting,
                    weight: weight.is_some(),
                },
            ));
            gradients.input.take()
        };
        match input {
            Some(node) => {
                register_input!(node, grads, sizes(&state.input), |waiting| pass(Some(
                    waiting
                )));
            }
            None => {
                pass(None);
            }
        }
        let gradients = gradients.expect("the pass back was made");
        let channels = state.shape.channels_out;
        if let (Some(node), Some(values)) = (weight, gradients.weight) {
            grads.register::<Flex>(node.id, contiguous(values, sizes(&state.weight)));
        }
        if let Some(node) = gamma {
            grads.register::<Flex>(node.id, contiguous(gradients.gamma, [channels]));
        }
        if let Some(node) = beta {
            grads.register::<Flex>(node.id, contiguous(gradients.beta, [channels]));
        }
        if let Some(node) = shortcut {
            register_shortcut(node.id, gradient, grads);
        }
    }
}

#[derive(Debug)]
struct InferenceBack;

impl Backward<Flex, 2> for InferenceBack {
    type State = InferenceState;

    fn backward(
        self,
        ops: Ops<InferenceState, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [input, shortcut] = ops.parents;
        let state = ops.state;
        let mut gradient = into_channels_last(grads.consume::<Flex>(&ops.node));
        match input {
            Some(node) => {
                register_input!(node, grads, sizes(&state.input), |waiting| state
                    .back(&mut gradient, Some(waiting)));
            }
            None => {
                state.back(&mut gradient, None);
            }
        }
        if let Some(node) = shortcut {
            register_shortcut(node.id, gradient, grads);
        }
    }
}

/// The spatial mean's backward pass: the same gradient at every pixel.
#[derive(Debug)]
struct ResponsesBack;

impl Backward<Flex, 1> for ResponsesBack {
    /// Sizes of the maps.
    type State = [usize; 4];

    fn backward(
        self,
        ops: Ops<[usize; 4], 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [maps] = ops.parents;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let Some(node) = maps else { return };
        let [_, channels, height, width] = ops.state;
        let share = 1.0 / (height * width) as f32;
        let mut rows: Vec<f32> = gradient
            .as_slice::<f32>()
            .expect("made contiguous")
            .iter()
            .map(|value| value * share)
            .collect();
        let gradient = if waiting::waits(node.id, node.parents.is_empty()) {
            let waiting = grads.consume::<Flex>(&node);
            if is_spread(&waiting) {
                for (row, &before) in rows.iter_mut().zip(waiting.storage::<f32>()) {
                    *row += before;
                }
                spread(rows, ops.state)
            } else {
                let mut waiting = into_channels_last(waiting);
                values_mut(&mut waiting)
                    .par_chunks_mut(height * width * channels)
                    .zip(rows.par_chunks(channels))
                    .for_each(|(image, row)| Arch::new().dispatch(channels::AddRow { image, row }));
                waiting
            }
        } else {
            spread(rows, ops.state)
        };
        grads.register::<Flex>(node.id, gradient);
        waiting::note(node.id);
    }
}

#[derive(Debug)]
struct SubsampleBack;

impl Backward<Flex, 1> for SubsampleBack {
    /// Sizes of the input, and the step.
    type State = ([usize; 4], usize);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [input] = ops.parents;
        let gradient = into_channels_last(grads.consume::<Flex>(&ops.node));
        let Some(node) = input else { return };
        let (input_sizes, step) = ops.state;
        register_input!(node, grads, input_sizes, |waiting| subsample_back(
            &gradient,
            input_sizes,
            step,
            waiting
        ));
    }
}

/// The output of an operator, with the state that its backward pass needs where there will be one.
fn tracked<O: Backward<Flex, N>, const N: usize>(
    operator: OpsPrep<O, Flex, O::State, NoCheckpointing, N>,
    state: O::State,
    output: FlexTensor,
) -> Tracked {
    match operator.compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

/// Connects a pass's responses to the maps whose means they are.
fn attach_responses(maps: &Tracked, responses: FlexTensor) -> Tracked {
    let sizes = sizes(maps.primitive());
    tracked(ResponsesBack.prepare([maps.node()]), sizes, responses)
}

impl LayerBackend for Differentiated {
    fn layer_train(tensors: LayerTensors<Self>, options: LayerOptions) -> TrainingOutput<Self> {
        let (shortcut, node) = tensors.shortcut.map(Tracked::into_parts).unzip();
        let shortcut_node = node.unwrap_or_else(|| no_shortcut().node());
        let (input, input_node) = tensors.input.into_parts();
        let (weight, weight_node) = tensors.weight.into_parts();
        let (gamma, gamma_node) = tensors.gamma.into_parts();
        let (beta, beta_node) = tensors.beta.into_parts();
        let (pass, state) = train(
            LayerTensors {
                input,
                weight,
                gamma,
                beta,
                shortcut,
            },
            options,
        );
        let nodes = [
            input_node,
            weight_node,
            gamma_node,
            beta_node,
            shortcut_node,
        ];
        let maps = tracked(TrainingBack.prepare(nodes), state, pass.output.maps);
        TrainingOutput {
            output: LayerOutput {
                responses: attach_responses(&maps, pass.output.responses),
                maps,
            },
            mean: constant(pass.mean),
            variance: constant(pass.variance),
        }
    }

    fn layer_infer(
        tensors: LayerTensors<Self>,
        mean: Tracked,
        variance: Tracked,
        options: LayerOptions,
    ) -> LayerOutput<Self> {
        let (shortcut, node) = tensors.shortcut.map(Tracked::into_parts).unzip();
        let shortcut_node = node.unwrap_or_else(|| no_shortcut().node());
        let (input, input_node) = tensors.input.into_parts();
        let (output, state) = infer(
            LayerTensors {
                input,
                weight: tensors.weight.into_primitive(),
                gamma: tensors.gamma.into_primitive(),
                beta: tensors.beta.into_primitive(),
                shortcut,
            },
            mean.primitive(),
            variance.primitive(),
            options,
        );
        let operator = InferenceBack.prepare([input_node, shortcut_node]);
        let maps = tracked(operator, state, output.maps);
        LayerOutput {
            responses: attach_responses(&maps, output.responses),
            maps,
        }
    }

    fn subsample(input: Tracked, step: usize, channels: usize) -> Tracked {
        let (input, node) = input.into_parts();
        let state = (sizes(&input), step);
        let output = subsample(input, step, channels);
        tracked(SubsampleBack.prepare([node]), state, output)
    }
}
