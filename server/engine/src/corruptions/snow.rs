//! Snow: flakes drawn out by the wind over a whitened image.
//!
//! The flakes are a layer of normal noise (mean `m`, deviation `s`), zoomed by `z`, values under `t` dropped,
//! motion blurred (radius `r`, deviation `g`, an angle uniform in [-135, -45] degrees). The image `x` becomes
//! `b x + (1 - b) max(x, 1.5 grey + 0.5)`, and the layer and its half-turn are added. Hendrycks & Dietterich
//! (2019), `snow` of the published generator.

use rand_chacha::ChaCha8Rng;

use super::motion::Trail;
use super::picture::{Picture, to_byte};
use super::zoom::zoomed;
use super::{Setting, draw};

/// What a severity means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snowfall {
    /// The noise's mean, where white is 1.
    pub(super) mean: f64,
    /// Its standard deviation.
    pub(super) deviation: f64,
    /// Enlargement of the flakes.
    pub(super) zoom: f64,
    /// Darker values are no flake.
    pub(super) threshold: f64,
    /// Radius of the motion blur, in pixels.
    pub(super) radius: f64,
    /// Its standard deviation, in pixels.
    pub(super) sigma: f64,
    /// The share of the image's own colours that is kept.
    pub(super) blend: f32,
}

/// A row of the tables, in the published order.
const fn snowfall(row: [f64; 6], blend: f32) -> Snowfall {
    let [mean, deviation, zoom, threshold, radius, sigma] = row;
    Snowfall {
        mean,
        deviation,
        zoom,
        threshold,
        radius,
        sigma,
        blend,
    }
}

/// By severity.
pub(super) const CIFAR10: [Snowfall; 5] = [
    snowfall([0.1, 0.2, 1.0, 0.6, 8.0, 3.0], 0.95),
    snowfall([0.1, 0.2, 1.0, 0.5, 10.0, 4.0], 0.9),
    snowfall([0.15, 0.3, 1.75, 0.55, 10.0, 4.0], 0.9),
    snowfall([0.25, 0.3, 2.25, 0.6, 12.0, 6.0], 0.85),
    snowfall([0.3, 0.3, 1.25, 0.65, 14.0, 12.0], 0.8),
];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [Snowfall; 5] = [
    snowfall([0.1, 0.2, 1.0, 0.6, 8.0, 3.0], 0.8),
    snowfall([0.1, 0.2, 1.0, 0.5, 10.0, 4.0], 0.8),
    snowfall([0.15, 0.3, 1.75, 0.55, 10.0, 4.0], 0.7),
    snowfall([0.25, 0.3, 2.25, 0.6, 12.0, 6.0], 0.65),
    snowfall([0.3, 0.3, 1.25, 0.65, 14.0, 12.0], 0.6),
];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let snowfall = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let layer = flakes(snowfall, picture.height, picture.width, random);
    let added: Vec<f64> = layer
        .iter()
        .zip(layer.iter().rev())
        .map(|(&flake, &turned)| f64::from(flake) / 255.0 + f64::from(turned) / 255.0)
        .collect();
    let whites = whites(picture);
    for (channel, out) in out.chunks_exact_mut(picture.area()).enumerate() {
        let values = picture.plane(channel).iter().zip(&whites).zip(&added);
        for (byte, ((&value, &white), &added)) in out.iter_mut().zip(values) {
            let value = f32::from(value) / 255.0;
            let blended = snowfall.blend * value + (1.0 - snowfall.blend) * value.max(white);
            *byte = to_byte(f64::from(blended) + added);
        }
    }
}

/// The layer of flakes, `[height, width]`.
fn flakes(snowfall: Snowfall, height: usize, width: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
    let noise = draw::normals(random, height * width, snowfall.mean, snowfall.deviation);
    let dots: Vec<u8> = zoomed(&noise, height, width, snowfall.zoom)
        .into_iter()
        .map(|value| {
            if value < snowfall.threshold {
                0
            } else {
                to_byte(value)
            }
        })
        .collect();
    let trail = Trail::new(
        snowfall.radius,
        snowfall.sigma,
        draw::uniform(random, -135.0, -45.0),
    );
    let mut layer = vec![0; dots.len()];
    trail.blur(&dots, height, width, &mut layer);
    layer
}

/// The white that the image is drawn towards, `[height, width]`: its grey, lightened.
fn whites(picture: Picture<'_>) -> Vec<f32> {
    let unit = |byte: u8| f32::from(byte) / 255.0;
    let colours = picture
        .plane(0)
        .iter()
        .zip(picture.plane(1))
        .zip(picture.plane(2));
    colours
        .map(|((&red, &green), &blue)| {
            (0.299 * unit(red) + 0.587 * unit(green) + 0.114 * unit(blue)) * 1.5 + 0.5
        })
        .collect()
}
