//! Folders of made-up images, each spoilt in one way.

use std::fs;

use image::{DynamicImage, ImageFormat, RgbImage};
use tempfile::TempDir;

use super::*;

/// Two classes of two 4x3 images each in both splits; every image one grey value, as RGB.
fn made_up(test: &str) -> (TempDir, Folder) {
    let directory = tempfile::tempdir().unwrap();
    let set = Folder::new(directory.path(), "mine");
    for (split, base) in [("train", 0), (test, 100)] {
        for (label, class) in ["ant", "bee"].iter().enumerate() {
            for number in 0..2 {
                let grey = (base + label * 10 + number) as u8;
                let path = set
                    .folder
                    .join(split)
                    .join(class)
                    .join(format!("{number}.png"));
                save(&path, rgb(4, 3, grey), ImageFormat::Png);
            }
        }
    }
    (directory, set)
}

fn rgb(width: u32, height: u32, grey: u8) -> DynamicImage {
    RgbImage::from_pixel(width, height, image::Rgb([grey, grey, grey])).into()
}

fn save(path: &Path, image: DynamicImage, format: ImageFormat) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save_with_format(path, format).unwrap();
}

fn first_bytes(set: &ImageSet) -> Vec<u8> {
    (0..set.len()).map(|index| set.image(index)[0]).collect()
}

/// Fails when images are out of order, labels are mixed up, or single images differ from the set's.
#[test]
fn images_are_in_order_of_class_and_name() {
    for test in TEST {
        let (_directory, set) = made_up(test);
        let train = set.load(SplitName::Train).unwrap();
        assert_eq!((train.height(), train.width()), (3, 4));
        assert_eq!(train.labels(), [0, 0, 1, 1]);
        assert_eq!(first_bytes(&train), [0, 1, 10, 11]);
        assert_eq!(
            first_bytes(&set.load(SplitName::Test).unwrap()),
            [100, 101, 110, 111]
        );
        assert_eq!(set.picture(SplitName::Test, 2).unwrap().pixels[0], 110);
        let facts = set.facts().unwrap();
        assert_eq!(facts.classes, ["ant", "bee"]);
        assert_eq!((facts.smallest_class, facts.height, facts.width), (2, 3, 4));
        assert!(matches!(
            set.picture(SplitName::Train, 4),
            Err(DataError::NoSuchImage { .. })
        ));
    }
}

/// Fails when a kind of image that people have is refused or turned into other colours.
#[test]
fn greyscale_alpha_and_jpeg_become_rgb() {
    let (_directory, set) = made_up("test");
    let ant = set.folder.join("train/ant");
    let grey = image::GrayImage::from_pixel(4, 3, image::Luma([77]));
    save(&ant.join("2.PNG"), grey.into(), ImageFormat::Png);
    let clear = image::RgbaImage::from_pixel(4, 3, image::Rgba([1, 2, 3, 0]));
    save(&ant.join("3.png"), clear.into(), ImageFormat::Png);
    save(&ant.join("4.jpeg"), rgb(4, 3, 200), ImageFormat::Jpeg);
    // Neither counts as an image of the class.
    fs::write(ant.join("notes.txt"), "notes").unwrap();
    fs::write(ant.join("._5.png"), "left by a file manager").unwrap();
    let train = set.load(SplitName::Train).unwrap();
    assert_eq!(train.len(), 7);
    assert_eq!(train.image(2), [77; 36]);
    assert_eq!(train.image(3)[..], [[1; 12], [2; 12], [3; 12]].concat());
    assert!(train.image(4)[0].abs_diff(200) <= 2);
}

/// Fails when images of two sizes are mixed, or either of them is not named.
#[test]
fn another_size_is_refused_and_named() {
    let (_directory, set) = made_up("test");
    save(
        &set.folder.join("test/bee/1.png"),
        rgb(3, 4, 0),
        ImageFormat::Png,
    );
    let error = set.load(SplitName::Test).unwrap_err();
    assert!(matches!(
        error,
        DataError::WrongSize {
            found_width: 3,
            found_height: 4,
            ..
        }
    ));
    let text = error.to_string();
    assert!(
        text.contains("bee") && text.contains("train") && text.contains("resize"),
        "{text}"
    );
}

/// Fails when a file that is cut off, empty or no image is trained on. A decoder may fill what is
/// missing of a JPEG with grey, so each cut is tried.
#[test]
fn damaged_images_are_refused_and_named() {
    let noisy = RgbImage::from_fn(4, 3, |x, y| image::Rgb([(x * 60) as u8, (y * 80) as u8, 9]));
    for (name, format) in [("9.png", ImageFormat::Png), ("9.jpg", ImageFormat::Jpeg)] {
        let (_directory, set) = made_up("test");
        let path = set.folder.join("train/bee").join(name);
        save(&path, noisy.clone().into(), format);
        let whole = fs::read(&path).unwrap();
        assert!(set.load(SplitName::Train).is_ok());
        // What follows a PNG's pixels (its IEND chunk, 12 bytes) may be missing.
        let tail = if format == ImageFormat::Png { 13 } else { 1 };
        for length in [0, 1, 20, whole.len() / 2, whole.len() - tail] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = set.load(SplitName::Train).unwrap_err();
            assert!(
                matches!(error, DataError::Undecodable { .. }),
                "{name} of {length}: {error}"
            );
            assert!(error.to_string().contains(name));
        }
        fs::write(&path, "no image").unwrap();
        assert!(matches!(
            set.load(SplitName::Train),
            Err(DataError::Undecodable { .. })
        ));
    }
}

/// Fails when splits with other classes, or with none, are accepted.
#[test]
fn classes_must_be_the_same_and_not_empty() {
    let (_directory, set) = made_up("test");
    fs::create_dir(set.folder.join("train/cat")).unwrap();
    assert!(matches!(set.facts(), Err(DataError::MissingClass { class, .. }) if class == "cat"));
    fs::create_dir(set.folder.join("test/cat")).unwrap();
    assert!(matches!(set.facts(), Err(DataError::EmptyClass { class, .. }) if class == "cat"));
    fs::remove_dir(set.folder.join("train/cat")).unwrap();
    assert!(matches!(
        set.facts(),
        Err(DataError::UnexpectedClass { .. })
    ));
    fs::remove_dir(set.folder.join("test/cat")).unwrap();
    assert!(set.facts().is_ok());
    fs::remove_dir_all(set.folder.join("train/bee")).unwrap();
    assert!(matches!(
        set.load(SplitName::Train),
        Err(DataError::TooFewClasses { found: 1, .. })
    ));
    fs::remove_dir_all(set.folder.join("test")).unwrap();
    assert!(matches!(
        set.load(SplitName::Train),
        Err(DataError::Missing { .. })
    ));
}
