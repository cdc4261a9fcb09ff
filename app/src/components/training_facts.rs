//! How a network is trained, for pages that show a configuration.

use leptos::prelude::*;
use protocol::TrainingSpec;

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
