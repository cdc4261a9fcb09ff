//! Fog: `x + c plasma`, darkened so that the image's brightest value stays: times `max / (max + c)`.
//!
//! The plasma is diamond-square noise in [0, 1], whose amplitude falls with `w` from level to level; see
//! [`super::plasma`]. Its side is the next power of two that covers the image. Hendrycks & Dietterich (2019), `fog`
//! and `plasma_fractal` of the published generator.

use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::picture::{Picture, to_byte};
use super::plasma::plasma;

/// The fog's strength `c` and its smoothness `w` by severity.
pub(super) const CIFAR10: [(f64, f64); 5] =
    [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [(f64, f64); 5] =
    [(0.4, 3.0), (0.7, 3.0), (1.0, 2.5), (1.5, 2.0), (2.0, 1.75)];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let (strength, smoothness) = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let Picture { height, width, .. } = picture;
    let size = height.max(width).next_power_of_two();
    let fog = plasma(size, smoothness, random);
    let brightest = f64::from(picture.pixels.iter().copied().max().unwrap_or(0)) / 255.0;
    for (place, (byte, &value)) in out.iter_mut().zip(picture.pixels).enumerate() {
        let (y, x) = (place / width % height, place % width);
        let foggy = f64::from(value) / 255.0 + strength * fog[y * size + x];
        *byte = to_byte(foggy * brightest / (brightest + strength));
    }
}
