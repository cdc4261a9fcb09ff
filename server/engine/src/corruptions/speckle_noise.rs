//! Speckle noise: `x + x normal(0, c)`, so that brighter values are noisier.
//!
//! Hendrycks & Dietterich (2019), `speckle_noise` of the published generator; an extra corruption.

use rand_chacha::ChaCha8Rng;

use super::picture::{Picture, to_byte};
use super::{Setting, draw};

/// The noise's standard deviation by severity, as a share of the value it is added to.
pub(super) const CIFAR10: [f64; 5] = [0.06, 0.1, 0.12, 0.16, 0.2];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [0.15, 0.2, 0.25, 0.3, 0.35];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let deviation = setting.choose(&CIFAR10, &TINY_IMAGENET);
    for (byte, &value) in out.iter_mut().zip(picture.pixels) {
        let value = f64::from(value) / 255.0;
        *byte = to_byte(value + value * deviation * draw::normal(random));
    }
}
