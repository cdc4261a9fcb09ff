//! The results of analyses: named numbers and named arrays.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value};

use crate::EngineError;
use crate::base::files::write_atomically;

/// An array of an analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// Named numbers and arrays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Numbers, for JSON.
    pub scalars: Map<String, Value>,
    /// Arrays, for safetensors.
    pub arrays: BTreeMap<String, Array>,
}

impl Report {
    /// Adds an array.
    pub(super) fn array(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        let shape = shape.to_vec();
        self.arrays.insert(name.into(), Array { shape, values });
    }

    /// Adds a number.
    pub(super) fn scalar(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.scalars.insert(name.into(), value.into());
    }

    /// Writes the numbers to `path` as JSON, and the arrays beside it with the extension `safetensors`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), EngineError> {
        let failed = |error: std::io::Error| EngineError::file("cannot write", path)(error);
        let json =
            serde_json::to_vec_pretty(&self.scalars).map_err(|error| failed(error.into()))?;
        let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .arrays
            .iter()
            .map(|(name, array)| {
                let bytes = array
                    .values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                (name.clone(), array.shape.clone(), bytes)
            })
            .collect();
        let mut views = Vec::new();
        for (name, shape, bytes) in &bytes {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes)
                .map_err(|error| failed(std::io::Error::other(error)))?;
            views.push((name, view));
        }
        let arrays = safetensors::serialize(views, None)
            .map_err(|error| failed(std::io::Error::other(error)))?;
        write_atomically(&path.with_extension("safetensors"), &arrays)?;
        Ok(write_atomically(path, &json)?)
    }
}
