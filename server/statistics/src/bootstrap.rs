//! Bootstrapped confidence intervals: bias-corrected and accelerated (BCa; Efron 1987; Efron &
//! Tibshirani 1993, chapter 14), 95 %.
//!
//! The same replicates always give the same interval. Up to
//! [`ENUMERATED_UP_TO`](super::ENUMERATED_UP_TO) replicates nothing is drawn at all: the
//! distribution over all resamples is known, and with it the interval that ever more draws would
//! approach.
//!
//! A bootstrap sees no replicate beyond those it is given, so its interval is too short where they
//! are few. For the mean of normal values it holds the true mean not 95 % of the time but about
//! 50 % with 2 replicates, 72 % with 3, 83 % with 5, 90 % with 10 and 93 % with 20. Where that
//! matters and the values are nearly normal, [`one_sample`](super::one_sample) has its stated
//! coverage with any number of them.

use super::distributions::{normal_quantile, normal_share};
use super::resamples::{self, RESAMPLES};
use super::{CONFIDENCE, average, quantile};

/// The 95 % BCa interval of the mean of values (one per replicate), in their unit, low end first;
/// the same for the same values in any order. `None` below 2 values, and if one is not finite.
pub fn mean_interval(values: &[f64]) -> Option<[f64; 2]> {
    if values.len() < 2 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    if values.first() == values.last() {
        return Some([values[0]; 2]);
    }
    let mean = Some(average(&values)).filter(|mean| mean.is_finite())?;
    let mut distribution = Distribution::of(values.len(), |replicates| {
        let sum: f64 = replicates.iter().map(|&replicate| values[replicate]).sum();
        Some(sum / replicates.len() as f64).filter(|mean| mean.is_finite())
    })?;
    // Without a value the mean moves by its deviation from the mean over n - 1, and the divisor
    // cancels in the acceleration.
    let acceleration = acceleration(values.iter().map(|value| value - mean));
    distribution.interval(mean, acceleration)
}

/// The 95 % BCa interval of any statistic of `n` replicates, low end first. `statistic` is given
/// the replicates of a resample by index (below `n`, some of them several times, others not at
/// all) and answers `None` or a number that is not finite where it has no value, such as a
/// correlation without spread.
///
/// Resamples without a value are left out. `None` below 2 replicates, if the replicates themselves
/// have no value, or if less than half of the resamples have one. The acceleration is that of the
/// jackknife, and 0 if the statistic has no value without some one replicate.
pub fn interval(n: usize, statistic: impl Fn(&[usize]) -> Option<f64>) -> Option<[f64; 2]> {
    if n < 2 {
        return None;
    }
    let statistic = |replicates: &[usize]| statistic(replicates).filter(|value| value.is_finite());
    let all: Vec<usize> = (0..n).collect();
    let estimate = statistic(&all)?;
    let without_one: Option<Vec<f64>> = (0..n)
        .map(|left_out| statistic(&[&all[..left_out], &all[left_out + 1..]].concat()))
        .collect();
    let acceleration = without_one.map_or(0.0, |without_one| {
        let mean = average(&without_one);
        acceleration(without_one.iter().map(|value| mean - value))
    });
    Distribution::of(n, statistic)?.interval(estimate, acceleration)
}

/// Efron's acceleration of a statistic from how far it moves with each of the replicates: a sixth
/// of the skewness of the moves over the root of their number. Never beyond 1/6 either way; 0 if
/// it never moves.
fn acceleration(moves: impl Iterator<Item = f64>) -> f64 {
    let (squares, cubes) = moves.fold((0.0, 0.0), |(squares, cubes), step| {
        (squares + step * step, cubes + step * step * step)
    });
    let acceleration = cubes / (6.0 * squares * f64::sqrt(squares));
    if acceleration.is_finite() {
        acceleration
    } else {
        0.0
    }
}

/// A statistic's values over the resamples.
enum Distribution {
    /// All of them, ascending, each with how many resamples have it.
    Enumerated(Vec<(f64, f64)>),
    /// Drawn ones, in any order.
    Drawn(Vec<f64>),
}

impl Distribution {
    /// `None` if less than half of the resamples have a value.
    fn of(n: usize, statistic: impl Fn(&[usize]) -> Option<f64>) -> Option<Self> {
        if resamples::are_enumerated(n) {
            let mut values = Vec::new();
            let mut resamples = 0.0;
            resamples::for_each(n, |resample| {
                resamples += resample.weight;
                let value = statistic(resample.replicates);
                values.extend(value.map(|value| (value, resample.weight)));
            });
            values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let distribution = Self::Enumerated(values);
            (2.0 * distribution.weight() >= resamples).then_some(distribution)
        } else {
            let mut values = Vec::with_capacity(RESAMPLES);
            resamples::for_each(n, |resample| values.extend(statistic(resample.replicates)));
            (2 * values.len() >= RESAMPLES).then_some(Self::Drawn(values))
        }
    }

    /// The BCa interval around an estimate.
    fn interval(&mut self, estimate: f64, acceleration: f64) -> Option<[f64; 2]> {
        let bias = normal_quantile(self.share_below(estimate)?)?;
        let [low, high] = shares(bias, acceleration);
        Some([self.quantile(low)?, self.quantile(high)?])
    }

    fn weight(&self) -> f64 {
        match self {
            Self::Enumerated(values) => values.iter().map(|(_, weight)| weight).sum(),
            Self::Drawn(values) => values.len() as f64,
        }
    }

    /// The share of the distribution below a value, counting half of what equals it. What differs
    /// by rounding is equal: the mean of 0.01, 0.1 and 0.19 is that of three times 0.1.
    fn share_below(&self, value: f64) -> Option<f64> {
        let rounding = 1e-12 * self.largest().max(value.abs());
        // Branches would be mispredicted half of the time.
        let twice_below = |other: f64| {
            f64::from(u8::from(other < value - rounding) + u8::from(other <= value + rounding))
        };
        let below: f64 = match self {
            Self::Enumerated(values) => values
                .iter()
                .map(|&(other, weight)| weight * twice_below(other))
                .sum(),
            Self::Drawn(values) => values.iter().map(|&other| twice_below(other)).sum(),
        };
        let share = below / (2.0 * self.weight());
        share.is_finite().then_some(share)
    }

    /// The largest distance of a value from 0.
    fn largest(&self) -> f64 {
        match self {
            Self::Enumerated(values) => values
                .iter()
                .fold(0.0, |most, (value, _)| value.abs().max(most)),
            Self::Drawn(values) => values.iter().fold(0.0, |most, value| value.abs().max(most)),
        }
    }

    /// The smallest value that at least this share of all resamples does not exceed, or the usual
    /// interpolated quantile of drawn ones, which approaches it with the number of draws.
    fn quantile(&mut self, share: f64) -> Option<f64> {
        let weight = share * self.weight();
        match self {
            Self::Enumerated(values) => {
                let mut so_far = 0.0;
                let reached = values.iter().find(|(_, weight_here)| {
                    so_far += weight_here;
                    so_far >= weight
                });
                reached.or(values.last()).map(|&(value, _)| value)
            }
            Self::Drawn(values) => quantile(values, share),
        }
    }
}

/// The shares of the distribution at which the BCa interval ends; those of the percentile interval
/// if the estimate lies beyond the whole distribution and its bias is infinite.
fn shares(bias: f64, acceleration: f64) -> [f64; 2] {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let corrected = |share: f64| {
        let reach = bias + normal_quantile(share)?;
        let scale = 1.0 - acceleration * reach;
        (bias.is_finite() && scale > 0.0).then(|| normal_share(bias + reach / scale))
    };
    let corrected = corrected(tail).zip(corrected(1.0 - tail));
    corrected.map_or([tail, 1.0 - tail], |(low, high)| [low, high])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const TEN: [f64; 10] = [0.12, 0.15, 0.11, 0.31, 0.17, 0.13, 0.62, 0.19, 0.14, 0.22];

    fn assert_close(found: Option<[f64; 2]>, expected: [f64; 2], tolerance: f64) {
        let found = found.unwrap();
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < tolerance,
                "{found} is not {expected}"
            );
        }
    }

    /// scipy.stats.bootstrap((values,), numpy.mean, method="BCa", n_resamples=1_000_000,
    /// rng=1).confidence_interval for 3 and 4 values, and for hundreds of the 5 (whole, as scipy
    /// takes means that differ by rounding for different ones); the same from all n^n resamples
    /// in numpy, with numpy.quantile(means, shares, method="inverted_cdf"). Broken by: draws
    /// instead of all, weights that are not multinomial, ties that are not counted by half, or a
    /// correction of the wrong sign.
    #[test]
    fn few_replicates_have_the_interval_of_all_resamples() {
        for (values, expected) in [
            (&[0.2, 0.3, 0.7][..], [0.7 / 3.0, 0.7]),
            (&[0.1, 0.2, 0.3, 0.9], [0.15, 0.75]),
            (&[0.71, 0.74, 0.69, 0.78, 0.73], [0.706, 0.762]),
            (&[0.1, 0.2, 0.25, 0.3, 0.9], [0.18, 0.76]),
            (&[0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.8]),
        ] {
            assert_close(mean_interval(values), expected, 1e-12);
        }
    }

    /// Half of a symmetric distribution lies below its middle, however sums are rounded: the mean of
    /// 0.01, 0.1 and 0.19 comes out below that of three times 0.1. Broken by: comparing means
    /// without tolerance.
    #[test]
    fn means_that_differ_by_rounding_are_ties() {
        let values = [0.01, 0.1, 0.19];
        let mean = |replicates: &[usize]| {
            Some(replicates.iter().map(|&place| values[place]).sum::<f64>() / 3.0)
        };
        let distribution = Distribution::of(3, mean).unwrap();
        assert_eq!(distribution.share_below(average(&values)), Some(0.5));
    }

    /// A resample mean of two values is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4, so the 2.5 %
    /// quantile is 0 and the 97.5 % quantile is 1. Broken by: another quantile or resample size.
    #[test]
    fn two_replicates_span_their_values() {
        assert_eq!(mean_interval(&[0.0, 1.0]), Some([0.0, 1.0]));
    }

    /// scipy.stats.bootstrap((values,), numpy.mean, method="BCa", n_resamples=1_000_000,
    /// rng=1).confidence_interval; the percentile interval would be [0.145, 0.318] and
    /// [0.173, 0.338]. Within what [`RESAMPLES`] of them leave open: the upper ends move by 0.009
    /// and 0.006 with the seed (standard deviation). Broken by: no correction, one of the wrong
    /// sign, or another level.
    #[test]
    fn skewed_replicates_have_scipys_interval() {
        assert_close(mean_interval(&TEN), [0.156, 0.372], 0.02);
        let mut twenty = TEN.to_vec();
        twenty.extend([0.18, 0.16, 0.41, 0.12, 0.2, 0.27, 0.15, 0.13, 0.9, 0.21]);
        assert_close(mean_interval(&twenty), [0.1845, 0.373], 0.015);
    }

    /// For many values the interval approaches mean +- 1.96 sd / sqrt(n) with the plug-in sd; for
    /// 0..=99 that is 49.5 +- 1.96 * 28.866 / 10. Broken by: a wrong level, a resample that is too
    /// small or large, or resampling without replacement; here beyond what is kept.
    #[test]
    fn many_replicates_agree_with_the_normal_interval() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        assert_close(mean_interval(&values), [49.5 - 5.658, 49.5 + 5.658], 0.5);
    }

    /// Broken by: a generator that is seeded from the clock, or by an interval that depends on the
    /// order in which runs finished.
    #[test]
    fn the_same_values_give_the_same_interval() {
        let mut values = TEN;
        let interval = mean_interval(&values);
        assert_eq!(mean_interval(&values), interval);
        values.reverse();
        assert_eq!(mean_interval(&values), interval);
    }

    /// Broken by: a bias of 0 / 0, or an interval that is not a point by rounding (0.1 + 0.1 + 0.1
    /// is not 0.3).
    #[test]
    fn equal_values_have_a_point() {
        for n in [2, 3, 7, 50] {
            assert_eq!(mean_interval(&vec![0.1; n]), Some([0.1, 0.1]));
            assert_eq!(interval(n, |_| Some(0.1)), Some([0.1, 0.1]));
        }
    }

    /// Broken by: an interval of nothing, or one with a NaN in it.
    #[test]
    fn what_is_not_enough_or_not_a_number_has_no_interval() {
        for bad in [
            &[][..],
            &[0.5],
            &[0.5, f64::NAN],
            &[0.5, f64::INFINITY, 0.1],
            &[f64::MAX, f64::MAX, 0.0],
        ] {
            assert_eq!(mean_interval(bad), None, "{bad:?}");
        }
        assert_eq!(interval(1, |_| Some(0.5)), None);
        assert_eq!(interval(0, |_| Some(0.5)), None);
    }

    /// Broken by: two bootstraps, or a jackknife whose acceleration has the other sign or size.
    #[test]
    fn the_mean_is_a_statistic_like_any_other() {
        let mut values = TEN;
        values.sort_by(f64::total_cmp);
        for n in [2, 3, 5, 6, 10] {
            let values = &values[..n];
            let mean = |replicates: &[usize]| {
                Some(
                    replicates.iter().map(|&place| values[place]).sum::<f64>()
                        / replicates.len() as f64,
                )
            };
            assert_close(interval(n, mean), mean_interval(values).unwrap(), 1e-12);
        }
    }

    /// With x = 0.1, 0.2, ..., 1: scipy.stats.bootstrap((x, y), lambda x, y: scipy.stats.pearsonr(
    /// x, y)[0], paired=True, vectorized=False, method="BCa", n_resamples=100_000,
    /// rng=1).confidence_interval = [0.495, 0.909], and of linregress(x, y)[0] [0.425, 1.094].
    /// Within what [`RESAMPLES`] leave open (0.02 for the upper end of the slope, as a standard
    /// deviation). Broken by: a resample that is not of pairs, or an estimate that is not of all.
    #[test]
    fn other_statistics_have_scipys_interval() {
        let y = [0.3, 0.1, 0.4, 0.2, 0.6, 0.5, 0.9, 0.55, 0.8, 0.7];
        let points = |replicates: &[usize]| -> (Vec<f64>, Vec<f64>) {
            replicates
                .iter()
                .map(|&place| ((place + 1) as f64 / 10.0, y[place]))
                .unzip()
        };
        let correlation = interval(10, |replicates| {
            let (x, y) = points(replicates);
            let slope = crate::least_squares(
                &x.iter().copied().zip(y.iter().copied()).collect::<Vec<_>>(),
            )?
            .slope;
            let deviation = |values: &[f64]| Some(crate::mean_and_deviation(values)?.1);
            Some(slope * deviation(&x)? / deviation(&y)?)
        });
        assert_close(correlation, [0.495, 0.909], 0.05);
        let slope = interval(10, |replicates| {
            let (x, y) = points(replicates);
            let points: Vec<_> = x.into_iter().zip(y).collect();
            Some(crate::least_squares(&points)?.slope)
        });
        assert_close(slope, [0.425, 1.094], 0.06);
    }

    /// A statistic that has no value where replicate 0 is missing: the share of resamples that hold
    /// it is 1 - (5/6)^6 = 0.67 of 6 replicates. Broken by: a jackknife that asks for all of them,
    /// or one resample without a value that takes the interval away; and by an interval from a few
    /// odd resamples (those that hold all 6: 1.5 %; all 5: 3.8 %).
    #[test]
    fn resamples_without_a_value_are_left_out() {
        let values = [0.3, 0.1, 0.4, 0.2, 0.6, 0.5];
        let mean = |replicates: &[usize]| {
            replicates.iter().map(|&place| values[place]).sum::<f64>() / replicates.len() as f64
        };
        let needing_one = |replicates: &[usize]| replicates.contains(&0).then(|| mean(replicates));
        let [low, high] = interval(6, needing_one).unwrap();
        assert!(
            0.1 < low && low < 0.35 && 0.35 < high && high < 0.6,
            "{low} {high}"
        );
        let needing_all = |replicates: &[usize]| {
            (0..6)
                .all(|place| replicates.contains(&place))
                .then(|| mean(replicates))
        };
        assert_eq!(interval(6, needing_all), None);
        let needing_five = |replicates: &[usize]| {
            (0..5)
                .all(|place| replicates.contains(&place))
                .then(|| mean(replicates))
        };
        assert_eq!(interval(5, needing_five), None);
        assert_eq!(interval(6, |_| None), None);
        assert_eq!(interval(6, |_| Some(f64::NAN)), None);
    }

    /// An estimate beyond all resamples has an infinite bias: here that of the only sample with
    /// all replicates in order. Broken by: a NaN share of the distribution.
    #[test]
    fn an_infinite_bias_leaves_the_percentile_interval() {
        let tail = (1.0 - CONFIDENCE) / 2.0;
        for bias in [f64::NEG_INFINITY, f64::INFINITY] {
            assert_eq!(shares(bias, 0.1), [tail, 1.0 - tail]);
        }
        let in_order = |replicates: &[usize]| {
            let first = if replicates.is_sorted_by(|a, b| a < b) {
                9.0
            } else {
                0.0
            };
            Some(first + replicates.iter().sum::<usize>() as f64 / 100.0)
        };
        let [low, high] = interval(8, in_order).unwrap();
        assert!(0.0 < low && low < high && high < 1.0, "{low} {high}");
    }

    /// numpy: bias norm.ppf(0.46), acceleration 0.06 give norm.cdf(b + (b + z) / (1 - a (b + z)))
    /// at z = norm.ppf([0.025, 0.975]). Broken by: a sign, or the level.
    #[test]
    fn shares_are_efrons() {
        let [low, high] = shares(normal_quantile(0.46).unwrap(), 0.06);
        assert!((low - 0.02654787248283669).abs() < 1e-10, "{low}");
        assert!((high - 0.976848608063552).abs() < 1e-10, "{high}");
    }

    /// The share of 4,000 samples of n normal values whose interval holds the true mean: what the
    /// module's documentation says, give or take 2 points (its standard error is 0.4 to 0.8).
    /// Broken by: intervals that are too short or too long, such as those of another level.
    #[test]
    fn intervals_hold_the_true_mean_as_often_as_they_say() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for (n, expected) in [(2, 0.5), (3, 0.72), (5, 0.83), (10, 0.9), (20, 0.93)] {
            let held = (0..4_000)
                .filter(|_| {
                    let values: Vec<f64> = (0..n)
                        .map(|_| normal_quantile(random.random_range(1e-9..1.0)).unwrap())
                        .collect();
                    mean_interval(&values).is_some_and(|[low, high]| low <= 0.0 && 0.0 <= high)
                })
                .count();
            let share = held as f64 / 4_000.0;
            assert!((share - expected).abs() < 0.02, "{n}: {share}");
        }
    }
}
