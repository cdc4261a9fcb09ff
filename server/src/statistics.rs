//! Means over replicates, with bootstrapped intervals.

use protocol::api::Mean;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 10_000;

/// How [`mean`] makes its intervals, for people who read them.
pub const INTERVAL_METHOD: &str = "95 % percentile interval of the mean over seeds: 10,000 bootstrap resamples with replacement, generator seeded so that the same runs give the same interval; none below 2 replicates";

/// The mean of `values` (one a replicate) with its 95 % percentile bootstrap interval (Efron &
/// Tibshirani 1993, chapter 13); no interval for fewer than 2 values. `None` without values.
///
/// The generator is seeded with a constant, so the same values in the same order always give the
/// same interval.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let n = u32::try_from(values.len()).ok().filter(|&n| n > 0)?;
    Some(Mean {
        mean: average(values),
        n,
        interval: (n >= 2).then(|| bootstrap_interval(values)),
    })
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn bootstrap_interval(values: &[f64]) -> [f64; 2] {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sum: f64 = values
                .iter()
                .map(|_| values[random.random_range(0..values.len())])
                .sum();
            sum / values.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    [quantile(&means, 0.025), quantile(&means, 0.975)]
}

/// The quantile of sorted values, interpolated linearly between order statistics (numpy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = position.ceil() as usize;
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: dividing by n - 1, inventing an interval for one replicate, or panicking on none.
    #[test]
    fn few_replicates_have_a_mean_but_no_interval() {
        assert_eq!(mean(&[]), None);
        let one = mean(&[0.25]).unwrap();
        assert_eq!((one.mean, one.n, one.interval), (0.25, 1, None));
    }

    /// Two values: a resample mean is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4, so the 2.5 %
    /// quantile is 0 and the 97.5 % quantile is 1. Broken by: another quantile or resample size.
    #[test]
    fn two_replicates_span_their_values() {
        assert_eq!(mean(&[0.0, 1.0]).unwrap().interval, Some([0.0, 1.0]));
    }

    /// For many values the percentile interval approaches mean +- 1.96 sd / sqrt(n) with the
    /// plug-in sd; for 0..=99 that is 49.5 +- 1.96 * 28.866 / 10. Broken by: a wrong level, a
    /// resample that is too small or large, or resampling without replacement.
    #[test]
    fn many_replicates_agree_with_the_normal_interval() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let [low, high] = mean(&values).unwrap().interval.unwrap();
        assert!((low - (49.5 - 5.658)).abs() < 0.2, "{low}");
        assert!((high - (49.5 + 5.658)).abs() < 0.2, "{high}");
    }

    /// Broken by: a generator that is seeded from the clock.
    #[test]
    fn the_same_values_give_the_same_interval() {
        let values = [0.1, 0.5, 0.2, 0.9];
        assert_eq!(mean(&values), mean(&values));
    }

    /// numpy.quantile([0, 10, 20, 30], 0.975) = 29.25. Broken by: rounding to an order statistic.
    #[test]
    fn quantiles_interpolate() {
        assert!((quantile(&[0.0, 10.0, 20.0, 30.0], 0.975) - 29.25).abs() < 1e-12);
    }
}
