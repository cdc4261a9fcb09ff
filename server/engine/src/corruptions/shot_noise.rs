//! Shot noise, as of few photons: `poisson(x c) / c`, each value on its own.
//!
//! Hendrycks & Dietterich (2019), `shot_noise` of the published generator.

use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::Poisson;

use super::Setting;
use super::picture::{Picture, to_byte};

/// Photons of the brightest value by severity.
pub(super) const CIFAR10: [f64; 5] = [500.0, 250.0, 100.0, 75.0, 50.0];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [250.0, 100.0, 50.0, 30.0, 15.0];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let photons = setting.choose(&CIFAR10, &TINY_IMAGENET);
    // Setting up a distribution costs more than a draw, and there are only 256; 0 photons have none.
    let counts: [Option<Poisson<f64>>; 256] =
        std::array::from_fn(|byte| Poisson::new(byte as f64 / 255.0 * photons).ok());
    for (byte, &value) in out.iter_mut().zip(picture.pixels) {
        let count = counts[usize::from(value)].map_or(0.0, |poisson| poisson.sample(random));
        *byte = to_byte(count / photons);
    }
}
