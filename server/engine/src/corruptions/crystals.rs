//! Procedural ice crystals: the textures of [`super::frost`] where there are no photographs.
//!
//! A texture is a plane of grains, each with needles in a direction of its own, bright seams where grains meet, clouds of
//! thicker and thinner ice, and glitter. Its brightness is then given the distribution, and its colour the tint, of one of
//! the published generator's photographs, so that frosted images have the published ones' mean and spread. Both were
//! measured on the difference of published and clean images: this file contains no photograph. Textures come from
//! constants alone, and repeat without seams.

use std::f64::consts::TAU;

/// Grains along a texture's side.
const GRAINS: i64 = 5;
/// Clouds along a texture's side, at the coarsest.
const CLOUDS: i64 = 6;
/// Needles across a texture's side, at the coarsest.
const NEEDLES: f64 = 36.0;
/// A needle's length over its breadth.
const STRETCH: f64 = 3.0;
/// Levels of detail of clouds and needles, each of half the size and strength.
const LEVELS: i32 = 4;
/// Shares of clouds, needles, seams and glitter in the brightness.
const SHARES: [f64; 4] = [0.8, 0.45, 0.4, 0.95];
/// How broad seams are, as a share of a grain.
const SEAM: f64 = 0.1;

/// The kind of ice that a texture shows.
struct Look {
    /// Brightness (0 to 255) of the darkest pixel, of the 1st, 2nd, .. 9th tenth, and of the brightest pixel.
    brightness: [f64; 11],
    /// What red, green and blue add to it.
    tint: [f64; 3],
}

/// Clear ice, deep blue.
const DEEP: Look = Look {
    brightness: [
        88.0, 108.0, 114.0, 119.0, 123.0, 128.0, 133.0, 138.0, 145.0, 155.0, 190.0,
    ],
    tint: [-52.4, 18.1, 34.3],
};
/// Dark ice with many bright needles.
const DARK: Look = Look {
    brightness: [
        36.0, 66.0, 78.0, 87.0, 96.0, 105.0, 114.0, 124.0, 136.0, 154.0, 215.0,
    ],
    tint: [-11.8, -0.2, 12.0],
};
/// Thick white frost.
const WHITE: Look = Look {
    brightness: [
        125.0, 177.0, 190.0, 197.0, 203.0, 208.0, 212.0, 217.0, 221.0, 227.0, 243.0,
    ],
    tint: [-6.1, -1.6, 7.7],
};
/// Grey ice.
const GREY: Look = Look {
    brightness: [
        55.0, 119.0, 135.0, 144.0, 151.0, 158.0, 164.0, 170.0, 178.0, 190.0, 248.0,
    ],
    tint: [-13.7, 0.6, 13.1],
};
/// Each texture's ice; white frost is on two of the photographs.
const LOOKS: [Look; 5] = [DEEP, DARK, WHITE, WHITE, GREY];

/// The texture of a number, `[3, side, side]` bytes, red plane first.
pub(super) fn texture(number: usize, side: usize) -> Vec<u8> {
    let ice = Ice {
        salt: number as u64,
    };
    let thickness: Vec<f64> = (0..side * side)
        .map(|place| ice.thickness(place % side, place / side, side))
        .collect();
    let look = &LOOKS[number % LOOKS.len()];
    let brightness = distributed(&thickness, &look.brightness);
    let mut pixels = Vec::with_capacity(3 * side * side);
    for tint in look.tint {
        pixels.extend(
            brightness
                .iter()
                .map(|value| (value + tint).clamp(0.0, 255.0) as u8),
        );
    }
    pixels
}

/// The values put in order and given a distribution, from the lowest value by tenths to the highest.
fn distributed(values: &[f64], distribution: &[f64; 11]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut result = vec![0.0; values.len()];
    for (rank, place) in order.into_iter().enumerate() {
        let position = (rank as f64 + 0.5) / values.len() as f64 * 10.0;
        let tenth = position as usize;
        let along = position - tenth as f64;
        result[place] = distribution[tenth] * (1.0 - along) + distribution[tenth + 1] * along;
    }
    result
}

/// A grain near a place.
#[derive(Debug, Clone, Copy)]
struct Grain {
    /// Which one it is.
    id: u64,
    /// Its middle, seen from the place, in grains: columns right.
    right: f64,
    /// Rows down.
    down: f64,
    /// Its middle's distance from the place, in grains.
    distance: f64,
}

/// No grain.
const NONE: Grain = Grain {
    id: 0,
    right: 0.0,
    down: 0.0,
    distance: f64::INFINITY,
};

/// The ice of one texture.
struct Ice {
    salt: u64,
}

impl Ice {
    /// How thick it is at a pixel, where the texture has `side` of them along its side.
    fn thickness(&self, column: usize, row: usize, side: usize) -> f64 {
        let (x, y) = (column as f64 / side as f64, row as f64 / side as f64);
        let [nearest, second] = self.grains(x * GRAINS as f64, y * GRAINS as f64);
        let parts = [
            self.clouds(x, y),
            self.needles(nearest),
            ((nearest.distance - second.distance) / SEAM).exp(),
            self.glitter(column, row),
        ];
        parts
            .iter()
            .zip(SHARES)
            .map(|(part, share)| part * share)
            .sum()
    }

    /// The nearest and the second nearest grain of a place, which is in grains.
    fn grains(&self, x: f64, y: f64) -> [Grain; 2] {
        let (column, row) = (x.floor() as i64, y.floor() as i64);
        let mut nearest = [NONE; 2];
        for cell_y in row - 1..=row + 1 {
            for cell_x in column - 1..=column + 1 {
                let id = hash(
                    cell_x.rem_euclid(GRAINS),
                    cell_y.rem_euclid(GRAINS),
                    self.salt,
                );
                let right = cell_x as f64 + unit(id) - x;
                let down = cell_y as f64 + unit(mixed(id)) - y;
                let distance = (right * right + down * down).sqrt();
                let grain = Grain {
                    id,
                    right,
                    down,
                    distance,
                };
                if distance < nearest[0].distance {
                    nearest = [grain, nearest[0]];
                } else if distance < nearest[1].distance {
                    nearest[1] = grain;
                }
            }
        }
        nearest
    }

    /// Large soft differences, in about [-1, 1].
    fn clouds(&self, x: f64, y: f64) -> f64 {
        (0..LEVELS)
            .map(|level| {
                let cells = CLOUDS << level;
                let strength = 0.5_f64.powi(level);
                let (x, y) = (x * cells as f64, y * cells as f64);
                strength * noise(x, y, Some(cells), mixed(self.salt) + level as u64)
            })
            .sum()
    }

    /// Single pixels, in [-1, 1]: crystals smaller than one, which photographs have when scaled without smoothing.
    fn glitter(&self, column: usize, row: usize) -> f64 {
        let bits = hash(column as i64, row as i64, !self.salt);
        unit(bits) + unit(mixed(bits)) - 1.0
    }

    /// Sharp ridges in the grain's direction, in about [-1, 1].
    fn needles(&self, grain: Grain) -> f64 {
        let (sine, cosine) = (unit(mixed(mixed(grain.id))) * TAU).sin_cos();
        let scale = NEEDLES / GRAINS as f64;
        let along = (grain.right * cosine + grain.down * sine) * scale / STRETCH;
        let across = (grain.down * cosine - grain.right * sine) * scale;
        (0..LEVELS)
            .map(|level| {
                let size = 2.0_f64.powi(level);
                let ridge = 1.0
                    - 2.0 * noise(along * size, across * size, None, grain.id ^ level as u64).abs();
                ridge / size
            })
            .sum()
    }
}

/// Smooth noise in [-1, 1]: random at whole coordinates, in between interpolated; it repeats after `period`.
fn noise(x: f64, y: f64, period: Option<i64>, salt: u64) -> f64 {
    let (column, row) = (x.floor() as i64, y.floor() as i64);
    let wrapped = |index: i64| period.map_or(index, |period| index.rem_euclid(period));
    let at = |right: i64, down: i64| {
        2.0 * unit(hash(wrapped(column + right), wrapped(row + down), salt)) - 1.0
    };
    let smooth = |share: f64| share * share * (3.0 - 2.0 * share);
    let (right, down) = (smooth(x - column as f64), smooth(y - row as f64));
    let upper = at(0, 0) * (1.0 - right) + at(1, 0) * right;
    let lower = at(0, 1) * (1.0 - right) + at(1, 1) * right;
    upper * (1.0 - down) + lower * down
}

/// A number that looks random, of two coordinates.
fn hash(x: i64, y: i64, salt: u64) -> u64 {
    mixed(mixed(mixed(salt).wrapping_add(x as u64)).wrapping_add(y as u64))
}

/// A number that looks random, of another one (SplitMix64; Steele, Lea & Flood 2014).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A hash as a number in [0, 1).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
