//! Evaluations that are cut off, or fail: nothing measured is lost.

use protocol::gradient::InputUnitGradientSpec;
use protocol::{Event, Measurement, RunState};

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
    lab.cancel(id).await;
    let run = lab.wait_for_end(id).await;
    assert_eq!(run.state, RunState::Cancelled, "{:?}", run.reason);
    assert!(run.result.is_some(), "the result went with the evaluation");
    let before = measurements().await;
    assert!((3..95).contains(&before.len()), "{} measured", before.len());

    let sequence = lab.state.store.last_sequence().await.unwrap();
    lab.resume(id).await;
    let resumed = lab.finished(id).await;
    assert_eq!(resumed.result, run.result);
    let events = lab.events_after(sequence, id).await;
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
    lab.finished(runs[0]).await;
    let in_one_go = lab.measurements(runs[0]).await;
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
    lab.evaluate(id, &corruptions(20)).await;
    let run = lab.wait_for_end(id).await;
    assert_eq!(run.state, RunState::Failed);
    let reason = run.reason.unwrap_or_default();
    assert!(reason.contains("fog.safetensors"), "{reason}");
    assert_eq!(run.result, trained.result);
    let measured = lab.measurements(id).await;
    assert_eq!(measured.len(), 9 * 5);

    std::fs::remove_dir(folder.join("fog.safetensors")).unwrap();
    lab.resume(id).await;
    lab.finished(id).await;
    let measured = lab.measurements(id).await;
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
        lab.evaluate(id, &spec).await;
        let run = lab.wait_for_end(id).await;
        assert_eq!(run.state, RunState::Failed);
        let reason = run.reason.unwrap_or_default();
        assert!(reason.contains("gaussian_noise.safetensors"), "{reason}");
    }
    let measured = lab.measurements(id).await;
    let corrupted = measured.iter().filter_map(Measurement::corruption);
    let images: Vec<u32> = corrupted.map(|one| one.conditions.images).collect();
    assert_eq!(images, [30; 95]);
    let gradients = |one: &&Measurement| matches!(one, Measurement::InputUnitGradients(_));
    assert!(measured.iter().filter(gradients).count() > 0);

    std::fs::remove_dir(blocked).unwrap();
    lab.resume(id).await;
    lab.finished(id).await;
}
