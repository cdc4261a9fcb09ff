//! Images and labels from NumPy files, as CIFAR10-C is published.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use npyz::{NpyFile, TypeChar};

use crate::EngineError;
use crate::data::ImageSet;

/// Images from an `.npy` file, uint8 `[images, height, width, 3]`, with their labels.
///
/// # Errors
/// When the file is of another type or shape, is truncated, or there are not as many labels.
pub fn read_images(path: &Path, labels: Vec<u32>) -> Result<ImageSet, EngineError> {
    let refuse = refuse(path);
    let file = open(path)?;
    let shape: Vec<usize> = file.shape().iter().map(|&side| side as usize).collect();
    let &[images, height, width, 3] = shape.as_slice() else {
        return Err(refuse(format!(
            "has shape {shape:?}; expected [images, height, width, 3]"
        )));
    };
    if file.order() != npyz::Order::C {
        return Err(refuse(
            "is in Fortran order; save it with numpy.ascontiguousarray".into(),
        ));
    }
    if type_of(&file) != Some((TypeChar::Uint, 1)) {
        return Err(refuse(format!(
            "holds {}; expected uint8",
            file.dtype().descr()
        )));
    }
    let interleaved: Vec<u8> = file.into_vec().map_err(|error| refuse(error.to_string()))?;
    let area = height * width;
    let mut planes = vec![0_u8; interleaved.len()];
    for (from, to) in interleaved
        .chunks_exact(area * 3)
        .zip(planes.chunks_exact_mut(area * 3))
    {
        for (pixel, colours) in from.chunks_exact(3).enumerate() {
            for (channel, &colour) in colours.iter().enumerate() {
                to[channel * area + pixel] = colour;
            }
        }
    }
    let labels = match_labels(labels, images).map_err(refuse)?;
    Ok(ImageSet::new(planes, labels, height, width)?)
}

/// Shape of the array in an `.npy` file, from its header.
///
/// # Errors
/// When the file is no `.npy` file.
pub fn npy_shape(path: &Path) -> Result<Vec<usize>, EngineError> {
    let file = open(path)?;
    Ok(file.shape().iter().map(|&side| side as usize).collect())
}

/// Labels from an `.npy` file of whole numbers, `[labels]`, each 0 to `classes` - 1.
///
/// # Errors
/// When the file is of another type or shape, or a label is out of range; the label is named.
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<u32>, EngineError> {
    let refuse = refuse(path);
    let file = open(path)?;
    if file.shape().len() != 1 {
        return Err(refuse(format!(
            "has shape {:?}; expected [labels]",
            file.shape()
        )));
    }
    let failed = |error: std::io::Error| refuse(error.to_string());
    let labels: Vec<i64> = match type_of(&file) {
        Some((TypeChar::Uint, 1)) => widen(file.into_vec::<u8>().map_err(failed)?),
        Some((TypeChar::Int, 4)) => widen(file.into_vec::<i32>().map_err(failed)?),
        Some((TypeChar::Int, 8)) => file.into_vec::<i64>().map_err(failed)?,
        _ => {
            return Err(refuse(format!(
                "holds {}; expected uint8, int32 or int64",
                file.dtype().descr()
            )));
        }
    };
    labels
        .into_iter()
        .enumerate()
        .map(|(index, label)| {
            u32::try_from(label)
                .ok()
                .filter(|&label| (label as usize) < classes)
                .ok_or_else(|| {
                    refuse(format!(
                        "label {index} is {label}; the network knows classes 0 to {}",
                        classes - 1
                    ))
                })
        })
        .collect()
}

fn widen<T: Into<i64>>(values: Vec<T>) -> Vec<i64> {
    values.into_iter().map(Into::into).collect()
}

/// One label an image. The published sets repeat the labels for each severity; so may the file.
fn match_labels(labels: Vec<u32>, images: usize) -> Result<Vec<u32>, String> {
    let repeats = images > 0
        && labels.len().is_multiple_of(images)
        && labels
            .chunks_exact(images)
            .all(|chunk| chunk == &labels[..images]);
    if labels.is_empty() || !repeats {
        return Err(format!(
            "holds {images} images, but there are {} labels",
            labels.len()
        ));
    }
    Ok(labels[..images].to_vec())
}

fn open(path: &Path) -> Result<NpyFile<BufReader<File>>, EngineError> {
    let file = File::open(path).map_err(EngineError::file("cannot open", path))?;
    NpyFile::new(BufReader::new(file))
        .map_err(|error| refuse(path)(format!("is no readable .npy file: {error}")))
}

fn type_of(file: &NpyFile<BufReader<File>>) -> Option<(TypeChar, u64)> {
    match file.dtype() {
        npyz::DType::Plain(kind) => Some((kind.type_char(), kind.size_field())),
        _ => None,
    }
}

fn refuse(path: &Path) -> impl Fn(String) -> EngineError + Copy + '_ {
    move |reason| EngineError::Input {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use npyz::WriterBuilder;

    fn write<T: npyz::AutoSerialize + Copy>(path: &Path, shape: &[u64], values: &[T]) {
        let file = File::create(path).unwrap();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(file)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
    }

    /// Breaks when bad input is taken for images or labels, or pixels change places.
    #[test]
    fn good_files_are_read_and_bad_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let pixels: Vec<u8> = (0..2 * 2 * 3 * 3).collect();
        write(&path, &[2, 2, 3, 3], &pixels);
        let set = read_images(&path, vec![4, 5, 4, 5]).unwrap();
        assert_eq!(
            (set.height(), set.width(), set.labels()),
            (2, 3, &[4, 5][..])
        );
        assert_eq!(
            set.image(0)[..6],
            [0, 3, 6, 9, 12, 15],
            "the red plane comes first"
        );
        for labels in [vec![], vec![1, 2, 3], vec![1, 2, 2, 1]] {
            assert!(read_images(&path, labels).is_err());
        }
        write(&path, &[2, 18], &pixels);
        assert!(read_images(&path, vec![0, 0]).is_err(), "wrong shape");
        write(&path, &[1, 1, 1, 3], &[0.5_f32, 0.5, 0.5]);
        assert!(read_images(&path, vec![0]).is_err(), "wrong type");
        std::fs::write(&path, b"\x93NUMPY but not really").unwrap();
        assert!(read_images(&path, vec![0]).is_err(), "not npy");

        write(&path, &[3], &[0_i64, 9, 3]);
        assert_eq!(read_labels(&path, 10).unwrap(), [0, 9, 3]);
        let error = read_labels(&path, 9).unwrap_err().to_string();
        assert!(error.contains("label 1 is 9"), "{error}");
        write(&path, &[2], &[0_i32, -1]);
        assert!(read_labels(&path, 9).is_err());
    }
}
