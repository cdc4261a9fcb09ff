//! Average-case robustness: accuracy on natural corruptions (Hendrycks & Dietterich 2019; method, "Average-case
//! perturbations"), each corruption and severity by itself.

use std::path::{Path, PathBuf};

use protocol::corruption::{Corruption, ParameterTable};
use protocol::corruption_evaluation::{
    CorruptionConditions, CorruptionMeasurement, CorruptionSource, CorruptionSpec,
    TINY_IMAGENET_C_UNMATCHED,
};
use protocol::{Dataset, Measurement};

use super::{
    Listener, Predictions, PredictionsFile, Trained, kept, predict, predict_clean, spread,
};
use crate::EngineError;
use crate::corruptions::{CorruptionError, Corruptor};
use crate::data::{ImageSet, PublishedCorruptions};
use crate::measures::NotFinite;

/// Folder, within the run's, of the predictions on corrupted images.
const FOLDER: &str = "corruptions";

/// The entry of a predictions file that holds the clean images' predictions.
const CLEAN: &str = "clean";

/// Where corrupted images come from.
pub enum CorruptedImages<'a> {
    /// Drawn from clean images.
    Generated {
        /// The clean images.
        clean: &'a ImageSet,
        /// The generator.
        corruptor: Corruptor,
    },
    /// Read from a published set.
    Published(PublishedCorruptions),
}

impl CorruptedImages<'_> {
    /// Corrupted images `[images, 3, height, width]`, 0 to 255, of the clean ones at `indices`.
    ///
    /// # Errors
    /// When a file of a published set cannot be read.
    pub fn images(
        &self,
        corruption: Corruption,
        severity: u8,
        indices: &[usize],
    ) -> Result<Vec<u8>, EngineError> {
        match self {
            CorruptedImages::Generated { clean, corruptor } => {
                let images: Vec<&[u8]> = indices.iter().map(|&index| clean.image(index)).collect();
                let numbers: Vec<u64> = indices.iter().map(|&index| index as u64).collect();
                let (height, width) = (clean.height(), clean.width());
                Ok(corruptor.corrupt_all(corruption, severity, &numbers, &images, height, width))
            }
            CorruptedImages::Published(set) => Ok(set.images(corruption, severity, indices)?),
        }
    }

    /// The conditions of a measurement on `images` of them.
    pub fn conditions(&self, images: u32) -> CorruptionConditions {
        match self {
            CorruptedImages::Generated { corruptor, .. } => corruptor.conditions(images),
            CorruptedImages::Published(_) => CorruptionConditions::published(images),
        }
    }

    /// Checks that every corrupted image was made from the clean image with its number, so that the two can be compared.
    ///
    /// # Errors
    /// When they are those of the published Tiny ImageNet-C.
    pub fn check_matched(&self) -> Result<(), EngineError> {
        match self {
            CorruptedImages::Published(set) if !set.is_matched() => {
                Err(EngineError::Unmatched(TINY_IMAGENET_C_UNMATCHED))
            }
            _ => Ok(()),
        }
    }
}

/// Opens the images that `spec` asks for, and checks all that can be checked before the first one is used.
///
/// # Errors
/// When a published set is missing, damaged, or does not match these clean images.
pub fn open_images<'a>(
    spec: &CorruptionSpec,
    dataset: &Dataset,
    data_directory: &Path,
    clean: &'a ImageSet,
) -> Result<CorruptedImages<'a>, EngineError> {
    Ok(match spec.source {
        CorruptionSource::Generated => {
            let (height, width) = (clean.height(), clean.width());
            let corruptor = corruptor(spec, data_directory, height, width)?;
            CorruptedImages::Generated { clean, corruptor }
        }
        CorruptionSource::Published => CorruptedImages::Published(PublishedCorruptions::open(
            dataset,
            data_directory,
            clean.into(),
            &spec.corruptions,
            &spec.severities,
        )?),
    })
}

/// The generator of the images that `spec` asks for, of `height` x `width` pixels.
///
/// # Errors
/// When photographs of frost are asked for that are not in `data_directory`, or cannot be used.
pub fn corruptor(
    spec: &CorruptionSpec,
    data_directory: &Path,
    height: usize,
    width: usize,
) -> Result<Corruptor, CorruptionError> {
    let table = ParameterTable::for_size(height, width);
    let corruptor = Corruptor::new(table, spec.corruption_seed).with_jpeg_step(spec.jpeg);
    let Some(folder) = &spec.frost_photographs else {
        return Ok(corruptor);
    };
    let corruptor = corruptor.with_frost_photographs(data_directory.join(folder))?;
    corruptor.check_frost(height, width)?;
    Ok(corruptor)
}

/// Tests a trained network as `spec` says; see [`super::perform`].
pub(super) fn perform(
    spec: &CorruptionSpec,
    trained: &Trained,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    let images = open_images(spec, trained.dataset, trained.data_directory, trained.test)?;
    let conditions = images.conditions(spec.conditions(trained.test.len() as u32).images);
    let folder = CorruptionPredictions::folder(trained.run_directory, conditions);
    measure_corruptions(spec, &images, trained, Some(&folder), listener)
}

/// Measures every corruption and severity of `spec`; keeps predictions in `folder`, and takes from there
/// what an earlier try has measured.
///
/// # Errors
/// When a file cannot be read or written, logits are not finite, or the listener stops it.
pub fn measure_corruptions(
    spec: &CorruptionSpec,
    images: &CorruptedImages,
    trained: &Trained,
    folder: Option<&Path>,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    let test = trained.test;
    let conditions = images.conditions(spec.conditions(test.len() as u32).images);
    let indices = spread(test.labels(), conditions.images as usize);
    let labels = test.labels_at(&indices);
    let load = |name: &str, listener: &mut dyn Listener| {
        let path = folder.map(|folder| file(folder, name));
        kept(path.as_deref(), listener, PredictionsFile::load)
    };

    let mut clean_file = load(CLEAN, listener)?;
    if clean_file.predictions(CLEAN).is_none() {
        let advanced = &mut |images| listener.advanced(images, true);
        let predictions = predict_clean(trained, &indices, advanced)?;
        clean_file.insert(CLEAN, predictions, None);
        if let Some(folder) = folder {
            clean_file.save(&file(folder, CLEAN))?;
        }
    } else if !listener.advanced(indices.len(), false) {
        return Err(EngineError::Cancelled);
    }
    let clean_accuracy = clean_file
        .predictions(CLEAN)
        .map_or(0.0, |predictions| predictions.accuracy(&labels));

    for &corruption in &spec.corruptions {
        let mut known = load(corruption.id(), listener)?;
        for &severity in &spec.severities {
            let entry = entry(severity);
            if let Some(measurement) = known.measurement(&entry) {
                listener.measured(measurement.clone());
                if !listener.advanced(indices.len(), false) {
                    return Err(EngineError::Cancelled);
                }
                continue;
            }
            let pixels = |indices: &[usize]| images.images(corruption, severity, indices);
            let advanced = &mut |images| listener.advanced(images, true);
            let (predictions, cross_entropy) = predict(trained, &indices, &pixels, advanced)?;
            if !cross_entropy.is_finite() {
                return Err(NotFinite {
                    what: format!("logits of images with {corruption}, severity {severity},"),
                }
                .into());
            }
            let measurement = Measurement::Corruption(CorruptionMeasurement {
                conditions,
                corruption,
                severity,
                accuracy: predictions.accuracy(&labels),
                cross_entropy,
                clean_accuracy,
            });
            known.insert(&entry, predictions, Some(measurement.clone()));
            if let Some(folder) = folder {
                known.save(&file(folder, corruption.id()))?;
            }
            listener.measured(measurement);
        }
    }
    Ok(())
}

fn entry(severity: u8) -> String {
    format!("severity={severity}")
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.safetensors"))
}

/// A finished run's predictions for each test image, clean and corrupted, under some conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct CorruptionPredictions {
    /// The images' indices in the test set.
    pub indices: Vec<usize>,
    /// Predictions on the clean images.
    pub clean: Predictions,
    /// Predictions on the corrupted images.
    pub corrupted: Predictions,
}

impl CorruptionPredictions {
    /// The folder of a run's predictions under `conditions`.
    pub fn folder(run_directory: &Path, conditions: CorruptionConditions) -> PathBuf {
        run_directory.join(FOLDER).join(conditions.to_string())
    }

    /// Reads what was kept; `None` where that was not measured. `test_labels` are the labels of the whole test set.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn load(
        run_directory: &Path,
        conditions: CorruptionConditions,
        corruption: Corruption,
        severity: u8,
        test_labels: &[u32],
    ) -> Result<Option<CorruptionPredictions>, EngineError> {
        let folder = Self::folder(run_directory, conditions);
        let clean = PredictionsFile::load(&file(&folder, CLEAN))?;
        let corrupted = PredictionsFile::load(&file(&folder, corruption.id()))?;
        let (Some(clean), Some(corrupted)) = (
            clean.predictions(CLEAN),
            corrupted.predictions(&entry(severity)),
        ) else {
            return Ok(None);
        };
        Ok(Some(CorruptionPredictions {
            indices: spread(test_labels, conditions.images as usize),
            clean: clean.clone(),
            corrupted: corrupted.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::corruption::JpegStep;

    fn set(side: usize) -> ImageSet {
        let pixels = (0..2 * 3 * side * side).map(|i| (i * 7 % 251) as u8);
        ImageSet::new(pixels.collect(), vec![0, 1], side, side).unwrap()
    }

    fn conditions(spec: &CorruptionSpec, side: usize) -> String {
        let nowhere = Path::new("");
        let set = set(side);
        let images = open_images(spec, &Dataset::Builtin, nowhere, &set).unwrap();
        images.conditions(2).to_string()
    }

    /// Breaks when images are not drawn as the spec asks, or measurements do not record how, so that one drawing
    /// would be taken for another.
    #[test]
    fn what_draws_names_the_conditions() {
        let mut spec = CorruptionSpec::everything(None);
        spec.corruption_seed = 6;
        assert_eq!(conditions(&spec, 32), "generated.6.2");
        assert_eq!(conditions(&spec, 64), "generated.6.2.jpeg85");
        spec.jpeg = JpegStep::Off;
        assert_eq!(conditions(&spec, 64), "generated.6.2");
    }

    /// Breaks when photographs that a spec names are not used, or their folder is not looked for among the data sets.
    #[test]
    fn photographs_of_frost_are_those_of_the_named_folder() {
        let datasets = tempfile::tempdir().unwrap();
        let mut spec = CorruptionSpec::everything(None);
        spec.frost_photographs = Some("ice".into());
        let set = set(32);
        let open = || open_images(&spec, &Dataset::Builtin, datasets.path(), &set);
        let missing = open().err().unwrap().to_string();
        let path = datasets.path().join("ice");
        assert!(missing.contains(&path.display().to_string()), "{missing}");
        assert!(missing.contains("put the photographs there"), "{missing}");

        std::fs::create_dir(&path).unwrap();
        let white = image::RgbImage::from_pixel(200, 200, image::Rgb([255; 3]));
        white.save(path.join("white.png")).unwrap();
        let images = open().unwrap();
        let frosted = images.images(Corruption::Frost, 1, &[0]).unwrap();
        // Severity 1 of CIFAR10-C: the image, and a fifth of the frost.
        let expected: Vec<u8> = set
            .image(0)
            .iter()
            .map(|&value| (f64::from(value) + 0.2 * 255.0).min(255.0) as u8)
            .collect();
        assert!(frosted == expected);
        assert!(images.conditions(2).frost.is_some());
    }
}
