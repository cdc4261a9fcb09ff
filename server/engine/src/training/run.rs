//! One run, from spec to result: load, split, train epoch by epoch, keep the best, measure it on the test set.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use protocol::device::DeviceCheck;
use protocol::event::{LogLevel, Phase, Progress as ProgressEvent, Started};
use protocol::{EpochMetrics, EvaluationSpec, Event, Origin, RunResult, RunSpec};

use super::checkpoint::{Checkpoint, Progress, load_model, load_optimiser, model_bytes};
use super::clock::{Clock, EvaluationProgress, warning};
use super::epoch::{StepDone, Totals, train_epoch};
use super::epoch_plan::EpochPlan;
use super::run_folder::{self, Identity, RESULT_FILE, WEIGHTS_FILE};
use super::unit_selectivity::UnitSelectivity;
use crate::base::digest::sha256;
use crate::base::host::is_cpu;
use crate::base::{FileError, files};
use crate::data::{self, ImageSet, LoadedDataset, Split};
use crate::inference::batch::batch_size;
use crate::inference::clean_performance::{CleanPerformance, clean_performance};
use crate::learning::optimiser::{learning_rate, optimiser};
use crate::networks::{Model, ModelConfig, NetworkError, weights};
use crate::self_check::Step;
use crate::studies::evaluations::{self, Failures, Trained};
use crate::{EngineError, devices, self_check};

/// Where a run works, and how it is cancelled.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The folder that holds the data sets.
    pub data_directory: PathBuf,
    /// The run's own folder: checkpoint, weights, result. Made when missing.
    pub run_directory: PathBuf,
    /// The run's key, which no other run has in any store: a folder with the same key is the run's own.
    pub key: String,
    /// The run's result in the store, by which a folder of an earlier version is recognised.
    pub known_result: Option<RunResult>,
    /// Where checks of devices are kept, for all runs. Made when missing.
    pub checks_directory: PathBuf,
    /// Set to true to end the run as cancelled after the current step.
    pub cancel: Arc<AtomicBool>,
}

/// Runs `spec` and emits everything that happens, ending with exactly one of `Finished`, `Diverged`, `Failed` or
/// `Cancelled`. Goes on from the checkpoint in the run's folder where there is one.
///
/// `later_evaluations` were asked for after the launch, besides the spec's own. A run that is trained
/// already only makes the evaluations that it lacks.
pub fn run(
    spec: &RunSpec,
    later_evaluations: &[EvaluationSpec],
    context: &RunContext,
    emit: &mut dyn FnMut(Event),
) {
    let evaluations: Vec<EvaluationSpec> = std::iter::once(&spec.evaluation)
        .chain(later_evaluations)
        .filter(|evaluation| !evaluation.is_empty())
        .cloned()
        .collect();
    // After a device failed its numbers cannot be trusted: no event is passed on but the last.
    let mut trusted = |event: Event| {
        if devices::failure().is_none() {
            emit(event);
        }
    };
    let ended = Run::new(spec, evaluations, context, &mut trusted).and_then(Run::complete);
    let end = match devices::working(&spec.device).and(ended) {
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
    evaluations: Vec<EvaluationSpec>,
    context: &'a RunContext,
    emit: &'a mut dyn FnMut(Event),
    device: Device,
    check: Option<DeviceCheck>,
    data: LoadedDataset,
    split: Split,
    config: ModelConfig,
    clock: Clock,
}

impl<'a> Run<'a> {
    fn new(
        spec: &'a RunSpec,
        evaluations: Vec<EvaluationSpec>,
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
            heard_at: None,
        }));
        let identity = Identity {
            key: context.key.clone(),
            spec: spec.clone(),
        };
        let known = context.known_result.as_ref();
        run_folder::claim(&context.run_directory, &identity, known, &mut |message| {
            emit(warning(message))
        })?;
        let data = data::load(&spec.dataset, &context.data_directory)?;
        let mut config = ModelConfig {
            network: spec.network,
            classes: data.classes.len(),
            mean: data.mean,
            std: data.std,
        };
        if let Some(origin) = &spec.origin {
            config.mean = origin.mean.unwrap_or(config.mean);
            config.std = origin.std.unwrap_or(config.std);
        }
        let (height, width) = (data.train.height(), data.train.width());
        config.check_images(height, width)?;
        let split = split(spec, &data)?;
        let device = devices::open(&spec.device)?;
        let images = match &spec.origin {
            Some(_) => batch_size(height, width).min(data.test.len()),
            None => split.train.len().min(spec.training.batch_size as usize),
        };
        let step = Step {
            config,
            shape: [images.max(2), 3, height, width],
        };
        let check = self_check::check(&spec.device, &device, step, &context.checks_directory)?;
        let test_images = data.test.len();
        let clock = Clock::new(
            split.train.len(),
            split.validation.len(),
            test_images,
            evaluations
                .iter()
                .map(|evaluation| {
                    evaluation.forward_images(spec.network, test_images as u32) as usize
                })
                .sum(),
            spec.training.epochs,
        );
        Ok(Run {
            spec,
            evaluations,
            context,
            emit,
            device,
            check,
            data,
            split,
            config,
            clock,
        })
    }

    /// Trains, unless that is done; then makes the missing evaluations.
    fn complete(mut self) -> Result<RunResult, EngineError> {
        let (model, result) = match self.trained_earlier()? {
            Some(trained) => trained,
            None => match &self.spec.origin {
                Some(origin) => self.complete_import(origin)?,
                None => self.complete_training()?,
            },
        };
        (self.emit)(Event::Trained(result.clone()));
        Checkpoint::remove(&self.context.run_directory)?;
        self.evaluate(&model)?;
        Ok(result)
    }

    /// The network and its result, when the run's folder has both, or the weights alone (as from an archive) and the store has
    /// the result.
    fn trained_earlier(&mut self) -> Result<Option<(Model, RunResult)>, EngineError> {
        let folder = &self.context.run_directory;
        let path = folder.join(RESULT_FILE);
        let weights_path = folder.join(WEIGHTS_FILE);
        if !weights_path.is_file() {
            return Ok(None);
        }
        if !path.is_file() {
            // Without a key the weights may be another run's: this one is trained then.
            let own = weights::metadata(&weights_path)?.get("run") == Some(&self.context.key);
            match self.context.known_result.as_ref().filter(|_| own) {
                Some(known) => self.write_result(known)?,
                None => return Ok(None),
            }
        }
        let damaged = |reason: String| EngineError::Input {
            path: path.clone(),
            reason: format!("is damaged ({reason}); delete it to train the run again"),
        };
        let bytes = match files::read_checked(&path) {
            Err(FileError::Damaged { reason, .. }) => return Err(damaged(reason)),
            other => other?.unwrap_or_default(),
        };
        let result = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        // The folder is this run's own, but the file may have been copied here by hand.
        let metadata = weights::metadata(&weights_path)?;
        let expected = self.weights_metadata();
        let differs = |(name, value): &(&str, String)| match metadata.get(*name) {
            Some(recorded) => recorded != value,
            // Earlier versions wrote no key.
            None => *name != "run",
        };
        if expected.iter().any(differs) {
            let reason =
                "belongs to another run; delete the folder to start this one afresh".into();
            return Err(NetworkError::Weights {
                path: weights_path,
                reason,
            }
            .into());
        }
        let model = weights::load(&self.config, &weights_path, &self.device)?;
        for path in [&path, &weights_path] {
            if files::stamp(path)? {
                (self.emit)(warning(format!(
                    "{} has no checksum, as of an earlier version: it is taken as it is",
                    path.display()
                )));
            }
        }
        let trained_here = self.spec.origin.is_none();
        self.say_started(&model, trained_here.then_some(self.spec.training.epochs));
        Ok(Some((model, result)))
    }

    /// The entries of the weights file's header that identify the run.
    fn weights_metadata(&self) -> [(&'static str, String); 5] {
        [
            ("run", self.context.key.clone()),
            ("network", self.spec.network.to_string()),
            ("dataset", self.spec.dataset.to_string()),
            ("alpha", self.spec.alpha.to_string()),
            ("seed", self.spec.seed.to_string()),
        ]
    }

    /// Makes every requested evaluation that is missing.
    fn evaluate(&mut self, model: &Model) -> Result<(), EngineError> {
        let trained = Trained {
            model,
            device: &self.device,
            dataset: &self.spec.dataset,
            data_directory: &self.context.data_directory,
            test: &self.data.test,
            run_directory: &self.context.run_directory,
            batch_size: self.batch_size(&self.data.test),
        };
        self.clock
            .begin(Phase::Corruptions, self.spec.training.epochs);
        let mut progress = EvaluationProgress {
            clock: &mut self.clock,
            emit: &mut *self.emit,
            cancel: &self.context.cancel,
            computed: 0,
        };
        let mut failures = Failures::default();
        for evaluation in &self.evaluations {
            // One that fails, perhaps because its data set is gone, does not stop those after it.
            failures.note(evaluations::perform(evaluation, &trained, &mut progress))?;
        }
        failures.into_result()
    }

    fn complete_training(&mut self) -> Result<(Model, RunResult), EngineError> {
        let training_device = self.device.clone().autodiff();
        let mut model = self.config.init(self.spec.seed, &training_device);
        let mut optimiser = optimiser(&self.spec.training);
        let mut progress = Progress::new(self.spec.clone());
        let mut best = Vec::new();
        let mut unit_selectivity = UnitSelectivity::default();

        let folder = &self.context.run_directory;
        let checkpoint = Checkpoint::load(folder, self.spec, &mut |message| {
            (self.emit)(warning(message));
        })?;
        self.say_started(
            &model,
            checkpoint
                .as_ref()
                .map(|checkpoint| checkpoint.progress.epochs.len() as u32),
        );
        if let Some(checkpoint) = checkpoint {
            model = load_model(model, &checkpoint.model)?;
            optimiser = load_optimiser(optimiser, &checkpoint.optimiser)?;
            best = checkpoint.best;
            progress = checkpoint.progress;
            unit_selectivity = self.resumed_units(&checkpoint.unit_selectivity)?;
            for metrics in &progress.epochs {
                (self.emit)(Event::Epoch(metrics.clone()));
            }
        }

        while (progress.epochs.len() as u32) < self.spec.training.epochs {
            let epoch = progress.epochs.len() as u32 + 1;
            let began = Instant::now();
            let learning_rate = learning_rate(&self.spec.training, epoch);
            let (trained, totals) = self.train(model, &mut optimiser, epoch, learning_rate)?;
            model = trained;
            let training_seconds = began.elapsed().as_secs_f64();
            let trained = model.valid();
            if let Some((name, value)) = weights::first_not_finite(&trained) {
                return Err(EngineError::Diverged {
                    epoch,
                    step: self.clock.training_steps(self.spec.training.batch_size),
                    what: format!("`{name}` holds {value}"),
                });
            }
            let validation = self.measure(&trained, epoch, Phase::Validation)?;
            devices::working(&self.spec.device)?;
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
            // Before the checkpoint: an epoch that is known has its units' selectivity too.
            unit_selectivity.add(epoch, &validation.layers);
            unit_selectivity.save(&self.context.run_directory)?;
            Checkpoint {
                progress: progress.clone(),
                model: bytes,
                optimiser: optimiser_bytes(&optimiser)?,
                best: best.clone(),
                unit_selectivity: unit_selectivity.bytes(&self.context.run_directory)?,
            }
            .save(&self.context.run_directory)?;
            (self.emit)(Event::Epoch(metrics));
        }
        self.result(&progress, &best)
    }

    /// The units' selectivity after the epochs so far, for a run that goes on from a checkpoint. The checkpoint holds
    /// it too, unless it is of an earlier version.
    fn resumed_units(&mut self, in_checkpoint: &[u8]) -> Result<UnitSelectivity, EngineError> {
        let folder = &self.context.run_directory;
        let on_disk = match UnitSelectivity::load(folder) {
            Err(FileError::Damaged { path, reason }) => {
                let aside = files::set_aside(&path, "damaged")?;
                let instead = match in_checkpoint.is_empty() {
                    true => "the selectivity of units after earlier epochs is unknown",
                    false => "what it said is in the checkpoint",
                };
                (self.emit)(warning(format!(
                    "{} is damaged: {reason}. It is kept as {}; {instead}",
                    path.display(),
                    aside.display()
                )));
                UnitSelectivity::default()
            }
            other => other?,
        };
        match in_checkpoint.is_empty() {
            true => Ok(on_disk),
            false => Ok(UnitSelectivity::of_bytes(folder, in_checkpoint)?),
        }
    }

    /// Measures imported weights in the same way as the best weights of a training.
    fn complete_import(&mut self, origin: &Origin) -> Result<(Model, RunResult), EngineError> {
        let path = self.context.run_directory.join(origin.kept_file());
        let bytes = std::fs::read(&path).map_err(EngineError::file("cannot read", &path))?;
        let refuse = |reason: &str| {
            let (path, reason) = (path.clone(), reason.to_owned());
            EngineError::from(NetworkError::Weights { path, reason })
        };
        if sha256(&bytes) != origin.sha256 {
            return Err(refuse(
                "is not the file that was imported: its SHA-256 is another; import it again",
            ));
        }
        drop(bytes);
        let model = weights::load(&self.config, &path, &self.device)?;
        self.say_started(&model, None);
        let test = match self.measure(&model, 0, Phase::Test) {
            // Finite weights, but too large to compute with.
            Err(EngineError::Diverged { what, .. }) => return Err(refuse(&what)),
            measured => measured?,
        };
        self.keep(model, test, None)
    }

    /// Measures the best weights on the test set and writes them out.
    fn result(
        &mut self,
        progress: &Progress,
        best: &[u8],
    ) -> Result<(Model, RunResult), EngineError> {
        let model = load_model(self.config.init(self.spec.seed, &self.device), best)?.valid();
        let test = self.measure(&model, self.spec.training.epochs, Phase::Test)?;
        let best_epoch = &progress.epochs[progress.best_epoch as usize - 1];
        self.keep(model, test, Some(best_epoch))
    }

    /// Writes weights and result into the run's folder; the result last, as the sign that both are there. Imported weights
    /// have no best epoch.
    fn keep(
        &self,
        model: Model,
        test: CleanPerformance,
        best_epoch: Option<&EpochMetrics>,
    ) -> Result<(Model, RunResult), EngineError> {
        let result = RunResult {
            best_epoch: best_epoch.map(|best| best.epoch),
            validation_accuracy: best_epoch.map(|best| best.validation_accuracy),
            validation_images: self.split.validation.len() as u32,
            test_accuracy: test.accuracy,
            test_cross_entropy: test.cross_entropy,
            test_images: test.images as u32,
            selectivity: test.selectivity,
            layers: test.layers,
        };
        let describe = |value: &[f32; 3]| format!("{},{},{}", value[0], value[1], value[2]);
        let mut metadata = vec![
            ("classes", self.data.classes.join("\n")),
            ("mean", describe(&self.config.mean)),
            ("std", describe(&self.config.std)),
        ];
        metadata.extend(result.best_epoch.map(|epoch| ("epoch", epoch.to_string())));
        metadata.extend(self.weights_metadata());
        let path = self.context.run_directory.join(WEIGHTS_FILE);
        weights::save(&model, &path, &metadata)?;
        self.write_result(&result)?;
        Ok((model, result))
    }

    fn write_result(&self, result: &RunResult) -> Result<(), EngineError> {
        let path = self.context.run_directory.join(RESULT_FILE);
        let json = serde_json::to_vec_pretty(result)
            .map_err(|error| EngineError::file("cannot write", &path)(error.into()))?;
        Ok(files::write_checked(&path, &json)?)
    }

    fn say_started(&mut self, model: &Model, resumed_from_epoch: Option<u32>) {
        if let Some(epoch) = resumed_from_epoch {
            (self.emit)(Event::Log {
                level: LogLevel::Info,
                message: format!("resumed from the checkpoint after epoch {epoch}"),
            });
        }
        (self.emit)(Event::Started(Started {
            device: devices::name(&self.spec.device),
            check: self.check.clone().map(Box::new),
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
        train_epoch(
            model,
            optimiser,
            &plan,
            self.spec.alpha,
            learning_rate,
            &self.device,
            after_step,
        )
    }

    /// Images at once outside training: on a GPU at least those of a training step, which the check before the run has seen
    /// to fit into its memory.
    fn batch_size(&self, set: &ImageSet) -> usize {
        let usual = batch_size(set.height(), set.width());
        if is_cpu(&self.device) || self.spec.origin.is_some() {
            return usual;
        }
        usual.max((self.spec.training.batch_size as usize).min(self.split.train.len()))
    }

    /// Measures a model in inference mode on the validation or the test images.
    fn measure(
        &mut self,
        model: &Model,
        epoch: u32,
        phase: Phase,
    ) -> Result<CleanPerformance, EngineError> {
        let all: Vec<usize>;
        let (set, indices): (&ImageSet, &[usize]) = if phase == Phase::Test {
            all = (0..self.data.test.len()).collect();
            (&self.data.test, &all)
        } else {
            (&self.data.train, &self.split.validation)
        };
        let batch = self.batch_size(set);
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
        let measured = clean_performance(model, set, indices, &self.device, batch, after_batch)
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

/// Which images are trained on, and which are held out.
fn split(spec: &RunSpec, data: &LoadedDataset) -> Result<Split, EngineError> {
    if spec.origin.is_some() {
        // Which images imported weights were trained on is not known.
        return Ok(Split {
            train: Vec::new(),
            validation: Vec::new(),
        });
    }
    let training = &spec.training;
    Ok(data::split(
        data.train.labels(),
        data.classes.len(),
        spec.seed,
        training.validation_images_per_class as usize,
        training.train_images_per_class.map(|count| count as usize),
    )?)
}

fn epoch_metrics(
    epoch: u32,
    learning_rate: f64,
    totals: &Totals,
    validation: &CleanPerformance,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::spoilt;
    use protocol::{Augmentation, Dataset, Network, TrainingSpec};

    fn spec() -> RunSpec {
        RunSpec {
            network: Network::ResNet8,
            dataset: Dataset::Builtin,
            alpha: 0.0,
            seed: 3,
            device: "cpu".into(),
            training: TrainingSpec {
                epochs: 2,
                batch_size: 32,
                learning_rate: 0.05,
                momentum: 0.9,
                weight_decay: 1e-4,
                learning_rate_milestones: vec![],
                learning_rate_factor: 0.1,
                augmentation: Augmentation::None,
                validation_images_per_class: 2,
                train_images_per_class: Some(6),
            },
            origin: None,
            evaluation: EvaluationSpec::default(),
        }
    }

    /// Breaks when a run whose network is broken, by a weight of a convolution or by a running statistic that its
    /// output does not show, ends as anything but diverged.
    #[test]
    fn a_broken_network_ends_as_diverged() {
        for (name, value, expected) in [
            ("conv2.weight", f32::NAN, "loss is NaN"),
            ("conv1.weight", f32::NAN, "loss is NaN"),
            ("running_var", f32::INFINITY, "running_var` holds inf"),
            ("running_mean", f32::NAN, "running_mean` holds NaN"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let context = RunContext {
                data_directory: folder.path().join("datasets"),
                run_directory: folder.path().join("run"),
                key: "1".into(),
                known_result: None,
                checks_directory: folder.path().join("device-checks"),
                cancel: Arc::new(AtomicBool::new(false)),
            };
            let mut end = None;
            run(&spec(), &[], &context, &mut |event| {
                if matches!(event, Event::Epoch(_)) {
                    context.cancel.store(true, Ordering::Relaxed);
                }
                end = Some(event);
            });
            assert_eq!(end, Some(Event::Cancelled));
            context.cancel.store(false, Ordering::Relaxed);

            let mut checkpoint = Checkpoint::load(&context.run_directory, &spec(), &mut |_| {})
                .unwrap()
                .unwrap();
            let config = ModelConfig::with_generic_normalisation(Network::ResNet8, 10);
            let device = Device::flex().autodiff();
            let model = load_model(config.init(0, &device), &checkpoint.model).unwrap();
            checkpoint.model = model_bytes(&spoilt(model.valid(), name, value)).unwrap();
            checkpoint.save(&context.run_directory).unwrap();
            run(&spec(), &[], &context, &mut |event| end = Some(event));
            match end {
                Some(Event::Diverged { epoch: 2, what, .. }) => {
                    assert!(what.contains(expected), "{what}");
                }
                other => panic!("{value} in {name}: ended with {other:?}"),
            }
        }
    }
}
