//! How much the size of gradients varies: over images for a unit, and over the units of a layer.

/// The sizes (norms) of the gradients of a layer's units, and how much they vary.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientVariability {
    /// mu_u: mean norm of each unit over the images.
    pub mean_norms: Vec<f64>,
    /// CV_u = sd_u / mu_u of each unit, sd with n - 1; none where mu is 0 or there is one image.
    pub cv_across_samples: Vec<Option<f64>>,
    /// CV_l = standard deviation (n - 1) of mu_u over the units / their mean; none where that is 0 or there is one unit.
    pub cv_across_units: Option<f64>,
}

/// Variability of norms `[images, units]`, row by row.
pub fn variability(norms: &[f64], units: usize) -> GradientVariability {
    let columns: Vec<Vec<f64>> = (0..units)
        .map(|unit| norms.iter().skip(unit).step_by(units).copied().collect())
        .collect();
    let mean_norms: Vec<f64> = columns.iter().map(|column| mean(column)).collect();
    GradientVariability {
        cv_across_samples: columns
            .iter()
            .map(|column| coefficient_of_variation(column))
            .collect(),
        cv_across_units: coefficient_of_variation(&mean_norms),
        mean_norms,
    }
}

impl GradientVariability {
    /// Mean of CV_u over the units that have one.
    pub fn mean_cv_across_samples(&self) -> Option<f64> {
        let values: Vec<f64> = self.cv_across_samples.iter().copied().flatten().collect();
        (!values.is_empty()).then(|| mean(&values))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    if values.len() < 2 || mean <= 0.0 {
        return None;
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt() / mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the deviation is divided by n instead of n - 1, or silent units divide by 0.
    #[test]
    fn variability_of_known_norms() {
        // Units: 1 and 3 (mean 2, sd sqrt 2), 4 and 4, 0 and 0.
        let statistics = variability(&[1.0, 4.0, 0.0, 3.0, 4.0, 0.0], 3);
        assert_eq!(statistics.mean_norms, [2.0, 4.0, 0.0]);
        let cv: Vec<_> = statistics.cv_across_samples.clone();
        assert!((cv[0].unwrap() - 2.0_f64.sqrt() / 2.0).abs() < 1e-12);
        assert_eq!((cv[1], cv[2]), (Some(0.0), None));
        assert!((statistics.cv_across_units.unwrap() - 1.0).abs() < 1e-12);
        let expected = 2.0_f64.sqrt() / 4.0;
        assert!((statistics.mean_cv_across_samples().unwrap() - expected).abs() < 1e-12);
        assert_eq!(variability(&[0.0, 0.0], 1).cv_across_units, None);
    }
}
