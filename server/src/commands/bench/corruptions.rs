//! How fast corruptions are drawn, and what they add to an evaluation.

use std::error::Error;
use std::time::Instant;

use engine::calibrate::{EvaluationSpeed, measure_evaluation};
use engine::corruptions::Corruptor;
use engine::data;
use protocol::corruption::{ParameterTable, SEVERITIES};
use protocol::{Corruption, Dataset, Network};

use super::super::output::say;
use super::rows::{median, spread};

/// Corrupted images a second of the Python generator over the whole suite on two cores: about 20 images x 5
/// severities x 19 corruptions in 5 s (the project's measurement, not taken in this run).
const PYTHON: f64 = 20.0 * 5.0 * 19.0 / 5.0;

/// Images that are corrupted at once.
const IMAGES: usize = 256;

/// Measures and prints both, `rounds` times.
///
/// # Errors
/// When the built-in data cannot be drawn or the device is not there.
pub fn print(device: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir();
    let set = data::test_images(&Dataset::Builtin, &folder)?;
    let images: Vec<&[u8]> = (0..IMAGES)
        .map(|index| set.image(index % set.len()))
        .collect();
    let indices: Vec<u64> = (0..IMAGES as u64).collect();
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 0);
    say!(
        "\ncorruptions, built-in test images of {}x{} pixels\n",
        set.height(),
        set.width()
    );
    say!("| corruption | images/s, median of {rounds} rounds |\n|---|---|");
    let mut suite = vec![0.0; rounds];
    for corruption in Corruption::ALL {
        let mut speeds = Vec::new();
        for seconds in &mut suite {
            let began = Instant::now();
            for severity in SEVERITIES {
                corruptor.corrupt_all(
                    corruption,
                    severity,
                    &indices,
                    &images,
                    set.height(),
                    set.width(),
                );
            }
            let elapsed = began.elapsed().as_secs_f64();
            *seconds += elapsed;
            speeds.push((IMAGES * SEVERITIES.len()) as f64 / elapsed);
        }
        say!("| {corruption} | {:.0} |", median(&speeds));
    }
    let all = (IMAGES * SEVERITIES.len() * Corruption::ALL.len()) as f64;
    let speeds: Vec<f64> = suite.iter().map(|seconds| all / seconds).collect();
    let speed = median(&speeds);
    say!(
        "| whole suite | {} |\n\n{:.0} times the Python generator's {PYTHON:.0} images/s (measured elsewhere on 2 cores)",
        spread(&speeds),
        speed / PYTHON
    );
    let EvaluationSpeed {
        forward_images_per_second,
        evaluation_images_per_second,
    } = measure_evaluation(Network::ResNet20, device, &set)?;
    say!(
        "ResNet20: {forward_images_per_second:.0} images/s forward alone, {evaluation_images_per_second:.0} with corruptions drawn on the way ({:.2} of it)",
        evaluation_images_per_second / forward_images_per_second
    );
    Ok(())
}
