//! Textures of frost: procedural ones, or a user's photographs.
//!
//! The published generator lays photographs of ice crystals over images. They are not this project's to ship, so the
//! default is a procedural texture of the same statistics; a user who has the photographs names their folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use md5::{Digest, Md5};
use protocol::corruption::{FrostFingerprint, ParameterTable};

use super::{crystals, resize};

/// The factor by which photographs are scaled for CIFAR10-C.
pub(super) const CIFAR10_SCALE: f64 = 0.2;
/// As [`CIFAR10_SCALE`], for Tiny ImageNet-C.
pub(super) const TINY_IMAGENET_SCALE: f64 = 0.3;

/// Photographs taken from a folder.
const PHOTOGRAPHS: usize = 5;

/// Why photographs of frost could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CorruptionError {
    /// The folder cannot be listed.
    #[error(
        "the folder of frost photographs {path} cannot be read: {source}; put the photographs there, link their folder there, or use the drawn texture",
        path = path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Nothing in the folder is a photograph.
    #[error(
        "no frost photograph in {path}: it has no .png, .jpg or .jpeg file; put some there, or use the drawn texture",
        path = path.display()
    )]
    NoPhotograph {
        /// The folder.
        path: PathBuf,
    },
    /// A photograph cannot be decoded.
    #[error("the frost photograph {path} cannot be read: {source}", path = path.display())]
    Photograph {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: image::ImageError,
    },
    /// The photographs are not those that images were drawn with.
    #[error(
        "the frost photographs in {path} are others than the image was drawn with (fingerprint {expected}); put the first ones back to see it",
        path = path.display()
    )]
    OtherPhotographs {
        /// The folder.
        path: PathBuf,
        /// Fingerprint of those that the image was drawn with.
        expected: FrostFingerprint,
    },
    /// Images were drawn with photographs, and nothing says where those are.
    #[error(
        "the image was drawn with frost photographs (fingerprint {0}), and their folder is not known: no evaluation of the run names it"
    )]
    UnknownFolder(FrostFingerprint),
    /// A photograph does not cover an image.
    #[error(
        "a frost photograph is {have_height}x{have_width} pixels when scaled by {scale}; images of {height}x{width} need a larger one"
    )]
    SmallPhotograph {
        /// Its height, scaled.
        have_height: usize,
        /// Its width, scaled.
        have_width: usize,
        /// The factor it was scaled by.
        scale: f64,
        /// Height of the images.
        height: usize,
        /// Width of the images.
        width: usize,
    },
}

/// One texture, `[3, height, width]`, red plane first. It goes on beyond its edges by repeating itself.
#[derive(Debug, Clone)]
pub(super) struct Texture {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    pixels: Vec<u8>,
}

impl Texture {
    /// A channel's row from column `left` on, without end.
    pub fn row(&self, channel: usize, y: usize, left: usize) -> impl Iterator<Item = u8> + Clone {
        let start = (channel * self.height + y % self.height) * self.width;
        self.pixels[start..][..self.width]
            .iter()
            .copied()
            .cycle()
            .skip(left % self.width)
    }
}

/// The textures that [`super::frost`] takes crops of.
#[derive(Debug, Clone)]
pub(super) enum FrostTextures {
    /// Procedural ones, made when first used, of the size that the photographs have when scaled for this table.
    Procedural(ParameterTable),
    /// A user's.
    Photographs {
        /// Already scaled.
        textures: Arc<[Texture]>,
        /// The factor they were scaled by.
        scale: f64,
        /// The fingerprint of their files.
        fingerprint: FrostFingerprint,
    },
}

impl FrostTextures {
    /// The photographs of a folder, scaled for `table`.
    pub fn photographs(folder: &Path, table: ParameterTable) -> Result<Self, CorruptionError> {
        let (scale, side) = match table {
            ParameterTable::Cifar10 => (CIFAR10_SCALE, 32),
            ParameterTable::TinyImagenet => (TINY_IMAGENET_SCALE, 64),
        };
        let mut sum = Md5::new();
        let textures = photograph_paths(folder)?
            .into_iter()
            .map(|path| {
                let failed = |source: std::io::Error| CorruptionError::Photograph {
                    path: path.clone(),
                    source: source.into(),
                };
                let file = std::fs::read(&path).map_err(failed)?;
                // With each length, so that no two lists of files run into the same bytes.
                sum.update((file.len() as u64).to_le_bytes());
                sum.update(&file);
                photograph(&path, &file, scale)
            })
            .collect::<Result<Arc<[Texture]>, _>>()?;
        let mut first = [0; 8];
        first.copy_from_slice(&sum.finalize()[..8]);
        let textures = FrostTextures::Photographs {
            textures,
            scale,
            fingerprint: FrostFingerprint(u64::from_be_bytes(first)),
        };
        textures.check(side, side)?;
        Ok(textures)
    }

    /// The fingerprint of the photographs' files; none for procedural textures.
    pub fn fingerprint(&self) -> Option<FrostFingerprint> {
        match self {
            FrostTextures::Procedural(_) => None,
            FrostTextures::Photographs { fingerprint, .. } => Some(*fingerprint),
        }
    }

    /// All textures.
    pub fn textures(&self) -> &[Texture] {
        static CIFAR10: LazyLock<Vec<Texture>> = LazyLock::new(|| procedural(256));
        static TINY_IMAGENET: LazyLock<Vec<Texture>> = LazyLock::new(|| procedural(384));
        match self {
            FrostTextures::Procedural(ParameterTable::Cifar10) => &CIFAR10,
            FrostTextures::Procedural(ParameterTable::TinyImagenet) => &TINY_IMAGENET,
            FrostTextures::Photographs { textures, .. } => textures,
        }
    }

    /// Whether every photograph is larger than images of `height` x `width` pixels.
    pub fn check(&self, height: usize, width: usize) -> Result<(), CorruptionError> {
        let FrostTextures::Photographs {
            textures, scale, ..
        } = self
        else {
            return Ok(());
        };
        let small = |texture: &&Texture| texture.height <= height || texture.width <= width;
        match textures.iter().find(small) {
            None => Ok(()),
            Some(texture) => Err(CorruptionError::SmallPhotograph {
                have_height: texture.height,
                have_width: texture.width,
                scale: *scale,
                height,
                width,
            }),
        }
    }
}

/// The first photographs of a folder by name.
fn photograph_paths(folder: &Path) -> Result<Vec<PathBuf>, CorruptionError> {
    let unreadable = |source| CorruptionError::Folder {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        if ["png", "jpg", "jpeg"].contains(&extension.to_ascii_lowercase().as_str()) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.truncate(PHOTOGRAPHS);
    if paths.is_empty() {
        return Err(CorruptionError::NoPhotograph {
            path: folder.to_owned(),
        });
    }
    Ok(paths)
}

/// The photograph of a file scaled by `scale`; `path` is where the file is.
fn photograph(path: &Path, file: &[u8], scale: f64) -> Result<Texture, CorruptionError> {
    let failed = |source| CorruptionError::Photograph {
        path: path.to_owned(),
        source,
    };
    let colours = image::load_from_memory(file).map_err(failed)?.into_rgb8();
    let from = (colours.height() as usize, colours.width() as usize);
    let mut pixels = Vec::new();
    let mut size = from;
    for channel in 0..3 {
        let plane: Vec<u8> = colours.pixels().map(|pixel| pixel.0[channel]).collect();
        let (scaled, to) = resize::scaled(&plane, from, scale);
        pixels.extend(scaled);
        size = to;
    }
    Ok(Texture {
        height: size.0,
        width: size.1,
        pixels,
    })
}

/// As many procedural textures as photographs, of `side` x `side` pixels.
fn procedural(side: usize) -> Vec<Texture> {
    (0..PHOTOGRAPHS)
        .map(|number| Texture {
            height: side,
            width: side,
            pixels: crystals::texture(number, side),
        })
        .collect()
}
