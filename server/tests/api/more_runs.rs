//! Alphas and seeds are added to an experiment that is there.

use axum::http::{Method, StatusCode};
use protocol::Run;
use protocol::api::{EvaluationQueued, Experiment};

use crate::common::{Lab, corruptions, small};

/// Breaks when a new alpha is not trained with every seed, or a new seed with every alpha, when a run is trained twice or one that
/// was deleted comes back, or when the new runs lack what was requested later for all others.
#[tokio::test]
async fn an_experiment_gets_more_alphas_and_seeds() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&small(&[0.0, 1.0, 2.0], 1)).await;
    let path = format!("/experiments/{}/runs", experiment.id);
    for &run in &runs {
        lab.wait_for_end(run).await;
    }
    let requested = serde_json::to_string(&corruptions(20)).unwrap();
    let evaluate = format!("/experiments/{}/evaluate", experiment.id);
    let queued = lab.post_json(&evaluate, requested.clone()).await;
    assert_eq!(queued.json::<EvaluationQueued>().queued, 3);
    for &run in &runs {
        lab.wait_for_end(run).await;
    }
    // Of one run alone: not of the new ones.
    let alone = format!("/runs/{}/evaluate", runs[0]);
    let requested_alone = serde_json::to_string(&corruptions(10)).unwrap();
    assert_eq!(
        lab.post_json(&alone, requested_alone).await.status,
        StatusCode::ACCEPTED
    );
    lab.wait_for_end(runs[0]).await;
    let deleted = lab.ask(Method::DELETE, &format!("/runs/{}", runs[1])).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);

    let more = r#"{"alphas": [0.0, -1.0], "seeds": [0, 4]}"#;
    let added = lab.post_json(&path, more).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    let spec = added.json::<Experiment>().spec;
    assert_eq!(spec.alphas, [0.0, 1.0, 2.0, -1.0]);
    assert_eq!(spec.seeds, [0, 4]);
    let listed: Vec<Run> = lab.get(&path).await;
    let grid: Vec<(f64, u64)> = listed
        .iter()
        .map(|run| (run.spec.alpha, run.spec.seed))
        .collect();
    assert_eq!(
        grid,
        [
            (0.0, 0),
            (2.0, 0),
            (-1.0, 0),
            (0.0, 4),
            (1.0, 4),
            (2.0, 4),
            (-1.0, 4)
        ],
        "the deleted run, alpha 1 and seed 0, stays away"
    );
    for run in &listed[2..] {
        let run = lab.finished(run.id).await;
        assert_eq!(run.spec.training, listed[0].spec.training);
        let measured = lab.measurements(run.id).await;
        assert_eq!(measured.len(), 19 * 5, "run {}", run.id);
    }
}

/// Breaks when what cannot be added is added in part, or refused without its field.
#[tokio::test]
async fn what_cannot_be_added_changes_nothing() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    let path = format!("/experiments/{}/runs", experiment.id);
    for (body, field) in [
        (r#"{"alphas": [0.0, -0.0], "seeds": [0]}"#, "seeds"),
        ("{}", "seeds"),
        (r#"{"alphas": [1.0, 1e9], "seeds": [3]}"#, "alphas"),
        (r#"{"seeds": [3, 9007199254740992]}"#, "seeds"),
    ] {
        let refused = lab.post_json(&path, body).await;
        let refused = refused.refusal(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields[0].field, field, "{body}");
    }
    lab.post_json(&path, r#"{"alpha": [1.0]}"#)
        .await
        .refusal(StatusCode::UNPROCESSABLE_ENTITY);
    lab.post_json("/experiments/99/runs", r#"{"seeds": [3]}"#)
        .await
        .refusal(StatusCode::NOT_FOUND);
    let unchanged: Experiment = lab.get(&format!("/experiments/{}", experiment.id)).await;
    assert_eq!(unchanged.spec, experiment.spec);
    assert_eq!(lab.get::<Vec<Run>>(&path).await.len(), 1);
}
