//! Whole runs on the built-in data, small enough to take seconds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::train::{RESULT_FILE, RunContext, WEIGHTS_FILE, run};
use protocol::{
    Augmentation, Dataset, EpochMetrics, EvaluationSpec, Event, Network, RunResult, RunSpec,
    TrainingSpec,
};
use safetensors::SafeTensors;

fn spec(alpha: f64, epochs: u32) -> RunSpec {
    RunSpec {
        network: Network::ResNet8,
        dataset: Dataset::Builtin,
        alpha,
        seed: 7,
        device: "cpu".into(),
        training: TrainingSpec {
            epochs,
            batch_size: 32,
            learning_rate: 0.05,
            momentum: 0.9,
            weight_decay: 1e-4,
            learning_rate_milestones: vec![2],
            learning_rate_factor: 0.1,
            augmentation: Augmentation::CropFlip,
            validation_images_per_class: 5,
            train_images_per_class: Some(20),
        },
        evaluation: EvaluationSpec::default(),
    }
}

fn context(folder: &Path) -> RunContext {
    RunContext {
        data_directory: folder.join("datasets"),
        run_directory: folder.join("run"),
        checks_directory: folder.join("device-checks"),
        cancel: Arc::new(AtomicBool::new(false)),
    }
}

fn events(spec: &RunSpec, context: &RunContext) -> Vec<Event> {
    let mut events = Vec::new();
    run(spec, &[], context, &mut |event| events.push(event));
    events
}

/// What happens when a person ends the run in its second epoch; the checkpoint stays.
fn cancelled_after_an_epoch(spec: &RunSpec, context: &RunContext) -> Vec<Event> {
    let mut seen = Vec::new();
    run(spec, &[], context, &mut |event| {
        if matches!(&event, Event::Epoch(metrics) if metrics.epoch == 1) {
            context.cancel.store(true, Ordering::Relaxed);
        }
        seen.push(event);
    });
    context.cancel.store(false, Ordering::Relaxed);
    seen
}

/// Metrics without what a clock measured.
fn epochs(events: &[Event]) -> Vec<EpochMetrics> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Epoch(metrics) => Some(EpochMetrics {
                images_per_second: 0.0,
                seconds: 0.0,
                ..metrics.clone()
            }),
            _ => None,
        })
        .collect()
}

fn finished(events: &[Event]) -> RunResult {
    match events.last() {
        Some(Event::Finished(result)) => result.clone(),
        other => panic!("ended with {other:?}"),
    }
}

/// Breaks when anything but the seed decides a number: thread timing, resumption, or the clock.
#[test]
fn the_same_seed_gives_the_same_numbers_also_when_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, again, cut) = ("whole", "again", "cut");
    let in_folder = |name: &str| context(&folder.path().join(name));

    let first = events(&spec(0.5, 3), &in_folder(whole));
    let second = events(&spec(0.5, 3), &in_folder(again));
    assert_eq!(epochs(&first), epochs(&second));
    assert_eq!(finished(&first), finished(&second));

    // Ended by a person in the second epoch, then taken up again.
    let seen = cancelled_after_an_epoch(&spec(0.5, 3), &in_folder(cut));
    assert_eq!(seen.last(), Some(&Event::Cancelled));
    assert_eq!(epochs(&seen), epochs(&first)[..1]);
    let resumed = events(&spec(0.5, 3), &in_folder(cut));
    assert_eq!(
        epochs(&resumed),
        epochs(&first),
        "earlier epochs are said again, later ones agree"
    );
    assert_eq!(finished(&resumed), finished(&first));
    let read = |name: &str, file: &str| {
        std::fs::read(folder.path().join(name).join("run").join(file)).unwrap()
    };
    assert!(read(cut, RESULT_FILE) == read(whole, RESULT_FILE));
    // The header's entries have no order of their own, so tensors are compared, not bytes.
    let (ours, theirs) = (read(cut, WEIGHTS_FILE), read(whole, WEIGHTS_FILE));
    let (ours, theirs) = (
        SafeTensors::deserialize(&ours).unwrap(),
        SafeTensors::deserialize(&theirs).unwrap(),
    );
    assert_eq!(ours.len(), theirs.len());
    for (name, tensor) in ours.iter() {
        assert!(
            tensor.data() == theirs.tensor(name).unwrap().data(),
            "{name}"
        );
    }
}

/// Breaks when the regulariser's sign or weight is lost on its way from spec to loss.
#[test]
fn selectivity_orders_as_alpha_does() {
    let folder = tempfile::tempdir().unwrap();
    let selectivity = |alpha: f64| {
        let context = context(&folder.path().join(alpha.to_string()));
        finished(&events(&spec(alpha, 3), &context)).selectivity
    };
    let (low, control, high) = (selectivity(-2.0), selectivity(0.0), selectivity(2.0));
    assert!(low < control && control < high, "{low} {control} {high}");
}

/// Breaks when a run whose loss is not a number ends as anything but diverged, or without saying where.
#[test]
fn a_diverging_run_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let mut wild = spec(0.0, 2);
    wild.training.learning_rate = 1e30;
    let events = events(&wild, &context(folder.path()));
    match events.last() {
        Some(Event::Diverged { epoch, step, what }) => {
            assert_eq!(*epoch, 1);
            assert!(*step >= 1);
            assert!(what.contains("NaN") || what.contains("inf"), "{what}");
        }
        other => panic!("ended with {other:?}"),
    }
    let terminal = events.iter().filter(|event| {
        matches!(
            event,
            Event::Finished(_) | Event::Diverged { .. } | Event::Failed { .. } | Event::Cancelled
        )
    });
    assert_eq!(terminal.count(), 1);
}

/// Breaks when a damaged or foreign checkpoint or result is taken up, crashes the worker, or a checkpoint
/// outlives its use.
#[test]
fn what_another_run_left_or_is_damaged_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    cancelled_after_an_epoch(&spec(0.0, 2), &context);
    let refused = |spec: &RunSpec| match events(spec, &context).last() {
        Some(Event::Failed { message }) => message.clone(),
        other => panic!("ended with {other:?}"),
    };
    assert!(refused(&spec(1.0, 2)).contains("another run"));
    let path = context.run_directory.join("checkpoint.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(refused(&spec(0.0, 2)).contains("checkpoint"));
    std::fs::write(&path, &bytes).unwrap();

    let result = finished(&events(&spec(0.0, 2), &context));
    assert!(!path.exists(), "the checkpoint of a finished run stays");
    assert!(refused(&spec(1.0, 2)).contains("another run"));
    let again = events(&spec(0.0, 2), &context);
    assert_eq!(finished(&again), result);
    assert_eq!(epochs(&again), [], "a trained run trained again");
    std::fs::write(context.run_directory.join(RESULT_FILE), "{").unwrap();
    assert!(refused(&spec(0.0, 2)).contains(RESULT_FILE));
}
