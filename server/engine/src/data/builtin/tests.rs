//! What makes the built-in set fair and repeatable.

use std::f32::consts::PI;

use rayon::ThreadPoolBuilder;

use super::*;

/// Fails when the bytes depend on the number of threads, or one image differs from the set's.
#[test]
fn images_do_not_depend_on_threads() {
    let with = |threads| {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| Builtin.load(SplitName::Test).unwrap())
    };
    let one = with(1);
    assert!(one == with(4), "four threads drew other bytes than one");
    for index in [0, 7, 999] {
        assert_eq!(
            Builtin.picture(SplitName::Test, index).unwrap().pixels,
            one.image(index)
        );
    }
    assert!(matches!(
        Builtin.picture(SplitName::Test, 1000),
        Err(DataError::NoSuchImage {
            index: 1000,
            images: 1000,
            ..
        })
    ));
}

/// Fails when a class has more images than another, or a test image is one to train on.
#[test]
fn splits_are_balanced_and_share_no_image() {
    let train = Builtin.load(SplitName::Train).unwrap();
    let test = Builtin.load(SplitName::Test).unwrap();
    for (set, each) in [(&train, TRAIN_PER_CLASS), (&test, TEST_PER_CLASS)] {
        for label in 0..10 {
            assert_eq!(
                set.labels().iter().filter(|&&other| other == label).count(),
                each
            );
        }
    }
    let seen: std::collections::HashSet<_> = (0..train.len()).map(|i| train.image(i)).collect();
    assert_eq!(seen.len(), train.len(), "two training images are the same");
    assert!((0..test.len()).all(|index| !seen.contains(test.image(index))));
}

/// Mean of each channel of each image.
fn channel_means(set: &ImageSet) -> Vec<[f64; 3]> {
    let mean = |plane: &[u8]| plane.iter().map(|&v| f64::from(v)).sum::<f64>() / plane.len() as f64;
    (0..set.len())
        .map(|index| {
            let planes = set.image(index).chunks_exact(SIDE * SIDE);
            let means: Vec<_> = planes.map(mean).collect();
            [means[0], means[1], means[2]]
        })
        .collect()
}

/// Fails when colour or brightness tells the classes apart: the class whose mean colour is nearest
/// must be right hardly more often than chance (0.1).
#[test]
fn mean_colour_does_not_tell_the_class() {
    let train = Builtin.load(SplitName::Train).unwrap();
    let test = Builtin.load(SplitName::Test).unwrap();
    let mut centres = [[0.0; 3]; 10];
    for (means, &label) in channel_means(&train).iter().zip(train.labels()) {
        for (centre, mean) in centres[label as usize].iter_mut().zip(means) {
            *centre += mean / TRAIN_PER_CLASS as f64;
        }
    }
    let distance =
        |a: &[f64; 3], b: &[f64; 3]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
    let right = channel_means(&test)
        .iter()
        .zip(test.labels())
        .filter(|(means, label)| {
            let nearest = (0..10).min_by(|&a, &b| {
                distance(means, &centres[a]).total_cmp(&distance(means, &centres[b]))
            });
            nearest == Some(**label as usize)
        })
        .count();
    assert!(
        right < 200,
        "{right} of 1000 test images told by their mean colour"
    );
}

/// Fails when a shape is larger than another or a texture brighter: size and tone would tell the class.
#[test]
fn shapes_have_one_area_and_textures_no_mean() {
    let grid = || {
        (0..400)
            .flat_map(|y| (0..400).map(move |x| (x as f32 / 100.0 - 2.0, y as f32 / 100.0 - 2.0)))
    };
    for shape in [Shape::Disc, Shape::Cross] {
        let area = grid().filter(|&(x, y)| shape.contains(x, y)).count() as f32 / 10_000.0;
        assert!((area - PI).abs() < 0.05, "{shape:?} has area {area}");
    }
    for texture in Texture::ALL {
        let mean = grid().map(|(x, y)| texture.tone(x, y)).sum::<f32>() / 160_000.0;
        assert!(mean.abs() < 0.02, "{texture:?} has mean {mean}");
    }
}
