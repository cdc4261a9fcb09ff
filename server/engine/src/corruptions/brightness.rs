//! Brightness: the value of hue, saturation and value is raised by `c`.
//!
//! Hendrycks & Dietterich (2019), `brightness` of the published generator.

use rand_chacha::ChaCha8Rng;

use super::picture::Picture;
use super::{Setting, colour};

/// What is added to the value by severity, where its range is 1.
pub(super) const CIFAR10: [f64; 5] = [0.05, 0.1, 0.15, 0.2, 0.3];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [0.1, 0.2, 0.3, 0.4, 0.5];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let raised = setting.choose(&CIFAR10, &TINY_IMAGENET);
    colour::change(picture, out, |[hue, saturation, value]| {
        [hue, saturation, (value + raised).clamp(0.0, 1.0)]
    });
}
