//! SGD as Leavitt & Morcos (2020) train with it, and its learning rate by epoch.

use burn::optim::{ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use protocol::TrainingSpec;

use crate::operators::SgdStep;

/// SGD with momentum and weight decay on every parameter, as PyTorch's `SGD` (no dampening).
#[derive(Debug, Clone, Copy)]
struct Sgd {
    momentum: f32,
    weight_decay: f32,
}

/// What a parameter keeps from step to step.
#[derive(Debug, Clone)]
struct SgdState<const D: usize> {
    velocity: Tensor<D>,
}

/// The name of the velocity in checkpoints: the one that burn's SGD gives it, so that what it trained can be gone on with.
const VELOCITY: &str = "momentum.velocity";

impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, sink: &mut StateSink) {
        sink.push_tensor(prefix, VELOCITY, self.velocity.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = source.take_tensor(prefix, VELOCITY)?;
        Some(SgdState {
            velocity: Tensor::from_data(velocity, device),
        })
    }
}

impl Optimizer for Sgd {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let step = SgdStep {
            learning_rate: learning_rate as f32,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
        };
        let velocity = state.map(|state| state.velocity);
        let (parameter, velocity) = step.step(parameter, gradient, velocity);
        (parameter, Some(SgdState { velocity }))
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        SgdState {
            velocity: state.velocity.to_device(device),
        }
    }
}

/// SGD with the numbers of a run.
pub(crate) fn optimiser(training: &TrainingSpec) -> ModuleOptimizer {
    ModuleOptimizer::from(Sgd {
        momentum: training.momentum as f32,
        weight_decay: training.weight_decay as f32,
    })
}

/// SGD with the numbers of Leavitt & Morcos (2020): momentum 0.9, weight decay 1e-4.
pub(crate) fn default_optimiser() -> ModuleOptimizer {
    ModuleOptimizer::from(Sgd {
        momentum: 0.9,
        weight_decay: 1e-4,
    })
}

/// The learning rate of `epoch` (from 1): multiplied by the factor after each milestone epoch.
pub(crate) fn learning_rate(training: &TrainingSpec, epoch: u32) -> f64 {
    let passed = training
        .learning_rate_milestones
        .iter()
        .filter(|&&milestone| epoch > milestone)
        .count();
    training.learning_rate * training.learning_rate_factor.powi(passed as i32)
}
