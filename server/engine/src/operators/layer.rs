//! A layer on plain memory: convolution, batch norm, shortcut and ReLU in one pass forward and one back.
//!
//! Images are channels last. Sums over images are taken in at most [`CHUNKS`] parts, whose number depends on the batch alone,
//! and then added in order: results do not depend on threads.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::aligned::Aligned;
use super::channels::{self, Normalisation, NormalisationGradient, StatisticsGradient};
use super::kernel::{
    Accumulate, AddRow, Affine, BLOCK, Overwrite, PackedWeights, Pairing, WeightOrder,
    outer_products, windows_product,
};
use super::shape::{ConvolutionShape, Frame, Windows};

/// Parts into which a batch is divided among threads.
const CHUNKS: usize = 16;

/// From this many weights on, threads divide the weights of a gradient among them, not the images: copies for each
/// part of the batch would cost more memory traffic than the sums.
const MANY_WEIGHTS: usize = 65_536;

/// Images `[batch, channels, height, width]` with any strides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) values: &'a [f32],
    /// Values from one image, channel, row and column to the next.
    pub(super) strides: [usize; 4],
}

impl Images<'_> {
    /// Copies image `index` into the middle of a frame whose border is zero.
    fn fill(&self, index: usize, frame: Frame, framed: &mut [f32]) {
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

/// Scratch memory of a thread, so that no call allocates its own.
#[derive(Default)]
struct Scratch {
    input: Aligned,
    gradient: Aligned,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Memory that is about to be written in full.
fn unwritten(len: usize) -> Vec<MaybeUninit<f32>> {
    let mut values = Vec::with_capacity(len);
    values.resize_with(len, MaybeUninit::uninit);
    values
}

/// # Safety
/// Every value was written.
#[allow(unsafe_code)]
unsafe fn written(values: Vec<MaybeUninit<f32>>) -> Vec<f32> {
    let mut values = std::mem::ManuallyDrop::new(values);
    // SAFETY: the same allocation, length and capacity; MaybeUninit<f32> has f32's layout, and the
    // caller vouches for the values.
    unsafe { Vec::from_raw_parts(values.as_mut_ptr().cast(), values.len(), values.capacity()) }
}

/// # Safety
/// Every value was written.
#[allow(unsafe_code)]
unsafe fn written_slice(values: &[MaybeUninit<f32>]) -> &[f32] {
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

impl Layer<'_> {
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
        let each = shape.batch.div_ceil(CHUNKS);
        let (windows, packed) = (shape.forward_windows(), self.pack_forward());

        let mut convolved = unwritten(shape.batch * image);
        let mut moments = vec![0.0_f32; shape.batch * 2 * channels];
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
                        });
                    },
                );
            });
        // SAFETY: the forward windows cover every output pixel of every image.
        #[allow(unsafe_code)]
        let convolved = unsafe { written(convolved) };
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
        output
            .par_chunks_mut(each * image)
            .zip(responses.par_chunks_mut(each * channels))
            .enumerate()
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
        }
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
        let shape = self.shape;
        let channels = shape.channels_out;
        let image = shape.pixels_out() * channels;
        let each = shape.batch.div_ceil(CHUNKS);
        let (windows, packed) = (shape.forward_windows(), self.pack_forward());
        let mut output = unwritten(shape.batch * image);
        let mut responses = vec![0.0; shape.batch * channels];
        output
            .par_chunks_mut(each * image)
            .zip(responses.par_chunks_mut(each * channels))
            .enumerate()
            .for_each(|(chunk, (output, responses))| {
                self.each_framed(
                    chunk * each,
                    output.chunks_exact_mut(image),
                    |framed, index, out| {
                        let first = (chunk * each + index) * image;
                        Arch::new().dispatch(ConvolveAffine {
                            framed,
                            windows: &windows,
                            packed: &packed,
                            out,
                            affine: Affine {
                                scale,
                                shift,
                                shortcut: shortcut.map(|shortcut| &shortcut[first..][..image]),
                                relu,
                            },
                            responses: &mut responses[index * channels..][..channels],
                        });
                    },
                );
            });
        // SAFETY: the forward windows cover every output pixel of every image.
        #[allow(unsafe_code)]
        (unsafe { written(output) }, responses)
    }

    /// The backward pass of a training pass. `gradient` is that of the output, channels last; the ReLU's mask is
    /// applied to it in place, which makes it the shortcut's gradient.
    ///
    /// `relu_output` is the layer's output where it ends in a ReLU.
    #[allow(clippy::too_many_arguments)] // The layer's saved state, each part by its name.
    pub(super) fn train_back(
        &self,
        gamma: &[f32],
        mean: &[f32],
        variance: &[f32],
        epsilon: f64,
        convolved: &[f32],
        relu_output: Option<&[f32]>,
        gradient: &mut [f32],
        wanted: Wanted,
    ) -> Gradients {
        let shape = self.shape;
        let channels = shape.channels_out;
        let image = shape.pixels_out() * channels;
        let each = shape.batch.div_ceil(CHUNKS);

        let mut sums = vec![0.0_f32; shape.batch * 2 * channels];
        gradient
            .par_chunks_mut(each * image)
            .zip(sums.par_chunks_mut(each * 2 * channels))
            .enumerate()
            .for_each(|(chunk, (gradient, sums))| {
                let images = gradient
                    .chunks_exact_mut(image)
                    .zip(sums.chunks_exact_mut(2 * channels));
                for (index, (gradient, sums)) in images.enumerate() {
                    let first = (chunk * each + index) * image;
                    let (sums, products) = sums.split_at_mut(channels);
                    Arch::new().dispatch(GradientSums {
                        gradient,
                        relu_output: relu_output.map(|output| &output[first..][..image]),
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

        // With d = convolved - mean, r = 1 / sqrt(variance + epsilon), and means over batch and pixels:
        // gradient of convolved = gamma r (g - mean(g) - d r^2 mean(g d)).
        let count = (shape.batch * shape.pixels_out()) as f64;
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
    fn gradient_frames<'a>(
        &self,
        gradient: &[f32],
        coefficients: &(impl Fn(usize) -> NormalisationGradient<'a> + Sync),
    ) -> Aligned {
        let shape = self.shape;
        let image_out = shape.pixels_out() * shape.channels_out;
        let frame = shape.gradient_frame();
        let mut frames = Aligned::zeros(shape.batch * frame.len());
        frames
            .par_chunks_mut(frame.len())
            .enumerate()
            .for_each(|(index, framed)| {
                Arch::new().dispatch(FrameGradient {
                    gradient: &gradient[index * image_out..][..image_out],
                    coefficients: coefficients(index),
                    frame,
                    framed,
                });
            });
        frames
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
        self.input.fill(index, shape.input_frame(), input);
        Arch::new().dispatch(WeightGradient {
            pairing: self.pairing(1),
            first_row: 0,
            shape,
            input,
            framed,
            sums,
        });
    }

    /// The gradients of the convolution's input and weights. That of its output, computed from `gradient` and
    /// `coefficients`, is made image by image; it exists as a whole only where threads divide the weights (see
    /// [`MANY_WEIGHTS`]).
    fn convolution_back<'a>(
        &self,
        gradient: &[f32],
        coefficients: impl Fn(usize) -> NormalisationGradient<'a> + Sync,
        wanted: Wanted,
    ) -> (Option<Vec<f32>>, Option<Vec<f32>>) {
        let shape = self.shape;
        let image_out = shape.pixels_out() * shape.channels_out;
        let image_in = shape.pixels_in() * shape.channels_in;
        let each = shape.batch.div_ceil(CHUNKS);
        let chunks = shape.batch.div_ceil(each);

        let windows = shape.gradient_windows();
        let packed: Vec<PackedWeights> = match wanted.input {
            Some(_) => windows.iter().map(|one| self.pack_gradient(one)).collect(),
            None => Vec::new(),
        };
        let mut fresh = None;
        let (target, store) = place(wanted.input, &mut fresh, shape.batch * image_in);
        let covered: usize = windows.iter().map(|windows| windows.target.len()).sum();
        let covers = covered == shape.pixels_in();
        let targets: Vec<Option<&mut [MaybeUninit<f32>]>> = match target {
            Some(target) => target.chunks_mut(each * image_in).map(Some).collect(),
            None => (0..chunks).map(|_| None).collect(),
        };
        let weights = shape.weights_each() * shape.channels_out;
        let splits_weights = wanted.weight && weights >= MANY_WEIGHTS;
        let mut sums: Vec<Aligned> = match wanted.weight && !splits_weights {
            true => (0..chunks).map(|_| Aligned::zeros(weights)).collect(),
            false => vec![Aligned::default(); chunks],
        };
        let frame = shape.gradient_frame();
        let frames = splits_weights.then(|| self.gradient_frames(gradient, &coefficients));

        targets
            .into_par_iter()
            .zip(sums.par_iter_mut())
            .enumerate()
            .for_each(|(chunk, (mut target, sums))| {
                SCRATCH.with_borrow_mut(
                    |Scratch {
                         input,
                         gradient: scratch,
                     }| {
                        scratch.resize(frame.len());
                        scratch.fill(0.0);
                        input.resize(shape.input_frame().len());
                        input.fill(0.0);
                        let first = chunk * each;
                        for index in first..(first + each).min(shape.batch) {
                            let framed = match &frames {
                                Some(frames) => &frames[index * frame.len()..][..frame.len()],
                                None => {
                                    Arch::new().dispatch(FrameGradient {
                                        gradient: &gradient[index * image_out..][..image_out],
                                        coefficients: coefficients(index),
                                        frame,
                                        framed: &mut *scratch,
                                    });
                                    &*scratch
                                }
                            };
                            if let Some(target) = target.as_deref_mut() {
                                let image = &mut target[(index - first) * image_in..][..image_in];
                                let store = store.for_image(index, shape.channels_in);
                                // Pixels that feed no output still need a gradient.
                                let store = if covers { store } else { store.begin(image) };
                                Arch::new().dispatch(InputGradient {
                                    framed,
                                    windows: &windows,
                                    packed: &packed,
                                    image,
                                    store,
                                });
                            }
                            if wanted.weight && !splits_weights {
                                self.add_weight_gradient(index, framed, input, sums);
                            }
                        }
                    },
                );
            });

        let weight = match &frames {
            Some(frames) => Some(self.many_weights(frames)),
            None => wanted.weight.then(|| self.unpack_weights(&sums)),
        };
        // SAFETY: the windows cover the image, or it was filled before.
        #[allow(unsafe_code)]
        let input = fresh.map(|values| unsafe { written(values) });
        (input, weight)
    }
}

/// Where the input's gradient is stored, and how: in place in a waiting gradient of its own size, else in `fresh`, which
/// is then made `len` long. Nowhere where it is not wanted.
fn place<'a>(
    waiting: Option<Waiting<'a>>,
    fresh: &'a mut Option<Vec<MaybeUninit<f32>>>,
    len: usize,
) -> (Option<&'a mut [MaybeUninit<f32>]>, Into<'a>) {
    let store = match waiting {
        None => return (None, Into::Overwritten),
        Some(Waiting::Image(image)) => return (Some(as_unwritten(image)), Into::Added),
        Some(Waiting::Row(row)) => Into::WithRow(row),
        Some(Waiting::Nothing) => Into::Overwritten,
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
enum Into<'a> {
    Overwritten,
    /// Added to what is there.
    Added,
    /// Written with a value per channel added.
    WithRow(&'a [f32]),
}

impl Into<'_> {
    /// How the gradient of image `index` is stored.
    fn for_image(self, index: usize, channels: usize) -> Self {
        match self {
            Into::WithRow(rows) => Into::WithRow(&rows[index * channels..][..channels]),
            other => other,
        }
    }

    /// Writes the image's values before any sum, and returns how the sums are then stored.
    fn begin(self, image: &mut [MaybeUninit<f32>]) -> Self {
        match self {
            Into::Added => {}
            Into::Overwritten => image.fill(MaybeUninit::new(0.0)),
            Into::WithRow(row) => {
                for pixel in image.chunks_exact_mut(row.len()) {
                    for (value, &added) in pixel.iter_mut().zip(row) {
                        value.write(added);
                    }
                }
            }
        }
        Into::Added
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
            let framed = &mut scratch.input;
            framed.resize(frame.len());
            framed.fill(0.0);
            for (index, output) in outputs.enumerate() {
                self.input.fill(first + index, frame, framed);
                each(framed, index, output);
            }
        });
    }

    fn pack_forward(&self) -> PackedWeights {
        let places = self.shape.kernel * self.shape.kernel;
        let order = WeightOrder {
            channels: self.shape.channels_out,
            channel_stride: self.shape.weights_each(),
            others: self.shape.channels_in,
            other_stride: places,
            rank: (0..places).map(Some).collect(),
        };
        PackedWeights::pack(self.weight, &order)
    }

    fn pack_gradient(&self, windows: &Windows) -> PackedWeights {
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
        PackedWeights::pack(self.weight, &order)
    }

    /// Reads input and output gradient in step, `images` at a time.
    fn pairing(&self, images: usize) -> Pairing {
        let shape = self.shape;
        let (input, gradient) = (shape.input_frame(), shape.gradient_frame());
        Pairing {
            images,
            source_image: input.len(),
            gradient_image: gradient.len(),
            rows: shape.height_out(),
            columns: shape.width_out(),
            source_pitch: input.pitch() * shape.stride,
            source_step: input.channels * shape.stride,
            gradient_pitch: gradient.pitch(),
            gradient_step: gradient.channels,
            gradient_start: gradient.at(gradient.before, gradient.before),
        }
    }

    /// The weight gradient where threads divide the weights: each goes through all images for its own.
    fn many_weights(&self, frames: &[f32]) -> Vec<f32> {
        let shape = self.shape;
        let frame = shape.input_frame();
        let mut inputs = Aligned::zeros(shape.batch * frame.len());
        inputs
            .par_chunks_mut(frame.len())
            .enumerate()
            .for_each(|(index, framed)| self.input.fill(index, frame, framed));
        let run = shape.kernel * shape.channels_in;
        // Rows of weights per task: a few tiles, and never across kernel rows.
        let rows = (1..=96)
            .rev()
            .find(|rows| run.is_multiple_of(*rows))
            .unwrap_or(1);
        let mut sums = Aligned::zeros(shape.weights_each() * shape.channels_out);
        sums.par_chunks_mut(rows * shape.channels_out)
            .enumerate()
            .for_each(|(task, sums)| {
                Arch::new().dispatch(WeightGradient {
                    pairing: self.pairing(shape.batch),
                    first_row: task * rows,
                    shape,
                    input: &inputs,
                    framed: frames,
                    sums,
                });
            });
        self.unpack_weights(&[sums])
    }

    /// Adds up the chunks' weight gradients `[kernel, kernel, channels_in, channels_out]`, and gives them
    /// the order of the weights.
    fn unpack_weights(&self, chunks: &[Aligned]) -> Vec<f32> {
        let ConvolutionShape {
            channels_in,
            channels_out,
            kernel,
            ..
        } = self.shape;
        let (places, each) = (kernel * kernel, self.shape.weights_each());
        let mut weight = vec![0.0; each * channels_out];
        // Output channels are adjacent in the sums: taking a few at a time uses all that is read.
        weight
            .par_chunks_mut(BLOCK * each)
            .enumerate()
            .for_each(|(block, weight)| {
                for row in 0..each {
                    let (place, from) = (row / channels_in, row % channels_in);
                    let at = row * channels_out + block * BLOCK;
                    let target = &mut weight[from * places + place..];
                    for (lane, value) in target.iter_mut().step_by(each).enumerate() {
                        *value = chunks.iter().map(|chunk| chunk[at + lane]).sum();
                    }
                }
            });
        weight
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
}

impl WithSimd for ConvolveWithMoments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        windows_product(
            simd,
            self.framed,
            self.windows,
            self.packed,
            self.out,
            Overwrite,
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
}

impl WithSimd for ConvolveAffine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        windows_product(
            simd,
            self.framed,
            self.windows,
            self.packed,
            self.out,
            self.affine,
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

struct GradientSums<'a> {
    gradient: &'a mut [f32],
    relu_output: Option<&'a [f32]>,
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
            self.relu_output,
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
    packed: &'a [PackedWeights],
    image: &'a mut [MaybeUninit<f32>],
    store: Into<'a>,
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (windows, packed) in self.windows.iter().zip(self.packed) {
            let (framed, image) = (self.framed, &mut *self.image);
            match self.store {
                Into::Overwritten => {
                    windows_product(simd, framed, windows, packed, image, Overwrite)
                }
                Into::Added => windows_product(simd, framed, windows, packed, image, Accumulate),
                Into::WithRow(row) => {
                    windows_product(simd, framed, windows, packed, image, AddRow(row))
                }
            }
        }
    }
}

struct WeightGradient<'a> {
    shape: ConvolutionShape,
    pairing: Pairing,
    /// The row of weights (kernel row, kernel column, input channel) with which `sums` begins.
    first_row: usize,
    input: &'a [f32],
    framed: &'a [f32],
    /// `[rows, channels_out]`
    sums: &'a mut [f32],
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
