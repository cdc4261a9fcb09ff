//! The public functions, on made-up folders, and on the real sets where they are.

use std::fs;
use std::path::PathBuf;

use super::*;

/// Fails when what is not installed is called broken, or the advice is missing.
#[test]
fn sets_that_are_not_there_are_missing() {
    let directory = tempfile::tempdir().unwrap();
    for dataset in [
        Dataset::Cifar10,
        Dataset::TinyImagenet,
        Dataset::Folder("mine".into()),
    ] {
        assert_eq!(
            describe(&dataset, directory.path()).status,
            DatasetStatus::Missing
        );
        let error = load(&dataset, directory.path()).unwrap_err();
        assert!(matches!(error, DataError::Missing { .. }));
    }
    let advice = load(&Dataset::Cifar10, directory.path())
        .unwrap_err()
        .to_string();
    assert!(
        advice.contains("selectivity-lab data fetch cifar10"),
        "{advice}"
    );
}

/// Fails when a broken set is called installed or hides why.
#[test]
fn broken_set_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("cifar-10-batches-bin")).unwrap();
    fs::write(
        directory
            .path()
            .join("cifar-10-batches-bin/data_batch_1.bin"),
        "short",
    )
    .unwrap();
    let DatasetStatus::Broken { message } = describe(&Dataset::Cifar10, directory.path()).status
    else {
        panic!("not broken")
    };
    assert!(
        message.contains("data_batch_1.bin") && message.contains("30730000"),
        "{message}"
    );
}

/// Fails when a person's folder is not offered, or one that is no data set or no valid name is.
#[test]
fn list_offers_the_known_sets_and_folders() {
    let directory = tempfile::tempdir().unwrap();
    for folder in [
        "mine/train",
        "a b/train",
        "plain",
        "tiny-imagenet-200/train",
        ".hidden/train",
    ] {
        fs::create_dir_all(directory.path().join(folder)).unwrap();
    }
    let names = |directory: &Path| -> Vec<String> {
        list(directory)
            .iter()
            .map(|info| info.id.to_string())
            .collect()
    };
    assert_eq!(
        names(directory.path()),
        ["builtin", "cifar10", "tiny-imagenet", "folder:mine"]
    );
    let nowhere = directory.path().join("nowhere");
    assert_eq!(names(&nowhere), ["builtin", "cifar10", "tiny-imagenet"]);
}

/// Fails when the built-in set needs files, its facts differ from what is loaded, or a sample is
/// not the image of that index.
#[test]
fn builtin_set_is_always_there() {
    let nowhere = Path::new("/nonexistent");
    let loaded = load(&Dataset::Builtin, nowhere).unwrap();
    let info = describe(&Dataset::Builtin, nowhere);
    let facts = info.facts.unwrap();
    assert_eq!(info.status, DatasetStatus::Installed);
    assert_eq!(facts.classes, loaded.classes);
    assert_eq!(facts.train_images as usize, loaded.train.len());
    assert_eq!(facts.test_images as usize, loaded.test.len());

    let samples = samples(&Dataset::Builtin, nowhere, SplitName::Test, 3).unwrap();
    let labels: Vec<_> = samples.iter().map(|sample| sample.label).collect();
    assert_eq!(
        labels,
        (0..10).flat_map(|label| [label; 3]).collect::<Vec<_>>()
    );
    for SampleRef { index, label } in samples {
        assert_eq!(loaded.test.labels()[index], label);
        let png = image_png(&Dataset::Builtin, nowhere, SplitName::Test, index).unwrap();
        let decoded = image::load_from_memory(&png).unwrap().into_rgb8();
        let expected = loaded.test.image(index);
        for (at, pixel) in decoded.pixels().enumerate() {
            assert_eq!(
                pixel.0,
                [expected[at], expected[1024 + at], expected[2048 + at]]
            );
        }
    }
}

/// The folder of the real sets, when a person names one.
fn real_sets() -> Option<PathBuf> {
    let directory = std::env::var_os("SELECTIVITY_LAB_REFERENCE_DATASETS").map(PathBuf::from);
    if directory.is_none() {
        println!("skipped: SELECTIVITY_LAB_REFERENCE_DATASETS names no folder with the real sets");
    }
    directory
}

/// Fails when the real CIFAR-10 does not load, is not balanced, or its channels are not those whose
/// customary mean and deviation we use.
#[test]
fn real_cifar10_loads() {
    let Some(directory) = real_sets() else { return };
    let loaded = load(&Dataset::Cifar10, &directory).unwrap();
    assert_eq!((loaded.train.len(), loaded.test.len()), (50_000, 10_000));
    assert_eq!(
        describe(&Dataset::Cifar10, &directory)
            .facts
            .unwrap()
            .smallest_class,
        5000
    );
    let (mean, std) = loaded.train.channel_statistics();
    for channel in 0..3 {
        assert!(
            (mean[channel] - loaded.mean[channel]).abs() < 0.005,
            "{mean:?}"
        );
        assert!(
            (std[channel] - loaded.std[channel]).abs() < 0.005,
            "{std:?}"
        );
    }
}

/// Fails when the real Tiny ImageNet, or a part of it, is refused.
#[test]
fn real_tiny_imagenet_loads() {
    let Some(directory) = real_sets() else { return };
    let loaded = load(&Dataset::TinyImagenet, &directory).unwrap();
    let classes = loaded.classes.len();
    assert_eq!((loaded.train.height(), loaded.train.width()), (64, 64));
    assert_eq!(
        (loaded.train.len(), loaded.test.len()),
        (500 * classes, 50 * classes)
    );
}
