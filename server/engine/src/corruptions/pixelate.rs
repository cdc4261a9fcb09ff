//! Pixelate: the image box-resized to `int(side c)` pixels and back.
//!
//! Hendrycks & Dietterich (2019), `pixelate` of the published generator (Pillow's `resize(.., BOX)`).

use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::picture::Picture;
use super::resize::box_resized;

/// The smaller image's side by severity, as a share of the side.
pub(super) const CIFAR10: [f64; 5] = [0.95, 0.9, 0.85, 0.75, 0.65];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [0.9, 0.8, 0.7, 0.6, 0.5];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let share = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let shrunk = |side: usize| ((side as f64 * share) as usize).max(1);
    let large = (picture.height, picture.width);
    let small = (shrunk(picture.height), shrunk(picture.width));
    for (channel, out) in out.chunks_exact_mut(picture.area()).enumerate() {
        let reduced = box_resized(picture.plane(channel), large, small);
        out.copy_from_slice(&box_resized(&reduced, small, large));
    }
}
