use std::path::Path;

use npyz::WriterBuilder;
use protocol::Corruption;

use super::{CleanImages, PublishedCorruptions};

fn write<T: npyz::AutoSerialize + Copy>(path: &Path, shape: &[u64], values: &[T]) {
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(std::fs::File::create(path).unwrap())
        .begin_nd()
        .unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
}

const CLEAN: CleanImages<'static> = CleanImages {
    labels: &[4, 7],
    height: 2,
    width: 1,
};

fn open(folder: &Path) -> Result<PublishedCorruptions, String> {
    PublishedCorruptions::open_arrays(folder, CLEAN, &[Corruption::Fog])
        .map_err(|error| error.to_string())
}

/// Breaks when a severity's block is looked for elsewhere, or colours change places.
#[test]
fn images_are_found_by_severity_and_index() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..5 * 2 * 2 * 3).collect();
    write(&folder.path().join("fog.npy"), &[10, 2, 1, 3], &pixels);
    write(
        &folder.path().join("labels.npy"),
        &[10],
        &[4_u8, 7].repeat(5),
    );
    let set = open(folder.path()).unwrap();
    assert!(set.is_matched());
    // Severity 3 begins at image 4; its second image at byte 5 x 6, which is red, green, blue a pixel.
    assert_eq!(
        set.images(Corruption::Fog, 3, &[1, 0]).unwrap(),
        [30, 33, 31, 34, 32, 35, 24, 27, 25, 28, 26, 29]
    );
    assert!(
        set.images(Corruption::Snow, 3, &[0]).is_err(),
        "it was not opened"
    );
}

/// A Tiny ImageNet-C of one class with two images, at severity 1 of fog alone.
fn tiny_imagenet_c(folder: &Path) -> PublishedCorruptions {
    use super::files::LabelledFile;
    let class = folder.join("fog/1/n01");
    std::fs::create_dir_all(&class).unwrap();
    for (name, grey) in [("a.JPEG", 10), ("b.JPEG", 240)] {
        let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([grey; 3]));
        let file = class.join(name);
        picture
            .save_with_format(file, image::ImageFormat::Jpeg)
            .unwrap();
    }
    let clean = CleanImages {
        labels: &[0, 0],
        height: 8,
        width: 8,
    };
    let clean_files = ["b.JPEG", "a.JPEG"].map(|name| LabelledFile {
        path: folder.join(name),
        label: 0,
    });
    let wnids = ["n01".to_owned()];
    PublishedCorruptions::open_folders(
        folder,
        clean,
        &wnids,
        &clean_files,
        &[Corruption::Fog],
        &[1],
    )
    .unwrap()
}

/// Breaks when Tiny ImageNet-C cannot be read for accuracy, or when its images are taken for corrupted copies of the
/// clean ones.
#[test]
fn tiny_imagenet_c_has_labels_and_no_clean_images() {
    use crate::EngineError;
    use crate::studies::evaluations::CorruptedImages;
    let folder = tempfile::tempdir().unwrap();
    let set = tiny_imagenet_c(folder.path());
    let pixels = set.images(Corruption::Fog, 1, &[0, 1]).unwrap();
    assert!(
        pixels[0] > 200 && pixels[3 * 64] < 50,
        "in order of the clean files' names"
    );
    assert!(!set.is_matched());
    let images = CorruptedImages::Published(set);
    assert_eq!(images.conditions(2).to_string(), "published.0.2");
    let refused = images.check_matched().unwrap_err();
    assert!(matches!(refused, EngineError::Unmatched(_)));
    assert!(refused.to_string().contains("other crops"), "{refused}");
}

/// Breaks when a set of other images, shapes or types is taken for the published one.
#[test]
fn what_does_not_fit_is_refused_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let fog = folder.path().join("fog.npy");
    let labels = folder.path().join("labels.npy");
    let pixels = [0_u8; 60];
    let good = || {
        write(&fog, &[10, 2, 1, 3], &pixels);
        write(&labels, &[2], &[4_i64, 7]);
    };
    let refused = |what: &str| {
        let error = open(folder.path())
            .err()
            .unwrap_or_else(|| panic!("{what} was taken"));
        assert!(error.contains(what), "{error}");
    };
    good();
    open(folder.path()).unwrap();
    write(&labels, &[2], &[7_i64, 4]);
    refused("label 0 is 7");
    write(&labels, &[3], &[4_i64, 7, 4]);
    refused("3 labels");
    good();
    write(&fog, &[8, 2, 1, 3], &pixels[..48]);
    refused("[8, 2, 1, 3]");
    write(&fog, &[10, 2, 1, 3], &[0.0_f32; 60]);
    refused("f4");
    good();
    let bytes = std::fs::read(&fog).unwrap();
    std::fs::write(&fog, &bytes[..bytes.len() - 1]).unwrap();
    refused("bytes");
    std::fs::remove_file(&fog).unwrap();
    refused("fog.npy");
}
