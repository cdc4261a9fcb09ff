//! What input-unit gradients cost: one backward pass a unit.

use std::error::Error;

use engine::calibrate::measure_gradients;
use engine::data;
use protocol::{Dataset, Network};

use super::super::output::say;
use super::rows::spread;

/// Images that gradients are measured on.
const IMAGES: usize = 16;

/// Measures and prints it, `rounds` times.
///
/// # Errors
/// When the built-in data cannot be drawn or the device is not there.
pub fn print(device: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let set = data::test_images(&Dataset::Builtin, &std::env::temp_dir())?;
    say!(
        "\ninput-unit gradients, {IMAGES} images of {}x{} pixels, every unit of every layer\n",
        set.height(),
        set.width()
    );
    say!(
        "| network | units | gradients (unit x image)/s of {rounds} rounds | whole forward passes counted for it, images/s |\n|---|---|---|---|"
    );
    for network in [Network::ResNet8, Network::ResNet20] {
        let (mut gradients, mut passes, mut units) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            let speed = measure_gradients(network, device, &set, IMAGES)?;
            units = speed.units;
            gradients.push((speed.units * speed.images) as f64 / speed.seconds);
            passes.push(speed.forward_images as f64 / speed.seconds);
        }
        say!(
            "| {network} | {units} | {} | {} |",
            spread(&gradients),
            spread(&passes)
        );
    }
    Ok(())
}
