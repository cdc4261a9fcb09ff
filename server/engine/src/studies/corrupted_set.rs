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
    let failed = |error: std::io::Error| EngineError::file("cannot write", path)(error);
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::<u8>::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut bytes as &mut dyn Write)
        .begin_nd()
        .map_err(failed)?;
    for &severity in severities {
        let corrupted =
            corruptor.corrupt_all(corruption, severity, &numbers, &images, height, width);
        for image in corrupted.chunks_exact(3 * height * width) {
            let area = height * width;
            let interleaved =
                (0..area).flat_map(|at| [image[at], image[area + at], image[2 * area + at]]);
            writer.extend(interleaved).map_err(failed)?;
        }
    }
    writer.finish().map_err(failed)?;
    Ok(write_atomically(path, &bytes)?)
}

/// Writes `labels` once for each of `severities` as uint8 (int64 where one does not fit) into `path`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_labels(labels: &[u32], severities: usize, path: &Path) -> Result<(), EngineError> {
    let failed = |error: std::io::Error| EngineError::file("cannot write", path)(error);
    let all = labels.repeat(severities);
    let shape = [all.len() as u64];
    let mut bytes = Vec::new();
    match all
        .iter()
        .map(|&label| u8::try_from(label))
        .collect::<Result<Vec<_>, _>>()
    {
        Ok(small) => write(&mut bytes, &shape, small).map_err(failed)?,
        Err(_) => {
            let wide: Vec<i64> = all.iter().map(|&label| i64::from(label)).collect();
            write(&mut bytes, &shape, wide).map_err(failed)?;
        }
    }
    Ok(write_atomically(path, &bytes)?)
}

fn write<T: npyz::AutoSerialize>(
    bytes: &mut Vec<u8>,
    shape: &[u64],
    values: Vec<T>,
) -> std::io::Result<()> {
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(bytes as &mut dyn Write)
        .begin_nd()?;
    writer.extend(values)?;
    writer.finish()
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
