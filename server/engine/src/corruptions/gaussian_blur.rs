//! Gaussian blur: a Gaussian of standard deviation `c` pixels, cut off at four of them, edge pixels repeated.
//!
//! Hendrycks & Dietterich (2019), `gaussian_blur` of the published generator; an extra corruption.

use rand_chacha::ChaCha8Rng;

use super::gaussian::{Gaussian, TRUNCATE};
use super::picture::{Picture, store};
use super::{Setting, border};

/// The standard deviation by severity, in pixels.
pub(super) const CIFAR10: [f64; 5] = [0.4, 0.6, 0.7, 0.8, 1.0];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [0.5, 0.75, 1.0, 1.25, 1.5];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let sigma = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let mut values = picture.unit();
    Gaussian::new(sigma, TRUNCATE).blur(
        &mut values,
        picture.height,
        picture.width,
        border::nearest,
    );
    store(&values, out);
}
