//! Frozen networks that were passed forward once, for the gradients of as many units as are asked for.
//!
//! Burn's autodiff consumes its graph: the gradient of every unit takes another pass forward. A [`Tape`] keeps what
//! the operators here need for their way back, and goes it again and again.

use std::cell::RefCell;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor};

use super::layout::{into_channels_last, sizes, spread};
use super::way_back::{InferenceState, added, subsample_back, sum};
use crate::base::host::is_cpu;

thread_local! {
    /// The passes so far, while [`Tape::record`] computes.
    static RECORDED: RefCell<Option<Vec<Pass>>> = const { RefCell::new(None) };
}

/// An operator's pass forward: what it read, what it wrote, and how to come back.
///
/// Tensors are known by the memory they lie in. Since they are kept here, no memory is used again, nor changed.
pub(super) struct Pass {
    /// `[batch, channels_in, height, width]`
    pub(super) input: FlexTensor,
    /// A layer's shortcut, of the output's sizes.
    pub(super) shortcut: Option<FlexTensor>,
    /// `[batch, channels_out, height, width]`
    pub(super) output: FlexTensor,
    /// The output's spatial means, `[batch, channels_out]`, of a layer.
    pub(super) responses: Option<FlexTensor>,
    /// What it was a pass of.
    pub(super) operator: Operator,
}

/// An operator, with what its way back needs.
#[derive(Debug)]
pub(super) enum Operator {
    /// A frozen layer.
    Layer(Box<InferenceState>),
    /// Every so many-th pixel; see [`subsample`](super::subsample).
    Subsample(usize),
}

/// Whether [`Tape::record`] computes on this thread.
pub(super) fn is_recording() -> bool {
    RECORDED.with_borrow(Option::is_some)
}

/// Adds a pass, while [`Tape::record`] computes on this thread.
pub(super) fn record(pass: Pass) {
    RECORDED.with_borrow_mut(|recorded| {
        if let Some(recorded) = recorded {
            recorded.push(pass);
        }
    });
}

/// The way from the responses of a frozen layer's units back to the images.
#[derive(Debug)]
pub struct Tape {
    /// The layer whose responses they are first.
    steps: Vec<Step>,
    /// Sizes of the maps whose means the responses are, `[batch, units, height, width]`.
    maps: [usize; 4],
    /// The number of these maps: tensors are the images, 0, and the outputs of passes, in order.
    last: usize,
}

/// A pass to go back through; tensors are given as their numbers.
#[derive(Debug)]
struct Step {
    /// What it was a pass of.
    operator: Operator,
    /// What it read.
    input: usize,
    /// `[batch, channels_in, height, width]`
    input_sizes: [usize; 4],
    /// What else it read, to be added.
    shortcut: Option<usize>,
    /// What it wrote.
    output: usize,
}

impl Tape {
    /// The tape of what `compute` makes of `images`, `[batch, channels, height, width]`: the responses `[batch, units]`
    /// of a layer's units, as that layer gave them.
    ///
    /// `None` where a tape does not know the whole way, and autodiff is needed: on any device but the CPU without
    /// autodiff, and where anything but frozen layers and subsampling as they are computed here lies between images
    /// and responses. `None`, too, where `compute` gives none.
    pub fn record(
        images: Tensor<4>,
        compute: impl FnOnce(Tensor<4>) -> Option<Tensor<2>>,
    ) -> Option<Tape> {
        let device = images.device();
        if device.is_autodiff() || !is_cpu(&device) || images.dtype() != DType::F32 {
            return None;
        }
        let first = super::primitive::<Flex, 4>(images.clone());
        RECORDED.set(Some(Vec::new()));
        let responses = compute(images);
        let passes = RECORDED.take()?;
        Tape::link(&first, &super::primitive::<Flex, 2>(responses?), passes)
    }

    /// The tape of the passes that lead from `images` to `responses`, with what they read known by number.
    fn link(images: &FlexTensor, responses: &FlexTensor, mut passes: Vec<Pass>) -> Option<Tape> {
        let gave = |pass: &Pass| {
            let own = pass.responses.as_ref();
            own.is_some_and(|own| is_same(own, responses))
        };
        let last = passes.iter().position(gave)? + 1;
        passes.truncate(last);
        let maps = sizes(&passes.last()?.output);

        let mut readers = vec![0; last + 1];
        readers[last] = 1;
        let mut steps = Vec::new();
        while let Some(pass) = passes.pop() {
            let output = passes.len() + 1;
            if readers[output] == 0 {
                continue;
            }
            let number = |tensor: &FlexTensor| {
                if is_same(tensor, images) {
                    return Some(0);
                }
                let before = passes
                    .iter()
                    .position(|earlier| is_same(&earlier.output, tensor))?;
                Some(before + 1)
            };
            let input = number(&pass.input)?;
            let shortcut = match &pass.shortcut {
                Some(shortcut) => Some(number(shortcut)?),
                None => None,
            };
            for read in [Some(input), shortcut].into_iter().flatten() {
                readers[read] += 1;
            }
            steps.push(Step {
                operator: pass.operator,
                input,
                input_sizes: sizes(&pass.input),
                shortcut,
                output,
            });
        }
        // Two gradients have one sum, in either order. Of three, autodiff has an order of its own.
        let known = readers.iter().all(|&readers| readers <= 2);
        known.then_some(Tape { steps, maps, last })
    }

    /// The gradient of one unit's response to each image with respect to that image, `[batch, channels, height, width]`,
    /// bit by bit that of autodiff. `None` where there is no such unit.
    pub fn gradient(&self, unit: usize) -> Option<Tensor<4>> {
        #[cfg(test)]
        super::tests::TAPED.set(super::tests::TAPED.get() + 1);
        let [batch, units, height, width] = self.maps;
        let mut rows = vec![0.0; batch * units];
        for row in rows.chunks_exact_mut(units) {
            // The response is the mean over pixels.
            *row.get_mut(unit)? = 1.0 / (height * width) as f32;
        }
        let mut gradients: Vec<Option<FlexTensor>> = vec![None; self.last];
        gradients.push(Some(spread(rows, self.maps)));
        for step in &self.steps {
            let mut gradient = into_channels_last(gradients[step.output].take()?);
            let before = gradients[step.input].take();
            gradients[step.input] = Some(step.input_gradient(&mut gradient, before));
            if let Some(shortcut) = step.shortcut {
                gradients[shortcut] = Some(match gradients[shortcut].take() {
                    Some(before) => sum(gradient, before),
                    None => gradient,
                });
            }
        }
        let images = gradients.swap_remove(0)?;
        Some(Tensor::from_primitive::<Flex>(images))
    }
}

impl Step {
    /// The gradient of the input, added to the one from `before`. `gradient` is that of the output, channels last, and
    /// becomes the shortcut's.
    fn input_gradient(&self, gradient: &mut FlexTensor, before: Option<FlexTensor>) -> FlexTensor {
        added(before, self.input_sizes, |waiting| match &self.operator {
            Operator::Layer(state) => state.back(gradient, Some(waiting)),
            Operator::Subsample(step) => subsample_back(gradient, self.input_sizes, *step, waiting),
        })
    }
}

/// Whether two tensors are one: the same memory, read in the same way.
fn is_same(one: &FlexTensor, other: &FlexTensor) -> bool {
    std::ptr::eq(one.bytes(), other.bytes()) && one.layout() == other.layout()
}
