//! Glass blur, as through frosted glass: pixels take the values of others near them.
//!
//! A Gaussian of standard deviation `s` pixels, truncated to bytes; then `i` passes over the image, from the bottom
//! right to the top left, in which each pixel takes the value of one at a random offset in `-d..d` in each axis;
//! then the Gaussian again. Hendrycks & Dietterich (2019), `glass_blur` of the published generator.
//!
//! The generator means to swap the two pixels. NumPy's assignment between views of one array copies instead, and the
//! published images were made by copying, so this copies too.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::gaussian::{Gaussian, TRUNCATE};
use super::picture::{Picture, store, to_byte};
use super::{Setting, border};

/// The Gaussian's standard deviation in pixels, the largest offset in pixels, the passes, by severity.
pub(super) const CIFAR10: [(f64, usize, usize); 5] = [
    (0.05, 1, 1),
    (0.25, 1, 1),
    (0.4, 1, 1),
    (0.25, 1, 2),
    (0.4, 1, 2),
];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [(f64, usize, usize); 5] = [
    (0.1, 1, 1),
    (0.5, 1, 1),
    (0.6, 1, 2),
    (0.7, 2, 1),
    (0.9, 2, 2),
];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let (sigma, reach, passes) = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let Picture { height, width, .. } = picture;
    let gaussian = Gaussian::new(sigma, TRUNCATE);
    let mut values = picture.unit();
    gaussian.blur(&mut values, height, width, border::nearest);
    let mut bytes: Vec<u8> = values.iter().map(|&value| to_byte(value)).collect();
    for _ in 0..passes {
        move_pixels(&mut bytes, height, width, reach, random);
    }
    let mut values = Picture {
        pixels: &bytes,
        ..picture
    }
    .unit();
    gaussian.blur(&mut values, height, width, border::nearest);
    store(&values, out);
}

/// One pass over planes `[3, height, width]`: each pixel but those near an edge takes the value of one at a random
/// offset from `-reach` to `reach - 1` in each axis.
fn move_pixels(
    planes: &mut [u8],
    height: usize,
    width: usize,
    reach: usize,
    random: &mut ChaCha8Rng,
) {
    for y in (reach + 1..(height + 1).saturating_sub(reach)).rev() {
        for x in (reach + 1..(width + 1).saturating_sub(reach)).rev() {
            let other_x = x + random.random_range(0..2 * reach) - reach;
            let other_y = y + random.random_range(0..2 * reach) - reach;
            for plane in planes.chunks_exact_mut(height * width) {
                plane[y * width + x] = plane[other_y * width + other_x];
            }
        }
    }
}
