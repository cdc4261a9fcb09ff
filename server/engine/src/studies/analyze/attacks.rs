//! Accuracy under attacks: by default FGSM and PGD of the method, on request any attack that a run can be tested with.

use protocol::Measurement;
use protocol::attack::{Attack, AttackSpec, Norm};
use serde_json::json;

use super::{Analysis, Collect, Report, Subject};
use crate::EngineError;
use crate::studies::evaluations::{AttackPredictions, measure_attacks};

/// Adversarial images of each attack that go into the report: the first of those attacked.
const IMAGES: usize = 16;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "attacks",
    description: "accuracy under each of --attacks (`fgsm.eps=2/255`, `pgd.eps=8/255.step=0.5/255.steps=40`), accuracy after each member of an ensemble, the first 16 adversarial images",
    run,
};

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let spec = AttackSpec {
        check_masking: false, // An analysis of its own.
        ..subject.attacks.clone()
    };
    let images = subject.images;
    let conditions = spec.conditions(images.len() as u32);
    let trained = subject.trained();
    let folder = tempfile::tempdir().map_err(EngineError::file(
        "cannot make a folder in",
        std::env::temp_dir(),
    ))?;
    let measured = AttackPredictions::folder(folder.path(), conditions);
    let mut collected = Collect::default();
    measure_attacks(&spec, &trained, Some(&measured), &mut collected)?;
    let mut clean_accuracy = None;
    for measured in collected.0.iter().filter_map(Measurement::attack) {
        let key = key(measured.attack);
        clean_accuracy = Some(measured.clean_accuracy);
        if !measured.members.is_empty() {
            let members: serde_json::Map<_, _> = measured
                .members
                .iter()
                .map(|(method, accuracy)| (method.id().to_owned(), json!(accuracy)))
                .collect();
            report.scalar(format!("{key}.members"), members);
        }
        let mut values = Vec::new();
        let image_count = IMAGES.min(conditions.images as usize);
        for place in 0..image_count {
            let image =
                AttackPredictions::image(folder.path(), conditions, measured.attack, place)?;
            values.extend(image.unwrap_or_default());
        }
        report.array(
            format!("{key}.images"),
            &[image_count, 3, images.height(), images.width()],
            values,
        );
        report.scalar(key, measured.accuracy);
    }
    report.scalar(
        "attacks",
        json!({
            "images": conditions.images,
            "attack_seed": conditions.attack_seed,
            "clean_accuracy": clean_accuracy,
        }),
    );
    Ok(())
}

/// The reference's name of an attack: the method, the norm unless it is L-infinity, the radius, and its other parameters.
fn key(attack: Attack) -> String {
    let norm = attack.norm;
    let mut key = attack.method.id().to_owned();
    if norm != Norm::Linf {
        key += &format!(".{}", norm.id());
    }
    key += &format!(".eps={}", norm.radius(attack.epsilon));
    if let Some(step_size) = attack.step_size {
        key += &format!(".step={}", norm.radius(step_size));
    }
    if let Some(steps) = attack.steps {
        key += &format!(".steps={steps}");
    }
    if attack.random_starts > 0 {
        key += &format!(".random_starts={}", attack.random_starts);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a number has another name than the reference's, or two attacks share one.
    #[test]
    fn attacks_have_the_references_names() {
        let name = |attack: &str| key(attack.parse().unwrap());
        assert_eq!(name("fgsm:linf:0.25/255"), "fgsm.eps=0.25/255");
        assert_eq!(
            name("pgd:linf:8/255:step=0.5/255:steps=40"),
            "pgd.eps=8/255.step=0.5/255.steps=40"
        );
        assert_eq!(
            name("pgd:l2:0.25:step=0.05:steps=40:random_starts=2"),
            "pgd.l2.eps=0.25.step=0.05.steps=40.random_starts=2"
        );
        assert_eq!(name("auto-attack:linf:1/255"), "auto-attack.eps=1/255");
    }
}
