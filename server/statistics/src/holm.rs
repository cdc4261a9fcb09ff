//! Holm's correction for many tests (Holm 1979).

/// The p-values of a family of tests, adjusted so that calling those below a level significant
/// calls any true hypothesis of the family so with at most that probability, however the tests
/// depend on each other; in the order given, each within [0, 1] and no smaller than it was.
///
/// What is not a probability (NaN, or outside of [0, 1]) is no test: it comes back as NaN, and the
/// others are adjusted as if it were not there.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut ascending: Vec<usize> = (0..p_values.len())
        .filter(|&place| (0.0..=1.0).contains(&p_values[place]))
        .collect();
    ascending.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut largest = 0.0_f64;
    for (smaller, &place) in ascending.iter().enumerate() {
        let hypotheses_left = (ascending.len() - smaller) as f64;
        largest = largest.max(p_values[place] * hypotheses_left).min(1.0);
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-12,
                "{found} is not {expected}"
            );
        }
    }

    /// R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03, 0.06, 0.06, 0.02: 4 x 0.005,
    /// 3 x 0.01, 2 x 0.03, and 1 x 0.04 lifted to the one before it. Broken by: Bonferroni's
    /// factor for all, an answer in sorted order, or an adjusted value below a smaller one's.
    #[test]
    fn adjusted_values_are_holms() {
        assert_close(&holm(&[0.01, 0.04, 0.03, 0.005]), &[0.03, 0.06, 0.06, 0.02]);
    }

    /// Broken by: a probability above 1.
    #[test]
    fn adjusted_values_are_probabilities() {
        assert_close(&holm(&[0.4, 0.9, 0.6, 1.0]), &[1.0; 4]);
        assert_close(&holm(&[0.0, 0.2]), &[0.0, 0.2]);
        assert_close(&holm(&[0.3]), &[0.3]);
        assert_close(&holm(&[]), &[]);
    }

    /// Broken by: a NaN that is counted as a test, sorted before the others, or lost.
    #[test]
    fn what_is_no_probability_is_left_out() {
        let adjusted = holm(&[0.01, f64::NAN, 0.04, -0.5, 1.5, f64::INFINITY]);
        assert_close(&[adjusted[0], adjusted[2]], &[0.02, 0.04]);
        for place in [1, 3, 4, 5] {
            assert!(adjusted[place].is_nan(), "{adjusted:?}");
        }
    }
}
