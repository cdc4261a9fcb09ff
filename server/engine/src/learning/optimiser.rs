//! SGD as Leavitt & Morcos (2020) train with it, and its learning rate by epoch.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use protocol::TrainingSpec;

/// SGD with momentum and weight decay on every parameter, as PyTorch's `SGD` (no dampening).
pub(crate) fn optimiser(training: &TrainingSpec) -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(
            MomentumConfig::new()
                .with_momentum(training.momentum)
                .with_dampening(0.0),
        ))
        .with_weight_decay(Some(WeightDecayConfig::new(training.weight_decay as f32)))
        .init()
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
