//! How much of a run's work is done. The server estimates from it, and pages show it.

use crate::event::{Phase, Progress};
use crate::run::{Run, RunState};

/// Share of the run that is done, 0 to 1: whole epochs, the steps trained in the current one, and the images of its evaluation.
/// Training and evaluation are weighted by their work, as far as it is known. 1 once the run is finished, and below 1 before.
pub fn share_done(run: &Run) -> f64 {
    if run.state == RunState::Finished {
        return 1.0;
    }
    let step = |progress: &Progress| f64::from(progress.step) / f64::from(progress.steps.max(1));
    let total = evaluation_images(run);
    let (mut epoch, mut evaluated) = (0.0, 0.0);
    match &run.progress {
        Some(progress)
            if progress.phase == Phase::Training && progress.epoch == run.epochs_done + 1 =>
        {
            epoch = step(progress);
        }
        // Trained, but counted in `epochs_done` only with its validation metrics: until then it counts here, so that the share
        // does not fall.
        Some(progress)
            if progress.phase == Phase::Validation && progress.epoch == run.epochs_done + 1 =>
        {
            epoch = 1.0;
        }
        // Its steps are what is left to do; earlier evaluations are done.
        Some(progress) if is_evaluation(progress.phase) => {
            let left = f64::from(progress.steps.saturating_sub(progress.step));
            evaluated = (total - left).max(0.0);
        }
        _ => {}
    }
    let epochs = f64::from(run.spec.training.epochs.max(1));
    let trained = ((f64::from(run.epochs_done) + epoch) / epochs).min(1.0);
    // Before the run has reported its number of images, only epochs can be counted.
    let training = training_images(run).unwrap_or(1.0);
    ((training * trained + evaluated) / (training + total).max(1.0)).min(UNFINISHED)
}

/// The run's total work, in forward passes of one image; none before the run has reported its number of images.
pub fn work(run: &Run) -> Option<f64> {
    Some(training_images(run)? + evaluation_images(run))
}

/// Training in forward passes: a step costs about three, one forward and two for the gradients. Imported weights
/// are not trained.
fn training_images(run: &Run) -> Option<f64> {
    let images = f64::from(run.started.as_ref()?.train_images);
    let epochs = match run.spec.origin {
        Some(_) => 0.0,
        None => f64::from(run.spec.training.epochs),
    };
    Some(3.0 * images * epochs)
}

/// The largest share of a run that is not finished: its last event is still to come.
const UNFINISHED: f64 = 0.999;

/// Whether a phase belongs to the tests after training; its steps are images through the network.
fn is_evaluation(phase: Phase) -> bool {
    match phase {
        Phase::Corruptions | Phase::Attacks | Phase::Dimensionality | Phase::InputUnitGradients => {
            true
        }
        Phase::Loading | Phase::Training | Phase::Validation | Phase::Test => false,
    }
}

/// Forward passes of all evaluations, in images; 0 if there are none, or before the run has reported its number of images.
fn evaluation_images(run: &Run) -> f64 {
    let Some(started) = &run.started else {
        return 0.0;
    };
    let images: u64 = run
        .evaluations()
        .map(|evaluation| evaluation.forward_images(run.spec.network, started.test_images))
        .sum();
    images as f64
}

/// Share of all `runs` that is done.
pub fn share_of_all_done(runs: &[Run]) -> f64 {
    runs.iter().map(share_done).sum::<f64>() / runs.len().max(1) as f64
}
