//! Runs and experiments are compared, by HTTP.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use protocol::Run;
use protocol::comparison::{Comparison, ConfigurationField};

use crate::common::{Lab, corruptions, small};

/// Breaks when a group's mean is not that of its runs' own numbers, a chosen run is left out or taken twice, a
/// filter on a tag does not reach the store's tags, what differs is not told, or a wrong query is passed over.
#[tokio::test]
async fn two_experiments_are_compared() {
    let lab = Lab::with_slots(2).await;
    let mut spec = small(&[-1.0, 1.0], 1);
    spec.seeds = vec![0, 1];
    spec.evaluation = corruptions(20);
    let (first, runs) = lab.launch(&spec).await;
    spec.name = "another".into();
    spec.training.batch_size = 16;
    spec.alphas = vec![1.0];
    let (second, others) = lab.launch(&spec).await;
    let mut results = Vec::new();
    for &run in runs.iter().chain(&others) {
        let run = lab.finished(run).await;
        results.push(run);
    }
    let runs_of = |experiment: i64, alpha: f64| -> Vec<&Run> {
        let chosen = |run: &&Run| run.experiment_id == experiment && run.spec.alpha == alpha;
        results.iter().filter(chosen).collect()
    };

    let path = format!("/compare?experiments={},{}", first.id, second.id);
    let comparison: Comparison = lab.get(&path).await;
    assert_eq!((comparison.chosen_runs, comparison.untrained), (6, 0));
    assert_eq!(
        comparison.fields,
        [
            ConfigurationField::Experiment,
            ConfigurationField::Alpha,
            ConfigurationField::BatchSize
        ]
    );
    assert_eq!(comparison.groups.len(), 3);
    let expected = [
        runs_of(first.id, -1.0),
        runs_of(first.id, 1.0),
        runs_of(second.id, 1.0),
    ];
    for (group, expected) in comparison.groups.iter().zip(expected) {
        let selectivity: f64 = expected
            .iter()
            .map(|run| run.result.as_ref().unwrap().selectivity)
            .sum();
        let mean = group.means[0].unwrap();
        assert!((mean.mean - selectivity / 2.0).abs() < 1e-12);
        assert_eq!((mean.n, group.runs.len()), (2, 2));
    }
    assert_eq!(comparison.measures[2].measure, "corruption:all:all");
    assert_eq!(comparison.measures[2].images, Some(20));
    assert_eq!(comparison.measures[2].averaged_over, 95);
    assert_eq!(comparison.tests.len(), 3);
    assert!(
        comparison
            .tests
            .iter()
            .all(|test| test.paired && test.p_holm >= test.p)
    );
    let differing: Vec<_> = comparison
        .differing
        .iter()
        .map(|field| field.field)
        .collect();
    assert!(
        differing.contains(&ConfigurationField::BatchSize),
        "{differing:?}"
    );

    // Single runs, one of them in a chosen experiment already.
    let one: Comparison = lab
        .get(&format!(
            "/compare?experiments={}&runs={},{}",
            second.id, runs[0], others[0]
        ))
        .await;
    assert_eq!(one.chosen_runs, 3);

    let request = Request::patch(format!("/api/v1/runs/{}", runs[0]))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"tags": ["good"]}"#));
    assert_eq!(lab.send(request.unwrap()).await.status, StatusCode::OK);
    let tagged: Comparison = lab
        .get(&format!(
            "{path}&filter=tag:good,batch_size:32&group=alpha&measure=corruption:fog:3&scale=share_of_clean"
        ))
        .await;
    assert_eq!((tagged.filtered_out, tagged.groups.len()), (5, 1));
    assert_eq!(tagged.groups[0].runs[0].run_id, runs[0]);
    assert!(tagged.measures[0].label.ends_with("share of clean"));

    let nothing: Comparison = lab.get("/compare").await;
    assert!(nothing.groups.is_empty());
    for (query, status) in [
        ("experiments=99", StatusCode::NOT_FOUND),
        ("runs=99", StatusCode::NOT_FOUND),
        ("runs=one", StatusCode::BAD_REQUEST),
        ("group=colour", StatusCode::BAD_REQUEST),
        ("group=alpha&group_all_but=seed", StatusCode::BAD_REQUEST),
        ("filter=alpha", StatusCode::BAD_REQUEST),
        ("measure=speed", StatusCode::BAD_REQUEST),
    ] {
        lab.ask(Method::GET, &format!("/compare?{query}"))
            .await
            .refusal(status);
    }
}
