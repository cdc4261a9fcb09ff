//! Labelled images of one size in memory.

use rayon::prelude::*;

use super::DataError;

/// Colour channels of every image: red, green, blue.
pub const CHANNELS: usize = 3;

/// RGB images of one size with their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// `[images, 3, height, width]`, row-major.
    pixels: Vec<u8>,
    labels: Vec<u32>,
    height: usize,
    width: usize,
}

impl ImageSet {
    /// Images from `pixels` (`[images, 3, height, width]`, row-major, 0 to 255) with one label each.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] when the lengths do not belong together.
    pub fn new(
        pixels: Vec<u8>,
        labels: Vec<u32>,
        height: usize,
        width: usize,
    ) -> Result<Self, DataError> {
        let fits = CHANNELS
            .checked_mul(height)
            .and_then(|size| size.checked_mul(width))
            .filter(|&size| size > 0)
            .and_then(|size| size.checked_mul(labels.len()))
            == Some(pixels.len());
        if !fits {
            return Err(DataError::Inconsistent {
                pixels: pixels.len(),
                labels: labels.len(),
                height,
                width,
            });
        }
        Ok(ImageSet {
            pixels,
            labels,
            height,
            width,
        })
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Image height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Image width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Bytes of one image: 3 x height x width.
    pub fn image_len(&self) -> usize {
        CHANNELS * self.height * self.width
    }

    /// Image `index` as `[3, height, width]`, 0 to 255.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len), as a slice would.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.image_len();
        &self.pixels[index * size..(index + 1) * size]
    }

    /// Every pixel, `[images, 3, height, width]`, row-major.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The label of every image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The labels of the images at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`len`](Self::len), as a slice would.
    pub fn labels_at(&self, indices: &[usize]) -> Vec<u32> {
        indices.iter().map(|&index| self.labels[index]).collect()
    }

    /// The pixels of the images at `indices`, in that order, `[indices, 3, height, width]`.
    ///
    /// # Panics
    /// When an index is not below [`len`](Self::len), as a slice would.
    pub fn pixels_at(&self, indices: &[usize]) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        pixels
    }

    /// A copy of the images at `indices`, in that order. Training takes indices instead: it must not copy.
    ///
    /// # Panics
    /// When an index is not below [`len`](Self::len), as a slice would.
    pub fn subset(&self, indices: &[usize]) -> ImageSet {
        ImageSet {
            pixels: self.pixels_at(indices),
            labels: self.labels_at(indices),
            height: self.height,
            width: self.width,
        }
    }

    /// Mean and standard deviation of each channel on the [0, 1] scale, over every pixel. Sums of
    /// whole numbers are exact, so the result does not depend on any order. A channel that never
    /// varies gets half a grey level as its deviation, so that dividing by it is safe.
    pub(super) fn channel_statistics(&self) -> ChannelStatistics {
        let plane = self.height * self.width;
        let zero = || [(0_u64, 0_u64); CHANNELS];
        let sums = self
            .pixels
            .par_chunks(self.image_len())
            .fold(zero, |mut sums, image| {
                for (sums, plane) in sums.iter_mut().zip(image.chunks_exact(plane)) {
                    sums.0 += plane.iter().map(|&value| u64::from(value)).sum::<u64>();
                    sums.1 += plane
                        .iter()
                        .map(|&value| u64::from(value).pow(2))
                        .sum::<u64>();
                }
                sums
            })
            .reduce(zero, |a, b| {
                std::array::from_fn(|channel| {
                    (a[channel].0 + b[channel].0, a[channel].1 + b[channel].1)
                })
            });
        let count = (self.len() * plane).max(1) as f64;
        let mean = sums.map(|(sum, _)| sum as f64 / count);
        let std = std::array::from_fn(|channel| {
            let variance = sums[channel].1 as f64 / count - mean[channel].powi(2);
            (variance.max(0.25).sqrt() / 255.0) as f32
        });
        (mean.map(|mean| (mean / 255.0) as f32), std)
    }
}

/// Mean and standard deviation of each channel, on the [0, 1] scale.
pub(super) type ChannelStatistics = ([f32; CHANNELS], [f32; CHANNELS]);

/// Writes the interleaved pixels of an image, `[height, width, 3]`, to `out` as planes, `[3, height, width]`.
pub(super) fn to_planes(interleaved: &[u8], out: &mut [u8]) {
    let size = out.len() / CHANNELS;
    for (at, pixel) in interleaved.as_chunks::<CHANNELS>().0.iter().enumerate() {
        for (channel, &value) in pixel.iter().enumerate() {
            out[channel * size + at] = value;
        }
    }
}

#[cfg(test)]
mod tests;
