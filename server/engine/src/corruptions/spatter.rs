//! Spatter: drops of water (severities 1 to 3) or of mud (4 and 5) on the lens.
//!
//! Drops are where normal noise (mean `m`, deviation `s`), smoothed by a Gaussian of `g` pixels, reaches `t`. Water
//! is pale turquoise, shaded by the distance to the drops' edges, its brightest pixel `q`, added to the image. Mud
//! is brown and opaque: the drops smoothed by `q` pixels, values under 0.8 dropped. Hendrycks & Dietterich (2019),
//! `spatter` of the published generator; an extra corruption.
//!
//! Where no noise reaches `t` the generator divides by zero; here the image stays as it is.

use rand_chacha::ChaCha8Rng;

use super::edges::{distances, edges};
use super::gaussian::{Gaussian, TRUNCATE};
use super::picture::{Picture, to_byte_f32};
use super::{Setting, border, draw};

/// What a severity means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drops {
    /// The noise's mean.
    pub(super) mean: f64,
    /// Its standard deviation.
    pub(super) deviation: f64,
    /// Its smoothing, in pixels.
    pub(super) smoothing: f64,
    /// Smaller values are no drop.
    pub(super) threshold: f64,
    /// Water's brightest value where white is 1; the smoothing of mud's edges, in pixels.
    pub(super) finish: f64,
    /// The liquid they consist of.
    pub(super) liquid: Liquid,
}

/// The liquid that drops consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Liquid {
    Water,
    Mud,
}

/// A row of the tables, in the published order.
const fn drops(row: [f64; 5], liquid: Liquid) -> Drops {
    let [mean, deviation, smoothing, threshold, finish] = row;
    Drops {
        mean,
        deviation,
        smoothing,
        threshold,
        finish,
        liquid,
    }
}

/// By severity.
pub(super) const CIFAR10: [Drops; 5] = [
    drops([0.62, 0.1, 0.7, 0.7, 0.5], Liquid::Water),
    drops([0.65, 0.1, 0.8, 0.7, 0.5], Liquid::Water),
    drops([0.65, 0.3, 1.0, 0.69, 0.5], Liquid::Water),
    drops([0.65, 0.1, 0.7, 0.69, 0.6], Liquid::Mud),
    drops([0.65, 0.1, 0.5, 0.68, 0.6], Liquid::Mud),
];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [Drops; 5] = [
    drops([0.62, 0.1, 0.7, 0.7, 0.6], Liquid::Water),
    drops([0.65, 0.1, 0.8, 0.7, 0.6], Liquid::Water),
    drops([0.65, 0.3, 1.0, 0.69, 0.6], Liquid::Water),
    drops([0.65, 0.1, 0.7, 0.68, 0.6], Liquid::Mud),
    drops([0.65, 0.1, 0.5, 0.67, 0.6], Liquid::Mud),
];
/// Pale turquoise: red, green, blue.
const WATER: [f32; 3] = [175.0 / 255.0, 238.0 / 255.0, 238.0 / 255.0];
/// Brown: red, green, blue.
const MUD: [f32; 3] = [63.0 / 255.0, 42.0 / 255.0, 20.0 / 255.0];
/// Mud thinner (less opaque) than this counts as none.
const THINNEST_MUD: f64 = 0.8;
/// Canny's thresholds for the edges of drops of water.
const EDGE_THRESHOLDS: (i32, i32) = (50, 150);
/// Distances from the drops' edges count up to this, in pixels.
const LARGEST_DISTANCE: f32 = 20.0;
/// The light that falls on drops of water from the bottom right, row by row.
const LIGHT: [i32; 9] = [-2, -1, 0, -1, 1, 1, 0, 1, 2];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let drops = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let Picture { height, width, .. } = picture;
    let mut layer = draw::normals(random, height * width, drops.mean, drops.deviation);
    Gaussian::new(drops.smoothing, TRUNCATE).blur(&mut layer, height, width, border::nearest);
    match drops.liquid {
        Liquid::Water => {
            let water = water(&layer, height, width, drops);
            paint(picture, out, &water, |value, water, channel| {
                value + water * WATER[channel]
            });
        }
        Liquid::Mud => {
            let mud = mud(&layer, height, width, drops);
            paint(picture, out, &mud, |value, mud, channel| {
                value * (1.0 - mud) + mud * MUD[channel]
            });
        }
    }
}

/// Applies `mix` to every value of the picture: the value in [0, 1], the mask `[height, width]` there, the channel.
fn paint(picture: Picture<'_>, out: &mut [u8], mask: &[f32], mix: impl Fn(f32, f32, usize) -> f32) {
    for (channel, out) in out.chunks_exact_mut(mask.len()).enumerate() {
        for ((byte, &value), &mask) in out.iter_mut().zip(picture.plane(channel)).zip(mask) {
            *byte = to_byte_f32(mix(f32::from(value) / 255.0, mask, channel));
        }
    }
}

/// How opaque mud is, `[height, width]`.
fn mud(layer: &[f64], height: usize, width: usize, drops: Drops) -> Vec<f32> {
    let drop = |&value: &f64| f64::from(u8::from(value > drops.threshold));
    let mut mask: Vec<f64> = layer.iter().map(drop).collect();
    Gaussian::new(drops.finish, TRUNCATE).blur(&mut mask, height, width, border::nearest);
    mask.into_iter()
        .map(|mud| if mud < THINNEST_MUD { 0.0 } else { mud as f32 })
        .collect()
}

/// How bright water is, `[height, width]`.
fn water(layer: &[f64], height: usize, width: usize, drops: Drops) -> Vec<f32> {
    let wet = |&value: &f64| {
        if value < drops.threshold {
            0
        } else {
            (value * 255.0) as u8
        }
    };
    let layer: Vec<u8> = layer.iter().map(wet).collect();
    let shading = shading(&layer, height, width);
    let mut water: Vec<f32> = layer
        .iter()
        .zip(shading)
        .map(|(&drop, light)| f32::from(drop) * f32::from(light))
        .collect();
    let brightest = water.iter().copied().fold(0.0, f32::max);
    if brightest > 0.0 {
        water
            .iter_mut()
            .for_each(|value| *value = *value / brightest * drops.finish as f32);
    }
    water
}

/// The light on drops `[height, width]`, from the distances to their edges.
fn shading(layer: &[u8], height: usize, width: usize) -> Vec<u8> {
    let (low, high) = EDGE_THRESHOLDS;
    let mut distances = distances(&edges(layer, height, width, low, high), height, width);
    distances
        .iter_mut()
        .for_each(|distance| *distance = distance.min(LARGEST_DISTANCE));
    let smooth = around(&distances, height, width, |near| {
        (near.iter().sum::<f32>() / 9.0) as u8
    });
    let equal = equalised(&smooth);
    let lit = around(&equal, height, width, |near| {
        let light = near
            .iter()
            .zip(LIGHT)
            .map(|(&value, weight)| i32::from(value) * weight);
        light.sum::<i32>().clamp(0, 255) as u8
    });
    around(&lit, height, width, |near| {
        let sum: u16 = near.iter().map(|&value| u16::from(value)).sum();
        ((sum * 2 + 9) / 18) as u8
    })
}

/// `reduce` of the 3x3 values around each place, row by row; borders mirror without repeating the edge pixel.
fn around<T: Copy>(
    plane: &[T],
    height: usize,
    width: usize,
    reduce: impl Fn([T; 9]) -> u8,
) -> Vec<u8> {
    let mut result = Vec::with_capacity(plane.len());
    for y in 0..height as isize {
        let rows = [-1, 0, 1].map(|step| border::mirror(y + step, height) * width);
        for x in 0..width as isize {
            let columns = [-1, 0, 1].map(|step| border::mirror(x + step, width));
            result.push(reduce(std::array::from_fn(|place| {
                plane[rows[place / 3] + columns[place % 3]]
            })));
        }
    }
    result
}

/// The plane with its histogram spread evenly over 0 to 255, as OpenCV's `equalizeHist`.
fn equalised(plane: &[u8]) -> Vec<u8> {
    let mut counts = [0_u32; 256];
    for &value in plane {
        counts[usize::from(value)] += 1;
    }
    let lowest = counts.iter().position(|&count| count > 0).unwrap_or(0);
    let rest = plane.len() as u32 - counts[lowest];
    if rest == 0 {
        return plane.to_vec();
    }
    let scale = 255.0 / rest as f32;
    let mut sum = 0;
    let mut table = [0; 256];
    for (value, count) in counts.iter().enumerate().skip(lowest + 1) {
        sum += count;
        table[value] = (sum as f32 * scale).round_ties_even() as u8;
    }
    plane
        .iter()
        .map(|&value| table[usize::from(value)])
        .collect()
}
