//! Diamond-square noise on a torus: the generator's `plasma_fractal`.

use rand::Rng;

use super::draw;

/// Amplitude of the first level; only the ratio of the levels matters, for the map is scaled.
const FIRST_AMPLITUDE: f64 = 100.0;

/// A map `[size, size]` scaled to [0, 1], row by row. `size` is a power of two; `roughness` is what the
/// amplitude is divided by from level to level (2 and more is smooth, 1 is white noise).
///
/// A level's amplitude counts twice, as factor and as range: it falls by the square of `roughness`.
pub(super) fn plasma(size: usize, roughness: f64, random: &mut impl Rng) -> Vec<f64> {
    assert!(
        size.is_power_of_two(),
        "a plasma's side is a power of two, not {size}"
    );
    let mut map = Map {
        size,
        values: vec![0.0; size * size],
    };
    let mut step = size;
    let mut amplitude = FIRST_AMPLITUDE;
    while step >= 2 {
        map.fill_squares(step, amplitude, random);
        map.fill_diamonds(step, amplitude, random);
        step /= 2;
        amplitude /= roughness;
    }
    scaled(map.values)
}

/// The values stretched to [0, 1]; all 0 where they are one.
fn scaled(mut values: Vec<f64>) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = if high > low { high - low } else { 1.0 };
    values
        .iter_mut()
        .for_each(|value| *value = (*value - low) / range);
    values
}

struct Map {
    size: usize,
    values: Vec<f64>,
}

impl Map {
    /// The value at a place of the torus.
    fn at(&self, y: usize, x: usize) -> f64 {
        self.values[(y & (self.size - 1)) * self.size + (x & (self.size - 1))]
    }

    /// Sets a place to the mean of its four neighbours, and noise.
    fn set(&mut self, y: usize, x: usize, sum: f64, amplitude: f64, random: &mut impl Rng) {
        let noise = amplitude * draw::uniform(random, -amplitude, amplitude);
        self.values[y * self.size + x] = sum / 4.0 + noise;
    }

    /// The middles of the squares of side `step`, from their corners.
    fn fill_squares(&mut self, step: usize, amplitude: f64, random: &mut impl Rng) {
        for y in (0..self.size).step_by(step) {
            for x in (0..self.size).step_by(step) {
                let corners = self.at(y, x)
                    + self.at(y + step, x)
                    + self.at(y, x + step)
                    + self.at(y + step, x + step);
                self.set(y + step / 2, x + step / 2, corners, amplitude, random);
            }
        }
    }

    /// The middles of the squares' sides, from the sides' ends and the middles next to them.
    fn fill_diamonds(&mut self, step: usize, amplitude: f64, random: &mut impl Rng) {
        let half = step / 2;
        for y in (0..self.size).step_by(step) {
            for x in (0..self.size).step_by(step) {
                let above = self.at(y + self.size - half, x + half);
                let top =
                    self.at(y + half, x + half) + above + self.at(y, x) + self.at(y, x + step);
                self.set(y, x + half, top, amplitude, random);
            }
        }
        for y in (0..self.size).step_by(step) {
            for x in (0..self.size).step_by(step) {
                let before = self.at(y + half, x + self.size - half);
                let left =
                    self.at(y + half, x + half) + before + self.at(y, x) + self.at(y + step, x);
                self.set(y + half, x, left, amplitude, random);
            }
        }
    }
}
