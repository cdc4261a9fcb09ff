//! Ordinary least squares of one measurement on another, with the slope as one value per seed.
//!
//! Runs that share a seed share their initial weights and the order of their images, so the points
//! of a plot are not independent. Slopes fitted per seed are: each answers the question by itself,
//! and inference is over their spread.

use super::student::{Inference, one_sample};
use super::{CONFIDENCE, average};
use std::collections::BTreeMap;

/// The fewest points a seed's slope is fitted to.
pub const FEWEST_POINTS: usize = 3;

/// The line y = intercept + slope x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// How much y grows with each unit of x, in units of y per unit of x.
    pub slope: f64,
    /// y at x = 0, in units of y.
    pub intercept: f64,
}

/// The line fitted to one seed's points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedSlope {
    /// The seed.
    pub seed: u64,
    /// Its line.
    pub line: Line,
    /// Points it is fitted to.
    pub n: u32,
}

/// The slopes of several seeds, and what they say about the slope behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct SlopeBySeed {
    /// One line for each seed that has one, in order of seeds.
    pub seeds: Vec<SeedSlope>,
    /// Seeds without one: they have fewer than [`FEWEST_POINTS`] points, or no spread of x.
    pub left_out: u32,
    /// The mean slope against 0 by Student's t over the seeds, 95 %; absent below 2 seeds.
    pub inference: Option<Inference>,
}

/// The least-squares line of y on x through points (x, y). `None` below 2 points, without spread
/// of x, or for points that are not finite.
pub fn least_squares(points: &[(f64, f64)]) -> Option<Line> {
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let &first = x.first()?;
    if x.iter().all(|&x| x == first) {
        return None;
    }
    let (x_mean, y_mean) = (average(&x), average(&y));
    let squares: f64 = x.iter().map(|x| (x - x_mean).powi(2)).sum();
    let products: f64 = points
        .iter()
        .map(|(x, y)| (x - x_mean) * (y - y_mean))
        .sum();
    let slope = products / squares;
    let intercept = y_mean - slope * x_mean;
    (slope.is_finite() && intercept.is_finite()).then_some(Line { slope, intercept })
}

/// One least-squares line of y on x for each seed of the points (seed, x, y), in any order, and
/// inference about the slope over the seeds. `None` if no seed has a line, or if a point is not
/// finite.
pub fn slope_by_seed(points: &[(u64, f64, f64)]) -> Option<SlopeBySeed> {
    let mut by_seed: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for &(seed, x, y) in points {
        if !(x.is_finite() && y.is_finite()) {
            return None;
        }
        by_seed.entry(seed).or_default().push((x, y));
    }
    let seeds: Vec<SeedSlope> = by_seed
        .iter()
        .filter(|(_, points)| points.len() >= FEWEST_POINTS)
        .filter_map(|(&seed, points)| {
            Some(SeedSlope {
                seed,
                line: least_squares(points)?,
                n: u32::try_from(points.len()).ok()?,
            })
        })
        .collect();
    if seeds.is_empty() {
        return None;
    }
    let slopes: Vec<f64> = seeds.iter().map(|seed| seed.line.slope).collect();
    Some(SlopeBySeed {
        left_out: u32::try_from(by_seed.len() - seeds.len()).ok()?,
        inference: one_sample(&slopes, 0.0, CONFIDENCE),
        seeds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.linregress([1, 2, 2, 4, 5, 6, 7.5], [2.1, 1.9, 3.5, 3.5, 5.2, 4.8, 7.9]). Broken
    /// by: x on y, or a line through the origin.
    #[test]
    fn least_squares_is_scipys() {
        let points = [
            (1.0, 2.1),
            (2.0, 1.9),
            (2.0, 3.5),
            (4.0, 3.5),
            (5.0, 5.2),
            (6.0, 4.8),
            (7.5, 7.9),
        ];
        let line = least_squares(&points).unwrap();
        assert!((line.slope - 0.8012526096033402).abs() < 1e-12);
        assert!((line.intercept - 0.980793319415449).abs() < 1e-12);
    }

    /// Broken by: a division by no spread, or by rounding that is taken for spread.
    #[test]
    fn no_line_without_spread_or_numbers() {
        assert_eq!(least_squares(&[]), None);
        assert_eq!(least_squares(&[(1.0, 2.0)]), None);
        assert_eq!(least_squares(&[(0.1, 1.0), (0.1, 2.0), (0.1, 3.0)]), None);
        assert_eq!(least_squares(&[(0.1, 1.0), (0.2, f64::NAN)]), None);
        assert_eq!(least_squares(&[(0.1, 1.0), (f64::INFINITY, 2.0)]), None);
    }

    /// Three seeds whose slopes are 1, 2 and 3 at different heights, one with two points and one
    /// without spread, all mixed. Over the seeds the mean slope is 2 with a standard error of
    /// 1 / sqrt(3) and p = 2 * scipy.stats.t.sf(2 * 3 ** 0.5, 2) = 0.0742; all points in one fit
    /// would have another slope and 7 degrees of freedom. Broken by: a pooled fit, or a seed that
    /// is left out without being counted.
    #[test]
    fn slopes_are_of_seeds_and_so_is_inference() {
        let mut points = Vec::new();
        for x in [0.0, 1.0, 2.0] {
            points.extend([(30, x, 7.0 + 3.0 * x), (10, x, x), (20, x, 100.0 + 2.0 * x)]);
            points.push((40, 0.5, x));
        }
        points.extend([(50, 0.0, 1.0), (50, 1.0, 9.0)]);
        let found = slope_by_seed(&points).unwrap();
        assert_eq!(found.left_out, 2);
        let seeds: Vec<_> = found.seeds.iter().map(|seed| (seed.seed, seed.n)).collect();
        assert_eq!(seeds, [(10, 3), (20, 3), (30, 3)]);
        for (seed, expected) in found
            .seeds
            .iter()
            .zip([(1.0, 0.0), (2.0, 100.0), (3.0, 7.0)])
        {
            assert!((seed.line.slope - expected.0).abs() < 1e-12);
            assert!((seed.line.intercept - expected.1).abs() < 1e-12);
        }
        let inference = found.inference.unwrap();
        assert!((inference.estimate - 2.0).abs() < 1e-12);
        assert!((inference.standard_error - 1.0 / 3.0_f64.sqrt()).abs() < 1e-12);
        assert!((inference.p.unwrap() - 0.07417990022744855).abs() < 1e-9);
        assert_eq!((inference.degrees_of_freedom, inference.n), (2.0, 3));
    }

    /// Broken by: inference from a single seed, or an answer without any.
    #[test]
    fn few_seeds_have_no_inference() {
        let one = [(1, 0.0, 0.0), (1, 1.0, 2.0), (1, 2.0, 4.0)];
        let found = slope_by_seed(&one).unwrap();
        assert_eq!(found.inference, None);
        assert_eq!(found.seeds.len(), 1);
        assert_eq!(slope_by_seed(&one[..2]), None);
        assert_eq!(slope_by_seed(&[]), None);
        assert_eq!(
            slope_by_seed(&[one[0], one[1], one[2], (2, f64::NAN, 0.0)]),
            None
        );
    }
}
