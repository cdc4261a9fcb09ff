//! Input-unit gradients of every unit of every layer (method, "Input-unit gradients"), layer by layer, each
//! kept when it is done.
//!
//! Memory: the gradients of one batch, and one layer's mean gradients (units x 3 x height x width f64).

use std::path::{Path, PathBuf};

use protocol::Measurement;
use protocol::gradient::{InputUnitGradientMeasurement, InputUnitGradientSpec, unit_passes};

use super::{Listener, Trained, kept, spread};
use crate::EngineError;
use crate::base::arrays::Arrays;
use crate::base::{FileError, files};
use crate::inference::unit_gradients::{InputUnitGradients, LayerGradients};
use crate::measures::NotFinite;
use crate::measures::variability::{GradientVariability, variability};

/// Folder of the results, within the run's folder.
const FOLDER: &str = "input_unit_gradients";

/// Largest side of the mean gradients that are kept: those of larger images are averaged over squares of pixels.
const KEPT_SIDE: usize = 32;

/// Measures a trained network as `spec` says; see [`super::perform`].
pub(super) fn perform(
    spec: &InputUnitGradientSpec,
    trained: &Trained,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    let test = trained.test;
    let images = spec.images(test.len() as u32);
    let indices = spread(test.labels(), images as usize);
    let folder = UnitGradients::folder(trained.run_directory, images);
    let measurement = measure_layers(&indices, trained, Some(&folder), listener)?;
    listener.measured(Measurement::InputUnitGradients(measurement));
    Ok(())
}

/// Measures the gradients of every layer on the test images at `indices`; keeps each layer's in `folder`, and
/// takes from there what an earlier try has measured.
///
/// # Errors
/// When a file cannot be read or written, a gradient is not finite, or the listener stops it.
pub fn measure_layers(
    indices: &[usize],
    trained: &Trained,
    folder: Option<&Path>,
    listener: &mut dyn Listener,
) -> Result<InputUnitGradientMeasurement, EngineError> {
    let layers = trained.model.layers();
    let gradients = InputUnitGradients::new(trained.model, trained.device);
    let mut measurement = InputUnitGradientMeasurement {
        images: indices.len() as u32,
        mean_norm: vec![],
        cv_across_samples: vec![],
        cv_across_units: vec![],
        units_without_gradient: vec![],
    };
    for (index, layer) in layers.iter().enumerate() {
        let path = folder.map(|folder| file(folder, &layer.name));
        // Progress counts forward passes through whole networks.
        let passes = unit_passes(index, layers.len());
        let variability = match kept(path.as_deref(), listener, UnitGradients::read)? {
            Some(known) => {
                let images = indices.len() as f64 * f64::from(layer.units) * passes;
                if !listener.advanced(images as usize, false) {
                    return Err(EngineError::Cancelled);
                }
                known.variability()
            }
            None => {
                let (mut done, mut reported) = (0.0, 0);
                let measured = gradients
                    .layer(index, trained.test, indices, &mut |images| {
                        done += images as f64 * passes;
                        let more = done as usize - reported;
                        reported = done as usize;
                        listener.advanced(more, true)
                    })
                    .ok_or(EngineError::Cancelled)?;
                if measured.norms.iter().any(|norm| !norm.is_finite()) {
                    return Err(NotFinite {
                        what: format!("input-unit gradients of {}", layer.name),
                    }
                    .into());
                }
                if let Some(path) = &path {
                    let (height, width) = (trained.test.height(), trained.test.width());
                    arrays(&measured, height, width, indices).save(path)?;
                }
                variability(&measured.norms, measured.units)
            }
        };
        let norms = &variability.mean_norms;
        let mean = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
        measurement.mean_norm.push(mean);
        measurement
            .cv_across_samples
            .push(variability.mean_cv_across_samples());
        measurement
            .cv_across_units
            .push(variability.cv_across_units);
        let without = norms.iter().filter(|&&norm| norm == 0.0).count();
        measurement.units_without_gradient.push(without as u32);
    }
    Ok(measurement)
}

fn file(folder: &Path, layer: &str) -> PathBuf {
    folder.join(format!("{layer}.safetensors"))
}

fn arrays(measured: &LayerGradients, height: usize, width: usize, indices: &[usize]) -> Arrays {
    let LayerGradients { images, units, .. } = *measured;
    let (maps, height, width) = pooled(&measured.mean_gradients, height, width);
    let indices: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
    let mut arrays = Arrays::default();
    // Double, so that what is read again gives the same numbers to the last digit.
    arrays.insert_double("norms", &[images, units], &measured.norms);
    arrays.insert_whole("images", &[images], &indices);
    arrays.insert_half("mean_gradients", &[units, 3, height, width], &maps);
    arrays
}

/// Planes of `height` x `width`, averaged over squares until no side is over [`KEPT_SIDE`].
fn pooled(planes: &[f32], height: usize, width: usize) -> (Vec<f32>, usize, usize) {
    let side = height.max(width).div_ceil(KEPT_SIDE);
    if side <= 1 {
        return (planes.to_vec(), height, width);
    }
    let (rows, columns) = (height.div_ceil(side), width.div_ceil(side));
    let mut pooled = Vec::with_capacity(planes.len() / (side * side));
    for plane in planes.chunks_exact(height * width) {
        for row in 0..rows {
            for column in 0..columns {
                let ys = row * side..height.min((row + 1) * side);
                let xs = column * side..width.min((column + 1) * side);
                let count = (ys.len() * xs.len()) as f32;
                let sum: f32 = ys
                    .flat_map(|y| xs.clone().map(move |x| plane[y * width + x]))
                    .sum();
                pooled.push(sum / count);
            }
        }
    }
    (pooled, rows, columns)
}

/// What a run keeps of one layer's gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitGradients {
    /// Images measured on.
    pub images: usize,
    /// Units.
    pub units: usize,
    /// L2 norms, `[images, units]`, row by row.
    pub norms: Vec<f64>,
    /// Mean gradients `[units, 3, height, width]`, averaged over squares of pixels where images are over 32x32.
    pub mean_gradients: Vec<f32>,
    /// Height of the mean gradients.
    pub height: usize,
    /// Width of the mean gradients.
    pub width: usize,
}

impl UnitGradients {
    /// The folder of what a run keeps of gradients on so many images.
    pub fn folder(run_directory: &Path, images: u32) -> PathBuf {
        run_directory.join(FOLDER).join(images.to_string())
    }

    /// Reads what was kept of a layer; `None` where that was not measured.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn load(
        run_directory: &Path,
        images: u32,
        layer: &str,
    ) -> Result<Option<UnitGradients>, FileError> {
        Self::read(&file(&Self::folder(run_directory, images), layer))
    }

    fn read(path: &Path) -> Result<Option<UnitGradients>, FileError> {
        let Some(arrays) = Arrays::load(path)? else {
            return Ok(None);
        };
        let read = || {
            let &[images, units] = arrays.shape("norms")? else {
                return None;
            };
            let &[gradient_units, 3, height, width] = arrays.shape("mean_gradients")? else {
                return None;
            };
            (gradient_units == units).then_some(UnitGradients {
                images,
                units,
                norms: arrays.doubles("norms")?,
                mean_gradients: arrays.floats("mean_gradients")?,
                height,
                width,
            })
        };
        read()
            .map(Some)
            .ok_or_else(|| files::damaged(path, "it lacks an array, or has one of another shape"))
    }

    /// The variability of the norms.
    pub fn variability(&self) -> GradientVariability {
        variability(&self.norms, self.units)
    }

    /// The mean gradient of one unit, `[3, height, width]`; none where there is no such unit.
    pub fn mean_gradient(&self, unit: usize) -> Option<&[f32]> {
        let length = 3 * self.height * self.width;
        self.mean_gradients.chunks_exact(length.max(1)).nth(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageSet;
    use crate::networks::ModelConfig;
    use burn::module::Module;
    use burn::tensor::Device;
    use protocol::{Dataset, Network};

    struct Count {
        computed: usize,
        stop_after: usize,
    }

    impl Listener for Count {
        fn warned(&mut self, message: String) {
            panic!("{message}");
        }

        fn measured(&mut self, _measurement: Measurement) {}

        fn advanced(&mut self, images: usize, computed: bool) -> bool {
            self.computed += if computed { images } else { 0 };
            self.computed < self.stop_after
        }
    }

    /// Breaks when a layer is lost or measured twice after a cut, what is kept differs from what was measured, or the
    /// cost is not as promised.
    #[test]
    fn what_was_cut_off_goes_on() {
        let device = Device::flex();
        let config = ModelConfig::with_generic_normalisation(Network::ResNet8, 3);
        let model = config.init(1, &device).valid();
        let pixels = (0..6 * 3 * 64).map(|i| ((i * 7919) % 251) as u8).collect();
        let set = ImageSet::new(pixels, vec![0, 1, 2, 0, 1, 2], 8, 8).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let trained = Trained {
            model: &model,
            device: &device,
            dataset: &Dataset::Builtin,
            data_directory: folder.path(),
            test: &set,
            run_directory: folder.path(),
            batch_size: 16,
        };
        let measure = |folder: Option<&Path>, stop_after| {
            let mut count = Count {
                computed: 0,
                stop_after,
            };
            let measurement = measure_layers(&[0, 2, 5, 4], &trained, folder, &mut count);
            (measurement, count.computed)
        };
        let (whole, cost) = measure(None, usize::MAX);
        let whole = whole.unwrap();
        let promised = InputUnitGradientSpec { images: 4 }.forward_images(Network::ResNet8, 6);
        assert!((cost as u64).abs_diff(promised) <= 7, "{cost}, {promised}");
        assert_eq!((whole.images, whole.mean_norm.len()), (4, 7));
        assert!(whole.mean_norm.iter().all(|&norm| norm > 0.0));

        let directory = UnitGradients::folder(folder.path(), 4);
        let (cut, _) = measure(Some(&directory), cost / 2);
        assert!(matches!(cut, Err(EngineError::Cancelled)));
        let (rest, again) = measure(Some(&directory), usize::MAX);
        assert!(again < cost);
        assert_eq!(rest.unwrap(), whole);
        let (kept, nothing) = measure(Some(&directory), usize::MAX);
        assert_eq!((kept.unwrap(), nothing), (whole, 0));
        let stem = UnitGradients::load(folder.path(), 4, "stem");
        let stem = stem.unwrap().unwrap();
        assert_eq!((stem.images, stem.units, stem.height), (4, 16, 8));
        assert_eq!(stem.mean_gradient(15).map(<[f32]>::len), Some(192));
        assert_eq!(stem.mean_gradient(16), None);
        assert_eq!(
            UnitGradients::load(folder.path(), 4, "stage9").unwrap(),
            None
        );
    }

    /// Breaks when large gradients are cut off instead of averaged.
    #[test]
    fn large_maps_are_averaged_over_squares() {
        let plane: Vec<f32> = (0..64 * 64)
            .map(|i| (i % 64 / 2 + i / 128) as f32)
            .collect();
        let (pooled, height, width) = pooled(&plane, 64, 64);
        assert_eq!((height, width, pooled.len()), (32, 32, 1024));
        assert_eq!((pooled[0], pooled[33], pooled[1023]), (0.0, 2.0, 62.0));
    }
}
