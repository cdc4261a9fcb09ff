//! Contrast: values drawn towards their channel's mean, `(x - mean) c + mean`.
//!
//! Hendrycks & Dietterich (2019), `contrast` of the published generator.

use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::picture::{Picture, to_byte};

/// The share of the distance from the mean that is kept, by severity.
pub(super) const CIFAR10: [f64; 5] = [0.75, 0.5, 0.4, 0.3, 0.15];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [0.4, 0.3, 0.2, 0.1, 0.05];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let kept = setting.choose(&CIFAR10, &TINY_IMAGENET);
    for (channel, out) in out.chunks_exact_mut(picture.area()).enumerate() {
        let plane = picture.plane(channel);
        let sum: f64 = plane.iter().map(|&byte| f64::from(byte) / 255.0).sum();
        let mean = sum / plane.len() as f64;
        for (byte, &value) in out.iter_mut().zip(plane) {
            *byte = to_byte((f64::from(value) / 255.0 - mean) * kept + mean);
        }
    }
}
