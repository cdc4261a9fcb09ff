//! Augmentations against small cases worked out by hand, and against Pillow.

use std::collections::BTreeSet;

use rand::SeedableRng;

use super::*;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// An image whose bytes all differ from 0, so that padding can be told from content.
fn ramp(height: usize, width: usize) -> Vec<u8> {
    (0..CHANNELS * height * width)
        .map(|i| (i % 250) as u8 + 1)
        .collect()
}

/// Fails when a byte is scaled by anything but 1/255.
#[test]
fn bytes_become_the_unit_interval() {
    let mut out = [9.0; 3];
    to_unit_interval(&[0, 51, 255], &mut out);
    assert_eq!(out, [0.0, 0.2, 1.0]);
}

/// Fails when `None` changes the image or draws random numbers.
#[test]
fn none_changes_nothing() {
    let image = ramp(2, 2);
    let (mut out, mut plain) = ([0.0; 12], [0.0; 12]);
    let mut used = rng(3);
    augment(Augmentation::None, &image, 2, 2, &mut used, &mut out);
    to_unit_interval(&image, &mut plain);
    assert_eq!(out, plain);
    assert_eq!(used, rng(3));
}

/// Fails when the border is not black, or offsets are swapped or counted from the wrong corner.
#[test]
fn padded_crop_is_what_the_hand_computes() {
    // Each channel is [[1, 2], [3, 4]] / 255 plus 4 a channel.
    let image = ramp(2, 2);
    let crop = |offset, flip| {
        let mut out = [9.0; 12];
        padded_crop(&image, 2, 2, offset, flip, &mut out);
        out.map(|value| (value * 255.0).round() as u8)
    };
    assert_eq!(crop((4, 4), false)[..], image);
    assert_eq!(crop((4, 4), true), [2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]);
    // One row down, so the lower row moves up and black follows.
    assert_eq!(crop((5, 4), false), [3, 4, 0, 0, 7, 8, 0, 0, 11, 12, 0, 0]);
    // One column to the left, so black comes from the left; flipped, from the right.
    assert_eq!(crop((4, 3), false), [0, 1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 11]);
    assert_eq!(crop((4, 3), true), [1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 11, 0]);
    // The far corners of the padded image show nothing of a 2x2 image.
    assert_eq!(crop((0, 0), false), [0; 12]);
    assert_eq!(crop((8, 8), false), [0; 12]);
}

/// Fails when an offset cannot occur (an off-by-one in the range), or one direction never flips.
#[test]
fn every_padded_crop_occurs_and_half_are_flipped() {
    let (height, width) = (12, 12);
    let image = ramp(height, width);
    let mut all = Vec::new();
    for top in 0..=8 {
        for left in 0..=8 {
            for flip in [false, true] {
                let mut out = vec![0.0; image.len()];
                padded_crop(&image, height, width, (top, left), flip, &mut out);
                all.push((out, flip));
            }
        }
    }
    let (mut seen, mut flips) = (BTreeSet::new(), 0);
    let mut rng = rng(0);
    for _ in 0..4000 {
        let mut out = vec![0.0; image.len()];
        augment(
            Augmentation::CropFlip,
            &image,
            height,
            width,
            &mut rng,
            &mut out,
        );
        let which = all.iter().position(|(expected, _)| *expected == out);
        let which = which.expect("no crop at offsets 0 to 8 looks like this");
        seen.insert(which);
        flips += usize::from(all[which].1);
    }
    assert_eq!(seen.len(), 162, "9 x 9 offsets, flipped or not");
    // Binomial(4000, 1/2): standard deviation 32.
    assert!((1840..=2160).contains(&flips), "{flips} of 4000 flipped");
}

/// Fails when crops leave the image, or their area, aspect and place miss torchvision's ranges.
#[test]
fn resized_crops_cover_torchvisions_ranges() {
    let (height, width) = (64, 64);
    let mut rng = rng(1);
    let mut areas = Vec::new();
    let (mut touches, mut aspects) = ([false; 4], Vec::new());
    for _ in 0..5000 {
        let crop = Crop::draw(height, width, &mut rng);
        assert!(crop.top + crop.height <= height && crop.left + crop.width <= width);
        areas.push((crop.height * crop.width) as f64 / (height * width) as f64);
        aspects.push(crop.width as f64 / crop.height as f64);
        touches[0] |= crop.top == 0;
        touches[1] |= crop.left == 0;
        touches[2] |= crop.top + crop.height == height;
        touches[3] |= crop.left + crop.width == width;
    }
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    // Sides are rounded to whole pixels: 18x18 is 0.079 of the area, and so on.
    assert!((0.07..0.1).contains(&least(&areas)) && most(&areas) > 0.95);
    assert!((0.70..0.78).contains(&least(&aspects)) && (1.28..1.42).contains(&most(&aspects)));
    assert_eq!(touches, [true; 4]);
    // Log-uniform: as many wider than high as the reverse (ties aside).
    let wider = aspects.iter().filter(|&&aspect| aspect > 1.0).count();
    let higher = aspects.iter().filter(|&&aspect| aspect < 1.0).count();
    assert!(
        wider.abs_diff(higher) < 350,
        "{wider} wider, {higher} higher"
    );
}

/// Fails when the fallback of an image too long for any crop is not torchvision's.
#[test]
fn too_long_an_image_is_cropped_in_the_middle() {
    assert_eq!(
        Crop::centre(30, 200),
        Crop {
            top: 0,
            left: 80,
            height: 30,
            width: 40
        }
    );
    assert_eq!(
        Crop::centre(200, 30),
        Crop {
            top: 80,
            left: 0,
            height: 40,
            width: 30
        }
    );
    assert_eq!(
        Crop::centre(64, 64),
        Crop {
            top: 0,
            left: 0,
            height: 64,
            width: 64
        }
    );
}

/// Fails when resizing is not Pillow's bilinear filter: the expected bytes are what
/// `Image.crop(window).resize((4, 4), BILINEAR)` of Pillow 13.0 gives.
#[test]
fn resized_crop_agrees_with_pillow() {
    let mut plane = vec![0_u8; 16];
    plane[5..7].copy_from_slice(&[10, 200]);
    plane[9..11].copy_from_slice(&[60, 120]);
    let image = [plane.clone(), plane.clone(), plane].concat();
    let resize = |crop, flip| {
        let mut out = vec![0.0; 48];
        resized_crop(&image, 4, 4, crop, flip, &mut out);
        let bytes: Vec<u8> = out
            .iter()
            .map(|value| (value * 255.0).round() as u8)
            .collect();
        assert_eq!(bytes[..16], bytes[16..32], "channels are treated alike");
        bytes[..16].to_vec()
    };
    let inner = Crop {
        top: 1,
        left: 1,
        height: 2,
        width: 2,
    };
    assert_eq!(resize(inner, false), PILLOW_ENLARGED);
    let mut flipped = PILLOW_ENLARGED;
    flipped.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    assert_eq!(resize(inner, true), flipped);
    let narrow = Crop {
        top: 0,
        left: 0,
        height: 4,
        width: 3,
    };
    assert_eq!(resize(narrow, false), PILLOW_WIDENED);
    let whole = Crop {
        top: 0,
        left: 0,
        height: 4,
        width: 4,
    };
    assert_eq!(resize(whole, false), image[..16]);
}

const PILLOW_ENLARGED: [u8; 16] = [
    10, 58, 153, 200, 23, 62, 141, 180, 48, 71, 117, 140, 60, 75, 105, 120,
];

const PILLOW_WIDENED: [u8; 16] = [0, 0, 0, 0, 0, 6, 81, 200, 0, 38, 83, 120, 0, 0, 0, 0];

/// Fails when a resized crop leaves [0, 1], is never flipped, or is not a function of the generator.
#[test]
fn resized_crop_is_repeatable_and_in_range() {
    let image: Vec<u8> = (0..CHANNELS * 256).map(|i| (i * 89 % 256) as u8).collect();
    for seed in 0..200 {
        let run = || {
            let mut out = vec![-1.0; image.len()];
            augment(
                Augmentation::ResizedCropFlip,
                &image,
                16,
                16,
                &mut rng(seed),
                &mut out,
            );
            out
        };
        let out = run();
        assert_eq!(out, run());
        assert!(out.iter().all(|value| (0.0..=1.0).contains(value)));
    }
    // Brightness that rises to the right tells a flip, whatever the crop.
    let slope: Vec<u8> = (0..CHANNELS * 256).map(|i| (i % 16 * 16) as u8).collect();
    let mut rng = rng(5);
    let flips = (0..2000)
        .filter(|_| {
            let mut out = vec![0.0; slope.len()];
            augment(
                Augmentation::ResizedCropFlip,
                &slope,
                16,
                16,
                &mut rng,
                &mut out,
            );
            out[0] > out[15]
        })
        .count();
    // Binomial(2000, 1/2): standard deviation 22.
    assert!((890..=1110).contains(&flips), "{flips} of 2000 flipped");
}
