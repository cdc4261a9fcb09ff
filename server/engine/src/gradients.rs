//! Input-unit gradients: how each unit responds to changes of each image (method, "Input-unit gradients").
//!
//! For unit u and image x, the gradient of u's response (the mean of its map after the ReLU) with respect to x on
//! the [0, 1] scale, network in inference mode. It is computed exactly: one backward pass a unit, for a batch
//! of images at once (an image's response depends on that image alone), on a graph that ends at the unit's layer.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::batch::clean_images;
use crate::data::ImageSet;
use crate::evaluate::{batch_size, host};
use crate::networks::Model;

/// A network whose units' gradients are measured.
pub struct InputUnitGradients {
    /// Frozen: batch norm keeps to its running statistics, and no parameter asks for a gradient.
    model: Model,
    device: Device,
}

impl InputUnitGradients {
    /// Of `model`, as it is now, on `device` (without autodiff).
    pub fn new(model: &Model, device: &Device) -> Self {
        InputUnitGradients {
            model: model.valid().freeze().train(),
            device: device.clone(),
        }
    }

    /// Gradients of every unit of layer `layer` (from 0) on the images of `set` at `indices`.
    ///
    /// `after_batch(images)` is called after every pass of so many images; `false` stops and gives `None`.
    pub fn layer(
        &self,
        layer: usize,
        set: &ImageSet,
        indices: &[usize],
        after_batch: &mut dyn FnMut(usize) -> bool,
    ) -> Option<LayerGradients> {
        let units = self.model.layers().get(layer)?.units as usize;
        let length = set.image_len();
        let mut norms = Vec::with_capacity(indices.len() * units);
        let mut sums = vec![0.0_f64; units * length];
        for chunk in indices.chunks(batch_size(set.height(), set.width())) {
            let clean = clean_images(set, chunk, &self.device);
            // [units, images of the chunk]
            let mut of_chunk = Vec::with_capacity(units * chunk.len());
            for (unit, sum) in sums.chunks_exact_mut(length).enumerate() {
                let gradients = host(self.unit(layer, unit, clean.clone())?);
                for gradient in gradients.chunks_exact(length) {
                    let mut square = 0.0_f64;
                    for (sum, &value) in sum.iter_mut().zip(gradient) {
                        let value = f64::from(value);
                        *sum += value;
                        square += value * value;
                    }
                    of_chunk.push(square.sqrt());
                }
                if !after_batch(chunk.len()) {
                    return None;
                }
            }
            for image in 0..chunk.len() {
                norms.extend((0..units).map(|unit| of_chunk[unit * chunk.len() + image]));
            }
        }
        let images = indices.len();
        Some(LayerGradients {
            images,
            units,
            norms,
            mean_gradients: sums
                .iter()
                .map(|sum| (sum / images.max(1) as f64) as f32)
                .collect(),
        })
    }

    /// The gradient of one unit's response for each image, `[batch, 3, height, width]`.
    fn unit(&self, layer: usize, unit: usize, images: Tensor<4>) -> Option<Tensor<4>> {
        let shape = images.dims();
        let images = images.autodiff().require_grad();
        let responses = self.model.responses_at(images.clone(), layer)?;
        let mut gradients = responses.narrow(1, unit, 1).sum().backward();
        let gradient = images.grad_remove(&mut gradients);
        Some(gradient.unwrap_or_else(|| Tensor::zeros(shape, &self.device)))
    }
}

/// The gradients of one layer's units.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerGradients {
    /// Images.
    pub images: usize,
    /// Units.
    pub units: usize,
    /// L2 norms, `[images, units]`, row by row.
    pub norms: Vec<f64>,
    /// Mean gradient of each unit over the images, `[units, 3, height, width]`, row by row.
    pub mean_gradients: Vec<f32>,
}

/// What a layer's gradients add up to.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientVariability {
    /// mu_u: mean norm of each unit over the images.
    pub mean_norms: Vec<f64>,
    /// CV_u = sd_u / mu_u of each unit, sd with n - 1; none where mu is 0 or there is one image.
    pub cv_across_samples: Vec<Option<f64>>,
    /// CV_l = standard deviation (n - 1) of mu_u over the units / their mean; none where that is 0 or there is one unit.
    pub cv_across_units: Option<f64>,
}

/// Variability of norms `[images, units]`, row by row.
pub fn variability(norms: &[f64], units: usize) -> GradientVariability {
    let columns: Vec<Vec<f64>> = (0..units)
        .map(|unit| norms.iter().skip(unit).step_by(units).copied().collect())
        .collect();
    let mean_norms: Vec<f64> = columns.iter().map(|column| mean(column)).collect();
    GradientVariability {
        cv_across_samples: columns
            .iter()
            .map(|column| coefficient_of_variation(column))
            .collect(),
        cv_across_units: coefficient_of_variation(&mean_norms),
        mean_norms,
    }
}

impl GradientVariability {
    /// Mean of CV_u over the units that have one.
    pub fn mean_cv_across_samples(&self) -> Option<f64> {
        let values: Vec<f64> = self.cv_across_samples.iter().copied().flatten().collect();
        (!values.is_empty()).then(|| mean(&values))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    if values.len() < 2 || mean <= 0.0 {
        return None;
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt() / mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::ModelConfig;
    use protocol::Network;

    /// Breaks when the deviation is divided by n instead of n - 1, or silent units divide by 0.
    #[test]
    fn variability_of_known_norms() {
        // Units: 1 and 3 (mean 2, sd sqrt 2), 4 and 4, 0 and 0.
        let found = variability(&[1.0, 4.0, 0.0, 3.0, 4.0, 0.0], 3);
        assert_eq!(found.mean_norms, [2.0, 4.0, 0.0]);
        let cv: Vec<_> = found.cv_across_samples.clone();
        assert!((cv[0].unwrap() - 2.0_f64.sqrt() / 2.0).abs() < 1e-12);
        assert_eq!((cv[1], cv[2]), (Some(0.0), None));
        assert!((found.cv_across_units.unwrap() - 1.0).abs() < 1e-12);
        let expected = 2.0_f64.sqrt() / 4.0;
        assert!((found.mean_cv_across_samples().unwrap() - expected).abs() < 1e-12);
        assert_eq!(variability(&[0.0, 0.0], 1).cv_across_units, None);
    }

    /// Breaks when a gradient is of another unit, another layer or the mean over images, or not on the [0, 1]
    /// scale: it must predict how the response changes with one pixel.
    #[test]
    fn gradients_agree_with_finite_differences() {
        let device = Device::flex();
        let config = ModelConfig {
            network: Network::ResNet8,
            classes: 4,
            mean: [0.4; 3],
            std: [0.25; 3],
        };
        let model = config.init(2, &device);
        let pixels: Vec<u8> = (0..3 * 3 * 8 * 8)
            .map(|i| ((i * 7919) % 251) as u8)
            .collect();
        let set = ImageSet::new(pixels, vec![0, 1, 2], 8, 8).unwrap();
        let gradients = InputUnitGradients::new(&model, &device);
        for (layer, unit) in [(0, 3), (3, 17), (6, 40)] {
            let images = clean_images(&set, &[0, 1, 2], &device);
            let found = host(gradients.unit(layer, unit, images.clone()).unwrap());
            let response = |values: &[f32]| {
                let data = burn::tensor::TensorData::new(values.to_vec(), [3, 3, 8, 8]);
                let images = Tensor::<4>::from_data(data, &device);
                let responses = model.valid().responses_at(images, layer).unwrap();
                host(responses.narrow(1, unit, 1))
            };
            let values = host(images);
            let largest = (0..found.len())
                .max_by(|&a, &b| found[a].abs().total_cmp(&found[b].abs()))
                .unwrap();
            let step = 1e-3;
            let moved = |sign: f32| {
                let mut values = values.clone();
                values[largest] += sign * step;
                response(&values)[largest / 192]
            };
            let numeric = (moved(1.0) - moved(-1.0)) / (2.0 * step);
            let error = (numeric - found[largest]).abs();
            assert!(
                error < 0.02 * found[largest].abs() + 1e-4,
                "{numeric} against {}",
                found[largest]
            );
        }
        let layer = gradients.layer(0, &set, &[0, 2], &mut |_| true).unwrap();
        assert_eq!((layer.images, layer.units, layer.norms.len()), (2, 16, 32));
        assert!(gradients.layer(0, &set, &[0, 2], &mut |_| false).is_none());
        assert!(gradients.layer(7, &set, &[0], &mut |_| true).is_none());
    }
}
