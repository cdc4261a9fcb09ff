//! Inference about means by Student's t: one sample, two (Welch 1947), or pairs.

use super::distributions::{student_reach, student_two_sided};
use super::mean_and_deviation;

/// The result of a Student t test of an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inference {
    /// The mean, or the difference of means, in the unit of the values.
    pub estimate: f64,
    /// Its standard error, in the same unit; 0 for values without any spread.
    pub standard_error: f64,
    /// Degrees of freedom, above 0; those of Welch's test are rarely whole.
    pub degrees_of_freedom: f64,
    /// Confidence interval of the estimate, in the same unit, low end first; a point for values
    /// without any spread.
    pub interval: [f64; 2],
    /// Two-sided p-value, within [0, 1]; absent for values without any spread, which say nothing of
    /// how far chance reaches.
    pub p: Option<f64>,
    /// The number of values: in one sample, in both samples together, or of pairs.
    pub n: u32,
}

/// The mean of values against a hypothesised mean, with an interval of the given confidence
/// (within (0, 1)). `None` below 2 values or for input that is not finite.
pub fn one_sample(values: &[f64], hypothesised_mean: f64, confidence: f64) -> Option<Inference> {
    let n = u32::try_from(values.len()).ok()?;
    let (mean, deviation) = mean_and_deviation(values)?;
    let standard_error = deviation / f64::from(n).sqrt();
    infer(
        mean,
        hypothesised_mean,
        standard_error,
        f64::from(n - 1),
        confidence,
        n,
    )
}

/// How much larger the mean of the first values is than that of the second, against no difference,
/// for variances that may differ (Welch's test, with the degrees of freedom of Welch and
/// Satterthwaite) and an interval of the given confidence (within (0, 1)). `None` below 2 values
/// on either side or for input that is not finite.
pub fn welch(first: &[f64], second: &[f64], confidence: f64) -> Option<Inference> {
    let (first_mean, first_deviation) = mean_and_deviation(first)?;
    let (second_mean, second_deviation) = mean_and_deviation(second)?;
    let first_share = first_deviation.powi(2) / first.len() as f64;
    let second_share = second_deviation.powi(2) / second.len() as f64;
    let variance = first_share + second_share;
    let all = first.len() + second.len();
    let degrees_of_freedom = if variance == 0.0 {
        (all - 2) as f64
    } else {
        // In shares of the variance, which do not underflow when squared.
        1.0 / ((first_share / variance).powi(2) / (first.len() - 1) as f64
            + (second_share / variance).powi(2) / (second.len() - 1) as f64)
    };
    infer(
        first_mean - second_mean,
        0.0,
        variance.sqrt(),
        degrees_of_freedom,
        confidence,
        u32::try_from(all).ok()?,
    )
}

/// The mean of first minus second within pairs (values of the same place), against no difference,
/// with an interval of the given confidence (within (0, 1)). `None` below 2 pairs, for lengths
/// that differ, or for input that is not finite.
pub fn paired(first: &[f64], second: &[f64], confidence: f64) -> Option<Inference> {
    one_sample(&differences(first, second)?, 0.0, confidence)
}

/// First minus second within pairs; `None` for lengths that differ and for infinite values.
///
/// Differences that vary by no more than the rounding of the values are made equal, as 0.4 - 0.3
/// and 0.3 - 0.2 should be.
pub fn differences(first: &[f64], second: &[f64]) -> Option<Vec<f64>> {
    if first.len() != second.len() {
        return None;
    }
    let differences: Vec<f64> = first
        .iter()
        .zip(second)
        .map(|(first, second)| first - second)
        .collect();
    let largest = first
        .iter()
        .chain(second)
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    if !largest.is_finite() {
        return None;
    }
    let one = *differences.first().unwrap_or(&0.0);
    let rounding = 4.0 * f64::EPSILON * largest;
    if differences
        .iter()
        .all(|difference| (difference - one).abs() <= rounding)
    {
        // No difference at all is exactly 0, however the values are rounded.
        let one = if one.abs() <= rounding { 0.0 } else { one };
        return Some(vec![one; differences.len()]);
    }
    Some(differences)
}

fn infer(
    estimate: f64,
    hypothesis: f64,
    standard_error: f64,
    degrees_of_freedom: f64,
    confidence: f64,
    n: u32,
) -> Option<Inference> {
    let reach = student_reach(confidence, degrees_of_freedom)? * standard_error;
    let distance = Some(estimate - hypothesis).filter(|distance| distance.is_finite())?;
    let p = if standard_error == 0.0 {
        None
    } else {
        let statistic = distance / standard_error;
        Some(student_two_sided(statistic, degrees_of_freedom)?)
    };
    let interval = [estimate - reach, estimate + reach];
    interval
        .iter()
        .all(|end| end.is_finite())
        .then_some(Inference {
            estimate,
            standard_error,
            degrees_of_freedom,
            interval,
            p,
            n,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::normal_quantile;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const FIRST: [f64; 5] = [0.71, 0.74, 0.69, 0.78, 0.73];
    const SECOND: [f64; 6] = [0.65, 0.70, 0.62, 0.71, 0.69, 0.60];

    fn assert_close(found: Option<Inference>, expected: Inference) {
        let found = found.unwrap();
        assert_eq!(found.n, expected.n);
        let numbers = |inference: Inference| {
            let [low, high] = inference.interval;
            [
                inference.estimate,
                inference.standard_error,
                inference.degrees_of_freedom,
                low,
                high,
                inference.p.unwrap(),
            ]
        };
        for (number, expected) in numbers(found).iter().zip(numbers(expected)) {
            assert!(
                (number - expected).abs() < 1e-9,
                "{found:?} is not {expected:?}"
            );
        }
    }

    /// scipy.stats.ttest_1samp(FIRST, 0.7), its confidence_interval(0.95), and sem(FIRST). Broken
    /// by: the divisor n, a normal interval, a one-sided p, or a hypothesis that is not taken away.
    #[test]
    fn one_sample_is_scipys() {
        assert_close(
            one_sample(&FIRST, 0.7, 0.95),
            Inference {
                estimate: 0.73,
                standard_error: 0.015165750888103116,
                degrees_of_freedom: 4.0,
                interval: [0.687893125180077, 0.772106874819923],
                p: Some(0.11905454406062943),
                n: 5,
            },
        );
    }

    /// scipy.stats.ttest_ind(FIRST, SECOND, equal_var=False), and its confidence_interval(0.95).
    /// Broken by: pooled variances, degrees of freedom of n1 + n2 - 2 or in whole numbers, or the
    /// other sign.
    #[test]
    fn welch_is_scipys() {
        assert_close(
            welch(&FIRST, &SECOND, 0.95),
            Inference {
                estimate: 0.06833333333333325,
                standard_error: 0.023932776223785195,
                degrees_of_freedom: 8.933436313944068,
                interval: [0.014132077420834985, 0.12253458924583151],
                p: Some(0.01906645542930897),
                n: 11,
            },
        );
    }

    /// scipy.stats.ttest_rel(FIRST, SECOND[:5]), and its confidence_interval(0.9). Broken by: a test
    /// of two samples, a confidence other than the given one, or the other sign.
    #[test]
    fn paired_is_scipys() {
        assert_close(
            paired(&FIRST, &SECOND[..5], 0.9),
            Inference {
                estimate: 0.056,
                standard_error: 0.006782329983125258,
                degrees_of_freedom: 4.0,
                interval: [0.041541111621667536, 0.07045888837833247],
                p: Some(0.0011738040715128294),
                n: 5,
            },
        );
    }

    /// Breaks when there is 0 / 0, a p of 0 or 1 from values that say nothing of chance, or rounding that is taken for spread
    /// (0.1 + 0.1 + 0.1 is not 0.3, and 0.4 - 0.3 is not 0.3 - 0.2).
    #[test]
    fn values_without_spread_have_a_point_and_no_p() {
        let point = |found: Option<Inference>| {
            let found = found.unwrap();
            assert_eq!((found.standard_error, found.p), (0.0, None));
            assert_eq!(found.interval, [found.estimate; 2]);
            (found.estimate, found.degrees_of_freedom)
        };
        assert_eq!(point(one_sample(&[0.1; 3], 0.1, 0.95)), (0.1, 2.0));
        assert_eq!(point(one_sample(&[0.1; 3], 0.2, 0.95)), (0.1, 2.0));
        assert_eq!(point(welch(&[0.1; 3], &[0.1; 4], 0.95)), (0.0, 5.0));
        assert_eq!(point(welch(&[0.5; 3], &[0.25; 4], 0.95)), (0.25, 5.0));
        assert_eq!(point(paired(&FIRST, &FIRST, 0.95)), (0.0, 4.0));
        let (estimate, _) = point(paired(&[0.4, 0.3, 0.2], &[0.3, 0.2, 0.1], 0.95));
        assert!((estimate - 0.1).abs() < 1e-12);
        let (estimate, _) = point(paired(&[0.1 + 0.2, 0.5], &[0.3, 0.5], 0.95));
        assert_eq!(estimate, 0.0);
    }

    /// Spread on one side only leaves the degrees of freedom of that side. Broken by: 0 / 0.
    #[test]
    fn welch_takes_one_side_without_spread() {
        let found = welch(&FIRST, &[0.7; 4], 0.95).unwrap();
        let alone = one_sample(&FIRST, 0.7, 0.95).unwrap();
        assert!((found.degrees_of_freedom - 4.0).abs() < 1e-12);
        assert!((found.p.unwrap() - alone.p.unwrap()).abs() < 1e-12);
    }

    /// Broken by: a panic, or a NaN where there is no answer.
    #[test]
    fn bad_input_has_no_answer() {
        let bad = [f64::NAN, 0.1, 0.2];
        for confidence in [0.0, 1.0, 95.0, f64::NAN] {
            assert_eq!(one_sample(&FIRST, 0.0, confidence), None);
        }
        for hypothesis in [f64::NAN, f64::INFINITY] {
            assert_eq!(one_sample(&FIRST, hypothesis, 0.95), None);
        }
        for values in [&[][..], &[0.5], &bad, &[f64::MAX, f64::MIN]] {
            assert_eq!(one_sample(values, 0.0, 0.95), None);
            assert_eq!(welch(values, &FIRST, 0.95), None);
            assert_eq!(welch(&FIRST, values, 0.95), None);
        }
        assert_eq!(paired(&bad, &FIRST[..3], 0.95), None);
        assert_eq!(paired(&[0.5, f64::INFINITY], &[0.5, 0.5], 0.95), None);
        assert_eq!(paired(&[0.5], &[0.4], 0.95), None);
        assert_eq!(paired(&[], &[], 0.95), None);
        assert_eq!(paired(&FIRST, &SECOND, 0.95), None);
    }

    /// The share of 20,000 samples of normal values whose interval holds the true mean (or
    /// difference of means) is 95 %, give or take 0.6 points (4 standard errors); Welch's, which
    /// is approximate, 1 point. Broken by: a normal interval (88 % with 5 values), or one of
    /// another level.
    #[test]
    fn intervals_hold_the_true_mean_as_often_as_they_say() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut normal = |n: usize, deviation: f64| -> Vec<f64> {
            (0..n)
                .map(|_| deviation * normal_quantile(random.random_range(1e-9..1.0)).unwrap())
                .collect()
        };
        let (mut held, mut held_by_welch) = (0, 0);
        for _ in 0..20_000 {
            let holds = |found: Option<Inference>| {
                let [low, high] = found.unwrap().interval;
                u32::from(low <= 0.0 && 0.0 <= high)
            };
            let (first, second) = (normal(5, 1.0), normal(8, 3.0));
            held += holds(one_sample(&first, 0.0, 0.95));
            held_by_welch += holds(welch(&first, &second, 0.95));
        }
        assert!(held.abs_diff(19_000) < 120, "{held}");
        assert!(held_by_welch.abs_diff(19_000) < 200, "{held_by_welch}");
    }
}
