//! Experiments are listed, searched, paged and deleted.

use axum::http::{Method, Request, StatusCode};
use protocol::api::{Experiment, ExperimentPage, Health, RunMetrics, RunPage, UNDO_MINUTES};
use protocol::problem::ErrorCode;
use protocol::training_curve::{CurveQuantity, TrainingCurves};
use protocol::{ExperimentSpec, Run, RunState};
use server::purge::purge;
use server::store::Scope;

use crate::common::{Lab, endless, small};

/// Broken by: a search that ignores notes or case, a filter on the wrong state, pages that overlap
/// or count wrongly, or an order other than newest first.
#[tokio::test]
async fn experiments_are_searched_filtered_and_paged() {
    let lab = Lab::open().await;
    let mut numbers = Vec::new();
    for (name, notes) in [
        ("first", "with Dropout"),
        ("second 100%", ""),
        ("third", ""),
    ] {
        let mut spec = endless(&[0.0]);
        (spec.name, spec.notes) = (name.into(), notes.into());
        numbers.push(lab.launch(&spec).await.0.id);
    }
    // The one slot is taken by the first; the third is cancelled in the queue.
    lab.wait(1, |run| run.state == RunState::Running).await;
    lab.post::<Experiment>(&format!("/experiments/{}/cancel", numbers[2]))
        .await;
    let list = async |query: &str| -> (Vec<i64>, u32) {
        let page: ExperimentPage = lab.get(&format!("/experiments?{query}")).await;
        (
            page.experiments
                .iter()
                .map(|experiment| experiment.id)
                .collect(),
            page.total,
        )
    };
    let [first, second, third] = numbers[..] else {
        panic!("three experiments")
    };
    assert_eq!(list("").await, (vec![third, second, first], 3));
    assert_eq!(list("page_size=2").await, (vec![third, second], 3));
    assert_eq!(list("page_size=2&page=2").await, (vec![first], 3));
    assert_eq!(list("page_size=2&page=3").await, (vec![], 3));
    assert_eq!(list("page=4294967295&page_size=200").await, (vec![], 3));
    assert_eq!(list("search=dropOUT").await, (vec![first], 1));
    assert_eq!(list("search=ir").await, (vec![third, first], 2));
    assert_eq!(list("search=100%25").await, (vec![second], 1));
    assert_eq!(list("search=%25").await, (vec![second], 1));
    assert_eq!(list("search=none").await, (vec![], 0));
    assert_eq!(list("state=running").await, (vec![first], 1));
    assert_eq!(list("state=queued").await, (vec![second], 1));
    assert_eq!(list("state=cancelled&search=third").await, (vec![third], 1));
    let health: Health = lab.get("/health").await;
    assert_eq!(
        (health.status.as_str(), health.queued, health.running),
        ("ok", 1, 1)
    );
}

/// Broken by: deleting under a worker's hands, losing anything while the deletion can be undone, letting a deleted run go on,
/// keeping files or rows of what is gone, or giving its number to another.
#[tokio::test]
async fn deletion_waits_for_the_runs_and_takes_everything_along() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&endless(&[0.0, 1.0])).await;
    let path = format!("/experiments/{}", experiment.id);
    lab.wait_for_epoch(runs[0]).await;
    let error = lab
        .refused(Method::DELETE, &path, StatusCode::CONFLICT)
        .await;
    assert!(error.detail.contains("cancel it first"), "{error:?}");
    assert!(lab.state.directory.run(runs[0]).is_dir());
    lab.post::<Experiment>(&format!("{path}/cancel")).await;
    lab.wait_for_end(runs[0]).await;
    assert_eq!(
        lab.ask(Method::DELETE, &path).await.status,
        StatusCode::NO_CONTENT
    );
    let one = format!("/runs/{}", runs[0]);
    let compared = format!("/compare?runs={}", runs[0]);
    for (method, path) in [
        (Method::GET, &path),
        (Method::DELETE, &path),
        (Method::POST, &format!("{path}/resume")),
        (Method::GET, &one),
        (Method::DELETE, &one),
        (Method::POST, &format!("{one}/resume")),
        (Method::GET, &format!("{one}/measurements")),
        (Method::GET, &compared),
    ] {
        let answer = lab.ask(method, path).await;
        answer.refusal(StatusCode::NOT_FOUND);
    }
    let listed: ExperimentPage = lab.get("/experiments").await;
    assert_eq!((listed.total, listed.experiments.len()), (0, 0));
    let listed: RunPage = lab.get("/runs").await;
    assert_eq!(listed.total, 0);
    let counted = lab
        .state
        .store
        .count_by_device(RunState::Cancelled, Scope::Everything);
    assert!(counted.await.unwrap().is_empty());
    // Too early to be gone for good.
    let (store, directory) = (&lab.state.store, &lab.state.directory);
    purge(store, directory, UNDO_MINUTES).await.unwrap();
    let restore = format!("{path}/restore");
    let restored: Experiment = lab.post(&restore).await;
    assert_eq!(restored.runs.iter().map(|runs| runs.count).sum::<u32>(), 2);
    let run: Run = lab.get(&one).await;
    assert!(run.latest_epoch.is_some());
    assert!(directory.run(runs[0]).is_dir());
    lab.refused(Method::POST, &restore, StatusCode::NOT_FOUND)
        .await;

    lab.ask(Method::DELETE, &path).await;
    purge(store, directory, 0).await.unwrap();
    assert!(!directory.run(runs[0]).exists());
    assert_eq!(store.last_sequence().await.unwrap(), 0);
    lab.refused(Method::POST, &restore, StatusCode::NOT_FOUND)
        .await;
    let (next, _) = lab.launch(&small(&[0.0], 1)).await;
    assert!(next.id > experiment.id);
}

/// Broken by: a deletion that fails because another experiment's worker writes meanwhile (a
/// transaction that reads before it writes loses against every other writer).
#[tokio::test]
async fn deletion_works_while_others_write() {
    let lab = Lab::open().await;
    let (_, busy) = lab.launch(&endless(&[0.0])).await;
    lab.wait(busy[0], |run| run.state == RunState::Running)
        .await;
    let store = lab.state.store.clone();
    let writer = tokio::spawn(async move {
        for line in 0.. {
            let event = protocol::Event::Log {
                level: protocol::event::LogLevel::Info,
                message: format!("line {line}"),
            };
            store.record(busy[0], &event).await.unwrap();
        }
    });
    for _ in 0..20 {
        let (experiment, _) = lab.launch(&endless(&[0.0])).await;
        let path = format!("/experiments/{}", experiment.id);
        lab.post::<Experiment>(&format!("{path}/cancel")).await;
        let answer = lab.ask(Method::DELETE, &path).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    }
    writer.abort();
}

/// Breaks when a new experiment does not say where it is, or runs are not listed, filtered, paged and deleted one by one.
#[tokio::test]
async fn runs_are_listed_and_deleted_one_by_one() {
    let lab = Lab::open().await;
    let answer = lab.post_value("/experiments", &small(&[0.0, 1.0], 1)).await;
    let created: Experiment = answer.json();
    let location = answer.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("/api/v1/experiments/{}", created.id));
    let (_, busy) = lab.launch(&endless(&[0.5])).await;
    for run in [1, 2] {
        lab.wait_for_end(run).await;
    }
    lab.wait(busy[0], |run| run.state == RunState::Running)
        .await;
    let list = async |query: &str| -> (Vec<i64>, u32) {
        let page: RunPage = lab.get(&format!("/runs?{query}")).await;
        (page.runs.iter().map(|run| run.id).collect(), page.total)
    };
    assert_eq!(list("").await, (vec![3, 2, 1], 3));
    assert_eq!(list("page_size=2&page=2").await, (vec![1], 3));
    assert_eq!(list("experiment=1").await, (vec![2, 1], 2));
    assert_eq!(list("state=running").await, (vec![3], 1));
    assert_eq!(list("alpha=1&seed=0").await, (vec![2], 1));
    assert_eq!(list("experiment=1&alpha=0").await, (vec![1], 1));
    assert_eq!(list("seed=9").await, (vec![], 0));
    for wrong in [
        "page=0",
        "page_size=201",
        "state=resting",
        "experiment=one",
        "alpha=NaN",
        "seed=-1",
    ] {
        lab.refused(
            Method::GET,
            &format!("/runs?{wrong}"),
            StatusCode::BAD_REQUEST,
        )
        .await;
    }
    curves_are_those_of_the_epochs(&lab).await;
    assert!(lab.state.directory.run(1).is_dir());
    let deleted = lab.ask(Method::DELETE, "/runs/1").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert!(!lab.state.directory.run(1).exists());
    assert_eq!(list("").await, (vec![3, 2], 2));
    lab.refused(Method::DELETE, "/runs/1", StatusCode::NOT_FOUND)
        .await;
    let error = lab
        .refused(Method::DELETE, "/runs/3", StatusCode::CONFLICT)
        .await;
    assert_eq!(error.code, protocol::problem::ErrorCode::RunsActive);
    assert!(lab.state.directory.run(3).is_dir());
}

/// Breaks when a curve is of another run, epoch or quantity than it says.
async fn curves_are_those_of_the_epochs(lab: &Lab) {
    let metrics: Vec<RunMetrics> = lab.get("/experiments/1/metrics").await;
    for quantity in CurveQuantity::ALL {
        let path = format!("/experiments/1/training-curves?quantity={}", quantity.id());
        let curves: TrainingCurves = lab.get(&path).await;
        assert_eq!((curves.run_count, curves.every), (2, 1));
        for (curve, run) in curves.runs.iter().zip(&metrics) {
            assert_eq!(
                (curve.run_id, curve.alpha, curve.seed),
                (run.run_id, run.alpha, run.seed)
            );
            let values: Vec<f64> = run.epochs.iter().map(|epoch| quantity.of(epoch)).collect();
            assert_eq!(curve.values, values);
            assert_eq!(curve.epochs, [1]);
        }
        let means = curves.alphas.iter().map(|alpha| alpha.means[0].mean);
        assert!(means.eq(curves.runs.iter().map(|run| run.values[0])));
    }
    lab.refused(
        Method::GET,
        "/experiments/1/training-curves?quantity=loss",
        StatusCode::BAD_REQUEST,
    )
    .await;
}

/// Breaks when a launch that is sent again because its answer was lost trains everything twice, or a key that was given with
/// another launch gives that one's experiment.
#[tokio::test]
async fn a_launch_that_is_sent_again_is_the_same_experiment() {
    let lab = Lab::with_slots(1).await;
    let spec = endless(&[0.0]);
    let send = async |spec: &ExperimentSpec, key: &str| {
        let request = Request::post("/api/v1/experiments")
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        let body = serde_json::to_vec(spec).unwrap();
        lab.send(request.body(body.into()).unwrap()).await
    };
    let first: Experiment = send(&spec, "one").await.json();
    let again = send(&spec, "one").await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.json::<Experiment>().id, first.id);
    let other: Experiment = send(&spec, "two").await.json();
    assert_ne!(other.id, first.id);
    let another = endless(&[1.0]);
    let refusal = send(&another, "one")
        .await
        .refusal(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refusal.code, ErrorCode::KeyReused);
    for wrong in ["", "ü", &"k".repeat(256)] {
        send(&spec, wrong).await.refusal(StatusCode::BAD_REQUEST);
    }
    let all: ExperimentPage = lab.get("/experiments").await;
    assert_eq!(all.total, 2);
    for id in [first.id, other.id] {
        let _: Experiment = lab.post(&format!("/experiments/{id}/cancel")).await;
    }
}
