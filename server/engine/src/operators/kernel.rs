//! The two inner loops: sums of products over windows, and sums of outer products over pixels.
//!
//! Both keep a tile of sums in registers and walk memory forwards. One load of weights (or gradients)
//! and one broadcast of an input value feed several multiply-adds, so that the arithmetic, not the
//! loads, is what limits them. `pulp` chooses AVX-512, AVX2, NEON or plain code at run time.
//!
//! This file is where the engine uses `unsafe`: bounds are checked once a call, not once a multiplication.
#![allow(unsafe_code)]
// Plain loops over constant ranges are what the compiler unrolls into registers here.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use pulp::Simd;
use rayon::prelude::*;

use super::aligned::Aligned;
use super::shape::Windows;

/// Channels are handled in blocks of this many values; weights are padded to it.
pub(super) const BLOCK: usize = 16;

/// Weights as [`windows_product`] reads them: for each block of output channels, a row of block values
/// for each value of a window.
#[derive(Debug, Clone)]
pub(super) struct PackedWeights {
    values: Aligned,
    /// Output channels, before padding.
    channels: usize,
    /// Rows of a block: values of a window.
    rows: usize,
    /// Output channels of a block.
    block: usize,
}

/// The layout of the weights: output channel `c`'s weight at place `p` of the kernel, seen from other channel `o`,
/// lies at `c * channel_stride + o * other_stride + p`, and is value `rank[p] * others + o` of a window.
#[derive(Debug, Clone)]
pub(super) struct WeightOrder {
    /// Channels the sums are for.
    pub(super) channels: usize,
    pub(super) channel_stride: usize,
    /// Channels summed over.
    pub(super) others: usize,
    pub(super) other_stride: usize,
    /// For each place of the kernel, which place of the window it meets, if any.
    pub(super) rank: Vec<Option<usize>>,
}

impl PackedWeights {
    /// Packs weights for the registers of this machine.
    pub(super) fn pack(weights: &[f32], order: &WeightOrder) -> Self {
        // Two registers a block where the channels fill them and there are registers enough.
        let double = order.channels.is_multiple_of(2 * BLOCK) && wide();
        Self::pack_in_blocks(if double { 2 * BLOCK } else { BLOCK }, weights, order)
    }

    pub(super) fn pack_in_blocks(block: usize, weights: &[f32], order: &WeightOrder) -> Self {
        let WeightOrder {
            channels, others, ..
        } = *order;
        let rows = order.rank.iter().flatten().count() * others;
        let mut values = Aligned::zeros(channels.div_ceil(block) * rows * block);
        values
            .par_chunks_mut(rows * block)
            .enumerate()
            .for_each(|(index, tile)| {
                let first = index * block;
                for channel in first..channels.min(first + block) {
                    let of_channel = &weights[channel * order.channel_stride..];
                    for other in 0..others {
                        let at = &of_channel[other * order.other_stride..];
                        for (weight, rank) in at.iter().zip(&order.rank) {
                            if let Some(rank) = rank {
                                let row = rank * others + other;
                                tile[row * block + channel - first] = *weight;
                            }
                        }
                    }
                }
            });
        PackedWeights {
            values,
            channels,
            rows,
            block,
        }
    }
}

/// Whether the machine's registers hold 16 values (AVX-512).
pub(super) fn wide() -> bool {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    pulp::Arch::new().dispatch(Lanes) == BLOCK
}

/// How finished sums reach the output.
pub(super) trait Store: Copy {
    /// Stores the sums of output channels `channel ..` at output pixel `pixel`; `place` is where they belong.
    ///
    /// # Safety
    /// `place` can be written, and read where the output was initialised, for a register's length; pixel
    /// and channels lie in the output image.
    unsafe fn store<S: Simd>(
        self,
        simd: S,
        sums: S::f32s,
        place: *mut f32,
        pixel: usize,
        channel: usize,
    );
}

/// Writes the sums over whatever was there.
#[derive(Clone, Copy)]
pub(super) struct Overwrite;

impl Store for Overwrite {
    #[inline(always)]
    unsafe fn store<S: Simd>(self, _: S, sums: S::f32s, place: *mut f32, _: usize, _: usize) {
        // SAFETY: the trait's contract.
        unsafe { place.cast::<S::f32s>().write_unaligned(sums) }
    }
}

/// Adds the sums to what was there.
#[derive(Clone, Copy)]
pub(super) struct Accumulate;

impl Store for Accumulate {
    #[inline(always)]
    unsafe fn store<S: Simd>(self, simd: S, sums: S::f32s, place: *mut f32, _: usize, _: usize) {
        let place = place.cast::<S::f32s>();
        // SAFETY: the trait's contract; who accumulates has initialised the output.
        unsafe { place.write_unaligned(simd.add_f32s(place.read_unaligned(), sums)) }
    }
}

/// Writes the sums plus a value a channel, the same at every pixel.
#[derive(Clone, Copy)]
pub(super) struct AddRow<'a>(pub(super) &'a [f32]);

impl Store for AddRow<'_> {
    #[inline(always)]
    unsafe fn store<S: Simd>(
        self,
        simd: S,
        sums: S::f32s,
        place: *mut f32,
        _: usize,
        channel: usize,
    ) {
        let row = load(simd, &self.0[channel..]);
        // SAFETY: the trait's contract.
        unsafe {
            place
                .cast::<S::f32s>()
                .write_unaligned(simd.add_f32s(sums, row))
        }
    }
}

/// Writes `sums * scale + shift` by channel, plus the shortcut at the pixel, through a ReLU or not.
#[derive(Clone, Copy)]
pub(super) struct Affine<'a> {
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
    /// The shortcut's image, `[pixels, channels]`.
    pub(super) shortcut: Option<&'a [f32]>,
    pub(super) relu: bool,
}

impl Store for Affine<'_> {
    #[inline(always)]
    unsafe fn store<S: Simd>(
        self,
        simd: S,
        sums: S::f32s,
        place: *mut f32,
        pixel: usize,
        channel: usize,
    ) {
        let (scale, shift) = (
            load(simd, &self.scale[channel..]),
            load(simd, &self.shift[channel..]),
        );
        let mut value = simd.mul_add_e_f32s(sums, scale, shift);
        if let Some(shortcut) = self.shortcut {
            let at = pixel * self.scale.len() + channel;
            value = simd.add_f32s(value, load(simd, &shortcut[at..]));
        }
        if self.relu {
            value = at_least(simd, value, simd.splat_f32s(0.0));
        }
        // SAFETY: the trait's contract.
        unsafe { place.cast::<S::f32s>().write_unaligned(value) }
    }
}

/// The larger of `value` and `floor`, and NaN where `value` is NaN.
///
/// Not the instruction sets' own `max`: for NaN x86's gives its second operand and `f32::max` the other one, so that
/// a ReLU would make 0 of it and a broken network would look like a working one.
#[inline(always)]
pub(super) fn at_least<S: Simd>(simd: S, value: S::f32s, floor: S::f32s) -> S::f32s {
    simd.select_f32s(simd.less_than_or_equal_f32s(value, floor), floor, value)
}

/// `gradient` where a ReLU let its input through to `output`, else 0. A NaN output passes it on.
#[inline(always)]
pub(super) fn through_relu<S: Simd>(simd: S, gradient: S::f32s, output: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_or_equal_f32s(output, zero), zero, gradient)
}

/// The register that begins `values`.
///
/// # Panics
/// Where `values` is shorter than a register.
#[inline(always)]
pub(super) fn load<S: Simd>(_: S, values: &[f32]) -> S::f32s {
    assert!(values.len() >= S::F32_LANES);
    // SAFETY: the assert above; f32s is plain data.
    unsafe { values.as_ptr().cast::<S::f32s>().read_unaligned() }
}

/// Writes a register to the beginning of `values`.
///
/// # Panics
/// Where `values` is shorter than a register.
#[inline(always)]
pub(super) fn save<S: Simd>(_: S, values: &mut [f32], register: S::f32s) {
    assert!(values.len() >= S::F32_LANES);
    // SAFETY: the assert above; f32s is plain data.
    unsafe {
        values
            .as_mut_ptr()
            .cast::<S::f32s>()
            .write_unaligned(register)
    }
}

/// `output[target, channel]` takes the sum over the window of frame x weights, for one framed image.
///
/// `output` is `[pixels, channels]`. It need not be initialised, unless `store` accumulates.
///
/// # Panics
/// Where windows, weights or output do not fit each other.
#[inline(always)]
pub(super) fn windows_product<S: Simd>(
    simd: S,
    frame: &[f32],
    windows: &Windows,
    weights: &PackedWeights,
    output: &mut [MaybeUninit<f32>],
    store: impl Store,
) {
    let reach = windows.runs.last().map_or(0, |&run| run as usize) + windows.run_length;
    let last = windows.source.iter().max().map_or(0, |&at| at as usize);
    assert!(last + reach <= frame.len(), "a window leaves the frame");
    assert_eq!(weights.rows, windows.runs.len() * windows.run_length);
    assert_eq!(windows.source.len(), windows.target.len());
    let pixels = windows.target.iter().max().map_or(0, |&at| at as usize + 1);
    assert!(
        pixels * weights.channels <= output.len(),
        "an output pixel leaves the image"
    );

    let tiles = weights.values.chunks_exact(weights.rows * weights.block);
    for (index, tile) in tiles.enumerate() {
        let call = Tile {
            frame,
            windows,
            weights: tile,
            line: weights.block,
            channels: weights.channels,
            channel: index * weights.block,
        };
        // SAFETY: the asserts above bound every window and output pixel; `tile` holds `rows` lines.
        unsafe {
            match (S::F32_LANES, weights.block / BLOCK) {
                (16, 1) => pixels_product::<S, 12, 1>(simd, call, output, store),
                (16, _) => pixels_product::<S, 8, 2>(simd, call, output, store),
                (8, _) => pixels_product::<S, 4, 2>(simd, call, output, store),
                (4, _) => pixels_product::<S, 4, 4>(simd, call, output, store),
                _ => pixels_product::<S, 1, BLOCK>(simd, call, output, store),
            }
        }
    }
}

/// One block of output channels of [`windows_product`].
#[derive(Clone, Copy)]
struct Tile<'a> {
    frame: &'a [f32],
    windows: &'a Windows,
    /// A line of the block's channels for each value of a window.
    weights: &'a [f32],
    /// Channels of a line.
    line: usize,
    /// Channels of the output image.
    channels: usize,
    /// The first channel of the block.
    channel: usize,
}

/// One block of output channels, `P` pixels at a time in `P` x `N` registers.
///
/// # Safety
/// Every window lies in the frame, every target in the output, `tile` holds a line for each window value.
#[inline(always)]
unsafe fn pixels_product<S: Simd, const P: usize, const N: usize>(
    simd: S,
    tile: Tile,
    output: &mut [MaybeUninit<f32>],
    store: impl Store,
) {
    let Tile {
        windows,
        channels,
        channel,
        ..
    } = tile;
    let line = N * S::F32_LANES;
    assert_eq!(
        tile.line, line,
        "the weights were packed for other registers"
    );
    let room = (channels - channel).min(line);
    let count = windows.source.len();
    let mut first = 0;
    while first < count {
        // The last tile repeats its last pixel where pixels run out.
        let at: [usize; P] = std::array::from_fn(|i| (first + i).min(count - 1));
        // SAFETY: see the function's contract.
        let sums = unsafe { tile_sums::<S, P, N>(simd, tile, at) };
        // Through memory once per tile: otherwise the compiler keeps the sums there within the loop as well.
        let sums = std::hint::black_box(sums);
        for i in 0..P.min(count - first) {
            let pixel = windows.target[at[i]] as usize;
            // SAFETY: see the function's contract; `values` is a line of plain data.
            unsafe {
                let place = output
                    .as_mut_ptr()
                    .cast::<f32>()
                    .add(pixel * channels + channel);
                if room == line {
                    for n in 0..N {
                        let lane = n * S::F32_LANES;
                        store.store(simd, sums[i][n], place.add(lane), pixel, channel + lane);
                    }
                } else {
                    // Channels that fill no block, as an image's 3: always overwritten.
                    let values = sums[i];
                    std::ptr::copy_nonoverlapping(values.as_ptr().cast::<f32>(), place, room);
                }
            }
        }
        first += P;
    }
}

/// The sums of `P` pixels in `P` x `N` registers.
///
/// # Safety
/// As [`pixels_product`].
#[inline(always)]
unsafe fn tile_sums<S: Simd, const P: usize, const N: usize>(
    simd: S,
    tile: Tile,
    at: [usize; P],
) -> [[S::f32s; N]; P] {
    let Tile { frame, windows, .. } = tile;
    let line = N * S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); N]; P];
    // SAFETY: see the function's contract.
    unsafe {
        let windows_at: [*const f32; P] =
            std::array::from_fn(|i| frame.as_ptr().add(windows.source[at[i]] as usize));
        let mut weight = tile.weights.as_ptr();
        for &run in &windows.runs {
            let source: [*const f32; P] = std::array::from_fn(|i| windows_at[i].add(run as usize));
            for j in 0..windows.run_length {
                let factors: [S::f32s; N] = std::array::from_fn(|n| {
                    let lane = weight.add(n * S::F32_LANES);
                    lane.cast::<S::f32s>().read_unaligned()
                });
                for i in 0..P {
                    let value = simd.splat_f32s(*source[i].add(j));
                    for n in 0..N {
                        sums[i][n] = simd.mul_add_e_f32s(value, factors[n], sums[i][n]);
                    }
                }
                weight = weight.add(line);
            }
        }
    }
    sums
}

/// Two images (or batches of them) read in step: for output pixel (row, column), a window of the input's frame and the
/// gradients of the output's channels there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    /// Images, and the values from one to the next in each of the two.
    pub(super) images: usize,
    pub(super) source_image: usize,
    pub(super) gradient_image: usize,
    /// Output rows and columns.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Values from a window to the next one down, and to the right, in the input's frame.
    pub(super) source_pitch: usize,
    pub(super) source_step: usize,
    /// The same in the gradient's frame; the step is its channels, a multiple of [`BLOCK`].
    pub(super) gradient_pitch: usize,
    pub(super) gradient_step: usize,
    /// Where the first pixel's gradients lie.
    pub(super) gradient_start: usize,
}

/// `sums[row, channel] += source[window of each pixel + row] * gradient[pixel, channel]`, for the
/// `count` values of a window that begin at `start`: one kernel row of a weight gradient.
///
/// `sums` is `[count, gradient_step]`.
///
/// # Panics
/// Where the two images or the sums are too short for the pairing.
#[inline(always)]
pub(super) fn outer_products<S: Simd>(
    simd: S,
    source: &[f32],
    start: usize,
    count: usize,
    gradient: &[f32],
    pairing: &Pairing,
    sums: &mut [f32],
) {
    let channels = pairing.gradient_step;
    let (last_row, last_column) = (pairing.rows - 1, pairing.columns - 1);
    let last_image = pairing.images - 1;
    assert!(
        start
            + last_image * pairing.source_image
            + last_row * pairing.source_pitch
            + last_column * pairing.source_step
            + count
            <= source.len()
    );
    assert!(
        pairing.gradient_start
            + last_image * pairing.gradient_image
            + last_row * pairing.gradient_pitch
            + last_column * channels
            + channels
            <= gradient.len()
    );
    assert!(count * channels <= sums.len() && channels.is_multiple_of(BLOCK));

    // SAFETY: the asserts above bound the last pixel's window, its gradients and the last sum.
    unsafe {
        let double = channels.is_multiple_of(2 * BLOCK);
        match (S::F32_LANES, double) {
            (16, false) => {
                in_tiles::<S, 24, 1>(simd, source, start, count, gradient, pairing, sums)
            }
            (16, true) => in_tiles::<S, 12, 2>(simd, source, start, count, gradient, pairing, sums),
            (8, _) => in_tiles::<S, 6, 2>(simd, source, start, count, gradient, pairing, sums),
            (4, _) => in_tiles::<S, 4, 4>(simd, source, start, count, gradient, pairing, sums),
            _ => in_tiles::<S, 1, BLOCK>(simd, source, start, count, gradient, pairing, sums),
        }
    }
}

/// Tiles of `J` window values x `N` registers of channels; what is left over in tiles of 4 and 1.
///
/// # Safety
/// As [`outer_products`] asserts.
#[inline(always)]
unsafe fn in_tiles<S: Simd, const J: usize, const N: usize>(
    simd: S,
    source: &[f32],
    start: usize,
    count: usize,
    gradient: &[f32],
    pairing: &Pairing,
    sums: &mut [f32],
) {
    let line = N * S::F32_LANES;
    let mut row = 0;
    while row < count {
        let left = count - row;
        let height = if left >= J {
            J
        } else if left >= 12 && J > 12 {
            12
        } else if left >= 4 && J > 4 {
            4
        } else {
            1
        };
        for channel in (0..pairing.gradient_step).step_by(line) {
            // SAFETY: see the function's contract.
            unsafe {
                let source = source.as_ptr().add(start + row);
                let gradient = gradient.as_ptr().add(pairing.gradient_start + channel);
                let sums = sums.as_mut_ptr().add(row * pairing.gradient_step + channel);
                match height {
                    12 if J > 12 => tile::<S, 12, N>(simd, source, gradient, pairing, sums),
                    4 if J > 4 => tile::<S, 4, N>(simd, source, gradient, pairing, sums),
                    1 if J > 1 => tile::<S, 1, N>(simd, source, gradient, pairing, sums),
                    _ => tile::<S, J, N>(simd, source, gradient, pairing, sums),
                }
            }
        }
        row += height;
    }
}

/// # Safety
/// As [`outer_products`] asserts.
#[inline(always)]
unsafe fn tile<S: Simd, const J: usize, const N: usize>(
    simd: S,
    source: *const f32,
    gradient: *const f32,
    pairing: &Pairing,
    target: *mut f32,
) {
    // SAFETY: see the function's contract.
    unsafe {
        let place = |j: usize, n: usize| {
            target
                .add(j * pairing.gradient_step + n * S::F32_LANES)
                .cast::<S::f32s>()
        };
        let mut sums = [[simd.splat_f32s(0.0); N]; J];
        for (j, sums) in sums.iter_mut().enumerate() {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = place(j, n).read_unaligned();
            }
        }
        for line in 0..pairing.images * pairing.rows {
            let (image, row) = (line / pairing.rows, line % pairing.rows);
            let mut source = source.add(image * pairing.source_image + row * pairing.source_pitch);
            let mut gradient =
                gradient.add(image * pairing.gradient_image + row * pairing.gradient_pitch);
            for _ in 0..pairing.columns {
                let mut factors = [simd.splat_f32s(0.0); N];
                for n in 0..N {
                    let lane = gradient.add(n * S::F32_LANES);
                    factors[n] = lane.cast::<S::f32s>().read_unaligned();
                }
                for j in 0..J {
                    let value = simd.splat_f32s(*source.add(j));
                    for n in 0..N {
                        sums[j][n] = simd.mul_add_e_f32s(value, factors[n], sums[j][n]);
                    }
                }
                source = source.wrapping_add(pairing.source_step);
                gradient = gradient.wrapping_add(pairing.gradient_step);
            }
        }
        for (j, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                place(j, n).write_unaligned(*sum);
            }
        }
    }
}
