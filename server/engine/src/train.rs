//! One run, from spec to result: load, split, train epoch by epoch, keep the best, measure it on the test set.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Device;
use protocol::event::{LogLevel, Phase, Progress as ProgressEvent, Started};
use protocol::{EpochMetrics, Event, RunResult, RunSpec};

use crate::batch::EpochPlan;
use crate::checkpoint::{
    Checkpoint, Progress, load_model, load_optimiser, model_bytes, write_atomically,
};
use crate::data::{self, ImageSet, LoadedDataset, Split};
use crate::epoch::{self, StepDone, Totals};
use crate::evaluate::{Evaluation, batch_size, evaluate};
use crate::networks::{Model, ModelConfig, weights};
use crate::{EngineError, devices, self_check};

/// Name of the file with the weights of the best epoch, in the run's directory.
pub const WEIGHTS_FILE: &str = "weights.safetensors";

/// Name of the file with the result, in the run's directory.
pub const RESULT_FILE: &str = "result.json";

/// Where a run works, and how it is told to stop.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The folder that holds the data sets.
    pub data_directory: PathBuf,
    /// The run's own folder: checkpoint, weights, result. Made when missing.
    pub run_directory: PathBuf,
    /// Set to true to end the run as cancelled after the current step.
    pub cancel: Arc<AtomicBool>,
}

/// Runs `spec` and says everything that happens, ending with exactly one of `Finished`, `Diverged`,
/// `Failed` or `Cancelled`. Goes on from the checkpoint in the run's folder where there is one.
pub fn run(spec: &RunSpec, context: &RunContext, emit: &mut dyn FnMut(Event)) {
    let end = match Run::new(spec, context, emit).and_then(Run::complete) {
        Ok(result) => Event::Finished(result),
        Err(EngineError::Cancelled) => Event::Cancelled,
        Err(EngineError::Diverged { epoch, step, what }) => Event::Diverged { epoch, step, what },
        Err(error) => Event::Failed {
            message: error.to_string(),
        },
    };
    emit(end);
}

/// A run with its data loaded and its network built.
struct Run<'a> {
    spec: &'a RunSpec,
    context: &'a RunContext,
    emit: &'a mut dyn FnMut(Event),
    device: Device,
    data: LoadedDataset,
    split: Split,
    config: ModelConfig,
    clock: Clock,
}

impl<'a> Run<'a> {
    fn new(
        spec: &'a RunSpec,
        context: &'a RunContext,
        emit: &'a mut dyn FnMut(Event),
    ) -> Result<Self, EngineError> {
        emit(Event::Progress(ProgressEvent {
            phase: Phase::Loading,
            epoch: 1,
            epochs: spec.training.epochs,
            step: 0,
            steps: 1,
            loss: None,
            images_per_second: 0.0,
            remaining_seconds: None,
        }));
        std::fs::create_dir_all(&context.run_directory)
            .map_err(EngineError::file("cannot create", &context.run_directory))?;
        let data = data::load(&spec.dataset, &context.data_directory)?;
        let (height, width) = (data.train.height(), data.train.width());
        let minimum = spec.network.minimum_image_side();
        if height.min(width) < minimum {
            return Err(EngineError::ImagesTooSmall {
                network: spec.network,
                minimum,
                height,
                width,
            });
        }
        let split = data::split(
            data.train.labels(),
            data.classes.len(),
            spec.seed,
            spec.training.validation_images_per_class as usize,
            spec.training
                .train_images_per_class
                .map(|count| count as usize),
        )?;
        let device = devices::open(&spec.device)?;
        self_check::check_training(&spec.device, &device)?;
        let config = ModelConfig {
            network: spec.network,
            classes: data.classes.len(),
            mean: data.mean,
            std: data.std,
        };
        let clock = Clock::new(
            split.train.len(),
            split.validation.len(),
            data.test.len(),
            spec.training.epochs,
        );
        Ok(Run {
            spec,
            context,
            emit,
            device,
            data,
            split,
            config,
            clock,
        })
    }

    fn complete(mut self) -> Result<RunResult, EngineError> {
        let training_device = self.device.clone().autodiff();
        let mut model = self.config.init(self.spec.seed, &training_device);
        let mut optimiser = epoch::optimiser(&self.spec.training);
        let mut progress = Progress::new(self.spec.clone());
        let mut best = Vec::new();

        let checkpoint = Checkpoint::load(&self.context.run_directory, self.spec)?;
        self.say_started(&model, checkpoint.as_ref());
        if let Some(checkpoint) = checkpoint {
            model = load_model(model, &checkpoint.model)?;
            optimiser = load_optimiser(optimiser, &checkpoint.optimiser)?;
            best = checkpoint.best;
            progress = checkpoint.progress;
            for metrics in &progress.epochs {
                (self.emit)(Event::Epoch(metrics.clone()));
            }
        }

        while (progress.epochs.len() as u32) < self.spec.training.epochs {
            let epoch = progress.epochs.len() as u32 + 1;
            let began = Instant::now();
            let learning_rate = epoch::learning_rate(&self.spec.training, epoch);
            let (trained, totals) = self.train(model, &mut optimiser, epoch, learning_rate)?;
            model = trained;
            let training_seconds = began.elapsed().as_secs_f64();
            let validation = self.measure(&model.valid(), epoch, Phase::Validation)?;
            let mut metrics = epoch_metrics(epoch, learning_rate, &totals, &validation);
            metrics.images_per_second = totals.images as f64 / training_seconds;

            let bytes = model_bytes(&model)?;
            let improves = progress
                .best_validation_accuracy()
                .is_none_or(|best| metrics.validation_accuracy > best);
            if improves {
                progress.best_epoch = epoch;
                best = bytes.clone();
            }
            metrics.seconds = began.elapsed().as_secs_f64();
            progress.epochs.push(metrics.clone());
            Checkpoint {
                progress: progress.clone(),
                model: bytes,
                optimiser: optimiser_bytes(&optimiser)?,
                best: best.clone(),
            }
            .save(&self.context.run_directory)?;
            (self.emit)(Event::Epoch(metrics));
        }
        self.result(&progress, &best)
    }

    /// Measures the best weights on the test set and writes them out.
    fn result(mut self, progress: &Progress, best: &[u8]) -> Result<RunResult, EngineError> {
        let model = load_model(self.config.init(self.spec.seed, &self.device), best)?.valid();
        let test = self.measure(&model, self.spec.training.epochs, Phase::Test)?;
        let best_epoch = &progress.epochs[progress.best_epoch as usize - 1];
        let result = RunResult {
            best_epoch: progress.best_epoch,
            validation_accuracy: best_epoch.validation_accuracy,
            validation_images: self.split.validation.len() as u32,
            test_accuracy: test.accuracy,
            test_cross_entropy: test.cross_entropy,
            test_images: test.images as u32,
            selectivity: test.selectivity,
            layers: test.layers,
        };
        let describe = |value: &[f32; 3]| format!("{},{},{}", value[0], value[1], value[2]);
        let metadata = [
            ("network", self.spec.network.to_string()),
            ("dataset", self.spec.dataset.to_string()),
            ("classes", self.data.classes.join("\n")),
            ("mean", describe(&self.config.mean)),
            ("std", describe(&self.config.std)),
            ("alpha", self.spec.alpha.to_string()),
            ("seed", self.spec.seed.to_string()),
            ("epoch", progress.best_epoch.to_string()),
        ];
        weights::save(
            &model,
            &self.context.run_directory.join(WEIGHTS_FILE),
            &metadata,
        )?;
        let path = self.context.run_directory.join(RESULT_FILE);
        let json = serde_json::to_vec_pretty(&result).map_err(|error| EngineError::File {
            action: "cannot write",
            path: path.clone(),
            source: error.into(),
        })?;
        write_atomically(&path, &json)?;
        Ok(result)
    }

    fn say_started(&mut self, model: &Model, checkpoint: Option<&Checkpoint>) {
        let resumed_from_epoch =
            checkpoint.map(|checkpoint| checkpoint.progress.epochs.len() as u32);
        if let Some(epoch) = resumed_from_epoch {
            (self.emit)(Event::Log {
                level: LogLevel::Info,
                message: format!("resumed from the checkpoint after epoch {epoch}"),
            });
        }
        (self.emit)(Event::Started(Started {
            device: devices::name(&self.spec.device),
            threads: rayon::current_num_threads() as u32,
            engine_version: env!("CARGO_PKG_VERSION").into(),
            parameters: weights::trainable_parameters(model),
            layers: model.layers(),
            classes: self.data.classes.clone(),
            train_images: self.split.train.len() as u32,
            validation_images: self.split.validation.len() as u32,
            test_images: self.data.test.len() as u32,
            resumed_from_epoch,
        }));
    }

    fn train(
        &mut self,
        model: Model,
        optimiser: &mut burn::optim::ModuleOptimizer,
        epoch: u32,
        learning_rate: f64,
    ) -> Result<(Model, Totals), EngineError> {
        let plan = EpochPlan {
            set: &self.data.train,
            indices: &self.split.train,
            batch_size: self.spec.training.batch_size as usize,
            augmentation: self.spec.training.augmentation,
            seed: self.spec.seed,
            epoch,
        };
        let steps = plan.steps() as u32;
        let (clock, emit, cancel) = (&mut self.clock, &mut self.emit, &self.context.cancel);
        clock.begin(Phase::Training, epoch);
        let after_step = &mut |done: StepDone| {
            if let Some(progress) = clock.advance(done.images, done.step as u32, steps) {
                emit(Event::Progress(ProgressEvent {
                    loss: Some(done.loss),
                    ..progress
                }));
            }
            !cancel.load(Ordering::Relaxed)
        };
        epoch::train_epoch(
            model,
            optimiser,
            &plan,
            self.spec.alpha,
            learning_rate,
            &self.device,
            after_step,
        )
    }

    /// Measures a model in inference mode on the validation or the test images.
    fn measure(
        &mut self,
        model: &Model,
        epoch: u32,
        phase: Phase,
    ) -> Result<Evaluation, EngineError> {
        let all: Vec<usize>;
        let (set, indices): (&ImageSet, &[usize]) = if phase == Phase::Test {
            all = (0..self.data.test.len()).collect();
            (&self.data.test, &all)
        } else {
            (&self.data.train, &self.split.validation)
        };
        let batch = batch_size(set.height(), set.width());
        let steps = indices.len().div_ceil(batch) as u32;
        let (clock, emit, cancel) = (&mut self.clock, &mut self.emit, &self.context.cancel);
        clock.begin(phase, epoch);
        let after_batch = &mut |images: usize| {
            let step = images.div_ceil(batch) as u32;
            if let Some(progress) = clock.advance(images, step, steps) {
                emit(Event::Progress(progress));
            }
            !cancel.load(Ordering::Relaxed)
        };
        let measured = evaluate(model, set, indices, &self.device, after_batch)
            .ok_or(EngineError::Cancelled)?;
        let what = if phase == Phase::Test {
            "test"
        } else {
            "validation"
        };
        if !measured.cross_entropy.is_finite() || !measured.selectivity.is_finite() {
            return Err(EngineError::Diverged {
                epoch,
                step: self.clock.training_steps(self.spec.training.batch_size),
                what: format!(
                    "the {what} cross-entropy is {} and the selectivity {}",
                    measured.cross_entropy, measured.selectivity
                ),
            });
        }
        Ok(measured)
    }
}

fn epoch_metrics(
    epoch: u32,
    learning_rate: f64,
    totals: &Totals,
    validation: &Evaluation,
) -> EpochMetrics {
    let images = totals.images.max(1) as f64;
    EpochMetrics {
        epoch,
        learning_rate,
        train_loss: totals.loss / images,
        train_cross_entropy: totals.cross_entropy / images,
        train_selectivity: totals.selectivity / totals.steps.max(1) as f64,
        train_accuracy: totals.correct / images,
        validation_cross_entropy: validation.cross_entropy,
        validation_accuracy: validation.accuracy,
        layer_selectivity: validation.layers.iter().map(|layer| layer.mean).collect(),
        selectivity: validation.selectivity,
        images_per_second: 0.0,
        seconds: 0.0,
    }
}

fn optimiser_bytes(optimiser: &burn::optim::ModuleOptimizer) -> Result<Vec<u8>, EngineError> {
    optimiser
        .into_bytes()
        .map(|bytes| bytes.to_vec())
        .map_err(|error| EngineError::Checkpoint {
            path: "the optimiser's state".into(),
            reason: error.to_string(),
        })
}

/// Speed so far and time to go; says something at most four times a second.
struct Clock {
    train_images: usize,
    validation_images: usize,
    test_images: usize,
    epochs: u32,
    phase: Phase,
    epoch: u32,
    began: Instant,
    last_said: Option<Instant>,
    /// Seconds an image, measured in this process, of training and of inference.
    seconds_per_image: [Option<f64>; 2],
}

impl Clock {
    fn new(train_images: usize, validation_images: usize, test_images: usize, epochs: u32) -> Self {
        Clock {
            train_images,
            validation_images,
            test_images,
            epochs,
            phase: Phase::Loading,
            epoch: 1,
            began: Instant::now(),
            last_said: None,
            seconds_per_image: [None, None],
        }
    }

    fn begin(&mut self, phase: Phase, epoch: u32) {
        self.phase = phase;
        self.epoch = epoch;
        self.began = Instant::now();
    }

    fn advance(&mut self, images: usize, step: u32, steps: u32) -> Option<ProgressEvent> {
        let seconds = self.began.elapsed().as_secs_f64();
        let kind = usize::from(self.phase != Phase::Training);
        self.seconds_per_image[kind] = Some(seconds / images.max(1) as f64);
        let due = self
            .last_said
            .is_none_or(|said| said.elapsed() >= Duration::from_millis(250));
        if !due {
            return None;
        }
        self.last_said = Some(Instant::now());
        Some(ProgressEvent {
            phase: self.phase,
            epoch: self.epoch,
            epochs: self.epochs,
            step,
            steps,
            loss: None,
            images_per_second: images as f64 / seconds,
            remaining_seconds: self.remaining(images),
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
        let test_seconds = self.test_images as f64 * inference;
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
            Phase::Test => left(self.test_images) * inference,
            Phase::Loading => return None,
        })
    }

    fn training_steps(&self, batch_size: u32) -> u32 {
        self.train_images.div_ceil(batch_size as usize) as u32
    }
}
