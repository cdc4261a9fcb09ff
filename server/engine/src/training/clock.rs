//! A run's speed, its remaining time, and its progress reports.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use protocol::event::{LogLevel, Phase, Progress};
use protocol::{Event, Measurement};

use crate::devices;
use crate::studies::evaluations::Listener;

/// Speed so far and time to go; reports at most four times a second.
pub(super) struct Clock {
    train_images: usize,
    validation_images: usize,
    test_images: usize,
    /// Images that evaluations will pass through the network.
    evaluation_images: usize,
    epochs: u32,
    phase: Phase,
    epoch: u32,
    began: Instant,
    last_report: Option<Instant>,
    /// Seconds per image, measured in this process, of training and of inference.
    seconds_per_image: [Option<f64>; 2],
}

impl Clock {
    pub(super) fn new(
        train_images: usize,
        validation_images: usize,
        test_images: usize,
        evaluation_images: usize,
        epochs: u32,
    ) -> Self {
        Clock {
            train_images,
            validation_images,
            test_images,
            evaluation_images,
            epochs,
            phase: Phase::Loading,
            epoch: 1,
            began: Instant::now(),
            last_report: None,
            seconds_per_image: [None, None],
        }
    }

    pub(super) fn begin(&mut self, phase: Phase, epoch: u32) {
        self.phase = phase;
        self.epoch = epoch;
        self.began = Instant::now();
    }

    pub(super) fn advance(&mut self, images: usize, step: u32, steps: u32) -> Option<Progress> {
        let seconds = self.began.elapsed().as_secs_f64();
        let kind = usize::from(self.phase != Phase::Training);
        self.seconds_per_image[kind] = Some(seconds / images.max(1) as f64);
        let due = self
            .last_report
            .is_none_or(|report| report.elapsed() >= Duration::from_millis(250));
        if !due {
            return None;
        }
        self.last_report = Some(Instant::now());
        Some(Progress {
            phase: self.phase,
            epoch: self.epoch,
            epochs: self.epochs,
            step,
            steps,
            loss: None,
            images_per_second: images as f64 / seconds,
            remaining_seconds: self.remaining(images),
            heard_at: None,
        })
    }

    /// Inference that was not measured yet is taken to cost a third of training: one pass of three.
    fn remaining(&self, images: usize) -> Option<f64> {
        let [training, inference] = self.seconds_per_image;
        let training = training.or(inference.map(|inference| 3.0 * inference))?;
        let inference = inference.unwrap_or(training / 3.0);
        let later = f64::from(self.epochs.saturating_sub(self.epoch));
        let epoch_seconds =
            self.train_images as f64 * training + self.validation_images as f64 * inference;
        let evaluation_seconds = self.evaluation_images as f64 * inference;
        let test_seconds = self.test_images as f64 * inference + evaluation_seconds;
        let left = |total: usize| total.saturating_sub(images) as f64;
        Some(match self.phase {
            Phase::Training => {
                left(self.train_images) * training
                    + self.validation_images as f64 * inference
                    + later * epoch_seconds
                    + test_seconds
            }
            Phase::Validation => {
                left(self.validation_images) * inference + later * epoch_seconds + test_seconds
            }
            Phase::Test => left(self.test_images) * inference + evaluation_seconds,
            Phase::Corruptions
            | Phase::Attacks
            | Phase::Dimensionality
            | Phase::InputUnitGradients => left(self.evaluation_images) * inference,
            Phase::Loading => return None,
        })
    }

    pub(super) fn training_steps(&self, batch_size: u32) -> u32 {
        self.train_images.div_ceil(batch_size as usize) as u32
    }
}

/// Passes on the progress of evaluations.
pub(super) struct EvaluationProgress<'a> {
    pub(super) clock: &'a mut Clock,
    pub(super) emit: &'a mut dyn FnMut(Event),
    pub(super) cancel: &'a AtomicBool,
    /// Images that went through the network in this process.
    pub(super) computed: usize,
}

impl Listener for EvaluationProgress<'_> {
    fn begins(&mut self, phase: Phase) {
        self.clock.phase = phase;
    }

    fn measured(&mut self, measurement: Measurement) {
        (self.emit)(Event::Measured(measurement));
    }

    fn warned(&mut self, message: String) {
        (self.emit)(warning(message));
    }

    fn advanced(&mut self, images: usize, computed: bool) -> bool {
        if computed {
            self.computed += images;
        } else {
            self.clock.evaluation_images = self.clock.evaluation_images.saturating_sub(images);
        }
        let all = self.clock.evaluation_images as u32;
        if let Some(progress) = self.clock.advance(self.computed, self.computed as u32, all) {
            (self.emit)(Event::Progress(progress));
        }
        !self.cancel.load(Ordering::Relaxed) && devices::failure().is_none()
    }
}

/// A warning for the run's log.
pub(super) fn warning(message: String) -> Event {
    Event::Log {
        level: LogLevel::Warning,
        message,
    }
}
