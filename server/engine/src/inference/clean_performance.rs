//! Measuring a network on clean images: accuracy, cross-entropy, and the selectivity of every unit.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use protocol::LayerSelectivity;

use super::batch::{clean_images, logits_and_responses};
use crate::base::host::host;
use crate::data::ImageSet;
use crate::measures::selectivity::{ClassResponses, network_selectivity};
use crate::networks::Model;

/// What a network does on a set of clean images, in inference mode.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanPerformance {
    /// Images it was measured on.
    pub images: usize,
    /// Share classified correctly.
    pub accuracy: f64,
    /// Mean cross-entropy in nats; not finite when any logit was not.
    pub cross_entropy: f64,
    /// Selectivity of every layer and unit.
    pub layers: Vec<LayerSelectivity>,
    /// Network selectivity: the mean over layers.
    pub selectivity: f64,
}

/// Measures `model`, which must be in inference mode (`valid()`), on the images of `set` at `indices`, `batch_size` at once.
///
/// `after_batch(images done)` is called after every batch; `false` stops and gives `None`.
pub fn clean_performance(
    model: &Model,
    set: &ImageSet,
    indices: &[usize],
    device: &Device,
    batch_size: usize,
    after_batch: &mut dyn FnMut(usize) -> bool,
) -> Option<CleanPerformance> {
    let mut responses_by_class = ClassResponses::new(model.layers(), model.classes());
    let (mut correct, mut cross_entropy, mut done) = (0_usize, 0.0_f64, 0_usize);
    for chunk in indices.chunks(batch_size) {
        let images = clean_images(set, chunk, device);
        let labels = set.labels_at(chunk);
        let (logits, responses) = logits_and_responses(model, images);
        let scores = scores(logits, &labels);
        correct += scores.correct;
        cross_entropy += scores.cross_entropy;
        responses_by_class.add(&host(responses), &labels);
        done += chunk.len();
        if !after_batch(done) {
            return None;
        }
    }
    let layers = responses_by_class.selectivity();
    Some(CleanPerformance {
        images: done,
        accuracy: correct as f64 / done.max(1) as f64,
        cross_entropy: cross_entropy / done.max(1) as f64,
        selectivity: network_selectivity(&layers),
        layers,
    })
}

struct Scores {
    correct: usize,
    /// Sum over the batch.
    cross_entropy: f64,
}

fn scores(logits: Tensor<2>, labels: &[u32]) -> Scores {
    let [batch, classes] = logits.dims();
    let log_probabilities = host(log_softmax(logits, 1));
    let mut scores = Scores {
        correct: 0,
        cross_entropy: 0.0,
    };
    for (row, &label) in log_probabilities
        .chunks_exact(classes)
        .zip(&labels[..batch])
    {
        scores.cross_entropy -= f64::from(row[label as usize]);
        // The first of the largest, as argmax does elsewhere; a NaN is never right.
        let best = (0..classes)
            .rev()
            .max_by(|&a, &b| row[a].total_cmp(&row[b]));
        let finite = row.iter().all(|value| !value.is_nan());
        scores.correct += usize::from(finite && best == Some(label as usize));
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when NaN logits count as right answers, or a tie is broken otherwise than by the first class.
    #[test]
    fn scores_of_known_logits() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats(
            [[2.0, 0.0], [0.0, 2.0], [1.0, 1.0], [f32::NAN, 0.0]],
            &device,
        );
        let known = scores(logits.clone().narrow(0, 0, 3), &[0, 0, 0]);
        assert_eq!(known.correct, 2);
        let expected = (1.0 + (-2.0_f64).exp()).ln() + (1.0 + 2.0_f64.exp()).ln() + 2.0_f64.ln();
        assert!((known.cross_entropy - expected).abs() < 1e-5);
        let broken = scores(logits.narrow(0, 3, 1), &[0]);
        assert_eq!(broken.correct, 0);
        assert!(broken.cross_entropy.is_nan());
    }
}
