//! Frost: `a x + b frost` on 0 to 255, where `frost` is a random crop of one of five textures.
//!
//! Hendrycks & Dietterich (2019), `frost` of the published generator. Its textures are photographs that this project
//! may not ship; see [`super::frost_texture`].

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::picture::Picture;

/// Shares of image and frost by severity.
pub(super) const CIFAR10: [(f64, f64); 5] = [
    (1.0, 0.2),
    (1.0, 0.3),
    (0.9, 0.4),
    (0.85, 0.4),
    (0.75, 0.45),
];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [(f64, f64); 5] = [
    (1.0, 0.3),
    (0.9, 0.4),
    (0.8, 0.45),
    (0.75, 0.5),
    (0.7, 0.55),
];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let (image_share, frost_share) = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let Picture { height, width, .. } = picture;
    let textures = setting.frost.textures();
    let texture = &textures[random.random_range(0..textures.len())];
    let top = random.random_range(0..texture.height.saturating_sub(height).max(1));
    let left = random.random_range(0..texture.width.saturating_sub(width).max(1));
    for (channel, out) in out.chunks_exact_mut(picture.area()).enumerate() {
        let rows = out
            .chunks_exact_mut(width)
            .zip(picture.plane(channel).chunks_exact(width));
        for (y, (out, row)) in rows.enumerate() {
            let frost = texture.row(channel, top + y, left);
            for ((byte, &value), frost) in out.iter_mut().zip(row).zip(frost) {
                let sum = image_share * f64::from(value) + frost_share * f64::from(frost);
                *byte = sum.clamp(0.0, 255.0) as u8;
            }
        }
    }
}
