//! C3: selectivity raises worst-case robustness.

use protocol::attack::{Attack, Method, Norm};
use protocol::finding::{Claim, Evidence, Finding};
use protocol::measure::Scale;

use super::evidence::{POINTS_PER_TENTH, SCALES, Side, Test, change, correct_within_scales};
use super::numbers::{Column, Numbers, Values, complete_mean};
use super::verdict::{finding, not_enough};
use crate::run_numbers::Accuracy;

const RULE: &str = "One least-squares slope on selectivity for each seed with at least 3 alphas, at least 3 seeds, of the mean accuracy over all FGSM radii and of that over all PGD step counts (L-infinity, from the clean image), the two corrected after Holm within a scale; supported where both mean slopes are above 0 (corrected p < 0.05) both in raw accuracy and as a share of clean accuracy, contradicted where all are below 0.";

/// The source's attacks, over whose budgets a mean is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// FGSM at every radius.
    Fgsm,
    /// L-infinity PGD from the clean image with every number of steps.
    Pgd,
}

impl Family {
    /// Both.
    pub(super) const ALL: [Family; 2] = [Family::Fgsm, Family::Pgd];

    /// Whether an attack is of it.
    pub(super) fn covers(self, attack: &Attack) -> bool {
        attack.norm == Norm::Linf
            && match self {
                Family::Fgsm => attack.method == Method::Fgsm,
                Family::Pgd => attack.method == Method::Pgd && attack.random_starts == 0,
            }
    }

    /// What the mean of its accuracies is called.
    pub(super) fn label(self) -> &'static str {
        match self {
            Family::Fgsm => "FGSM accuracy",
            Family::Pgd => "PGD accuracy",
        }
    }

    /// Whether some run was attacked with it.
    pub(super) fn is_measured(self, numbers: &Numbers) -> bool {
        numbers
            .attacks
            .iter()
            .any(|column| self.covers(&column.item))
    }
}

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    let evidence = evidence(numbers);
    let missing: Vec<&str> = Family::ALL
        .into_iter()
        .filter(|family| !family.is_measured(numbers))
        .map(Family::label)
        .collect();
    let mut sentences: Vec<String> = evidence
        .iter()
        .filter(|one| one.decides && one.n > 0)
        .map(|one| change(one, POINTS_PER_TENTH))
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        sentences.insert(
            0,
            format!("Not measured: {missing}; evaluate the runs with FGSM and PGD attacks."),
        );
        return not_enough(Claim::C3, RULE, evidence, sentences.join(" "));
    }
    for family in Family::ALL {
        if numbers
            .attacks
            .iter()
            .filter(|column| family.covers(&column.item))
            .all(|column| !has_spread(column))
        {
            sentences.push(format!(
                "{} is the same in every run, at its floor or ceiling, and decides nothing: evaluate with another epsilon.",
                family.label()
            ));
        }
    }
    finding(Claim::C3, RULE, evidence, sentences)
}

/// The tests that decide, then each attack by itself.
fn evidence(numbers: &Numbers) -> Vec<Evidence> {
    let selectivity = numbers.selectivity();
    let test = |what: String, scale, decides| Test {
        what,
        scale: Some(scale),
        unit: "accuracy per unit of selectivity",
        claimed: Side::Above,
        decides,
    };
    let mut evidence = Vec::new();
    for scale in SCALES {
        for family in Family::ALL {
            let accuracy = family_accuracy(numbers, family, scale, |_| true);
            let points = numbers.points(&selectivity, &accuracy);
            evidence.push(test(family.label().into(), scale, true).of_slopes(&points));
        }
    }
    correct_within_scales(&mut evidence);
    for scale in SCALES {
        for column in &numbers.attacks {
            let accuracy: Values = column
                .values
                .iter()
                .map(|value| value.and_then(|value| value.on(scale)))
                .collect();
            let points = numbers.points(&selectivity, &accuracy);
            let what = format!("Accuracy under {}", column.item.label());
            evidence.push(test(what, scale, false).of_slopes(&points));
        }
    }
    evidence
}

/// The mean accuracy of every run over the attacks of a family that `wanted` lets through.
pub(super) fn family_accuracy(
    numbers: &Numbers,
    family: Family,
    scale: Scale,
    wanted: impl Fn(&Attack) -> bool,
) -> Values {
    complete_mean(
        &numbers.attacks,
        |attack| family.covers(attack) && wanted(attack),
        |value| value.on(scale),
    )
}

/// Whether runs differ under an attack at all; where they do not, it leaves all at the floor or the ceiling.
pub(super) fn has_spread(column: &Column<Attack, Accuracy>) -> bool {
    let mut values = column.values.iter().flatten();
    let first = values.next();
    values.any(|value| Some(value.perturbed) != first.map(|first| first.perturbed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, rises, share_of};
    use protocol::finding::Verdict;

    /// Broken by: the sign of the other kind of robustness, a family that is left out, or no correction for two tests.
    #[test]
    fn a_rise_supports_it_and_a_fall_contradicts_it() {
        let rise = weigh(&Lab::new(3).attacks(rises(0.3)).numbers());
        assert_eq!(rise.verdict, Verdict::Supported, "{}", rise.summary);
        assert_eq!(rise.evidence.len(), 4 + 2 * 12);
        let deciding: Vec<_> = rise.evidence.iter().filter(|one| one.decides).collect();
        assert_eq!(deciding.len(), 4);
        assert!(deciding.iter().all(|one| one.p_holm >= one.p));
        assert!(
            rise.summary.contains("PGD accuracy changes by +3.0 points"),
            "{}",
            rise.summary
        );
        let fall = weigh(&Lab::new(3).attacks(falls(0.3)).numbers());
        assert_eq!(fall.verdict, Verdict::Contradicted, "{}", fall.summary);
    }

    /// Broken by: a verdict that rests on one of two scales. Accuracy under attack falls, but clean accuracy falls
    /// faster.
    #[test]
    fn scales_that_disagree_are_said() {
        let lab = Lab::new(3).attacks(|seed, alpha, selectivity| {
            let clean = 0.9 - 0.8 * selectivity;
            (
                clean * share_of(seed, alpha, 0.4 + 0.1 * selectivity),
                clean,
            )
        });
        let found = weigh(&lab.numbers());
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.summary);
        assert!(
            found.summary.contains("The scales disagree: the share"),
            "{}",
            found.summary
        );
    }

    /// Broken by: PGD that nothing withstands being counted as evidence, or passed over in silence.
    #[test]
    fn an_attack_that_nothing_withstands_decides_nothing() {
        let lab = Lab::new(3).each_attack(|attack, seed, alpha, selectivity| match attack.method {
            Method::Pgd => (0.0, 0.8),
            _ => rises(0.3)(seed, alpha, selectivity),
        });
        let found = weigh(&lab.numbers());
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.summary);
        assert!(
            found
                .summary
                .contains("PGD accuracy is the same in every run"),
            "{}",
            found.summary
        );
    }

    /// Broken by: no answer where runs are too few or a family of attacks is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = weigh(&Lab::new(2).attacks(rises(0.3)).numbers());
        assert_eq!(two.verdict, Verdict::NotEnoughRuns, "{}", two.summary);
        let missing = weigh(&Lab::new(3).numbers());
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(
            missing
                .summary
                .starts_with("Not measured: FGSM accuracy and PGD accuracy;"),
            "{}",
            missing.summary
        );
        let mut lab = Lab::new(3).attacks(rises(0.3));
        lab.measurements.retain(|(_, one)| {
            one.attack()
                .is_some_and(|one| one.attack.method == Method::Fgsm)
        });
        let half = weigh(&lab.numbers());
        assert_eq!(half.verdict, Verdict::NotEnoughRuns);
        assert!(
            half.summary.starts_with("Not measured: PGD accuracy;"),
            "{}",
            half.summary
        );
        assert!(
            half.summary.contains("FGSM accuracy changes by"),
            "{}",
            half.summary
        );
    }
}
