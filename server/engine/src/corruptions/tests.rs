//! What holds of corruptions on any machine, without the published images.

mod tables;

use std::path::Path;

use protocol::corruption::{
    Corruption, FrostFingerprint, JpegStep, PUBLISHED_JPEG_QUALITY, ParameterTable, SEVERITIES,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::frost_texture::FrostTextures;
use super::gaussian::{Gaussian, TRUNCATE};
use super::motion::Trail;
use super::picture::{Picture, to_byte};
use super::plasma::plasma;
use super::{CORRUPTIONS, CorruptionError, Corruptor, border, colour, edges, jpeg, resize, zoom};

/// Corruptions in which chance plays no part.
const CERTAIN: [Corruption; 8] = [
    Corruption::DefocusBlur,
    Corruption::ZoomBlur,
    Corruption::Brightness,
    Corruption::Contrast,
    Corruption::Pixelate,
    Corruption::JpegCompression,
    Corruption::GaussianBlur,
    Corruption::Saturate,
];

/// A colourful image `[3, height, width]` with slopes, an edge and some texture.
fn image(height: usize, width: usize) -> Vec<u8> {
    (0..3 * height * width)
        .map(|place| {
            let (channel, y, x) = (
                place / (height * width),
                place / width % height,
                place % width,
            );
            let slope = 40 + (5 * x + 3 * y + 50 * channel) % 170;
            let edge = if (x + 2 * y) % 23 < 8 { 35 } else { 0 };
            (slope + edge + (7 * x * y + 13 * channel) % 11) as u8
        })
        .collect()
}

/// An image `[3, height, width]` of one value.
fn flat(value: u8, height: usize, width: usize) -> Vec<u8> {
    vec![value; 3 * height * width]
}

/// Mean and standard deviation.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (
        mean,
        (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt(),
    )
}

/// Breaks when a corruption has no line in the list, or two.
#[test]
fn every_corruption_is_listed_once() {
    for corruption in Corruption::ALL {
        let lines = CORRUPTIONS
            .iter()
            .filter(|(known, _)| *known == corruption)
            .count();
        assert_eq!(lines, 1, "{corruption}");
    }
    assert_eq!(CORRUPTIONS.len(), Corruption::ALL.len());
}

/// Breaks when an image's corruption depends on the number of threads, on its neighbours or on its place among them.
#[test]
fn threads_and_neighbours_do_not_matter() {
    let images: Vec<Vec<u8>> = (0..21)
        .map(|shift| {
            image(16, 24)
                .into_iter()
                .map(|value| value.wrapping_add(shift))
                .collect()
        })
        .collect();
    let references: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    let indices: Vec<u64> = (100..121).rev().collect();
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 5);
    for corruption in Corruption::ALL {
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| corruptor.corrupt_all(corruption, 3, &indices, &references, 16, 24))
        });
        let each: Vec<u8> = indices
            .iter()
            .zip(&references)
            .flat_map(|(&index, image)| corruptor.corrupt(corruption, 3, index, image, 16, 24))
            .collect();
        assert!(one == three && one == each, "{corruption}");
    }
}

/// Breaks when chance does not depend on seed or index, or when a corruption without chance does.
#[test]
fn seed_and_index_draw_anew() {
    let image = image(32, 32);
    for corruption in Corruption::ALL {
        let draw = |seed, index| {
            Corruptor::new(ParameterTable::Cifar10, seed)
                .corrupt(corruption, 5, index, &image, 32, 32)
        };
        let certain = CERTAIN.contains(&corruption);
        assert!(draw(1, 1) == draw(1, 1), "{corruption}");
        assert_eq!(draw(1, 1) == draw(2, 1), certain, "{corruption}, seed");
        assert_eq!(draw(1, 1) == draw(1, 2), certain, "{corruption}, index");
    }
}

/// Breaks when corruptions or severities share their random numbers.
#[test]
fn corruptions_and_severities_draw_apart() {
    let first = |corruption, severity| {
        use rand::Rng;
        super::generator(1, corruption, severity).random::<u64>()
    };
    let mut draws: Vec<u64> = Corruption::ALL
        .into_iter()
        .flat_map(|corruption| SEVERITIES.map(|severity| first(corruption, severity)))
        .collect();
    draws.sort_unstable();
    draws.dedup();
    assert_eq!(draws.len(), 19 * 5);
    let longest = Corruption::ALL
        .map(|corruption| corruption.id().len())
        .into_iter()
        .max()
        .unwrap();
    assert!(longest <= 23, "a name does not fit the key");
}

/// Breaks when a corruption or severity does nothing, or when a severity repeats the one before.
#[test]
fn every_severity_changes_the_image() {
    for (table, side) in [
        (ParameterTable::Cifar10, 32),
        (ParameterTable::TinyImagenet, 64),
    ] {
        let corruptor = Corruptor::new(table, 0);
        // Pale, so that no two severities saturate all colours fully.
        let pale = |value: u8| 110 + value / 8;
        let clean: Vec<u8> = image(side, side).into_iter().map(pale).collect();
        for corruption in Corruption::ALL {
            let mut before = clean.clone();
            for severity in SEVERITIES {
                let corrupted = corruptor.corrupt(corruption, severity, 0, &clean, side, side);
                assert!(corrupted != clean, "{corruption} {severity}");
                assert!(corrupted != before, "{corruption} {severity}");
                before = corrupted;
            }
        }
    }
}

/// Breaks when a size that is not square, not even, smaller than a filter or a single pixel makes a corruption panic.
#[test]
fn any_size_goes() {
    let sizes = [
        (1, 1),
        (1, 40),
        (40, 1),
        (2, 2),
        (3, 5),
        (8, 8),
        (9, 8),
        (33, 31),
        (48, 80),
        (64, 64),
        (7, 300),
    ];
    for table in [ParameterTable::Cifar10, ParameterTable::TinyImagenet] {
        let corruptor = Corruptor::new(table, 9);
        for (height, width) in sizes {
            let clean = image(height, width);
            for corruption in Corruption::ALL {
                for severity in SEVERITIES {
                    let corrupted =
                        corruptor.corrupt(corruption, severity, 3, &clean, height, width);
                    assert_eq!(
                        corrupted.len(),
                        clean.len(),
                        "{corruption} {height}x{width}"
                    );
                }
            }
        }
    }
}

/// Breaks when severity 0 is taken for another one.
#[test]
#[should_panic(expected = "severities are 1 to 5")]
fn severity_0_is_refused() {
    Corruptor::new(ParameterTable::Cifar10, 0).corrupt(Corruption::Fog, 0, 0, &image(8, 8), 8, 8);
}

/// Breaks when severity 6 is taken for another one.
#[test]
#[should_panic(expected = "severities are 1 to 5")]
fn severity_6_is_refused() {
    Corruptor::new(ParameterTable::Cifar10, 0).corrupt(Corruption::Fog, 6, 0, &image(8, 8), 8, 8);
}

/// Breaks when an image whose size is not the stated one is read.
#[test]
#[should_panic(expected = "an image has 3 * height * width values")]
fn a_wrong_size_is_refused() {
    Corruptor::new(ParameterTable::Cifar10, 0).corrupt(Corruption::Fog, 1, 0, &image(8, 8), 8, 9);
}

/// Breaks when an image without pixels gets as far as a corruption.
#[test]
#[should_panic(expected = "at least one pixel")]
fn an_empty_image_is_refused() {
    Corruptor::new(ParameterTable::Cifar10, 0).corrupt(Corruption::Fog, 1, 0, &[], 0, 8);
}

/// Breaks when an empty list of images panics instead of giving no images.
#[test]
fn no_images_give_none() {
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 0);
    assert!(
        corruptor
            .corrupt_all(Corruption::Snow, 1, &[], &[], 32, 32)
            .is_empty()
    );
}

/// Breaks when the noises lose their strengths: standard deviations and shares on a grey image, white as 1.
#[test]
fn noises_have_their_strengths() {
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 3);
    let grey = 0.4 * 255.0;
    let spread = |corruption, severity| {
        let corrupted = corruptor.corrupt(corruption, severity, 0, &flat(102, 100, 100), 100, 100);
        moments(corrupted.into_iter().map(|value| f64::from(value) / 255.0)).1
    };
    let near = |value: f64, expected: f64| {
        assert!((value / expected - 1.0).abs() < 0.03, "{value} {expected}")
    };
    near(spread(Corruption::GaussianNoise, 3), 0.08);
    near(spread(Corruption::SpeckleNoise, 3), 0.12 * grey / 255.0);
    near(spread(Corruption::ShotNoise, 3), (0.4_f64 / 100.0).sqrt());
    let impulses = corruptor.corrupt(
        Corruption::ImpulseNoise,
        5,
        0,
        &flat(102, 200, 200),
        200,
        200,
    );
    let share =
        |wanted| impulses.iter().filter(|&&value| value == wanted).count() as f64 / 120_000.0;
    assert!((share(0) - 0.035).abs() < 0.002 && (share(255) - 0.035).abs() < 0.002);
}

/// Breaks when what only moves or mixes pixels changes an image of one colour by more than truncation does.
#[test]
fn a_flat_image_stays_flat() {
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 4);
    let movers = [
        Corruption::DefocusBlur,
        Corruption::GlassBlur,
        Corruption::MotionBlur,
        Corruption::ZoomBlur,
        Corruption::Contrast,
        Corruption::ElasticTransform,
        Corruption::Pixelate,
        Corruption::JpegCompression,
        Corruption::GaussianBlur,
    ];
    for corruption in movers {
        for severity in SEVERITIES {
            let corrupted = corruptor.corrupt(corruption, severity, 0, &flat(101, 20, 28), 20, 28);
            let off = corrupted
                .iter()
                .map(|value| value.abs_diff(101))
                .max()
                .unwrap();
            assert!(off <= 1, "{corruption} {severity}: {off}");
        }
    }
}

/// Breaks when values are rounded where the generator truncates, or overflow.
#[test]
fn bytes_are_truncated() {
    assert_eq!(
        [-1.0, 0.0, 0.999 / 255.0, 0.5, 1.0, 9.0].map(to_byte),
        [0, 0, 0, 127, 255, 255]
    );
    assert_eq!(to_byte(f64::NAN), 0);
}

/// Breaks when a border takes the wrong pixel.
#[test]
fn borders() {
    let line = |border: fn(isize, usize) -> usize| {
        (-4..8).map(|index| border(index, 4)).collect::<Vec<_>>()
    };
    assert_eq!(line(border::nearest), [0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3]);
    assert_eq!(line(border::reflect), [3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0]);
    assert_eq!(line(border::mirror), [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
    assert_eq!([border::mirror(-7, 1), border::reflect(9, 1)], [0, 0]);
}

/// Breaks when a Gaussian does not sum to 1, is not symmetric, or is cut elsewhere than at four deviations.
#[test]
fn a_gaussian_spreads_a_dot() {
    let mut plane = vec![0.0; 11 * 13];
    plane[5 * 13 + 6] = 1.0;
    Gaussian::new(1.0, TRUNCATE).blur(&mut plane, 11, 13, border::nearest);
    assert!((plane.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!((plane[5 * 13 + 6] - 0.398_942_28_f64.powi(2)).abs() < 1e-4);
    assert!((plane[5 * 13 + 4] - plane[7 * 13 + 6]).abs() < 1e-15);
    assert!(plane[5 * 13 + 2] > 0.0 && plane[5 * 13 + 1] == 0.0);
}

/// Breaks when colours come back from hue, saturation and value as others, or a known one is elsewhere.
#[test]
fn hues() {
    assert_eq!(colour::to_hsv([1.0, 0.0, 0.0]), [0.0, 1.0, 1.0]);
    assert_eq!(colour::to_hsv([0.0, 0.5, 0.0]), [1.0 / 3.0, 1.0, 0.5]);
    assert_eq!(colour::to_hsv([0.3, 0.3, 0.3]), [0.0, 0.0, 0.3]);
    for bits in 0..125 {
        let rgb = [bits % 5, bits / 5 % 5, bits / 25].map(|level| f64::from(level) / 4.0);
        let back = colour::to_rgb(colour::to_hsv(rgb));
        assert!(
            rgb.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-12),
            "{rgb:?} {back:?}"
        );
    }
}

/// Breaks when a zoom by 1 moves anything, or a zoom by 2 does not keep the middle half.
#[test]
fn zooms() {
    for (place, tap) in zoom::taps(9, 1.0).into_iter().enumerate() {
        assert_eq!((tap.first, tap.share), (place, 0.0));
    }
    let taps = zoom::taps(8, 2.0);
    assert_eq!((taps[0].first, taps[0].share), (2, 0.0));
    assert_eq!((taps[7].first, taps[7].share), (5, 0.0));
    assert!(
        taps.windows(2)
            .all(|pair| pair[0].first + pair[0].second <= pair[1].first + pair[1].second)
    );
}

/// Breaks when motion has another direction than the angle, or adds light.
#[test]
fn motion_follows_its_angle() {
    let (height, width) = (15, 15);
    let mut plane = vec![0; height * width];
    plane[7 * width + 7] = 255;
    let mut out = vec![0; plane.len()];
    Trail::new(6.0, 2.0, 0.0).blur(&plane, height, width, &mut out);
    let row = &out[7 * width..8 * width];
    assert!(row[7] > row[6] && row[6] > row[5] && row[5] > 0 && row[8] == 0);
    let total = |values: &[u8]| values.iter().map(|&value| u32::from(value)).sum::<u32>();
    assert_eq!(total(row), total(&out));
    assert!(total(row).abs_diff(255) <= 7);
    Trail::new(6.0, 2.0, 90.0).blur(&plane, height, width, &mut out);
    assert!(out[6 * width + 7] > out[5 * width + 7] && out[8 * width + 7] == 0);
}

/// Breaks when plasma leaves [0, 1] or does not repeat: opposite edges of the torus are no further apart than others.
#[test]
fn plasma_is_a_torus() {
    let map = plasma(64, 3.0, &mut ChaCha8Rng::seed_from_u64(1));
    assert!(map.iter().all(|value| (0.0..=1.0).contains(value)));
    assert!(map.contains(&0.0) && map.contains(&1.0));
    let step = |a: usize, b: usize| {
        (0..64)
            .map(|y| (map[y * 64 + a] - map[y * 64 + b]).abs())
            .fold(0.0, f64::max)
    };
    assert!(step(63, 0) < 2.0 * step(31, 32));
    assert_eq!(plasma(1, 3.0, &mut ChaCha8Rng::seed_from_u64(1)), [0.0]);
}

/// Breaks when Canny's edges of a bright square are not one pixel wide lines at its sides, or distances not Euclid's
/// within their 2 %.
#[test]
fn edges_and_distances() {
    let side = 24;
    let square =
        |place: usize| (8..16).contains(&(place / side)) && (8..16).contains(&(place % side));
    let plane: Vec<u8> = (0..side * side)
        .map(|place| if square(place) { 200 } else { 0 })
        .collect();
    let is_edge = edges::edges(&plane, side, side, 50, 150);
    let row: Vec<usize> = (0..side).filter(|x| is_edge[12 * side + x]).collect();
    assert_eq!(row.len(), 2);
    assert!(
        (7..=8).contains(&row[0]) && (15..=16).contains(&row[1]),
        "{row:?}"
    );
    assert!(
        edges::edges(&[9; 35], 5, 7, 50, 150)
            .iter()
            .all(|edge| !edge)
    );

    let mut dot = vec![false; side * side];
    dot[0] = true;
    for (place, distance) in edges::distances(&dot, side, side).into_iter().enumerate() {
        let exact = ((place / side) as f32).hypot((place % side) as f32);
        assert!(
            (distance - exact).abs() <= 0.025 * exact,
            "{place}: {distance} {exact}"
        );
    }
    assert!(
        edges::distances(&[false; 12], 3, 4)
            .iter()
            .all(|&distance| distance > 20.0)
    );
}

/// Breaks when quality 100 loses more than rounding, a lower quality less than a higher, or a colour is lost.
#[test]
fn jpeg_loses_by_quality() {
    let clean = image(24, 40);
    let grey: Vec<u8> = (0..3).flat_map(|_| clean[..24 * 40].to_vec()).collect();
    let loss = |image: &[u8], quality| {
        let mut out = vec![0; image.len()];
        jpeg::compressed(
            Picture {
                pixels: image,
                height: 24,
                width: 40,
            },
            quality,
            &mut out,
        );
        image
            .iter()
            .zip(&out)
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum::<f64>()
            / image.len() as f64
    };
    assert!(loss(&grey, 100) < 0.6);
    assert!(loss(&grey, 100) < loss(&grey, 60) && loss(&grey, 60) < loss(&grey, 10));
    let red: Vec<u8> = [vec![200; 24 * 40], vec![60; 24 * 40], vec![30; 24 * 40]].concat();
    assert!(loss(&red, 90) < 2.0);
}

/// The MD5 sum is of what Pillow 13.0 (libjpeg-turbo) reads back after `save(quality=85, optimize=True)` of the same
/// image. Breaks when a pixel of Tiny ImageNet-C's JPEG step is not Pillow's.
#[test]
fn the_published_jpeg_step_is_pillows() {
    use md5::{Digest, Md5};
    for (height, width, sum) in [
        (64, 64, 0xd2a7_73e2_a667_8c93_2b2d_dd93_b53b_a637_u128),
        (24, 40, 0xa54c_097b_a396_3f08_5763_733f_172f_bf7c_u128),
    ] {
        let clean = image(height, width);
        let mut out = vec![0; clean.len()];
        let picture = Picture {
            pixels: &clean,
            height,
            width,
        };
        jpeg::compressed(picture, PUBLISHED_JPEG_QUALITY.into(), &mut out);
        assert_eq!(Md5::digest(&out)[..], sum.to_be_bytes(), "{height}x{width}");
    }
}

/// Breaks when images with Tiny ImageNet-C's parameters are not saved as it was published, when CIFAR10-C's are, when
/// the switch changes nothing, or when conditions do not say what was done.
#[test]
fn tiny_imagenet_goes_through_jpeg_and_cifar_does_not() {
    let (clean, side) = (image(64, 64), 64);
    let draw =
        |corruptor: &Corruptor, corruption| corruptor.corrupt(corruption, 3, 5, &clean, side, side);
    let published = Corruptor::new(ParameterTable::TinyImagenet, 2);
    let without = published.clone().with_jpeg_step(JpegStep::Off);
    assert!(published.conditions(9).jpeg && !without.conditions(9).jpeg);
    for corruption in Corruption::ALL {
        let lossless = draw(&without, corruption);
        let mut expected = vec![0; lossless.len()];
        let picture = Picture {
            pixels: &lossless,
            height: side,
            width: side,
        };
        jpeg::compressed(picture, 85, &mut expected);
        assert!(lossless != expected, "{corruption}");
        assert!(draw(&published, corruption) == expected, "{corruption}");
    }
    let cifar = Corruptor::new(ParameterTable::Cifar10, 2);
    assert_eq!(cifar.conditions(9).to_string(), "generated.2.9");
    let as_published = cifar.clone().with_jpeg_step(JpegStep::AsPublished);
    let off = cifar.with_jpeg_step(JpegStep::Off);
    assert!(draw(&as_published, Corruption::Fog) == draw(&off, Corruption::Fog));
    assert_eq!(published.conditions(9).to_string(), "generated.2.9.jpeg85");
}

/// Breaks when an image is drawn anew otherwise than its conditions say: with or without the JPEG step, with other
/// photographs of frost, or not at all where it needs none.
#[test]
fn conditions_say_how_an_image_was_drawn() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [here.path(), there.path()] {
        write_photograph(&folder.join("a.png"), 300, 90);
        write_photograph(&folder.join("b.png"), 300, 200);
    }
    let table = ParameterTable::TinyImagenet;
    let frosted = |folder: &Path| {
        Corruptor::new(table, 3)
            .with_frost_photographs(folder)
            .unwrap()
    };
    // A copy elsewhere has the same fingerprint; another order, or another pixel, has another one.
    let first = frosted(here.path()).frost_fingerprint().unwrap();
    assert_eq!(frosted(there.path()).frost_fingerprint(), Some(first));
    std::fs::rename(there.path().join("a.png"), there.path().join("c.png")).unwrap();
    let second = frosted(there.path()).frost_fingerprint().unwrap();
    assert_ne!(first, second);

    let clean = image(64, 64);
    let folders = |folders: &[&Path]| -> Vec<_> {
        folders.iter().map(|folder| folder.to_path_buf()).collect()
    };
    let again = |conditions, corruption, folders: &[std::path::PathBuf]| {
        Corruptor::of_conditions(conditions, table, corruption, folders)
            .map(|corruptor| corruptor.corrupt(corruption, 3, 1, &clean, 64, 64))
    };
    for step in JpegStep::ALL {
        let drawn = frosted(here.path()).with_jpeg_step(step);
        let conditions = drawn.conditions(7);
        assert_eq!(conditions.frost, Some(first));
        let both = folders(&[there.path(), here.path()]);
        let image = drawn.corrupt(Corruption::Frost, 3, 1, &clean, 64, 64);
        assert!(again(conditions, Corruption::Frost, &both).unwrap() == image);
        let fog = drawn.corrupt(Corruption::Fog, 3, 1, &clean, 64, 64);
        assert!(again(conditions, Corruption::Fog, &[]).unwrap() == fog);
        let other = again(conditions, Corruption::Frost, &folders(&[there.path()]));
        assert!(matches!(
            other,
            Err(CorruptionError::OtherPhotographs { expected, .. }) if expected == first
        ));
        let unknown = again(conditions, Corruption::Frost, &[]);
        assert!(matches!(
            unknown,
            Err(CorruptionError::UnknownFolder(FrostFingerprint(_)))
        ));
    }
}

/// Breaks when resizing mixes other pixels than Pillow's box and OpenCV's bilinear filter do.
#[test]
fn resizing() {
    let plane = [10, 20, 30, 40, 50, 60, 70, 80];
    assert_eq!(resize::box_resized(&plane, (2, 4), (1, 2)), [35, 55]);
    assert_eq!(
        resize::box_resized(&[35, 55], (1, 2), (2, 4)),
        [35, 35, 55, 55, 35, 35, 55, 55]
    );
    assert_eq!(resize::box_resized(&plane, (2, 4), (2, 4)), plane);
    assert_eq!(resize::scaled(&plane, (2, 4), 0.5), (vec![35, 55], (1, 2)));
}

/// Breaks when contrast and brightness are not what their formulas give by hand.
#[test]
fn contrast_and_brightness_by_hand() {
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 0);
    let plane = [0, 100, 0, 100];
    let image: Vec<u8> = [plane; 3].concat();
    // The mean is 50; half of the distance is kept.
    let contrast = corruptor.corrupt(Corruption::Contrast, 2, 0, &image, 2, 2);
    assert!(
        contrast
            .iter()
            .zip(&image)
            .all(|(&new, &old)| new.abs_diff(25 + old / 2) <= 1)
    );
    let brightness = corruptor.corrupt(Corruption::Brightness, 2, 0, &image, 2, 2);
    assert_eq!(brightness, [[25, 125, 25, 125]; 3].concat());
}

/// Breaks when the procedural texture loses the brightness that the published images ask for, or its detail.
#[test]
fn procedural_frost_is_bright_and_detailed() {
    for table in [ParameterTable::Cifar10, ParameterTable::TinyImagenet] {
        let frost = FrostTextures::Procedural(table);
        let rows = frost.textures().iter().flat_map(|texture| {
            (0..3).flat_map(move |channel| {
                (0..texture.height)
                    .flat_map(move |y| texture.row(channel, y, 0).take(texture.width))
            })
        });
        let (mean, spread) = moments(rows.map(f64::from));
        assert!(
            (mean - 165.0).abs() < 8.0 && (spread - 48.0).abs() < 8.0,
            "{mean} {spread}"
        );
        assert!(frost.check(10_000, 10_000).is_ok());
    }
}

/// Writes a photograph of one grey to `path`.
fn write_photograph(path: &Path, side: u32, grey: u8) {
    image::RgbImage::from_pixel(side, side, image::Rgb([grey; 3]))
        .save(path)
        .unwrap();
}

/// Breaks when photographs of frost are not laid over the image, or not instead of the procedural texture.
#[test]
fn photographs_are_laid_over() {
    let folder = tempfile::tempdir().unwrap();
    write_photograph(&folder.path().join("a.png"), 200, 100);
    std::fs::write(folder.path().join("notes.txt"), "none").unwrap();
    let corruptor = Corruptor::new(ParameterTable::Cifar10, 1)
        .with_frost_photographs(folder.path())
        .unwrap();
    let corrupted = corruptor.corrupt(Corruption::Frost, 1, 0, &flat(50, 32, 32), 32, 32);
    assert_eq!(corrupted, flat(70, 32, 32));
    assert!(corruptor.check_frost(39, 39).is_ok());
    assert!(matches!(
        corruptor.check_frost(32, 40),
        Err(CorruptionError::SmallPhotograph {
            have_width: 40,
            width: 40,
            ..
        })
    ));
}

/// Breaks when an unusable folder is accepted, or the message names neither file nor folder.
#[test]
fn bad_photographs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let load = |folder: &Path| {
        Corruptor::new(ParameterTable::Cifar10, 1)
            .with_frost_photographs(folder)
            .map(|_| ())
            .unwrap_err()
    };
    assert!(matches!(
        load(&folder.path().join("nowhere")),
        CorruptionError::Folder { .. }
    ));
    assert!(matches!(
        load(folder.path()),
        CorruptionError::NoPhotograph { .. }
    ));
    write_photograph(&folder.path().join("small.png"), 100, 9);
    assert!(matches!(
        load(folder.path()),
        CorruptionError::SmallPhotograph {
            have_height: 20,
            ..
        }
    ));
    std::fs::write(folder.path().join("broken.jpg"), "no image").unwrap();
    let broken = load(folder.path());
    assert!(matches!(broken, CorruptionError::Photograph { .. }));
    assert!(broken.to_string().contains("broken.jpg"), "{broken}");
}
