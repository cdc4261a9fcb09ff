//! The published corrupted test sets: CIFAR10-C and Tiny ImageNet-C (Hendrycks & Dietterich 2019).
//!
//! - `CIFAR-10-C/<corruption>.npy`: uint8 `[5 n, 32, 32, 3]`, n images of each severity in order, and
//!   `labels.npy`. The files are memory-mapped: a set of 2.9 GB takes no memory.
//! - `Tiny-ImageNet-C/<corruption>/<severity>/<wnid>/*.JPEG`: as many images of a class as the clean test set has. They
//!   were not made from the clean images (see [`PublishedCorruptions::is_matched`]): only their labels match.
//!
//! Everything a test needs is checked when the set is opened: a test that has begun does not end because
//! a file is missing or of the wrong shape.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use npyz::{NpyHeader, Order, TypeChar};
use protocol::Dataset;
use protocol::corruption::Corruption;

use super::files;
use super::images::to_planes;
use super::tiny_imagenet::TinyImagenet;
use super::{CHANNELS, DataError, ImageSet};

/// Folder of CIFAR10-C, in the data sets directory.
pub const CIFAR10_C: &str = "CIFAR-10-C";

/// Folder of Tiny ImageNet-C, in the data sets directory.
pub const TINY_IMAGENET_C: &str = "Tiny-ImageNet-C";

/// What a published set must fit: the clean test images' labels and size.
#[derive(Debug, Clone, Copy)]
pub struct CleanImages<'a> {
    /// The label of every image.
    pub labels: &'a [u32],
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl<'a> From<&'a ImageSet> for CleanImages<'a> {
    fn from(set: &'a ImageSet) -> Self {
        CleanImages {
            labels: set.labels(),
            height: set.height(),
            width: set.width(),
        }
    }
}

/// A published corrupted set, opened for particular clean images.
pub struct PublishedCorruptions {
    height: usize,
    width: usize,
    files: Files,
}

enum Files {
    /// One array per corruption.
    Arrays {
        arrays: BTreeMap<Corruption, Array>,
        /// Images per severity.
        images: usize,
    },
    /// The file of each clean image, by corruption and severity.
    Folders(BTreeMap<(Corruption, u8), Vec<PathBuf>>),
}

/// A memory-mapped array of images.
struct Array {
    map: Mmap,
    /// Where the pixels begin, in bytes.
    start: usize,
}

impl PublishedCorruptions {
    /// Opens the published set of `dataset` for `corruptions` at `severities`; `clean` is its whole test set.
    ///
    /// # Errors
    /// A [`DataError`] that names the file, and what was expected and found.
    pub fn open(
        dataset: &Dataset,
        directory: &Path,
        clean: CleanImages,
        corruptions: &[Corruption],
        severities: &[u8],
    ) -> Result<PublishedCorruptions, DataError> {
        let missing = |path: PathBuf, advice: &str| DataError::Missing {
            dataset: format!("the published corrupted set of {}", dataset.label()),
            path,
            advice: advice.to_owned(),
        };
        let fetch = "download it with `selectivity-lab data fetch`, link its folder there, or use generated corruptions";
        match dataset {
            Dataset::Cifar10 => {
                let folder = directory.join(CIFAR10_C);
                if !folder.is_dir() {
                    return Err(missing(folder, fetch));
                }
                Self::open_arrays(&folder, clean, corruptions)
            }
            Dataset::TinyImagenet => {
                let folder = directory.join(TINY_IMAGENET_C);
                if !folder.is_dir() {
                    return Err(missing(folder, fetch));
                }
                let source = TinyImagenet::new(directory);
                let wnids = source.wnids()?;
                let clean_files = source.test_files()?;
                Self::open_folders(
                    &folder,
                    clean,
                    &wnids,
                    &clean_files,
                    corruptions,
                    severities,
                )
            }
            Dataset::Builtin | Dataset::Folder(_) => Err(missing(
                directory.to_owned(),
                "only CIFAR-10 and Tiny ImageNet have one; use generated corruptions",
            )),
        }
    }

    /// Opens a folder in CIFAR10-C's layout whose clean images are `clean`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_arrays(
        folder: &Path,
        clean: CleanImages,
        corruptions: &[Corruption],
    ) -> Result<PublishedCorruptions, DataError> {
        check_labels(&folder.join("labels.npy"), clean)?;
        let shape = [clean.height, clean.width];
        let mut arrays = BTreeMap::new();
        for &corruption in corruptions {
            let path = folder.join(format!("{corruption}.npy"));
            arrays.insert(corruption, Array::open(path, clean.labels.len(), shape)?);
        }
        Ok(PublishedCorruptions {
            height: clean.height,
            width: clean.width,
            files: Files::Arrays {
                arrays,
                images: clean.labels.len(),
            },
        })
    }

    fn open_folders(
        folder: &Path,
        clean: CleanImages,
        wnids: &[String],
        clean_files: &[files::LabelledFile],
        corruptions: &[Corruption],
        severities: &[u8],
    ) -> Result<PublishedCorruptions, DataError> {
        // Places of each class in the test set, in order of file name.
        let mut places = vec![Vec::new(); wnids.len()];
        for (index, file) in clean_files.iter().enumerate() {
            places[file.label as usize].push((file.path.file_name(), index));
        }
        for places in &mut places {
            places.sort_unstable();
        }
        let mut folders = BTreeMap::new();
        for &corruption in corruptions {
            for &severity in severities {
                let folder = folder.join(corruption.id()).join(severity.to_string());
                let mut paths = vec![PathBuf::new(); clean_files.len()];
                for (wnid, places) in wnids.iter().zip(&places) {
                    let class = folder.join(wnid);
                    let names = files::images(&class)?;
                    if names.len() != places.len() {
                        return Err(DataError::WrongArray {
                            path: class,
                            problem: format!(
                                "holds {} images, but class {wnid} has {} in the clean test set",
                                names.len(),
                                places.len()
                            ),
                        });
                    }
                    for (name, (_, index)) in names.into_iter().zip(places) {
                        paths[*index] = class.join(name);
                    }
                }
                folders.insert((corruption, severity), paths);
            }
        }
        Ok(PublishedCorruptions {
            height: clean.height,
            width: clean.width,
            files: Files::Folders(folders),
        })
    }

    /// A set of no images, which like Tiny ImageNet-C's match no clean ones.
    #[cfg(test)]
    pub(crate) fn unmatched(height: usize, width: usize) -> PublishedCorruptions {
        PublishedCorruptions {
            height,
            width,
            files: Files::Folders(BTreeMap::new()),
        }
    }

    /// Whether each image was made from the clean image with its number. Tiny ImageNet-C's were not: they come from
    /// other crops of the photographs (its author in hendrycks/robustness, issue 39), and only their labels match.
    pub fn is_matched(&self) -> bool {
        matches!(self.files, Files::Arrays { .. })
    }

    /// Corrupted images `[images, 3, height, width]`, 0 to 255, with the labels of the clean ones at `indices`.
    ///
    /// # Errors
    /// When a file does not decode, or the set was not opened for this corruption and severity.
    pub fn images(
        &self,
        corruption: Corruption,
        severity: u8,
        indices: &[usize],
    ) -> Result<Vec<u8>, DataError> {
        let length = CHANNELS * self.height * self.width;
        let mut pixels = vec![0; indices.len() * length];
        let not_opened = || DataError::WrongArray {
            path: corruption.id().into(),
            problem: format!("severity {severity} was not opened"),
        };
        match &self.files {
            Files::Arrays { arrays, images } => {
                let array = arrays.get(&corruption).ok_or_else(not_opened)?;
                for (out, index) in pixels.chunks_exact_mut(length).zip(indices) {
                    let image = (usize::from(severity) - 1) * images + index;
                    let from = array.start + image * length;
                    to_planes(&array.map[from..from + length], out);
                }
            }
            Files::Folders(folders) => {
                let paths = folders
                    .get(&(corruption, severity))
                    .ok_or_else(not_opened)?;
                for (out, &index) in pixels.chunks_exact_mut(length).zip(indices) {
                    let picture = files::picture(&paths[index])?;
                    if (picture.height, picture.width) != (self.height, self.width) {
                        return Err(DataError::WrongArray {
                            path: paths[index].clone(),
                            problem: format!(
                                "is {}x{} pixels, the clean images are {}x{}",
                                picture.width, picture.height, self.width, self.height
                            ),
                        });
                    }
                    out.copy_from_slice(&picture.pixels);
                }
            }
        }
        Ok(pixels)
    }
}

impl Array {
    /// Maps `path`, which must hold 5 severities of `images` images.
    fn open(path: PathBuf, images: usize, [height, width]: [usize; 2]) -> Result<Array, DataError> {
        let (header, start, file) = open_npy(&path)?;
        let expected = [5 * images, height, width, CHANNELS];
        let shape: Vec<usize> = header.shape().iter().map(|&side| side as usize).collect();
        let plain = matches!(header.dtype(), npyz::DType::Plain(kind) if kind.type_char() == TypeChar::Uint && kind.size_field() == 1);
        if !plain || header.order() != Order::C || shape != expected {
            let problem = format!(
                "holds {} {shape:?}; expected uint8 {expected:?}, 5 severities of the {images} clean images",
                header.dtype().descr()
            );
            return Err(DataError::WrongArray { path, problem });
        }
        let map = map(&file).map_err(DataError::unreadable(&path))?;
        let length = start + expected.iter().product::<usize>();
        if map.len() != length {
            let problem = format!("has {} bytes, its header asks for {length}", map.len());
            return Err(DataError::WrongArray { path, problem });
        }
        Ok(Array { map, start })
    }
}

#[allow(unsafe_code)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: published sets are only read, here and by everything this program starts; somebody who
    // truncates one while it is in use ends the process that reads it, a worker, and nothing else.
    unsafe { Mmap::map(file) }
}

/// Header, offset of the data, and the file itself.
fn open_npy(path: &Path) -> Result<(NpyHeader, usize, File), DataError> {
    let unreadable = DataError::unreadable(path);
    let mut reader = BufReader::new(File::open(path).map_err(&unreadable)?);
    let header = NpyHeader::from_reader(&mut reader).map_err(|error| DataError::WrongArray {
        path: path.to_owned(),
        problem: format!("is no readable .npy file: {error}"),
    })?;
    let start = reader.stream_position().map_err(&unreadable)? as usize;
    Ok((header, start, reader.into_inner()))
}

/// The labels must be the clean images', once or for each severity.
fn check_labels(path: &Path, clean: CleanImages) -> Result<(), DataError> {
    let wrong = |problem: String| DataError::WrongArray {
        path: path.to_owned(),
        problem,
    };
    let labels = super::read_labels(path, usize::MAX).map_err(|error| wrong(error.to_string()))?;
    let images = clean.labels.len();
    if images == 0 || labels.is_empty() || labels.len() % images != 0 {
        return Err(wrong(format!(
            "holds {} labels, which is no multiple of the {images} clean images",
            labels.len()
        )));
    }
    for (index, &label) in labels.iter().enumerate() {
        let expected = clean.labels[index % images];
        if label != expected {
            return Err(wrong(format!(
                "label {index} is {label}, but that clean image has {expected}: it is of other images, or in another order"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
