//! Which training images are held out for validation: stratified, and drawn anew for each seed.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::DataError;

/// ChaCha stream of the split, so that it shares no random number with whatever else a run draws
/// from the same seed. Changing it changes every split.
const SPLIT_STREAM: u64 = 0x0053_504c_4954;

/// Indices into the training images; the two never share one. Each in increasing order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Images to train on.
    pub train: Vec<usize>,
    /// Images to choose the best epoch with.
    pub validation: Vec<usize>,
}

/// Holds `validation_per_class` images of every class out, and trains on `train_per_class` of those
/// that are left, or on all of them. `labels` are those of the published training images.
///
/// The draw depends on `seed`, the labels and the class count alone: the validation images are the
/// same whatever `train_per_class` is (Leavitt & Morcos 2020: held out anew for each seed).
///
/// # Errors
/// [`DataError::TooFewImages`] when a class cannot give that many; at least one image of each class
/// must be left to train on. [`DataError::LabelOutOfRange`] when a label is not below `classes`.
pub fn split(
    labels: &[u32],
    classes: usize,
    seed: u64,
    validation_per_class: usize,
    train_per_class: Option<usize>,
) -> Result<Split, DataError> {
    let mut by_class = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        match by_class.get_mut(label as usize) {
            Some(members) => members.push(index),
            None => {
                return Err(DataError::LabelOutOfRange {
                    index,
                    label,
                    classes,
                });
            }
        }
    }

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(SPLIT_STREAM);
    let mut train = Vec::new();
    let mut validation = Vec::new();
    for (class, mut members) in (0..).zip(by_class) {
        let left = members.len().checked_sub(validation_per_class);
        let wanted = train_per_class.unwrap_or(1);
        let Some(left) = left.filter(|&left| left >= wanted) else {
            return Err(DataError::TooFewImages {
                class,
                found: members.len(),
                validation: validation_per_class,
                train: wanted,
            });
        };
        members.shuffle(&mut rng);
        let (held_out, rest) = members.split_at(validation_per_class);
        validation.extend_from_slice(held_out);
        train.extend_from_slice(&rest[..train_per_class.unwrap_or(left)]);
    }
    train.sort_unstable();
    validation.sort_unstable();
    Ok(Split { train, validation })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 20 images of each of 3 classes, interleaved.
    fn labels() -> Vec<u32> {
        (0..60).map(|index| index % 3).collect()
    }

    fn per_class(labels: &[u32], indices: &[usize]) -> [usize; 3] {
        let mut counts = [0; 3];
        for &index in indices {
            counts[labels[index] as usize] += 1;
        }
        counts
    }

    /// Fails when an image is in both parts, is lost, or when a class gives more than its share.
    #[test]
    fn parts_are_disjoint_stratified_and_complete() {
        let labels = labels();
        let parts = split(&labels, 3, 7, 5, None).unwrap();
        assert_eq!(per_class(&labels, &parts.validation), [5; 3]);
        assert_eq!(per_class(&labels, &parts.train), [15; 3]);
        let all: BTreeSet<_> = parts.train.iter().chain(&parts.validation).collect();
        assert_eq!(all.len(), 60);
    }

    /// Fails when the seed is ignored, when the draw is not repeatable, or when asking for fewer
    /// training images changes what is held out.
    #[test]
    fn draw_depends_on_the_seed_alone() {
        let labels = labels();
        let one = split(&labels, 3, 1, 5, None).unwrap();
        assert_eq!(one, split(&labels, 3, 1, 5, None).unwrap());
        assert_ne!(
            one.validation,
            split(&labels, 3, 2, 5, None).unwrap().validation
        );
        let fewer = split(&labels, 3, 1, 5, Some(4)).unwrap();
        assert_eq!(fewer.validation, one.validation);
        assert_eq!(per_class(&labels, &fewer.train), [4; 3]);
    }

    /// Fails when every image is not held out about as often as any other (a biased draw).
    #[test]
    fn every_image_is_held_out_for_some_seed() {
        let labels = labels();
        let mut times = vec![0_u32; labels.len()];
        for seed in 0..400 {
            for index in split(&labels, 3, seed, 5, None).unwrap().validation {
                times[index] += 1;
            }
        }
        // Binomial(400, 1/4): mean 100, standard deviation 8.7; 5 of those is beyond chance.
        assert!(
            times.iter().all(|&count| (56..=144).contains(&count)),
            "{times:?}"
        );
    }

    /// Fails when a class that is too small is cut short in silence, or the error hides which one.
    #[test]
    fn too_small_a_class_is_named() {
        let mut labels = labels();
        labels.retain({
            let mut seen = 0;
            move |&label| {
                seen += u32::from(label == 1);
                label != 1 || seen <= 6
            }
        });
        let error = split(&labels, 3, 0, 5, Some(4)).unwrap_err();
        assert!(matches!(
            error,
            DataError::TooFewImages {
                class: 1,
                found: 6,
                validation: 5,
                train: 4
            }
        ));
        assert!(error.to_string().contains("class 1") && error.to_string().contains("has 6"));
        // Holding everything out leaves nothing to train on.
        assert!(split(&labels, 3, 0, 6, None).is_err());
        assert!(split(&labels, 3, 0, 5, None).is_ok());
    }

    /// Fails when a label beyond the class count is dropped in silence.
    #[test]
    fn label_out_of_range_is_refused() {
        assert!(matches!(
            split(&[0, 1, 2], 2, 0, 0, None),
            Err(DataError::LabelOutOfRange {
                index: 2,
                label: 2,
                classes: 2
            })
        ));
    }
}
