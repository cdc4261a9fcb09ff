//! The built-in set: textured shapes drawn by a formula, so that the lab works with nothing downloaded.
//!
//! A class is a shape with a texture: two shapes of equal area, five textures of equal mean. Pose,
//! colours, clutter and light are drawn from the same distributions for every class, so neither
//! colour nor brightness tells classes apart. Image `index` of a split is a function of the split
//! and the index alone: any number of threads draws the same bytes.

use std::path::PathBuf;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

mod scene;

use scene::{Scene, Shape, Texture, any_angle, nuisance};

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

/// The classes; a label is an index into them.
const CLASSES: [(&str, Shape, Texture); 10] = [
    ("plain disc", Shape::Disc, Texture::Plain),
    ("plain cross", Shape::Cross, Texture::Plain),
    (
        "horizontally striped disc",
        Shape::Disc,
        Texture::HorizontalStripes,
    ),
    (
        "horizontally striped cross",
        Shape::Cross,
        Texture::HorizontalStripes,
    ),
    (
        "vertically striped disc",
        Shape::Disc,
        Texture::VerticalStripes,
    ),
    (
        "vertically striped cross",
        Shape::Cross,
        Texture::VerticalStripes,
    ),
    ("checked disc", Shape::Disc, Texture::Checks),
    ("checked cross", Shape::Cross, Texture::Checks),
    ("dotted disc", Shape::Disc, Texture::Dots),
    ("dotted cross", Shape::Cross, Texture::Dots),
];

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

    let haze = rng.random_range(nuisance::HAZE);
    let visible = if rng.random_bool(nuisance::HAZY) {
        1.0 - haze
    } else {
        1.0
    };
    let light = rng.random_range(nuisance::LIGHT);
    let slope = rng.random_range(nuisance::LIGHT_SLOPE);
    let (slope_y, slope_x) = any_angle(&mut rng).sin_cos();
    let noise = rng.random_range(nuisance::NOISE);
    let far = scene.haze_colour();
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
                let far = far[channel];
                let colour = far + visible * (sum / points - far);
                let value = colour * here + noise * grain;
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
