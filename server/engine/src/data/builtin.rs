//! The built-in set: textured shapes drawn by a formula, so that the lab works with nothing downloaded.
//!
//! A class is a shape with a texture: two shapes of equal area, five textures of equal mean. Pose,
//! colours, clutter and light are drawn from the same distributions for every class, so neither
//! colour nor brightness tells classes apart. Image `index` of a split is a function of the split
//! and the index alone: any number of threads draws the same bytes.

use std::f32::consts::PI;
use std::path::PathBuf;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::source::{Picture, Source};
use super::{CHANNELS, DataError, ImageSet, SplitName};

/// Height and width of every image in pixels.
const SIDE: usize = 32;

/// Training images of each class.
const TRAIN_PER_CLASS: usize = 500;

/// Test images of each class.
const TEST_PER_CLASS: usize = 100;

/// The seed of the data set itself. Changing it makes another data set.
const SEED: u64 = 201_007_693;

/// Rays a pixel side: each pixel is the mean of this many squared points.
const RAYS: usize = 2;

/// How strongly everything but the class varies. These numbers alone set how hard the set is.
mod nuisance {
    use std::ops::RangeInclusive;

    /// Radius of the disc that has the shape's area, in pixels.
    pub const RADIUS: RangeInclusive<f32> = 8.5..=11.0;
    /// How far the shape's centre is from the image's, in pixels, along each axis.
    pub const SHIFT: RangeInclusive<f32> = -3.0..=3.0;
    /// How far the shape is turned, in radians.
    pub const TURN: RangeInclusive<f32> = -0.3..=0.3;
    /// Length of the shape over its breadth.
    pub const STRETCH: RangeInclusive<f32> = 0.85..=1.18;
    /// Length of one period of a texture in pixels.
    pub const PERIOD: RangeInclusive<f32> = 4.0..=6.5;
    /// How far a texture is turned, in radians.
    pub const TEXTURE_TURN: RangeInclusive<f32> = -0.25..=0.25;
    /// Distance of the two colours of the shape's texture (RGB, 0 to 1).
    pub const TEXTURE_CONTRAST: RangeInclusive<f32> = 0.4..=0.9;
    /// Distance of the shape's mean colour from the background's.
    pub const SHAPE_CONTRAST: RangeInclusive<f32> = 0.35..=0.7;
    /// Distance of the two colours of the background's texture.
    pub const BACKGROUND_CONTRAST: RangeInclusive<f32> = 0.0..=0.1;
    /// Pieces of clutter, each of which may lie over the shape.
    pub const CLUTTER: RangeInclusive<u32> = 0..=4;
    /// Half the length of a piece of clutter in pixels.
    pub const CLUTTER_LENGTH: RangeInclusive<f32> = 2.0..=6.0;
    /// Half the breadth of a piece of clutter in pixels.
    pub const CLUTTER_BREADTH: RangeInclusive<f32> = 0.7..=1.8;
    /// Distance of a piece of clutter's colour from the background's.
    pub const CLUTTER_CONTRAST: RangeInclusive<f32> = 0.2..=0.5;
    /// Change of the light from one edge of the image to the other, as a share.
    pub const LIGHT_SLOPE: RangeInclusive<f32> = 0.0..=0.6;
    /// Strength of the light.
    pub const LIGHT: RangeInclusive<f32> = 0.6..=1.2;
    /// Standard deviation of the noise of each channel of each pixel (0 to 1).
    pub const NOISE: RangeInclusive<f32> = 0.01..=0.05;
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Disc,
    Cross,
}

impl Shape {
    /// Whether the point is inside the shape of area pi around the origin.
    fn contains(self, x: f32, y: f32) -> bool {
        match self {
            Shape::Disc => x * x + y * y < 1.0,
            // Two bars, three times as long as broad: 5 squares of side sqrt(pi / 5).
            Shape::Cross => {
                let half = 0.3963;
                let (near, far) = (x.abs().min(y.abs()), x.abs().max(y.abs()));
                near < half && far < 3.0 * half
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Texture {
    Plain,
    LyingStripes,
    StandingStripes,
    Checks,
    Dots,
}

impl Texture {
    const ALL: [Texture; 5] = [
        Texture::Plain,
        Texture::LyingStripes,
        Texture::StandingStripes,
        Texture::Checks,
        Texture::Dots,
    ];

    /// Where between its two colours a point is, -1 or 1, with a mean of 0 over the plane. A period is 1.
    fn tone(self, x: f32, y: f32) -> f32 {
        let side = |t: f32| if t.rem_euclid(1.0) < 0.5 { 1.0 } else { -1.0 };
        match self {
            Texture::Plain => 0.0,
            Texture::LyingStripes => side(y),
            Texture::StandingStripes => side(x),
            Texture::Checks => side(x) * side(y),
            // A disc of half the cell's area: radius 1 / sqrt(2 pi).
            Texture::Dots => {
                let (x, y) = (x.rem_euclid(1.0) - 0.5, y.rem_euclid(1.0) - 0.5);
                if x * x + y * y < 0.5 / PI { 1.0 } else { -1.0 }
            }
        }
    }
}

/// The classes; a label is an index into them.
const CLASSES: [(&str, Shape, Texture); 10] = [
    ("plain disc", Shape::Disc, Texture::Plain),
    ("plain cross", Shape::Cross, Texture::Plain),
    ("disc of lying stripes", Shape::Disc, Texture::LyingStripes),
    (
        "cross of lying stripes",
        Shape::Cross,
        Texture::LyingStripes,
    ),
    (
        "disc of standing stripes",
        Shape::Disc,
        Texture::StandingStripes,
    ),
    (
        "cross of standing stripes",
        Shape::Cross,
        Texture::StandingStripes,
    ),
    ("checked disc", Shape::Disc, Texture::Checks),
    ("checked cross", Shape::Cross, Texture::Checks),
    ("dotted disc", Shape::Disc, Texture::Dots),
    ("dotted cross", Shape::Cross, Texture::Dots),
];

type Colour = [f32; CHANNELS];

/// A plane that is moved, turned and scaled.
#[derive(Debug, Clone, Copy)]
struct Frame {
    centre: (f32, f32),
    /// Cosine and sine of the turn.
    turn: (f32, f32),
    /// Pixels a unit, along each axis.
    scale: (f32, f32),
}

impl Frame {
    fn new(centre: (f32, f32), scale: (f32, f32), angle: f32) -> Frame {
        Frame {
            centre,
            turn: (angle.cos(), angle.sin()),
            scale,
        }
    }

    /// Where the pixel (x, y) is in this frame.
    fn locate(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (x - self.centre.0, y - self.centre.1);
        let (cosine, sine) = self.turn;
        (
            (x * cosine + y * sine) / self.scale.0,
            (y * cosine - x * sine) / self.scale.1,
        )
    }
}

/// A colour with a texture.
struct Surface {
    texture: Texture,
    frame: Frame,
    mean: Colour,
    /// Half the way from one colour of the texture to the other.
    swing: Colour,
}

impl Surface {
    fn draw(rng: &mut ChaCha8Rng, texture: Texture, mean: Colour, contrast: f32) -> Surface {
        let period = rng.random_range(nuisance::PERIOD);
        // A centre within one period draws the phase.
        let centre = (rng.random_range(0.0..period), rng.random_range(0.0..period));
        let angle = rng.random_range(nuisance::TEXTURE_TURN);
        Surface {
            texture,
            frame: Frame::new(centre, (period, period), angle),
            mean,
            swing: direction(rng).map(|part| part * contrast / 2.0),
        }
    }

    fn colour(&self, x: f32, y: f32) -> Colour {
        let (u, v) = self.frame.locate(x, y);
        step(self.mean, self.swing, self.texture.tone(u, v))
    }
}

fn any_angle(rng: &mut ChaCha8Rng) -> f32 {
    rng.random_range(-PI..PI)
}

/// A colour change of length 1, any way alike.
fn direction(rng: &mut ChaCha8Rng) -> Colour {
    let [r, g, b]: Colour = std::array::from_fn(|_| StandardNormal.sample(rng));
    let length = (r * r + g * g + b * b).sqrt().max(1e-6);
    [r / length, g / length, b / length]
}

fn step(colour: Colour, direction: Colour, length: f32) -> Colour {
    std::array::from_fn(|channel| colour[channel] + direction[channel] * length)
}

/// Everything in one image, before light and noise.
struct Scene {
    background: Surface,
    shape: Shape,
    frame: Frame,
    surface: Surface,
    clutter: Vec<(Frame, Colour)>,
}

impl Scene {
    fn draw(rng: &mut ChaCha8Rng, shape: Shape, texture: Texture) -> Scene {
        let middle = SIDE as f32 / 2.0;
        let base: Colour = std::array::from_fn(|_| rng.random_range(0.25..0.75));
        let any = Texture::ALL[rng.random_range(0..Texture::ALL.len() as u32) as usize];
        let contrast = rng.random_range(nuisance::BACKGROUND_CONTRAST);
        let background = Surface::draw(rng, any, base, contrast);

        let centre = (
            middle + rng.random_range(nuisance::SHIFT),
            middle + rng.random_range(nuisance::SHIFT),
        );
        let radius = rng.random_range(nuisance::RADIUS);
        let stretch = rng.random_range(nuisance::STRETCH).sqrt();
        let scale = (radius * stretch, radius / stretch);
        let frame = Frame::new(centre, scale, rng.random_range(nuisance::TURN));
        let away = direction(rng);
        let mean = step(base, away, rng.random_range(nuisance::SHAPE_CONTRAST));
        let contrast = rng.random_range(nuisance::TEXTURE_CONTRAST);
        let surface = Surface::draw(rng, texture, mean, contrast);

        let clutter = (0..rng.random_range(nuisance::CLUTTER))
            .map(|_| {
                let side = SIDE as f32;
                let centre = (rng.random_range(0.0..side), rng.random_range(0.0..side));
                let size = (
                    rng.random_range(nuisance::CLUTTER_LENGTH),
                    rng.random_range(nuisance::CLUTTER_BREADTH),
                );
                let frame = Frame::new(centre, size, any_angle(rng));
                let away = direction(rng);
                let colour = step(base, away, rng.random_range(nuisance::CLUTTER_CONTRAST));
                (frame, colour)
            })
            .collect();
        Scene {
            background,
            shape,
            frame,
            surface,
            clutter,
        }
    }

    /// The colour at a point, in pixels from the top left corner.
    fn colour(&self, x: f32, y: f32) -> Colour {
        for (frame, colour) in &self.clutter {
            let (u, v) = frame.locate(x, y);
            if u.abs().max(v.abs()) < 1.0 {
                return *colour;
            }
        }
        let (u, v) = self.frame.locate(x, y);
        if self.shape.contains(u, v) {
            self.surface.colour(x, y)
        } else {
            self.background.colour(x, y)
        }
    }
}

fn label(index: usize) -> u32 {
    (index % CLASSES.len()) as u32
}

fn images(split: SplitName) -> usize {
    CLASSES.len()
        * match split {
            SplitName::Train => TRAIN_PER_CLASS,
            SplitName::Test => TEST_PER_CLASS,
        }
}

/// Draws image `index` of a split into `out`, `[3, SIDE, SIDE]`.
fn draw(split: SplitName, index: usize, out: &mut [u8]) {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    // One stream an image: test images take the odd ones.
    rng.set_stream(2 * index as u64 + u64::from(split == SplitName::Test));
    let (_, shape, texture) = CLASSES[label(index) as usize];
    let scene = Scene::draw(&mut rng, shape, texture);

    let light = rng.random_range(nuisance::LIGHT);
    let slope = rng.random_range(nuisance::LIGHT_SLOPE);
    let (slope_y, slope_x) = any_angle(&mut rng).sin_cos();
    let noise = rng.random_range(nuisance::NOISE);
    let points = (RAYS * RAYS) as f32;
    for y in 0..SIDE {
        for x in 0..SIDE {
            let mut sum = [0.0; CHANNELS];
            for ray in 0..RAYS * RAYS {
                let offset = |ray: usize| (ray as f32 + 0.5) / RAYS as f32;
                let (x, y) = (x as f32 + offset(ray % RAYS), y as f32 + offset(ray / RAYS));
                let colour = scene.colour(x, y);
                sum.iter_mut()
                    .zip(colour)
                    .for_each(|(sum, value)| *sum += value);
            }
            let across = |at: usize| at as f32 / SIDE as f32 - 0.5;
            let here = light * (1.0 + slope * (across(x) * slope_x + across(y) * slope_y));
            for (channel, sum) in sum.into_iter().enumerate() {
                let grain: f32 = StandardNormal.sample(&mut rng);
                let value = sum / points * here + noise * grain;
                // The cast saturates: values beyond [0, 1] become 0 or 255.
                out[(channel * SIDE + y) * SIDE + x] = (value * 255.0).round() as u8;
            }
        }
    }
}

/// The built-in set as a [`Source`].
pub(super) struct Builtin;

impl Source for Builtin {
    fn description(&self) -> String {
        "Textured shapes, 32x32 pixels in 10 classes, drawn by a formula: a class is a shape with a \
         texture, while pose, colour, clutter and light vary. Always there."
            .to_owned()
    }

    fn path(&self) -> Option<PathBuf> {
        None
    }

    fn classes(&self) -> Result<Vec<String>, DataError> {
        Ok(CLASSES.map(|(name, ..)| name.to_owned()).to_vec())
    }

    fn size(&self) -> Result<(usize, usize), DataError> {
        Ok((SIDE, SIDE))
    }

    fn labels(&self, split: SplitName) -> Result<Vec<u32>, DataError> {
        Ok((0..images(split)).map(label).collect())
    }

    fn load(&self, split: SplitName) -> Result<ImageSet, DataError> {
        let size = CHANNELS * SIDE * SIDE;
        let mut pixels = vec![0; images(split) * size];
        pixels
            .par_chunks_exact_mut(size)
            .enumerate()
            .for_each(|(index, out)| draw(split, index, out));
        ImageSet::new(pixels, self.labels(split)?, SIDE, SIDE)
    }

    fn picture(&self, split: SplitName, index: usize) -> Result<Picture, DataError> {
        let images = images(split);
        if index >= images {
            return Err(DataError::NoSuchImage {
                split,
                index,
                images,
            });
        }
        let mut pixels = vec![0; CHANNELS * SIDE * SIDE];
        draw(split, index, &mut pixels);
        Ok(Picture {
            pixels,
            height: SIDE,
            width: SIDE,
        })
    }
}

#[cfg(test)]
mod tests;
