//! Motion blur, as of a camera that moves: ImageMagick's, along an angle uniform in [-45, 45] degrees.
//!
//! The trail is a one-sided Gaussian of standard deviation `s` pixels, `2 ceil(r) + 1` pixels long. Hendrycks &
//! Dietterich (2019), `motion_blur` of the published generator; see [`super::motion`].

use rand_chacha::ChaCha8Rng;

use super::motion::Trail;
use super::picture::Picture;
use super::{Setting, draw};

/// The radius `r` and the standard deviation `s` in pixels, by severity.
pub(super) const CIFAR10: [(f64, f64); 5] =
    [(6.0, 1.0), (6.0, 1.5), (6.0, 2.0), (8.0, 2.0), (9.0, 2.5)];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [(f64, f64); 5] = [
    (10.0, 1.0),
    (10.0, 1.5),
    (10.0, 2.0),
    (10.0, 2.5),
    (12.0, 3.0),
];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let (radius, sigma) = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let trail = Trail::new(radius, sigma, draw::uniform(random, -45.0, 45.0));
    for (channel, out) in out.chunks_exact_mut(picture.area()).enumerate() {
        trail.blur(picture.plane(channel), picture.height, picture.width, out);
    }
}
