//! Does a device compute what the CPU computes?
//!
//! A driver can compile a kernel wrongly and say nothing: SwiftShader runs burn's SPIR-V and gives
//! other logits. A wrong number must never look like a result, so every device but the CPU proves itself
//! on a small network before a run begins on it.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use protocol::Network;

use crate::epoch::regularised_loss;
use crate::evaluate::{host, logits_and_responses};
use crate::networks::ModelConfig;
use crate::{EngineError, devices};

/// Largest difference that rounding explains, relative to the largest value compared. TF32 and other
/// orders of summation stay below it; a wrong kernel does not.
const TOLERANCE: f32 = 2e-2;

const SHAPE: [usize; 4] = [4, 3, 8, 8];

/// Compares logits and unit responses of a ResNet8 between `device` and the CPU.
///
/// # Errors
/// [`EngineError::Disagrees`] when they differ by more than rounding.
pub fn check(id: &str, device: &Device) -> Result<(), EngineError> {
    if id == devices::CPU {
        return Ok(());
    }
    compare(
        id,
        "the forward pass",
        forward(device),
        forward(&Device::flex()),
    )
}

/// Compares the regularised loss, one training step's gradient included, between `device` and the CPU.
/// Slow on an emulated GPU, where every kernel is first compiled.
///
/// # Errors
/// [`EngineError::Disagrees`] when they differ by more than rounding.
pub fn check_training(id: &str, device: &Device) -> Result<(), EngineError> {
    check(id, device)?;
    if id == devices::CPU || id == devices::SOFTWARE {
        return Ok(());
    }
    compare(
        id,
        "the backward pass",
        gradient(device),
        gradient(&Device::flex()),
    )
}

fn images(device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..SHAPE.iter().product::<usize>())
        .map(|i| ((i * 7919) % 256) as f32 / 255.0)
        .collect();
    Tensor::from_data(TensorData::new(values, SHAPE), device)
}

const CONFIG: ModelConfig = ModelConfig {
    network: Network::ResNet8,
    classes: 4,
    mean: [0.5; 3],
    std: [0.25; 3],
};

fn forward(device: &Device) -> Vec<f32> {
    let model = CONFIG.init(0, device).valid();
    let (logits, responses) = logits_and_responses(&model, images(device));
    let mut values = host(logits);
    values.extend(host(responses));
    values
}

/// The loss's gradient with respect to the images: every layer's backward pass is behind it.
fn gradient(device: &Device) -> Vec<f32> {
    let device = device.clone().autodiff();
    let model = CONFIG.init(0, &device);
    let images = images(&device).require_grad();
    let loss = regularised_loss(&model, images.clone(), &[0, 1, 2, 3], 1.0).loss;
    let gradients = loss.backward();
    images.grad(&gradients).map(host).unwrap_or_default()
}

fn compare(id: &str, what: &str, ours: Vec<f32>, cpu: Vec<f32>) -> Result<(), EngineError> {
    let largest = cpu
        .iter()
        .fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = ours
        .iter()
        .zip(&cpu)
        .map(|(ours, cpu)| (ours - cpu).abs())
        .fold(0.0_f32, |worst, difference| {
            if difference.is_nan() {
                f32::INFINITY
            } else {
                worst.max(difference)
            }
        });
    if ours.len() == cpu.len() && difference <= TOLERANCE * largest {
        return Ok(());
    }
    Err(EngineError::Disagrees {
        id: id.to_owned(),
        what: what.to_owned(),
        difference: difference / largest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when wrong, missing or NaN values pass for right ones.
    #[test]
    fn wrong_numbers_are_refused() {
        let cpu = forward(&Device::flex());
        assert!(
            cpu.iter().any(|value| value.abs() > 0.1),
            "there is something to compare"
        );
        let compare = |ours| compare("test", "the forward pass", ours, cpu.clone());
        assert!(compare(cpu.clone()).is_ok());
        let mut wrong = cpu.clone();
        wrong[0] += 0.5;
        assert!(compare(wrong).is_err());
        let mut nan = cpu.clone();
        nan[1] = f32::NAN;
        assert!(compare(nan).is_err());
        assert!(compare(Vec::new()).is_err());
        assert!(!gradient(&Device::flex()).is_empty());
    }
}
