//! Input-unit gradients: how each unit responds to changes of each image (method, "Input-unit gradients").
//!
//! For unit u and image x, the gradient of u's response (the mean of its map after the ReLU) with respect to x on the
//! [0, 1] scale, network in inference mode. It is computed exactly: one backward pass per unit, for a batch of images
//! at once (an image's response depends on that image alone), from the unit's layer on. On the CPU a batch is passed
//! forward once a layer; elsewhere once a unit, since burn's autodiff consumes its graph.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::batch::{batch_size, clean_images};
use crate::base::host::host;
use crate::data::ImageSet;
use crate::networks::Model;
use crate::operators::Tape;

/// A network whose units' gradients are measured.
pub struct InputUnitGradients {
    /// In inference mode, without autodiff.
    model: Model,
    /// The same with autodiff, frozen: batch norm uses its running statistics, and no parameter requires a gradient.
    differentiated: Model,
    device: Device,
}

impl InputUnitGradients {
    /// A frozen copy of `model` as it is now, on `device` (without autodiff).
    pub fn new(model: &Model, device: &Device) -> Self {
        InputUnitGradients {
            model: model.valid(),
            differentiated: model.valid().freeze().train(),
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
            let tape = self.model.tape_at(clean.clone(), layer);
            // [units, images of the chunk]
            let mut of_chunk = Vec::with_capacity(units * chunk.len());
            for (unit, sum) in sums.chunks_exact_mut(length).enumerate() {
                let gradients = host(match &tape {
                    Some(tape) => self.unit_taped(tape, unit)?,
                    None => self.unit(layer, unit, clean.clone())?,
                });
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

    /// The gradient of one unit's response for each image, `[batch, 3, height, width]`, by the tape of its layer.
    fn unit_taped(&self, tape: &Tape, unit: usize) -> Option<Tensor<4>> {
        Some(self.model.before_normalising(tape.gradient(unit)?))
    }

    /// The gradient of one unit's response for each image, `[batch, 3, height, width]`, by autodiff.
    fn unit(&self, layer: usize, unit: usize, images: Tensor<4>) -> Option<Tensor<4>> {
        let shape = images.dims();
        let images = images.autodiff().require_grad();
        let responses = self.differentiated.responses_at(images.clone(), layer)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::ModelConfig;
    use crate::operators::tests::TAPED;
    use protocol::Network;

    fn model(network: Network, device: &Device) -> Model {
        let config = ModelConfig {
            network,
            classes: 4,
            mean: [0.4, 0.5, 0.6],
            std: [0.25, 0.2, 0.3],
        };
        config.init(2, device)
    }

    /// Three images of `side` x `side` pixels.
    fn three_images(side: usize) -> ImageSet {
        let pixels = (0..3 * 3 * side * side)
            .map(|i| ((i * 7919) % 251) as u8)
            .collect();
        ImageSet::new(pixels, vec![0, 1, 2], side, side).unwrap()
    }

    /// Breaks when a tape's gradient differs from autodiff's in a single bit, or a network's layer has no tape: a sum is
    /// taken otherwise where a tensor has two readers, or the images are normalised otherwise.
    #[test]
    fn tapes_give_the_bits_of_autodiff() {
        let device = Device::flex();
        for (network, side) in [
            (Network::ResNet8, 8),
            (Network::ResNet18, 16),
            (Network::ResNet50, 16),
        ] {
            let model = model(network, &device);
            let set = three_images(side);
            let gradients = InputUnitGradients::new(&model, &device);
            let layers = model.layers();
            let last = layers.len() - 1;
            for layer in [0, 1, last / 2, last / 2 + 1, last - 1, last] {
                let images = clean_images(&set, &[0, 1, 2], &device);
                let tape = gradients.model.tape_at(images.clone(), layer);
                let tape = tape.unwrap_or_else(|| panic!("{network}: no tape of layer {layer}"));
                let units = layers[layer].units as usize;
                for unit in [0, units / 3, units - 1] {
                    let bits = |gradient: Option<Tensor<4>>| -> Vec<u32> {
                        let values = host(gradient.unwrap());
                        values.into_iter().map(f32::to_bits).collect()
                    };
                    let taped = bits(gradients.unit_taped(&tape, unit));
                    let differentiated = bits(gradients.unit(layer, unit, images.clone()));
                    assert!(
                        taped == differentiated,
                        "{network}: other bits for unit {unit} of layer {layer}"
                    );
                }
                assert!(gradients.unit_taped(&tape, units).is_none());
            }
            assert!(
                gradients
                    .model
                    .tape_at(clean_images(&set, &[0], &device), last + 1)
                    .is_none()
            );
        }
    }

    /// Breaks when a layer is measured by autodiff where a tape would do, a batch's gradients get mixed up, or what is
    /// measured depends on which of the two it is.
    #[test]
    fn layers_are_measured_by_tape() {
        let device = Device::flex();
        let gradients = InputUnitGradients::new(&model(Network::ResNet8, &device), &device);
        let set = three_images(8);
        for layer in [0, 4] {
            let before = TAPED.get();
            let measured = gradients.layer(layer, &set, &[2, 0], &mut |_| true);
            let measured = measured.unwrap();
            assert_eq!(TAPED.get() - before, measured.units);
            for unit in 0..measured.units {
                let images = clean_images(&set, &[2, 0], &device);
                let gradient = host(gradients.unit(layer, unit, images).unwrap());
                for (image, gradient) in gradient.chunks_exact(192).enumerate() {
                    let mut square = 0.0;
                    for &value in gradient {
                        square += f64::from(value) * f64::from(value);
                    }
                    assert_eq!(
                        measured.norms[image * measured.units + unit],
                        f64::sqrt(square),
                        "image {image} of unit {unit} of layer {layer}"
                    );
                }
            }
        }
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
            let gradient = host(gradients.unit(layer, unit, images.clone()).unwrap());
            let response = |values: &[f32]| {
                let data = burn::tensor::TensorData::new(values.to_vec(), [3, 3, 8, 8]);
                let images = Tensor::<4>::from_data(data, &device);
                let responses = model.valid().responses_at(images, layer).unwrap();
                host(responses.narrow(1, unit, 1))
            };
            let values = host(images);
            let largest = (0..gradient.len())
                .max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs()))
                .unwrap();
            let step = 1e-3;
            let moved = |sign: f32| {
                let mut values = values.clone();
                values[largest] += sign * step;
                response(&values)[largest / 192]
            };
            let numeric = (moved(1.0) - moved(-1.0)) / (2.0 * step);
            let error = (numeric - gradient[largest]).abs();
            assert!(
                error < 0.02 * gradient[largest].abs() + 1e-4,
                "{numeric} against {}",
                gradient[largest]
            );
        }
        let layer = gradients.layer(0, &set, &[0, 2], &mut |_| true).unwrap();
        assert_eq!((layer.images, layer.units, layer.norms.len()), (2, 16, 32));
        assert!(gradients.layer(0, &set, &[0, 2], &mut |_| false).is_none());
        assert!(gradients.layer(7, &set, &[0], &mut |_| true).is_none());
    }
}
