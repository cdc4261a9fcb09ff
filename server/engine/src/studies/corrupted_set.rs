//! Corrupted copies of NumPy images in CIFAR10-C's published layout: what `selectivity-lab corrupt` writes.

use std::io::Write;
use std::path::Path;

use npyz::WriterBuilder;
use protocol::Corruption;

use crate::EngineError;
use crate::base::files::write_atomically;
use crate::corruptions::Corruptor;
use crate::data::ImageSet;

/// Writes `corruption` of every image of `set` at each of `severities`, one severity after the other, as uint8
/// `[severities x images, height, width, 3]` into `path`, replacing an older file in one step.
///
/// # Errors
/// When the file cannot be written.
pub fn write_corrupted(
    set: &ImageSet,
    corruptor: &Corruptor,
    corruption: Corruption,
    severities: &[u8],
    path: &Path,
) -> Result<(), EngineError> {
    let images: Vec<&[u8]> = (0..set.len()).map(|index| set.image(index)).collect();
    let numbers: Vec<u64> = (0..set.len() as u64).collect();
    let (height, width) = (set.height(), set.width());
    let shape = [severities.len() * set.len(), height, width, 3].map(|side| side as u64);
    let interleaved = severities.iter().flat_map(|&severity| {
        let corrupted =
            corruptor.corrupt_all(corruption, severity, &numbers, &images, height, width);
        let area = height * width;
        let pixels = (0..corrupted.len() / 3).map(move |pixel| (pixel / area, pixel % area));
        pixels.flat_map(move |(image, at)| {
            [0, 1, 2].map(|channel| corrupted[(3 * image + channel) * area + at])
        })
    });
    write(path, &shape, interleaved)
}

/// Writes `labels` once for each of `severities` as uint8 (int64 where one does not fit) into `path`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_labels(labels: &[u32], severities: usize, path: &Path) -> Result<(), EngineError> {
    let all = labels.repeat(severities);
    let shape = [all.len() as u64];
    let small: Result<Vec<u8>, _> = all.iter().map(|&label| u8::try_from(label)).collect();
    match small {
        Ok(small) => write(path, &shape, small),
        Err(_) => write(path, &shape, all.into_iter().map(i64::from)),
    }
}

/// Writes an array of `shape` into `path`.
fn write<T: npyz::AutoSerialize>(
    path: &Path,
    shape: &[u64],
    values: impl IntoIterator<Item = T>,
) -> Result<(), EngineError> {
    let mut bytes = Vec::new();
    let fill = || {
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(&mut bytes as &mut dyn Write)
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    };
    fill().map_err(EngineError::file("cannot write", path))?;
    Ok(write_atomically(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{read_images, read_labels};
    use protocol::corruption::{ParameterTable, SEVERITIES};

    /// Breaks when the layout written is not the one read, or severities change places.
    #[test]
    fn what_is_written_is_read_back() {
        let pixels: Vec<u8> = (0..2 * 3 * 8 * 8).map(|at| (at * 7 % 256) as u8).collect();
        let set = ImageSet::new(pixels, vec![3, 1], 8, 8).unwrap();
        let corruptor = Corruptor::new(ParameterTable::Cifar10, 5);
        let folder = tempfile::tempdir().unwrap();
        let (images, labels) = (
            folder.path().join("contrast.npy"),
            folder.path().join("labels.npy"),
        );
        write_corrupted(&set, &corruptor, Corruption::Contrast, &SEVERITIES, &images).unwrap();
        write_labels(set.labels(), 5, &labels).unwrap();
        let labels = read_labels(&labels, 10).unwrap();
        assert_eq!(labels, [3, 1].repeat(5));
        let read = read_images(&images, labels).unwrap();
        let expected = corruptor.corrupt(Corruption::Contrast, 4, 1, set.image(1), 8, 8);
        assert_eq!(read.image(2 * 3 + 1), expected);
    }
}
