//! C6: input-unit gradients vary more in selective networks.

use protocol::finding::{Claim, Finding};

use super::evidence::{PER_TENTH, Side, Test, change, correct_within_scales};
use super::numbers::GradientVariability;
use super::numbers::{Numbers, Values};
use super::verdict::{finding, not_enough};

const RULE: &str = "One least-squares slope on selectivity for each seed with at least 3 alphas, at least 3 seeds, of CV_u (variability across samples) and of CV_l (variability across units), each the mean over all layers, the two corrected after Holm; supported where both mean slopes are above 0 (corrected p < 0.05), contradicted where both are below 0.";

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.gradients.iter().all(Option::is_none) {
        return not_enough(
            Claim::C6,
            RULE,
            Vec::new(),
            "Input-unit gradients are not measured: evaluate the runs' input-unit gradients.",
        );
    }
    let selectivity = numbers.selectivity();
    let test = |what: &str, decides, value: fn(&GradientVariability) -> Option<f64>| {
        let test = Test {
            what: what.into(),
            scale: None,
            unit: "coefficient of variation per unit of selectivity",
            claimed: Side::Above,
            decides,
        };
        let values: Values = numbers
            .gradients
            .iter()
            .map(|of| of.as_ref().and_then(value))
            .collect();
        test.of_slopes(&numbers.points(&selectivity, &values))
    };
    let mut evidence = vec![
        test("CV_u", true, |of| of.across_samples[0]),
        test("CV_l", true, |of| of.across_units[0]),
        test("CV_u of the early layers", false, |of| of.across_samples[1]),
        test("CV_l of the early layers", false, |of| of.across_units[1]),
    ];
    correct_within_scales(&mut evidence);
    let sentences = evidence[..2]
        .iter()
        .map(|one| change(one, PER_TENTH))
        .collect();
    finding(Claim::C6, RULE, evidence, sentences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, noise};
    use protocol::finding::Verdict;

    fn lab(seeds: u64, samples: f64, units: f64) -> Lab {
        Lab::new(seeds).gradients(move |seed, alpha, selectivity| {
            let noise = 0.001 * noise(seed, alpha);
            [
                0.5 + samples * selectivity + noise,
                0.9 + units * selectivity - noise,
            ]
        })
    }

    /// Broken by: one of the two that decides alone, or the wrong sign.
    #[test]
    fn both_must_rise() {
        let both = weigh(&lab(3, 0.4, 0.2).numbers());
        assert_eq!(both.verdict, Verdict::Supported, "{}", both.summary);
        assert!((both.evidence[1].estimate.unwrap() - 0.2).abs() < 0.01);
        assert!(both.evidence[0].p_holm >= both.evidence[0].p);
        assert!(
            both.summary.contains("CV_u changes by +0.04"),
            "{}",
            both.summary
        );
        let neither = weigh(&lab(3, -0.4, -0.2).numbers());
        assert_eq!(
            neither.verdict,
            Verdict::Contradicted,
            "{}",
            neither.summary
        );
        let one = weigh(&lab(3, 0.4, -0.2).numbers());
        assert_eq!(one.verdict, Verdict::Inconclusive, "{}", one.summary);
        assert!(
            one.summary.contains("do not agree on a side"),
            "{}",
            one.summary
        );
        assert_eq!(one.more_seeds, None);
    }

    /// Broken by: no answer where runs are too few or the measurement is missing.
    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(
            weigh(&lab(2, 0.4, 0.2).numbers()).verdict,
            Verdict::NotEnoughRuns
        );
        let missing = weigh(&Lab::new(3).numbers());
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.summary.contains("input-unit gradients"));
    }
}
