//! Random draws in the forms that the corruptions need.

use rand::Rng;
use rand_distr::StandardNormal;

/// Uniform in [`low`, `high`).
pub(super) fn uniform(random: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * random.random::<f64>()
}

/// Normal of mean 0 and standard deviation 1.
pub(super) fn normal(random: &mut impl Rng) -> f64 {
    random.sample(StandardNormal)
}

/// `count` normal draws.
pub(super) fn normals(random: &mut impl Rng, count: usize, mean: f64, deviation: f64) -> Vec<f64> {
    (0..count)
        .map(|_| mean + deviation * normal(random))
        .collect()
}
