//! How training images are varied: the two augmentations of Leavitt & Morcos (2020), as torchvision makes them.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use protocol::Augmentation;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::CHANNELS;

/// Black pixels added on every side before a crop back to size.
const PADDING: usize = 4;

/// Share of the image's area that a resized crop takes (torchvision's default).
const CROP_AREA: (f64, f64) = (0.08, 1.0);

/// Width over height of a resized crop, drawn log-uniformly (torchvision's default).
const CROP_ASPECT: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);

/// Draws before a resized crop gives up and takes the centre (torchvision's number).
const CROP_TRIES: usize = 10;

/// What a varied image is made of: bytes, or the same as numbers in [0, 1].
pub trait Pixel: Copy + Send + Sync {
    /// The pixel of this byte.
    fn from_byte(byte: u8) -> Self;
}

impl Pixel for u8 {
    fn from_byte(byte: u8) -> u8 {
        byte
    }
}

impl Pixel for f32 {
    fn from_byte(byte: u8) -> f32 {
        f32::from(byte) / 255.0
    }
}

/// Varies one image. `image` is `[3, height, width]`, 0 to 255; `out` becomes `[3, height, width]`, before any
/// normalisation: in [0, 1] for `f32`, 0 to 255 for `u8`. The result is a function of the image and `rng`'s state.
///
/// - `None`: the image as it is; draws nothing.
/// - `CropFlip`: 4 black pixels on every side, a random crop back to size, a flip left to right
///   with probability 1/2.
/// - `ResizedCropFlip`: torchvision's `RandomResizedCrop` on 8-bit images (bilinear, antialiased as
///   in Pillow, rounded to 8 bits), then the same flip.
///
/// # Panics
/// When `image` or `out` is not `3 * height * width` long.
pub fn augment<P: Pixel>(
    kind: Augmentation,
    image: &[u8],
    height: usize,
    width: usize,
    rng: &mut ChaCha8Rng,
    out: &mut [P],
) {
    assert_eq!(
        image.len(),
        CHANNELS * height * width,
        "image of [3, height, width]"
    );
    assert_eq!(out.len(), image.len(), "out of the image's shape");
    match kind {
        Augmentation::None => unchanged(image, out),
        Augmentation::CropFlip => {
            let top = draw_up_to(rng, 2 * PADDING);
            let left = draw_up_to(rng, 2 * PADDING);
            let flip = rng.random_bool(0.5);
            padded_crop(image, height, width, (top, left), flip, out);
        }
        Augmentation::ResizedCropFlip => {
            let crop = Crop::draw(height, width, rng);
            let flip = rng.random_bool(0.5);
            resized_crop(image, height, width, crop, flip, out);
        }
    }
}

/// Bytes 0 to 255 as numbers in [0, 1].
pub fn unit_values(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from_byte(byte)).collect()
}

/// The same, written to `out`.
///
/// # Panics
/// When the lengths differ.
pub fn to_unit_interval(image: &[u8], out: &mut [f32]) {
    unchanged(image, out);
}

fn unchanged<P: Pixel>(image: &[u8], out: &mut [P]) {
    assert_eq!(image.len(), out.len(), "one number a byte");
    for (value, &byte) in out.iter_mut().zip(image) {
        *value = P::from_byte(byte);
    }
}

/// A whole number from 0 to `maximum`, both included. Drawn as `u32`, so that it does not depend on
/// the width of `usize`.
fn draw_up_to(rng: &mut ChaCha8Rng, maximum: usize) -> usize {
    rng.random_range(0..=maximum as u32) as usize
}

/// The window of `image`'s size whose corner is at `offset` (top, left) of the image with its black
/// border, flipped left to right when `flip` says so.
fn padded_crop<P: Pixel>(
    image: &[u8],
    height: usize,
    width: usize,
    offset: (usize, usize),
    flip: bool,
    out: &mut [P],
) {
    let (top, left) = offset;
    let planes = image
        .chunks_exact(height * width)
        .zip(out.chunks_exact_mut(height * width));
    for (plane, out) in planes {
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            let source_row = (y + top).checked_sub(PADDING).filter(|&y| y < height);
            for (x, value) in row.iter_mut().enumerate() {
                let x = if flip { width - 1 - x } else { x };
                let source_column = (x + left).checked_sub(PADDING).filter(|&x| x < width);
                *value = match (source_row, source_column) {
                    (Some(y), Some(x)) => P::from_byte(plane[y * width + x]),
                    _ => P::from_byte(0),
                };
            }
        }
    }
}

/// A window of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crop {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl Crop {
    /// torchvision's `RandomResizedCrop.get_params`.
    fn draw(height: usize, width: usize, rng: &mut ChaCha8Rng) -> Crop {
        let area = (height * width) as f64;
        for _ in 0..CROP_TRIES {
            let target = area * rng.random_range(CROP_AREA.0..=CROP_AREA.1);
            let aspect = rng
                .random_range(CROP_ASPECT.0.ln()..=CROP_ASPECT.1.ln())
                .exp();
            let crop_width = (target * aspect).sqrt().round_ties_even() as usize;
            let crop_height = (target / aspect).sqrt().round_ties_even() as usize;
            if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
                return Crop {
                    top: draw_up_to(rng, height - crop_height),
                    left: draw_up_to(rng, width - crop_width),
                    height: crop_height,
                    width: crop_width,
                };
            }
        }
        Crop::centre(height, width)
    }

    /// The largest window in the middle whose aspect is allowed.
    fn centre(height: usize, width: usize) -> Crop {
        let aspect = width as f64 / height as f64;
        let (crop_height, crop_width) = if aspect < CROP_ASPECT.0 {
            let crop_height = (width as f64 / CROP_ASPECT.0).round_ties_even() as usize;
            (crop_height, width)
        } else if aspect > CROP_ASPECT.1 {
            let crop_width = (height as f64 * CROP_ASPECT.1).round_ties_even() as usize;
            (height, crop_width)
        } else {
            (height, width)
        };
        Crop {
            top: (height - crop_height) / 2,
            left: (width - crop_width) / 2,
            height: crop_height,
            width: crop_width,
        }
    }
}

/// `crop` of `image`, resized to the image's size, flipped left to right when `flip` says so.
fn resized_crop<P: Pixel>(
    image: &[u8],
    height: usize,
    width: usize,
    crop: Crop,
    flip: bool,
    out: &mut [P],
) {
    // Pillow's filter and 8-bit arithmetic. A window is never larger than the image, so this only
    // enlarges and antialiasing has nothing to do.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resizer = Resizer::new();
    let mut resized = Image::new(width as u32, height as u32, PixelType::U8);
    let mut window = Vec::with_capacity(crop.height * crop.width);
    let planes = image
        .chunks_exact(height * width)
        .zip(out.chunks_exact_mut(height * width));
    for (plane, out) in planes {
        // Cropped first, as torchvision does: the filter must not see beyond the window.
        window.clear();
        for row in plane.chunks_exact(width).skip(crop.top).take(crop.height) {
            window.extend_from_slice(&row[crop.left..crop.left + crop.width]);
        }
        let source = ImageRef::new(
            crop.width as u32,
            crop.height as u32,
            &window,
            PixelType::U8,
        )
        .expect("the window was filled with exactly its pixels");
        resizer
            .resize(&source, &mut resized, &options)
            .expect("both images have one 8-bit channel");
        let rows = resized
            .buffer()
            .chunks_exact(width)
            .zip(out.chunks_exact_mut(width));
        for (source, row) in rows {
            for (x, value) in row.iter_mut().enumerate() {
                *value = P::from_byte(source[if flip { width - 1 - x } else { x }]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
