//! The natural corruptions of CIFAR10-C and Tiny ImageNet-C, drawn by this program.
//!
//! Hendrycks & Dietterich ("Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", 2019)
//! measure a network by what it makes of images with noise, blur, weather and digital artefacts, in five
//! severities. They publish corrupted test sets, and the generator that made them with NumPy, SciPy, scikit-image,
//! OpenCV, Pillow and ImageMagick. This module is that generator: the same formulas and parameters, down to where
//! each of these libraries truncates, rounds, and what it thinks lies outside an image. Where chance plays no part
//! its images equal the published ones; elsewhere their statistics do.
//!
//! Read in this order: [`Corruptor`] is the way in. Each corruption is a file of its name, with its parameters for
//! both sets, and a line in the list `CORRUPTIONS`: a new one is one new file and one line there (and its name in
//! [`protocol::corruption::Corruption`]). What several share is in small files: `picture` (bytes and floats), `border` (what
//! lies outside), `gaussian`, `motion`, `zoom`, `resize` (filters), `colour`, `plasma`, `edges`, `jpeg`, and
//! `frost_texture` and `crystals` for the one ingredient that is not a formula.
//!
//! Images are `[3, height, width]` bytes, red plane first, of any size from 1x1 on. Below about 8x8 pixels some
//! corruptions have nothing to work with and return the image as it is.

mod border;
mod colour;
mod crystals;
mod draw;
mod edges;
mod frost_texture;
mod gaussian;
mod jpeg;
mod motion;
mod picture;
mod plasma;
mod resize;
mod zoom;

mod brightness;
mod contrast;
mod defocus_blur;
mod elastic_transform;
mod fog;
mod frost;
mod gaussian_blur;
mod gaussian_noise;
mod glass_blur;
mod impulse_noise;
mod jpeg_compression;
mod motion_blur;
mod pixelate;
mod saturate;
mod shot_noise;
mod snow;
mod spatter;
mod speckle_noise;
mod zoom_blur;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use protocol::corruption::{
    Corruption, FrostFingerprint, JpegStep, PUBLISHED_JPEG_QUALITY, ParameterTable, SEVERITIES,
};
use protocol::corruption_evaluation::{CorruptionConditions, CorruptionSource};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

pub use frost_texture::CorruptionError;
use frost_texture::FrostTextures;
use picture::Picture;

/// Every corruption with its function, in any order.
const CORRUPTIONS: [(Corruption, CorruptionFunction); 19] = [
    (Corruption::GaussianNoise, gaussian_noise::apply),
    (Corruption::ShotNoise, shot_noise::apply),
    (Corruption::ImpulseNoise, impulse_noise::apply),
    (Corruption::DefocusBlur, defocus_blur::apply),
    (Corruption::GlassBlur, glass_blur::apply),
    (Corruption::MotionBlur, motion_blur::apply),
    (Corruption::ZoomBlur, zoom_blur::apply),
    (Corruption::Snow, snow::apply),
    (Corruption::Frost, frost::apply),
    (Corruption::Fog, fog::apply),
    (Corruption::Brightness, brightness::apply),
    (Corruption::Contrast, contrast::apply),
    (Corruption::ElasticTransform, elastic_transform::apply),
    (Corruption::Pixelate, pixelate::apply),
    (Corruption::JpegCompression, jpeg_compression::apply),
    (Corruption::SpeckleNoise, speckle_noise::apply),
    (Corruption::GaussianBlur, gaussian_blur::apply),
    (Corruption::Spatter, spatter::apply),
    (Corruption::Saturate, saturate::apply),
];

/// Writes the corrupted picture to the bytes, which have its shape. All chance comes from the generator.
type CorruptionFunction = fn(Picture<'_>, Setting<'_>, &mut ChaCha8Rng, &mut [u8]);

/// How strongly, and with what, an image is corrupted.
#[derive(Clone, Copy)]
struct Setting<'a> {
    table: ParameterTable,
    severity: u8,
    frost: &'a FrostTextures,
}

impl Setting<'_> {
    /// The parameters of its table and severity.
    fn choose<T: Copy>(self, cifar10: &[T; 5], tiny_imagenet: &[T; 5]) -> T {
        let rows = match self.table {
            ParameterTable::Cifar10 => cifar10,
            ParameterTable::TinyImagenet => tiny_imagenet,
        };
        rows[usize::from(self.severity) - 1]
    }
}

/// How corruptions are drawn for one set of images.
///
/// A corrupted image is a function of seed, table, JPEG step, photographs of frost, corruption, severity, the image and
/// its index in its set, and of nothing else: neither of the other images nor of the number of threads.
#[derive(Debug, Clone)]
pub struct Corruptor {
    table: ParameterTable,
    seed: u64,
    jpeg: bool,
    frost: FrostTextures,
}

impl Corruptor {
    /// Corruptions with the parameters of `table`, all chance drawn from `seed`, frost from procedural textures, saved as
    /// the table's set was published: Tiny ImageNet-C's images as JPEG files (quality 85, 4:2:0), CIFAR10-C's without
    /// loss.
    pub fn new(table: ParameterTable, seed: u64) -> Self {
        Corruptor {
            table,
            seed,
            jpeg: JpegStep::default().applies(table),
            frost: FrostTextures::Procedural(table),
        }
    }

    /// The same with the JPEG step that was asked for.
    pub fn with_jpeg_step(mut self, step: JpegStep) -> Self {
        self.jpeg = step.applies(self.table);
        self
    }

    /// Corruptions with the parameters of `table`, drawn as `conditions` record. Photographs of frost are looked for in
    /// `folders`, for `corruption` frost alone: no other corruption needs them.
    ///
    /// # Errors
    /// As [`Corruptor::with_frost_photographs`], and when no folder is known or none holds the right photographs.
    pub fn of_conditions(
        conditions: CorruptionConditions,
        table: ParameterTable,
        corruption: Corruption,
        folders: &[PathBuf],
    ) -> Result<Self, CorruptionError> {
        let mut corruptor = Corruptor::new(table, conditions.corruption_seed);
        corruptor.jpeg = conditions.jpeg;
        let Some(expected) = conditions.frost.filter(|_| corruption == Corruption::Frost) else {
            return Ok(corruptor);
        };
        let mut problem = CorruptionError::UnknownFolder(expected);
        for path in folders {
            match FrostTextures::photographs(path, table) {
                Ok(frost) if frost.fingerprint() == Some(expected) => {
                    return Ok(Corruptor { frost, ..corruptor });
                }
                Ok(_) => {
                    problem = CorruptionError::OtherPhotographs {
                        path: path.clone(),
                        expected,
                    };
                }
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    /// The conditions of a measurement on `images` images that this draws.
    pub fn conditions(&self, images: u32) -> CorruptionConditions {
        CorruptionConditions {
            source: CorruptionSource::Generated,
            corruption_seed: self.seed,
            images,
            jpeg: self.jpeg,
            frost: self.frost_fingerprint(),
        }
    }

    /// The fingerprint of the photographs of frost; none for procedural textures.
    pub fn frost_fingerprint(&self) -> Option<FrostFingerprint> {
        self.frost.fingerprint()
    }

    /// The same with photographs of frost: the first five PNG or JPEG files of `folder` by name, as the published
    /// generator takes its own.
    ///
    /// # Errors
    /// When the folder or a photograph cannot be read, when there is none, or when one is smaller than the images
    /// that the parameters were made for (see [`Corruptor::check_frost`] for other sizes).
    pub fn with_frost_photographs(
        mut self,
        folder: impl AsRef<Path>,
    ) -> Result<Self, CorruptionError> {
        self.frost = FrostTextures::photographs(folder.as_ref(), self.table)?;
        Ok(self)
    }

    /// Whether the textures of frost cover images of `height` x `width` pixels. They are tiled where they do not.
    ///
    /// # Errors
    /// When a photograph of frost is, scaled, not larger than the images. Procedural textures tile without seams.
    pub fn check_frost(&self, height: usize, width: usize) -> Result<(), CorruptionError> {
        self.frost.check(height, width)
    }

    /// `image` `[3, height, width]`, red plane first, corrupted: bytes of the same shape.
    ///
    /// `severity` is 1 to 5; `index` is the image's index in its set.
    ///
    /// # Panics
    /// When `severity` is none of [`SEVERITIES`], or `image` is empty or has not `3 * height * width` values.
    pub fn corrupt(
        &self,
        corruption: Corruption,
        severity: u8,
        index: u64,
        image: &[u8],
        height: usize,
        width: usize,
    ) -> Vec<u8> {
        let mut out = vec![0; image.len()];
        let picture = Picture {
            pixels: image,
            height,
            width,
        };
        self.prepare(corruption, severity)
            .apply(index, picture, &mut out);
        out
    }

    /// Many images at once, on all threads of the current pool: each of `images` is `[3, height, width]`, and the
    /// result is `[images, 3, height, width]`. Image `i` has `indices[i]` in its set.
    ///
    /// # Panics
    /// As [`Corruptor::corrupt`], and when `indices` and `images` differ in length.
    pub fn corrupt_all(
        &self,
        corruption: Corruption,
        severity: u8,
        indices: &[u64],
        images: &[&[u8]],
        height: usize,
        width: usize,
    ) -> Vec<u8> {
        assert_eq!(indices.len(), images.len(), "every image has an index");
        let prepared = self.prepare(corruption, severity);
        let values = 3 * height * width;
        assert!(values > 0, "an image has at least one pixel");
        let mut out = vec![0; images.len() * values];
        out.par_chunks_exact_mut(values)
            .zip(indices.par_iter().zip(images.par_iter()))
            .with_min_len(8)
            .for_each(|(out, (&index, pixels))| {
                prepared.apply(
                    index,
                    Picture {
                        pixels,
                        height,
                        width,
                    },
                    out,
                );
            });
        out
    }

    /// A corruption at a severity, with its random generator.
    fn prepare(&self, corruption: Corruption, severity: u8) -> Prepared<'_> {
        assert!(
            SEVERITIES.contains(&severity),
            "severities are 1 to 5; {severity} is none"
        );
        let (_, function) = CORRUPTIONS
            .into_iter()
            .find(|(known, _)| *known == corruption)
            .expect("every corruption has its line in CORRUPTIONS");
        Prepared {
            function,
            setting: Setting {
                table: self.table,
                severity,
                frost: &self.frost,
            },
            jpeg: self.jpeg,
            random: generator(self.seed, corruption, severity),
        }
    }
}

/// The random generator of a corruption at a severity; images have streams of it.
///
/// It is keyed by the corruption's name, so that a new corruption does not change what others draw.
fn generator(seed: u64, corruption: Corruption, severity: u8) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = severity;
    for (byte, letter) in key[9..].iter_mut().zip(corruption.id().bytes()) {
        *byte = letter;
    }
    ChaCha8Rng::from_seed(key)
}

/// A corruption at a severity.
struct Prepared<'a> {
    function: CorruptionFunction,
    setting: Setting<'a>,
    jpeg: bool,
    random: ChaCha8Rng,
}

impl Prepared<'_> {
    /// Writes the corrupted picture of this index to `out`.
    fn apply(&self, index: u64, picture: Picture<'_>, out: &mut [u8]) {
        let values = 3 * picture.area();
        assert!(values > 0, "an image has at least one pixel");
        assert_eq!(
            picture.pixels.len(),
            values,
            "an image has 3 * height * width values"
        );
        let mut random = self.random.clone();
        random.set_stream(index);
        if !self.jpeg {
            return (self.function)(picture, self.setting, &mut random, out);
        }
        let mut corrupted = vec![0; values];
        (self.function)(picture, self.setting, &mut random, &mut corrupted);
        let picture = Picture {
            pixels: &corrupted,
            ..picture
        };
        jpeg::compressed(picture, PUBLISHED_JPEG_QUALITY.into(), out);
    }
}
