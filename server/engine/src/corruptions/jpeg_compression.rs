//! JPEG compression at quality `c`, the colour planes at half the size (4:2:0).
//!
//! Hendrycks & Dietterich (2019), `jpeg_compression` of the published generator (Pillow's encoder and decoder,
//! which are libjpeg's); see [`super::jpeg`].

use rand_chacha::ChaCha8Rng;

use super::picture::Picture;
use super::{Setting, jpeg};

/// The quality by severity, of 1 to 100.
pub(super) const CIFAR10: [i32; 5] = [80, 65, 58, 50, 40];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [i32; 5] = [65, 58, 50, 40, 25];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    jpeg::compressed(picture, setting.choose(&CIFAR10, &TINY_IMAGENET), out);
}
