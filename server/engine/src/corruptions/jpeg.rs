//! What a JPEG file keeps of an image: libjpeg's encoder and decoder, without the lossless part in between.
//!
//! Baseline JPEG loses in three places only: the colour difference planes are halved, the cosine transform's
//! coefficients are rounded to multiples of the quantisation table, and every conversion is in integers.
//! Huffman coding loses nothing, so it is left out. All integers are libjpeg's (`jccolor.c`, `jcsample.c`,
//! `jfdctint.c`, `jidctint.c`, `jdsample.c` with "fancy" upsampling, `jdcolor.c`), which makes the result
//! equal to that of Pillow's `save(quality=...)` and `open`.

use super::picture::Picture;

/// ITU-T T.81, table K.1: steps of the brightness plane, row by row.
#[rustfmt::skip]
const BRIGHTNESS_STEPS: [i32; 64] = [
    16, 11, 10, 16,  24,  40,  51,  61,
    12, 12, 14, 19,  26,  58,  60,  55,
    14, 13, 16, 24,  40,  57,  69,  56,
    14, 17, 22, 29,  51,  87,  80,  62,
    18, 22, 37, 56,  68, 109, 103,  77,
    24, 35, 55, 64,  81, 104, 113,  92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103,  99,
];

/// ITU-T T.81, table K.2: steps of the colour difference planes.
#[rustfmt::skip]
const COLOUR_STEPS: [i32; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

/// The picture after a JPEG file of `quality` (1 to 100), colour differences halved in both axes (4:2:0).
pub(super) fn compressed(picture: Picture<'_>, quality: i32, out: &mut [u8]) {
    let Picture { height, width, .. } = picture;
    let [mut y, full_cb, full_cr] = to_ycc(picture);
    let (half_height, half_width) = (height.div_ceil(2), width.div_ceil(2));
    quantise(&mut y, height, width, &steps(&BRIGHTNESS_STEPS, quality));
    let colour_steps = steps(&COLOUR_STEPS, quality);
    let [cb, cr] = [full_cb, full_cr].map(|full| {
        // Whole blocks, as libjpeg makes them: beyond the right edge of the image its last pixel is repeated, and only
        // then halved.
        let columns = half_width.next_multiple_of(8);
        let mut half = halved(&full, height, width, columns);
        quantise(&mut half, half_height, columns, &colour_steps);
        let rows = half.chunks_exact(columns);
        let half: Vec<u8> = rows.flat_map(|row| &row[..half_width]).copied().collect();
        doubled(&half, height, width)
    });
    to_rgb(&y, &cb, &cr, out);
}

/// The table's steps at a quality, by the Independent JPEG Group's rule.
fn steps(table: &[i32; 64], quality: i32) -> [i32; 64] {
    let percent = if quality < 50 {
        5000 / quality
    } else {
        200 - 2 * quality
    };
    table.map(|step| ((step * percent + 50) / 100).clamp(1, 255))
}

/// A share as libjpeg multiplies by it: 16 bits after the point.
const fn fixed(share: f64) -> i32 {
    (share * 65536.0 + 0.5) as i32
}

/// One half, 16 bits after the point.
const HALF: i32 = 1 << 15;

/// Brightness and the two colour differences (128 is none), each `[height, width]`.
fn to_ycc(picture: Picture<'_>) -> [Vec<u8>; 3] {
    let planes = [picture.plane(0), picture.plane(1), picture.plane(2)];
    let convert = |[r, g, b]: [i32; 3], offset: i32| -> Vec<u8> {
        let pixels = planes[0].iter().zip(planes[1]).zip(planes[2]);
        pixels
            .map(|((&red, &green), &blue)| {
                let sum = r * i32::from(red) + g * i32::from(green) + b * i32::from(blue);
                ((sum + offset) >> 16) as u8
            })
            .collect()
    };
    let middle = (128 << 16) + HALF - 1;
    [
        convert([fixed(0.299), fixed(0.587), fixed(0.114)], HALF),
        convert([-fixed(0.16874), -fixed(0.33126), fixed(0.5)], middle),
        convert([fixed(0.5), -fixed(0.41869), -fixed(0.08131)], middle),
    ]
}

/// The inverse of [`to_ycc`], into planes red, green, blue.
fn to_rgb(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
    let (red, rest) = out.split_at_mut(y.len());
    let (green, blue) = rest.split_at_mut(y.len());
    let targets = red.iter_mut().zip(green).zip(blue);
    for (((&y, &cb), &cr), ((red, green), blue)) in y.iter().zip(cb).zip(cr).zip(targets) {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        let byte = |difference: i32| (y + ((difference + HALF) >> 16)).clamp(0, 255) as u8;
        *red = byte(fixed(1.402) * cr);
        *green = byte(-fixed(0.34414) * cb - fixed(0.71414) * cr);
        *blue = byte(fixed(1.772) * cb);
    }
}

/// The plane `[height, width]` at half its height (rounded up) and of `columns` columns: means of 2x2 pixels, rounded
/// down and up in turn. Beyond its edges the plane repeats its last pixels.
fn halved(plane: &[u8], height: usize, width: usize, columns: usize) -> Vec<u8> {
    let at = |y: usize, x: usize| u16::from(plane[y.min(height - 1) * width + x.min(width - 1)]);
    let mut half = Vec::with_capacity(height.div_ceil(2) * columns);
    for y in (0..height).step_by(2) {
        for (column, x) in (0..2 * columns).step_by(2).enumerate() {
            let sum = at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1);
            half.push(((sum + 1 + (column as u16 & 1)) >> 2) as u8);
        }
    }
    half
}

/// A halved plane at its full size `[height, width]`: each pixel three parts the nearest one, one part the next,
/// in both axes.
fn doubled(half: &[u8], height: usize, width: usize) -> Vec<u8> {
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    let mut full = vec![0; height * width];
    let mut sums = vec![0_i32; columns];
    for (y, out) in full.chunks_exact_mut(width).enumerate() {
        let near = &half[y / 2 * columns..][..columns];
        let other = if y % 2 == 0 {
            (y / 2).saturating_sub(1)
        } else {
            (y / 2 + 1).min(rows - 1)
        };
        let far = &half[other * columns..][..columns];
        for ((sum, &near), &far) in sums.iter_mut().zip(near).zip(far) {
            *sum = 3 * i32::from(near) + i32::from(far);
        }
        for (x, byte) in out.iter_mut().enumerate() {
            let column = x / 2;
            let (other, rounding) = if x % 2 == 0 {
                (column.saturating_sub(1), 8)
            } else {
                ((column + 1).min(columns - 1), 7)
            };
            // libjpeg rounds the very last column, which has no neighbour, as the others on its side.
            *byte = ((3 * sums[column] + sums[other] + rounding) >> 4) as u8;
        }
    }
    full
}

/// Rounds the plane's cosine coefficients to whole steps, block by block of 8x8. Blocks that hang over an edge
/// repeat the edge's pixels.
fn quantise(plane: &mut [u8], height: usize, width: usize, steps: &[i32; 64]) {
    for top in (0..height).step_by(8) {
        for left in (0..width).step_by(8) {
            let mut block = [0; 64];
            for (place, value) in block.iter_mut().enumerate() {
                let y = (top + place / 8).min(height - 1);
                let x = (left + place % 8).min(width - 1);
                *value = i32::from(plane[y * width + x]) - 128;
            }
            to_frequencies(&mut block);
            for (coefficient, &step) in block.iter_mut().zip(steps) {
                *coefficient = nearest_multiple(*coefficient, step);
            }
            to_samples(&mut block);
            for y in top..height.min(top + 8) {
                for x in left..width.min(left + 8) {
                    let value = block[(y - top) * 8 + (x - left)] + 128;
                    plane[y * width + x] = value.clamp(0, 255) as u8;
                }
            }
        }
    }
}

/// A coefficient of [`to_frequencies`], which is 8 times too large, as a multiple of `step`, of its right size.
fn nearest_multiple(coefficient: i32, step: i32) -> i32 {
    let divisor = 8 * step;
    let count = (coefficient.abs() + divisor / 2) / divisor;
    count * step * coefficient.signum()
}

/// Bits after the point of the cosines.
const COSINE_BITS: u32 = 13;
/// Additional bits kept between the two passes.
const PASS_BITS: u32 = 2;

/// `value` without its last `bits`, rounded.
fn descale(value: i32, bits: u32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

/// The forward cosine transform of a block, times 8 (`jfdctint.c`).
fn to_frequencies(block: &mut [i32; 64]) {
    for row in 0..8 {
        transform(block, row * 8, 1, frequencies, COSINE_BITS - PASS_BITS);
    }
    for column in 0..8 {
        transform(block, column, 8, frequencies, COSINE_BITS + PASS_BITS);
    }
}

/// The inverse cosine transform of a block (`jidctint.c`).
fn to_samples(block: &mut [i32; 64]) {
    for column in 0..8 {
        transform(block, column, 8, samples, COSINE_BITS - PASS_BITS);
    }
    for row in 0..8 {
        transform(block, row * 8, 1, samples, COSINE_BITS + PASS_BITS + 3);
    }
}

/// Transforms the eight values from `start` on, `stride` apart, and drops `bits` of the result.
fn transform(
    block: &mut [i32; 64],
    start: usize,
    stride: usize,
    along: impl Fn([i32; 8]) -> [i32; 8],
    bits: u32,
) {
    let line = along(std::array::from_fn(|place| block[start + place * stride]));
    for (place, value) in line.into_iter().enumerate() {
        block[start + place * stride] = descale(value, bits);
    }
}

/// The rotation by pi/8 of the even half: `(a, b)` times `(0.5412 (a + b) + 0.7654 a, 0.5412 (a + b) - 1.8478 b)`.
fn rotated(a: i32, b: i32) -> (i32, i32) {
    let both = (a + b) * 4433;
    (both + a * 6270, both - b * 15137)
}

/// The odd half of Loeffler, Ligtenberg and Moschytz's transform, which both directions share.
fn odd_half([a, b, c, d]: [i32; 4]) -> [i32; 4] {
    let all = (a + b + c + d) * 9633;
    let ad = (a + d) * -7373;
    let bc = (b + c) * -20995;
    let ac = (a + c) * -16069 + all;
    let bd = (b + d) * -3196 + all;
    [
        a * 2446 + ad + ac,
        b * 16819 + bc + bd,
        c * 25172 + bc + ac,
        d * 12299 + ad + bd,
    ]
}

/// Eight samples to eight frequencies, `COSINE_BITS` after the point.
fn frequencies(v: [i32; 8]) -> [i32; 8] {
    let sums = [v[0] + v[7], v[1] + v[6], v[2] + v[5], v[3] + v[4]];
    let outer = (sums[0] + sums[3], sums[0] - sums[3]);
    let inner = (sums[1] + sums[2], sums[1] - sums[2]);
    let (second, sixth) = rotated(outer.1, inner.1);
    let [seventh, fifth, third, first] =
        odd_half([v[3] - v[4], v[2] - v[5], v[1] - v[6], v[0] - v[7]]);
    let zeroth = (outer.0 + inner.0) << COSINE_BITS;
    let fourth = (outer.0 - inner.0) << COSINE_BITS;
    [zeroth, first, second, third, fourth, fifth, sixth, seventh]
}

/// Eight frequencies to eight samples, `COSINE_BITS` after the point.
fn samples(v: [i32; 8]) -> [i32; 8] {
    let (two, six) = rotated(v[2], v[6]);
    let sum = (v[0] + v[4]) << COSINE_BITS;
    let difference = (v[0] - v[4]) << COSINE_BITS;
    let even = [sum + two, difference + six, difference - six, sum - two];
    let [seven, five, three, one] = odd_half([v[7], v[5], v[3], v[1]]);
    let odd = [one, three, five, seven];
    std::array::from_fn(|place| {
        if place < 4 {
            even[place] + odd[place]
        } else {
            even[7 - place] - odd[7 - place]
        }
    })
}
