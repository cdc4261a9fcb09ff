//! Loops over the pixels of one image `[pixels, channels]`, a register of channels at a time.
//!
//! Channels are a multiple of [`BLOCK`]. Sums are kept in `f32` within an image and combined over images
//! in `f64`.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::kernel::{BLOCK, at_least, load, save, through_relu};
use super::shape::Frame;

/// The first channel of each register.
fn registers<S: Simd>(_: S, channels: usize) -> std::iter::StepBy<std::ops::Range<usize>> {
    debug_assert!(channels.is_multiple_of(BLOCK));
    (0..channels).step_by(S::F32_LANES)
}

/// Each channel's mean over the pixels, and the sum of squared deviations from it.
#[inline(always)]
pub(super) fn moments<S: Simd>(
    simd: S,
    image: &[f32],
    channels: usize,
    mean: &mut [f32],
    deviation: &mut [f32],
) {
    let pixels = image.len() / channels;
    let share = simd.splat_f32s(1.0 / pixels as f32);
    for channel in registers(simd, channels) {
        let sum = sum(simd, image, channels, channel, |value| value);
        let centre = simd.mul_f32s(sum, share);
        let squares = self::sum(simd, image, channels, channel, |value| {
            let difference = simd.sub_f32s(value, centre);
            simd.mul_f32s(difference, difference)
        });
        save(simd, &mut mean[channel..], centre);
        save(simd, &mut deviation[channel..], squares);
    }
}

/// Each channel's mean over the pixels: the units' responses.
#[inline(always)]
pub(super) fn means<S: Simd>(simd: S, image: &[f32], channels: usize, mean: &mut [f32]) {
    let share = simd.splat_f32s(1.0 / (image.len() / channels) as f32);
    for channel in registers(simd, channels) {
        let sum = sum(simd, image, channels, channel, |value| value);
        save(simd, &mut mean[channel..], simd.mul_f32s(sum, share));
    }
}

/// The sum of `term(value)` over the pixels; four sums in turn, so that no addition waits for the last.
#[inline(always)]
fn sum<S: Simd>(
    simd: S,
    image: &[f32],
    channels: usize,
    channel: usize,
    term: impl Fn(S::f32s) -> S::f32s,
) -> S::f32s {
    let mut sums = [simd.splat_f32s(0.0); 4];
    let mut fours = image.chunks_exact(4 * channels);
    for pixels in &mut fours {
        for (i, sum) in sums.iter_mut().enumerate() {
            let value = load(simd, &pixels[i * channels + channel..]);
            *sum = simd.add_f32s(*sum, term(value));
        }
    }
    for pixel in fours.remainder().chunks_exact(channels) {
        sums[0] = simd.add_f32s(sums[0], term(load(simd, &pixel[channel..])));
    }
    simd.add_f32s(
        simd.add_f32s(sums[0], sums[1]),
        simd.add_f32s(sums[2], sums[3]),
    )
}

/// What batch norm does to a channel: `(value - mean) * scale + shift`.
#[derive(Clone, Copy)]
pub(super) struct Normalisation<'a> {
    pub(super) mean: &'a [f32],
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
}

/// Normalises an image, adds the shortcut, applies the ReLU, and notes each channel's mean.
#[inline(always)]
pub(super) fn normalise<S: Simd>(
    simd: S,
    image: &[f32],
    normalisation: Normalisation,
    shortcut: Option<&[f32]>,
    relu: bool,
    output: &mut [MaybeUninit<f32>],
    responses: &mut [f32],
) {
    let channels = normalisation.mean.len();
    let zero = simd.splat_f32s(0.0);
    let floor = if relu {
        zero
    } else {
        simd.splat_f32s(f32::NEG_INFINITY)
    };
    let share = simd.splat_f32s(1.0 / (image.len() / channels) as f32);
    assert_eq!(image.len(), output.len());
    for channel in registers(simd, channels) {
        let mean = load(simd, &normalisation.mean[channel..]);
        let scale = load(simd, &normalisation.scale[channel..]);
        let shift = load(simd, &normalisation.shift[channel..]);
        let mut total = zero;
        let pixels = image
            .chunks_exact(channels)
            .zip(output.chunks_exact_mut(channels));
        for (pixel, (values, output)) in pixels.enumerate() {
            let centred = simd.sub_f32s(load(simd, &values[channel..]), mean);
            let mut value = simd.mul_add_e_f32s(centred, scale, shift);
            if let Some(shortcut) = shortcut {
                let added = load(simd, &shortcut[pixel * channels + channel..]);
                value = simd.add_f32s(value, added);
            }
            let value = at_least(simd, value, floor);
            total = simd.add_f32s(total, value);
            write(simd, &mut output[channel..], value);
        }
        save(simd, &mut responses[channel..], simd.mul_f32s(total, share));
    }
}

/// Writes a register into memory that need not be initialised.
#[inline(always)]
#[allow(unsafe_code)]
fn write<S: Simd>(_: S, values: &mut [MaybeUninit<f32>], register: S::f32s) {
    assert!(values.len() >= S::F32_LANES);
    // SAFETY: the assert above; any bytes may be written.
    unsafe {
        values
            .as_mut_ptr()
            .cast::<S::f32s>()
            .write_unaligned(register)
    }
}

/// Sets an image's gradient to 0 where the ReLU's output is 0.
#[inline(always)]
pub(super) fn mask<S: Simd>(simd: S, gradient: &mut [f32], output: &[f32]) {
    let lanes = S::F32_LANES;
    for (gradient, output) in gradient
        .chunks_exact_mut(lanes)
        .zip(output.chunks_exact(lanes))
    {
        let passed = through_relu(simd, load(simd, gradient), load(simd, output));
        save(simd, gradient, passed);
    }
}

/// Which values a layer's ReLU let through.
#[derive(Clone, Copy)]
pub(super) enum ReluMask<'a> {
    /// All: the layer ends without one.
    Everything,
    /// Those above 0 in the layer's output.
    Output(&'a [f32]),
    /// Those that batch norm made positive, of layers without a shortcut: computed again from the convolution's output,
    /// which the pass reads anyway, where reading the layer's output would cost as much as all the arithmetic.
    Normalised {
        /// What deviations from the mean are multiplied with, `[channels]`.
        scale: &'a [f32],
        /// What is then added, `[channels]`.
        shift: &'a [f32],
    },
}

impl<'a> ReluMask<'a> {
    /// The mask of the image whose values begin at `first`.
    pub(super) fn image(self, first: usize, len: usize) -> Self {
        match self {
            ReluMask::Output(output) => ReluMask::Output(&output[first..][..len]),
            other => other,
        }
    }
}

/// What batch norm's backward pass sums over an image: the gradient behind the ReLU's mask, and that times the deviation of
/// the convolution's output from the mean. A mask by the layer's output is applied to `gradient` on the way.
#[inline(always)]
pub(super) fn gradient_sums<S: Simd>(
    simd: S,
    gradient: &mut [f32],
    relu: ReluMask,
    convolved: &[f32],
    mean: &[f32],
    sums: &mut [f32],
    products: &mut [f32],
) {
    let channels = mean.len();
    let zero = simd.splat_f32s(0.0);
    for channel in registers(simd, channels) {
        let centre = load(simd, &mean[channel..]);
        // Two sums of each in turn, so that no addition waits for the last.
        let mut terms = [(zero, zero); 2];
        let pixels = gradient
            .chunks_exact_mut(channels)
            .zip(convolved.chunks_exact(channels));
        match relu {
            ReluMask::Everything => {
                for (pixel, (gradient, convolved)) in pixels.enumerate() {
                    let deviation = simd.sub_f32s(load(simd, &convolved[channel..]), centre);
                    let value = load(simd, &gradient[channel..]);
                    add_term(simd, &mut terms[pixel % 2], value, deviation);
                }
            }
            ReluMask::Output(output) => {
                for (pixel, (gradient, convolved)) in pixels.enumerate() {
                    let deviation = simd.sub_f32s(load(simd, &convolved[channel..]), centre);
                    let output = load(simd, &output[pixel * channels + channel..]);
                    let value = through_relu(simd, load(simd, &gradient[channel..]), output);
                    save(simd, &mut gradient[channel..], value);
                    add_term(simd, &mut terms[pixel % 2], value, deviation);
                }
            }
            ReluMask::Normalised { scale, shift } => {
                let scale = load(simd, &scale[channel..]);
                let shift = load(simd, &shift[channel..]);
                for (pixel, (gradient, convolved)) in pixels.enumerate() {
                    let deviation = simd.sub_f32s(load(simd, &convolved[channel..]), centre);
                    let normalised = simd.mul_add_e_f32s(deviation, scale, shift);
                    let value = through_relu(simd, load(simd, &gradient[channel..]), normalised);
                    add_term(simd, &mut terms[pixel % 2], value, deviation);
                }
            }
        }
        let [(even, even_product), (odd, odd_product)] = terms;
        save(simd, &mut sums[channel..], simd.add_f32s(even, odd));
        save(
            simd,
            &mut products[channel..],
            simd.add_f32s(even_product, odd_product),
        );
    }
}

/// Adds a value, and its product with a deviation, to their sums.
#[inline(always)]
fn add_term<S: Simd>(
    simd: S,
    (sum, product): &mut (S::f32s, S::f32s),
    value: S::f32s,
    deviation: S::f32s,
) {
    *sum = simd.add_f32s(*sum, value);
    *product = simd.mul_add_e_f32s(value, deviation, *product);
}

/// Writes `gradient * slope` (plus `(convolved - mean) * curve + offset`, where the batch's statistics
/// took part) into the middle of a frame: the gradient of the convolution's output.
#[derive(Clone, Copy)]
pub(super) struct NormalisationGradient<'a> {
    pub(super) slope: &'a [f32],
    pub(super) statistics: Option<StatisticsGradient<'a>>,
}

/// The part that flows through the batch's mean and variance.
#[derive(Clone, Copy)]
pub(super) struct StatisticsGradient<'a> {
    pub(super) convolved: &'a [f32],
    pub(super) mean: &'a [f32],
    pub(super) curve: &'a [f32],
    pub(super) offset: &'a [f32],
    /// Scale and shift of [`ReluMask::Normalised`], where that mask was not applied to the gradient before.
    pub(super) relu: Option<(&'a [f32], &'a [f32])>,
}

#[inline(always)]
pub(super) fn normalisation_gradient<S: Simd>(
    simd: S,
    gradient: &[f32],
    coefficients: NormalisationGradient,
    frame: Frame,
    framed: &mut [f32],
) {
    let channels = frame.channels;
    for channel in registers(simd, channels) {
        let slope = load(simd, &coefficients.slope[channel..]);
        for row in 0..frame.height {
            let first = frame.at(row + frame.before, frame.before);
            let target = &mut framed[first..][..frame.width * channels];
            let source = row * frame.width * channels..(row + 1) * frame.width * channels;
            let gradient = gradient[source.clone()].chunks_exact(channels);
            match coefficients.statistics {
                Some(through) => {
                    let mean = load(simd, &through.mean[channel..]);
                    let curve = load(simd, &through.curve[channel..]);
                    let offset = load(simd, &through.offset[channel..]);
                    let convolved = through.convolved[source].chunks_exact(channels);
                    let pixels = target
                        .chunks_exact_mut(channels)
                        .zip(gradient)
                        .zip(convolved);
                    match through.relu {
                        Some((scale, shift)) => {
                            let scale = load(simd, &scale[channel..]);
                            let shift = load(simd, &shift[channel..]);
                            for ((target, gradient), convolved) in pixels {
                                let deviation =
                                    simd.sub_f32s(load(simd, &convolved[channel..]), mean);
                                let normalised = simd.mul_add_e_f32s(deviation, scale, shift);
                                let gradient = load(simd, &gradient[channel..]);
                                let gradient = through_relu(simd, gradient, normalised);
                                let rest = simd.mul_add_e_f32s(deviation, curve, offset);
                                let value = simd.mul_add_e_f32s(gradient, slope, rest);
                                save(simd, &mut target[channel..], value);
                            }
                        }
                        None => {
                            for ((target, gradient), convolved) in pixels {
                                let deviation =
                                    simd.sub_f32s(load(simd, &convolved[channel..]), mean);
                                let rest = simd.mul_add_e_f32s(deviation, curve, offset);
                                let gradient = load(simd, &gradient[channel..]);
                                let value = simd.mul_add_e_f32s(gradient, slope, rest);
                                save(simd, &mut target[channel..], value);
                            }
                        }
                    }
                }
                None => {
                    for (target, gradient) in target.chunks_exact_mut(channels).zip(gradient) {
                        let value = simd.mul_f32s(load(simd, &gradient[channel..]), slope);
                        save(simd, &mut target[channel..], value);
                    }
                }
            }
        }
    }
}

/// Adds a value per channel to every pixel of an image.
pub(super) struct AddRow<'a> {
    pub(super) image: &'a mut [f32],
    pub(super) row: &'a [f32],
}

impl WithSimd for AddRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.row.len();
        for channel in registers(simd, channels) {
            let added = load(simd, &self.row[channel..]);
            for pixel in self.image.chunks_exact_mut(channels) {
                let value = simd.add_f32s(load(simd, &pixel[channel..]), added);
                save(simd, &mut pixel[channel..], value);
            }
        }
    }
}
