//! The loss that a regularised network is trained on: cross-entropy - alpha x selectivity.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

use crate::measures::selectivity::minibatch_selectivity;
use crate::networks::Model;

/// The terms of a regularised loss on one minibatch; each tensor is `[1]`.
pub struct Loss {
    /// cross-entropy - alpha x selectivity.
    pub loss: Tensor<1>,
    /// Mean cross-entropy in nats.
    pub cross_entropy: Tensor<1>,
    /// Network selectivity over the classes present; 0 where fewer than two are.
    pub selectivity: Tensor<1>,
    /// Images classified correctly.
    pub correct: Tensor<1>,
}

/// The regularised loss of `model` on a minibatch: images `[batch, 3, height, width]` in [0, 1].
pub fn regularised_loss(model: &Model, images: Tensor<4>, labels: &[u32], alpha: f64) -> Loss {
    let device = images.device();
    let batch = labels.len();
    let mut responses = Vec::new();
    let logits = model.forward_observed(images, &mut |activations| {
        let response = activations.responses;
        // Without a regulariser selectivity is only watched: no gradient flows through it.
        responses.push(if alpha == 0.0 {
            response.detach()
        } else {
            response
        });
    });
    let targets = labels
        .iter()
        .map(|&label| i64::from(label))
        .collect::<Vec<_>>();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [batch, 1]), &device);
    let cross_entropy = log_softmax(logits.clone(), 1)
        .gather(1, targets.clone())
        .mean()
        .neg();
    let correct = logits.detach().argmax(1).equal(targets).float().sum();
    match minibatch_selectivity(responses, labels) {
        Some(selectivity) => Loss {
            loss: if alpha == 0.0 {
                cross_entropy.clone()
            } else {
                cross_entropy.clone() - selectivity.clone() * alpha
            },
            cross_entropy,
            selectivity,
            correct,
        },
        None => Loss {
            loss: cross_entropy.clone(),
            cross_entropy,
            selectivity: Tensor::zeros([1], &device),
            correct,
        },
    }
}
