//! One epoch of SGD on cross-entropy - alpha x selectivity.

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};

use super::epoch_plan::EpochPlan;
use crate::EngineError;
use crate::base::host::{host, is_cpu};
use crate::learning::loss::regularised_loss;
use crate::networks::Model;

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

/// The progress of an epoch, for an observer.
pub(crate) struct StepDone {
    pub(crate) step: usize,
    pub(crate) images: usize,
    pub(crate) loss: f64,
}

/// How many steps may be under way before their losses are read. Reading stalls a GPU, but not the CPU.
fn steps_between_reads(device: &Device) -> usize {
    if is_cpu(device) { 1 } else { 16 }
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
