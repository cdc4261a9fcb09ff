//! Tests of a trained network besides its clean result. Each keeps what it finished in the run's folder,
//! so that it goes on where it was cut off and never loses one measurement because a later one fails.
//!
//! A new kind of evaluation is one new file here, one field of [`EvaluationSpec`] and one line in [`perform`].

mod attacks;
mod corruptions;
mod dimensionality;
mod input_unit_gradients;
mod predictions;

use std::path::Path;
use std::sync::mpsc::sync_channel;

use burn::tensor::{Device, Tensor, TensorData};
use protocol::evaluation::EvaluationSpec;
use protocol::event::Phase;
use protocol::{Dataset, Measurement};
use rayon::prelude::*;

use crate::EngineError;
use crate::data::{ImageSet, to_unit_interval};
use crate::evaluate::batch_size;
use crate::networks::Model;

pub use attacks::{AttackPredictions, KEPT_IMAGES, measure_attacks};
pub use corruptions::{
    CorruptedImages, CorruptionPredictions, corruptor, measure_corruptions, open_images,
};
pub use dimensionality::{EXTREMES, Tuning, UnitResponses, measure_dimensionality};
pub use input_unit_gradients::{UnitGradients, measure_layers};
pub use predictions::{Predictions, PredictionsFile, UNDECIDED};

/// A trained network and what it is tested on.
pub struct Trained<'a> {
    /// The network, in inference mode.
    pub model: &'a Model,
    /// Its device, without autodiff.
    pub device: &'a Device,
    /// The data set that `test` is of.
    pub dataset: &'a Dataset,
    /// The folder with the data sets; published corrupted sets are looked for there.
    pub data_directory: &'a Path,
    /// The clean test images.
    pub test: &'a ImageSet,
    /// The run's folder.
    pub run_directory: &'a Path,
}

/// Who listens while a network is tested.
pub trait Listener {
    /// Another kind of test begins.
    fn begins(&mut self, _phase: Phase) {}

    /// Something was measured, now or by an earlier try that was cut off.
    fn measured(&mut self, measurement: Measurement);

    /// `images` more are done; `computed` is false where an earlier try had done them. `false` stops.
    fn advanced(&mut self, images: usize, computed: bool) -> bool;
}

/// Makes every test that `spec` asks for and that is not there already.
///
/// # Errors
/// When the spec and the data do not fit, a file cannot be read or written, or the listener stops it.
/// What was measured before is kept.
pub fn perform(
    spec: &EvaluationSpec,
    trained: &Trained,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    if let Some(spec) = &spec.corruptions {
        listener.begins(Phase::Corruptions);
        corruptions::perform(spec, trained, listener)?;
    }
    if let Some(spec) = &spec.attacks {
        listener.begins(Phase::Attacks);
        attacks::perform(spec, trained, listener)?;
    }
    if let Some(spec) = &spec.dimensionality {
        listener.begins(Phase::Dimensionality);
        dimensionality::perform(spec, trained, listener)?;
    }
    if let Some(spec) = &spec.input_unit_gradients {
        listener.begins(Phase::InputUnitGradients);
        input_unit_gradients::perform(spec, trained, listener)?;
    }
    Ok(())
}

/// Indices of `count` images of a set with these labels, ascending: of every class in proportion to its size,
/// within 1, and evenly spread over the class. The same ones for every run, so that all meet the same images.
pub fn spread(labels: &[u32], count: usize) -> Vec<usize> {
    let mut by_class: Vec<usize> = (0..labels.len()).collect();
    by_class.sort_by_key(|&index| labels[index]);
    let count = count.min(labels.len());
    let mut chosen: Vec<usize> = (0..count)
        .map(|place| by_class[place * labels.len() / count])
        .collect();
    chosen.sort_unstable();
    chosen
}

/// Gives the pixels of the images at some indices, `[images, 3, height, width]`, 0 to 255.
pub(crate) type Pixels<'a> = &'a (dyn Fn(&[usize]) -> Result<Vec<u8>, EngineError> + Sync);

/// Predictions and mean cross-entropy (nats) of `model` on images that `pixels(indices)` gives as
/// `[images, 3, height, width]`, 0 to 255. The next batch is made while the network is at work on this one.
pub(crate) fn predict(
    model: &Model,
    device: &Device,
    set: &ImageSet,
    indices: &[usize],
    pixels: Pixels,
    advanced: &mut dyn FnMut(usize) -> bool,
) -> Result<(Predictions, f64), EngineError> {
    let (height, width, length) = (set.height(), set.width(), set.image_len());
    let mut predictions = Predictions::default();
    let mut cross_entropy = 0.0;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            for chunk in indices.chunks(batch_size(height, width)) {
                let values = pixels(chunk).map(|pixels| {
                    let mut values = vec![0.0_f32; pixels.len()];
                    values
                        .par_chunks_mut(length)
                        .zip(pixels.par_chunks(length))
                        .for_each(|(out, image)| to_unit_interval(image, out));
                    values
                });
                if sender.send((chunk, values)).is_err() {
                    return; // The other side stopped early.
                }
            }
        });
        for (chunk, values) in receiver {
            let shape = [chunk.len(), 3, height, width];
            let images = Tensor::<4>::from_data(TensorData::new(values?, shape), device);
            let labels: Vec<u32> = chunk.iter().map(|&index| set.labels()[index]).collect();
            cross_entropy += predictions.add(model.forward(images), &labels);
            if !advanced(chunk.len()) {
                return Err(EngineError::Cancelled);
            }
        }
        Ok(())
    })?;
    Ok((predictions, cross_entropy / indices.len().max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when an index is repeated, or a class has more than its share: with labels in turn, every fifth
    /// image would be of two classes alone.
    #[test]
    fn every_class_has_its_share() {
        let in_turn: Vec<u32> = (0..1000).map(|index| index % 10).collect();
        let sorted: Vec<u32> = (0..1000).map(|index| index / 100).collect();
        for labels in [in_turn, sorted] {
            for count in [10, 200, 333, 1000, 5000] {
                let chosen = spread(&labels, count);
                assert!(chosen.is_sorted_by(|a, b| a < b));
                assert_eq!(chosen.len(), count.min(1000));
                for class in 0..10 {
                    let of_class = chosen
                        .iter()
                        .filter(|&&index| labels[index] == class)
                        .count();
                    let share = chosen.len() as f64 / 10.0;
                    assert!(
                        (of_class as f64 - share).abs() <= 1.0,
                        "{of_class} of {count}"
                    );
                }
            }
        }
        assert_eq!(spread(&[], 9), [0_usize; 0]);
    }
}
