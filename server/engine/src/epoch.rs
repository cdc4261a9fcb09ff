//! One epoch of SGD on cross-entropy - alpha x selectivity.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use protocol::TrainingSpec;

use crate::EngineError;
use crate::batch::EpochPlan;
use crate::evaluate::host;
use crate::networks::Model;
use crate::selectivity::minibatch_selectivity;

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

/// The terms of a regularised loss on one minibatch; each tensor is `[1]`.
pub struct Loss {
    /// cross-entropy - alpha x selectivity.
    pub loss: Tensor<1>,
    /// Mean cross-entropy in nats.
    pub cross_entropy: Tensor<1>,
    /// Network selectivity over the classes present; 0 where fewer than two are.
    pub selectivity: Tensor<1>,
    /// Images classified correctly.
    pub correct: Tensor<1>,
}

/// The regularised loss of `model` on a minibatch: images `[batch, 3, height, width]` in [0, 1].
pub fn regularised_loss(model: &Model, images: Tensor<4>, labels: &[u32], alpha: f64) -> Loss {
    let device = images.device();
    let batch = labels.len();
    let mut responses = Vec::new();
    let logits = model.forward_observed(images, &mut |activations| {
        let response = activations.responses;
        // Without a regulariser selectivity is only watched: no gradient flows through it.
        responses.push(if alpha == 0.0 {
            response.detach()
        } else {
            response
        });
    });
    let targets = labels
        .iter()
        .map(|&label| i64::from(label))
        .collect::<Vec<_>>();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [batch, 1]), &device);
    let cross_entropy = log_softmax(logits.clone(), 1)
        .gather(1, targets.clone())
        .mean()
        .neg();
    let correct = logits.detach().argmax(1).equal(targets).float().sum();
    match minibatch_selectivity(responses, labels) {
        Some(selectivity) => Loss {
            loss: if alpha == 0.0 {
                cross_entropy.clone()
            } else {
                cross_entropy.clone() - selectivity.clone() * alpha
            },
            cross_entropy,
            selectivity,
            correct,
        },
        None => Loss {
            loss: cross_entropy.clone(),
            cross_entropy,
            selectivity: Tensor::zeros([1], &device),
            correct,
        },
    }
}

/// Means over an epoch's training images.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) images: usize,
    pub(crate) loss: f64,
    pub(crate) cross_entropy: f64,
    pub(crate) correct: f64,
    /// Sum over minibatches, not images.
    pub(crate) selectivity: f64,
    pub(crate) steps: usize,
}

/// Where an epoch is, for whoever watches.
pub(crate) struct StepDone {
    pub(crate) step: usize,
    pub(crate) images: usize,
    pub(crate) loss: f64,
}

/// How many steps may be under way before their losses are read. Reading stops a GPU; the CPU does not mind.
fn steps_between_reads(device: &Device) -> usize {
    if *device == Device::flex() { 1 } else { 16 }
}

/// Trains `model` for one epoch.
///
/// `after_step` is called as losses become known; `false` ends the epoch with [`EngineError::Cancelled`].
///
/// # Errors
/// [`EngineError::Diverged`] with the first step whose loss is not finite.
pub(crate) fn train_epoch(
    mut model: Model,
    optimiser: &mut ModuleOptimizer,
    plan: &EpochPlan,
    alpha: f64,
    learning_rate: f64,
    device: &Device,
    after_step: &mut dyn FnMut(StepDone) -> bool,
) -> Result<(Model, Totals), EngineError> {
    let training_device = device.clone().autodiff();
    let reads = steps_between_reads(device);
    let steps = plan.steps();
    let mut totals = Totals::default();
    // Each entry: step, images, [loss, cross-entropy, selectivity, correct] still on the device.
    let mut unread: Vec<(usize, usize, Tensor<1>)> = Vec::new();
    let mut current = Some(model);
    plan.for_each(&training_device, |step, images, labels| {
        let trained = current.take().expect("put back at the end of each step");
        let terms = regularised_loss(&trained, images, &labels, alpha);
        let gradients = GradientsParams::from_grads(terms.loss.backward(), &trained);
        current = Some(optimiser.step(learning_rate, trained, gradients));
        let terms = [
            terms.loss,
            terms.cross_entropy,
            terms.selectivity,
            terms.correct,
        ];
        let terms = Tensor::cat(terms.map(|term| term.inner()).to_vec(), 0);
        unread.push((step, labels.len(), terms));
        if unread.len() < reads && step < steps {
            return Ok(());
        }
        let values = host(Tensor::cat(
            unread.iter().map(|(_, _, terms)| terms.clone()).collect(),
            0,
        ));
        for ((step, images, _), terms) in unread.drain(..).zip(values.chunks_exact(4)) {
            totals.add(plan.epoch, step, images, terms)?;
            let done = StepDone {
                step,
                images: totals.images,
                loss: f64::from(terms[0]),
            };
            if !after_step(done) {
                return Err(EngineError::Cancelled);
            }
        }
        Ok(())
    })?;
    model = current.take().expect("put back at the end of each step");
    Ok((model, totals))
}

impl Totals {
    fn add(
        &mut self,
        epoch: u32,
        step: usize,
        images: usize,
        terms: &[f32],
    ) -> Result<(), EngineError> {
        for (name, value) in ["loss", "cross-entropy", "selectivity"].iter().zip(terms) {
            if !value.is_finite() {
                return Err(EngineError::Diverged {
                    epoch,
                    step: step as u32,
                    what: format!("the training {name} is {value}"),
                });
            }
        }
        self.images += images;
        self.steps += 1;
        self.loss += f64::from(terms[0]) * images as f64;
        self.cross_entropy += f64::from(terms[1]) * images as f64;
        self.selectivity += f64::from(terms[2]);
        self.correct += f64::from(terms[3]);
        Ok(())
    }
}
