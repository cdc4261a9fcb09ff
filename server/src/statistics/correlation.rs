//! Correlation of two measurements of the same replicates.

use super::distributions::{normal_reach, student_two_sided};
use super::mean_and_deviation;

/// A correlation of pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// The coefficient, within [-1, 1].
    pub coefficient: f64,
    /// Its confidence interval, within [-1, 1], low end first; absent below 4 pairs. A point for
    /// a coefficient of 1 or -1, where the approximation behind it has nothing to say.
    pub interval: Option<[f64; 2]>,
    /// Two-sided p-value of no correlation, by Student's t with n - 2 degrees of freedom.
    pub p: f64,
    /// Pairs.
    pub n: u32,
}

/// Pearson's correlation of pairs (values of the same place), with Fisher's interval (his z with
/// the variance 1 / (n - 3)) of the given confidence (within (0, 1)); its p-value is exact for
/// normal values. `None` below 3 pairs, for lengths that differ, without spread on either side, or
/// for input that is not finite.
pub fn pearson(x: &[f64], y: &[f64], confidence: f64) -> Option<Correlation> {
    correlation(x, y, confidence, |_| 1.0)
}

/// Spearman's correlation: Pearson's of the ranks, ties sharing the average of theirs, with the
/// interval of Bonett & Wright (2000: z with the variance (1 + r^2 / 2) / (n - 3)) of the given
/// confidence (within (0, 1)). Its p-value is approximate below some 10 pairs. `None` as for
/// [`pearson`].
pub fn spearman(x: &[f64], y: &[f64], confidence: f64) -> Option<Correlation> {
    correlation(&ranks(x)?, &ranks(y)?, confidence, |coefficient| {
        1.0 + coefficient * coefficient / 2.0
    })
}

/// `spread`: the variance of Fisher's z times n - 3, of a coefficient.
fn correlation(
    x: &[f64],
    y: &[f64],
    confidence: f64,
    spread: impl Fn(f64) -> f64,
) -> Option<Correlation> {
    let n = u32::try_from(x.len())
        .ok()
        .filter(|&n| n >= 3 && x.len() == y.len())?;
    let reach = normal_reach(confidence)?;
    let (x, y) = (standardised(x)?, standardised(y)?);
    let products: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    let coefficient = (products / f64::from(n - 1)).clamp(-1.0, 1.0);
    let degrees_of_freedom = f64::from(n - 2);
    let unexplained = (1.0 - coefficient) * (1.0 + coefficient);
    // Infinite for a perfect correlation, which has a p of 0.
    let statistic = coefficient * (degrees_of_freedom / unexplained).sqrt();
    let interval = (n >= 4).then(|| {
        let reach = reach * (spread(coefficient) / f64::from(n - 3)).sqrt();
        [-reach, reach].map(|by| (coefficient.atanh() + by).tanh())
    });
    Some(Correlation {
        coefficient,
        interval,
        p: student_two_sided(statistic, degrees_of_freedom)?,
        n,
    })
}

/// Values as standard deviations from their mean; `None` without spread.
fn standardised(values: &[f64]) -> Option<Vec<f64>> {
    let (mean, deviation) = mean_and_deviation(values)?;
    let standardised = |value| (value - mean) / deviation;
    (deviation > 0.0).then(|| values.iter().copied().map(standardised).collect())
}

/// The rank of each value from 1 up, ties sharing the average of theirs; `None` if one is not
/// finite.
fn ranks(values: &[f64]) -> Option<Vec<f64>> {
    if !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (ties.len() + 1) as f64 / 2.0;
        ties.iter().for_each(|&place| ranks[place] = rank);
        before += ties.len();
    }
    Some(ranks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 7] = [1.0, 2.0, 2.0, 4.0, 5.0, 6.0, 7.5];
    const Y: [f64; 7] = [2.1, 1.9, 3.5, 3.5, 5.2, 4.8, 7.9];

    fn assert_close(found: Option<Correlation>, coefficient: f64, interval: [f64; 2], p: f64) {
        let found = found.unwrap();
        let [low, high] = found.interval.unwrap();
        for (number, expected) in [
            (found.coefficient, coefficient),
            (low, interval[0]),
            (high, interval[1]),
            (found.p, p),
        ] {
            assert!((number - expected).abs() < 1e-9, "{found:?}: {expected}");
        }
    }

    /// scipy.stats.pearsonr(X, Y), and its confidence_interval(0.95). Broken by: n in place of
    /// n - 3 in the interval, or of n - 2 in the p-value.
    #[test]
    fn pearson_is_scipys() {
        let found = pearson(&X, &Y, 0.95);
        let interval = [0.5648084638747434, 0.989023696057184];
        assert_close(found, 0.9246021975669244, interval, 0.0028779234747189322);
        assert_eq!(found.unwrap().n, 7);
    }

    /// scipy.stats.spearmanr(X, Y), which have ties, and numpy.tanh(numpy.arctanh(r) + [-h, h]) with
    /// h = norm.ppf(0.975) sqrt((1 + r^2 / 2) / 4). Broken by: ties in the order given, or Fisher's
    /// variance.
    #[test]
    fn spearman_is_scipys() {
        let interval = [0.2250803044358334, 0.987606774820993];
        assert_close(
            spearman(&X, &Y, 0.95),
            0.8818181818181818,
            interval,
            0.00864501049674692,
        );
    }

    /// scipy.stats.rankdata([3, 1, 3, 2, 3]). Broken by: the lowest or highest of tied ranks.
    #[test]
    fn ties_share_their_average_rank() {
        assert_eq!(
            ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]),
            Some(vec![4.0, 1.0, 4.0, 2.0, 4.0])
        );
        assert_eq!(ranks(&[0.0, -0.0]), Some(vec![1.5, 1.5]));
    }

    /// Broken by: a coefficient beyond 1 by rounding, an infinite statistic without a p, or a NaN
    /// interval.
    #[test]
    fn a_perfect_correlation_has_a_point() {
        let falling: Vec<f64> = X.iter().map(|x| -(x * x)).collect();
        let found = spearman(&X, &falling, 0.95).unwrap();
        assert!(
            (found.coefficient + 1.0).abs() < 1e-12 && found.p < 1e-12,
            "{found:?}"
        );
        let [low, high] = found.interval.unwrap();
        assert!(low >= -1.0 && high < -1.0 + 1e-6, "{found:?}");
        let tenths: Vec<f64> = X.iter().map(|x| x / 10.0).collect();
        let found = pearson(&X, &tenths, 0.95).unwrap();
        assert!(found.coefficient <= 1.0 && found.p < 1e-12, "{found:?}");
    }

    /// Broken by: an interval of an infinite width, of 1 / (3 - 3).
    #[test]
    fn three_pairs_have_no_interval() {
        let found = pearson(&X[3..6], &Y[3..6], 0.95).unwrap();
        assert_eq!((found.interval, found.n), (None, 3));
        assert!(pearson(&X[3..], &Y[3..], 0.95).unwrap().interval.is_some());
    }

    /// Broken by: a panic, or a NaN where there is no answer.
    #[test]
    fn bad_input_has_no_answer() {
        for correlation in [pearson, spearman] {
            assert_eq!(correlation(&X, &Y[1..], 0.95), None);
            assert_eq!(correlation(&X[..2], &Y[..2], 0.95), None);
            assert_eq!(correlation(&[], &[], 0.95), None);
            assert_eq!(correlation(&[0.1; 7], &Y, 0.95), None);
            assert_eq!(correlation(&X, &[0.1; 7], 0.95), None);
            assert_eq!(correlation(&X[..3], &[0.1, f64::NAN, 0.2], 0.95), None);
            assert_eq!(correlation(&X, &Y, 1.0), None);
        }
    }
}
