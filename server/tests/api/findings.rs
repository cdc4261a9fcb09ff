//! Findings by HTTP: every claim answered, from the store as from the measurements themselves, and never out of date.

use analysis::claims::findings;
use analysis::run_numbers::RunNumbers;
use axum::http::{Method, StatusCode};
use protocol::api::{Change, ExperimentPage};
use protocol::attack::{Attack, AttackSpec};
use protocol::corruption_evaluation::CorruptionSpec;
use protocol::dimensionality::DimensionalitySpec;
use protocol::finding::{Claim, Finding, Findings, Verdict, WIDEST_WINDOW};
use protocol::gradient::InputUnitGradientSpec;
use protocol::{Corruption, EvaluationSpec, Run};
use server::scheduler::News;

use crate::common::{Lab, PATIENCE, endless, small};

/// Something of every kind that a claim is about.
pub fn everything() -> EvaluationSpec {
    EvaluationSpec {
        corruptions: Some(CorruptionSpec {
            corruptions: vec![Corruption::GaussianNoise, Corruption::Contrast],
            severities: vec![1, 5],
            ..CorruptionSpec::everything(Some(30))
        }),
        attacks: Some(AttackSpec {
            attacks: vec![Attack::fgsm(1.0), Attack::pgd(8.0, 0.5, 2)],
            check_masking: false,
            ..AttackSpec::source(Some(30))
        }),
        dimensionality: Some(DimensionalitySpec {
            corruptions: vec![Corruption::GaussianNoise, Corruption::Contrast],
            severities: vec![1, 5],
            attacks: vec![Attack::pgd(8.0, 0.5, 2)],
            images: Some(30),
            activation_images: Some(10),
            ..DimensionalitySpec::source(None)
        }),
        input_unit_gradients: Some(InputUnitGradientSpec { images: 4 }),
    }
}

/// Breaks when a claim is left out, two seeds are enough for a verdict, the store's short form holds other numbers than the
/// measurements that it is of, or an answer is kept after a run has measured more.
#[tokio::test]
async fn every_claim_is_answered_from_what_is_in_the_store() {
    let lab = Lab::open().await;
    let mut spec = small(&[-1.0, 0.0, 1.0], 1);
    spec.seeds = vec![0, 1];
    let (experiment, runs) = lab.launch(&spec).await;
    for &run in &runs {
        lab.finished(run).await;
    }
    // Runs of one epoch may be anywhere: all of them count here.
    let path = format!("/experiments/{}/findings?window=100", experiment.id);
    let before: Findings = lab.get(&path).await;
    assert_eq!(before.findings.len(), 8);
    assert_eq!((before.runs, before.missing_runs), (6, 0));
    assert_eq!((before.alphas.len(), before.seeds.len()), (3, 2));
    let claims = before.findings.iter().map(|one| one.claim);
    assert!(claims.eq(Claim::ALL));
    let unmeasured = |finding: &Finding| finding.evidence.is_empty() || finding.claim == Claim::C8;
    for finding in &before.findings {
        assert_eq!(finding.verdict, Verdict::NotEnoughRuns, "{finding:?}");
        assert!(!finding.sentence.is_empty() && !finding.rule.is_empty());
        assert!(
            unmeasured(finding) || finding.claim == Claim::C3,
            "{finding:?}"
        );
    }

    let spec = serde_json::to_vec(&everything()).unwrap();
    let evaluate = format!("/experiments/{}/evaluate", experiment.id);
    let answer = lab.post_json(&evaluate, spec).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    for &run in &runs {
        lab.finished(run).await;
    }
    let after: Findings = lab.get(&path).await;
    for finding in &after.findings {
        assert_eq!(finding.verdict, Verdict::NotEnoughRuns, "{finding:?}");
        // On 30 images of networks of one epoch attacks may all be at the floor or the ceiling.
        let at_an_end = finding
            .sentence
            .starts_with("No attack tells the runs apart")
            && finding
                .notes
                .iter()
                .any(|note| note.starts_with("Left out"));
        assert!(
            finding.sentence.contains("takes at least 3") && !finding.evidence.is_empty()
                || at_an_end,
            "{finding:?}"
        );
    }
    let again: Findings = lab.get(&path).await;
    assert_eq!(after, again);

    // The same from the measurements themselves, to the last digits.
    let store = &lab.state.store;
    let experiment = store.experiment(experiment.id).await.unwrap();
    let all = store.runs(experiment.id).await.unwrap();
    let measured = store.experiment_measurements(experiment.id).await.unwrap();
    let numbers = RunNumbers::of_runs(&all, &measured);
    let whole = findings(&experiment, &numbers, all.len(), WIDEST_WINDOW);
    for (found, expected) in after.findings.iter().zip(&whole.findings) {
        assert_eq!(found.sentence, expected.sentence);
        assert_eq!(found.evidence.len(), expected.evidence.len());
        for (found, expected) in found.evidence.iter().zip(&expected.evidence) {
            assert_eq!(
                (&found.what, found.n, found.runs),
                (&expected.what, expected.n, expected.runs)
            );
            match (found.estimate, expected.estimate) {
                (Some(a), Some(b)) => assert!((a - b).abs() <= 1e-9 * (1.0 + b.abs()), "{found:?}"),
                (a, b) => assert_eq!(a, b),
            }
        }
    }
    in_the_list(&lab, experiment.id).await;
}

/// Breaks when the list shows another verdict than the page of findings, accuracies of other runs, or verdicts from before a run
/// was deleted; or when it waits for them to be computed.
async fn in_the_list(lab: &Lab, experiment: i64) {
    let listed = async || {
        let page: ExperimentPage = lab.get("/experiments").await;
        page.experiments.into_iter().next().unwrap()
    };
    let mut changes = lab.state.scheduler.subscribe();
    assert_eq!(listed().await.verdicts, None);
    let announced = async {
        loop {
            if let News::Change(change) = changes.recv().await.unwrap()
                && change.change == Change::FindingsMade
            {
                return change.experiment_id;
            }
        }
    };
    let announced = tokio::time::timeout(PATIENCE, announced).await;
    assert_eq!(announced.unwrap(), experiment);
    let path = format!("/experiments/{experiment}/findings");
    let findings: Findings = lab.get(&path).await;
    let verdicts = |findings: &Findings| -> Vec<(Claim, Verdict)> {
        let all = findings.findings.iter();
        all.map(|one| (one.claim, one.verdict)).collect()
    };
    let one = listed().await;
    let in_list = one.verdicts.unwrap().into_iter();
    let in_list: Vec<_> = in_list.map(|one| (one.claim, one.verdict)).collect();
    assert_eq!(in_list, verdicts(&findings));
    let path = format!("/experiments/{experiment}/runs");
    let runs: Vec<Run> = lab.get(&path).await;
    let brief: Vec<Run> = lab.get(&format!("{path}?layers=false")).await;
    let without_layers: Vec<Run> = runs.iter().cloned().map(Run::without_layers).collect();
    assert!(brief == without_layers && brief != runs);
    let accuracies = runs
        .iter()
        .map(|run| run.result.as_ref().unwrap().test_accuracy);
    let [low, high] = one.test_accuracy.unwrap();
    assert_eq!(low, accuracies.clone().fold(1.0, f64::min));
    assert_eq!(high, accuracies.fold(0.0, f64::max));
    let path = format!("/runs/{}", runs[0].id);
    let gone = lab.ask(Method::DELETE, &path).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text());
    assert_eq!(listed().await.verdicts, None, "of a run that is gone");
}

/// Breaks when a missing experiment has findings, one without a trained run has none, or an invalid window is accepted.
#[tokio::test]
async fn nothing_trained_is_said_and_nothing_there_is_not_found() {
    let lab = Lab::open().await;
    let (experiment, _) = lab.launch(&endless(&[0.0, 1.0])).await;
    let path = format!("/experiments/{}/findings", experiment.id);
    let findings: Findings = lab.get(&path).await;
    assert_eq!((findings.runs, findings.missing_runs), (0, 2));
    let verdicts = findings.findings.iter().map(|one| one.verdict);
    assert!(verdicts.eq([Verdict::NotEnoughRuns; 8]));
    // A window is refused with its field wherever it is taken.
    for page in ["findings", "claim-figures", "report.html"] {
        for wrong in ["-1", "101", "NaN", "ten"] {
            let path = format!("/experiments/{}/{page}?window={wrong}", experiment.id);
            let answer = lab.ask(Method::GET, &path).await;
            let refusal = answer.refusal(StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(refusal.fields[0].field, "window", "{path}");
        }
    }
    let answer = lab.ask(Method::GET, "/experiments/999/findings").await;
    answer.refusal(StatusCode::NOT_FOUND);
    let cancel = format!("/experiments/{}/cancel", experiment.id);
    lab.ask(Method::POST, &cancel).await;
}
