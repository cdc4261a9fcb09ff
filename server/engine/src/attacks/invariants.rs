//! What must hold of every attack on every network, asserted on every evaluation and not in tests alone.
//!
//! - **No image leaves its ball or [0, 1]**: every adversarial image is checked ([`Ball::check`]).
//! - **Logits are numbers**: of every clean and every adversarial image.
//! - **Radius 0 gives clean accuracy**: on the first [`CHECKED`] images the attack is made once more with radius 0
//!   and a few steps, and no image's class may change.
//! - **The same image, another batch, the same answer**: the first [`CHECKED`] images are attacked once more in a
//!   batch of their own. On the CPU the adversarial images and their logits are the same to the last bit. A GPU
//!   may choose other kernels for another batch, which round otherwise, and an attack amplifies that: there the
//!   logits of the same image must agree to [`ROUNDING`].
//!
//! A breach is a mistake in an attack, a network or a device, and ends the evaluation: the number would be wrong.

use burn::tensor::Tensor;

use super::ball::rows;
use super::samples::select;
use super::{AttackError, Ball, Logits, Norm, Samples, Target, distance};

/// Images on which radius 0 and another batch are tried: so many that no pass is filled up with copies.
pub const CHECKED: usize = 8;

/// The most that another batch may change a logit where kernels differ by batch, relative to the largest logit of
/// the image. TF32 stays below it.
pub const ROUNDING: f32 = 2e-2;

/// Steps (or queries) of an attack of radius 0.
pub(super) const FEW_STEPS: usize = 3;

/// The rows of a first batch that are tried: its first ones, from last to first, so that none has its old place.
pub(super) fn checked_rows(batch: usize) -> Vec<usize> {
    (0..batch.min(CHECKED)).rev().collect()
}

/// Checks that logits are numbers, one row for each of `indices`.
pub(super) fn are_numbers(
    attack: &'static str,
    logits: &Logits,
    indices: &[usize],
) -> Result<(), AttackError> {
    match (0..logits.len()).find(|&row| logits.prediction(row).is_none()) {
        None => Ok(()),
        Some(row) => Err(AttackError::NotNumbers {
            attack,
            index: indices[row],
        }),
    }
}

/// Checks the images that an attack of radius 0 gave for `samples`, whose clean images have the classes `clean`.
pub(super) fn radius_zero(
    attack: &'static str,
    ball: Ball,
    target: &Target,
    samples: &Samples,
    clean: &[Option<u32>],
    adversarial: &Tensor<4>,
) -> Result<(), AttackError> {
    let logits = target.logits(adversarial.clone())?;
    let (before, after) = (rows(samples.images().clone()), rows(adversarial.clone()));
    for (row, &index) in samples.indices().iter().enumerate() {
        let found = logits.prediction(row);
        if found != clean[row] {
            return Err(AttackError::EpsilonZero {
                attack,
                index,
                clean: clean[row],
                found,
                distance: distance(Norm::Linf, &before[row], &after[row]),
            });
        }
        ball.with_epsilon_zero()
            .check(attack, index, &before[row], &after[row])?;
    }
    Ok(())
}

/// An attack's answer for a batch: the adversarial images and their logits.
pub(super) struct Answer {
    pub(super) attack: &'static str,
    pub(super) images: Tensor<4>,
    pub(super) logits: Logits,
}

/// Checks that an attack's answer does not depend on the batch: for the rows `rows_checked`, `again` holds its images in
/// a batch of their own. The logits of the whole batch's images must be the same in a batch of their own, within rounding
/// where the target is not exact; where it is, `again` must equal those images.
pub(super) fn other_batch(
    whole: &Answer,
    target: &Target,
    samples: &Samples,
    rows_checked: &[usize],
    again: &Tensor<4>,
) -> Result<(), AttackError> {
    let breach = |row: usize, what: &'static str, difference: f64| AttackError::OtherBatch {
        attack: whole.attack,
        index: samples.indices()[row],
        what,
        difference,
    };
    let same = select(&whole.images, rows_checked);
    let logits = target.logits(same.clone())?;
    for (place, &row) in rows_checked.iter().enumerate() {
        let (own_logits, whole_logits) = (logits.row(place), whole.logits.row(row));
        let largest = whole_logits
            .iter()
            .fold(0.0_f32, |most, z| most.max(z.abs()));
        let difference = distance(Norm::Linf, own_logits, whole_logits);
        let allowed = if target.is_exact() { 0.0 } else { ROUNDING };
        if difference > f64::from(allowed * largest) {
            return Err(breach(row, "logits", difference));
        }
    }
    if target.is_exact() {
        let (same, again) = (rows(same), rows(again.clone()));
        for (place, &row) in rows_checked.iter().enumerate() {
            if same[place] != again[place] {
                let distance = distance(Norm::Linf, &same[place], &again[place]);
                return Err(breach(row, "values in [0, 1]", distance));
            }
        }
    }
    Ok(())
}
