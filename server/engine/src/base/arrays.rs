//! Named arrays with text beside them, in a safetensors file with a checksum that is replaced in one step.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::f16;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use super::{FileError, files};

/// Arrays by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arrays {
    arrays: BTreeMap<String, Array>,
    /// Text by name, kept in the file's header.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Arrays {
    /// Adds an array of `shape`, row by row.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.insert_bytes(name, Dtype::F32, shape, bytes.collect());
    }

    /// Adds an array that is kept with 11 significant bits (half precision): for pictures and figures.
    pub fn insert_half(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes());
        self.insert_bytes(name, Dtype::F16, shape, bytes.collect());
    }

    /// Adds an array of double precision.
    pub fn insert_double(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.insert_bytes(name, Dtype::F64, shape, bytes.collect());
    }

    /// Adds an array of whole numbers.
    pub fn insert_whole(&mut self, name: &str, shape: &[usize], values: &[u32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.insert_bytes(name, Dtype::U32, shape, bytes.collect());
    }

    fn insert_bytes(&mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) {
        let shape = shape.to_vec();
        self.arrays.insert(
            name.to_owned(),
            Array {
                dtype,
                shape,
                bytes,
            },
        );
    }

    /// The arrays' names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// An array's shape.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.arrays.get(name)?.shape)
    }

    /// An array of single or half precision as single.
    pub fn floats(&self, name: &str) -> Option<Vec<f32>> {
        let array = self.arrays.get(name)?;
        floats(array.dtype, &array.bytes)
    }

    /// An array of double precision.
    pub fn doubles(&self, name: &str) -> Option<Vec<f64>> {
        let array = self.arrays.get(name)?;
        (array.dtype == Dtype::F64).then(|| {
            let doubles = array.bytes.as_chunks::<8>().0.iter();
            doubles.map(|&double| f64::from_le_bytes(double)).collect()
        })
    }

    /// An array of whole numbers.
    pub fn whole(&self, name: &str) -> Option<Vec<u32>> {
        let array = self.arrays.get(name)?;
        (array.dtype == Dtype::U32).then(|| words(&array.bytes, u32::from_le_bytes))
    }

    /// Reads a file; `None` when there is none.
    ///
    /// # Errors
    /// When the file is there but cannot be read, or is damaged.
    pub fn load(path: &Path) -> Result<Option<Arrays>, FileError> {
        let Some(bytes) = files::read_checked(path)? else {
            return Ok(None);
        };
        Self::from_bytes(path, &bytes).map(Some)
    }

    /// The arrays in the content of the file `path`.
    pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Arrays, FileError> {
        let damaged = |error: SafeTensorError| files::damaged(path, error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let mut arrays = Arrays {
            metadata: header
                .metadata()
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            ..Arrays::default()
        };
        arrays.metadata.remove(files::ENTRY);
        for (name, view) in SafeTensors::deserialize(bytes).map_err(damaged)?.tensors() {
            arrays.insert_bytes(&name, view.dtype(), view.shape(), view.data().to_vec());
        }
        Ok(arrays)
    }

    /// Reads row `row` of some arrays of single or half precision (of those of one dimension: that element), in the
    /// order of `names`; `None` when there is no file. The whole file is checked, and nothing else of it converted.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or has no such array or row.
    pub fn load_rows(
        path: &Path,
        names: &[&str],
        row: usize,
    ) -> Result<Option<Vec<Vec<f32>>>, FileError> {
        let Some(bytes) = files::read_checked(path)? else {
            return Ok(None);
        };
        let damaged = |reason: String| files::damaged(path, reason);
        let tensors =
            SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        names
            .iter()
            .map(|&name| {
                let array = tensors
                    .tensor(name)
                    .map_err(|error| damaged(error.to_string()))?;
                let rows = array.shape().first().copied().unwrap_or(0);
                if row >= rows {
                    return Err(damaged(format!("`{name}` has no row {row}")));
                }
                let size = array.data().len() / rows;
                floats(array.dtype(), &array.data()[row * size..][..size])
                    .ok_or_else(|| damaged(format!("`{name}` is of another type")))
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Writes the file, and its folder where that is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(FileError::system("cannot create", folder))?;
        }
        files::write_checked(path, &self.bytes(path)?)
    }

    /// The content of the file `path`, without its checksum.
    pub(crate) fn bytes(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let failed = |error: SafeTensorError| {
            FileError::system("cannot write", path)(std::io::Error::other(error))
        };
        let mut views = Vec::new();
        for (name, array) in &self.arrays {
            let view = TensorView::new(array.dtype, array.shape.clone(), &array.bytes);
            views.push((name, view.map_err(failed)?));
        }
        let metadata: HashMap<String, String> = self.metadata.clone().into_iter().collect();
        safetensors::serialize(views, Some(metadata)).map_err(failed)
    }
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(words(bytes, f32::from_le_bytes)),
        Dtype::F16 => {
            let halves = bytes.as_chunks::<2>().0.iter();
            Some(
                halves
                    .map(|&half| f16::from_le_bytes(half).to_f32())
                    .collect(),
            )
        }
        _ => None,
    }
}

fn words<T>(bytes: &[u8], read: fn([u8; 4]) -> T) -> Vec<T> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&word| read(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a file loses what was written to it, mixes up types, or damage goes unnoticed.
    #[test]
    fn a_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/arrays.safetensors");
        assert_eq!(Arrays::load(&path).unwrap(), None);
        let mut arrays = Arrays::default();
        arrays.insert("single", &[2, 1], &[0.1, -3.0]);
        arrays.insert_half("half", &[2], &[0.5, 1.0e-3]);
        arrays.insert_double("double", &[1], &[0.1]);
        arrays.insert_whole("whole", &[3], &[1, 2, u32::MAX]);
        arrays.metadata.insert("images".into(), "7".into());
        arrays.save(&path).unwrap();
        let read = Arrays::load(&path).unwrap().unwrap();
        assert_eq!(read, arrays);
        assert_eq!(read.floats("single"), Some(vec![0.1, -3.0]));
        assert!((read.floats("half").unwrap()[1] - 1.0e-3).abs() < 1e-6);
        assert_eq!(read.whole("whole"), Some(vec![1, 2, u32::MAX]));
        assert_eq!(read.doubles("double"), Some(vec![0.1]));
        assert_eq!(read.whole("single"), None);
        let rows = Arrays::load_rows(&path, &["half", "single"], 1).unwrap();
        assert_eq!(rows.unwrap()[1], [-3.0]);
        assert!(Arrays::load_rows(&path, &["single"], 2).is_err(), "no row");
        assert!(Arrays::load_rows(&path, &["none"], 0).is_err(), "no array");
        assert_eq!(read.shape("single"), Some(&[2, 1][..]));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(Arrays::load(&path).is_err());
    }
}
