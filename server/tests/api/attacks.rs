//! Attacks by HTTP: with the launch, again later, their numbers, samples, images and refusals.

use axum::http::{Method as HttpMethod, StatusCode};
use protocol::api::{AdversarialSamplePage, Fall};
use protocol::attack::{Attack, AttackMeasurement, AttackSpec, Method, Norm};
use protocol::measure::Scatter;
use protocol::{EvaluationSpec, Measurement};

use crate::common::{Lab, corruptions, small};

fn attacks(attacks: Vec<Attack>) -> EvaluationSpec {
    EvaluationSpec {
        attacks: Some(AttackSpec {
            attacks,
            images: Some(20),
            attack_seed: 0,
            check_masking: true,
        }),
        ..EvaluationSpec::default()
    }
}

/// Breaks when a budget is left out, PGD's steps change places, samples are not those that the numbers count, an
/// adversarial image leaves its ball, or the trade-off lacks a run.
#[tokio::test]
async fn a_run_is_attacked_and_shows_its_samples() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 3);
    let square = Attack {
        method: Method::Square,
        steps: Some(20),
        ..Attack::fgsm(8.0)
    };
    let in_l2 = Attack {
        norm: Norm::L2,
        epsilon: 0.5,
        step_size: Some(0.1),
        random_starts: 2,
        ..Attack::pgd(8.0, 0.5, 5)
    };
    let all = vec![
        Attack::fgsm(8.0),
        Attack::fgsm(0.5),
        Attack::pgd(8.0, 0.5, 10),
        Attack::pgd(8.0, 0.5, 1),
        square,
        in_l2,
    ];
    spec.evaluation = EvaluationSpec {
        attacks: attacks(all.clone()).attacks,
        ..corruptions(20)
    };
    let (experiment, runs) = lab.launch(&spec).await;
    let id = runs[0];
    lab.finished(id).await;
    let measurements = lab.measurements(id).await;
    let measured: Vec<AttackMeasurement> = measurements
        .iter()
        .filter_map(|measurement| measurement.attack().cloned())
        .collect();
    assert_eq!(measured.len(), all.len());
    let accuracy = |attack: Attack| {
        measured
            .iter()
            .find(|one| one.attack == attack)
            .unwrap()
            .accuracy
    };
    let clean = measured[0].clean_accuracy;
    assert!(clean > 0.0, "there is something to attack");
    assert!(accuracy(Attack::pgd(8.0, 0.5, 10)) <= accuracy(Attack::pgd(8.0, 0.5, 1)));
    assert!(
        accuracy(Attack::pgd(8.0, 0.5, 10)) < clean,
        "ten steps of 0.5/255 change something"
    );
    let report = measurements
        .iter()
        .find_map(|measurement| match measurement {
            Measurement::Masking(report) => Some(report),
            _ => None,
        });
    assert!(
        report
            .unwrap()
            .checks
            .iter()
            .all(|check| !check.evidence.is_empty())
    );

    let page = |attack: Attack, filter: &str| {
        let attack = attack.to_string().replace('/', "%2F");
        format!(
            "/runs/{id}/adversarial-samples?conditions=0.20&attack={attack}&filter={filter}&page_size=100"
        )
    };
    let strongest = Attack::pgd(8.0, 0.5, 10);
    let samples: AdversarialSamplePage = lab.get(&page(strongest, "all")).await;
    assert_eq!((samples.total, samples.kept, samples.images), (20, 20, 20));
    let right = samples
        .samples
        .iter()
        .filter(|sample| sample.adversarial.right)
        .count();
    assert_eq!(right as f64 / 20.0, accuracy(strongest));
    for sample in &samples.samples {
        match sample.falls_at {
            Fall::WrongWhenClean => assert!(!sample.clean.right),
            Fall::At { epsilon } => assert!([0.5, 8.0].contains(&(epsilon * 255.0))),
            Fall::Never => assert!(sample.clean.right),
        }
    }
    let sample = &samples.samples[0];
    let mut images = Vec::new();
    for url in [
        &sample.clean.url,
        &sample.adversarial.url,
        &sample.perturbation_url,
    ] {
        images.push(lab.image(url).await);
    }
    let largest = images[0]
        .iter()
        .zip(images[1].iter())
        .map(|(clean, adversarial)| clean.abs_diff(*adversarial))
        .max();
    // Ten steps of 0.5/255, and half a value of rounding.
    assert!((1..=6).contains(&largest.unwrap()), "{largest:?}");
    assert_ne!(images[2], images[1]);

    let attack = strongest.to_string().replace('/', "%2F");
    let trade_off: Scatter = lab
        .get(&format!(
            "/experiments/{}/scatter?x=corruption:all:all&y=attack:{attack}",
            experiment.id
        ))
        .await;
    assert_eq!(trade_off.points.len(), 1);
    assert_eq!(trade_off.points[0].y, accuracy(strongest));
    assert_eq!(trade_off.known_attacks.len(), all.len());
    let table = lab
        .ask(
            HttpMethod::GET,
            &format!("/experiments/{}/export.csv?table=attacks", experiment.id),
        )
        .await;
    assert_eq!(table.text().lines().count(), 1 + all.len());
}

/// Breaks when attacking again repeats what was done or gives other numbers than attacking at once, or a budget
/// that means nothing reaches a worker.
#[tokio::test]
async fn a_run_is_attacked_again_with_more() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 1);
    spec.evaluation = attacks(vec![Attack::pgd(8.0, 0.5, 2)]);
    let (_, runs) = lab.launch(&spec).await;
    let id = runs[0];
    lab.finished(id).await;
    let attack_measurements = async || -> Vec<AttackMeasurement> {
        let all = lab.measurements(id).await;
        all.iter().filter_map(|one| one.attack().cloned()).collect()
    };
    let before = attack_measurements().await;
    assert_eq!(before.len(), 1);
    let more = attacks(vec![Attack::pgd(8.0, 0.5, 4), Attack::pgd(8.0, 0.5, 2)]);
    lab.evaluate(id, &more).await;
    lab.finished(id).await;
    let after = attack_measurements().await;
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[0]));

    spec.evaluation = more;
    let (_, runs) = lab.launch(&spec).await;
    lab.finished(runs[0]).await;
    let at_once = lab.measurements(runs[0]).await;
    for one in &after {
        assert!(
            at_once.contains(&Measurement::Attack(one.clone())),
            "{one:?}"
        );
    }

    for wrong in [
        Attack {
            epsilon: 0.0,
            ..Attack::fgsm(1.0)
        },
        Attack {
            steps: Some(0),
            ..Attack::pgd(8.0, 0.5, 1)
        },
        Attack {
            norm: Norm::L2,
            ..Attack::fgsm(1.0)
        },
    ] {
        let error = lab
            .unprocessable(&format!("/runs/{id}/evaluate"), &attacks(vec![wrong]))
            .await;
        assert_eq!(error.fields[0].field, "evaluation.attacks.attacks");
    }
    lab.refused(
        HttpMethod::GET,
        &format!("/runs/{id}/adversarial-samples?attack=fgsm"),
        StatusCode::BAD_REQUEST,
    )
    .await;
    lab.refused(
        HttpMethod::GET,
        &format!("/runs/{id}/adversarial-samples?attack=fgsm:linf:1%2F255"),
        StatusCode::NOT_FOUND,
    )
    .await;
}
