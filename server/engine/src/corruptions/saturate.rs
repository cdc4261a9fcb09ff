//! Saturate: the saturation of hue, saturation and value becomes `saturation a + b`.
//!
//! Hendrycks & Dietterich (2019), `saturate` of the published generator; an extra corruption.

use rand_chacha::ChaCha8Rng;

use super::picture::Picture;
use super::{Setting, colour};

/// Factor and summand of the saturation by severity, where its range is 1.
pub(super) const CIFAR10: [(f64, f64); 5] =
    [(0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [(f64, f64); 5] =
    [(0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (30.0, 0.2)];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let (factor, summand) = setting.choose(&CIFAR10, &TINY_IMAGENET);
    colour::change(picture, out, |[hue, saturation, value]| {
        [hue, (saturation * factor + summand).clamp(0.0, 1.0), value]
    });
}
