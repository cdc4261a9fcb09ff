//! Tiny ImageNet from made-up folders, each spoilt in one way.

use image::RgbImage;
use tempfile::TempDir;

use super::*;

/// Two classes with two training images and one validation image each.
fn made_up() -> (TempDir, TinyImagenet) {
    let directory = tempfile::tempdir().unwrap();
    let set = TinyImagenet::new(directory.path());
    // Not in order, as in the official file.
    write(&set, "wnids.txt", "n02\nn01\n");
    write(
        &set,
        "words.txt",
        "n01\tcrane, bird\nn02\tcrane\nn03\tcat\n",
    );
    for (wnid, grey) in [("n01", 10), ("n02", 20)] {
        for number in 0..2 {
            let name = format!("train/{wnid}/images/{wnid}_{number}.JPEG");
            save(&set, &name, grey + number);
        }
    }
    save(&set, "val/images/val_0.JPEG", 120);
    save(&set, "val/images/val_1.JPEG", 110);
    write(
        &set,
        ANNOTATIONS,
        "val_0.JPEG\tn02\t0\t0\t1\t1\nval_1.JPEG\tn01\t0\t0\t1\t1\n",
    );
    (directory, set)
}

const ANNOTATIONS: &str = "val/val_annotations.txt";

fn write(set: &TinyImagenet, name: &str, text: &str) {
    let path = set.folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn save(set: &TinyImagenet, name: &str, grey: u8) {
    let path = set.folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::from_pixel(8, 8, image::Rgb([grey; 3]));
    image
        .save_with_format(path, image::ImageFormat::Jpeg)
        .unwrap();
}

/// Fails when labels do not follow the sorted identifiers, or test images the annotations.
#[test]
fn labels_follow_identifiers_and_annotations() {
    let (_directory, set) = made_up();
    assert_eq!(set.wnids().unwrap(), ["n01", "n02"]);
    let train = set.load(SplitName::Train).unwrap();
    assert_eq!(train.labels(), [0, 0, 1, 1]);
    assert!(train.image(3)[0].abs_diff(21) <= 2);
    let test = set.load(SplitName::Test).unwrap();
    assert_eq!(test.labels(), [1, 0]);
    assert!(test.image(0)[0].abs_diff(120) <= 2);
    assert_eq!(
        set.picture(SplitName::Test, 1).unwrap().pixels,
        test.image(1)
    );
    let facts = set.facts().unwrap();
    assert_eq!(
        (facts.train_images, facts.test_images, facts.height),
        (4, 2, 8)
    );
    assert_eq!(facts.classes, ["crane (n01)", "crane (n02)"]);
}

/// Fails when a class loses its name although words.txt has it, or needs words.txt to exist.
#[test]
fn class_names_are_the_first_words() {
    let (_directory, set) = made_up();
    write(
        &set,
        "words.txt",
        "n01\tEuropean fire salamander, Salamandra salamandra\n",
    );
    assert_eq!(set.classes().unwrap(), ["European fire salamander", "n02"]);
    fs::remove_file(set.folder.join("words.txt")).unwrap();
    assert_eq!(set.classes().unwrap(), ["n01", "n02"]);
}

/// Fails when a wrong annotation is passed over, or the line and offset are not its own.
#[test]
fn wrong_annotations_are_refused_with_their_line() {
    let good = "val_0.JPEG\tn02\t0\t0\t1\t1\n";
    for (wrong, word) in [
        ("val_1.JPEG\tn09\t0\t0\t1\t1", "`n09`"),
        ("val_7.JPEG\tn01\t0\t0\t1\t1", "`val_7.JPEG`"),
        ("val_0.JPEG\tn01\t0\t0\t1\t1", "named twice"),
        ("../images/val_1.JPEG\tn01", "`../images/val_1.JPEG`"),
        ("val_1.JPEG", "a tab"),
    ] {
        let (_directory, set) = made_up();
        write(&set, ANNOTATIONS, &format!("{good}{wrong}\n"));
        assert!(set.facts().is_err());
        let error = set.load(SplitName::Test).unwrap_err();
        assert!(
            matches!(
                error,
                DataError::WrongLine {
                    line: 2,
                    offset: 23,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// Fails when images without a label or classes without images go unnoticed.
#[test]
fn gaps_in_the_test_images_are_refused() {
    let (_directory, set) = made_up();
    write(&set, ANNOTATIONS, "val_0.JPEG\tn02\n");
    assert!(matches!(
        set.load(SplitName::Test),
        Err(DataError::UnexpectedClass { .. })
    ));
    fs::remove_file(set.folder.join("val/images/val_1.JPEG")).unwrap();
    assert!(
        matches!(set.load(SplitName::Test), Err(DataError::EmptyClass { class, .. }) if class == "n01")
    );
    fs::remove_file(set.folder.join(ANNOTATIONS)).unwrap();
    assert!(matches!(
        set.load(SplitName::Test),
        Err(DataError::Unreadable { .. })
    ));
}

/// Fails when the classes of wnids.txt and of the training folders may differ.
#[test]
fn training_folders_must_match_the_class_list() {
    let (_directory, set) = made_up();
    write(&set, "wnids.txt", "n01\nn02\nn03\n");
    assert!(
        matches!(set.load(SplitName::Train), Err(DataError::MissingClass { class, .. }) if class == "n03")
    );
    fs::create_dir_all(set.folder.join("train/n03/images")).unwrap();
    assert!(
        matches!(set.load(SplitName::Train), Err(DataError::EmptyClass { class, .. }) if class == "n03")
    );
    write(&set, "wnids.txt", "n01\nn02\n");
    assert!(matches!(
        set.load(SplitName::Train),
        Err(DataError::UnexpectedClass { .. })
    ));
    for (text, line) in [("n01\nn02\nn01\n", 3), ("n01\n../n02\n", 2)] {
        write(&set, "wnids.txt", text);
        let error = set.load(SplitName::Train).unwrap_err();
        assert!(
            matches!(error, DataError::WrongLine { line: found, .. } if found == line),
            "{error}"
        );
    }
    write(&set, "wnids.txt", "n01\n");
    assert!(matches!(
        set.load(SplitName::Train),
        Err(DataError::TooFewClasses { found: 1, .. })
    ));
}
