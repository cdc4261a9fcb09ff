//! How a network is trained and tested, for pages that show a configuration.

use leptos::prelude::*;
use protocol::attack::{Attack, AttackSpec, Method};
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
    let attacks = evaluation
        .attacks
        .as_ref()
        .map_or("none".to_owned(), attacks);
    view! {
        <div><dt>"Natural corruptions"</dt><dd>{corruptions}</dd></div>
        <div><dt>"Adversarial attacks"</dt><dd>{attacks}</dd></div>
    }
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

fn attacks(spec: &AttackSpec) -> String {
    let images = spec.images.map_or("all test images".to_owned(), |images| {
        format::plural(images.into(), "test image", "test images")
    });
    let masking = if spec.check_masking {
        "gradient masking looked for"
    } else {
        "gradient masking not looked for"
    };
    format!(
        "{}; {images}; attack seed {}; {masking}",
        attacks_words(&spec.attacks),
        spec.attack_seed
    )
}

/// Attacks by method: how many of each, or its radius where that tells it from the others.
pub fn attacks_words(attacks: &[Attack]) -> String {
    let of_method = |method: Method| {
        let of_it: Vec<&Attack> = attacks
            .iter()
            .filter(|attack| attack.method == method)
            .collect();
        match of_it[..] {
            [] => None,
            [one] if method != Method::AutoAttack => Some(one.label()),
            _ if method == Method::AutoAttack => {
                let radii: Vec<String> = of_it
                    .iter()
                    .map(|attack| attack.norm.radius(attack.epsilon))
                    .collect();
                Some(format!("AutoAttack at ε {}", radii.join(" and ")))
            }
            _ => Some(format!("{} × {}", of_it.len(), method.label())),
        }
    };
    let words: Vec<String> = Method::ALL.into_iter().filter_map(of_method).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a method that is asked for and not named, or a budget of AutoAttack that is not told.
    #[test]
    fn every_method_that_is_asked_for_is_named() {
        let mut spec = AttackSpec::source(Some(500));
        assert_eq!(
            attacks(&spec),
            "6 × FGSM, 6 × PGD; 500 test images; attack seed 0; gradient masking looked for"
        );
        spec.attacks = vec![
            Attack::fgsm(1.0),
            Attack::auto_attack(8.0),
            Attack::auto_attack(1.0),
        ];
        assert_eq!(
            attacks_words(&spec.attacks),
            "FGSM L∞ ε 1/255, AutoAttack at ε 8/255 and 1/255"
        );
    }
}
