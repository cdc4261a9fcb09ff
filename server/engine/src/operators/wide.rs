//! Layers of many weights: a block of them goes through many images before the next is read, where image by image they would
//! not stay in any cache.
//!
//! Each sum is taken in the order it has image by image. Weight gradients are summed over the whole batch in order, not in
//! parts of it.

use std::mem::MaybeUninit;
use std::ops::Deref;
use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use rayon::current_num_threads;
use rayon::prelude::*;

use super::aligned::Aligned;
use super::kernel::{
    PackedWeights, TileShape, block_product, packed_outer_products, tile_height, tile_shape,
};
use super::layer::{
    CHUNKS, InputTarget, Layer, Storing, chunks_divide_evenly, unwritten, written, written_slice,
};
use super::shape::{Frame, Windows};

/// From this many weights on, threads divide the weights of a gradient among them, not the images: copies for each
/// part of the batch would cost more memory traffic than the sums.
const MANY_WEIGHTS: usize = 65_536;

/// From this many weights on, forward passes and input gradients take a block of them through all images.
const STREAMED_WEIGHTS: usize = 262_144;

/// Pixels that an outer product takes at once: their gradients stay in the first-level cache.
const PIXELS_TOGETHER: usize = 256;

/// Pixels that a block of weights goes through at once, at least.
const PIXELS_AT_LEAST: usize = 96;

/// Pieces of work for each thread, so that none waits long for the last.
const TASKS_A_THREAD: usize = 4;

impl Layer<'_> {
    /// Whether threads divide the weights of its gradient among them.
    pub(super) fn has_many_weights(&self) -> bool {
        self.weight.len() >= MANY_WEIGHTS
    }

    /// Whether a block of its weights goes through all images.
    pub(super) fn is_streamed(&self) -> bool {
        self.weight.len() >= STREAMED_WEIGHTS && !by_image()
    }

    /// All input images, each in its frame.
    pub(super) fn framed_inputs(&self) -> Frames<'_> {
        if let Some(images) = self.unframed() {
            return Frames::AsTheyAre(images);
        }
        let frame = self.shape.input_frame();
        let len = self.shape.batch * frame.len();
        Frames::Copied(Aligned::in_chunks(len, frame.len(), |index, framed| {
            self.input.fill(index, frame, framed);
        }))
    }

    /// The convolution's output, `[batch, height, width, channels]`. `finish` gets each image of it while it is in the
    /// cache, and that image's share of `results`.
    pub(super) fn stream(
        &self,
        windows: &Windows,
        packed: &Arc<PackedWeights>,
        results: &mut [f32],
        finish: impl Fn(&[f32], &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let shape = self.shape;
        let image = shape.pixels_out() * shape.channels_out;
        let blocks = Blocks::compute(
            &self.framed_inputs(),
            shape.input_frame(),
            std::slice::from_ref(windows),
            std::slice::from_ref(packed),
            shape.pixels_out(),
        );
        let mut output = unwritten(shape.batch * image);
        let each = results.len() / shape.batch;
        let mut results: Vec<&mut [f32]> = match each {
            0 => (0..shape.batch).map(|_| &mut [][..]).collect(),
            _ => results.chunks_exact_mut(each).collect(),
        };
        output
            .par_chunks_mut(image)
            .zip(&mut results)
            .enumerate()
            .for_each(|(index, (output, results))| {
                blocks.each_line(index, shape.channels_out, |at, sums| {
                    let places = output[at..].iter_mut().zip(sums);
                    places.for_each(|(place, &sum)| {
                        place.write(sum);
                    });
                });
                // SAFETY: the forward windows cover every pixel, and the blocks every channel.
                #[allow(unsafe_code)]
                finish(unsafe { written_slice(output) }, results);
            });
        // SAFETY: as above, in every image.
        #[allow(unsafe_code)]
        unsafe {
            written(output)
        }
    }

    /// The input's gradient, from the gradients `frames` of the convolution's output.
    pub(super) fn stream_input_gradient(&self, frames: &[f32], target: &mut InputTarget) {
        let (shape, channels) = (self.shape, self.shape.channels_in);
        let blocks = Blocks::compute(
            frames,
            shape.gradient_frame(),
            target.windows,
            target.packed,
            shape.pixels_in(),
        );
        std::mem::take(&mut target.values)
            .par_chunks_mut(shape.pixels_in() * channels)
            .enumerate()
            .for_each(|(index, image)| {
                let store = target.begin(index, channels, image);
                blocks.each_line(index, channels, |at, sums| {
                    let places = image[at..].iter_mut().zip(sums);
                    match store {
                        Storing::Overwritten => places.for_each(|(place, &sum)| {
                            place.write(sum);
                        }),
                        // SAFETY: where sums are added every value was written before.
                        #[allow(unsafe_code)]
                        Storing::Added => places.for_each(|(place, &sum)| unsafe {
                            place.write(place.assume_init() + sum);
                        }),
                        Storing::WithRow(row) => {
                            let row = &row[at % channels..];
                            places.zip(row).for_each(|((place, &sum), &added)| {
                                place.write(sum + added);
                            });
                        }
                    }
                });
            });
    }

    /// The weight gradient where threads divide the weights: each goes through all images for its own.
    pub(super) fn many_weights(&self, frames: &[f32]) -> Vec<f32> {
        let shape = self.shape;
        let inputs = self.framed_inputs();
        let tile = tile_shape(shape.channels_out);
        let gradients = self.gradients_by_block(frames, tile.line);
        let run = shape.kernel * shape.channels_in;
        // Rows of weights of a task: a few tiles, and never across kernel rows.
        let rows = (1..=96)
            .rev()
            .find(|rows| run.is_multiple_of(*rows))
            .unwrap_or(1);
        // Where that makes too few tasks, each takes a part of the output channels.
        let lines = shape.channels_out / tile.line;
        let row_tasks = shape.weights_each() / rows;
        let enough = |parts: &usize| parts * row_tasks >= TASKS_A_THREAD * current_num_threads();
        let parts = (1..=lines)
            .filter(|&parts| lines.is_multiple_of(parts))
            .find(enough)
            .unwrap_or(lines);
        let line = shape.channels_out / parts;
        let gradients_each = gradients.len() / parts;
        let sums = Aligned::in_chunks(self.weight.len(), rows * line, |task, sums| {
            let (part, row) = (task / row_tasks, task % row_tasks * rows);
            let start = shape.input_frame().at(row / run, 0) + row % run;
            let gradients = &gradients[part * gradients_each..][..gradients_each];
            self.add_outer_products(&inputs, start, gradients, tile, line, sums);
        });
        self.unpack_weights(&sums, line)
    }

    /// Adds to `sums`, `[rows, channels]`, what all pixels contribute; `start` is where the first window's first row
    /// lies in a framed input.
    fn add_outer_products(
        &self,
        inputs: &[f32],
        start: usize,
        gradients: &[f32],
        tile: TileShape,
        channels: usize,
        sums: &mut [f32],
    ) {
        let (shape, frame) = (self.shape, self.shape.input_frame());
        let columns = shape.width_out();
        let pixels = shape.batch * shape.pixels_out();
        let rows = sums.len() / channels;
        let mut heights = Vec::new();
        while heights.iter().sum::<usize>() < rows {
            heights.push(tile_height(
                rows - heights.iter().sum::<usize>(),
                tile.height,
            ));
        }
        let mut windows = Aligned::zeros(PIXELS_TOGETHER * rows);
        let mut places = Vec::with_capacity(PIXELS_TOGETHER);
        for first in (0..pixels).step_by(PIXELS_TOGETHER) {
            let count = PIXELS_TOGETHER.min(pixels - first);
            places.clear();
            places.extend((first..first + count).map(|pixel| {
                let (image, within) = (pixel / shape.pixels_out(), pixel % shape.pixels_out());
                let (row, column) = (within / columns, within % columns);
                image * frame.len() + start + frame.at(row * shape.stride, column * shape.stride)
            }));
            let (mut row, mut rest) = (0, &mut windows[..count * rows]);
            for &height in &heights {
                let (part, after) = rest.split_at_mut(count * height);
                copy_runs(&inputs[row..], &places, height, part);
                (row, rest) = (row + height, after);
            }
            Arch::new().dispatch(OuterProducts {
                windows: &windows[..count * rows],
                heights: &heights,
                gradients,
                first,
                count,
                pixels,
                tile,
                channels,
                sums: &mut *sums,
            });
        }
    }

    /// The gradients of the convolution's output as [`Layer::many_weights`] reads them, `[block, batch x pixels, line]`.
    fn gradients_by_block(&self, frames: &[f32], line: usize) -> Aligned {
        let (shape, frame) = (self.shape, self.shape.gradient_frame());
        let len = shape.batch * shape.pixels_out() * shape.channels_out;
        assert!(shape.channels_out.is_multiple_of(line), "blocks are whole");
        let copy = |index: usize, values: &mut [MaybeUninit<f32>]| {
            let (block, image) = (index / shape.batch, index % shape.batch);
            for (row, values) in values.chunks_exact_mut(frame.width * line).enumerate() {
                let first =
                    image * frame.len() + frame.at(row + frame.before, frame.before) + block * line;
                for (column, pixel) in values.chunks_exact_mut(line).enumerate() {
                    let at = first + column * frame.channels;
                    pixel.write_copy_of_slice(&frames[at..at + line]);
                }
            }
        };
        // SAFETY: blocks of `line` channels are all of a pixel's, rows of pixels all of an image, and each is copied.
        #[allow(unsafe_code)]
        unsafe {
            Aligned::in_unwritten_chunks(len, shape.pixels_out() * line, copy)
        }
    }
}

/// Copies `height` values from each of `places` on, one run after the other.
fn copy_runs(inputs: &[f32], places: &[usize], height: usize, runs: &mut [f32]) {
    /// Of a length that the compiler knows: a few loads and stores, where the library's copy is a call for 48 bytes.
    fn copy<const HEIGHT: usize>(inputs: &[f32], places: &[usize], runs: &mut [f32]) {
        for (&place, run) in places.iter().zip(runs.as_chunks_mut::<HEIGHT>().0) {
            let from = inputs[place..].first_chunk();
            *run = *from.expect("a window ends within its frame");
        }
    }
    match height {
        24 => copy::<24>(inputs, places, runs),
        12 => copy::<12>(inputs, places, runs),
        6 => copy::<6>(inputs, places, runs),
        4 => copy::<4>(inputs, places, runs),
        _ => {
            for (&place, run) in places.iter().zip(runs.chunks_exact_mut(height)) {
                run.copy_from_slice(&inputs[place..place + height]);
            }
        }
    }
}

/// Images in frames.
pub(super) enum Frames<'a> {
    /// The images' own memory.
    AsTheyAre(&'a [f32]),
    Copied(Aligned),
}

impl Deref for Frames<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Frames::AsTheyAre(images) => images,
            Frames::Copied(frames) => frames,
        }
    }
}

/// Whether a test wants forward passes and input gradients image by image.
fn by_image() -> bool {
    #[cfg(test)]
    return super::tests::IMAGE_BY_IMAGE.get();
    #[cfg(not(test))]
    false
}

/// Sums over windows of all images, apart for each block of channels and each part of the batch.
struct Blocks<'a> {
    /// For each block and in it for each part, `[images, pixels, channels of a block]`; only what the windows cover was
    /// written.
    values: Vec<Vec<MaybeUninit<f32>>>,
    windows: &'a [Windows],
    /// Parts of the batch, and the images of each but the last.
    parts: usize,
    images_each: usize,
    /// Pixels of an image.
    pixels: usize,
    /// Channels of a block.
    line: usize,
}

impl<'a> Blocks<'a> {
    /// Takes each block of the weights `packed`, one for each of `windows`, through all `frames`.
    fn compute(
        frames: &[f32],
        frame: Frame,
        windows: &'a [Windows],
        packed: &[Arc<PackedWeights>],
        pixels: usize,
    ) -> Self {
        let (line, count) = packed
            .first()
            .map_or((1, 0), |packed| (packed.block(), packed.blocks()));
        let images = frames.len() / frame.len();
        let tasks = match chunks_divide_evenly() {
            true => CHUNKS,
            false => TASKS_A_THREAD * current_num_threads(),
        };
        let images_each = images.div_ceil(tasks.div_ceil(count.max(1)).min(images));
        let parts = images.div_ceil(images_each);
        let values = (0..count * parts)
            .into_par_iter()
            .map(|task| {
                let (index, first) = (task / parts, task % parts * images_each);
                let images = images_each.min(images - first);
                let mut block = unwritten(images * pixels * line);
                // Small images go together, so that their last tiles are full.
                let groups = (images * pixels / PIXELS_AT_LEAST).clamp(1, images);
                for group in 0..groups {
                    let (begin, end) = (group * images / groups, (group + 1) * images / groups);
                    let repeated: Vec<Windows> = windows
                        .iter()
                        .map(|windows| windows.of_images(end - begin, frame.len(), pixels))
                        .collect();
                    Arch::new().dispatch(BlockProduct {
                        framed: &frames[(first + begin) * frame.len()..(first + end) * frame.len()],
                        windows: &repeated,
                        packed,
                        index,
                        output: &mut block[begin * pixels * line..end * pixels * line],
                    });
                }
                block
            })
            .collect();
        Blocks {
            values,
            windows,
            parts,
            images_each,
            pixels,
            line,
        }
    }

    /// Hands the sums of image `index` to `take`, as many at once as lie together in an image of `channels`, with where they
    /// belong in it.
    fn each_line(&self, index: usize, channels: usize, mut take: impl FnMut(usize, &[f32])) {
        let (part, index) = (index / self.images_each, index % self.images_each);
        for (block, values) in self
            .values
            .iter()
            .skip(part)
            .step_by(self.parts)
            .enumerate()
        {
            let image = &values[index * self.pixels * self.line..][..self.pixels * self.line];
            let first = block * self.line;
            let room = self.line.min(channels - first);
            for &pixel in self.windows.iter().flat_map(|windows| &windows.target) {
                let sums = &image[pixel as usize * self.line..][..room];
                // SAFETY: the windows wrote the block's channels at each of their targets.
                #[allow(unsafe_code)]
                let sums = unsafe { written_slice(sums) };
                take(pixel as usize * channels + first, sums);
            }
        }
    }
}

struct BlockProduct<'a> {
    framed: &'a [f32],
    windows: &'a [Windows],
    packed: &'a [Arc<PackedWeights>],
    index: usize,
    output: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for BlockProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (windows, packed) in self.windows.iter().zip(self.packed) {
            block_product(simd, self.framed, windows, packed, self.index, self.output);
        }
    }
}

struct OuterProducts<'a> {
    /// For each tile, `[count, height]`.
    windows: &'a [f32],
    heights: &'a [usize],
    /// `[block, pixels, line]`
    gradients: &'a [f32],
    /// The first pixel, and how many.
    first: usize,
    count: usize,
    /// Pixels of all images.
    pixels: usize,
    tile: TileShape,
    channels: usize,
    /// `[rows, channels]`
    sums: &'a mut [f32],
}

impl WithSimd for OuterProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let line = self.tile.line;
        for (block, gradients) in self.gradients.chunks_exact(self.pixels * line).enumerate() {
            let gradients = &gradients[self.first * line..][..self.count * line];
            let (mut row, mut rest) = (0, self.windows);
            for &height in self.heights {
                let (windows, after) = rest.split_at(self.count * height);
                let sums = &mut self.sums[row * self.channels + block * line..];
                packed_outer_products(simd, windows, height, gradients, line, sums, self.channels);
                (row, rest) = (row + height, after);
            }
        }
    }
}
