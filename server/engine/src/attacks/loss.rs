//! The losses that attacks climb: functions of one image's logits, with their gradients with respect to the logits.
//!
//! They are computed on the host in `f64`: logits are few, and an image's loss then depends on nothing
//! but its own logits. All of them grow as the network gets worse. [`gradient_at_logits`] is the exception: on a GPU,
//! reading logits for each step of PGD would have the device wait for the host.

use burn::tensor::{Int, Tensor, TensorData};

use super::AttackError;

/// A loss of logits `z` with label `y`, to be made large. Targets are one class an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss<'a> {
    /// `-log softmax(z)_y`, in nats.
    CrossEntropy,
    /// The difference of logits ratio of Croce & Hein 2020 ("Reliable evaluation of adversarial robustness
    /// with an ensemble of diverse parameter-free attacks", equation 6): `-(z_y - max_{i != y} z_i) / (z_1st - z_3rd)`.
    /// Unlike cross-entropy it does not change when all logits are shifted or scaled.
    Dlr,
    /// The same towards a target `t` (ibid., equation 7): `-(z_y - z_t) / (z_1st - (z_3rd + z_4th) / 2)`.
    TargetedDlr(&'a [u32]),
    /// `z_t - z_y`: negative where the label wins over the target, zero on the boundary between them.
    Difference(&'a [u32]),
}

/// Keeps DLR's quotient finite where the largest logits are equal, as in its authors' definition.
const TINY: f64 = 1e-12;

impl Loss<'_> {
    /// What it is called in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Loss::CrossEntropy => "cross-entropy",
            Loss::Dlr => "the DLR loss",
            Loss::TargetedDlr(_) => "the targeted DLR loss",
            Loss::Difference(_) => "the logit difference",
        }
    }

    /// Fewest classes for which it is defined.
    pub fn classes_needed(&self) -> usize {
        match self {
            Loss::CrossEntropy => 1,
            Loss::Dlr => 3,
            Loss::TargetedDlr(_) => 4,
            Loss::Difference(_) => 2,
        }
    }

    fn targets(&self) -> Option<&[u32]> {
        match self {
            Loss::TargetedDlr(targets) | Loss::Difference(targets) => Some(targets),
            _ => None,
        }
    }

    /// Checks that the loss is defined for this many images and classes with these labels.
    ///
    /// # Errors
    /// Too few classes; labels or targets that are no classes, or not one an image.
    pub(super) fn check(
        &self,
        labels: &[u32],
        images: usize,
        classes: usize,
    ) -> Result<(), AttackError> {
        if classes < self.classes_needed() {
            return Err(AttackError::TooFewClasses {
                attack: self.name(),
                needed: self.classes_needed(),
                classes,
            });
        }
        check_labels("labels", labels, images, classes)?;
        match self.targets() {
            Some(targets) => check_labels("targets", targets, images, classes),
            None => Ok(()),
        }
    }

    /// The loss of image `row` of the batch with these logits, and its gradient written over `gradient`; both have
    /// one value per class.
    pub(super) fn value_and_gradient(
        &self,
        row: usize,
        logits: &[f32],
        label: u32,
        gradient: &mut [f32],
    ) -> f64 {
        let label = label as usize;
        let z = |class: usize| f64::from(logits[class]);
        gradient.fill(0.0);
        match *self {
            Loss::CrossEntropy => {
                let top = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
                let terms = || {
                    logits
                        .iter()
                        .map(|&v| (f64::from(v) - f64::from(top)).exp())
                };
                let sum: f64 = terms().sum();
                for (value, term) in gradient.iter_mut().zip(terms()) {
                    *value = (term / sum) as f32;
                }
                // 1 - p_y as the sum of the others: a confident network's gradient is not rounded away.
                let others: f64 = terms()
                    .enumerate()
                    .filter(|&(class, _)| class != label)
                    .map(|(_, term)| term)
                    .sum();
                gradient[label] = -(others / sum) as f32;
                sum.ln() + f64::from(top) - z(label)
            }
            Loss::Dlr => {
                let order = descending(logits);
                let other = order[usize::from(order[0] == label)];
                let parts = [(order[0], 1.0), (order[2], -1.0)];
                ratio(logits, (other, label), &parts, gradient)
            }
            Loss::TargetedDlr(targets) => {
                let order = descending(logits);
                let parts = [(order[0], 1.0), (order[2], -0.5), (order[3], -0.5)];
                ratio(logits, (targets[row] as usize, label), &parts, gradient)
            }
            Loss::Difference(targets) => {
                let target = targets[row] as usize;
                gradient[target] += 1.0;
                gradient[label] -= 1.0;
                z(target) - z(label)
            }
        }
    }
}

/// The gradient of each image's cross-entropy at its logits, `[batch, classes]`, with one label an image, each of them a class:
/// what [`Loss::CrossEntropy`] gives, in `f32` and where the logits are.
pub(crate) fn gradient_at_logits(logits: Tensor<2>, labels: &[u32]) -> Tensor<2> {
    let [batch, classes] = logits.dims();
    let device = logits.device();
    let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [batch, 1]), &device);
    let all = Tensor::<1, Int>::arange(0..classes as i64, &device).reshape([1, classes]);
    let is_label = labels
        .expand([batch, classes])
        .equal(all.expand([batch, classes]));
    let terms = (logits.clone() - logits.max_dim(1)).exp();
    let sum = terms.clone().sum_dim(1);
    let others = terms.mask_fill(is_label.clone(), 0.0) / sum;
    // 1 - p_y as the sum of the others: a confident network's gradient is not rounded away.
    let at_label = others.clone().sum_dim(1).neg().expand([batch, classes]);
    others.mask_where(is_label, at_label)
}

/// `(z_a - z_b) / (sum of weight x z over parts + TINY)` and its gradient.
fn ratio(
    logits: &[f32],
    (a, b): (usize, usize),
    parts: &[(usize, f64)],
    gradient: &mut [f32],
) -> f64 {
    let z = |class: usize| f64::from(logits[class]);
    let below = parts
        .iter()
        .map(|&(class, weight)| weight * z(class))
        .sum::<f64>()
        + TINY;
    let value = (z(a) - z(b)) / below;
    gradient[a] += (1.0 / below) as f32;
    gradient[b] -= (1.0 / below) as f32;
    for &(class, weight) in parts {
        gradient[class] -= (value * weight / below) as f32;
    }
    value
}

/// Classes by logit, largest first; equal ones in their order.
pub(super) fn descending(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order
}

/// `z_y - max_{i != y} z_i`: positive where the label wins. Not a number where any logit is none.
pub(super) fn margin(logits: &[f32], label: u32) -> f32 {
    let others = logits
        .iter()
        .enumerate()
        .filter(|&(class, _)| class != label as usize)
        .map(|(_, &value)| value);
    let best = others.fold(f32::NEG_INFINITY, |best, value| {
        if value.is_nan() || best.is_nan() {
            f32::NAN
        } else {
            best.max(value)
        }
    });
    logits[label as usize] - best
}

/// Whether there is one label for each image, and each is a class.
pub(super) fn check_labels(
    what: &'static str,
    labels: &[u32],
    images: usize,
    classes: usize,
) -> Result<(), AttackError> {
    if labels.len() != images {
        return Err(AttackError::Count {
            what,
            found: labels.len(),
            expected: images,
        });
    }
    match labels.iter().position(|&label| label as usize >= classes) {
        None => Ok(()),
        Some(row) => Err(AttackError::Label {
            row,
            label: labels[row],
            classes,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [2.0, -1.0, 5.0, 0.5, 1.0];

    fn value(loss: Loss, logits: &[f32], label: u32) -> f64 {
        loss.value_and_gradient(0, logits, label, &mut vec![0.0; logits.len()])
    }

    /// Breaks when DLR takes other ranks than the authors' equations 6 and 7.
    #[test]
    fn losses_of_known_logits() {
        let close = |computed: f64, known: f64| {
            assert!((computed - known).abs() < 1e-9, "{computed} {known}")
        };
        // Ranked: 5, 2, 1, 0.5, -1. Right: the best other is 2. Wrong: the best other is 5.
        close(value(Loss::Dlr, &LOGITS, 2), -(5.0 - 2.0) / (5.0 - 1.0));
        close(value(Loss::Dlr, &LOGITS, 0), -(2.0 - 5.0) / (5.0 - 1.0));
        close(
            value(Loss::TargetedDlr(&[3]), &LOGITS, 2),
            -(5.0 - 0.5) / (5.0 - 0.75),
        );
        close(value(Loss::Difference(&[1]), &LOGITS, 0), -3.0);
        close(value(Loss::CrossEntropy, &[0.0, 0.0], 1), 2.0_f64.ln());
        let shifted: Vec<f32> = LOGITS.iter().map(|v| v * 8.0 + 16.0).collect();
        close(value(Loss::Dlr, &shifted, 2), value(Loss::Dlr, &LOGITS, 2));
        assert_eq!(margin(&LOGITS, 2), 3.0);
        assert_eq!(margin(&LOGITS, 0), -3.0);
        assert!(margin(&[f32::NAN, 1.0], 1).is_nan());
    }

    /// Breaks when a loss's gradient is not that of its value (against differences).
    #[test]
    fn gradients_are_those_of_the_values() {
        for loss in [
            Loss::CrossEntropy,
            Loss::Dlr,
            Loss::TargetedDlr(&[3]),
            Loss::Difference(&[3]),
        ] {
            for label in [0, 2] {
                let mut gradient = [0.0; 5];
                loss.value_and_gradient(0, &LOGITS, label, &mut gradient);
                for class in 0..5 {
                    let moved = |change: f32| {
                        let mut logits = LOGITS;
                        logits[class] += change;
                        value(loss, &logits, label)
                    };
                    let step = 1.0 / 256.0;
                    let known = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                    assert!(
                        (f64::from(gradient[class]) - known).abs() < 1e-4,
                        "{loss:?} {label} {class}: {} {known}",
                        gradient[class]
                    );
                }
            }
        }
    }

    /// Breaks when a confident network's cross-entropy gradient is rounded to zero.
    #[test]
    fn a_confident_networks_gradient_is_kept() {
        let mut gradient = [0.0; 2];
        Loss::CrossEntropy.value_and_gradient(0, &[40.0, 0.0], 0, &mut gradient);
        assert!(
            gradient[0] < 0.0 && gradient[0] + gradient[1] == 0.0,
            "{gradient:?}"
        );
    }

    /// Breaks when the device's gradient of the cross-entropy is not the host's, or a confident network's is rounded to zero.
    #[test]
    fn the_devices_gradient_is_the_hosts() {
        let logits = [
            LOGITS,
            [40.0, 0.0, 1.0, -3.0, 2.0],
            [-90.0, 1e4, 0.0, 5.0, 5.0],
        ];
        let labels = [2, 0, 0];
        let device = burn::tensor::Device::flex();
        let found = gradient_at_logits(Tensor::from_floats(logits, &device), &labels);
        let found = crate::base::host::host(found);
        for (row, (logits, &label)) in logits.iter().zip(&labels).enumerate() {
            let mut expected = [0.0; 5];
            Loss::CrossEntropy.value_and_gradient(row, logits, label, &mut expected);
            for (found, expected) in found[row * 5..].iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= 1e-6 * expected.abs(),
                    "{row}: {found} {expected}"
                );
            }
        }
        assert!(found[5] < 0.0 && found[5] > -1e-15);
    }

    /// Breaks when labels that are no classes, or too few classes, are accepted.
    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Loss::Dlr.check(&[0, 2], 2, 3).is_ok());
        assert!(matches!(
            Loss::TargetedDlr(&[0]).check(&[1], 1, 3),
            Err(AttackError::TooFewClasses { needed: 4, .. })
        ));
        assert!(matches!(
            Loss::CrossEntropy.check(&[0, 3], 2, 3),
            Err(AttackError::Label {
                row: 1,
                label: 3,
                ..
            })
        ));
        assert!(matches!(
            Loss::Difference(&[0]).check(&[0, 1], 2, 3),
            Err(AttackError::Count {
                what: "targets",
                ..
            })
        ));
    }
}
