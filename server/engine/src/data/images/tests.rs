//! The checks and numbers of an image set.

use super::*;

/// Fails when arrays that do not belong together become a set, which would show wrong pixels.
#[test]
fn only_matching_arrays_make_a_set() {
    assert!(ImageSet::new(vec![0; 24], vec![0, 1], 2, 2).is_ok());
    for (pixels, labels, height, width) in [
        (23, 2, 2, 2),
        (24, 1, 2, 2),
        (24, 2, 2, 3),
        (0, 2, 0, 2),
        (24, 2, usize::MAX, 2),
    ] {
        let set = ImageSet::new(vec![0; pixels], vec![0; labels], height, width);
        assert!(matches!(set, Err(DataError::Inconsistent { .. })));
    }
}

/// Fails when images are cut at the wrong place, or a subset mixes images and labels.
#[test]
fn images_and_subsets_are_the_right_bytes() {
    let set = ImageSet::new((0..18).collect(), vec![7, 8, 9], 1, 2).unwrap();
    assert_eq!(set.image(1), [6, 7, 8, 9, 10, 11]);
    let subset = set.subset(&[2, 0]);
    assert_eq!((subset.labels(), subset.len()), (&[9, 7][..], 2));
    assert_eq!(subset.image(0), set.image(2));
    assert_eq!(subset.image(1), set.image(0));
}

/// Fails when channels are mixed up, or the numbers are not mean and deviation over all pixels.
#[test]
fn channel_statistics_are_what_the_hand_computes() {
    // Red: 0, 255, 0, 255. Green: 51 throughout. Blue: 0, 0, 0, 255.
    let pixels = vec![0, 255, 51, 51, 0, 0, 0, 255, 51, 51, 0, 255];
    let (mean, std) = ImageSet::new(pixels, vec![0, 1], 1, 2)
        .unwrap()
        .channel_statistics();
    assert_eq!(mean, [0.5, 0.2, 0.25]);
    assert_eq!(std[0], 0.5);
    assert!(
        std[1] > 0.0 && std[1] < 0.002,
        "a channel that never varies can be divided by"
    );
    assert!((std[2] - 0.1875_f32.sqrt()).abs() < 1e-6);
}
