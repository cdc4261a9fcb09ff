//! SGD with momentum and weight decay in one pass over memory.
//!
//! Burn's takes one for each operation, seven in all, over 11 million parameters for ResNet18
//! (`server/engine/PERFORMANCE.md`, section 6).

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Device, Tensor};
use rayon::prelude::*;

use super::primitive;

/// Values that a thread takes at once.
const CHUNK: usize = 32_768;

/// The settings of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SgdStep {
    /// The velocity is multiplied by it and subtracted from the parameter.
    pub(crate) learning_rate: f32,
    /// The velocity before is multiplied by it and added to the gradient.
    pub(crate) momentum: f32,
    /// The parameter is multiplied by it and added to the gradient.
    pub(crate) weight_decay: f32,
}

impl SgdStep {
    /// The parameter and its velocity after a step; `velocity` is that of the step before, none at the first.
    ///
    /// `gradient' = gradient + weight_decay x parameter`, `velocity = gradient' + momentum x velocity`,
    /// `parameter - learning_rate x velocity`: as PyTorch's `SGD` without dampening, and bit by bit as burn's.
    pub(crate) fn step<const D: usize>(
        self,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Tensor<D>) {
        let on_cpu = |tensor: &Tensor<D>| {
            let device = tensor.device();
            device == Device::flex() && !device.is_autodiff() && tensor.dtype() == DType::F32
        };
        if !(on_cpu(&parameter) && on_cpu(&gradient) && velocity.iter().all(on_cpu)) {
            return self.step_by_burn(parameter, gradient, velocity);
        }
        let lies = |tensor: Tensor<D>| in_order(primitive::<Flex, D>(tensor));
        let (parameter, velocity) =
            self.step_in_place(&lies(parameter), lies(gradient), velocity.map(lies));
        (
            Tensor::from_primitive::<Flex>(parameter),
            Tensor::from_primitive::<Flex>(velocity),
        )
    }

    fn step_by_burn<const D: usize>(
        self,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Tensor<D>) {
        let gradient = parameter
            .clone()
            .mul_scalar(self.weight_decay)
            .add(gradient);
        let velocity = match velocity {
            Some(before) => gradient.add(before.mul_scalar(self.momentum)),
            None => gradient,
        };
        let change = velocity.clone().mul_scalar(self.learning_rate);
        (parameter - change, velocity)
    }

    /// The new parameter takes the gradient's memory, the new velocity that of the old one: neither is needed again, while
    /// the parameter's may be held by others.
    fn step_in_place(
        self,
        parameter: &FlexTensor,
        mut gradient: FlexTensor,
        velocity: Option<FlexTensor>,
    ) -> (FlexTensor, FlexTensor) {
        let count = parameter.layout().num_elements();
        let before = &parameter.storage::<f32>()[..count];
        let Some(mut velocity) = velocity else {
            let mut first = gradient;
            first.storage_mut::<f32>()[..count]
                .par_chunks_mut(CHUNK)
                .zip(before.par_chunks(CHUNK))
                .for_each(|(velocities, before)| {
                    for (velocity, before) in velocities.iter_mut().zip(before) {
                        *velocity += before * self.weight_decay;
                    }
                });
            let mut parameter = parameter.clone();
            parameter.storage_mut::<f32>()[..count]
                .par_chunks_mut(CHUNK)
                .zip(first.storage::<f32>()[..count].par_chunks(CHUNK))
                .for_each(|(parameters, velocities)| {
                    for (parameter, velocity) in parameters.iter_mut().zip(velocities) {
                        *parameter -= velocity * self.learning_rate;
                    }
                });
            return (parameter, first);
        };
        velocity.storage_mut::<f32>()[..count]
            .par_chunks_mut(CHUNK)
            .zip(gradient.storage_mut::<f32>()[..count].par_chunks_mut(CHUNK))
            .zip(before.par_chunks(CHUNK))
            .for_each(|((velocities, gradients), before)| {
                let values = velocities.iter_mut().zip(gradients).zip(before);
                for ((velocity, gradient), before) in values {
                    let decayed = before * self.weight_decay + *gradient;
                    *velocity = decayed + *velocity * self.momentum;
                    *gradient = before - *velocity * self.learning_rate;
                }
            });
        (gradient, velocity)
    }
}

/// The tensor, its values in order from the beginning of its memory.
fn in_order(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().is_contiguous() && tensor.layout().start_offset() == 0 {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use burn::optim::decay::WeightDecayConfig;
    use burn::optim::momentum::MomentumConfig;
    use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
    use burn::tensor::{Distribution, TensorData};
    use protocol::{Augmentation, TrainingSpec};

    use super::*;
    use crate::learning::optimiser::optimiser;

    #[derive(Module, Debug)]
    struct Parameters {
        matrix: Param<Tensor<2>>,
        vector: Param<Tensor<1>>,
    }

    impl Parameters {
        fn new(device: &Device) -> Self {
            // More than a thread takes at once, and no whole number of registers.
            let matrix = Tensor::random([211, 331], Distribution::Default, device);
            let vector = Tensor::random([19], Distribution::Default, device);
            Parameters {
                matrix: Param::from_tensor(matrix),
                vector: Param::from_tensor(vector),
            }
        }

        /// The gradient changes from step to step, and reaches the matrix transposed.
        fn gradients(&self) -> GradientsParams {
            let columns = self.matrix.val().transpose();
            let loss = columns.powi_scalar(3).sum() + self.vector.val().powi_scalar(2).sum();
            GradientsParams::from_grads(loss.backward(), self)
        }

        fn data(&self) -> [TensorData; 2] {
            [self.matrix.val().into_data(), self.vector.val().into_data()]
        }
    }

    fn training(weight_decay: f64) -> TrainingSpec {
        TrainingSpec {
            epochs: 1,
            batch_size: 1,
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay,
            learning_rate_milestones: Vec::new(),
            learning_rate_factor: 0.1,
            augmentation: Augmentation::None,
            validation_images_per_class: 1,
            train_images_per_class: None,
        }
    }

    fn burns_own(weight_decay: f64) -> ModuleOptimizer {
        SgdConfig::new()
            .with_momentum(Some(
                MomentumConfig::new().with_momentum(0.9).with_dampening(0.0),
            ))
            .with_weight_decay(Some(WeightDecayConfig::new(weight_decay as f32)))
            .init()
    }

    /// Breaks when a step differs by one bit from that of burn's SGD, when the parameters that others hold are changed, or
    /// when a checkpoint's state that burn wrote cannot be gone on with.
    #[test]
    fn steps_as_burns_sgd_does_bit_by_bit() {
        let device = Device::flex().autodiff();
        for weight_decay in [0.0, 1e-4, 0.3] {
            let start = Parameters::new(&device);
            let data = start.data();
            let (mut mine, mut theirs) = (start.clone(), start.clone());
            let (mut fused, mut burns) =
                (optimiser(&training(weight_decay)), burns_own(weight_decay));
            for step in 0..6 {
                if step == 2 {
                    let bytes = burns.clone().into_bytes().unwrap();
                    fused = optimiser(&training(weight_decay))
                        .from_bytes(bytes)
                        .unwrap();
                }
                if step == 4 {
                    let bytes = fused.clone().into_bytes().unwrap();
                    burns = burns_own(weight_decay).from_bytes(bytes).unwrap();
                }
                let gradients = mine.gradients();
                mine = fused.step(0.1, mine, gradients);
                let gradients = theirs.gradients();
                theirs = burns.step(0.1, theirs, gradients);
                assert_eq!(mine.data(), theirs.data(), "step {step}");
                assert_ne!(mine.data(), data, "step {step} changes nothing");
            }
            assert_eq!(start.data(), data);
        }
    }

    /// Breaks when a step on the CPU falls back to burn's operators, or differs from them.
    #[test]
    fn a_step_takes_the_gradients_memory() {
        let device = Device::flex();
        let values = || Tensor::<2>::random([40, 50], Distribution::Default, &device);
        let sgd = SgdStep {
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 0.01,
        };
        let (parameter, gradient, velocity) = (values(), values(), values());
        let arguments = (parameter.clone(), gradient.clone(), Some(velocity.clone()));
        let expected = sgd.step_by_burn(arguments.0, arguments.1, arguments.2);
        let address = |tensor: &Tensor<2>| {
            primitive::<Flex, 2>(tensor.clone())
                .storage::<f32>()
                .as_ptr() as usize
        };
        let before = [address(&gradient), address(&velocity)];
        let found = sgd.step(parameter, gradient, Some(velocity));
        assert_eq!([address(&found.0), address(&found.1)], before);
        assert_eq!(found.0.into_data(), expected.0.into_data());
        assert_eq!(found.1.into_data(), expected.1.into_data());
    }
}
