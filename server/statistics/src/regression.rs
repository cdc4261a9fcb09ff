//! Relations at a fixed covariate: partial slopes, residuals, and the logit scale.

use super::{average, least_squares};

/// The fewest points that a slope with a covariate is fitted to: three parameters, and one degree of freedom.
pub const FEWEST_WITH_COVARIATE: usize = 4;

/// Squared correlation of two regressors above which they cannot be told apart.
const COLLINEAR: f64 = 1.0 - 1e-9;

/// The slope of y on x in the least-squares fit of y = a + b x + c z through points (x, z, y), in units of y per unit of x.
/// `None` below [`FEWEST_WITH_COVARIATE`] points, without spread of x, where x and z are collinear, and for points that are not
/// finite. Without spread of z, z has nothing to explain, and the slope is that of y on x.
pub fn slope_with_covariate(points: &[(f64, f64, f64)]) -> Option<f64> {
    if points.len() < FEWEST_WITH_COVARIATE {
        return None;
    }
    let mean =
        |value: fn(&(f64, f64, f64)) -> f64| average(&points.iter().map(value).collect::<Vec<_>>());
    let centre = (mean(|p| p.0), mean(|p| p.1), mean(|p| p.2));
    let [mut xx, mut xz, mut zz, mut xy, mut zy] = [0.0; 5];
    for (x, z, y) in points {
        let (x, z, y) = (x - centre.0, z - centre.1, y - centre.2);
        xx += x * x;
        xz += x * z;
        zz += z * z;
        xy += x * y;
        zy += z * y;
    }
    if points.iter().all(|point| point.0 == points[0].0) {
        return None;
    }
    if points.iter().all(|point| point.1 == points[0].1) {
        return Some(xy / xx).filter(|slope| slope.is_finite());
    }
    if xz * xz > COLLINEAR * xx * zz {
        return None;
    }
    let slope = (xy * zz - xz * zy) / (xx * zz - xz * xz);
    slope.is_finite().then_some(slope)
}

/// The residuals of the least-squares line of y on x through points (x, y), in their order and in units of y. Without spread of
/// x the line is the mean of y. `None` below 3 points and for points that are not finite.
pub fn residuals(points: &[(f64, f64)]) -> Option<Vec<f64>> {
    if points.len() < 3 || !points.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
        return None;
    }
    let y: Vec<f64> = points.iter().map(|point| point.1).collect();
    let residuals: Vec<f64> = match least_squares(points) {
        Some(line) => points
            .iter()
            .map(|(x, y)| y - line.intercept - line.slope * x)
            .collect(),
        None => y.iter().map(|one| one - average(&y)).collect(),
    };
    Some(residuals)
}

/// The empirical logit of a share of `n`: ln((k + 1/2) / (n - k + 1/2)) with k = share * n, the logit of (k + 1/2) / (n + 1).
/// Finite at 0 and 1, and unbiased to the first order in 1 / n (Haldane 1956; Anscombe 1956; Cox & Snell 1989, section 2.1.6).
/// `None` outside 0 to 1 and for an n of 0.
pub fn empirical_logit(share: f64, n: u32) -> Option<f64> {
    if n == 0 || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let n = f64::from(n);
    let k = share * n;
    Some(((k + 0.5) / (n - k + 0.5)).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 5] = [0.1, 0.2, 0.35, 0.4, 0.6];
    const Z: [f64; 5] = [0.80, 0.82, 0.81, 0.79, 0.74];
    const Y: [f64; 5] = [0.61, 0.60, 0.58, 0.55, 0.47];

    fn points() -> Vec<(f64, f64, f64)> {
        (0..5).map(|place| (X[place], Z[place], Y[place])).collect()
    }

    /// numpy.linalg.lstsq(numpy.c_[numpy.ones(5), X, Z], Y)[0][1]. Breaks when the covariate is left out or taken for x, or
    /// products are not centred.
    #[test]
    fn the_slope_is_that_of_the_plane() {
        let found = slope_with_covariate(&points()).unwrap();
        assert!((found - (-0.16480793060718724)).abs() < 1e-10, "{found}");
    }

    /// scipy.stats.linregress(Z, Y); Y - intercept - slope * Z. Breaks when another line is taken off.
    #[test]
    fn residuals_are_of_the_line() {
        let points: Vec<_> = Z.into_iter().zip(Y).collect();
        let found = residuals(&points).unwrap();
        for (found, expected) in found.iter().zip([
            0.034432989690721616,
            -0.009484536082474015,
            -0.012525773195876333,
            -0.008608247422680515,
            -0.0038144329896907525,
        ]) {
            assert!((found - expected).abs() < 1e-10, "{found}");
        }
    }

    /// scipy.special.logit((k + 0.5) / 101) for k of 0, 37 and 100. Breaks when 0 and 1 are infinite, or the correction
    /// differs.
    #[test]
    fn logits_are_finite_at_the_ends() {
        for (share, expected) in [0.0, 0.37, 1.0].into_iter().zip([
            -5.303304908059076,
            -0.5266989729222809,
            5.303304908059075,
        ]) {
            let found = empirical_logit(share, 100).unwrap();
            assert!((found - expected).abs() < 1e-10, "{found}");
        }
        for (share, n) in [(-0.1, 10), (1.1, 10), (f64::NAN, 10), (0.5, 0)] {
            assert_eq!(empirical_logit(share, n), None);
        }
    }

    /// Breaks when there is a slope without an answer: too few points, no spread of x, x that is z.
    #[test]
    fn what_has_no_answer_has_none() {
        assert_eq!(slope_with_covariate(&points()[..3]), None);
        let twice: Vec<_> = X
            .iter()
            .zip(Y)
            .map(|(&x, y)| (x, 2.0 * x + 1.0, y))
            .collect();
        assert_eq!(slope_with_covariate(&twice), None);
        let level: Vec<_> = Z.iter().zip(Y).map(|(&z, y)| (0.5, z, y)).collect();
        assert_eq!(slope_with_covariate(&level), None);
        // A covariate without spread explains nothing.
        let flat: Vec<_> = X.iter().zip(Y).map(|(&x, y)| (x, 0.8, y)).collect();
        let plain: Vec<_> = X.into_iter().zip(Y).collect();
        let expected = least_squares(&plain).unwrap().slope;
        assert!((slope_with_covariate(&flat).unwrap() - expected).abs() < 1e-12);
        assert_eq!(residuals(&[(0.0, 1.0), (1.0, 2.0)]), None);
        let level = residuals(&[(0.5, 1.0), (0.5, 2.0), (0.5, 3.0)]).unwrap();
        assert_eq!(level, [-1.0, 0.0, 1.0]);
    }
}
