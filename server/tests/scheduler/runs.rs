//! One run's life under the scheduler.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use protocol::api::{DeviceInfo, Experiment, LogLine};
use protocol::{EpochMetrics, Event, ExperimentSpec, Run, RunState};

use crate::common::{Lab, endless, small};
use crate::processes;

/// Broken by: runs that are not taken from the queue, epochs or results that are not stored, a slot
/// that takes two, or a worker that stays.
#[tokio::test]
async fn an_experiment_runs_to_its_end() {
    let lab = Lab::open().await;
    let (experiment, ids) = lab.launch(&small(&[-1.0, 1.0], 2)).await;
    assert_eq!(ids.len(), 2);
    lab.wait(ids[0], |run| run.state == RunState::Running).await;
    assert_eq!(lab.run(ids[1]).await.state, RunState::Queued);
    let devices: Vec<DeviceInfo> = lab.get("/devices").await;
    let cpu = devices.iter().find(|device| device.id == "cpu").unwrap();
    assert_eq!((cpu.running, cpu.queued), (1, 1));
    for &id in &ids {
        let run = lab.finished(id).await;
        assert_eq!((run.epochs_done, run.progress), (2, None));
        let epochs: Vec<EpochMetrics> = lab.get(&format!("/runs/{id}/metrics")).await;
        assert_eq!(
            epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(run.latest_epoch.as_ref(), epochs.last());
        let result = run.result.unwrap();
        let started = run.started.unwrap();
        assert_eq!((started.train_images, started.validation_images), (100, 20));
        assert_eq!(result.validation_images, 20);
        assert_eq!(result.layers.len(), started.layers.len());
        let best = epochs
            .iter()
            .map(|epoch| epoch.validation_accuracy)
            .fold(0.0, f64::max);
        assert_eq!(result.validation_accuracy, Some(best));
        assert!(
            run.started_at.unwrap() >= run.queued_at
                && run.ended_at.unwrap() >= run.started_at.unwrap()
        );
    }
    let experiment: Experiment = lab.get(&format!("/experiments/{}", experiment.id)).await;
    assert_eq!(
        (experiment.state(), experiment.progress),
        (RunState::Finished, 1.0)
    );
    assert_eq!(experiment.remaining_seconds, None);
    assert_eq!(processes::workers(lab.folder.path()), Vec::<u32>::new());
}

/// Broken by: more than 2 s from the click to the end, an end that is not `cancelled`, epochs that are
/// lost, a worker that lives on, or a resumed run that begins anew.
#[tokio::test]
async fn a_cancelled_run_ends_soon_keeps_its_epochs_and_can_be_resumed() {
    let lab = Lab::open().await;
    let (_, ids) = lab.launch(&small(&[0.0], 15)).await;
    let path = format!("/runs/{}", ids[0]);
    lab.wait_for_epoch(ids[0]).await;
    let clock = Instant::now();
    lab.post::<Run>(&format!("{path}/cancel")).await;
    let cancelled = lab.wait_for_end(ids[0]).await;
    assert!(
        clock.elapsed() < Duration::from_secs(2),
        "took {:?}",
        clock.elapsed()
    );
    assert_eq!(
        cancelled.state,
        RunState::Cancelled,
        "{:?}",
        cancelled.reason
    );
    assert_eq!(processes::workers(lab.folder.path()), Vec::<u32>::new());
    let kept: Vec<EpochMetrics> = lab.get(&format!("{path}/metrics")).await;
    assert_eq!(kept.len() as u32, cancelled.epochs_done);
    assert!((1..15).contains(&kept.len()), "{} epochs", kept.len());

    lab.post::<Run>(&format!("{path}/resume")).await;
    let again = lab.ask(Method::POST, &format!("{path}/resume")).await;
    assert!(
        again
            .refusal(StatusCode::CONFLICT)
            .detail
            .contains("cannot be resumed")
    );
    let finished = lab.finished(ids[0]).await;
    assert!(
        finished
            .started
            .unwrap()
            .resumed_from_epoch
            .is_some_and(|epoch| epoch >= 1)
    );
    let all: Vec<EpochMetrics> = lab.get(&format!("{path}/metrics")).await;
    assert_eq!(all.len(), 15);
    assert_eq!(all[..kept.len()], kept);
}

/// Broken by: a cancel that falls between queue and worker and is lost. A run is cancelled at every
/// moment of its start, and never lives on.
#[tokio::test]
async fn a_cancel_at_any_moment_counts() {
    let lab = Lab::open().await;
    for delay in [0, 0, 1, 2, 4, 8, 16, 32, 64] {
        let (_, ids) = lab.launch(&endless(&[0.0])).await;
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let clock = Instant::now();
        lab.cancel(ids[0]).await;
        let run = lab.wait_for_end(ids[0]).await;
        assert_eq!(
            run.state,
            RunState::Cancelled,
            "after {delay} ms: {:?}",
            run.reason
        );
        assert!(
            clock.elapsed() < Duration::from_secs(2),
            "took {:?}",
            clock.elapsed()
        );
    }
}

/// Broken by: a run that waits for its turn only to be cancelled then, or one that starts all the same.
#[tokio::test]
async fn a_queued_run_is_cancelled_at_once() {
    let lab = Lab::open().await;
    let (experiment, ids) = lab.launch(&endless(&[0.0, 1.0])).await;
    lab.wait(ids[0], |run| run.state == RunState::Running).await;
    let run = lab.cancel(ids[1]).await;
    assert_eq!((run.state, run.started_at), (RunState::Cancelled, None));
    lab.post::<Experiment>(&format!("/experiments/{}/cancel", experiment.id))
        .await;
    assert_eq!(lab.wait_for_end(ids[0]).await.state, RunState::Cancelled);
    assert_eq!(lab.run(ids[1]).await.started_at, None);
}

/// Two workers on one run would write one checkpoint. Broken by: a run that counts as ended while its
/// worker still lives, so that resuming starts a second one; or a cancel that then reaches the wrong one.
#[tokio::test]
async fn a_run_never_has_two_workers() {
    let lab = Lab::open().await;
    let (_, ids) = lab.launch(&endless(&[0.0])).await;
    let path = format!("/runs/{}", ids[0]);
    for _ in 0..3 {
        lab.wait(ids[0], |run| run.progress.is_some()).await;
        lab.post::<Run>(&format!("{path}/cancel")).await;
        lab.wait_for_end(ids[0]).await;
        assert_eq!(processes::workers(lab.folder.path()).len(), 0);
        lab.post::<Run>(&format!("{path}/resume")).await;
    }
    lab.post::<Run>(&format!("{path}/cancel")).await;
    assert_eq!(lab.wait_for_end(ids[0]).await.state, RunState::Cancelled);
}

/// Broken by: a killed worker that counts as anything but interrupted ("Resume all" then passes its run over), a reason
/// that does not say what killed it, or a next run that never starts.
#[tokio::test]
async fn a_killed_worker_interrupts_its_run_and_no_other() {
    let lab = Lab::open().await;
    let (_, endless_ids) = lab.launch(&endless(&[0.0])).await;
    let (_, next) = lab.launch(&small(&[1.0], 1)).await;
    lab.wait_for_epoch(endless_ids[0]).await;
    let workers = processes::workers(lab.folder.path());
    assert_eq!(workers.len(), 1);
    processes::send("KILL", workers[0]);
    let killed = lab.wait_for_end(endless_ids[0]).await;
    assert_eq!(killed.state, RunState::Interrupted);
    let reason = killed.reason.unwrap();
    assert!(reason.contains("SIGKILL"), "{reason}");
    assert!(killed.epochs_done >= 1 && killed.result.is_none());
    lab.finished(next[0]).await;
    let resumed: serde_json::Value = lab.post("/resume").await;
    assert_eq!(resumed["resumed"], 1);
    lab.wait(endless_ids[0], |run| run.state == RunState::Running)
        .await;
    lab.cancel(endless_ids[0]).await;
    lab.wait_for_end(endless_ids[0]).await;
}

/// Breaks when a run whose worker was killed is not tried again, begins anew then, is tried again without end, or says nothing
/// of it.
#[tokio::test]
async fn a_run_whose_worker_was_killed_is_tried_again() {
    let lab = Lab::open().await;
    let spec = ExperimentSpec {
        retries: 1,
        ..endless(&[0.0])
    };
    let (_, ids) = lab.launch(&spec).await;
    for retried in [1, 2, 1] {
        let done = lab.wait_for_epoch(ids[0]).await.epochs_done;
        processes::send("KILL", processes::workers(lab.folder.path())[0]);
        if retried == 1 {
            let resumed = lab
                .wait(ids[0], |run| {
                    run.epochs_done > done && run.state == RunState::Running
                })
                .await;
            assert!(resumed.started.unwrap().resumed_from_epoch >= Some(1));
            let log: Vec<LogLine> = lab.get(&format!("/runs/{}/log", ids[0])).await;
            let retried = |line: &LogLine| {
                line.message.contains("SIGKILL") && line.message.contains("tried again (1 of 1)")
            };
            assert!(log.iter().any(retried), "{log:?}");
        } else {
            assert_eq!(lab.wait_for_end(ids[0]).await.state, RunState::Interrupted);
            // Whoever resumes it asks for its retries anew.
            lab.resume(ids[0]).await;
            lab.wait(ids[0], |run| run.epochs_done > done + 1).await;
        }
    }
    lab.cancel(ids[0]).await;
    lab.wait_for_end(ids[0]).await;
}

/// Broken by: a diverged run that has a result, gives no reason, or can be resumed only to diverge again.
#[tokio::test]
async fn a_diverged_run_says_where_and_stays_ended() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 3);
    spec.training.learning_rate = 1e30;
    let (experiment, ids) = lab.launch(&spec).await;
    let run = lab.wait_for_end(ids[0]).await;
    assert_eq!(run.state, RunState::Diverged, "{:?}", run.reason);
    assert_eq!(run.result, None);
    let reason = run.reason.unwrap();
    assert!(reason.contains("epoch 1, step "), "{reason}");
    lab.refused(
        Method::POST,
        &format!("/runs/{}/resume", ids[0]),
        StatusCode::CONFLICT,
    )
    .await;
    lab.post::<Experiment>(&format!("/experiments/{}/resume", experiment.id))
        .await;
    assert_eq!(lab.run(ids[0]).await.state, RunState::Diverged);
}

/// Broken by: an event that is published although the store refused it, or that changes a run which has ended.
#[tokio::test]
async fn what_comes_too_late_changes_nothing() {
    let lab = Lab::open().await;
    let (_, ids) = lab.launch(&small(&[0.0], 1)).await;
    let finished = lab.wait_for_end(ids[0]).await;
    for late in [
        Event::Cancelled,
        Event::Failed {
            message: "late".into(),
        },
        Event::Finished(finished.result.clone().unwrap()),
    ] {
        assert_eq!(lab.state.store.record(ids[0], &late).await.unwrap(), None);
    }
    assert_eq!(lab.run(ids[0]).await, finished);
    let log: Vec<LogLine> = lab.get(&format!("/runs/{}/log", ids[0])).await;
    assert!(log.iter().all(|line| !line.message.contains("late")));
}
