//! Gaussian noise, as of a sensor in low light: `x + normal(0, c)`, each value on its own.
//!
//! Hendrycks & Dietterich (2019), `gaussian_noise` of the published generator.

use rand_chacha::ChaCha8Rng;

use super::picture::{Picture, to_byte};
use super::{Setting, draw};

/// The noise's standard deviation by severity, where the values' range is 1.
pub(super) const CIFAR10: [f64; 5] = [0.04, 0.06, 0.08, 0.09, 0.10];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [0.04, 0.08, 0.12, 0.15, 0.18];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let deviation = setting.choose(&CIFAR10, &TINY_IMAGENET);
    for (byte, &value) in out.iter_mut().zip(picture.pixels) {
        *byte = to_byte(f64::from(value) / 255.0 + deviation * draw::normal(random));
    }
}
