//! Zoom blur, as of a camera that moves towards the scene: the mean of the image and its enlargements.
//!
//! The enlargements are bilinear, by the factors 1, 1.01, 1.02 .. up to `z`. Hendrycks & Dietterich (2019),
//! `zoom_blur` and `clipped_zoom` of the published generator; see [`super::zoom`].

use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::picture::{Picture, to_byte_f32};
use super::zoom::{Tap, mix_columns, mix_rows, taps};

/// The factor `z` before which the factors end, by severity.
pub(super) const CIFAR10: [f64; 5] = [1.06, 1.11, 1.16, 1.21, 1.26];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [1.06, 1.11, 1.16, 1.21, 1.26];
/// From one factor to the next.
const STEP: f64 = 0.01;

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let factors = factors(setting.choose(&CIFAR10, &TINY_IMAGENET));
    let planes: Vec<f32> = picture
        .pixels
        .iter()
        .map(|&byte| (f64::from(byte) / 255.0) as f32)
        .collect();
    let mut sums = vec![0.0_f32; planes.len()];
    for &factor in &factors {
        let (rows, columns) = (taps(picture.height, factor), taps(picture.width, factor));
        let targets = sums.chunks_exact_mut(picture.area());
        for (plane, sums) in planes.chunks_exact(picture.area()).zip(targets) {
            add_zoomed(plane, &rows, &columns, sums);
        }
    }
    let count = (factors.len() + 1) as f32;
    for ((byte, &value), &sum) in out.iter_mut().zip(&planes).zip(&sums) {
        *byte = to_byte_f32((value + sum) / count);
    }
}

/// The factors from 1 up to `end`, as NumPy's `arange` counts and computes them: rounding may add one at the end.
fn factors(end: f64) -> Vec<f64> {
    let count = ((end - 1.0) / STEP).ceil() as usize;
    let step = (1.0 + STEP) - 1.0;
    (0..count).map(|place| 1.0 + place as f64 * step).collect()
}

/// Adds a zoomed plane to `sums`.
fn add_zoomed(plane: &[f32], rows: &[Tap], columns: &[Tap], sums: &mut [f32]) {
    let mut line = vec![0.0; columns.len()];
    for (&row, sums) in rows.iter().zip(sums.chunks_exact_mut(columns.len())) {
        mix_rows(plane, row, &mut line);
        for (&column, sum) in columns.iter().zip(sums) {
            *sum += mix_columns(&line, column) as f32;
        }
    }
}
