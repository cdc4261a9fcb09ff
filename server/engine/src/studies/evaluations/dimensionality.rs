//! Dimensionality of every layer, clean and of the difference that each perturbation makes (method,
//! "Dimensionality"), and on the way the responses of single units.
//!
//! Memory, besides a batch and the network: the scatter matrices of all layers (see [`Scatter`]), and the
//! clean unit responses where all of them fit in 128 MB (ResNet20: up to 48,000 images); where they do not, they are
//! computed anew for each perturbation. No activation map outlives its batch, except for full activations
//! (see [`activations`]).

mod activations;
mod unit_responses;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use protocol::Measurement;
use protocol::attack::Attack;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{
    ActivationMatrix, DimensionalityMeasurement, DimensionalitySpec, Perturbation,
};
use rayon::prelude::*;

use super::{CorruptedImages, Listener, Trained, kept, open_images, spread, target};
use crate::EngineError;
use crate::attacks::{self, Samples};
use crate::base::arrays::Arrays;
use crate::base::host::host;
use crate::base::{FileError, files};
use crate::inference::batch::{HostImages, clean_images, logits_and_responses};
use crate::measures::spectrum::{FRACTIONS, Scatter, Spectrum};

use unit_responses::ResponseMoments;
pub use unit_responses::{EXTREMES, Tuning, UnitResponses};

/// Folder of the results, within the run's folder.
const FOLDER: &str = "dimensionality";

/// Where a file keeps its measurement.
const MEASUREMENT: &str = "measurement";

/// Bytes of clean responses that are kept between perturbations.
const KEPT_RESPONSES: usize = 128 << 20;

/// Measures a trained network as `spec` says; see [`super::perform`].
pub(super) fn perform(
    spec: &DimensionalitySpec,
    trained: &Trained,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    let images = open_images(
        &spec.corrupted(),
        trained.dataset,
        trained.data_directory,
        trained.test,
    )?;
    measure_dimensionality(
        spec,
        &images,
        trained,
        Some(trained.run_directory),
        listener,
    )
}

/// Measures the dimensionality of all that `spec` names; keeps spectra and unit responses in the folder of a
/// run, and takes from there what an earlier try has measured.
///
/// # Errors
/// When the corrupted images asked for match no clean ones, a file cannot be read or written, activations are not
/// finite, or the listener stops it.
pub fn measure_dimensionality(
    spec: &DimensionalitySpec,
    images: &CorruptedImages,
    trained: &Trained,
    run_directory: Option<&Path>,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    if !spec.corruptions.is_empty() {
        images.check_matched()?;
    }
    let test_images = trained.test.len() as u32;
    let conditions = images.conditions(spec.conditions(test_images).images);
    let mut measure = Measure::new(conditions, images, trained, listener);
    let folder = run_directory.map(|run| UnitResponses::folder(run, conditions));
    for perturbation in spec.perturbations() {
        measure.responses(perturbation, folder.as_deref())?;
    }
    let listener = measure.listener.into_inner();
    if let Some(conditions) = spec.activation_conditions(test_images) {
        let conditions = images.conditions(conditions.images);
        let measure = Measure::new(conditions, images, trained, listener);
        let folder =
            run_directory.map(|run| run.join(FOLDER).join(format!("activations.{conditions}")));
        for perturbation in spec.perturbations() {
            measure.activations(perturbation, folder.as_deref())?;
        }
    }
    Ok(())
}

struct Measure<'a> {
    trained: &'a Trained<'a>,
    corrupted: &'a CorruptedImages<'a>,
    conditions: CorruptionConditions,
    indices: Vec<usize>,
    /// Clean responses of each batch, `[images, units of all layers]`, as far as they are kept.
    clean: Vec<Option<Vec<f32>>>,
    /// Units of each layer.
    units: Vec<usize>,
    listener: RefCell<&'a mut dyn Listener>,
}

impl<'a> Measure<'a> {
    fn new(
        conditions: CorruptionConditions,
        corrupted: &'a CorruptedImages<'a>,
        trained: &'a Trained<'a>,
        listener: &'a mut dyn Listener,
    ) -> Self {
        let indices = spread(trained.test.labels(), conditions.images as usize);
        let layers = trained.model.layers();
        Measure {
            trained,
            corrupted,
            conditions,
            clean: vec![None; indices.len()],
            indices,
            units: layers.iter().map(|layer| layer.units as usize).collect(),
            listener: RefCell::new(listener),
        }
    }

    fn advanced(&self, images: usize, computed: bool) -> Result<(), EngineError> {
        match self.listener.borrow_mut().advanced(images, computed) {
            true => Ok(()),
            false => Err(EngineError::Cancelled),
        }
    }

    fn say(&self, measurement: DimensionalityMeasurement) {
        let measurement = Measurement::Dimensionality(measurement);
        self.listener.borrow_mut().measured(measurement);
    }

    /// Reports the measurement that an earlier try kept; `true` where there is one.
    fn kept(&self, path: Option<&Path>) -> Result<bool, EngineError> {
        let known = kept(path, &mut **self.listener.borrow_mut(), read_measurement)?;
        Ok(known.map(|measurement| self.say(measurement)).is_some())
    }

    /// Images `[batch, 3, height, width]` in [0, 1] at `indices`, perturbed.
    fn images(
        &self,
        perturbation: Perturbation,
        indices: &[usize],
    ) -> Result<Tensor<4>, EngineError> {
        let Trained { test, device, .. } = *self.trained;
        match perturbation {
            Perturbation::Clean => Ok(clean_images(test, indices, device)),
            Perturbation::Corruption {
                corruption,
                severity,
            } => {
                let pixels = self.corrupted.images(corruption, severity, indices)?;
                let images = HostImages::prepare(pixels, test.image_len(), device);
                Ok(images.upload(indices.len(), test, device))
            }
            Perturbation::Attack(attack) => self.attacked(attack, indices),
        }
    }

    /// Attacks every image, including those that the network is wrong about.
    fn attacked(&self, attack: Attack, indices: &[usize]) -> Result<Tensor<4>, EngineError> {
        let Trained { test, device, .. } = *self.trained;
        let target = target(self.trained, |images| self.advanced(images, true).is_ok());
        let samples = Samples::new(
            clean_images(test, indices, device),
            test.labels_at(indices),
            indices.to_vec(),
            0,
        )?;
        let attack = attacks::perturbing(attack)?;
        let first = indices.first() == self.indices.first();
        Ok(attacks::perturb(&*attack, &target, &samples, first)?)
    }

    /// Responses `[images, units of all layers]` to images, row by row.
    fn unit_responses(&self, images: Tensor<4>) -> Result<Vec<f32>, EngineError> {
        let count = images.dims()[0];
        let (_, responses) = logits_and_responses(self.trained.model, images);
        let responses = host(responses);
        self.advanced(count, true)?;
        Ok(responses)
    }

    /// Clean responses of batch `batch`, computed where they were not kept.
    fn clean_responses(
        &mut self,
        batch: usize,
        indices: &[usize],
    ) -> Result<Vec<f32>, EngineError> {
        if let Some(known) = &self.clean[batch] {
            return Ok(known.clone());
        }
        let images = self.images(Perturbation::Clean, indices)?;
        let responses = self.unit_responses(images)?;
        let row: usize = self.units.iter().sum();
        if self.indices.len() * row * size_of::<f32>() <= KEPT_RESPONSES {
            self.clean[batch] = Some(responses.clone());
        }
        Ok(responses)
    }

    /// Measures unit responses, unless an earlier try did.
    fn responses(
        &mut self,
        perturbation: Perturbation,
        folder: Option<&Path>,
    ) -> Result<(), EngineError> {
        let path = folder.map(|folder| file(folder, perturbation));
        if self.kept(path.as_deref())? {
            return self.advanced(self.indices.len(), false);
        }
        let row: usize = self.units.iter().sum();
        let mut scatters: Vec<Scatter> = self.units.iter().map(|&n| Scatter::new(n)).collect();
        let mut moments = ResponseMoments::new(self.trained.model.classes(), row);
        let indices = self.indices.clone();
        for (batch, chunk) in indices.chunks(self.trained.batch_size).enumerate() {
            let clean = self.clean_responses(batch, chunk)?;
            let (responses, difference) = match perturbation {
                Perturbation::Clean => (clean.clone(), clean),
                _ => {
                    let images = self.images(perturbation, chunk)?;
                    let perturbed = self.unit_responses(images)?;
                    let difference = clean.iter().zip(&perturbed).map(|(a, b)| a - b).collect();
                    (perturbed, difference)
                }
            };
            moments.add(&responses, &self.trained.test.labels_at(chunk), chunk);
            add_to_layers(&mut scatters, &self.units, &difference);
        }
        let spectra = scatters
            .into_par_iter()
            .map(Scatter::spectrum)
            .collect::<Result<Vec<_>, _>>()?;
        let matrix = ActivationMatrix::Responses;
        let measurement = self.measurement(matrix, perturbation, &self.units, &spectra);
        if let Some(path) = path {
            let arrays = moments.arrays(perturbation == Perturbation::Clean);
            keep(arrays, &measurement, &spectra, &[row], &path)?;
        }
        self.say(measurement);
        Ok(())
    }

    fn measurement(
        &self,
        matrix: ActivationMatrix,
        perturbation: Perturbation,
        columns: &[usize],
        spectra: &[Spectrum],
    ) -> DimensionalityMeasurement {
        let [components_90, components_95, components_99] = FRACTIONS.map(|fraction| {
            spectra
                .iter()
                .map(|spectrum| spectrum.components(fraction))
                .collect()
        });
        DimensionalityMeasurement {
            conditions: self.conditions,
            matrix,
            perturbation,
            columns: columns.iter().map(|&columns| columns as u32).collect(),
            components_90,
            components_95,
            components_99,
            participation_ratio: spectra.iter().map(Spectrum::participation_ratio).collect(),
        }
    }
}

/// Adds rows `[images, units of all layers]` to every layer's scatter matrix.
fn add_to_layers(scatters: &mut [Scatter], units: &[usize], rows: &[f32]) {
    let row: usize = units.iter().sum();
    let firsts: Vec<usize> = (0..units.len())
        .map(|layer| units[..layer].iter().sum())
        .collect();
    scatters
        .par_iter_mut()
        .zip(firsts)
        .zip(units)
        .for_each(|((scatter, first), &units)| {
            let values: Vec<f64> = rows
                .chunks_exact(row)
                .flat_map(|row| row[first..first + units].iter().map(|&v| f64::from(v)))
                .collect();
            scatter.add(&values);
        });
}

/// The measurement in a file, if there is one.
fn read_measurement(path: &Path) -> Result<Option<DimensionalityMeasurement>, FileError> {
    let Some(arrays) = Arrays::load(path)? else {
        return Ok(None);
    };
    arrays
        .metadata
        .get(MEASUREMENT)
        .and_then(|json| serde_json::from_str(json).ok())
        .map(Some)
        .ok_or_else(|| files::damaged(path, "it has no measurement"))
}

/// Writes arrays with their measurement, and the eigenvalues of its spectra in an array of `shape`.
fn keep(
    mut arrays: Arrays,
    measurement: &DimensionalityMeasurement,
    spectra: &[Spectrum],
    shape: &[usize],
    path: &Path,
) -> Result<(), FileError> {
    let eigenvalues: Vec<f64> = spectra
        .iter()
        .flat_map(|spectrum| spectrum.eigenvalues().iter().copied())
        .collect();
    arrays.insert_double("eigenvalues", shape, &eigenvalues);
    let json = serde_json::to_string(measurement)
        .map_err(|error| FileError::system("cannot write", path)(error.into()))?;
    arrays.metadata.insert(MEASUREMENT.into(), json);
    arrays.save(path)
}

/// The file of a perturbation: its name, without characters that file names must not have.
fn file(folder: &Path, perturbation: Perturbation) -> PathBuf {
    let name = perturbation
        .to_string()
        .replace('/', "of")
        .replace(':', ".");
    folder.join(format!("{name}.safetensors"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corruptions::Corruptor;
    use crate::data::{ImageSet, PublishedCorruptions};
    use crate::networks::{Model, ModelConfig};
    use burn::module::Module;
    use burn::tensor::Device;
    use protocol::corruption::ParameterTable;
    use protocol::{Corruption, Dataset, Network};

    struct Seen {
        measured: Vec<DimensionalityMeasurement>,
        computed: usize,
        stop_after: usize,
    }

    impl Listener for Seen {
        fn warned(&mut self, message: String) {
            panic!("{message}");
        }

        fn measured(&mut self, measurement: Measurement) {
            self.measured
                .push(measurement.dimensionality().unwrap().clone());
        }

        fn advanced(&mut self, images: usize, computed: bool) -> bool {
            self.computed += if computed { images } else { 0 };
            self.computed < self.stop_after
        }
    }

    fn measure(
        model: &Model,
        set: &ImageSet,
        spec: &DimensionalitySpec,
        folder: &Path,
        stop_after: usize,
    ) -> (Seen, Result<(), EngineError>) {
        let device = Device::flex();
        let trained = Trained {
            model,
            device: &device,
            dataset: &Dataset::Builtin,
            data_directory: folder,
            test: set,
            run_directory: folder,
            batch_size: 16,
        };
        let images = CorruptedImages::Generated {
            clean: set,
            corruptor: Corruptor::new(ParameterTable::for_size(16, 16), 0),
        };
        let mut seen = Seen {
            measured: vec![],
            computed: 0,
            stop_after,
        };
        let end = measure_dimensionality(spec, &images, &trained, Some(folder), &mut seen);
        (seen, end)
    }

    /// Breaks when differences to the published Tiny ImageNet-C are measured, or clean activations are refused with them.
    #[test]
    fn images_without_clean_ones_have_no_difference() {
        let config = ModelConfig::with_generic_normalisation(Network::ResNet8, 2);
        let device = Device::flex();
        let model = config.init(1, &device).valid();
        let pixels = (0..8 * 3 * 256).map(|i| ((i * 31) % 253) as u8).collect();
        let set = ImageSet::new(pixels, vec![0, 1, 0, 1, 0, 1, 0, 1], 16, 16).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let trained = Trained {
            model: &model,
            device: &device,
            dataset: &Dataset::TinyImagenet,
            data_directory: folder.path(),
            test: &set,
            run_directory: folder.path(),
            batch_size: 16,
        };
        let images = CorruptedImages::Published(PublishedCorruptions::unmatched(16, 16));
        let mut spec = DimensionalitySpec {
            corruptions: vec![Corruption::Fog],
            severities: vec![1],
            attacks: vec![],
            source: protocol::corruption_evaluation::CorruptionSource::Published,
            ..DimensionalitySpec::source(None)
        };
        let mut seen = Seen {
            measured: vec![],
            computed: 0,
            stop_after: usize::MAX,
        };
        let end = measure_dimensionality(&spec, &images, &trained, None, &mut seen);
        assert!(matches!(end, Err(EngineError::Unmatched(_))), "{end:?}");
        assert_eq!((seen.measured.len(), seen.computed), (0, 0));
        spec.corruptions.clear();
        measure_dimensionality(&spec, &images, &trained, None, &mut seen).unwrap();
        assert_eq!(seen.measured.len(), 1);
    }

    /// Breaks when a measurement is lost or made twice after a cut, full activations take the wrong images,
    /// or a perturbation's difference is taken for its activations.
    #[test]
    fn what_was_cut_off_goes_on() {
        let config = ModelConfig::with_generic_normalisation(Network::ResNet8, 3);
        let model = config.init(1, &Device::flex()).valid();
        let images = 40;
        let pixels = (0..images * 3 * 256).map(|i| ((i * i * 31 + i * 7) % 253) as u8);
        let labels = (0..images as u32).map(|i| i % 3).collect();
        let set = ImageSet::new(pixels.collect(), labels, 16, 16).unwrap();
        let spec = DimensionalitySpec {
            corruptions: vec![Corruption::GaussianNoise, Corruption::Brightness],
            severities: vec![3],
            attacks: vec![Attack::fgsm(4.0)],
            images: Some(30),
            activation_images: Some(12),
            ..DimensionalitySpec::source(None)
        };
        let folder = tempfile::tempdir().unwrap();
        let (whole, end) = measure(&model, &set, &spec, folder.path(), usize::MAX);
        end.unwrap();
        assert_eq!(whole.measured.len(), 8);
        for measured in &whole.measured[..4] {
            assert_eq!(measured.conditions.images, 30);
            assert_eq!(measured.columns, [16, 16, 16, 32, 32, 64, 64]);
            for layer in 0..7 {
                let components = measured.components_99[layer];
                assert!((1..=29).contains(&components), "{components} of 30 images");
                assert!(measured.components_90[layer] <= measured.components_95[layer]);
                let ratio = measured.participation_ratio[layer];
                assert!((1.0..=29.0).contains(&ratio), "{ratio}");
            }
        }
        assert_eq!(whole.measured[4].matrix, ActivationMatrix::Activations);
        assert_eq!(whole.measured[4].conditions.images, 12);
        assert_eq!(whole.measured[4].columns[0], 16 * 16 * 16);
        assert_ne!(
            whole.measured[0].components_95,
            whole.measured[1].components_95
        );

        let cut = tempfile::tempdir().unwrap();
        let (some, end) = measure(&model, &set, &spec, cut.path(), 70);
        assert!(matches!(end, Err(EngineError::Cancelled)));
        assert!(!some.measured.is_empty() && some.measured.len() < 8);
        let (rest, end) = measure(&model, &set, &spec, cut.path(), usize::MAX);
        end.unwrap();
        assert_eq!(rest.measured, whole.measured);
        assert!(rest.computed < whole.computed);
        let (again, end) = measure(&model, &set, &spec, cut.path(), usize::MAX);
        end.unwrap();
        assert_eq!((again.computed, again.measured), (0, whole.measured));
    }
}
