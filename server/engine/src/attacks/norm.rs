//! How large a perturbation is.

use protocol::attack::Norm;

/// The size in `norm` of the difference between two images of equally many values.
pub fn distance(norm: Norm, a: &[f32], b: &[f32]) -> f64 {
    let differences = a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b));
    match norm {
        Norm::Linf => differences.fold(0.0, |largest, d| {
            // A NaN is farther than anything.
            if d.is_nan() {
                f64::INFINITY
            } else {
                d.abs().max(largest)
            }
        }),
        Norm::L2 => {
            let sum: f64 = differences.map(|d| d * d).sum();
            if sum.is_nan() {
                f64::INFINITY
            } else {
                sum.sqrt()
            }
        }
    }
}
