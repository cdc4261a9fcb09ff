//! Defocus blur, as of a lens out of focus: the image filtered with a disk of radius `r` pixels.
//!
//! The disk, all pixels within `r` of its middle, is softened by a 3x3 Gaussian of standard deviation `a`. Borders
//! mirror without repeating the edge pixel. Hendrycks & Dietterich (2019), `defocus_blur` and `disk` of the
//! published generator.

use rand_chacha::ChaCha8Rng;

use super::picture::{Picture, store};
use super::{Setting, border};

/// The disk's radius and its softening's standard deviation by severity, in pixels.
pub(super) const CIFAR10: [(f32, f64); 5] =
    [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [(f32, f64); 5] =
    [(0.5, 0.6), (1.0, 0.1), (1.5, 0.1), (2.5, 0.01), (3.0, 0.1)];

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    _: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let (radius, softening) = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let disk = Disk::new(radius, softening);
    let planes = picture.unit();
    let targets = out.chunks_exact_mut(picture.area());
    for (plane, out) in planes.chunks_exact(picture.area()).zip(targets) {
        store(&disk.filter(plane, picture.height, picture.width), out);
    }
}

/// A softened disk, a square of odd side, row by row.
struct Disk {
    /// Pixels from the middle to the square's edge.
    reach: usize,
    weights: Vec<f32>,
}

impl Disk {
    /// The disk of `radius` pixels, softened by a 3x3 Gaussian of standard deviation `softening` pixels.
    fn new(radius: f32, softening: f64) -> Self {
        let reach = radius as usize + 1;
        let side = 2 * reach + 1;
        let from_middle = |place: usize| place as f32 - reach as f32;
        let inside =
            |y: usize, x: usize| from_middle(y).powi(2) + from_middle(x).powi(2) <= radius * radius;
        let mut sharp = vec![0.0; side * side];
        for (place, weight) in sharp.iter_mut().enumerate() {
            *weight = f32::from(u8::from(inside(place / side, place % side)));
        }
        let sum: f32 = sharp.iter().sum();
        sharp.iter_mut().for_each(|weight| *weight /= sum);
        Disk {
            reach,
            weights: softened(&sharp, side, softening),
        }
    }

    /// The plane `[height, width]`, filtered.
    fn filter(&self, plane: &[f64], height: usize, width: usize) -> Vec<f64> {
        let (side, reach) = (2 * self.reach + 1, self.reach as isize);
        let padded_width = width + 2 * self.reach;
        let padded: Vec<f64> = (-reach..height as isize + reach)
            .flat_map(|y| {
                let row = &plane[border::mirror(y, height) * width..][..width];
                (-reach..width as isize + reach).map(move |x| row[border::mirror(x, width)])
            })
            .collect();
        let mut result = vec![0.0; plane.len()];
        for (y, out) in result.chunks_exact_mut(width).enumerate() {
            for (place, &weight) in self
                .weights
                .iter()
                .enumerate()
                .filter(|(_, weight)| **weight != 0.0)
            {
                let source = &padded[(y + place / side) * padded_width + place % side..][..width];
                for (value, source) in out.iter_mut().zip(source) {
                    *value += f64::from(weight) * source;
                }
            }
        }
        result
    }
}

/// A square of weights, filtered with a 3x3 Gaussian; what lies outside is 0.
fn softened(square: &[f32], side: usize, deviation: f64) -> Vec<f32> {
    let next = (-0.5 / (deviation * deviation)).exp();
    let middle = (1.0 / (1.0 + 2.0 * next)) as f32;
    let next = (next / (1.0 + 2.0 * next)) as f32;
    let at = |values: &[f32], place: Option<usize>| {
        place
            .and_then(|place| values.get(place))
            .copied()
            .unwrap_or(0.0)
    };
    let rows: Vec<f32> = (0..square.len())
        .map(|place| {
            let x = place % side;
            let left = if x > 0 { square[place - 1] } else { 0.0 };
            let right = if x + 1 < side { square[place + 1] } else { 0.0 };
            square[place] * middle + (left + right) * next
        })
        .collect();
    (0..square.len())
        .map(|place| {
            let around = at(&rows, place.checked_sub(side)) + at(&rows, Some(place + side));
            rows[place] * middle + around * next
        })
        .collect()
}
