//! Two devices' values of the same tensors, compared.

/// A tensor's values on the host, row by row, with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// What the values are, for example `gradient of conv1.weight`.
    pub name: String,
    /// The values.
    pub values: Vec<f32>,
    /// The scale of relative differences where all values are smaller than it.
    pub least_scale: f64,
}

impl Named {
    pub(super) fn new(name: impl Into<String>, values: Vec<f32>) -> Self {
        Named {
            name: name.into(),
            values,
            least_scale: 0.0,
        }
    }
}

/// How far a tensor is from the CPU's.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The tensor's name.
    pub name: String,
    /// The largest difference of two values over the CPU's largest value, so that a small tensor counts as much as a
    /// large one. `f64::MAX` where a value is missing or not finite.
    pub relative: f64,
}

/// Every tensor of `expected` against the one of the same name in `found`.
pub(super) fn differences(found: &[Named], expected: &[Named]) -> Vec<Difference> {
    expected
        .iter()
        .map(|cpu| {
            let values = found
                .iter()
                .find(|tensor| tensor.name == cpu.name)
                .map_or(&[][..], |tensor| &tensor.values);
            Difference {
                name: cpu.name.clone(),
                relative: relative(values, &cpu.values, cpu.least_scale),
            }
        })
        .collect()
}

/// The largest difference.
pub(super) fn largest(differences: &[Difference]) -> Option<&Difference> {
    differences
        .iter()
        .max_by(|a, b| a.relative.total_cmp(&b.relative))
}

fn relative(found: &[f32], expected: &[f32], least_scale: f64) -> f64 {
    if found.len() != expected.len() || found.iter().any(|value| !value.is_finite()) {
        return f64::MAX;
    }
    let scale = expected.iter().fold(least_scale, |largest, value| {
        largest.max(f64::from(value.abs()))
    });
    let apart = found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (f64::from(*found) - f64::from(*expected)).abs())
        .fold(0.0, f64::max);
    if apart == 0.0 {
        0.0
    } else {
        (apart / scale).min(f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when wrong, missing, surplus or NaN values pass for right ones, or a tensor of small values hides behind
    /// one of large values.
    #[test]
    fn wrong_numbers_are_seen() {
        let cpu = [
            Named::new("large", vec![1000.0, -2000.0]),
            Named::new("small", vec![1e-6, 2e-6]),
            Named::new("zero", vec![0.0]),
        ];
        let with = |index: usize, values: &[f32]| {
            let mut found = cpu.to_vec();
            found[index].values = values.to_vec();
            let differences = differences(&found, &cpu);
            let largest = largest(&differences).unwrap();
            (largest.name.clone(), largest.relative)
        };
        assert_eq!(with(0, &[1000.0, -2000.0]).1, 0.0);
        let (name, relative) = with(1, &[1e-6, 3e-6]);
        assert!(name == "small" && (relative - 0.5).abs() < 1e-6);
        for (index, values) in [
            (0, &[f32::NAN, -2000.0][..]),
            (0, &[f32::INFINITY, -2000.0]),
            (1, &[1e-6]),
            (1, &[1e-6, 2e-6, 0.0]),
            (2, &[1e-30]),
        ] {
            assert_eq!(with(index, values).1, f64::MAX, "{values:?}");
        }
        let mut changed = cpu[1].clone();
        changed.least_scale = 1.0;
        let relative =
            differences(&[Named::new("small", vec![1e-6, 3e-6])], &[changed])[0].relative;
        assert!((relative - 1e-6).abs() < 1e-9, "{relative}");
        assert_eq!(differences(&[], &cpu).len(), 3);
        assert!(
            differences(&[], &cpu)
                .iter()
                .all(|d| d.relative == f64::MAX)
        );
    }
}
