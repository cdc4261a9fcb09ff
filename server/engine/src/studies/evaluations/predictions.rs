//! A network's predictions for each image: class and confidence, kept in files beside the run's weights.
//!
//! One file holds the predictions of one corruption (or attack), a pair of tensors for each severity, and the
//! measurement computed from them. A file is replaced in one step after each severity, so that nothing finished is
//! lost when a later one fails.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use protocol::Measurement;
use safetensors::SafeTensorError;

use crate::base::arrays::Arrays;
use crate::base::host::host;
use crate::base::{FileError, files};

/// A network's predictions for some images, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// The class with the largest logit, the first of several; [`UNDECIDED`] where a logit was not a number.
    pub predicted: Vec<u32>,
    /// The softmax probability of that class, 0 to 1.
    pub confidence: Vec<f32>,
}

/// The "class" of an image whose logits were not numbers: never right.
pub const UNDECIDED: u32 = u32::MAX;

impl Predictions {
    /// Adds the predictions of `logits` `[batch, classes]`, and returns their summed cross-entropy with `labels` in nats.
    pub(crate) fn add(&mut self, logits: Tensor<2>, labels: &[u32]) -> f64 {
        let [_, classes] = logits.dims();
        let mut cross_entropy = 0.0;
        let log_probabilities = host(log_softmax(logits, 1));
        for (row, &label) in log_probabilities.chunks_exact(classes).zip(labels) {
            cross_entropy -= f64::from(row[label as usize]);
            let (class, value) = best(row);
            self.predicted.push(class);
            self.confidence.push(value.exp());
        }
        cross_entropy
    }

    /// Share of the images that were classified as `labels`.
    pub fn accuracy(&self, labels: &[u32]) -> f64 {
        let right = self
            .predicted
            .iter()
            .zip(labels)
            .filter(|(a, b)| a == b)
            .count();
        right as f64 / labels.len().max(1) as f64
    }
}

/// The first of the largest values; undecided when any is not a number.
fn best(row: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, &value) in (0..).zip(row) {
        if value.is_nan() {
            return (UNDECIDED, f32::NAN);
        }
        if value > best.1 {
            best = (class, value);
        }
    }
    best
}

/// Predictions by name, each with its measurement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionsFile {
    entries: BTreeMap<String, (Predictions, Option<Measurement>)>,
}

impl PredictionsFile {
    /// Reads a file; empty when there is none.
    ///
    /// # Errors
    /// When the file is there but damaged.
    pub fn load(path: &Path) -> Result<PredictionsFile, FileError> {
        let Some(arrays) = Arrays::load(path)? else {
            return Ok(PredictionsFile::default());
        };
        let damaged = |reason: String| files::damaged(path, reason);
        let missing =
            |name: &str| damaged(SafeTensorError::TensorNotFound(name.into()).to_string());
        let mut file = PredictionsFile::default();
        for name in arrays.names() {
            let Some(entry) = name.strip_prefix("predicted.") else {
                continue;
            };
            let confidence = format!("confidence.{entry}");
            let predictions = Predictions {
                predicted: arrays.whole(name).ok_or_else(|| missing(name))?,
                confidence: arrays
                    .floats(&confidence)
                    .ok_or_else(|| missing(&confidence))?,
            };
            let measurement = arrays
                .metadata
                .get(entry)
                .map(|json| serde_json::from_str(json));
            let measurement = measurement
                .transpose()
                .map_err(|error| damaged(error.to_string()))?;
            file.insert(entry, predictions, measurement);
        }
        Ok(file)
    }

    /// The predictions under `name`.
    pub fn predictions(&self, name: &str) -> Option<&Predictions> {
        Some(&self.entries.get(name)?.0)
    }

    /// The measurement of the predictions under `name`.
    pub fn measurement(&self, name: &str) -> Option<&Measurement> {
        self.entries.get(name)?.1.as_ref()
    }

    /// Adds predictions under `name`, or replaces them.
    pub fn insert(
        &mut self,
        name: &str,
        predictions: Predictions,
        measurement: Option<Measurement>,
    ) {
        self.entries
            .insert(name.to_owned(), (predictions, measurement));
    }

    /// Writes the file, replacing an older one in one step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let mut arrays = Arrays::default();
        for (name, (predictions, measurement)) in &self.entries {
            let Predictions {
                predicted,
                confidence,
            } = predictions;
            arrays.insert_whole(&format!("predicted.{name}"), &[predicted.len()], predicted);
            arrays.insert(
                &format!("confidence.{name}"),
                &[confidence.len()],
                confidence,
            );
            if let Some(measurement) = measurement {
                let json = serde_json::to_string(measurement)
                    .map_err(|error| FileError::system("cannot write", path)(error.into()))?;
                arrays.metadata.insert(name.clone(), json);
            }
        }
        arrays.save(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Breaks when NaN logits count as right answers, a tie is broken otherwise than by the first class, or
    /// a confidence is no probability.
    #[test]
    fn predictions_of_known_logits() {
        let logits =
            Tensor::<2>::from_floats([[2.0, 0.0], [0.0, 0.0], [f32::NAN, 0.0]], &Device::flex());
        let mut predictions = Predictions::default();
        predictions.add(logits, &[0, 0, 0]);
        assert_eq!(predictions.predicted, [0, 0, UNDECIDED]);
        assert!((predictions.confidence[0] - 0.880797).abs() < 1e-6);
        assert!((predictions.confidence[1] - 0.5).abs() < 1e-6);
        assert!((predictions.accuracy(&[0, 1, 1]) - 1.0 / 3.0).abs() < 1e-12);
    }

    /// Breaks when a file loses what was written to it, or damage goes unnoticed.
    #[test]
    fn a_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/fog.safetensors");
        assert_eq!(
            PredictionsFile::load(&path).unwrap(),
            PredictionsFile::default()
        );
        let mut file = PredictionsFile::default();
        let predictions = Predictions {
            predicted: vec![3, 1, UNDECIDED],
            confidence: vec![0.5, 0.25, 1.0],
        };
        file.insert("severity=3", predictions, None);
        file.save(&path).unwrap();
        assert_eq!(PredictionsFile::load(&path).unwrap(), file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = PredictionsFile::load(&path).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }
}
