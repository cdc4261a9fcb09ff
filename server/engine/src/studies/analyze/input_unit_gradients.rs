//! Input-unit gradients of every unit on the first images.

use serde_json::json;

use super::{Analysis, Report, Subject};
use crate::EngineError;
use crate::inference::unit_gradients::InputUnitGradients;
use crate::measures::variability::variability;

/// Images: the first of the set.
const IMAGES: usize = 64;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "input_unit_gradients",
    description: "norms of every unit's input gradient on the first 64 images, CV across samples and across units",
    run,
};

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let indices: Vec<usize> = (0..subject.images.len().min(IMAGES)).collect();
    let gradients = InputUnitGradients::new(subject.model, subject.device);
    let mut all = json!({});
    for layer in 0..subject.model.layers().len() {
        let measured = gradients
            .layer(layer, subject.images, &indices, &mut |_| true)
            .expect("the layer exists, and nothing stops it");
        let variability = variability(&measured.norms, measured.units);
        let name = format!("layer{layer:02}");
        all[&name] = json!({
            "cv_across_samples_mean": variability.mean_cv_across_samples(),
            "cv_across_units": variability.cv_across_units,
        });
        report.array(
            format!("{name}.gradient_norms"),
            &[measured.images, measured.units],
            measured.norms.iter().map(|&norm| norm as f32).collect(),
        );
    }
    report.scalar("input_unit_gradients", all);
    Ok(())
}
