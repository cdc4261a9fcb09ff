//! How a network is trained and tested, for pages that show a configuration.

use leptos::prelude::*;
use protocol::corruption::Corruption;
use protocol::evaluation::{CorruptionSource, CorruptionSpec};
use protocol::{EvaluationSpec, TrainingSpec};

use crate::format;

/// How a network is trained, as entries of a list of facts.
pub fn training_facts(training: &TrainingSpec) -> impl IntoView + use<> {
    let milestones = if training.learning_rate_milestones.is_empty() {
        "never lowered".to_owned()
    } else {
        let epochs: Vec<String> = training
            .learning_rate_milestones
            .iter()
            .map(u32::to_string)
            .collect();
        format!(
            "× {} after epoch {}",
            training.learning_rate_factor,
            epochs.join(", ")
        )
    };
    let images = training
        .train_images_per_class
        .map_or("all that are left".to_owned(), |images| {
            format::count(images.into())
        });
    view! {
        <div><dt>"Epochs"</dt><dd>{format::count(training.epochs.into())}</dd></div>
        <div><dt>"Batch size"</dt><dd>{format::count(training.batch_size.into())}</dd></div>
        <div><dt>"Learning rate"</dt><dd>{training.learning_rate}", "{milestones}</dd></div>
        <div><dt>"Momentum"</dt><dd>{training.momentum}</dd></div>
        <div><dt>"Weight decay"</dt><dd>{training.weight_decay}</dd></div>
        <div><dt>"Augmentation"</dt><dd>{training.augmentation.label()}</dd></div>
        <div><dt>"Training images a class"</dt><dd>{images}</dd></div>
        <div><dt>"Validation images a class"</dt><dd>{format::count(training.validation_images_per_class.into())}</dd></div>
    }
}

/// What a trained network is tested on, as entries of a list of facts.
pub fn evaluation_facts(evaluation: &EvaluationSpec) -> impl IntoView + use<> {
    let corruptions = evaluation
        .corruptions
        .as_ref()
        .map_or("not tested".to_owned(), corruptions);
    view! { <div><dt>"Natural corruptions"</dt><dd>{corruptions}</dd></div> }
}

fn corruptions(spec: &CorruptionSpec) -> String {
    let which = if spec.corruptions.len() == Corruption::ALL.len() {
        format!("all {}", spec.corruptions.len())
    } else {
        let labels: Vec<&str> = spec.corruptions.iter().map(|one| one.label()).collect();
        labels.join(", ")
    };
    let severities: Vec<String> = spec.severities.iter().map(u8::to_string).collect();
    let source = match spec.source {
        CorruptionSource::Generated => format!("generated with seed {}", spec.corruption_seed),
        CorruptionSource::Published => "published set".to_owned(),
    };
    let images = spec.images.map_or("all test images".to_owned(), |images| {
        format::plural(images.into(), "test image", "test images")
    });
    format!(
        "{which}; severities {}; {source}; {images}",
        severities.join(", ")
    )
}
