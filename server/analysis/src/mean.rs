//! The mean of replicates as figures and tables show it: with n and interval.

use protocol::api::Mean;
use statistics::{CONFIDENCE, average, one_sample};

/// How [`mean`] makes its intervals, for people who read them.
pub const INTERVAL_METHOD: &str =
    "95 % interval of the mean over seeds by Student's t, for 2 or more seeds";

/// The mean of `values` (one per replicate), their number, and its 95 % interval by Student's t; no interval for fewer than 2
/// values. `None` without values.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let n = u32::try_from(values.len()).ok().filter(|&n| n > 0)?;
    Some(Mean {
        mean: average(values),
        n,
        interval: one_sample(values, 0.0, CONFIDENCE).map(|inference| inference.interval),
    })
}

/// Each of these alphas once, in ascending order.
pub(crate) fn distinct_alphas(alphas: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut alphas: Vec<f64> = alphas.collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    alphas
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the divisor is n - 1, one replicate has an interval, none panic, or the interval is not Student's: that of 0
    /// and 1 is 0.5 +- 12.7062 * 0.5 (scipy.stats.t.ppf(0.975, 1), scipy.stats.sem), far wider than the values.
    #[test]
    fn few_replicates_have_a_mean_and_an_honest_interval() {
        assert_eq!(mean(&[]), None);
        let one = mean(&[0.25]).unwrap();
        assert_eq!((one.mean, one.n, one.interval), (0.25, 1, None));
        let two = mean(&[0.0, 1.0]).unwrap();
        assert_eq!((two.mean, two.n), (0.5, 2));
        let [low, high] = two.interval.unwrap();
        assert!((low + 5.8531).abs() < 1e-4 && (high - 6.8531).abs() < 1e-4);
    }
}
