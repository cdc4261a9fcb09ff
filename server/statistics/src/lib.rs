//! Statistics over replicates: a few numbers, one per seed, and what they say about the true value
//! behind them. Plain functions of `f64`s; nothing here knows of runs, experiments or requests.
//!
//! The functions, by the question that they answer:
//!
//! - [`mean_interval`], [`interval`]: how well do these seeds pin down their mean, or any other
//!   statistic of them, with no assumption on their distribution?
//! - [`one_sample`], [`welch`], [`paired`]: is a mean another number, are two means different?
//! - [`least_squares`], [`slope_by_seed`]: how much does y change for each unit of x?
//! - [`slope_with_covariate`], [`residuals`]: what is left of that slope when a covariate is held fixed?
//! - [`sign_test`]: how many slopes have a given sign, against permutations?
//! - [`holm()`]: which of many tests still count when corrected for their number?
//! - [`hedges`]: is a difference large?
//! - [`replicates_for_half_width`]: how many seeds would do?
//!
//! All of them answer `None` to input that has no answer (too few values, no spread where a spread
//! is divided by, lengths that differ, values that are not finite), never a panic and never a NaN.
//! The one exception is [`holm()`], which hands a NaN through to its place.
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

mod bootstrap;
mod distributions;
mod effect;
mod holm;
mod permutation;
mod regression;
mod resamples;
mod sample_size;
mod slope;
mod student;

pub use bootstrap::{interval, mean_interval};
pub use distributions::student_reach;
pub use effect::{HedgesG, hedges};
pub use holm::holm;
pub use permutation::{Block, ENUMERATED_POINTS, PERMUTATIONS, SignTest, sign_test};
pub use regression::{FEWEST_WITH_COVARIATE, empirical_logit, residuals, slope_with_covariate};
pub use resamples::{ENUMERATED_UP_TO, RESAMPLES};
pub use sample_size::{MOST_REPLICATES, replicates_for_half_width};
pub use slope::{FEWEST_POINTS, Line, SeedSlope, SlopeBySeed, least_squares, slope_by_seed};
pub use student::{Inference, differences, one_sample, paired, welch};

/// The confidence of intervals whose caller does not choose one.
pub const CONFIDENCE: f64 = 0.95;

/// The arithmetic mean of values; NaN without values.
pub fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean and the sample standard deviation (divisor n - 1) of values; `None` below 2 values and
/// for values that are not finite or too large to be squared.
///
/// Values that are all equal have themselves as mean and a deviation of exactly 0: a rounded mean
/// would leave a deviation of 1e-17, and a test would take it for a real one.
fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    let (&first, others) = values.split_first()?;
    if others.is_empty() || !first.is_finite() {
        return None;
    }
    if others.iter().all(|&value| value == first) {
        return Some((first, 0.0));
    }
    let mean = average(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (values.len() - 1) as f64).sqrt();
    (mean.is_finite() && deviation.is_finite()).then_some((mean, deviation))
}

/// The quantile of values in any order, which this reorders: interpolated linearly between
/// order statistics (numpy's default, type 7 of Hyndman & Fan 1996). `share` is within
/// [0, 1]; `None` without values.
pub fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let position = share.clamp(0.0, 1.0) * values.len().checked_sub(1)? as f64;
    let (_, &mut below, rest) =
        values.select_nth_unstable_by(position.floor() as usize, f64::total_cmp);
    let above = rest.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    Some(below + (above - below) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.quantile([20, 0, 30, 10], [0, 0.5, 0.975, 1]) = [0, 15, 29.25, 30]. Broken by:
    /// rounding to an order statistic, or by reading past the largest value.
    #[test]
    fn quantiles_interpolate() {
        for (share, expected) in [(0.0, 0.0), (0.5, 15.0), (0.975, 29.25), (1.0, 30.0)] {
            let found = quantile(&mut [20.0, 0.0, 30.0, 10.0], share).unwrap();
            assert!((found - expected).abs() < 1e-12, "{share}: {found}");
        }
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    /// 0.1 + 0.1 + 0.1 is not 0.3. Broken by: a deviation of equal values that is not 0.
    #[test]
    fn equal_values_have_no_deviation() {
        assert_eq!(mean_and_deviation(&[0.1, 0.1, 0.1]), Some((0.1, 0.0)));
    }

    /// numpy.std([1, 2, 4], ddof=1) = sqrt(7 / 3). Broken by: the divisor n, or an answer without
    /// enough values or to values that are not finite.
    #[test]
    fn deviations_are_of_the_sample() {
        let (mean, deviation) = mean_and_deviation(&[1.0, 2.0, 4.0]).unwrap();
        assert!((mean - 7.0 / 3.0).abs() < 1e-12);
        assert!((deviation - (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        for bad in [
            &[][..],
            &[1.0],
            &[1.0, f64::NAN],
            &[f64::INFINITY; 3],
            &[1e300, -1e300],
        ] {
            assert_eq!(mean_and_deviation(bad), None, "{bad:?}");
        }
    }
}
