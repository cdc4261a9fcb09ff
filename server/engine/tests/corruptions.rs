//! The corruption generator against the published generator's own output on 200 CIFAR-10 test images (`data/` of
//! the shared folder). Where the folder is not there the test says `skipped`.

mod common;

use engine::corruptions::Corruptor;
use engine::data::{read_images, read_labels};
use protocol::Corruption;
use protocol::corruption::{ParameterTable, SEVERITIES};

/// Corruptions in which chance plays no part: their images are the published ones.
const CERTAIN: [Corruption; 8] = [
    Corruption::Brightness,
    Corruption::Contrast,
    Corruption::Saturate,
    Corruption::GaussianBlur,
    Corruption::DefocusBlur,
    Corruption::ZoomBlur,
    Corruption::Pixelate,
    Corruption::JpegCompression,
];

/// Mean and root mean square of `corrupted - clean`.
fn residual(corrupted: &[u8], clean: &[u8]) -> [f64; 2] {
    let differences = || {
        corrupted
            .iter()
            .zip(clean)
            .map(|(&a, &b)| f64::from(a) - f64::from(b))
    };
    let count = clean.len() as f64;
    let squares: f64 = differences().map(|difference| difference.powi(2)).sum();
    [differences().sum::<f64>() / count, (squares / count).sqrt()]
}

/// Standard error of the difference of two means over images, each of its own draws: from the spread over images.
fn standard_error(corrupted: [&[u8]; 2], clean: &[u8], image: usize) -> f64 {
    let variance = |corrupted: &[u8]| {
        let means: Vec<f64> = corrupted
            .chunks_exact(image)
            .zip(clean.chunks_exact(image))
            .map(|(corrupted, clean)| residual(corrupted, clean)[0])
            .collect();
        let count = means.len() as f64;
        let mean = means.iter().sum::<f64>() / count;
        means
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / (count - 1.0)
            / count
    };
    corrupted.map(variance).iter().sum::<f64>().sqrt()
}

/// Breaks when a corruption departs from the published one: in a formula, a parameter, what it thinks lies outside
/// an image, where it rounds, or how strong its chance is. Where chance plays no part every byte is held.
#[test]
fn every_corruption_agrees_with_the_published_generator() {
    let Some(shared) = common::shared() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    common::unpack_corruptions(&shared, folder.path());
    let labels = read_labels(&folder.path().join("labels.npy"), 10).unwrap();
    let clean = read_images(&folder.path().join("clean.npy"), labels.clone()).unwrap();
    let images: Vec<&[u8]> = (0..clean.len()).map(|index| clean.image(index)).collect();
    let indices: Vec<u64> = (0..clean.len() as u64).collect();
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 0);
    println!(
        "mean and root mean square of corrupted - clean, ours and the published generator's, or bytes that differ"
    );
    for corruption in Corruption::ALL {
        let path = folder.path().join(format!("{corruption}.npy"));
        let published = read_images(&path, labels.repeat(5 * clean.len() / labels.len())).unwrap();
        assert_eq!(published.len(), 5 * clean.len());
        for severity in SEVERITIES {
            let generated = corruptor.corrupt_all(corruption, severity, &indices, &images, 32, 32);
            let block = clean.pixels().len();
            let reference = &published.pixels()[(usize::from(severity) - 1) * block..][..block];
            let name = format!("{corruption} {severity}");
            if CERTAIN.contains(&corruption) {
                let off = generated
                    .iter()
                    .zip(reference)
                    .filter(|(a, b)| a != b)
                    .count();
                println!("{name}: {off} of {block} bytes differ");
                assert_eq!(off, 0, "{name}: bytes that differ, of {block}");
                continue;
            }
            // A fog or a deformation is one random map an image, so the mean over 200 images is uncertain by up to 1:
            // two draws of the same generator differ by more than the rule allows. What chance does to the mean
            // is allowed on top; the root mean square is held to the rule.
            let one_map = matches!(corruption, Corruption::Fog | Corruption::ElasticTransform);
            let chance = if one_map {
                3.0 * standard_error([&generated, reference], clean.pixels(), clean.image_len())
            } else {
                0.0
            };
            let (generated, reference) = (
                residual(&generated, clean.pixels()),
                residual(reference, clean.pixels()),
            );
            println!(
                "{name}: {generated:.2?} {reference:.2?}{}",
                if chance > 0.0 {
                    format!(", mean +- {chance:.2}")
                } else {
                    String::new()
                }
            );
            for (generated, reference, chance) in [
                (generated[0], reference[0], chance),
                (generated[1], reference[1], 0.0),
            ] {
                let allowed = 0.1 * reference.abs() + 0.5 + chance;
                assert!(
                    (generated - reference).abs() <= allowed,
                    "{name}: {generated} against {reference}"
                );
            }
        }
    }
}
