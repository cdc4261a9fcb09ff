//! Elastic transform: the image sheared a little, then stretched and squeezed in small regions.
//!
//! First a random affine map: three points around the middle move by up to `p` in each axis (bilinear, borders
//! mirrored without repeating the edge pixel). Then each pixel reads from a displaced place: the displacements are
//! uniform noise in [-1, 1), smoothed by a Gaussian of standard deviation `s` and multiplied by `a` (bilinear,
//! borders mirrored with the edge pixel repeated). Hendrycks & Dietterich (2019), `elastic_transform` of the
//! published generator, after Simard et al. (2003).

use rand_chacha::ChaCha8Rng;

use super::gaussian::{Border, Gaussian};
use super::picture::{Picture, to_byte_f32};
use super::{Setting, border, draw};

/// Strength `a`, smoothness `s` and the points' movement `p` by severity, as shares of the image's shorter side.
pub(super) const CIFAR10: [(f64, f64, f64); 5] = [
    (0.0, 0.0, 0.08),
    (0.05, 0.2, 0.07),
    (0.08, 0.06, 0.06),
    (0.1, 0.04, 0.05),
    (0.1, 0.03, 0.03),
];
/// As [`CIFAR10`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET: [(f64, f64, f64); 5] = [
    (0.0, 0.0, 0.08),
    (0.05, 0.3, 0.06),
    (0.1, 0.08, 0.06),
    (0.1, 0.03, 0.03),
    (0.16, 0.03, 0.02),
];
/// Where the generator cuts this Gaussian off, in standard deviations.
const TRUNCATE: f64 = 3.0;

/// See the [module](self).
pub(super) fn apply(
    picture: Picture<'_>,
    setting: Setting<'_>,
    random: &mut ChaCha8Rng,
    out: &mut [u8],
) {
    let Picture { height, width, .. } = picture;
    let side = height.min(width) as f64;
    let (strength, smoothness, movement) = setting.choose(&CIFAR10, &TINY_IMAGENET);
    let back = affine(height, width, side * movement, random);
    let places = grid(height, width).map(|(y, x)| back.map(y, x));
    let sheared = read(&picture.unit_f32(), height, width, places, border::mirror);
    let [right, down] =
        [(); 2].map(|()| displacements(height, width, side * smoothness, side * strength, random));
    let places = grid(height, width)
        .zip(down.iter().zip(&right))
        .map(|((y, x), (down, right))| (y + down, x + right));
    for (byte, value) in out
        .iter_mut()
        .zip(read(&sheared, height, width, places, border::reflect))
    {
        *byte = to_byte_f32(value);
    }
}

/// The places of an image's pixels, rows down and columns right, in reading order.
fn grid(height: usize, width: usize) -> impl Iterator<Item = (f64, f64)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (y as f64, x as f64)))
}

/// One axis' displacements in pixels, `[height, width]`.
fn displacements(
    height: usize,
    width: usize,
    sigma: f64,
    strength: f64,
    random: &mut ChaCha8Rng,
) -> Vec<f64> {
    let mut field: Vec<f64> = (0..height * width)
        .map(|_| draw::uniform(random, -1.0, 1.0))
        .collect();
    Gaussian::new(sigma, TRUNCATE).blur(&mut field, height, width, border::reflect);
    field.iter_mut().for_each(|value| *value *= strength);
    field
}

/// A place in an image: columns right, rows down.
type Point = [f64; 2];

/// An affine map of points `[x, y]`: `from` becomes `to`, a step right becomes `right`, and a step down `down`.
struct Affine {
    from: Point,
    to: Point,
    right: Point,
    down: Point,
}

impl Affine {
    /// Where the pixel at row `y`, column `x` comes from: row, column.
    fn map(&self, y: f64, x: f64) -> (f64, f64) {
        let (right, down) = (x - self.from[0], y - self.from[1]);
        let axis = |axis: usize| self.to[axis] + right * self.right[axis] + down * self.down[axis];
        (axis(1), axis(0))
    }
}

/// The inverse of the map that moves three points around the middle by up to `movement` pixels in each axis.
fn affine(height: usize, width: usize, movement: f64, random: &mut ChaCha8Rng) -> Affine {
    let middle = [(width / 2) as f64, (height / 2) as f64];
    let reach = (height.min(width) / 3).max(1) as f64;
    let points: [Point; 3] = [(reach, reach), (reach, -reach), (-reach, -reach)]
        .map(|(right, down)| [middle[0] + right, middle[1] + down]);
    let moved =
        points.map(|point| point.map(|axis| axis + draw::uniform(random, -movement, movement)));
    between(moved, points)
}

/// The affine map of three points to three others; of points in a line, the one that moves nothing but the first.
fn between(from: [Point; 3], to: [Point; 3]) -> Affine {
    let minus = |a: Point, b: Point| [a[0] - b[0], a[1] - b[1]];
    let (u, v) = (minus(from[1], from[0]), minus(from[2], from[0]));
    let (p, q) = (minus(to[1], to[0]), minus(to[2], to[0]));
    let area = u[0] * v[1] - u[1] * v[0];
    let solve =
        |left: f64, right: f64| [0, 1].map(|axis| (left * p[axis] + right * q[axis]) / area);
    let (right, down) = if area.abs() < 1e-9 {
        ([1.0, 0.0], [0.0, 1.0])
    } else {
        (solve(v[1], -u[1]), solve(-v[0], u[0]))
    };
    Affine {
        from: from[0],
        to: to[0],
        right,
        down,
    }
}

/// The values of planes `[3, height, width]` at `places` (rows, columns), interpolated bilinearly.
fn read(
    planes: &[f32],
    height: usize,
    width: usize,
    places: impl Iterator<Item = (f64, f64)>,
    border: Border,
) -> Vec<f32> {
    let area = height * width;
    let mut result = vec![0.0; planes.len()];
    for (place, (y, x)) in places.enumerate() {
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = ((y - top) as f32, (x - left) as f32);
        let rows = [0, 1].map(|step| border(top as isize + step, height) * width);
        let columns = [0, 1].map(|step| border(left as isize + step, width));
        for channel in 0..3 {
            let plane = &planes[channel * area..][..area];
            let along = |row: usize| {
                plane[row + columns[0]] * (1.0 - right) + plane[row + columns[1]] * right
            };
            result[channel * area + place] = along(rows[0]) * (1.0 - down) + along(rows[1]) * down;
        }
    }
    result
}
