//! How fast this machine trains and infers: a few real steps, for time estimates and `make bench`.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use protocol::corruption::ParameterTable;
use protocol::corruption_evaluation::CorruptionSpec;
use protocol::gradient::InputUnitGradientSpec;
use protocol::{Measurement, Network};
use serde::{Deserialize, Serialize};

use crate::attacks::{Attack, Ball, Norm, Pgd, Samples, Start, Target};
use crate::base::host::{host, is_cpu};
use crate::corruptions::Corruptor;
use crate::data::ImageSet;
use crate::inference::batch::logits_and_responses;
use crate::inference::unit_gradients::InputUnitGradients;
use crate::learning::loss::regularised_loss;
use crate::learning::optimiser::default_optimiser;
use crate::networks::{Model, ModelConfig};
use crate::studies::evaluations::{CorruptedImages, Listener, Trained, measure_corruptions};
use crate::{EngineError, devices};

/// What is to be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationSpec {
    /// The network.
    pub network: Network,
    /// Classes.
    pub classes: usize,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Regulariser strength; 0 measures training without it.
    pub alpha: f64,
    /// The device, by its identifier.
    pub device: String,
    /// The least time for measuring training, and again for inference, after one step to warm up.
    pub seconds: f64,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Images a second through whole training steps: forward, backward, update.
    pub train_images_per_second: f64,
    /// Training steps that were timed.
    pub train_steps: u32,
    /// Images a second through forward passes in inference mode, selectivity responses included.
    pub inference_images_per_second: f64,
    /// Forward passes that were timed.
    pub inference_steps: u32,
}

/// Runs real steps on random images and times them. Call it in a child process: a GPU driver can crash.
///
/// # Errors
/// When the device is not there.
pub fn measure(spec: &CalibrationSpec) -> Result<Calibration, EngineError> {
    let device = devices::open(&spec.device)?;
    let training_device = device.clone().autodiff();
    let config = ModelConfig::with_generic_normalisation(spec.network, spec.classes);
    let shape = [spec.batch_size, 3, spec.height, spec.width];
    let labels: Vec<u32> = (0..spec.batch_size)
        .map(|i| (i % spec.classes) as u32)
        .collect();
    let budget = Duration::from_secs_f64(spec.seconds);

    let mut model = Some(config.init(0, &training_device));
    let mut sgd = default_optimiser();
    let images = Tensor::<4>::random(shape, Distribution::Default, &training_device);
    let (train_steps, train_seconds) = time(budget, || {
        let current = model.take().expect("put back below");
        let loss = regularised_loss(&current, images.clone(), &labels, spec.alpha).loss;
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        model = Some(sgd.step(1e-3, current, gradients));
        host(loss);
    });

    let model = model.take().expect("put back by the last step").valid();
    let images = Tensor::<4>::random(shape, Distribution::Default, &device);
    let (inference_steps, inference_seconds) = time(budget, || {
        let (logits, responses) = logits_and_responses(&model, images.clone());
        host(logits);
        host(responses);
    });
    let per_second = |steps: u32, seconds: f64| spec.batch_size as f64 * f64::from(steps) / seconds;
    Ok(Calibration {
        train_images_per_second: per_second(train_steps, train_seconds),
        train_steps,
        inference_images_per_second: per_second(inference_steps, inference_seconds),
        inference_steps,
    })
}

/// What drawing corruptions adds to an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluationSpeed {
    /// Images a second through the network alone.
    pub forward_images_per_second: f64,
    /// Images a second when each is corrupted first, as an evaluation does it.
    pub evaluation_images_per_second: f64,
}

/// Measures both on the images of `set`, with an untrained network.
///
/// # Errors
/// When the device is not there.
pub fn measure_evaluation(
    network: Network,
    device: &str,
    set: &ImageSet,
) -> Result<EvaluationSpeed, EngineError> {
    let device = devices::open(device)?;
    let model = untrained(network, 10, &device);
    let spec = CorruptionSpec::everything(Some(128));
    let images = CorruptedImages::Generated {
        clean: set,
        corruptor: Corruptor::new(ParameterTable::for_size(set.height(), set.width()), 0),
    };
    let trained = Trained::without_files(&model, &device, set);
    let mut count = Count(0);
    let began = Instant::now();
    measure_corruptions(&spec, &images, &trained, None, &mut count)?;
    let evaluation_seconds = began.elapsed().as_secs_f64();

    // The same batches, uncorrupted.
    let batch = Tensor::<4>::random(
        [128, 3, set.height(), set.width()],
        Distribution::Default,
        &device,
    );
    let (steps, forward_seconds) = time(Duration::from_secs(2), || {
        host(model.forward(batch.clone()));
    });
    Ok(EvaluationSpeed {
        forward_images_per_second: 128.0 * f64::from(steps) / forward_seconds,
        evaluation_images_per_second: count.0 as f64 / evaluation_seconds,
    })
}

/// Images x gradient steps a second of an L-infinity PGD attack at `spec`'s batch size.
///
/// # Errors
/// When the device is not there.
pub fn measure_attack(spec: &CalibrationSpec) -> Result<f64, EngineError> {
    let device = devices::open(&spec.device)?;
    let model = untrained(spec.network, spec.classes, &device);
    let target = Target::new(&model, &device);
    let shape = [spec.batch_size, 3, spec.height, spec.width];
    let images = Tensor::<4>::random(shape, Distribution::Default, &device);
    let labels: Vec<u32> = (0..spec.batch_size)
        .map(|index| (index % spec.classes) as u32)
        .collect();
    let samples = Samples::new(images, labels, (0..spec.batch_size).collect(), 0)?;
    let ball = Ball::new(Norm::Linf, 8.0 / 255.0)?;
    // A GPU is read once an attack, not once a step.
    let steps_at_once = if is_cpu(&device) { 1 } else { 16 };
    let attack = Pgd::new(ball, 0.5 / 255.0, steps_at_once, Start::Clean)?;
    // Once outside the clock, for its errors; they are the same every time.
    attack.perturb(&target, &samples)?;
    let (attacks, seconds) = time(Duration::from_secs_f64(spec.seconds), || {
        if let Ok(adversarial) = attack.perturb(&target, &samples) {
            host(adversarial.narrow(0, 0, 1));
        }
    });
    let steps = f64::from(attacks) * steps_at_once as f64;
    Ok(spec.batch_size as f64 * steps / seconds)
}

/// What input-unit gradients of a whole network cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientSpeed {
    /// Images measured on.
    pub images: usize,
    /// Units of all layers.
    pub units: usize,
    /// Seconds for every unit and image.
    pub seconds: f64,
    /// The cost that time estimates assume for it, as images passed forward through the whole network.
    pub forward_images: u64,
}

/// Measures the input-unit gradients of every unit on the first `images` images of `set`, with an untrained network.
///
/// # Errors
/// When the device is not there.
pub fn measure_gradients(
    network: Network,
    device: &str,
    set: &ImageSet,
    images: usize,
) -> Result<GradientSpeed, EngineError> {
    let device = devices::open(device)?;
    let model = untrained(network, 10, &device);
    let gradients = InputUnitGradients::new(&model, &device);
    let indices: Vec<usize> = (0..images.min(set.len())).collect();
    let layers = model.layers();
    let began = Instant::now();
    for layer in 0..layers.len() {
        gradients.layer(layer, set, &indices, &mut |_| true);
    }
    let spec = InputUnitGradientSpec {
        images: indices.len() as u32,
    };
    Ok(GradientSpeed {
        images: indices.len(),
        units: layers.iter().map(|layer| layer.units as usize).sum(),
        seconds: began.elapsed().as_secs_f64(),
        forward_images: spec.forward_images(network, set.len() as u32),
    })
}

fn untrained(network: Network, classes: usize, device: &Device) -> Model {
    let config = ModelConfig::with_generic_normalisation(network, classes);
    config.init(0, device).valid()
}

struct Count(usize);

impl Listener for Count {
    fn measured(&mut self, _measurement: Measurement) {}

    fn advanced(&mut self, images: usize, _computed: bool) -> bool {
        self.0 += images;
        true
    }
}

/// Steps and seconds of at least `budget`, after one step that is not counted.
fn time(budget: Duration, mut step: impl FnMut()) -> (u32, f64) {
    step();
    let began = Instant::now();
    let mut steps = 0;
    while steps == 0 || began.elapsed() < budget {
        step();
        steps += 1;
    }
    (steps, began.elapsed().as_secs_f64())
}
