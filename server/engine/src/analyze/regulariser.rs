//! The regularised training loss and its gradient at alpha -1, 0 and 1, batch statistics in the batch norms.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use serde_json::json;

use super::{Analysis, Report, Subject};
use crate::EngineError;
use crate::batch::clean_images;
use crate::epoch::regularised_loss;
use crate::evaluate::host;

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
            path: Vec::new(),
            gradients: &gradients,
            report,
        };
        model.visit(&mut collect);
    }
    Ok(())
}

/// Collects each parameter's gradient under the name PyTorch gives the parameter.
struct Collect<'a> {
    prefix: String,
    /// (field name, container type) from the model down.
    path: Vec<(String, String)>,
    gradients: &'a Gradients,
    report: &'a mut Report,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = param.val().grad(self.gradients) else {
            return; // Running statistics have none.
        };
        let linear = self
            .path
            .iter()
            .any(|(_, container)| container == "Struct:Linear");
        // burn keeps linear weights as [inputs, outputs], PyTorch as [outputs, inputs].
        let gradient = if linear && D == 2 {
            gradient.transpose()
        } else {
            gradient
        };
        let shape = gradient.dims();
        // The first names are the wrapper's: `body` and the family's variant.
        let names = self.path.iter().map(|(name, _)| name.as_str());
        let name = names
            .filter(|name| !["body", "Cifar", "ImageNet"].contains(name))
            .collect::<Vec<_>>()
            .join(".")
            .replace(".downsample.conv.", ".downsample.0.")
            .replace(".downsample.bn.", ".downsample.1.");
        let name = match name.rsplit_once('.') {
            Some((layer, "gamma")) => format!("{layer}.weight"),
            Some((layer, "beta")) => format!("{layer}.bias"),
            _ => name,
        };
        let prefix = &self.prefix;
        self.report
            .array(format!("{prefix}.{name}"), &shape, host(gradient));
    }
}
