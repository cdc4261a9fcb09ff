//! What can be wrong with a data set: where, what was expected, and what to do.

use std::path::{Path, PathBuf};

/// A data set cannot be used. Every message names the file, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The data set is not installed.
    #[error("{dataset} is not installed: {} does not exist; {advice}", path.display())]
    Missing {
        /// What a person calls the data set.
        dataset: String,
        /// The file or folder that was looked for.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}; check that it exists and that this user may read it", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A binary file has the wrong length, so its records are not where they should be.
    #[error(
        "{} has {found} bytes instead of {expected}: it departs from its layout at byte offset {offset}; fetch the data set again",
        path.display()
    )]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Where the first incomplete record begins, or the surplus does, in bytes from the start.
        offset: u64,
        /// The length that the layout asks for, in bytes.
        expected: u64,
        /// The length found, in bytes.
        found: u64,
    },
    /// A label byte names no class.
    #[error(
        "{} has label {found} at byte offset {offset}, where 0 to {maximum} was expected; fetch the data set again",
        path.display()
    )]
    WrongLabel {
        /// The file.
        path: PathBuf,
        /// Where the label is, in bytes from the start.
        offset: u64,
        /// The largest label there is.
        maximum: u8,
        /// The label found.
        found: u8,
    },
    /// A line of a text file does not say what it should.
    #[error("{}, line {line} (byte offset {offset}): {problem}; {advice}", path.display())]
    WrongLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Where the line begins, in bytes from the start.
        offset: u64,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// A class that one part of the data set has is missing from another.
    #[error("class `{class}` is missing: {} does not exist or names no such class; {advice}", path.display())]
    MissingClass {
        /// The class.
        class: String,
        /// The folder or file where it was expected.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// There is a class that should not be there.
    #[error("{} belongs to no class of the data set; {advice}", path.display())]
    UnexpectedClass {
        /// The folder that was found.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// A class has no image.
    #[error("class `{class}` has no image in {}; add images ({extensions}) or remove the class from every split", path.display())]
    EmptyClass {
        /// The class.
        class: String,
        /// The folder where images were expected.
        path: PathBuf,
        /// The file name endings that count as images.
        extensions: &'static str,
    },
    /// There are not enough classes to speak of class selectivity.
    #[error("{} names {found} classes; class selectivity needs at least 2", path.display())]
    TooFewClasses {
        /// The folder or file that lists the classes.
        path: PathBuf,
        /// How many classes it lists.
        found: usize,
    },
    /// An image file does not decode.
    #[error("{} does not decode as an image: {problem}; replace or remove it", path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The decoder's error, with the byte offset where that is known.
        problem: String,
    },
    /// An image has another size than the first one.
    #[error(
        "{} is {found_width}x{found_height} pixels, but {} is {expected_width}x{expected_height}; resize all images of the data set to one size",
        path.display(), first.display()
    )]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// The first file, which sets the size.
        first: PathBuf,
        /// Width of the first image in pixels.
        expected_width: u32,
        /// Height of the first image in pixels.
        expected_height: u32,
        /// Width found, in pixels.
        found_width: u32,
        /// Height found, in pixels.
        found_height: u32,
    },
    /// A published corrupted set does not match the clean images, or is not as it was published.
    #[error("{} {problem}; fetch it again, or use generated corruptions", path.display())]
    WrongArray {
        /// The file or folder.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
    },
    /// A corrupted image could not be drawn.
    #[error(transparent)]
    Corruption(#[from] crate::corruptions::CorruptionError),
    /// The images do not fit into memory.
    #[error("{images} images of {width}x{height} pixels need {} MiB of memory, more than there is; use smaller or fewer images", bytes >> 20)]
    TooLarge {
        /// How many images there are.
        images: usize,
        /// Image width in pixels.
        width: usize,
        /// Image height in pixels.
        height: usize,
        /// Bytes asked for.
        bytes: usize,
    },
    /// Pixels, labels and size do not belong together.
    #[error(
        "{pixels} pixel bytes and {labels} labels are not images of 3x{height}x{width} bytes with one label each; pass matching arrays"
    )]
    Inconsistent {
        /// Bytes of pixels.
        pixels: usize,
        /// Labels.
        labels: usize,
        /// Image height in pixels.
        height: usize,
        /// Image width in pixels.
        width: usize,
    },
    /// A label is out of range for the number of classes.
    #[error(
        "image {index} has label {label}, but there are {classes} classes, counted from 0; check the labels"
    )]
    LabelOutOfRange {
        /// Index of the image.
        index: usize,
        /// Its label.
        label: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// A class has fewer images than a split asks for.
    #[error(
        "class {class} (counted from 0) has {found} training images, but {validation} for validation and {train} to train on were asked for; lower validation_images_per_class or train_images_per_class, or add images"
    )]
    TooFewImages {
        /// Label of the class.
        class: u32,
        /// Images it has.
        found: usize,
        /// Validation images asked for.
        validation: usize,
        /// Training images asked for; at least 1 when all remaining ones were.
        train: usize,
    },
    /// There is no image with this index.
    #[error("the {split} images are numbered 0 to {}; there is no {index}", *images as i64 - 1)]
    NoSuchImage {
        /// The split, `train` or `test`.
        split: super::SplitName,
        /// The index asked for.
        index: usize,
        /// How many images the split has.
        images: usize,
    },
    /// There is no split with this name.
    #[error(transparent)]
    UnknownSplit(#[from] super::UnknownSplit),
    /// An array of images or labels could not be used.
    #[error("{}: {reason}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
    /// An image could not be written as PNG.
    #[error("cannot encode image {index} as PNG: {problem}; report this as a fault of the program")]
    Unencodable {
        /// Index of the image.
        index: usize,
        /// The encoder's error.
        problem: String,
    },
}

impl DataError {
    /// Wraps the system's error about a file or folder that cannot be read.
    pub(super) fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> DataError + '_ {
        move |source| DataError::Unreadable {
            path: path.to_owned(),
            source,
        }
    }
}
