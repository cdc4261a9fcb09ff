//! Impulse noise, "salt and pepper", as of bit errors: a share `c` of the values becomes 0 or 1, evenly.
//!
//! Values are drawn channel by channel, so that the dots are coloured. Hendrycks & Dietterich (2019),
//! `impulse_noise` of the published generator (scikit-image's `random_noise(mode='s&p')`).

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::picture::{Picture, to_byte};

/// Share of the values that are set, by severity.
pub(super) const CIFAR10: [f64; 5] = [0.01, 0.02, 0.03, 0.05, 0.07];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [f64; 5] = [0.01, 0.02, 0.05, 0.08, 0.14];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let share = setting.choose(&CIFAR10, &TINY_IMAGENET);
    for (byte, &value) in out.iter_mut().zip(picture.pixels) {
        let draw: f64 = random.random();
        *byte = if draw >= share {
            to_byte(f64::from(value) / 255.0)
        } else if draw < share / 2.0 {
            0
        } else {
            255
        };
    }
}
