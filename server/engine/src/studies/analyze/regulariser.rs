//! The regularised training loss and its gradient at alpha -1, 0 and 1, batch statistics in the batch norms.

use burn::module::{Module, Param};
use burn::tensor::{Gradients, Tensor};
use serde_json::json;

use super::{Analysis, Report, Subject};
use crate::EngineError;
use crate::base::host::host;
use crate::inference::batch::clean_images;
use crate::learning::loss::regularised_loss;
use crate::networks::{NamedParameters, visit_named};

/// Images of the minibatch: the first of the set.
const BATCH: usize = 64;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "regulariser",
    description: "cross-entropy - alpha x selectivity of the first 64 images, and its gradients",
    run,
};

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let images = subject.images;
    let indices: Vec<usize> = (0..images.len().min(BATCH)).collect();
    let labels = &images.labels()[..indices.len()];
    let device = subject.device.clone().autodiff();
    for (alpha, name) in [(-1.0, "-1.0"), (0.0, "0.0"), (1.0, "1.0")] {
        // A copy in training mode each time: a forward pass moves the running statistics.
        let model = subject.model.valid().train().unfreeze();
        let batch = clean_images(images, &indices, &device);
        let terms = regularised_loss(&model, batch, labels, alpha);
        let gradients = terms.loss.backward();
        let [loss, cross_entropy, selectivity] =
            [terms.loss, terms.cross_entropy, terms.selectivity]
                .map(|term| f64::from(host(term)[0]));
        let key = format!("train.alpha={name}");
        report.scalar(
            key.clone(),
            json!({"cross_entropy": cross_entropy, "selectivity": selectivity, "loss": loss}),
        );
        let mut collect = Collect {
            prefix: format!("{key}.grad"),
            gradients: &gradients,
            report,
        };
        visit_named(&model, &mut collect);
    }
    Ok(())
}

/// Collects each parameter's gradient under the name PyTorch gives the parameter.
struct Collect<'a> {
    prefix: String,
    gradients: &'a Gradients,
    report: &'a mut Report,
}

impl NamedParameters for Collect<'_> {
    fn parameter<const D: usize>(&mut self, name: &str, linear: bool, param: &Param<Tensor<D>>) {
        let Some(gradient) = param.val().grad(self.gradients) else {
            return; // Running statistics have none.
        };
        // burn keeps linear weights as [inputs, outputs], PyTorch as [outputs, inputs].
        let gradient = if linear && D == 2 {
            gradient.transpose()
        } else {
            gradient
        };
        let shape = gradient.dims();
        let prefix = &self.prefix;
        self.report
            .array(format!("{prefix}.{name}"), &shape, host(gradient));
    }
}
