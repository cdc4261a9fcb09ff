//! Ways back through operators: from the gradient of what came out to that of what went in. Burn's autodiff goes them,
//! and so does a [`Tape`](super::Tape): the same bits come out.

use burn::backend::flex::FlexTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::channels;
use super::kernel::BLOCK;
use super::layer::{Layer, Waiting};
use super::layout::{
    channels_last, into_channels_last, is_spread, layer_on, sizes, values, values_mut,
};
use super::shape::ConvolutionShape;

/// What an inference pass keeps for its way back.
#[derive(Debug, Clone)]
pub(super) struct InferenceState {
    pub(super) shape: ConvolutionShape,
    /// `[batch, channels_in, height, width]`
    pub(super) input: FlexTensor,
    /// `[channels_out, channels_in, kernel, kernel]`, contiguous.
    pub(super) weight: FlexTensor,
    /// What batch norm multiplies with, `[channels_out]`.
    pub(super) scale: Vec<f32>,
    /// The layer's output, `[batch, channels_out, height, width]`, channels last, where it ends in a ReLU.
    pub(super) relu_output: Option<FlexTensor>,
}

impl InferenceState {
    /// The gradient of the input, where it is wanted, added to what waits for it; none where that was done in place.
    ///
    /// `gradient` is that of the output, channels last; the ReLU's mask is applied to it in place, which makes it the
    /// shortcut's gradient.
    pub(super) fn back(
        &self,
        gradient: &mut FlexTensor,
        input: Option<Waiting>,
    ) -> Option<Vec<f32>> {
        let layer = Layer {
            lasting: Some(&self.weight),
            ..layer_on(self.shape, &self.input, &self.weight)
        };
        layer.infer_back(
            &self.scale,
            self.relu_output.as_ref().map(values),
            values_mut(gradient),
            input,
        )
    }
}

/// The gradient of the input of a subsampling by `step`, `input_sizes`, added to what waits for it; none where that was
/// done in place. `gradient` is that of the output, channels last.
pub(super) fn subsample_back(
    gradient: &FlexTensor,
    input_sizes: [usize; 4],
    step: usize,
    waiting: Waiting,
) -> Option<Vec<f32>> {
    let [batch, channels_in, height, width] = input_sizes;
    let [_, channels, rows, columns] = sizes(gradient);
    let before = (channels - channels_in) / 2;
    let image_in = height * width * channels_in;
    let add = |target: &mut [f32]| {
        target
            .par_chunks_mut(image_in)
            .zip(values(gradient).par_chunks(rows * columns * channels))
            .for_each(|(target, gradient)| {
                for (pixel, gradient) in gradient.chunks_exact(channels).enumerate() {
                    let (row, column) = (pixel / columns * step, pixel % columns * step);
                    let to = (row * width + column) * channels_in;
                    let target = &mut target[to..to + channels_in];
                    for (value, added) in target.iter_mut().zip(&gradient[before..]) {
                        *value += added;
                    }
                }
            });
    };
    match waiting {
        Waiting::Image(image) => {
            add(image);
            None
        }
        Waiting::Row(row) => {
            let mut target = vec![0.0; batch * image_in];
            target
                .par_chunks_mut(image_in)
                .zip(row.par_chunks(channels_in))
                .for_each(|(image, row)| Arch::new().dispatch(channels::AddRow { image, row }));
            add(&mut target);
            Some(target)
        }
        Waiting::Nothing => {
            let mut target = vec![0.0; batch * image_in];
            add(&mut target);
            Some(target)
        }
    }
}

/// A tensor's gradient `[batch, channels, height, width]`: what `pass` computes, added to the gradient `before`, if there
/// is one already. `pass` takes the [`Waiting`] gradient and returns the new one, unless it added to it in place.
pub(super) fn added(
    before: Option<FlexTensor>,
    sizes: [usize; 4],
    pass: impl FnOnce(Waiting) -> Option<Vec<f32>>,
) -> FlexTensor {
    let [batch, channels, ..] = sizes;
    // Where channels do not fill registers the sums can only be written, not added.
    let (waiting, apart) = match channels.is_multiple_of(BLOCK) {
        true => (before, None),
        false => (None, before),
    };
    let mut image = None;
    let fresh = match waiting {
        Some(rows) if is_spread(&rows) => {
            pass(Waiting::Row(&rows.storage::<f32>()[..batch * channels]))
        }
        Some(waiting) => {
            let image = image.insert(into_channels_last(waiting));
            pass(Waiting::Image(values_mut(image)))
        }
        None => pass(Waiting::Nothing),
    };
    let gradient = match fresh {
        Some(fresh) => channels_last(fresh, sizes),
        None => image.expect("added to in place"),
    };
    match apart {
        Some(before) => sum(gradient, before),
        None => gradient,
    }
}

/// The sum of two gradients `[batch, channels, height, width]`.
pub(super) fn sum(gradient: FlexTensor, other: FlexTensor) -> FlexTensor {
    let mut gradient = into_channels_last(gradient);
    let other = into_channels_last(other);
    for (value, added) in values_mut(&mut gradient).iter_mut().zip(values(&other)) {
        *value += added;
    }
    gradient
}
