//! One training step of a network, with everything that comes out of it.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::difference::Named;
use crate::base::host::host;
use crate::base::random::{Stream, generator};
use crate::data::ImageSet;
use crate::inference::batch::{clean_images, logits_and_responses};
use crate::learning::loss::regularised_loss;
use crate::learning::optimiser::default_optimiser;
use crate::networks::{Model, ModelConfig};

/// Regulariser strength of the step, so that its gradient is compared too.
const ALPHA: f64 = 1.0;

/// Images that are compared at most: the CPU computes them too.
const COMPARED_IMAGES: usize = 16;

/// Batch norm's shift in the step. A ReLU's gradient jumps where its input is zero: of a million inputs of standard
/// deviation 1 around zero, rounding decides about one or two, and each changes gradients by some percent (measured:
/// 3.6e-2 on ResNet20, 8 images). Four standard deviations away there are none.
const SHIFT: f32 = 4.0;

/// The shift of one channel in [`SHUT`], so that the ReLU has something to do: far enough that no value is left, since
/// the selectivity of a unit with a few small values depends on their rounding (measured: 1e-3 at -4).
const SHIFT_OF_SHUT: f32 = -16.0;

/// One channel in this many is shut.
const SHUT: usize = 8;

/// A smaller change of a parameter than this share of it is compared as if it were this large: a parameter is rounded to
/// 6e-8 of itself, and its change with it.
const LEAST_CHANGE: f64 = 1.0 / 256.0;

/// A network and the shape of its images.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The network.
    pub config: ModelConfig,
    /// `[batch, 3, height, width]`; 2 images or more.
    pub shape: [usize; 4],
}

impl Step {
    /// The step with as many of its images as are compared with the CPU.
    pub(super) fn compared(&self) -> Step {
        self.with_images(self.shape[0].min(COMPARED_IMAGES))
    }

    fn with_images(&self, batch: usize) -> Step {
        let [_, channels, height, width] = self.shape;
        Step {
            shape: [batch, channels, height, width],
            ..*self
        }
    }

    /// The step on `device`, of a network whose ReLUs have no input near zero: loss, gradients of the images and of every
    /// parameter, the optimiser's changes, running statistics, and the changed network's logits and unit responses in
    /// inference mode.
    pub(super) fn compute(&self, device: &Device) -> Vec<Named> {
        let training_device = device.clone().autodiff();
        let model = shifted(self.config.init(0, &training_device));
        let before = state(&model.valid());
        let images = self.images(&training_device).require_grad();
        let terms = regularised_loss(&model, images.clone(), &self.labels(), ALPHA);
        let mut tensors = vec![
            Named::new("cross-entropy", host(terms.cross_entropy.inner())),
            Named::new("selectivity", host(terms.selectivity.inner())),
        ];
        let gradients = terms.loss.backward();
        let of_images = images.grad(&gradients).map(host).unwrap_or_default();
        tensors.push(Named::new("gradient of the images", of_images));
        tensors.extend(parameter_gradients(&model, &gradients));
        let gradients = GradientsParams::from_grads(gradients, &model);
        let model = default_optimiser().step(0.1, model, gradients).valid();
        for (after, before) in state(&model).into_iter().zip(before) {
            if after.name.contains("running_") {
                tensors.push(after);
                continue;
            }
            let largest = before
                .values
                .iter()
                .fold(0.0, |largest: f32, value| largest.max(value.abs()));
            let change = after.values.iter().zip(before.values);
            tensors.push(Named {
                name: format!("change of {}", after.name),
                values: change.map(|(after, before)| after - before).collect(),
                least_scale: f64::from(largest) * LEAST_CHANGE,
            });
        }
        let (logits, responses) = logits_and_responses(&model, self.images(device));
        tensors.push(Named::new("logits after the step", host(logits)));
        tensors.push(Named::new("unit responses after the step", host(responses)));
        tensors
    }

    /// The step at `batch` images, for its memory alone: nothing but the loss is read.
    ///
    /// # Errors
    /// The device's error where it could not.
    pub(super) fn fits(&self, batch: usize, device: &Device) -> Result<(), String> {
        let step = self.with_images(batch);
        let training_device = device.clone().autodiff();
        let model = step.config.init(0, &training_device);
        let images = step.images(&training_device);
        let terms = regularised_loss(&model, images, &step.labels(), ALPHA);
        let gradients = GradientsParams::from_grads(terms.loss.backward(), &model);
        let model = default_optimiser().step(0.1, model, gradients);
        terms
            .loss
            .inner()
            .try_into_data()
            .map_err(|error| error.to_string())?;
        drop(model);
        device.sync().map_err(|error| error.to_string())
    }

    /// Random images, on the way that training images take to the device.
    fn images(&self, device: &Device) -> Tensor<4> {
        let [batch, _, height, width] = self.shape;
        let pixels = random(0, self.shape.iter().product())
            .into_iter()
            .map(|value| (value * 256.0) as u8)
            .collect();
        let set = ImageSet::new(pixels, self.labels(), height, width)
            .expect("a pixel for every place of the shape");
        let all: Vec<usize> = (0..batch).collect();
        clean_images(&set, &all, device)
    }

    /// Classes in turn; two at least, so that selectivity is defined.
    fn labels(&self) -> Vec<u32> {
        (0..self.shape[0])
            .map(|image| (image % self.config.classes) as u32)
            .collect()
    }
}

/// Uniform in [0, 1), the same at every call of one sequence and count.
pub(super) fn random(sequence: u64, count: usize) -> Vec<f32> {
    use rand::distr::{Distribution, StandardUniform};
    StandardUniform
        .sample_iter(generator(sequence, Stream::SelfCheck, count as u64))
        .take(count)
        .collect()
}

/// The network with [`SHIFT`] as batch norm's shifts.
fn shifted(model: Model) -> Model {
    struct Shift {
        name: String,
    }
    impl ModuleMapper for Shift {
        fn enter_module(&mut self, name: &str, _container: &str) {
            name.clone_into(&mut self.name);
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.name != "beta" {
                return param;
            }
            let (device, shape) = (param.val().device(), param.val().dims());
            let values: Vec<f32> = (1..=shape[0])
                .map(|channel| match channel.is_multiple_of(SHUT) {
                    true => SHIFT_OF_SHUT,
                    false => SHIFT,
                })
                .collect();
            let shift = Tensor::from_data(TensorData::new(values, shape), &device);
            Param::initialized(param.id, shift.require_grad())
        }
    }
    model.map(&mut Shift {
        name: String::new(),
    })
}

/// Parameters and running statistics of a network in inference mode.
fn state(model: &Model) -> Vec<Named> {
    visit(model, None)
}

fn parameter_gradients(model: &Model, gradients: &Gradients) -> Vec<Named> {
    visit(model, Some(gradients))
}

fn visit(model: &Model, gradients: Option<&Gradients>) -> Vec<Named> {
    struct Collect<'a> {
        path: Vec<String>,
        gradients: Option<&'a Gradients>,
        tensors: Vec<Named>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = self.path.join(".");
            let Some(gradients) = self.gradients else {
                self.tensors.push(Named::new(name, host(param.val())));
                return;
            };
            if let Some(gradient) = param.val().grad(gradients) {
                let name = format!("gradient of {name}");
                self.tensors.push(Named::new(name, host(gradient)));
            }
        }
    }
    let mut collect = Collect {
        path: Vec::new(),
        gradients,
        tensors: Vec::new(),
    };
    model.visit(&mut collect);
    collect.tensors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::weights::trainable_parameters;
    use crate::operators::tests::with_burn_alone;
    use crate::self_check::TOLERANCE;
    use crate::self_check::difference::{differences, largest};
    use protocol::Network;

    /// Breaks when a parameter's gradient, its change by the optimiser or a running statistic is left out, or is zero
    /// because nothing happened to it.
    #[test]
    fn a_step_shows_every_parameter() {
        let step = Step {
            config: ModelConfig::with_generic_normalisation(Network::ResNet8, 4),
            shape: [4, 3, 8, 8],
        };
        let device = Device::flex();
        let tensors = step.compute(&device);
        let parameters = trainable_parameters(&step.config.init(0, &device)) as usize;
        for prefix in ["gradient of body", "change of body"] {
            let of_kind = tensors
                .iter()
                .filter(|tensor| tensor.name.starts_with(prefix));
            assert_eq!(
                of_kind.map(|tensor| tensor.values.len()).sum::<usize>(),
                parameters,
                "{prefix}"
            );
        }
        let running = tensors
            .iter()
            .filter(|tensor| tensor.name.contains("running_"));
        assert_eq!(
            running.count(),
            2 * 7,
            "mean and variance of each batch norm"
        );
        for tensor in &tensors {
            assert!(
                tensor.values.iter().any(|value| value.abs() > 1e-12),
                "{}",
                tensor.name
            );
        }
        assert_eq!(step.fits(6, &device), Ok(()));
    }

    /// Breaks when two correct ways to sum (the CPU's own kernels and burn's) differ by more than a device may: the
    /// tolerance would then refuse devices for their rounding.
    #[test]
    fn rounding_alone_is_tolerated() {
        for network in [Network::ResNet8, Network::ResNet20] {
            let step = Step {
                config: ModelConfig::with_generic_normalisation(network, 10),
                shape: [8, 3, 32, 32],
            };
            let device = Device::flex();
            let own = step.compute(&device);
            let other = with_burn_alone(|| step.compute(&device));
            let differences = differences(&own, &other);
            let largest = largest(&differences).expect("a step has tensors");
            println!("{network}: {largest:?}");
            assert!(
                largest.relative < TOLERANCE && largest.relative > 0.0,
                "{network}: {largest:?}"
            );
        }
    }
}
