//! The two inner loops: sums of products over windows, and sums of outer products over pixels.
//!
//! Both keep a tile of sums in registers and walk memory forwards. One load of weights (or gradients)
//! and one broadcast of an input value feed several multiply-adds, so that the arithmetic, not the
//! loads, is what limits them. `pulp` chooses AVX-512, AVX2, NEON or plain code at run time.
//!
//! This file uses `unsafe`, so that bounds are checked once a call, not once a multiplication.
#![allow(unsafe_code)]
// Plain loops over constant ranges are what the compiler unrolls into registers here.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use pulp::Simd;

use super::ahead::Ahead;
use super::aligned::Aligned;
use super::shape::Windows;
use super::transpose::channels_to_rows;

/// Channels are handled in blocks of this many values; weights are padded to it.
pub(super) const BLOCK: usize = 16;

/// Below so many pixels, tiles of 8 waste less than tiles of 10.
const FEW_PIXELS: usize = 100;

/// Channels summed over that are packed at once.
const OTHERS_TOGETHER: usize = 16;

/// Pixels of the largest tile of [`windows_product`].
const MOST_PIXELS: usize = 12;

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
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightOrder {
    /// Channels the sums are for.
    pub(super) channels: usize,
    pub(super) channel_stride: usize,
    /// Channels summed over.
    pub(super) others: usize,
    pub(super) other_stride: usize,
    /// For each place of the kernel, which place of the window it meets, if any: each place of a window is met once.
    pub(super) rank: Vec<Option<usize>>,
}

impl PackedWeights {
    /// Output channels of a block.
    pub(super) fn block(&self) -> usize {
        self.block
    }

    /// Blocks of output channels.
    pub(super) fn blocks(&self) -> usize {
        self.channels.div_ceil(self.block)
    }

    /// `[block, row, channel of the block]`
    #[cfg(test)]
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// At least so many tiles [`windows_product`] computes over `pixels`.
    pub(super) fn tiles(&self, pixels: usize) -> usize {
        self.channels.div_ceil(self.block) * pixels.div_ceil(MOST_PIXELS)
    }

    /// Packs weights for the registers of this machine.
    pub(super) fn pack(weights: &[f32], order: &WeightOrder) -> Self {
        let [.., largest] = block_sizes(lanes(), order.channels);
        Self::pack_in_blocks(largest, weights, order)
    }

    pub(super) fn pack_in_blocks(block: usize, weights: &[f32], order: &WeightOrder) -> Self {
        let WeightOrder {
            channels, others, ..
        } = *order;
        let rows = order.rank.iter().flatten().count() * others;
        let len = channels.div_ceil(block) * rows * block;
        // Each place of the kernel, and the first row of its values.
        let ranks = order.rank.iter().enumerate();
        let places: Vec<(usize, usize)> = ranks
            .filter_map(|(place, rank)| Some((place, (*rank)? * others)))
            .collect();
        let mut met: Vec<usize> = order.rank.iter().copied().flatten().collect();
        met.sort_unstable();
        assert!(
            met.iter().copied().eq(0..met.len()),
            "a place of the window is not met once"
        );
        let all_places = places.len() == order.rank.len();
        let pack = |index: usize, tile: &mut [MaybeUninit<f32>]| {
            let first = index * block;
            let weights = &weights[first * order.channel_stride..];
            let lanes = block.min(channels - first);
            if lanes < block {
                tile.fill(MaybeUninit::new(0.0));
            }
            let mut starts = Vec::new();
            // A few others at a time: what is read or written of them stays in the first-level cache.
            for begin in (0..others).step_by(OTHERS_TOGETHER) {
                let together = begin..others.min(begin + OTHERS_TOGETHER);
                if all_places && order.other_stride == places.len() {
                    // A channel's weights of these others lie one after the other.
                    starts.clear();
                    starts.extend(together.flat_map(|other| {
                        places.iter().map(move |(_, row)| (row + other) * block)
                    }));
                    let weights = &weights[begin * order.other_stride..];
                    channels_to_rows(weights, order.channel_stride, lanes, &starts, tile);
                    continue;
                }
                for other in together {
                    let weights = &weights[other * order.other_stride..];
                    if all_places {
                        starts.clear();
                        starts.extend(places.iter().map(|(_, row)| (row + other) * block));
                        channels_to_rows(weights, order.channel_stride, lanes, &starts, tile);
                        continue;
                    }
                    for &(place, row) in &places {
                        let line = &mut tile[(row + other) * block..][..lanes];
                        for (lane, value) in line.iter_mut().enumerate() {
                            value.write(weights[place + lane * order.channel_stride]);
                        }
                    }
                }
            }
        };
        // SAFETY: `pack` writes each lane of each row, zeros where there are fewer channels: a row is a place of the window, which
        // is met, and an other.
        let values = unsafe { Aligned::in_unwritten_chunks(len, rows * block, pack) };
        PackedWeights {
            values,
            channels,
            rows,
            block,
        }
    }
}

/// The blocks in which so many output channels can be packed for registers of so many lanes, the largest last: several
/// registers of channels where the channels fill them and there are registers enough.
pub(super) fn block_sizes(lanes: usize, channels: usize) -> [usize; 3] {
    let fills = |registers: usize| lanes == BLOCK && channels.is_multiple_of(registers * BLOCK);
    [1, 2, 4].map(|registers| match registers {
        4 if fills(4) => 4 * BLOCK,
        2 | 4 if fills(2) => 2 * BLOCK,
        _ => BLOCK,
    })
}

/// Values of a register of this machine.
fn lanes() -> usize {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    pulp::Arch::new().dispatch(Lanes)
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
/// `output` is `[pixels, channels]`. It need not be initialised, unless `store` accumulates. `ahead` is fetched meanwhile.
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
    ahead: &mut Ahead,
) {
    check_windows(frame, windows, weights, weights.channels, output.len());
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
        // SAFETY: every window and output pixel was checked above; `tile` holds `rows` lines.
        unsafe { tile_product(simd, call, output, store, ahead) }
    }
}

/// One block of [`windows_product`]'s channels, `index` of [`PackedWeights::blocks`], by itself: `output` is `[pixels, block]`,
/// and is written over.
///
/// # Panics
/// Where windows, weights or output do not fit each other.
#[inline(always)]
pub(super) fn block_product<S: Simd>(
    simd: S,
    frame: &[f32],
    windows: &Windows,
    weights: &PackedWeights,
    index: usize,
    output: &mut [MaybeUninit<f32>],
) {
    check_windows(frame, windows, weights, weights.block, output.len());
    let tile = weights.rows * weights.block;
    let call = Tile {
        frame,
        windows,
        weights: &weights.values[index * tile..][..tile],
        line: weights.block,
        channels: weights.block,
        channel: 0,
    };
    // SAFETY: every window and output pixel was checked above; the weights are `rows` lines.
    unsafe { tile_product(simd, call, output, Overwrite, &mut Ahead::nothing()) }
}

/// # Panics
/// Where a window leaves the frame, the weights are of other windows, or an output pixel of `channels` leaves the image of
/// `output_len` values.
#[inline(always)]
fn check_windows(
    frame: &[f32],
    windows: &Windows,
    weights: &PackedWeights,
    channels: usize,
    output_len: usize,
) {
    let reach = windows.runs.last().map_or(0, |&run| run as usize) + windows.run_length;
    let last = windows.source.iter().max().map_or(0, |&at| at as usize);
    assert!(last + reach <= frame.len(), "a window leaves the frame");
    assert_eq!(weights.rows, windows.runs.len() * windows.run_length);
    assert_eq!(windows.source.len(), windows.target.len());
    let pixels = windows.target.iter().max().map_or(0, |&at| at as usize + 1);
    assert!(
        pixels * channels <= output_len,
        "an output pixel leaves the image"
    );
}

/// # Safety
/// As [`pixels_product`].
#[inline(always)]
unsafe fn tile_product<S: Simd>(
    simd: S,
    tile: Tile,
    output: &mut [MaybeUninit<f32>],
    store: impl Store,
    ahead: &mut Ahead,
) {
    // SAFETY: see the function's contract.
    unsafe {
        match (S::F32_LANES, tile.line / BLOCK) {
            (16, 1) => pixels_product::<S, MOST_PIXELS, 1>(simd, tile, output, store, ahead),
            // More pixels a tile need fewer loads, but leave more of the last tile empty.
            (16, 2) if tile.windows.source.len() < FEW_PIXELS => {
                pixels_product::<S, 8, 2>(simd, tile, output, store, ahead)
            }
            (16, 2) => pixels_product::<S, 10, 2>(simd, tile, output, store, ahead),
            (16, _) => pixels_product_in_pieces::<S, 6, 4>(simd, tile, output, store, ahead),
            (8, _) => pixels_product::<S, 4, 2>(simd, tile, output, store, ahead),
            (4, _) => pixels_product::<S, 4, 4>(simd, tile, output, store, ahead),
            _ => pixels_product::<S, 1, BLOCK>(simd, tile, output, store, ahead),
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

impl Tile<'_> {
    /// The windows of `P` pixels from `first` on; where pixels run out before `until`, the last one's again.
    ///
    /// # Safety
    /// As [`pixels_product`].
    #[inline(always)]
    unsafe fn sources<const P: usize>(&self, first: usize, until: usize) -> [*const f32; P] {
        // SAFETY: see the function's contract.
        std::array::from_fn(|i| unsafe {
            let at = self.windows.source[(first + i).min(until - 1)];
            self.frame.as_ptr().add(at as usize)
        })
    }

    /// Stores the sums of the pixels from `first` on, as far as there are any before `until`.
    ///
    /// # Safety
    /// As [`pixels_product`].
    #[inline(always)]
    unsafe fn store_sums<S: Simd, const P: usize, const N: usize>(
        &self,
        simd: S,
        sums: &[[S::f32s; N]; P],
        first: usize,
        until: usize,
        output: &mut [MaybeUninit<f32>],
        store: impl Store,
    ) {
        let room = (self.channels - self.channel).min(self.line);
        for i in 0..P.min(until - first) {
            let pixel = self.windows.target[first + i] as usize;
            // SAFETY: see the function's contract; `values` is a line of plain data.
            unsafe {
                let place = output
                    .as_mut_ptr()
                    .cast::<f32>()
                    .add(pixel * self.channels + self.channel);
                if room == self.line {
                    for n in 0..N {
                        let lane = n * S::F32_LANES;
                        let channel = self.channel + lane;
                        store.store(simd, sums[i][n], place.add(lane), pixel, channel);
                    }
                } else {
                    // Channels that fill no block, as an image's 3: always overwritten.
                    let values = sums[i];
                    std::ptr::copy_nonoverlapping(values.as_ptr().cast::<f32>(), place, room);
                }
            }
        }
    }
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
    ahead: &mut Ahead,
) {
    let windows = tile.windows;
    let line = N * S::F32_LANES;
    assert_eq!(tile.line, line, "packed for other registers");
    let count = windows.source.len();
    for first in (0..count).step_by(P) {
        ahead.fetch();
        // SAFETY: see the function's contract.
        unsafe {
            let sources = tile.sources::<P>(first, count);
            let mut weights = tile.weights.as_ptr();
            let mut sums = [[simd.splat_f32s(0.0); N]; P];
            for &run in &windows.runs {
                let rows = windows.run_length;
                sums = add_rows(simd, sums, sources, run as usize, weights, rows);
                weights = weights.add(rows * line);
            }
            // Through memory once per tile: otherwise the compiler keeps the sums there within the loop as well.
            let sums = std::hint::black_box(sums);
            tile.store_sums(simd, &sums, first, count, output, store);
        }
    }
}

/// Pixels whose sums wait in memory while a piece of the weights goes through all of them.
const WAITING_PIXELS: usize = 96;

/// The largest block of channels.
const LARGEST_BLOCK: usize = 4 * BLOCK;

/// Rows of weights of a piece: with [`LARGEST_BLOCK`] channels 32 KB, for first-level caches of 48.
const PIECE: usize = 128;

/// Sums that wait.
#[repr(align(64))]
struct WaitingSums([MaybeUninit<f32>; WAITING_PIXELS * LARGEST_BLOCK]);

/// As [`pixels_product`], where a block's weights are larger than the first-level cache: piece by piece, each of which goes
/// through some pixels before the next one is read.
///
/// # Safety
/// As [`pixels_product`].
#[inline(always)]
unsafe fn pixels_product_in_pieces<S: Simd, const P: usize, const N: usize>(
    simd: S,
    tile: Tile,
    output: &mut [MaybeUninit<f32>],
    store: impl Store,
    ahead: &mut Ahead,
) {
    let windows = tile.windows;
    let line = N * S::F32_LANES;
    assert_eq!(tile.line, line, "packed for other registers");
    assert!(line <= LARGEST_BLOCK && WAITING_PIXELS.is_multiple_of(P));
    let (count, length) = (windows.source.len(), windows.run_length);
    let rows = windows.runs.len() * length;
    let piece = length.div_ceil(length.div_ceil(PIECE).max(1)).max(1);
    let mut waiting =
        WaitingSums([const { MaybeUninit::uninit() }; WAITING_PIXELS * LARGEST_BLOCK]);
    let waiting = waiting.0.as_mut_ptr().cast::<S::f32s>();
    for begin in (0..count).step_by(WAITING_PIXELS) {
        let until = count.min(begin + WAITING_PIXELS);
        let mut row = 0;
        for (&run, within) in windows
            .runs
            .iter()
            .flat_map(|run| (0..length).step_by(piece).map(move |within| (run, within)))
        {
            let size = piece.min(length - within);
            let (is_first, is_last) = (row == 0, row + size == rows);
            for first in (begin..until).step_by(P) {
                // SAFETY: see the function's contract; a tile's sums wait at `slot`, `P` x `N` registers of
                // `WAITING_PIXELS` x `N`, and are read only after the piece before has written them.
                unsafe {
                    let slot = waiting.add((first - begin) * N).cast::<[[S::f32s; N]; P]>();
                    let sums = if is_first {
                        ahead.fetch();
                        [[simd.splat_f32s(0.0); N]; P]
                    } else {
                        slot.read()
                    };
                    let sources = tile.sources::<P>(first, until);
                    let weights = tile.weights.as_ptr().add(row * line);
                    let offset = run as usize + within;
                    let sums = add_rows(simd, sums, sources, offset, weights, size);
                    let sums = std::hint::black_box(sums);
                    if is_last {
                        tile.store_sums(simd, &sums, first, until, output, store);
                    } else {
                        slot.write(sums);
                    }
                }
            }
            row += size;
        }
    }
}

/// Adds the products of `rows` values of `P` windows, from `offset` on, with as many lines of weights.
///
/// # Safety
/// As [`pixels_product`].
#[inline(always)]
unsafe fn add_rows<S: Simd, const P: usize, const N: usize>(
    simd: S,
    mut sums: [[S::f32s; N]; P],
    sources: [*const f32; P],
    offset: usize,
    mut weights: *const f32,
    rows: usize,
) -> [[S::f32s; N]; P] {
    // SAFETY: see the function's contract.
    unsafe {
        let sources: [*const f32; P] = std::array::from_fn(|i| sources[i].add(offset));
        for j in 0..rows {
            let factors: [S::f32s; N] = std::array::from_fn(|n| {
                let lane = weights.add(n * S::F32_LANES);
                lane.cast::<S::f32s>().read_unaligned()
            });
            for i in 0..P {
                let value = simd.splat_f32s(*sources[i].add(j));
                for n in 0..N {
                    sums[i][n] = simd.mul_add_e_f32s(value, factors[n], sums[i][n]);
                }
            }
            weights = weights.add(N * S::F32_LANES);
        }
    }
    sums
}

/// Two images read in step: for output pixel (row, column), a window of the input's frame and the
/// gradients of the output's channels there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
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
    /// Values from a row of sums to the next.
    pub(super) sums_step: usize,
}

/// The tiles in which outer products are computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct TileShape {
    /// Rows of the largest.
    pub(super) height: usize,
    /// Channels.
    pub(super) line: usize,
}

/// The tiles for `channels` channels, with the registers of this machine.
pub(super) fn tile_shape(channels: usize) -> TileShape {
    tile_shape_for(lanes(), channels)
}

/// The tiles for `channels` channels, with registers of so many lanes.
pub(super) fn tile_shape_for(lanes: usize, channels: usize) -> TileShape {
    let (height, line) = match lanes {
        16 if channels.is_multiple_of(2 * BLOCK) => (12, 2 * BLOCK),
        16 => (24, BLOCK),
        8 => (6, BLOCK),
        4 => (4, BLOCK),
        _ => (1, BLOCK),
    };
    TileShape { height, line }
}

/// The rows of the next tile where `left` are left.
#[inline(always)]
pub(super) fn tile_height(left: usize, tallest: usize) -> usize {
    match left {
        _ if left >= tallest => tallest,
        12.. if tallest > 12 => 12,
        4.. if tallest > 4 => 4,
        _ => 1,
    }
}

/// `sums[row, channel] += windows[pixel, row] * gradients[pixel, channel]` for one tile: `windows` is `[pixels, height]` with
/// a height that [`tile_height`] gives, `gradients` `[pixels, line]` with the line of [`tile_shape`], and a row of sums
/// begins `sums_step` values after the last.
///
/// # Panics
/// Where the three do not fit each other, or the tile is of other registers.
#[inline(always)]
pub(super) fn packed_outer_products<S: Simd>(
    simd: S,
    windows: &[f32],
    height: usize,
    gradients: &[f32],
    line: usize,
    sums: &mut [f32],
    sums_step: usize,
) {
    let pixels = gradients.len() / line;
    assert!(pixels * height <= windows.len());
    assert!((height - 1) * sums_step + line <= sums.len());
    let pairing = Pairing {
        rows: 1,
        columns: pixels,
        source_pitch: 0,
        source_step: height,
        gradient_pitch: 0,
        gradient_step: line,
        gradient_start: 0,
        sums_step,
    };
    let (source, gradient) = (windows.as_ptr(), gradients.as_ptr());
    let sums = sums.as_mut_ptr();
    // SAFETY: the asserts above bound the last pixel's values and the last sum; a tile of `N` registers reads a line.
    unsafe {
        match (S::F32_LANES, line / BLOCK) {
            (16, 1) => tile_of::<S, 24, 1>(simd, height, source, gradient, &pairing, sums),
            (16, 2) => tile_of::<S, 12, 2>(simd, height, source, gradient, &pairing, sums),
            (8, 1) => tile_of::<S, 6, 2>(simd, height, source, gradient, &pairing, sums),
            (4, 1) => tile_of::<S, 4, 4>(simd, height, source, gradient, &pairing, sums),
            (1, 1) => tile_of::<S, 1, BLOCK>(simd, height, source, gradient, &pairing, sums),
            _ => panic!("tiles of {line} channels are of other registers"),
        }
    }
}

/// A tile of `height` rows, one that [`tile_height`] gives for `J`.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn tile_of<S: Simd, const J: usize, const N: usize>(
    simd: S,
    height: usize,
    source: *const f32,
    gradient: *const f32,
    pairing: &Pairing,
    sums: *mut f32,
) {
    // SAFETY: see the function's contract.
    unsafe {
        match height {
            12 if J > 12 => tile::<S, 12, N>(simd, source, gradient, pairing, sums),
            4 if J > 4 => tile::<S, 4, N>(simd, source, gradient, pairing, sums),
            1 if J > 1 => tile::<S, 1, N>(simd, source, gradient, pairing, sums),
            _ => {
                assert_eq!(height, J, "no tile has so many rows");
                tile::<S, J, N>(simd, source, gradient, pairing, sums);
            }
        }
    }
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
    assert!(
        start + last_row * pairing.source_pitch + last_column * pairing.source_step + count
            <= source.len()
    );
    assert!(
        pairing.gradient_start
            + last_row * pairing.gradient_pitch
            + last_column * channels
            + channels
            <= gradient.len()
    );
    assert!(count * channels <= sums.len() && channels.is_multiple_of(BLOCK));
    assert_eq!(pairing.sums_step, channels);

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
        let height = tile_height(count - row, J);
        for channel in (0..pairing.gradient_step).step_by(line) {
            // SAFETY: see the function's contract.
            unsafe {
                let source = source.as_ptr().add(start + row);
                let gradient = gradient.as_ptr().add(pairing.gradient_start + channel);
                let sums = sums.as_mut_ptr().add(row * pairing.sums_step + channel);
                tile_of::<S, J, N>(simd, height, source, gradient, pairing, sums);
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
                .add(j * pairing.sums_step + n * S::F32_LANES)
                .cast::<S::f32s>()
        };
        let mut sums = [[simd.splat_f32s(0.0); N]; J];
        for (j, sums) in sums.iter_mut().enumerate() {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = place(j, n).read_unaligned();
            }
        }
        for row in 0..pairing.rows {
            let mut source = source.add(row * pairing.source_pitch);
            let mut gradient = gradient.add(row * pairing.gradient_pitch);
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
