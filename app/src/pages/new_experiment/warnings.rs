//! Likely mistakes in a spec: it can be launched, and the form says what to expect.

use protocol::numeral::plain;
use protocol::{ExperimentSpec, FieldError};

/// The largest learning rate without a warning: SGD's usual ones are ten times smaller.
const LARGE_LEARNING_RATE: f64 = 1.0;

/// Warnings about `spec`, field by field; `classes` is the number of classes in its data set, if known.
pub fn warnings(spec: &ExperimentSpec, classes: Option<usize>) -> Vec<FieldError> {
    let mut warnings = Vec::new();
    let mut warn = |field: &str, reason: String| warnings.push(FieldError::new(field, reason));
    if !spec.alphas.contains(&0.0) {
        warn(
            "alphas",
            "without alpha 0 there is no control, and most findings compare each run with its seed's control".into(),
        );
    }
    let training = &spec.training;
    if training.learning_rate > LARGE_LEARNING_RATE {
        warn(
            "training.learning_rate",
            format!(
                "{} is unusually large: training will most likely diverge; 0.1 is usual",
                plain(training.learning_rate)
            ),
        );
    }
    let late = training.learning_rate_milestones.iter();
    if let Some(epoch) = late.copied().find(|&epoch| epoch >= training.epochs) {
        warn(
            "training.learning_rate_milestones",
            format!(
                "training ends after epoch {}, so the rate is never lowered after epoch {epoch}",
                training.epochs
            ),
        );
    }
    let evaluation = &spec.evaluation;
    let tested = [
        (
            "evaluation.corruptions.images",
            evaluation.corruptions.as_ref().and_then(|spec| spec.images),
        ),
        (
            "evaluation.attacks.images",
            evaluation.attacks.as_ref().and_then(|spec| spec.images),
        ),
        (
            "evaluation.dimensionality.images",
            evaluation
                .dimensionality
                .as_ref()
                .and_then(|spec| spec.images),
        ),
        (
            "evaluation.input_unit_gradients.images",
            evaluation.input_unit_gradients.map(|spec| spec.images),
        ),
    ];
    for (field, images) in tested {
        if let (Some(images), Some(classes)) = (images, classes)
            && (images as usize) < classes
        {
            warn(
                field,
                format!(
                    "fewer images than the {classes} classes, so some classes have no image here"
                ),
            );
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::preset::presets;

    /// Broken by: a mistake without a warning, or a preset with one.
    #[test]
    fn mistakes_are_remarked_on_and_presets_are_not() {
        for preset in presets() {
            assert_eq!(warnings(&preset.spec, Some(10)), vec![], "{}", preset.id);
        }
        let mut spec = presets().remove(0).spec;
        spec.alphas = vec![-1.0, 1.0];
        spec.training.learning_rate = 1e30;
        spec.training.learning_rate_milestones = vec![1, spec.training.epochs];
        for images in [
            &mut spec.evaluation.corruptions.as_mut().unwrap().images,
            &mut spec.evaluation.attacks.as_mut().unwrap().images,
            &mut spec.evaluation.dimensionality.as_mut().unwrap().images,
        ] {
            *images = Some(9);
        }
        let fields = |classes| -> Vec<String> {
            let warnings = warnings(&spec, classes).into_iter();
            warnings.map(|warning| warning.field).collect()
        };
        let without = [
            "alphas",
            "training.learning_rate",
            "training.learning_rate_milestones",
        ];
        assert_eq!(fields(None), without);
        let with = [
            "evaluation.corruptions.images",
            "evaluation.attacks.images",
            "evaluation.dimensionality.images",
        ];
        assert_eq!(fields(Some(10)), [without, with].concat());
        let rate = &warnings(&spec, None)[1].reason;
        assert!(rate.starts_with("1e30 "), "{rate}");
    }
}
