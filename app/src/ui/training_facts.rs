//! How a network is trained and tested, for pages that show a configuration.

use leptos::prelude::*;
use protocol::attack::{Attack, AttackSpec, Method};
use protocol::corruption::{Corruption, JpegStep};
use protocol::corruption_evaluation::{CorruptionSource, CorruptionSpec};
use protocol::dimensionality::DimensionalitySpec;
use protocol::gradient::InputUnitGradientSpec;
use protocol::numeral::plain;
use protocol::{EvaluationSpec, Run, TrainingSpec};

use crate::format;
use crate::grouping::counted;

/// A fact: its name, and what it is.
pub type Fact = (&'static str, String);

/// How a network is trained, in words.
pub fn training_words(training: &TrainingSpec) -> Vec<Fact> {
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
            plain(training.learning_rate_factor),
            epochs.join(", ")
        )
    };
    let images = training
        .train_images_per_class
        .map_or("all remaining".to_owned(), |images| {
            format::count(images.into())
        });
    vec![
        ("Epochs", format::count(training.epochs.into())),
        ("Batch size", format::count(training.batch_size.into())),
        (
            "Learning rate",
            format!("{}, {milestones}", plain(training.learning_rate)),
        ),
        ("Momentum", plain(training.momentum)),
        ("Weight decay", plain(training.weight_decay)),
        ("Augmentation", training.augmentation.label().to_owned()),
        ("Training images per class", images),
        (
            "Validation images per class",
            format::count(training.validation_images_per_class.into()),
        ),
    ]
}

/// What trained networks are tested on, in words: what was requested at launch, and what was requested later for any of `runs`.
pub fn evaluation_words(at_launch: &EvaluationSpec, runs: &[Run]) -> Vec<Fact> {
    let later = later_requests(at_launch, runs);
    let requests = |nothing: &str, words: &dyn Fn(&EvaluationSpec) -> Option<String>| {
        let later = later.iter().filter_map(|(spec, count)| {
            let words = words(spec)?;
            Some(match *count == runs.len() {
                true => format!("requested later: {words}"),
                false => format!(
                    "requested later for {}: {words}",
                    format::plural(*count as u64, "run", "runs")
                ),
            })
        });
        let all: Vec<String> = words(at_launch).into_iter().chain(later).collect();
        match all.is_empty() {
            true => nothing.to_owned(),
            false => all.join(". Also "),
        }
    };
    vec![
        (
            "Natural corruptions",
            requests("not tested", &|spec| {
                spec.corruptions.as_ref().map(corruptions)
            }),
        ),
        (
            "Adversarial attacks",
            requests("none", &|spec| spec.attacks.as_ref().map(attacks)),
        ),
        (
            "Dimensionality",
            requests("not measured", &|spec| {
                spec.dimensionality.as_ref().map(dimensionality)
            }),
        ),
        (
            "Input-unit gradients",
            requests("not measured", &|spec| {
                spec.input_unit_gradients.map(gradients)
            }),
        ),
    ]
}

/// Every request after the launch that differs from it, in the order of requests, with the number of runs it was made for.
fn later_requests<'a>(
    at_launch: &EvaluationSpec,
    runs: &'a [Run],
) -> Vec<(&'a EvaluationSpec, usize)> {
    counted(runs.iter().flat_map(|run| {
        let requests = run.later_evaluations.iter().enumerate();
        requests.filter_map(|(place, request)| {
            let again = run.later_evaluations[..place].contains(request);
            (!again && request != at_launch).then_some(request)
        })
    }))
}

/// How a network is trained, as entries of a list of facts.
pub fn training_facts(training: &TrainingSpec) -> impl IntoView + use<> {
    fact_entries(training_words(training))
}

/// Facts as entries of a list of facts.
pub fn fact_entries(facts: Vec<Fact>) -> impl IntoView + use<> {
    facts
        .into_iter()
        .map(|(name, what)| view! { <div><dt>{name}</dt><dd>{what}</dd></div> })
        .collect_view()
}

fn corruptions(spec: &CorruptionSpec) -> String {
    let which = if spec.corruptions.len() == Corruption::ALL.len() {
        format!("all {}", spec.corruptions.len())
    } else {
        let labels: Vec<&str> = spec.corruptions.iter().map(|one| one.label()).collect();
        labels.join(", ")
    };
    let severities: Vec<String> = spec.severities.iter().map(u8::to_string).collect();
    let source = origin(spec);
    let images = test_images(spec.images);
    format!(
        "{which}; severities {}; {source}; {images}",
        severities.join(", ")
    )
}

/// Test images; all where no number was requested.
fn test_images(images: Option<u32>) -> String {
    images.map_or("all test images".to_owned(), |images| {
        format::plural(images.into(), "test image", "test images")
    })
}

/// The requested source of corrupted images.
fn origin(spec: &CorruptionSpec) -> String {
    if spec.source == CorruptionSource::Published {
        return "published set".to_owned();
    }
    let mut words = format!("generated with seed {}", spec.corruption_seed);
    if spec.jpeg == JpegStep::Off {
        words += ", JPEG step left out";
    }
    if let Some(folder) = &spec.frost_photographs {
        words += &format!(", frost photographs from {folder}");
    }
    words
}

fn attacks(spec: &AttackSpec) -> String {
    let images = test_images(spec.images);
    let masking = if spec.check_masking {
        "checked for gradient masking"
    } else {
        "not checked for gradient masking"
    };
    format!(
        "{}; {images}; attack seed {}; {masking}",
        attacks_words(&spec.attacks),
        spec.attack_seed
    )
}

/// What dimensionality is measured on: clean images, and perturbations.
pub fn perturbations_words(spec: &DimensionalitySpec) -> String {
    let mut words = vec!["clean images".to_owned()];
    if !spec.corruptions.is_empty() {
        let plural = |number: usize, singular: &str, plural: &str| {
            format::plural(number as u64, singular, plural)
        };
        words.push(format!(
            "{} × {}",
            plural(spec.corruptions.len(), "corruption", "corruptions"),
            plural(spec.severities.len(), "severity", "severities")
        ));
    }
    if !spec.attacks.is_empty() {
        words.push(attacks_words(&spec.attacks));
    }
    words.join(", ")
}

fn dimensionality(spec: &DimensionalitySpec) -> String {
    let source = if spec.corruptions.is_empty() {
        String::new()
    } else {
        format!("; {}", origin(&spec.corrupted()))
    };
    let images = test_images(spec.images);
    let full =
        spec.activation_images
            .map_or("full activations not measured".to_owned(), |images| {
                format!(
                    "full activations on {}",
                    format::plural(images.into(), "test image", "test images")
                )
            });
    format!("{}{source}; {images}; {full}", perturbations_words(spec))
}

fn gradients(spec: InputUnitGradientSpec) -> String {
    let images = format::plural(spec.images.into(), "test image", "test images");
    format!("every unit of every layer; {images}")
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

    /// Broken by: a requested perturbation, way of drawing it, number of images or matrix that is not named.
    #[test]
    fn what_dimensionality_is_measured_on_is_named() {
        let mut spec = DimensionalitySpec::source(Some(500));
        assert_eq!(
            dimensionality(&spec),
            "clean images, 19 corruptions × 5 severities, PGD L∞ ε 8/255, step 0.5/255, 40 steps; generated with seed 0; 500 test images; full activations not measured"
        );
        spec.jpeg = JpegStep::Off;
        spec.frost_photographs = Some("ice".into());
        let text = dimensionality(&spec);
        assert!(
            text.contains(
                "; generated with seed 0, JPEG step left out, frost photographs from ice; "
            ),
            "{text}"
        );
        spec.corruptions.clear();
        spec.severities.clear();
        spec.activation_images = Some(64);
        let text = dimensionality(&spec);
        assert!(!text.contains("seed"), "{text}");
        assert!(
            text.ends_with("full activations on 64 test images"),
            "{text}"
        );
        assert_eq!(
            gradients(InputUnitGradientSpec { images: 50 }),
            "every unit of every layer; 50 test images"
        );
    }

    /// Broken by: a test that was requested after the launch and is called not tested, a request that is named once a run, or a
    /// count of other runs.
    #[test]
    fn what_was_requested_later_is_named() {
        let run = |id, later_evaluations| Run {
            id,
            later_evaluations,
            ..queued()
        };
        let (fewer, more) = (
            Some(AttackSpec::source(Some(200))),
            Some(AttackSpec::source(Some(500))),
        );
        let attacks_on = |attacks: &Option<AttackSpec>| EvaluationSpec {
            attacks: attacks.clone(),
            ..EvaluationSpec::default()
        };
        let (few, many) = (attacks_on(&fewer), attacks_on(&more));
        let runs = [
            run(1, vec![few.clone(), many.clone(), few.clone()]),
            run(2, vec![many.clone()]),
            run(3, vec![]),
        ];
        let none = EvaluationSpec::default();
        let words = |at_launch: &EvaluationSpec, runs: &[Run]| {
            let mut facts = evaluation_words(at_launch, runs);
            assert_eq!(facts[0].1, "not tested");
            facts.remove(1).1
        };
        let [few_words, many_words] = [fewer, more].map(|spec| attacks(&spec.unwrap()));
        assert_eq!(
            words(&none, &runs),
            format!(
                "requested later for 1 run: {few_words}. Also requested later for 2 runs: {many_words}"
            )
        );
        assert_eq!(
            words(&few, &runs[..2]),
            format!("{few_words}. Also requested later: {many_words}")
        );
        assert_eq!(words(&none, &runs[2..]), "none");
    }

    fn queued() -> Run {
        serde_json::from_value(serde_json::json!({
            "id": 1, "experiment_id": 1, "state": "queued", "queued_at": 0, "epochs_done": 0,
            "spec": protocol::preset::presets().remove(0).spec.runs().remove(0),
        }))
        .unwrap()
    }

    /// Broken by: a requested method that is not named, or a budget of AutoAttack that is left out.
    #[test]
    fn every_method_that_is_asked_for_is_named() {
        let mut spec = AttackSpec::source(Some(500));
        assert_eq!(
            attacks(&spec),
            "6 × FGSM, 6 × PGD; 500 test images; attack seed 0; checked for gradient masking"
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
