//! Data sets: from files, or a formula, to checked images in memory.
//!
//! [`list`] and [`describe`] say what is installed, from listings and headers. [`samples`] and
//! [`image_png`] show single images without loading the rest. [`load`] reads a whole set and checks
//! every image and label before anything is trained; what is wrong is a [`DataError`] that names
//! file and offset. [`split()`] then holds validation images out of the training set, and
//! [`augment()`] varies what is left.
//!
//! All of them take the data sets directory, in which a set has a folder of its own: the one of its
//! official archive, or one of any name for a person's own images. A new data set is one new file
//! that implements `Source`, one line in `source_of`, and its name in [`protocol::dataset`].

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};
use protocol::api::{DatasetInfo, DatasetStatus};
use protocol::corruption::ParameterTable;
use protocol::corruption_evaluation::{CorruptionConditions, CorruptionSource};
use protocol::{Corruption, Dataset};

use crate::corruptions::Corruptor;

mod augment;
mod builtin;
mod cifar10;
mod error;
mod files;
mod folder;
mod images;
mod npy;
mod published;
mod source;
mod split;
mod split_name;
mod tiny_imagenet;

pub use augment::{Pixel, augment, to_unit_interval, unit_values};
pub use error::DataError;
pub use images::{CHANNELS, ImageSet};
pub use npy::{npy_shape, read_images, read_labels};
pub use published::{CIFAR10_C, CleanImages, PublishedCorruptions, TINY_IMAGENET_C};
pub use split::{Split, split};
pub use split_name::{SplitName, UnknownSplit};

use source::Source;

/// A data set in memory.
#[derive(Debug, Clone)]
pub struct LoadedDataset {
    /// Images to train and validate on.
    pub train: ImageSet,
    /// Images to test on; of the same size.
    pub test: ImageSet,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Mean of each channel (red, green, blue) on the [0, 1] scale.
    pub mean: [f32; 3],
    /// Standard deviation of each channel on the [0, 1] scale, over 0.
    pub std: [f32; 3],
}

/// An image of a split and its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRef {
    /// Index within its split, as in [`load`].
    pub index: usize,
    /// Its label.
    pub label: u32,
}

/// Where each data set comes from.
fn source_of(dataset: &Dataset, directory: &Path) -> Box<dyn Source> {
    match dataset {
        Dataset::Builtin => Box::new(builtin::Builtin),
        Dataset::Cifar10 => Box::new(cifar10::Cifar10::new(directory)),
        Dataset::TinyImagenet => Box::new(tiny_imagenet::TinyImagenet::new(directory)),
        Dataset::Folder(name) => Box::new(folder::Folder::new(directory, name)),
    }
}

/// The source of a data set that is installed.
fn installed(dataset: &Dataset, directory: &Path) -> Result<Box<dyn Source>, DataError> {
    let source = source_of(dataset, directory);
    match source.path() {
        Some(path) if !path.is_dir() => Err(DataError::Missing {
            dataset: dataset.label(),
            path,
            advice: if source.is_fetchable() {
                format!("download it with `selectivity-lab data fetch {dataset}`")
            } else {
                "put its folder there, or choose another data set".to_owned()
            },
        }),
        _ => Ok(source),
    }
}

/// Reads a whole data set and checks every image and label. The published training images are
/// `train`, the published test images (Tiny ImageNet: validation images) are `test`. The result
/// does not depend on the number of threads.
///
/// # Errors
/// A [`DataError`] for the first thing that is wrong.
pub fn load(dataset: &Dataset, directory: &Path) -> Result<LoadedDataset, DataError> {
    let source = installed(dataset, directory)?;
    let classes = source.classes()?;
    let train = source.load(SplitName::Train)?;
    let test = source.load(SplitName::Test)?;
    let customary = source.customary_statistics();
    let (mean, std) = customary.unwrap_or_else(|| train.channel_statistics());
    Ok(LoadedDataset {
        train,
        test,
        classes,
        mean,
        std,
    })
}

/// The test images of a data set, and what is needed to run a network on them.
#[derive(Debug, Clone)]
pub struct TestSet {
    /// The images.
    pub images: ImageSet,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Mean of each channel (red, green, blue) on the [0, 1] scale.
    pub mean: [f32; 3],
    /// Standard deviation of each channel on the [0, 1] scale, over 0.
    pub std: [f32; 3],
}

/// Reads the test images of a data set, and the training images only where mean and standard deviation are measured on
/// them.
///
/// # Errors
/// A [`DataError`] for the first thing that is wrong.
pub fn test_set(dataset: &Dataset, directory: &Path) -> Result<TestSet, DataError> {
    let source = installed(dataset, directory)?;
    let (mean, std) = match source.customary_statistics() {
        Some(customary) => customary,
        None => source.load(SplitName::Train)?.channel_statistics(),
    };
    Ok(TestSet {
        images: source.load(SplitName::Test)?,
        classes: source.classes()?,
        mean,
        std,
    })
}

/// Whether a data set is installed, and what it holds, from listings, file lengths and headers
/// alone. A fault inside an image is found only by [`load`].
pub fn describe(dataset: &Dataset, directory: &Path) -> DatasetInfo {
    let (status, facts) = match installed(dataset, directory) {
        Err(_) => (DatasetStatus::Missing, None),
        Ok(source) => match source.facts() {
            Ok(facts) => (DatasetStatus::Installed, Some(facts)),
            Err(error) => {
                let message = error.to_string();
                (DatasetStatus::Broken { message }, None)
            }
        },
    };
    let source = source_of(dataset, directory);
    DatasetInfo {
        id: dataset.clone(),
        label: dataset.label(),
        description: source.description(),
        status,
        path: source.path().map(|path| path.display().to_string()),
        facts,
        fetchable: source.is_fetchable(),
        corrupted: published_folder(dataset).map(|folder| {
            if directory.join(folder).is_dir() {
                DatasetStatus::Installed
            } else {
                DatasetStatus::Missing
            }
        }),
    }
}

/// Folder, in the data sets directory, of the published corrupted copy of a data set's test images.
pub fn published_folder(dataset: &Dataset) -> Option<&'static str> {
    match dataset {
        Dataset::Cifar10 => Some(CIFAR10_C),
        Dataset::TinyImagenet => Some(TINY_IMAGENET_C),
        Dataset::Builtin | Dataset::Folder(_) => None,
    }
}

/// Every data set that could be used: the built-in one, those that can be fetched, and each folder
/// of the directory that has a `train` folder and a name of letters, digits, `.`, `_` and `-`, in
/// order of name.
pub fn list(directory: &Path) -> Vec<DatasetInfo> {
    // A directory that cannot be listed has no folders to offer; the known sets say what is wrong.
    let own = files::folders(directory)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| {
            ![
                cifar10::FOLDER,
                tiny_imagenet::FOLDER,
                CIFAR10_C,
                TINY_IMAGENET_C,
            ]
            .contains(&name.as_str())
        })
        .filter(|name| directory.join(name).join(folder::TRAIN).is_dir())
        .filter_map(|name| format!("folder:{name}").parse().ok());
    Dataset::KNOWN
        .into_iter()
        .chain(own)
        .map(|dataset| describe(&dataset, directory))
        .collect()
}

/// The first `per_class` images of each class of a split, class by class; fewer where a class has fewer.
///
/// # Errors
/// A [`DataError`] when the data set is missing, or its listing or labels are wrong.
pub fn samples(
    dataset: &Dataset,
    directory: &Path,
    split: SplitName,
    per_class: usize,
) -> Result<Vec<SampleRef>, DataError> {
    let source = installed(dataset, directory)?;
    let mut taken = vec![0; source.classes()?.len()];
    let mut chosen = Vec::new();
    for (index, label) in source.labels(split)?.into_iter().enumerate() {
        let taken = &mut taken[label as usize];
        if *taken < per_class {
            *taken += 1;
            chosen.push(SampleRef { index, label });
        }
    }
    chosen.sort_by_key(|sample| sample.label);
    Ok(chosen)
}

/// The test images of a data set, all of them checked.
///
/// # Errors
/// A [`DataError`] for the first thing that is wrong.
pub fn test_images(dataset: &Dataset, directory: &Path) -> Result<ImageSet, DataError> {
    installed(dataset, directory)?.load(SplitName::Test)
}

/// The label of every test image, without decoding the images.
///
/// # Errors
/// A [`DataError`] when the data set is missing, or its listing or labels are wrong.
pub fn test_labels(dataset: &Dataset, directory: &Path) -> Result<Vec<u32>, DataError> {
    installed(dataset, directory)?.labels(SplitName::Test)
}

/// One image of a split as PNG; `index` is as in [`load`]. Reads that image alone.
///
/// # Errors
/// A [`DataError`] when the data set is missing, there is no such image, or it does not decode.
pub fn image_png(
    dataset: &Dataset,
    directory: &Path,
    split: SplitName,
    index: usize,
) -> Result<Vec<u8>, DataError> {
    let picture = installed(dataset, directory)?.picture(split, index)?;
    png(&picture, index)
}

/// One corrupted test image as PNG; `index` is that of the clean test image. Reads that image alone. Frost that was
/// drawn with photographs needs `frost_photographs`, names of folders in `directory` of which one has them.
///
/// # Errors
/// As [`image_png`], when a published set is asked for that is not there or does not fit, and when photographs of frost
/// are not there or others than `conditions` say.
pub fn corrupted_image_png(
    dataset: &Dataset,
    directory: &Path,
    conditions: CorruptionConditions,
    frost_photographs: &[String],
    corruption: Corruption,
    severity: u8,
    index: usize,
) -> Result<Vec<u8>, DataError> {
    let source = installed(dataset, directory)?;
    let mut picture = source.picture(SplitName::Test, index)?;
    let (height, width) = (picture.height, picture.width);
    picture.pixels = match conditions.source {
        CorruptionSource::Generated => {
            let table = ParameterTable::for_size(height, width);
            let names = frost_photographs.iter();
            let folders: Vec<_> = names.map(|name| directory.join(name)).collect();
            let corruptor = Corruptor::of_conditions(conditions, table, corruption, &folders)?;
            let pixels = &picture.pixels;
            corruptor.corrupt(corruption, severity, index as u64, pixels, height, width)
        }
        CorruptionSource::Published => {
            let labels = source.labels(SplitName::Test)?;
            let clean = CleanImages {
                labels: &labels,
                height,
                width,
            };
            PublishedCorruptions::open(dataset, directory, clean, &[corruption], &[severity])?
                .images(corruption, severity, &[index])?
        }
    };
    png(&picture, index)
}

/// One image of a split as numbers, `[3, height, width]` in [0, 1].
///
/// # Errors
/// As [`image_png`].
pub fn unit_image(
    dataset: &Dataset,
    directory: &Path,
    split: SplitName,
    index: usize,
) -> Result<Vec<f32>, DataError> {
    let picture = installed(dataset, directory)?.picture(split, index)?;
    Ok(unit_values(&picture.pixels))
}

/// `values` `[3, height, width]`, of the size of the data set's images, as PNG: clipped to [0, 1] and rounded.
///
/// # Errors
/// When the data set is missing, or there are not as many values.
pub fn unit_image_png(
    dataset: &Dataset,
    directory: &Path,
    values: &[f32],
) -> Result<Vec<u8>, DataError> {
    let (height, width) = installed(dataset, directory)?.size()?;
    values_png(values, height, width)
}

/// Values `[3, height, width]` in [0, 1] as PNG.
///
/// # Errors
/// When there are not as many values.
pub fn values_png(values: &[f32], height: usize, width: usize) -> Result<Vec<u8>, DataError> {
    if values.len() != CHANNELS * height * width {
        return Err(DataError::Inconsistent {
            pixels: values.len(),
            labels: 1,
            height,
            width,
        });
    }
    let pixels = values
        .iter()
        .map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect();
    let picture = source::Picture {
        pixels,
        height,
        width,
    };
    png(&picture, 0)
}

fn png(picture: &source::Picture, index: usize) -> Result<Vec<u8>, DataError> {
    let size = picture.height * picture.width;
    let image = RgbImage::from_fn(picture.width as u32, picture.height as u32, |x, y| {
        let at = y as usize * picture.width + x as usize;
        image::Rgb(std::array::from_fn(|channel| {
            picture.pixels[channel * size + at]
        }))
    });
    let mut png = Cursor::new(Vec::new());
    match image.write_to(&mut png, ImageFormat::Png) {
        Ok(()) => Ok(png.into_inner()),
        Err(error) => Err(DataError::Unencodable {
            index,
            problem: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests;
