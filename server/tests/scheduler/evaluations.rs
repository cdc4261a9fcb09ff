//! Evaluations that are cut off, or fail: nothing measured is lost.

use protocol::gradient::InputUnitGradientSpec;
use protocol::{Event, Measurement, Run, RunState};

use crate::common::{Lab, corruptions, small};

/// Breaks when a cancelled evaluation loses its result or what it measured, or when going on trains again or
/// measures other numbers than an evaluation in one go.
#[tokio::test]
async fn an_evaluation_that_is_cut_off_goes_on_where_it_was() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 1);
    spec.evaluation = corruptions(300);
    let (_, runs) = lab.launch(&spec).await;
    let id = runs[0];
    let measurements =
        async || -> Vec<Measurement> { lab.get(&format!("/runs/{id}/measurements")).await };
    let start = std::time::Instant::now();
    while measurements().await.len() < 3 {
        assert!(start.elapsed() < crate::common::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let _: Run = lab.post(&format!("/runs/{id}/cancel")).await;
    let run = lab.wait_for_end(id).await;
    assert_eq!(run.state, RunState::Cancelled, "{:?}", run.reason);
    assert!(run.result.is_some(), "the result went with the evaluation");
    let before = measurements().await;
    assert!((3..95).contains(&before.len()), "{} measured", before.len());

    let sequence = lab.state.store.last_sequence().await.unwrap();
    let _: Run = lab.post(&format!("/runs/{id}/resume")).await;
    let resumed = lab.wait_for_end(id).await;
    assert_eq!(resumed.state, RunState::Finished, "{:?}", resumed.reason);
    assert_eq!(resumed.result, run.result);
    let events = lab
        .state
        .store
        .events_after(sequence, None, Some(id), 1000)
        .await
        .unwrap();
    assert!(
        !events
            .iter()
            .any(|live| matches!(live.event, Event::Epoch(_))),
        "it trained again"
    );
    let after = measurements().await;
    assert_eq!(after.len(), 95);
    assert!(before.iter().all(|one| after.contains(one)));

    let (_, runs) = lab.launch(&spec).await;
    assert_eq!(lab.wait_for_end(runs[0]).await.state, RunState::Finished);
    let in_one_go: Vec<Measurement> = lab.get(&format!("/runs/{}/measurements", runs[0])).await;
    assert_eq!(in_one_go, after);
}

/// Breaks when a failing corruption takes the finished ones, or the result, with it.
#[tokio::test]
async fn a_failing_corruption_takes_nothing_along() {
    let lab = Lab::open().await;
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    let id = runs[0];
    let trained = lab.wait_for_end(id).await;
    // A folder where the file of the predictions on fog, the tenth corruption, goes. (A damaged file is measured anew.)
    let folder = lab
        .state
        .directory
        .run(id)
        .join("corruptions/generated.0.20");
    std::fs::create_dir_all(folder.join("fog.safetensors")).unwrap();
    let spec = serde_json::to_vec(&corruptions(20)).unwrap();
    let answer = lab.post_json(&format!("/runs/{id}/evaluate"), spec).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    let run = lab.wait_for_end(id).await;
    assert_eq!(run.state, RunState::Failed);
    let reason = run.reason.unwrap_or_default();
    assert!(reason.contains("fog.safetensors"), "{reason}");
    assert_eq!(run.result, trained.result);
    let measured: Vec<Measurement> = lab.get(&format!("/runs/{id}/measurements")).await;
    assert_eq!(measured.len(), 9 * 5);

    std::fs::remove_dir(folder.join("fog.safetensors")).unwrap();
    let _: Run = lab.post(&format!("/runs/{id}/resume")).await;
    let run = lab.wait_for_end(id).await;
    assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
    let measured: Vec<Measurement> = lab.get(&format!("/runs/{id}/measurements")).await;
    assert_eq!(measured.len(), 95);
}

/// Breaks when an evaluation that cannot be made keeps those after it, or its own other kinds of tests, from being made, or when
/// its reason is lost.
#[tokio::test]
async fn an_impossible_evaluation_never_blocks_the_next() {
    let lab = Lab::open().await;
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    let id = runs[0];
    lab.wait_for_end(id).await;
    let blocked = lab
        .state
        .directory
        .run(id)
        .join("corruptions/generated.0.20/gaussian_noise.safetensors");
    std::fs::create_dir_all(&blocked).unwrap();
    let mut impossible = corruptions(20);
    impossible.input_unit_gradients = Some(InputUnitGradientSpec { images: 2 });
    for spec in [impossible, corruptions(30)] {
        let body = serde_json::to_vec(&spec).unwrap();
        let answer = lab.post_json(&format!("/runs/{id}/evaluate"), body).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        let run = lab.wait_for_end(id).await;
        assert_eq!(run.state, RunState::Failed);
        let reason = run.reason.unwrap_or_default();
        assert!(reason.contains("gaussian_noise.safetensors"), "{reason}");
    }
    let measured: Vec<Measurement> = lab.get(&format!("/runs/{id}/measurements")).await;
    let corrupted = measured.iter().filter_map(Measurement::corruption);
    let images: Vec<u32> = corrupted.map(|one| one.conditions.images).collect();
    assert_eq!(images, [30; 95]);
    let gradients = |one: &&Measurement| matches!(one, Measurement::InputUnitGradients(_));
    assert!(measured.iter().filter(gradients).count() > 0);

    std::fs::remove_dir(blocked).unwrap();
    let _: Run = lab.post(&format!("/runs/{id}/resume")).await;
    let run = lab.wait_for_end(id).await;
    assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
}
