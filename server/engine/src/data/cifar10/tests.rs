//! CIFAR-10 from made-up files of 20 records, each spoilt in one way.

use std::fs;

use tempfile::TempDir;

use super::*;

const RECORDS: usize = 20;

/// Files in which record i of file f has label i % 10 and pixels that tell file and record.
fn made_up() -> (TempDir, Cifar10) {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join(FOLDER);
    fs::create_dir(&folder).unwrap();
    for (file, name) in TRAIN_FILES.iter().chain(&TEST_FILES).enumerate() {
        let records = (0..RECORDS).flat_map(|record| {
            let mut bytes = vec![(file * RECORDS + record) as u8; RECORD];
            bytes[0] = (record % 10) as u8;
            bytes[RECORD - 1] = 255;
            bytes
        });
        fs::write(folder.join(name), records.collect::<Vec<u8>>()).unwrap();
    }
    let set = Cifar10 {
        folder,
        records_per_file: RECORDS,
    };
    (directory, set)
}

fn change(set: &Cifar10, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = set.folder.join(name);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// The error of every way to use a split; they must agree that it is broken.
fn error(set: &Cifar10, split: SplitName) -> DataError {
    assert!(set.labels(split).is_err() && set.facts().is_err());
    set.load(split).unwrap_err()
}

/// Fails when records are read from the wrong place or in another order than their files'.
#[test]
fn records_are_read_in_order() {
    let (_directory, set) = made_up();
    let train = set.load(SplitName::Train).unwrap();
    assert_eq!((train.len(), train.height(), train.width()), (100, 32, 32));
    for index in 0..100 {
        let image = train.image(index);
        assert_eq!((image[0], image[PIXELS - 1]), (index as u8, 255));
        assert_eq!(train.labels()[index], (index % 10) as u32);
        assert_eq!(set.picture(SplitName::Train, index).unwrap().pixels, image);
    }
    assert_eq!(set.labels(SplitName::Train).unwrap(), train.labels());
    assert_eq!(set.load(SplitName::Test).unwrap().image(3)[0], 103);
    let facts = set.facts().unwrap();
    assert_eq!(
        (facts.train_images, facts.test_images, facts.smallest_class),
        (100, 20, 10)
    );
    assert!(matches!(
        set.picture(SplitName::Test, 20),
        Err(DataError::NoSuchImage {
            index: 20,
            images: 20,
            ..
        })
    ));
}

/// Fails when a file of the wrong length is used, or the offset is not where it goes wrong.
#[test]
fn wrong_lengths_are_refused() {
    let (_directory, set) = made_up();
    change(&set, "data_batch_3.bin", |bytes| {
        bytes.truncate(2 * RECORD + 5)
    });
    let error = error(&set, SplitName::Train);
    assert!(
        matches!(
            &error,
            DataError::WrongLength {
                offset: 6146,
                expected: 61460,
                found: 6151,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("data_batch_3.bin") && error.to_string().contains("6146"));

    let (_directory, set) = made_up();
    change(&set, "test_batch.bin", |bytes| bytes.push(0));
    assert!(matches!(
        super::tests::error(&set, SplitName::Test),
        DataError::WrongLength {
            offset: 61460,
            found: 61461,
            ..
        }
    ));
}

/// Fails when a label that names no class is taken, or the offset is not its own.
#[test]
fn wrong_label_is_refused() {
    let (_directory, set) = made_up();
    change(&set, "data_batch_2.bin", |bytes| bytes[7 * RECORD] = 10);
    let error = error(&set, SplitName::Train);
    assert!(
        matches!(
            &error,
            DataError::WrongLabel {
                offset: 21511,
                maximum: 9,
                found: 10,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("data_batch_2.bin"));
}

/// Fails when a class that no test image shows goes unnoticed.
#[test]
fn missing_class_is_named() {
    let (_directory, set) = made_up();
    change(&set, "test_batch.bin", |bytes| {
        bytes[4 * RECORD] = 5;
        bytes[14 * RECORD] = 5;
    });
    let error = error(&set, SplitName::Test);
    assert!(
        matches!(&error, DataError::MissingClass { class, .. } if class == "deer"),
        "{error}"
    );
}

/// Fails when a file that is not there is not named.
#[test]
fn missing_file_is_named() {
    let (_directory, set) = made_up();
    fs::remove_file(set.folder.join("data_batch_5.bin")).unwrap();
    let error = error(&set, SplitName::Train);
    assert!(
        matches!(error, DataError::Unreadable { .. })
            && error.to_string().contains("data_batch_5.bin")
    );
}
