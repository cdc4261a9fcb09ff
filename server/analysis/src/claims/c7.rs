//! C7: the two kinds of robustness trade off.

use protocol::finding::{Claim, Finding};

use super::c1;
use super::c3::{Family, family_accuracy, has_spread};
use super::evidence::{SCALES, Side, Telling, Test, change, correct_within_scales};
use super::numbers::Numbers;
use super::verdict::{finding, not_enough};

const RULE: &str = "One least-squares slope of adversarial accuracy on corruption accuracy for each seed with at least 3 alphas, at least 3 seeds: of the mean over all FGSM radii and of that over all PGD step counts, as far as they are measured, corrected after Holm within a scale; attacks under which all runs have the same accuracy, at the floor or the ceiling, are left out. Supported where every mean slope is below 0 (corrected p < 0.05) both in raw accuracy and as a share of clean accuracy, contradicted where all are above 0.";

/// Adversarial points for each 10 points of corruption accuracy.
const POINTS_PER_TEN: Telling = Telling {
    factor: 10.0,
    unit: " points",
    of: " for each 10 points of corruption accuracy",
};

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.corruptions.is_empty() {
        return not_enough(Claim::C7, RULE, Vec::new(), c1::ASK);
    }
    if !Family::ALL.iter().any(|family| family.is_measured(numbers)) {
        return not_enough(
            Claim::C7,
            RULE,
            Vec::new(),
            "Adversarial accuracy is not measured: evaluate the runs with FGSM and PGD attacks.",
        );
    }
    let told_apart: Vec<_> = numbers
        .attacks
        .iter()
        .filter(|column| has_spread(column))
        .map(|column| column.item)
        .collect();
    let mut left_out: Vec<String> = numbers
        .attacks
        .iter()
        .map(|column| column.item)
        .filter(|attack| {
            Family::ALL.iter().any(|family| family.covers(attack)) && !told_apart.contains(attack)
        })
        .map(|attack| attack.label())
        .collect();
    left_out.sort();
    let mut evidence = Vec::new();
    for scale in SCALES {
        let corruption = numbers.corruption_accuracy(scale);
        for family in Family::ALL {
            if !told_apart.iter().any(|attack| family.covers(attack)) {
                continue;
            }
            let accuracy =
                family_accuracy(numbers, family, scale, |attack| told_apart.contains(attack));
            let test = Test {
                what: family.label().into(),
                scale: Some(scale),
                unit: "adversarial accuracy per unit of corruption accuracy",
                claimed: Side::Below,
                decides: true,
            };
            evidence.push(test.of_slopes(&numbers.points(&corruption, &accuracy)));
        }
    }
    correct_within_scales(&mut evidence);
    let note = (!left_out.is_empty()).then(|| {
        format!(
            "Left out, as every run has the same accuracy under it: {}.",
            left_out.join("; ")
        )
    });
    if evidence.is_empty() {
        let note = note.unwrap_or_default();
        let summary =
            format!("{note} No attack tells the runs apart: evaluate with another epsilon.");
        return not_enough(Claim::C7, RULE, evidence, summary);
    }
    let sentences = evidence
        .iter()
        .map(|one| change(one, POINTS_PER_TEN))
        .chain(note);
    let sentences = sentences.collect();
    finding(Claim::C7, RULE, evidence, sentences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, noise, rises};
    use protocol::attack::Method;
    use protocol::finding::Verdict;

    /// Corruption accuracy falls by 0.3 and adversarial accuracy rises by 0.15 for each unit of selectivity: -0.5 for each
    /// other. Broken by: axes the other way round, the wrong sign, or a scale that is left out.
    #[test]
    fn opposite_slopes_support_it_and_equal_ones_contradict_it() {
        let traded = weigh(
            &Lab::new(3)
                .corruptions(falls(0.3))
                .attacks(rises(0.15))
                .numbers(),
        );
        assert_eq!(traded.verdict, Verdict::Supported, "{}", traded.summary);
        assert_eq!(traded.evidence.len(), 4);
        for one in &traded.evidence {
            assert!(
                (one.estimate.unwrap() + 0.5).abs() < 0.03,
                "{}",
                traded.summary
            );
        }
        let together = weigh(
            &Lab::new(3)
                .corruptions(falls(0.3))
                .attacks(falls(0.15))
                .numbers(),
        );
        assert_eq!(
            together.verdict,
            Verdict::Contradicted,
            "{}",
            together.summary
        );
        let unrelated = Lab::new(3)
            .corruptions(falls(0.3))
            .attacks(|seed, alpha, selectivity| {
                let slope = [0.1, -0.12, 0.05][seed as usize % 3];
                (0.4 + slope * selectivity + 0.01 * noise(seed, alpha), 0.8)
            });
        let unrelated = weigh(&unrelated.numbers());
        assert_eq!(
            unrelated.verdict,
            Verdict::Inconclusive,
            "{}",
            unrelated.summary
        );
    }

    /// Broken by: a verdict where the scales disagree. All accuracies fall, but clean accuracy falls faster than those
    /// under attack.
    #[test]
    fn scales_that_disagree_are_said() {
        let clean = |selectivity: f64| 0.9 - 0.6 * selectivity;
        let lab = Lab::new(3)
            .corruptions(move |seed, alpha, selectivity| {
                let share = 0.8 - 0.1 * selectivity + 0.0003 * noise(seed, alpha);
                (clean(selectivity) * share, clean(selectivity))
            })
            .attacks(move |seed, alpha, selectivity| {
                let share = 0.4 + 0.1 * selectivity + 0.0003 * noise(seed, alpha);
                (clean(selectivity) * share, clean(selectivity))
            });
        let found = weigh(&lab.numbers());
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.summary);
        assert!(
            found.summary.contains("The scales disagree: the share"),
            "{}",
            found.summary
        );
    }

    /// Broken by: an attack that nothing withstands being averaged in, passed over in silence, or taken for a test.
    #[test]
    fn attacks_at_the_floor_are_left_out_and_named() {
        let lab = |fgsm: bool| {
            Lab::new(3).corruptions(falls(0.3)).each_attack(
                move |attack, seed, alpha, selectivity| match attack.method {
                    Method::Fgsm if fgsm => rises(0.15)(seed, alpha, selectivity),
                    _ => (0.0, 0.8),
                },
            )
        };
        let found = weigh(&lab(true).numbers());
        assert_eq!(found.verdict, Verdict::Supported, "{}", found.summary);
        assert_eq!(found.evidence.len(), 2);
        assert!(found.summary.contains("Left out") && found.summary.contains("PGD"));
        let none = weigh(&lab(false).numbers());
        assert_eq!(none.verdict, Verdict::NotEnoughRuns);
        assert!(
            none.summary.contains("No attack tells the runs apart"),
            "{}",
            none.summary
        );
    }

    /// Broken by: no answer where runs are too few or a measurement is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = weigh(
            &Lab::new(2)
                .corruptions(falls(0.3))
                .attacks(rises(0.15))
                .numbers(),
        );
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        let missing = weigh(&Lab::new(3).attacks(rises(0.15)).numbers());
        assert!(missing.summary.contains("natural corruptions"));
        let missing = weigh(&Lab::new(3).corruptions(falls(0.3)).numbers());
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.summary.contains("FGSM and PGD"));
    }
}
