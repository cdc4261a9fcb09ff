//! Images and labels from NumPy files, as CIFAR10-C is published.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

use npyz::{NpyFile, NpyHeader, TypeChar};

use super::images::to_planes;
use super::{DataError, ImageSet};

/// The largest side of an image, in pixels.
const MAXIMUM_SIDE: usize = 1024;

/// Images from an `.npy` file, uint8 `[images, height, width, 3]`, 1 or more, of sides 1 to 1024, with their labels.
///
/// # Errors
/// When the file is of another type or shape, is truncated, or there are not as many labels.
pub fn read_images(path: &Path, labels: Vec<u32>) -> Result<ImageSet, DataError> {
    let refuse = refuse(path);
    let file = open(path)?;
    let shape: Vec<usize> = file.shape().iter().map(|&side| side as usize).collect();
    let &[images, height, width, 3] = shape.as_slice() else {
        return Err(refuse(format!(
            "has shape {shape:?}; expected [images, height, width, 3]"
        )));
    };
    if images == 0 {
        return Err(refuse(format!("has shape {shape:?}: it holds no image")));
    }
    if [height, width]
        .iter()
        .any(|side| !(1..=MAXIMUM_SIDE).contains(side))
    {
        return Err(refuse(format!(
            "has shape {shape:?}: images of {height}x{width} pixels; each side must be 1 to {MAXIMUM_SIDE}"
        )));
    }
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
        to_planes(from, to);
    }
    let labels = match_labels(labels, images).map_err(refuse)?;
    ImageSet::new(planes, labels, height, width)
}

/// Shape of the array in an `.npy` file, from its header.
///
/// # Errors
/// When the file is no `.npy` file.
pub fn npy_shape(path: &Path) -> Result<Vec<usize>, DataError> {
    let file = open(path)?;
    Ok(file.shape().iter().map(|&side| side as usize).collect())
}

/// Labels from an `.npy` file of whole numbers, `[labels]`, each 0 to `classes` - 1.
///
/// # Errors
/// When the file is of another type or shape, or a label is out of range; the label is named.
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<u32>, DataError> {
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

/// Opens an `.npy` file that is as long as its header says, so that nothing absurd is ever allocated.
fn open(path: &Path) -> Result<NpyFile<BufReader<File>>, DataError> {
    let unreadable = DataError::unreadable(path);
    let file = File::open(path).map_err(&unreadable)?;
    let length = file.metadata().map_err(&unreadable)?.len();
    let mut reader = BufReader::new(file);
    let header = NpyHeader::from_reader(&mut reader).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "it ends within its header".to_owned(),
            _ => error.to_string(),
        };
        refuse(path)(format!("is no whole .npy file: {why}"))
    })?;
    let follow = length.saturating_sub(reader.stream_position().map_err(&unreadable)?);
    let Some(size) = header.dtype().num_bytes() else {
        let descr = header.dtype().descr();
        return Err(refuse(path)(format!("holds {descr}; expected numbers")));
    };
    let needed = header
        .shape()
        .iter()
        .try_fold(size as u64, |bytes, &side| bytes.checked_mul(side));
    if needed.is_none_or(|needed| needed > follow) {
        return Err(refuse(path)(format!(
            "is cut off, or its header is damaged: it says {} of shape {:?}, but {follow} bytes follow",
            header.dtype().descr(),
            header.shape(),
        )));
    }
    Ok(NpyFile::with_header(header, reader))
}

fn type_of(file: &NpyFile<BufReader<File>>) -> Option<(TypeChar, u64)> {
    match file.dtype() {
        npyz::DType::Plain(kind) => Some((kind.type_char(), kind.size_field())),
        _ => None,
    }
}

fn refuse(path: &Path) -> impl Fn(String) -> DataError + Copy + '_ {
    move |reason| DataError::Array {
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

    /// A file whose header says `shape` of uint8, and `bytes` bytes after it.
    fn write_header(path: &Path, shape: &str, bytes: usize) {
        let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        header.push_str(&" ".repeat(118 - 1 - header.len()));
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(vec![0; bytes]);
        std::fs::write(path, file).unwrap();
    }

    /// Breaks when an impossible shape is accepted (a panic at sides of 0, an abort when the sizes are allocated), or
    /// a file that is cut off is refused without saying so.
    #[test]
    fn absurd_shapes_and_truncated_files_are_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let refused = |shape: &str, bytes: usize| {
            write_header(&path, shape, bytes);
            read_images(&path, vec![0]).unwrap_err().to_string()
        };
        for (shape, bytes, reason) in [
            ("(1, 0, 0, 3)", 0, "images of 0x0 pixels"),
            ("(0, 8, 8, 3)", 0, "holds no image"),
            ("(1, 1, 5000, 3)", 15_000, "each side must be 1 to 1024"),
            ("(1, 8, 8, 3)", 191, "191 bytes follow"),
            ("(100000000000, 32, 32, 3)", 10, "10 bytes follow"),
            (
                "(4294967296, 4294967296, 4294967296, 3)",
                10,
                "10 bytes follow",
            ),
        ] {
            let error = refused(shape, bytes);
            assert!(error.contains(reason), "{shape}: {error}");
        }
        write_header(&path, "(1, 8, 8, 3)", 192);
        assert_eq!(read_images(&path, vec![0]).unwrap().len(), 1);
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 3, 9, 40] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = read_images(&path, vec![0]).unwrap_err().to_string();
            assert!(error.contains("is no whole .npy file"), "{length}: {error}");
            assert!(!error.contains("whole buffer"), "{length}: {error}");
        }
    }
}
