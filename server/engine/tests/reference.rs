//! The engine against an independent PyTorch implementation, on one trained ResNet20 and 200 CIFAR-10
//! test images (`reference/` and `data/` of the shared folder beside the repository, or of
//! `SELECTIVITY_LAB_SHARED`). Where the folder is not there the test says `skipped`.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use engine::devices;
use engine::studies::analyze::{CorruptedCopies, Report, Subject, analyze, chosen};
use protocol::attack::{Attack, AttackSpec, Method};
use serde_json::Value;

fn analyzed(shared: &Path, device: &str, attacks: &AttackSpec, analyses: &[&str]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let device = devices::open(device).unwrap();
    let (model, images) = common::subject_on(&device, shared, folder.path());
    let subject = Subject {
        model: &model,
        device: &device,
        images: &images,
        corruptions: Some(CorruptedCopies::Folder(folder.path())),
        attacks,
    };
    let analyses: Vec<String> = analyses.iter().map(|&name| name.to_owned()).collect();
    analyze(&subject, &chosen(&analyses).unwrap()).unwrap()
}

/// Component counts must equal the reference's: three thresholds for each layer. (Issue 6 would allow 1 more or less near a
/// threshold; none is needed.) Gives how many were compared.
fn dimensionality(measured: &Value, expected: &Value) -> usize {
    assert_eq!(measured["units"], expected["units"]);
    let keys = ["clean", "corruption_difference", "adversarial_difference"];
    for key in keys {
        assert_eq!(measured[key], expected[key], "{key}");
        assert_eq!(expected[key].as_array().map(Vec::len), Some(19), "{key}");
    }
    keys.len() * 19 * 3
}

fn number(value: &Value, path: &[&str]) -> f64 {
    let entry = path.iter().fold(value, |value, key| &value[key]);
    entry
        .as_f64()
        .unwrap_or_else(|| panic!("{path:?} is no number"))
}

/// Breaks when any definition differs from the method's: the network's forward pass, a unit's
/// response, its selectivity, the regularised loss or its gradient.
#[test]
fn the_engine_agrees_with_the_independent_reference() {
    let Some(shared) = common::shared() else {
        return;
    };
    let analyses = ["selectivity", "regulariser", "corruptions", "geometry"];
    let report = analyzed(&shared, "cpu", &AttackSpec::source(None), &analyses);
    let expected = common::arrays(&shared);
    let scalars = common::json(&shared, "expected.json");
    let measured = Value::Object(report.scalars.clone());

    let mut compared = 0;
    // For each alpha: squared norms of the difference and of the reference's whole gradient.
    let mut gradients = BTreeMap::<&str, (f64, f64)>::new();
    for (name, (shape, values)) in &expected {
        let tolerance = match name.as_str() {
            "clean.logits" => 1e-3,
            name if name.ends_with(".unit_means") || name.ends_with(".selectivity") => 1e-4,
            name if name.ends_with(".gradient_norms") => {
                let array = &report.arrays[name];
                assert_eq!(&array.shape, shape, "{name}");
                for (index, (value, reference)) in array.values.iter().zip(values).enumerate() {
                    assert!(
                        (value - reference).abs() <= 1e-3 * reference.abs() + 1e-6,
                        "{name}[{index}]: {value} against {reference}"
                    );
                }
                compared += 1;
                continue;
            }
            name if name.starts_with("train.alpha=") => {
                let array = report
                    .arrays
                    .get(name)
                    .unwrap_or_else(|| panic!("{name} is missing"));
                assert_eq!(&array.shape, shape, "{name}");
                let norm = |values: &mut dyn Iterator<Item = f32>| {
                    values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
                };
                let difference = norm(&mut array.values.iter().zip(values).map(|(a, b)| a - b));
                let size = norm(&mut values.iter().copied());
                assert!(
                    difference <= 5e-3 * size,
                    "{name}: the gradient differs by {:e} of its norm",
                    difference / size
                );
                let alpha = name.split(".grad.").next().unwrap_or_default();
                let sums: &mut (f64, f64) = gradients.entry(alpha).or_default();
                sums.0 += difference.powi(2);
                sums.1 += size.powi(2);
                compared += 1;
                continue;
            }
            _ => continue, // Attacks: a test of their own.
        };
        let array = report
            .arrays
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(&array.shape, shape, "{name}");
        for (index, (value, reference)) in array.values.iter().zip(values).enumerate() {
            let difference = (value - reference).abs();
            assert!(
                difference <= tolerance,
                "{name}[{index}]: {value} against {reference}"
            );
        }
        compared += 1;
    }
    // The reference is float32, and its gradients carry the rounding of the machine that made them:
    // the same script in float64 differs from them by 7.4e-4 of the whole gradient and by up to 2.0e-3 in
    // single tensors (in float32 on another machine by 1.5e-3 and 7e-3). So the whole gradient is held
    // to 1e-3, and no single tensor may be off by more than 5e-3.
    for (alpha, (difference, size)) in &gradients {
        let relative = (difference / size).sqrt();
        println!("{alpha}: the gradient differs by {relative:.2e} of its norm");
        assert!(
            relative <= 1e-3,
            "{alpha}: gradients differ by {relative:e} of their norm"
        );
    }
    assert_eq!(gradients.len(), 3);

    // 1 array of logits, 2 for each of 19 layers, norms of 5 layers, 59 parameters... at each of 3 alphas.
    assert!(
        compared > 1 + 2 * 19 + 5 + 3 * 50,
        "only {compared} arrays were compared"
    );

    for key in [
        "clean.accuracy",
        "selectivity.network",
        "gaussian_noise.severity=3",
    ] {
        let difference = (number(&measured, &[key]) - number(&scalars, &[key])).abs();
        assert!(difference < 1e-4, "{key} differs by {difference}");
    }
    for alpha in ["train.alpha=-1.0", "train.alpha=0.0", "train.alpha=1.0"] {
        for term in ["loss", "cross_entropy", "selectivity"] {
            let difference =
                (number(&measured, &[alpha, term]) - number(&scalars, &[alpha, term])).abs();
            assert!(difference < 1e-4, "{alpha} {term} differs by {difference}");
        }
    }
    for layer in ["layer00", "layer01", "layer07", "layer13", "layer18"] {
        for key in ["cv_across_samples_mean", "cv_across_units"] {
            let path = ["input_unit_gradients", layer, key];
            let difference = (number(&measured, &path) - number(&scalars, &path)).abs();
            assert!(difference < 1e-3, "{path:?} differs by {difference}");
        }
    }
    let counts = dimensionality(&measured["dimensionality"], &scalars["dimensionality"]);
    println!("{compared} arrays and {counts} component counts agree with the reference");
}

/// Breaks when `--only attacks` lacks a number of the reference, gives it another name, or another value: the attack, its
/// budget, the images that it starts from; and when AutoAttack finds less than its members, or is no attack at all.
#[test]
fn attacks_agree_with_the_independent_reference() {
    let Some(shared) = common::shared() else {
        return;
    };
    let spec = AttackSpec::source(None);
    let report = analyzed(&shared, "cpu", &spec, &["attacks"]);
    let mut compared = 0;
    for (name, expected) in common::json(&shared, "expected.json").as_object().unwrap() {
        if !name.starts_with("fgsm.") && !name.starts_with("pgd.") {
            continue;
        }
        let accuracy = report.scalars[name].as_f64().unwrap();
        let difference = (accuracy - expected.as_f64().unwrap()).abs();
        assert!(difference < 1e-6, "{name}: {accuracy} against {expected}");
        compared += 1;
    }
    assert_eq!(compared, spec.attacks.len());
    assert_eq!(report.scalars["attacks"]["images"], 200);

    let name = "fgsm.eps=2/255.images";
    let (shape, reference) = &common::arrays(&shared)[name];
    let array = &report.arrays[name];
    assert_eq!(&array.shape, shape);
    let pairs = array.values.iter().zip(reference);
    let equal = pairs.filter(|(a, b)| (*a - *b).abs() < 1e-6).count();
    // A gradient of about 0 has either sign.
    let share = equal as f64 / reference.len() as f64;
    println!("{compared} accuracies are identical, {share:.5} of the values of {name}");
    assert!(share >= 0.995);

    // At this radius the first member leaves hardly an image to the others.
    let few = AttackSpec {
        attacks: vec![
            Attack::auto_attack(8.0),
            Attack {
                method: Method::ApgdCe,
                steps: Some(5),
                ..Attack::fgsm(0.5)
            },
        ],
        images: Some(10),
        attack_seed: 0,
        check_masking: false,
    };
    let report = analyzed(&shared, "cpu", &few, &["attacks"]);
    let all = report.scalars["auto-attack.eps=8/255"].as_f64().unwrap();
    let members = report.scalars["auto-attack.eps=8/255.members"]
        .as_object()
        .unwrap();
    assert_eq!(members.len(), 4);
    let first = members["apgd-ce"].as_f64().unwrap();
    let clean = report.scalars["attacks"]["clean_accuracy"]
        .as_f64()
        .unwrap();
    assert!(
        all <= first && first <= clean && all < clean,
        "{all} {first} {clean}"
    );
    assert!(
        report.scalars["apgd-ce.eps=0.5/255.steps=5"]
            .as_f64()
            .unwrap()
            <= clean
    );
}
