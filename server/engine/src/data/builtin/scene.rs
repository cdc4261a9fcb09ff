//! What is in an image of the built-in set: a textured shape before a textured background, with clutter.

use std::f32::consts::PI;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::SIDE;
use crate::data::CHANNELS;

/// How strongly everything but the class varies. These numbers alone set how hard the set is.
pub(super) mod nuisance {
    use std::ops::RangeInclusive;

    /// Radius of the disc that has the shape's area, in pixels.
    pub const RADIUS: RangeInclusive<f32> = 9.0..=11.5;
    /// How far the shape's centre is from the image's, in pixels, along each axis.
    pub const SHIFT: RangeInclusive<f32> = -2.0..=2.0;
    /// How far the shape is turned, in radians.
    pub const TURN: RangeInclusive<f32> = -0.2..=0.2;
    /// Length of the shape over its breadth.
    pub const STRETCH: RangeInclusive<f32> = 0.9..=1.1;
    /// Length of one period of a texture in pixels.
    pub const PERIOD: RangeInclusive<f32> = 4.5..=6.5;
    /// How far a texture is turned, in radians.
    pub const TEXTURE_TURN: RangeInclusive<f32> = -0.2..=0.2;
    /// Distance of the two colours of the shape's texture (RGB, 0 to 1).
    pub const TEXTURE_CONTRAST: RangeInclusive<f32> = 0.5..=0.9;
    /// Distance of the shape's mean colour from the background's.
    pub const SHAPE_CONTRAST: RangeInclusive<f32> = 0.4..=0.7;
    /// Distance of the two colours of the background's texture.
    pub const BACKGROUND_CONTRAST: RangeInclusive<f32> = 0.0..=0.1;
    /// Pieces of clutter, each of which may lie over the shape.
    pub const CLUTTER: RangeInclusive<u32> = 0..=3;
    /// Half the length of a piece of clutter in pixels.
    pub const CLUTTER_LENGTH: RangeInclusive<f32> = 2.0..=6.0;
    /// Half the breadth of a piece of clutter in pixels.
    pub const CLUTTER_BREADTH: RangeInclusive<f32> = 0.8..=2.0;
    /// Distance of a piece of clutter's colour from the background's.
    pub const CLUTTER_CONTRAST: RangeInclusive<f32> = 0.2..=0.5;
    /// Change of the light from one edge of the image to the other, as a share.
    pub const LIGHT_SLOPE: RangeInclusive<f32> = 0.0..=0.6;
    /// Strength of the light.
    pub const LIGHT: RangeInclusive<f32> = 0.6..=1.2;
    /// Share of the images that lie in haze. Hardly anyone can tell their class, so accuracy stays
    /// below 1 however long a network is trained.
    pub const HAZY: f64 = 0.1;
    /// Share of the scene's contrast that the haze takes.
    pub const HAZE: RangeInclusive<f32> = 0.94..=1.0;
    /// Standard deviation of the noise of each channel of each pixel (0 to 1).
    pub const NOISE: RangeInclusive<f32> = 0.01..=0.05;
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Disc,
    Cross,
}

impl Shape {
    /// Whether the point is inside the shape of area pi around the origin.
    pub(super) fn contains(self, x: f32, y: f32) -> bool {
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
pub(super) enum Texture {
    Plain,
    HorizontalStripes,
    VerticalStripes,
    Checks,
    Dots,
}

impl Texture {
    pub(super) const ALL: [Texture; 5] = [
        Texture::Plain,
        Texture::HorizontalStripes,
        Texture::VerticalStripes,
        Texture::Checks,
        Texture::Dots,
    ];

    /// How far a point is from the mean colour; 0 on average over the plane. A period is 1.
    pub(super) fn tone(self, x: f32, y: f32) -> f32 {
        let side = |t: f32| if t.rem_euclid(1.0) < 0.5 { 1.0 } else { -1.0 };
        match self {
            Texture::Plain => 0.0,
            Texture::HorizontalStripes => side(y),
            Texture::VerticalStripes => side(x),
            Texture::Checks => side(x) * side(y),
            // Discs of a fifth of the cell's area, stronger than what is around them.
            Texture::Dots => {
                let (x, y) = (x.rem_euclid(1.0) - 0.5, y.rem_euclid(1.0) - 0.5);
                if x * x + y * y < 0.2 / PI { 2.0 } else { -0.5 }
            }
        }
    }
}

pub(super) type Colour = [f32; CHANNELS];

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
    /// What is added to the mean colour where the texture's tone is 1.
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

pub(super) fn any_angle(rng: &mut ChaCha8Rng) -> f32 {
    rng.random_range(-PI..PI)
}

/// A colour change of length 1, in a uniformly random direction.
fn direction(rng: &mut ChaCha8Rng) -> Colour {
    let [r, g, b]: Colour = std::array::from_fn(|_| StandardNormal.sample(rng));
    let length = (r * r + g * g + b * b).sqrt().max(1e-6);
    [r / length, g / length, b / length]
}

fn step(colour: Colour, direction: Colour, length: f32) -> Colour {
    std::array::from_fn(|channel| colour[channel] + direction[channel] * length)
}

/// Everything in one image, before light and noise.
pub(super) struct Scene {
    background: Surface,
    shape: Shape,
    frame: Frame,
    surface: Surface,
    clutter: Vec<(Frame, Colour)>,
}

impl Scene {
    pub(super) fn draw(rng: &mut ChaCha8Rng, shape: Shape, texture: Texture) -> Scene {
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
    pub(super) fn colour(&self, x: f32, y: f32) -> Colour {
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

    /// The background's mean colour, which is all that haze leaves.
    pub(super) fn haze_colour(&self) -> Colour {
        self.background.mean
    }
}
