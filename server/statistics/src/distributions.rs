//! The two reference distributions, the standard normal and Student's t, for numbers that may be
//! anything.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Degrees of freedom from which a quantile of Student's t is taken from its expansion around the
/// normal one, whose terms left out are below 1e-12 there. statrs' quantile is wrong in the eighth
/// digit from 20,000 degrees of freedom and in the second at 10 million.
const MANY_DEGREES_OF_FREEDOM: f64 = 1_000.0;

/// The standard normal's share below `z`.
pub(super) fn normal_share(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The standard normal's quantile: minus infinity at a share of 0, infinity at 1. `None` outside
/// of [0, 1].
pub(super) fn normal_quantile(share: f64) -> Option<f64> {
    (0.0..=1.0)
        .contains(&share)
        .then(|| Normal::standard().inverse_cdf(share))
}

/// How many standard errors a two-sided normal interval reaches to either side. `None` unless
/// 0 < confidence < 1.
pub(super) fn normal_reach(confidence: f64) -> Option<f64> {
    is_confidence(confidence).then(|| Normal::standard().inverse_cdf(0.5 + confidence / 2.0))
}

/// How many standard errors a two-sided interval of Student's t reaches to either side. `None`
/// unless 0 < confidence < 1 and there are degrees of freedom.
pub fn student_reach(confidence: f64, degrees_of_freedom: f64) -> Option<f64> {
    if !is_confidence(confidence) {
        return None;
    }
    if degrees_of_freedom >= MANY_DEGREES_OF_FREEDOM {
        return Some(student_of_normal(
            normal_reach(confidence)?,
            degrees_of_freedom,
        ));
    }
    let student = StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()?;
    Some(student.inverse_cdf(0.5 + confidence / 2.0))
}

/// The probability of a statistic at least as far from 0 under Student's t. `None` without degrees
/// of freedom or for a statistic that is NaN.
pub(super) fn student_two_sided(statistic: f64, degrees_of_freedom: f64) -> Option<f64> {
    if statistic.is_nan() {
        return None;
    }
    let student = StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()?;
    Some((2.0 * student.sf(statistic.abs())).clamp(0.0, 1.0))
}

fn is_confidence(confidence: f64) -> bool {
    0.0 < confidence && confidence < 1.0
}

/// Student's t of the share that has the normal quantile `z` (Abramowitz & Stegun 1964, 26.7.5).
fn student_of_normal(z: f64, degrees_of_freedom: f64) -> f64 {
    let square = z * z;
    let first = (square + 1.0) / 4.0;
    let second = ((5.0 * square + 16.0) * square + 3.0) / 96.0;
    let third = (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0;
    let fourth = ((((79.0 * square + 776.0) * square + 1482.0) * square - 1920.0) * square - 945.0)
        / 92160.0;
    let inverse = 1.0 / degrees_of_freedom;
    z * (1.0 + inverse * (first + inverse * (second + inverse * (third + inverse * fourth))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64, tolerance: f64) {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs(),
            "{found} is not {expected}"
        );
    }

    /// scipy.stats.norm.cdf([-5, -1, 0.3]), norm.ppf([1e-4, 0.025, 0.7]), norm.ppf([0, 1]).
    /// Broken by: the other tail, or a panic at the ends or outside of them.
    #[test]
    fn normal_shares_and_quantiles_are_scipys() {
        assert_close(normal_share(-5.0), 2.866515718791933e-07, 1e-10);
        assert_close(normal_share(-1.0), 0.15865525393145707, 1e-10);
        assert_close(normal_share(0.3), 0.6179114221889526, 1e-10);
        assert_close(normal_quantile(0.0001).unwrap(), -3.7190164854556804, 1e-10);
        assert_close(normal_quantile(0.025).unwrap(), -1.9599639845400545, 1e-10);
        assert_close(normal_quantile(0.7).unwrap(), 0.5244005127080407, 1e-10);
        assert_eq!(normal_quantile(0.5), Some(0.0));
        assert_eq!(normal_quantile(0.0), Some(f64::NEG_INFINITY));
        assert_eq!(normal_quantile(1.0), Some(f64::INFINITY));
        assert_eq!([-0.1, 1.1, f64::NAN].map(normal_quantile), [None; 3]);
    }

    /// scipy.stats.t.ppf(0.5 + confidence / 2, degrees_of_freedom); 999 and 1,000 are on both
    /// sides of the expansion. Broken by: a one-sided quantile, or statrs' own for the last two.
    #[test]
    fn student_reaches_are_scipys() {
        for (confidence, degrees_of_freedom, expected) in [
            (0.95, 1.0, 12.706204736174694),
            (0.95, 2.0, 4.302652729749462),
            (0.9, 4.0, 2.131846786326651),
            (0.99, 7.3, 3.451031655622185),
            (0.95, 19.0, 2.0930240544083087),
            (0.999, 999.0, 3.3002924403987346),
            (0.95, 1000.0, 1.9623390808264083),
            (0.95, 100000.0, 1.9599877075346095),
            (0.9, 10000000.0, 1.644853779328402),
        ] {
            let found = student_reach(confidence, degrees_of_freedom).unwrap();
            assert_close(found, expected, 1e-10);
        }
        assert_close(normal_reach(0.95).unwrap(), 1.959963984540054, 1e-12);
    }

    /// 2 * scipy.stats.t.sf(statistic, degrees_of_freedom). Broken by: a one-sided p-value, or one
    /// taken from 1 - cdf, which is 0 for the smaller ones.
    #[test]
    fn student_p_values_are_scipys() {
        for (statistic, degrees_of_freedom, expected) in [
            (2.0, 1.0, 0.2951672353008665),
            (2.5, 4.0, 0.06676654481198814),
            (0.1, 7.3, 0.9230354971398295),
            (30.0, 19.0, 1.8097318417250446e-17),
            (1000.0, 3.0, 2.205307642576592e-09),
            (2.0, 5000.0, 0.04555425998829395),
            (10.0, 1000000.0, 1.527861076817818e-23),
        ] {
            assert_close(
                student_two_sided(statistic, degrees_of_freedom).unwrap(),
                expected,
                1e-7,
            );
            assert_close(
                student_two_sided(-statistic, degrees_of_freedom).unwrap(),
                expected,
                1e-7,
            );
        }
        assert_eq!(student_two_sided(0.0, 4.0), Some(1.0));
        assert_eq!(student_two_sided(f64::INFINITY, 4.0), Some(0.0));
    }

    /// Broken by: a panic, an endless search or a NaN where there is no answer.
    #[test]
    fn what_is_no_distribution_has_no_answer() {
        for confidence in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
            assert_eq!(student_reach(confidence, 4.0), None);
            assert_eq!(normal_reach(confidence), None);
        }
        for degrees_of_freedom in [0.0, -1.0, f64::NAN] {
            assert_eq!(student_reach(0.95, degrees_of_freedom), None);
            assert_eq!(student_two_sided(1.0, degrees_of_freedom), None);
        }
        assert_eq!(student_two_sided(f64::NAN, 4.0), None);
    }
}
