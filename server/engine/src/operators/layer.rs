//! A layer on plain memory: convolution, batch norm, shortcut and ReLU in one pass forward and one back.
//!
//! Images are channels last. Sums over images are taken in at most [`CHUNKS`] parts, whose number depends on the batch alone,
//! and then added in order: results do not depend on threads.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::ahead::Ahead;
use super::aligned::Aligned;
use super::channels::{self, Normalisation, NormalisationGradient, ReluMask, StatisticsGradient};
use super::kernel::{
    Accumulate, AddRow, Affine, BLOCK, Overwrite, PackedWeights, Pairing, WeightOrder,
    outer_products, windows_product,
};
use super::packed_cache;
use super::shape::{ConvolutionShape, Frame, Windows};
use super::transpose::rows_to_channels;

/// Parts of a batch in which sums over images are taken.
pub(super) const CHUNKS: usize = 16;

/// Weights whose gradients a thread adds up at once.
const ADDED_TOGETHER: usize = 4_096;

/// Images `[batch, channels, height, width]` with any strides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) values: &'a [f32],
    /// Values from one image, channel, row and column to the next.
    pub(super) strides: [usize; 4],
}

impl Images<'_> {
    /// Copies image `index` into the middle of a frame whose border is zero.
    pub(super) fn fill(&self, index: usize, frame: Frame, framed: &mut [f32]) {
        let first = frame.at(frame.before, frame.before);
        for row in 0..frame.height {
            let line = &mut framed[first + row * frame.pitch()..][..frame.width * frame.channels];
            self.copy_row(index, row, frame.channels, line);
        }
    }

    /// Copies image `index` into memory of its own, `[height, width, channels]`.
    pub(super) fn copy(&self, index: usize, channels: usize, width: usize, image: &mut [f32]) {
        for (row, line) in image.chunks_exact_mut(width * channels).enumerate() {
            self.copy_row(index, row, channels, line);
        }
    }

    /// The memory of image `index`, to be fetched ahead; none beyond the last.
    fn memory(&self, index: usize) -> &[f32] {
        let each = self.strides[0];
        let first = (index * each).min(self.values.len());
        &self.values[first..(first + each).min(self.values.len())]
    }

    fn copy_row(&self, index: usize, row: usize, channels: usize, line: &mut [f32]) {
        let [batch, channel, down, right] = self.strides;
        let source = &self.values[index * batch + row * down..];
        if channel == 1 && right == channels {
            line.copy_from_slice(&source[..line.len()]);
            return;
        }
        for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
            for (c, value) in pixel.iter_mut().enumerate() {
                *value = source[column * right + c * channel];
            }
        }
    }
}

/// Scratch memory of a thread for one image in its frame, so that no call allocates its own.
#[derive(Default)]
struct FramedImage {
    values: Aligned,
    frame: Option<Frame>,
}

impl FramedImage {
    /// The memory, its border zero.
    fn in_frame(&mut self, frame: Frame) -> &mut [f32] {
        // Only the middle is ever written, so that a border stays zero.
        if self.frame != Some(frame) {
            self.values.resize(frame.len());
            self.values.fill(0.0);
            self.frame = Some(frame);
        }
        &mut self.values
    }
}

#[derive(Default)]
struct Scratch {
    input: FramedImage,
    gradient: FramedImage,
}

thread_local! {
    /// Nothing parallel may be called while it is borrowed: a thread that waits takes up other tasks, which borrow it too.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Memory that is about to be written in full.
pub(super) fn unwritten(len: usize) -> Vec<MaybeUninit<f32>> {
    let mut values = Vec::with_capacity(len);
    values.resize_with(len, MaybeUninit::uninit);
    values
}

/// # Safety
/// Every value was written.
#[allow(unsafe_code)]
pub(super) unsafe fn written(values: Vec<MaybeUninit<f32>>) -> Vec<f32> {
    let mut values = std::mem::ManuallyDrop::new(values);
    // SAFETY: the same allocation, length and capacity; MaybeUninit<f32> has f32's layout, and the
    // caller vouches for the values.
    unsafe { Vec::from_raw_parts(values.as_mut_ptr().cast(), values.len(), values.capacity()) }
}

/// # Safety
/// Every value was written.
#[allow(unsafe_code)]
pub(super) unsafe fn written_slice(values: &[MaybeUninit<f32>]) -> &[f32] {
    // SAFETY: MaybeUninit<f32> has f32's layout, and the caller vouches for the values.
    unsafe { &*(std::ptr::from_ref(values) as *const [f32]) }
}

/// What every pass needs: sizes, and where its input lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) shape: ConvolutionShape,
    pub(super) input: Images<'a>,
    /// `[channels_out, channels_in, kernel, kernel]`
    pub(super) weight: &'a [f32],
    /// The tensor of the weights where later passes are likely to have the same: what is packed is then kept for them.
    pub(super) lasting: Option<&'a FlexTensor>,
}

/// The results of a training pass.
pub(super) struct TrainingPass {
    /// The convolution's output, `[batch, height, width, channels]`.
    pub(super) convolved: Vec<f32>,
    /// The layer's output, `[batch, height, width, channels]`.
    pub(super) output: Vec<f32>,
    /// Its spatial means, `[batch, channels]`.
    pub(super) responses: Vec<f32>,
    /// Mean of `convolved` over the batch, `[channels]`.
    pub(super) mean: Vec<f32>,
    /// Its variance (biased), `[channels]`.
    pub(super) variance: Vec<f32>,
    /// What batch norm multiplied deviations from the mean with, `[channels]`.
    pub(super) scale: Vec<f32>,
}

/// The gradient that is already registered for a layer's input, to be added to.
pub(super) enum Waiting<'a> {
    /// None yet.
    Nothing,
    /// A gradient of the input's own size, channels last; it is added to in place.
    Image(&'a mut [f32]),
    /// A gradient that is the same at every pixel, `[batch, channels]`.
    Row(&'a [f32]),
}

/// The gradients of a backward pass.
pub(super) struct Gradients {
    /// Of the input, channels last; none where it was added to the waiting gradient, or not wanted.
    pub(super) input: Option<Vec<f32>>,
    /// Of the weights, `[channels_out, channels_in, kernel, kernel]`.
    pub(super) weight: Option<Vec<f32>>,
    /// Of batch norm's scale, `[channels]`.
    pub(super) gamma: Vec<f32>,
    /// Of batch norm's shift, `[channels]`.
    pub(super) beta: Vec<f32>,
}

/// Whether the threads at hand have equal shares of [`CHUNKS`] parts; otherwise images are handed out one by one where no
/// sum is taken over several.
pub(super) fn chunks_divide_evenly() -> bool {
    CHUNKS.is_multiple_of(rayon::current_num_threads())
}

impl Layer<'_> {
    /// Images that a thread takes at once where none is added to another.
    fn images_of_a_task(&self) -> usize {
        match chunks_divide_evenly() {
            true => self.shape.batch.div_ceil(CHUNKS),
            false => 1,
        }
    }

    /// The forward pass that takes its statistics from the batch.
    pub(super) fn train(
        &self,
        gamma: &[f32],
        beta: &[f32],
        epsilon: f64,
        shortcut: Option<&[f32]>,
        relu: bool,
    ) -> TrainingPass {
        let shape = self.shape;
        let channels = shape.channels_out;
        let image = shape.pixels_out() * channels;
        let each = self.images_of_a_task();
        let (convolved, moments) = self.convolve_with_moments();
        let (mean, variance) = combine(&moments, channels, shape.pixels_out());

        let scale: Vec<f32> = gamma
            .iter()
            .zip(&variance)
            .map(|(&gamma, &variance)| (f64::from(gamma) / (variance + epsilon).sqrt()) as f32)
            .collect();
        let mean: Vec<f32> = mean.iter().map(|&mean| mean as f32).collect();
        let normalisation = Normalisation {
            mean: &mean,
            scale: &scale,
            shift: beta,
        };
        let mut output = unwritten(shape.batch * image);
        let mut responses = vec![0.0; shape.batch * channels];
        // Backwards: what the convolutions wrote last is still in the cache, and so is then what the next layer reads first.
        output
            .par_chunks_mut(each * image)
            .zip(responses.par_chunks_mut(each * channels))
            .enumerate()
            .rev()
            .for_each(|(chunk, (output, responses))| {
                let images = output
                    .chunks_exact_mut(image)
                    .zip(responses.chunks_exact_mut(channels));
                for (index, (output, responses)) in images.enumerate() {
                    let first = (chunk * each + index) * image;
                    Arch::new().dispatch(Normalise {
                        image: &convolved[first..][..image],
                        normalisation,
                        shortcut: shortcut.map(|shortcut| &shortcut[first..][..image]),
                        relu,
                        output,
                        responses,
                    });
                }
            });
        TrainingPass {
            convolved,
            // SAFETY: `normalise` writes every value of every image.
            #[allow(unsafe_code)]
            output: unsafe { written(output) },
            responses,
            mean,
            variance: variance.iter().map(|&variance| variance as f32).collect(),
            scale,
        }
    }

    /// The convolution's output, `[batch, height, width, channels]`, and each image's moments, `[batch, (mean, deviation),
    /// channels]`.
    fn convolve_with_moments(&self) -> (Vec<f32>, Vec<f32>) {
        let shape = self.shape;
        let channels = shape.channels_out;
        let image = shape.pixels_out() * channels;
        let each = self.images_of_a_task();
        let (windows, packed) = (shape.forward_windows(), self.pack_forward());
        let mut moments = vec![0.0_f32; shape.batch * 2 * channels];
        if self.is_streamed() {
            let convolved = self.stream(&windows, &packed, &mut moments, |image, moments| {
                Arch::new().dispatch(Moments {
                    image,
                    channels,
                    moments,
                });
            });
            return (convolved, moments);
        }

        let mut convolved = unwritten(shape.batch * image);
        convolved
            .par_chunks_mut(each * image)
            .zip(moments.par_chunks_mut(each * 2 * channels))
            .enumerate()
            .for_each(|(chunk, (convolved, moments))| {
                self.each_framed(
                    chunk * each,
                    convolved.chunks_exact_mut(image),
                    |framed, index, out| {
                        Arch::new().dispatch(ConvolveWithMoments {
                            framed,
                            windows: &windows,
                            packed: &packed,
                            out,
                            channels,
                            moments: &mut moments[index * 2 * channels..][..2 * channels],
                            ahead: Ahead::new(
                                [self.input.memory(chunk * each + index + 1), &[], &[]],
                                packed.tiles(shape.pixels_out()),
                            ),
                        });
                    },
                );
            });
        // SAFETY: the forward windows cover every output pixel of every image.
        #[allow(unsafe_code)]
        let convolved = unsafe { written(convolved) };
        (convolved, moments)
    }

    /// The forward pass with given statistics, `value * scale + shift` by channel: its output, channels
    /// last, and its spatial means `[batch, channels]`.
    pub(super) fn infer(
        &self,
        scale: &[f32],
        shift: &[f32],
        shortcut: Option<&[f32]>,
        relu: bool,
    ) -> (Vec<f32>, Vec<f32>) {
        if self.is_streamed() {
            return self.infer_streamed(scale, shift, shortcut, relu);
        }
        let shape = self.shape;
        let channels = shape.channels_out;
        let image = shape.pixels_out() * channels;
        let each = self.images_of_a_task();
        let (windows, packed) = (shape.forward_windows(), self.pack_forward());
        let mut output = unwritten(shape.batch * image);
        let mut responses = vec![0.0; shape.batch * channels];
        let shortcut_of = |index: usize| shortcut.map(|images| &images[index * image..][..image]);
        output
            .par_chunks_mut(each * image)
            .zip(responses.par_chunks_mut(each * channels))
            .enumerate()
            .for_each(|(chunk, (output, responses))| {
                self.each_framed(
                    chunk * each,
                    output.chunks_exact_mut(image),
                    |framed, index, out| {
                        let next = chunk * each + index + 1;
                        let next_shortcut = match next < shape.batch {
                            true => shortcut_of(next).unwrap_or_default(),
                            false => &[],
                        };
                        Arch::new().dispatch(ConvolveAffine {
                            framed,
                            windows: &windows,
                            packed: &packed,
                            out,
                            affine: Affine {
                                scale,
                                shift,
                                shortcut: shortcut_of(chunk * each + index),
                                relu,
                            },
                            responses: &mut responses[index * channels..][..channels],
                            ahead: Ahead::new(
                                [self.input.memory(next), next_shortcut, &[]],
                                packed.tiles(shape.pixels_out()),
                            ),
                        });
                    },
                );
            });
        // SAFETY: the forward windows cover every output pixel of every image.
        #[allow(unsafe_code)]
        (unsafe { written(output) }, responses)
    }

    /// As [`Layer::infer`], where blocks of weights go through many images: the same bits.
    fn infer_streamed(
        &self,
        scale: &[f32],
        shift: &[f32],
        shortcut: Option<&[f32]>,
        relu: bool,
    ) -> (Vec<f32>, Vec<f32>) {
        let channels = self.shape.channels_out;
        let image = self.shape.pixels_out() * channels;
        let (windows, packed) = (self.shape.forward_windows(), self.pack_forward());
        let convolved = self.stream(&windows, &packed, &mut [], |_, _| {});
        let mean = vec![0.0; channels];
        let mut output = unwritten(self.shape.batch * image);
        let mut responses = vec![0.0; self.shape.batch * channels];
        output
            .par_chunks_mut(image)
            .zip(responses.par_chunks_mut(channels))
            .enumerate()
            .for_each(|(index, (output, responses))| {
                let first = index * image;
                Arch::new().dispatch(NormaliseThenMeans(Normalise {
                    image: &convolved[first..][..image],
                    normalisation: Normalisation {
                        mean: &mean,
                        scale,
                        shift,
                    },
                    shortcut: shortcut.map(|shortcut| &shortcut[first..][..image]),
                    relu,
                    output,
                    responses,
                }));
            });
        // SAFETY: `normalise` writes every value of every image.
        #[allow(unsafe_code)]
        (unsafe { written(output) }, responses)
    }

    /// The backward pass of a training pass. `gradient` is that of the output, channels last; a mask by the layer's output
    /// is applied to it in place, which makes it the shortcut's gradient.
    #[allow(clippy::too_many_arguments)] // The layer's saved state, each part by its name.
    pub(super) fn train_back(
        &self,
        gamma: &[f32],
        mean: &[f32],
        variance: &[f32],
        epsilon: f64,
        convolved: &[f32],
        relu: ReluMask,
        gradient: &mut [f32],
        wanted: Wanted,
    ) -> Gradients {
        let channels = self.shape.channels_out;
        let image = self.shape.pixels_out() * channels;
        let totals = self.gradient_totals(convolved, mean, relu, gradient);

        // With d = convolved - mean, r = 1 / sqrt(variance + epsilon), and means over batch and pixels:
        // gradient of convolved = gamma r (g - mean(g) - d r^2 mean(g d)).
        let count = (self.shape.batch * self.shape.pixels_out()) as f64;
        let (mut slope, mut curve, mut offset) = (
            vec![0.0; channels],
            vec![0.0; channels],
            vec![0.0; channels],
        );
        let (mut gamma_gradient, mut beta_gradient) = (vec![0.0; channels], vec![0.0; channels]);
        for channel in 0..channels {
            let inverse = 1.0 / (f64::from(variance[channel]) + epsilon).sqrt();
            let (sum, product) = (totals[channel], totals[channels + channel]);
            let steepness = f64::from(gamma[channel]) * inverse;
            slope[channel] = steepness as f32;
            curve[channel] = (-steepness * inverse * inverse * product / count) as f32;
            offset[channel] = (-steepness * sum / count) as f32;
            gamma_gradient[channel] = (product * inverse) as f32;
            beta_gradient[channel] = sum as f32;
        }
        let coefficients = |index: usize| NormalisationGradient {
            slope: &slope,
            statistics: Some(StatisticsGradient {
                convolved: &convolved[index * image..][..image],
                mean,
                curve: &curve,
                offset: &offset,
                relu: match relu {
                    ReluMask::Normalised { scale, shift } => Some((scale, shift)),
                    ReluMask::Everything | ReluMask::Output(_) => None,
                },
            }),
        };
        let (input, weight) = self.convolution_back(gradient, coefficients, wanted);
        Gradients {
            input,
            weight,
            gamma: gamma_gradient,
            beta: beta_gradient,
        }
    }

    /// What batch norm's backward pass sums over all images: `[sums, products]` of [`channels::gradient_sums`], each
    /// `[channels]`. The mask is applied to `gradient` as there.
    fn gradient_totals(
        &self,
        convolved: &[f32],
        mean: &[f32],
        relu: ReluMask,
        gradient: &mut [f32],
    ) -> Vec<f64> {
        let shape = self.shape;
        let channels = shape.channels_out;
        let image = shape.pixels_out() * channels;
        let each = self.images_of_a_task();
        let mut sums = vec![0.0_f32; shape.batch * 2 * channels];
        // Backwards, as the forward pass normalises.
        gradient
            .par_chunks_mut(each * image)
            .zip(sums.par_chunks_mut(each * 2 * channels))
            .enumerate()
            .rev()
            .for_each(|(chunk, (gradient, sums))| {
                let images = gradient
                    .chunks_exact_mut(image)
                    .zip(sums.chunks_exact_mut(2 * channels));
                for (index, (gradient, sums)) in images.enumerate() {
                    let first = (chunk * each + index) * image;
                    let (sums, products) = sums.split_at_mut(channels);
                    Arch::new().dispatch(GradientSums {
                        gradient,
                        relu: relu.image(first, image),
                        convolved: &convolved[first..][..image],
                        mean,
                        sums,
                        products,
                    });
                }
            });
        let mut totals = vec![0.0_f64; 2 * channels];
        for image in sums.chunks_exact(2 * channels) {
            for (total, &sum) in totals.iter_mut().zip(image) {
                *total += f64::from(sum);
            }
        }
        totals
    }

    /// The backward pass to the input of an inference pass with scale `scale`.
    pub(super) fn infer_back(
        &self,
        scale: &[f32],
        relu_output: Option<&[f32]>,
        gradient: &mut [f32],
        input: Option<Waiting>,
    ) -> Option<Vec<f32>> {
        let image = self.shape.pixels_out() * self.shape.channels_out;
        if let Some(output) = relu_output {
            gradient
                .par_chunks_mut(image)
                .zip(output.par_chunks(image))
                .for_each(|(gradient, output)| Arch::new().dispatch(Mask { gradient, output }));
        }
        let coefficients = |_| NormalisationGradient {
            slope: scale,
            statistics: None,
        };
        let wanted = Wanted {
            input,
            weight: false,
        };
        self.convolution_back(gradient, coefficients, wanted).0
    }

    /// The gradient of the convolution's output for every image, each in its frame.
    pub(super) fn gradient_frames<'a>(
        &self,
        gradient: &[f32],
        coefficients: &(impl Fn(usize) -> NormalisationGradient<'a> + Sync),
    ) -> Aligned {
        let shape = self.shape;
        let image_out = shape.pixels_out() * shape.channels_out;
        let frame = shape.gradient_frame();
        Aligned::in_chunks(shape.batch * frame.len(), frame.len(), |index, framed| {
            Arch::new().dispatch(FrameGradient {
                gradient: &gradient[index * image_out..][..image_out],
                coefficients: coefficients(index),
                frame,
                framed,
            });
        })
    }

    /// The images' own memory where it is what their frames would be: channels last, without a border.
    pub(super) fn unframed(&self) -> Option<&[f32]> {
        let (shape, frame) = (self.shape, self.shape.input_frame());
        let row = shape.width * shape.channels_in;
        let lies = self.input.strides == [shape.height * row, 1, row, shape.channels_in];
        let bordered = frame.before > 0 || frame.after > 0;
        (lies && !bordered).then(|| &self.input.values[..shape.batch * frame.len()])
    }

    /// Adds what the image at `index` contributes to the gradient of the weights; `input` is scratch for its input.
    fn add_weight_gradient(
        &self,
        index: usize,
        framed: &[f32],
        input: &mut [f32],
        sums: &mut [f32],
    ) {
        let shape = self.shape;
        let frame = shape.input_frame();
        let input = match self.unframed() {
            Some(images) => &images[index * frame.len()..][..frame.len()],
            None => {
                self.input.fill(index, frame, input);
                input
            }
        };
        Arch::new().dispatch(WeightGradient {
            pairing: self.pairing(),
            first_row: 0,
            shape,
            input,
            framed,
            sums,
        });
    }

    /// The gradients of the convolution's input and weights. That of its output, computed from `gradient` and
    /// `coefficients`, is made image by image; it exists as a whole only where the weights are many or threads do not divide
    /// the parts of a batch.
    fn convolution_back<'a>(
        &self,
        gradient: &[f32],
        coefficients: impl Fn(usize) -> NormalisationGradient<'a> + Sync,
        wanted: Wanted,
    ) -> (Option<Vec<f32>>, Option<Vec<f32>>) {
        let shape = self.shape;
        let windows = shape.gradient_windows();
        let packed: Vec<Arc<PackedWeights>> = match wanted.input {
            Some(_) => windows.iter().map(|one| self.pack_gradient(one)).collect(),
            None => Vec::new(),
        };
        let mut fresh = None;
        let len = shape.batch * shape.pixels_in() * shape.channels_in;
        let (values, store) = place(wanted.input, &mut fresh, len);
        let covered: usize = windows.iter().map(|windows| windows.target.len()).sum();
        let mut target = values.map(|values| InputTarget {
            values,
            store,
            covers: covered == shape.pixels_in(),
            windows: &windows,
            packed: &packed,
        });

        let streams = target.is_some() && self.is_streamed();
        let has_many = wanted.weight && self.has_many_weights();
        let weight = if streams || has_many || !chunks_divide_evenly() {
            let frames = self.gradient_frames(gradient, &coefficients);
            match &mut target {
                Some(target) if streams => self.stream_input_gradient(&frames, target),
                Some(target) => self.each_input_gradient(&frames, target),
                None => {}
            }
            match wanted.weight {
                true if has_many => Some(self.many_weights(&frames)),
                true => Some(self.few_weights(&frames)),
                false => None,
            }
        } else {
            self.back_by_image(gradient, coefficients, target, wanted.weight)
        };
        // SAFETY: the windows cover the image, or it was filled before.
        #[allow(unsafe_code)]
        let input = fresh.map(|values| unsafe { written(values) });
        (input, weight)
    }

    /// The input's gradient, image by image, from the gradients `frames` of the convolution's output.
    fn each_input_gradient(&self, frames: &[f32], target: &mut InputTarget) {
        let (channels, frame) = (self.shape.channels_in, self.shape.gradient_frame());
        let values = std::mem::take(&mut target.values);
        values
            .par_chunks_mut(self.shape.pixels_in() * channels)
            .zip(frames.par_chunks(frame.len()))
            .enumerate()
            .for_each(|(index, (image, framed))| {
                Arch::new().dispatch(InputGradient {
                    framed,
                    store: target.begin(index, channels, image),
                    image,
                    windows: target.windows,
                    packed: target.packed,
                    ahead: Ahead::nothing(),
                });
            });
    }

    /// The weight gradient in the parts and the order of [`Layer::back_by_image`], from the gradients `frames`: a kernel row of
    /// a part is a task, so that threads that do not divide the parts have as much to do as each other.
    fn few_weights(&self, frames: &[f32]) -> Vec<f32> {
        let shape = self.shape;
        let (input_frame, frame) = (shape.input_frame(), shape.gradient_frame());
        let each = shape.batch.div_ceil(CHUNKS);
        let inputs = self.framed_inputs();
        let rows = shape.kernel * shape.channels_in;
        let mut sums: Vec<Aligned> = (0..shape.batch.div_ceil(each))
            .map(|_| Aligned::zeros(self.weight.len()))
            .collect();
        let tasks: Vec<(usize, usize, &mut [f32])> = sums
            .iter_mut()
            .enumerate()
            .flat_map(|(chunk, sums)| {
                let kernel_rows = sums.chunks_mut(rows * shape.channels_out).enumerate();
                kernel_rows.map(move |(kernel_row, sums)| (chunk, kernel_row, sums))
            })
            .collect();
        tasks.into_par_iter().for_each(|(chunk, kernel_row, sums)| {
            for index in chunk * each..((chunk + 1) * each).min(shape.batch) {
                Arch::new().dispatch(WeightGradient {
                    pairing: self.pairing(),
                    first_row: kernel_row * rows,
                    shape,
                    input: &inputs[index * input_frame.len()..][..input_frame.len()],
                    framed: &frames[index * frame.len()..][..frame.len()],
                    sums: &mut *sums,
                });
            }
        });
        self.add_and_unpack(sums)
    }

    /// The gradients where an image at a time is worked on, for its input and for the weights.
    fn back_by_image<'a>(
        &self,
        gradient: &[f32],
        coefficients: impl Fn(usize) -> NormalisationGradient<'a> + Sync,
        mut target: Option<InputTarget>,
        wants_weight: bool,
    ) -> Option<Vec<f32>> {
        let shape = self.shape;
        let image_out = shape.pixels_out() * shape.channels_out;
        let image_in = shape.pixels_in() * shape.channels_in;
        let each = shape.batch.div_ceil(CHUNKS);
        let chunks = shape.batch.div_ceil(each);
        let values = target
            .as_mut()
            .map(|target| std::mem::take(&mut target.values));
        let images: Vec<Option<&mut [MaybeUninit<f32>]>> = match values {
            Some(values) => values.chunks_mut(each * image_in).map(Some).collect(),
            None => (0..chunks).map(|_| None).collect(),
        };
        let mut sums = vec![Aligned::default(); chunks];
        let frame = shape.gradient_frame();
        let tiles = target.as_ref().map_or(0, InputTarget::tiles);
        // What the weight gradient of this image reads, then what the next image's begins with.
        let ahead = |index: usize| {
            let input: &[f32] = match wants_weight {
                true => self.input.memory(index),
                false => &[],
            };
            let next = index + 1;
            if next >= shape.batch {
                return [input, &[], &[]];
            }
            let convolved = coefficients(next)
                .statistics
                .map(|through| through.convolved);
            let gradient = &gradient[next * image_out..][..image_out];
            [input, gradient, convolved.unwrap_or_default()]
        };

        images
            .into_par_iter()
            .zip(sums.par_iter_mut())
            .enumerate()
            .for_each(|(chunk, (mut images, sums))| {
                if wants_weight {
                    *sums = Aligned::zeros(self.weight.len());
                }
                SCRATCH.with_borrow_mut(|scratch| {
                    let Scratch {
                        input,
                        gradient: framed,
                    } = scratch;
                    let framed = framed.in_frame(frame);
                    let input = input.in_frame(shape.input_frame());
                    let first = chunk * each;
                    for index in first..(first + each).min(shape.batch) {
                        Arch::new().dispatch(FrameGradient {
                            gradient: &gradient[index * image_out..][..image_out],
                            coefficients: coefficients(index),
                            frame,
                            framed: &mut *framed,
                        });
                        if let (Some(target), Some(images)) = (&target, images.as_deref_mut()) {
                            let image = &mut images[(index - first) * image_in..][..image_in];
                            Arch::new().dispatch(InputGradient {
                                framed,
                                store: target.begin(index, shape.channels_in, image),
                                image,
                                windows: target.windows,
                                packed: target.packed,
                                ahead: Ahead::new(ahead(index), tiles),
                            });
                        }
                        if wants_weight {
                            self.add_weight_gradient(index, framed, input, sums);
                        }
                    }
                });
            });
        wants_weight.then(|| self.add_and_unpack(sums))
    }
}

/// Where an input's gradient goes, and what it is made with.
pub(super) struct InputTarget<'a> {
    /// `[batch, height, width, channels_in]`
    pub(super) values: &'a mut [MaybeUninit<f32>],
    store: Storing<'a>,
    /// Whether the windows cover every pixel.
    covers: bool,
    /// Sums over these parts of the output's frame.
    pub(super) windows: &'a [Windows],
    /// The weights, for each of `windows`.
    pub(super) packed: &'a [Arc<PackedWeights>],
}

impl InputTarget<'_> {
    /// How the sums of image `index` are stored; before, pixels that feed no output get the gradient they need all the same.
    pub(super) fn begin(
        &self,
        index: usize,
        channels: usize,
        image: &mut [MaybeUninit<f32>],
    ) -> Storing<'_> {
        let store = self.store.for_image(index, channels);
        if self.covers {
            store
        } else {
            store.prepare(image)
        }
    }

    /// At least so many tiles an image's sums are computed in.
    fn tiles(&self) -> usize {
        let each = self.windows.iter().zip(self.packed);
        each.map(|(windows, packed)| packed.tiles(windows.target.len()))
            .sum()
    }
}

/// Where the input's gradient is stored, and how: in place in a waiting gradient of its own size, else in `fresh`, which
/// is then made `len` long. Nowhere where it is not wanted.
fn place<'a>(
    waiting: Option<Waiting<'a>>,
    fresh: &'a mut Option<Vec<MaybeUninit<f32>>>,
    len: usize,
) -> (Option<&'a mut [MaybeUninit<f32>]>, Storing<'a>) {
    let store = match waiting {
        None => return (None, Storing::Overwritten),
        Some(Waiting::Image(image)) => return (Some(as_unwritten(image)), Storing::Added),
        Some(Waiting::Row(row)) => Storing::WithRow(row),
        Some(Waiting::Nothing) => Storing::Overwritten,
    };
    (Some(fresh.insert(unwritten(len))), store)
}

/// Which gradients a backward pass computes.
pub(super) struct Wanted<'a> {
    /// The input's, and the gradient that waits for it.
    pub(super) input: Option<Waiting<'a>>,
    /// The weights'.
    pub(super) weight: bool,
}

/// How an input gradient is stored.
#[derive(Clone, Copy)]
pub(super) enum Storing<'a> {
    Overwritten,
    /// Added to what is there.
    Added,
    /// Written with a value per channel added.
    WithRow(&'a [f32]),
}

impl Storing<'_> {
    /// How the gradient of image `index` is stored.
    fn for_image(self, index: usize, channels: usize) -> Self {
        match self {
            Storing::WithRow(rows) => Storing::WithRow(&rows[index * channels..][..channels]),
            other => other,
        }
    }

    /// Writes every pixel, for those that feed no output, and returns how the sums are then stored.
    fn prepare(self, image: &mut [MaybeUninit<f32>]) -> Self {
        match self {
            Storing::Added => {}
            Storing::Overwritten => image.fill(MaybeUninit::new(0.0)),
            Storing::WithRow(row) => {
                for pixel in image.chunks_exact_mut(row.len()) {
                    for (value, &added) in pixel.iter_mut().zip(row) {
                        value.write(added);
                    }
                }
            }
        }
        Storing::Added
    }
}

/// The same memory, to be written.
#[allow(unsafe_code)]
fn as_unwritten(values: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    // SAFETY: the layout is the same, and whoever writes here writes values only.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<f32>]) }
}

/// Mean and biased variance of each channel from each image's, `[images, (mean, deviation), channels]`
/// (Chan, Golub and LeVeque 1979).
fn combine(moments: &[f32], channels: usize, pixels: usize) -> (Vec<f64>, Vec<f64>) {
    let images = (moments.len() / (2 * channels)) as f64;
    let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
    for image in moments.chunks_exact(2 * channels) {
        for (mean, &of_image) in mean.iter_mut().zip(&image[..channels]) {
            *mean += f64::from(of_image) / images;
        }
    }
    for image in moments.chunks_exact(2 * channels) {
        let (means, deviations) = image.split_at(channels);
        for channel in 0..channels {
            let between = f64::from(means[channel]) - mean[channel];
            variance[channel] +=
                (f64::from(deviations[channel]) / pixels as f64 + between * between) / images;
        }
    }
    (mean, variance)
}

impl Layer<'_> {
    /// Frames the images from `first` on, one for each output, and hands both to `each`.
    fn each_framed<'a>(
        &self,
        first: usize,
        outputs: impl Iterator<Item = &'a mut [MaybeUninit<f32>]>,
        mut each: impl FnMut(&[f32], usize, &mut [MaybeUninit<f32>]),
    ) {
        let frame = self.shape.input_frame();
        SCRATCH.with_borrow_mut(|scratch| {
            let framed = scratch.input.in_frame(frame);
            let images = self.unframed();
            for (index, output) in outputs.enumerate() {
                let image = first + index;
                match images {
                    Some(images) => {
                        each(&images[image * frame.len()..][..frame.len()], index, output)
                    }
                    None => {
                        self.input.fill(image, frame, framed);
                        each(framed, index, output);
                    }
                }
            }
        });
    }

    fn pack(&self, order: WeightOrder) -> Arc<PackedWeights> {
        match self.lasting {
            Some(tensor) => packed_cache::packed(tensor, order),
            None => {
                packed_cache::forget_the_gone();
                Arc::new(PackedWeights::pack(self.weight, &order))
            }
        }
    }

    fn pack_forward(&self) -> Arc<PackedWeights> {
        let places = self.shape.kernel * self.shape.kernel;
        let order = WeightOrder {
            channels: self.shape.channels_out,
            channel_stride: self.shape.weights_each(),
            others: self.shape.channels_in,
            other_stride: places,
            rank: (0..places).map(Some).collect(),
        };
        self.pack(order)
    }

    fn pack_gradient(&self, windows: &Windows) -> Arc<PackedWeights> {
        let kernel = self.shape.kernel;
        let columns = windows.kernel_columns.len();
        let mut rank = vec![None; kernel * kernel];
        for (i, row) in windows.kernel_rows.iter().enumerate() {
            for (j, column) in windows.kernel_columns.iter().enumerate() {
                rank[row * kernel + column] = Some(i * columns + j);
            }
        }
        let order = WeightOrder {
            channels: self.shape.channels_in,
            channel_stride: kernel * kernel,
            others: self.shape.channels_out,
            other_stride: self.shape.weights_each(),
            rank,
        };
        self.pack(order)
    }

    /// Reads an image's input and output gradient in step.
    pub(super) fn pairing(&self) -> Pairing {
        let shape = self.shape;
        let (input, gradient) = (shape.input_frame(), shape.gradient_frame());
        Pairing {
            rows: shape.height_out(),
            columns: shape.width_out(),
            source_pitch: input.pitch() * shape.stride,
            source_step: input.channels * shape.stride,
            gradient_pitch: gradient.pitch(),
            gradient_step: gradient.channels,
            gradient_start: gradient.at(gradient.before, gradient.before),
            sums_step: gradient.channels,
        }
    }

    /// Adds up the parts' weight gradients `[kernel, kernel, channels_in, channels_out]`, and gives them the order of the
    /// weights.
    fn add_and_unpack(&self, mut parts: Vec<Aligned>) -> Vec<f32> {
        let (first, others) = parts.split_at_mut(1);
        first[0]
            .par_chunks_mut(ADDED_TOGETHER)
            .enumerate()
            .for_each(|(index, sums)| {
                for part in others.iter() {
                    let values = &part[index * ADDED_TOGETHER..];
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum += value;
                    }
                }
            });
        self.unpack_weights(&first[0], self.shape.channels_out)
    }

    /// A weight gradient in the order of the weights, from `sums`: `line` output channels after the other
    /// `[kernel, kernel, channels_in, line]`.
    pub(super) fn unpack_weights(&self, sums: &[f32], line: usize) -> Vec<f32> {
        let ConvolutionShape {
            channels_in,
            channels_out,
            kernel,
            ..
        } = self.shape;
        let (places, each) = (kernel * kernel, self.shape.weights_each());
        let mut weight = unwritten(each * channels_out);
        // Output channels are adjacent in the sums: taking a few at a time uses all that is read. A few input channels at a
        // time, so that what is written stays in the first-level cache.
        weight
            .par_chunks_mut(BLOCK * each)
            .enumerate()
            .for_each(|(block, weight)| {
                let channel = block * BLOCK;
                let sums = &sums[channel / line * each * line + channel % line..];
                let mut rows = Vec::new();
                for first in (0..channels_in).step_by(BLOCK) {
                    let together = first..channels_in.min(first + BLOCK);
                    rows.clear();
                    rows.extend(together.flat_map(|from| {
                        (0..places).map(move |place| (place * channels_in + from) * line)
                    }));
                    rows_to_channels(sums, &rows, BLOCK, each, &mut weight[first * places..]);
                }
            });
        // SAFETY: every place of every channel is written, and the output channels are whole blocks.
        #[allow(unsafe_code)]
        unsafe {
            written(weight)
        }
    }
}

// Kernels that run in the instruction set found at run time.

struct ConvolveWithMoments<'a> {
    framed: &'a [f32],
    windows: &'a Windows,
    packed: &'a PackedWeights,
    out: &'a mut [MaybeUninit<f32>],
    channels: usize,
    /// Means, then deviations.
    moments: &'a mut [f32],
    ahead: Ahead<'a>,
}

impl WithSimd for ConvolveWithMoments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        windows_product(
            simd,
            self.framed,
            self.windows,
            self.packed,
            self.out,
            Overwrite,
            &mut self.ahead,
        );
        // SAFETY: the forward windows cover the image.
        #[allow(unsafe_code)]
        let image = unsafe { written_slice(self.out) };
        let (mean, deviation) = self.moments.split_at_mut(self.channels);
        channels::moments(simd, image, self.channels, mean, deviation);
    }
}

struct ConvolveAffine<'a> {
    framed: &'a [f32],
    windows: &'a Windows,
    packed: &'a PackedWeights,
    out: &'a mut [MaybeUninit<f32>],
    affine: Affine<'a>,
    responses: &'a mut [f32],
    ahead: Ahead<'a>,
}

impl WithSimd for ConvolveAffine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        windows_product(
            simd,
            self.framed,
            self.windows,
            self.packed,
            self.out,
            self.affine,
            &mut self.ahead,
        );
        // SAFETY: the forward windows cover the image.
        #[allow(unsafe_code)]
        let image = unsafe { written_slice(self.out) };
        channels::means(simd, image, self.responses.len(), self.responses);
    }
}

struct Normalise<'a> {
    image: &'a [f32],
    normalisation: Normalisation<'a>,
    shortcut: Option<&'a [f32]>,
    relu: bool,
    output: &'a mut [MaybeUninit<f32>],
    responses: &'a mut [f32],
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        channels::normalise(
            simd,
            self.image,
            self.normalisation,
            self.shortcut,
            self.relu,
            self.output,
            self.responses,
        );
    }
}

/// Normalises, then takes the means as [`ConvolveAffine`] does, so that the bits agree.
struct NormaliseThenMeans<'a>(Normalise<'a>);

impl WithSimd for NormaliseThenMeans<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Normalise {
            output, responses, ..
        } = self.0;
        Normalise {
            output: &mut *output,
            responses: &mut *responses,
            ..self.0
        }
        .with_simd(simd);
        // SAFETY: `normalise` has written every value.
        #[allow(unsafe_code)]
        let image = unsafe { written_slice(output) };
        channels::means(simd, image, responses.len(), responses);
    }
}

struct Moments<'a> {
    image: &'a [f32],
    channels: usize,
    /// Means, then deviations.
    moments: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (mean, deviation) = self.moments.split_at_mut(self.channels);
        channels::moments(simd, self.image, self.channels, mean, deviation);
    }
}

struct GradientSums<'a> {
    gradient: &'a mut [f32],
    relu: ReluMask<'a>,
    convolved: &'a [f32],
    mean: &'a [f32],
    sums: &'a mut [f32],
    products: &'a mut [f32],
}

impl WithSimd for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        channels::gradient_sums(
            simd,
            self.gradient,
            self.relu,
            self.convolved,
            self.mean,
            self.sums,
            self.products,
        );
    }
}

struct Mask<'a> {
    gradient: &'a mut [f32],
    output: &'a [f32],
}

impl WithSimd for Mask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        channels::mask(simd, self.gradient, self.output);
    }
}

struct FrameGradient<'a> {
    gradient: &'a [f32],
    coefficients: NormalisationGradient<'a>,
    frame: Frame,
    framed: &'a mut [f32],
}

impl WithSimd for FrameGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        channels::normalisation_gradient(
            simd,
            self.gradient,
            self.coefficients,
            self.frame,
            self.framed,
        );
    }
}

struct InputGradient<'a> {
    framed: &'a [f32],
    windows: &'a [Windows],
    packed: &'a [Arc<PackedWeights>],
    image: &'a mut [MaybeUninit<f32>],
    store: Storing<'a>,
    ahead: Ahead<'a>,
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let ahead = &mut self.ahead;
        for (windows, packed) in self.windows.iter().zip(self.packed) {
            let (framed, image) = (self.framed, &mut *self.image);
            match self.store {
                Storing::Overwritten => {
                    windows_product(simd, framed, windows, packed, image, Overwrite, ahead)
                }
                Storing::Added => {
                    windows_product(simd, framed, windows, packed, image, Accumulate, ahead)
                }
                Storing::WithRow(row) => {
                    windows_product(simd, framed, windows, packed, image, AddRow(row), ahead)
                }
            }
        }
    }
}

pub(super) struct WeightGradient<'a> {
    pub(super) shape: ConvolutionShape,
    pub(super) pairing: Pairing,
    /// The row of weights (kernel row, kernel column, input channel) with which `sums` begins.
    pub(super) first_row: usize,
    pub(super) input: &'a [f32],
    pub(super) framed: &'a [f32],
    /// `[rows, channels_out]`
    pub(super) sums: &'a mut [f32],
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let shape = self.shape;
        let frame = shape.input_frame();
        let run = shape.kernel * shape.channels_in;
        let mut row = self.first_row;
        let mut sums = self.sums;
        while !sums.is_empty() {
            let (kernel_row, within) = (row / run, row % run);
            let count = (run - within).min(sums.len() / shape.channels_out);
            let (these, rest) = sums.split_at_mut(count * shape.channels_out);
            let start = frame.at(kernel_row, 0) + within;
            outer_products(
                simd,
                self.input,
                start,
                count,
                self.framed,
                &self.pairing,
                these,
            );
            row += count;
            sums = rest;
        }
    }
}
