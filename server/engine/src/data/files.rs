//! Image files: listing, decoding and checking them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ImageReader, RgbImage};
use rayon::prelude::*;

use super::images::to_planes;
use super::source::Picture;
use super::{CHANNELS, DataError, ImageSet, SplitName};

/// File name endings that count as images, whatever their case.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The same for messages.
pub(super) const EXTENSIONS_TEXT: &str = ".png, .jpg, .jpeg";

/// An image file and its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelledFile {
    pub path: PathBuf,
    pub label: u32,
}

/// Names in a folder that do not begin with a dot, sorted, and whether each is a folder itself.
fn entries(folder: &Path) -> Result<Vec<(OsString, bool)>, DataError> {
    let unreadable = DataError::unreadable(folder);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(&unreadable)? {
        let entry = entry.map_err(&unreadable)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(&unreadable)?;
        // A link counts as what it points to.
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        entries.push((name, is_folder));
    }
    entries.sort_unstable();
    Ok(entries)
}

/// The folders in a folder, sorted by name.
pub(super) fn folders(folder: &Path) -> Result<BTreeSet<OsString>, DataError> {
    let entries = entries(folder)?.into_iter();
    Ok(entries
        .filter_map(|(name, is_folder)| is_folder.then_some(name))
        .collect())
}

/// The image files in a folder, sorted by name.
pub(super) fn images(folder: &Path) -> Result<BTreeSet<OsString>, DataError> {
    let is_image = |name: &OsString| {
        Path::new(name)
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| {
                EXTENSIONS
                    .iter()
                    .any(|known| extension.eq_ignore_ascii_case(known))
            })
    };
    let entries = entries(folder)?.into_iter();
    Ok(entries
        .filter_map(|(name, is_folder)| (!is_folder && is_image(&name)).then_some(name))
        .collect())
}

/// The image files of one class, sorted by name; at least one.
pub(super) fn class_images(
    folder: &Path,
    class: &str,
    label: u32,
) -> Result<Vec<LabelledFile>, DataError> {
    let names = images(folder)?;
    if names.is_empty() {
        return Err(DataError::EmptyClass {
            class: class.to_owned(),
            path: folder.to_owned(),
            extensions: EXTENSIONS_TEXT,
        });
    }
    let labelled = |name| LabelledFile {
        path: folder.join(name),
        label,
    };
    Ok(names.into_iter().map(labelled).collect())
}

/// Height and width of an image, from its header.
pub(super) fn size(path: &Path) -> Result<(usize, usize), DataError> {
    let (width, height) = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(DataError::unreadable(path))?
        .into_dimensions()
        .map_err(|error| DataError::Undecodable {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
    Ok((height as usize, width as usize))
}

/// Decodes one file. Greyscale and palettes become RGB, transparency is dropped.
fn decode(path: &Path) -> Result<RgbImage, DataError> {
    let bytes = fs::read(path).map_err(DataError::unreadable(path))?;
    let undecodable = |problem| DataError::Undecodable {
        path: path.to_owned(),
        problem,
    };
    if is_cut_jpeg(&bytes) {
        return Err(undecodable(format!(
            "it is cut off at byte offset {}, before the JPEG's end marker",
            bytes.len()
        )));
    }
    ImageReader::new(Cursor::new(&bytes))
        .with_guessed_format()
        .map_err(|source| undecodable(source.to_string()))?
        .decode()
        .map(|image| image.into_rgb8())
        .map_err(|error| undecodable(format!("{error} (the file has {} bytes)", bytes.len())))
}

/// Whether a JPEG ends before its end marker. The decoder would fill the rest with grey in silence.
fn is_cut_jpeg(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return false;
    }
    // Walk the segments, so that an end marker inside one (a thumbnail's) does not count. Each is
    // 0xFF, a kind, and a length of two bytes that counts itself.
    let mut at = 2;
    while let Some(&[0xFF, kind, high, low]) = bytes.get(at..at + 4) {
        if kind == START_OF_SCAN {
            return !bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    // Cut off inside a header, or one that the decoder must judge: fill bytes before a marker.
    at >= bytes.len()
}

/// One image by itself.
pub(super) fn picture(path: &Path) -> Result<Picture, DataError> {
    let image = decode(path)?;
    let mut pixels = vec![0; image.as_raw().len()];
    to_planes(image.as_raw(), &mut pixels);
    Ok(Picture {
        pixels,
        height: image.height() as usize,
        width: image.width() as usize,
    })
}

/// The image of one of the `files` of a split.
pub(super) fn picture_at(
    files: &[LabelledFile],
    split: SplitName,
    index: usize,
) -> Result<Picture, DataError> {
    match files.get(index) {
        Some(file) => picture(&file.path),
        None => Err(DataError::NoSuchImage {
            split,
            index,
            images: files.len(),
        }),
    }
}

/// The label of every file.
pub(super) fn labels(files: &[LabelledFile]) -> Vec<u32> {
    files.iter().map(|file| file.label).collect()
}

/// Decodes every file, in parallel, straight into place. `first` sets the size for all of them, so
/// that every split has one. When several files are at fault, the first in order is named.
pub(super) fn load(files: &[LabelledFile], first: &Path) -> Result<ImageSet, DataError> {
    let (height, width) = size(first)?;
    let image_len = CHANNELS * height * width;
    let too_large = |bytes| DataError::TooLarge {
        images: files.len(),
        width,
        height,
        bytes,
    };
    let bytes = files
        .len()
        .checked_mul(image_len)
        .ok_or_else(|| too_large(usize::MAX))?;
    let mut pixels = Vec::new();
    pixels
        .try_reserve_exact(bytes)
        .map_err(|_| too_large(bytes))?;
    pixels.resize(bytes, 0);

    let fault = pixels
        .par_chunks_exact_mut(image_len)
        .zip(files)
        .map(|(out, file)| {
            let image = decode(&file.path)?;
            if (image.height() as usize, image.width() as usize) != (height, width) {
                return Err(DataError::WrongSize {
                    path: file.path.clone(),
                    first: first.to_owned(),
                    expected_width: width as u32,
                    expected_height: height as u32,
                    found_width: image.width(),
                    found_height: image.height(),
                });
            }
            to_planes(image.as_raw(), out);
            Ok(())
        })
        .find_map_first(Result::err);
    match fault {
        Some(error) => Err(error),
        None => ImageSet::new(pixels, labels(files), height, width),
    }
}
