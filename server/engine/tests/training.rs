//! Whole runs on the built-in data, small enough to take seconds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::training::run_folder::{RESULT_FILE, WEIGHTS_FILE};
use engine::training::unit_selectivity::UnitSelectivity;
use engine::training::{RunContext, run};
use protocol::event::LogLevel;
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
        origin: None,
    }
}

fn context(folder: &Path) -> RunContext {
    RunContext {
        data_directory: folder.join("datasets"),
        run_directory: folder.join("run"),
        key: "00".into(),
        known_result: None,
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
    cancelled_after(1, spec, context)
}

/// What happens when a person ends the run after epoch `last`.
fn cancelled_after(last: u32, spec: &RunSpec, context: &RunContext) -> Vec<Event> {
    let mut seen = Vec::new();
    run(spec, &[], context, &mut |event| {
        if matches!(&event, Event::Epoch(metrics) if metrics.epoch == last) {
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
    let (cut_weights, whole_weights) = (read(cut, WEIGHTS_FILE), read(whole, WEIGHTS_FILE));
    let (cut_weights, whole_weights) = (
        SafeTensors::deserialize(&cut_weights).unwrap(),
        SafeTensors::deserialize(&whole_weights).unwrap(),
    );
    assert_eq!(cut_weights.len(), whole_weights.len());
    for (name, tensor) in cut_weights.iter() {
        assert!(
            tensor.data() == whole_weights.tensor(name).unwrap().data(),
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

/// Warnings in a run's log.
fn warnings(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Log {
                level: LogLevel::Warning,
                message,
            } => Some(message.clone()),
            _ => None,
        })
        .collect()
}

/// Flips a bit in the middle of a file; a second call restores it.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Breaks when a run takes what another run left, of another spec (4 epochs for 1 among them) or only of another key,
/// loses it, or does not say so.
#[test]
fn what_another_run_left_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let before = finished(&events(&spec(0.0, 2), &context));
    assert_eq!(warnings(&events(&spec(0.0, 2), &context)), [""; 0]);
    let other_key = RunContext {
        key: "11".into(),
        ..context.clone()
    };
    for (number, (spec, context)) in [
        (spec(0.0, 1), &context),
        (spec(0.0, 2), &other_key),
        (spec(1.0, 2), &other_key),
    ]
    .iter()
    .enumerate()
    {
        let again = events(spec, context);
        let result = finished(&again);
        assert_eq!(
            epochs(&again).len(),
            spec.training.epochs as usize,
            "it was trained"
        );
        match number {
            1 => assert_eq!(result, before, "the same spec, the same result"),
            2 => assert_ne!(result, before, "another alpha, another result"),
            // One epoch gives the same weights as two where the first is the better one: that it was trained is what counts.
            _ => {}
        }
        let warned = warnings(&again);
        assert!(
            warned.len() == 1 && warned[0].contains("begins afresh"),
            "{warned:?}"
        );
    }
    // Nothing was lost.
    let aside = folder.path().join("run.earlier");
    assert!(names(&aside).contains(&WEIGHTS_FILE.to_owned()));
    assert_eq!(names(folder.path()).len(), 4, "run and three of earlier");
    // A checkpoint of another run is not taken either.
    let fresh = self::context(&folder.path().join("fresh"));
    cancelled_after_an_epoch(&spec(0.0, 2), &fresh);
    let again = events(&spec(1.0, 2), &fresh);
    assert_eq!(epochs(&again).len(), 2);
    assert!(warnings(&again)[0].contains("begins afresh"));
}

/// Turns a run's folder into one of an earlier version: without a run file, and without checksums.
fn of_an_earlier_version(folder: &Path) {
    std::fs::remove_file(folder.join("run.json")).unwrap();
    let weights = folder.join(WEIGHTS_FILE);
    let bytes = std::fs::read(&weights).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    assert!(metadata.remove("checksum").is_some());
    metadata.remove("run");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let plain = safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap();
    std::fs::write(weights, plain).unwrap();
    let result = folder.join(RESULT_FILE);
    let mut value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&result).unwrap()).unwrap();
    assert!(value.as_object_mut().unwrap().remove("checksum").is_some());
    std::fs::write(result, value.to_string()).unwrap();
}

/// Breaks when a finished run of an earlier version is lost though the store knows its result, or is taken though
/// nothing says whose it is.
#[test]
fn a_folder_of_an_earlier_version_is_taken_where_it_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let result = finished(&events(&spec(0.0, 1), &context));
    of_an_earlier_version(&context.run_directory);
    let knows = RunContext {
        known_result: Some(result.clone()),
        ..context.clone()
    };
    let again = events(&spec(0.0, 1), &knows);
    assert_eq!(finished(&again), result);
    assert_eq!(epochs(&again), [], "it was trained again");
    let warned = warnings(&again).join("\n");
    assert!(warned.contains("the result that the store has"), "{warned}");
    assert_eq!(warned.matches("no checksum").count(), 2, "{warned}");
    assert_eq!(
        warnings(&events(&spec(0.0, 1), &context)),
        [""; 0],
        "said once"
    );

    of_an_earlier_version(&context.run_directory);
    let again = events(&spec(0.0, 1), &context);
    assert_eq!(
        epochs(&again).len(),
        1,
        "nothing says that it is this run's"
    );
    assert!(warnings(&again)[0].contains("begins afresh"));
}

/// Breaks when one flipped bit in what a run reads back changes its result, is not reported, or ends a run that could go on.
#[test]
fn damage_is_seen_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let whole = finished(&events(
        &spec(0.0, 3),
        &context(&folder.path().join("whole")),
    ));
    let cut = context(&folder.path().join("cut"));
    let [newest, previous, units] = [
        "checkpoint.safetensors",
        "checkpoint.previous.safetensors",
        "unit_selectivity.safetensors",
    ]
    .map(|name| cut.run_directory.join(name));
    // Two epochs, then the newest checkpoint is damaged: the run goes on from the first epoch's.
    cancelled_after(2, &spec(0.0, 3), &cut);
    flip(&newest);
    flip(&units);
    let resumed = events(&spec(0.0, 3), &cut);
    assert_eq!(finished(&resumed), whole);
    assert_eq!(epochs(&resumed).len(), 3);
    let warned = warnings(&resumed);
    assert!(warned[0].contains("after epoch 1"), "{warned:?}");
    assert!(warned[1].contains("is in the checkpoint"), "{warned:?}");
    let kept = names(&cut.run_directory);
    assert!(
        kept.contains(&"checkpoint.safetensors.damaged".to_owned()),
        "{kept:?}"
    );
    assert!(
        !newest.exists() && !previous.exists(),
        "checkpoints of a finished run stay"
    );
    let first = UnitSelectivity::load(&folder.path().join("whole/run")).unwrap();
    assert_eq!(UnitSelectivity::load(&cut.run_directory).unwrap(), first);

    // Both are damaged: refused, and nothing is lost.
    let both = context(&folder.path().join("both"));
    cancelled_after(2, &spec(0.0, 3), &both);
    for name in ["checkpoint.safetensors", "checkpoint.previous.safetensors"] {
        flip(&both.run_directory.join(name));
    }
    let refused = |context: &RunContext| match events(&spec(0.0, 3), context).last() {
        Some(Event::Failed { message }) => message.clone(),
        other => panic!("ended with {other:?}"),
    };
    assert!(refused(&both).contains("checkpoint.safetensors"));
    flip(&both.run_directory.join("checkpoint.previous.safetensors"));
    assert_eq!(finished(&events(&spec(0.0, 3), &both)), whole);

    // A finished run's weights or result: refused by name, and taken again when they are whole.
    for name in [WEIGHTS_FILE, RESULT_FILE] {
        flip(&cut.run_directory.join(name));
        let message = refused(&cut);
        assert!(
            message.contains(name) && message.contains("damaged"),
            "{message}"
        );
        flip(&cut.run_directory.join(name));
        assert_eq!(finished(&events(&spec(0.0, 3), &cut)), whole);
    }
}
