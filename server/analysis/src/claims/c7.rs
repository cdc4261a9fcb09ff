//! C7: the two kinds of robustness trade off.

use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Picture};
use protocol::finding::{Claim, Finding};
use protocol::measure::Scatter;
use protocol::quantity::{Axis, Scale, Unit};

use super::attacks::{Family, Sweep, counted, left_out};
use super::c1;
use super::draw::{Sheet, Shown, at_each_scale};
use super::estimands::{PER_TEN_POINTS, Predictor, ways};
use super::evidence::Side;
use super::numbers::{Numbers, needed};
use super::verdict::{Words, finding, not_enough};

const RULE: &str = "Primary: the least-squares slopes on raw corruption accuracy of raw accuracy under FGSM (mean over radii) and under PGD (mean over numbers of steps), where measured, one of each for every seed with at least 3 alphas. At least 3 seeds are needed; the 95 % intervals are Student's t over seeds. Supported if every interval lies below 0, contradicted if every interval lies above 0, no difference if every interval lies within ±0.5 points per 10 points (our choice); all must agree, so none is corrected. Attacks that leave under 2 % accuracy, or cost less than 2 points of clean accuracy, in more than half of the runs are left out. Sensitivity by the same rule: both as a share of clean accuracy; both as residuals on logit clean accuracy over the runs (margin 0.05); slope with clean accuracy as a covariate within seed (at least 4 alphas). If two of the four are decided in opposite directions, the claim depends on the scale.";

const WORDS: Words = Words {
    supported: "Networks that keep more accuracy on corrupted images lose more under attack",
    contradicted: "Networks that keep more accuracy on corrupted images also keep more under attack",
    no_difference: "Accuracy under attack changes by no more than the margin with accuracy on corrupted images",
    whether: "accuracy on corrupted images trades off against accuracy under attack",
};

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.corruptions.is_empty() {
        return not_enough(Claim::C7, RULE, c1::ASK);
    }
    let sweeps = Sweep::all(numbers);
    if sweeps.iter().all(|sweep| sweep.attacks.is_empty()) {
        let sentence =
            "Adversarial accuracy was not measured: evaluate the runs with FGSM and PGD attacks.";
        return not_enough(Claim::C7, RULE, sentence);
    }
    let families = counted(&sweeps, numbers);
    let corruptions = numbers.corruption_accuracies();
    let mut found = if families.is_empty() {
        let sentence = "No attack tells the runs apart: evaluate with another epsilon.";
        not_enough(Claim::C7, RULE, sentence)
    } else {
        let against = Predictor::Accuracy(&corruptions);
        let ways = ways(numbers, against, &families, Side::Below, PER_TEN_POINTS);
        finding(Claim::C7, RULE, WORDS, ways)
    };
    found.notes = left_out(&sweeps);
    found
}

/// Its figures: accuracy under each family against corruption accuracy, at both scales, over the attacks of the verdict.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    let families = [
        (ClaimFigureName::TradeOffFgsm, Family::Fgsm),
        (ClaimFigureName::TradeOffPgd, Family::Pgd),
    ];
    let drawn = families.into_iter().flat_map(|(name, family)| {
        at_each_scale(name, |scale| {
            Picture::Scatter(trade_off(sheet, family, scale))
        })
    });
    drawn.collect()
}

fn trade_off(sheet: &Sheet, family: Family, scale: Scale) -> Scatter {
    let numbers = sheet.numbers;
    let sweep = Sweep::of(numbers, family);
    let attacks: Vec<_> = sweep
        .attacks
        .iter()
        .copied()
        .filter(|attack| sweep.counts(attack))
        .collect();
    let what = match family {
        Family::Fgsm => format!("mean of {} FGSM radii", attacks.len()),
        Family::Pgd => format!("mean of {} numbers of PGD steps", attacks.len()),
    };
    let y = Shown {
        axis: Axis::new("Adversarial accuracy", Unit::Share)
            .with(what)
            .on(scale),
        values: sweep.accuracies(numbers).on(scale).clone(),
        images: numbers.attack_images(),
    };
    let x = sheet.corruption_axis(&numbers.corruption_accuracies(), scale);
    Scatter {
        conditions: numbers.corruption_conditions,
        attack_conditions: numbers.attack_conditions,
        known_attacks: attacks,
        averaged_over: needed(&numbers.corruptions, |_| true).len() as u32,
        ..sheet.scatter(x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, noise, rises};
    use protocol::attack::Method;
    use protocol::finding::Verdict;

    fn weighed(lab: Lab) -> Finding {
        weigh(&Numbers::new(&lab.run_numbers()))
    }

    /// Corruption accuracy falls by 0.3 and adversarial accuracy rises by 0.15 for each unit of selectivity: -5 points per 10
    /// points of corruption accuracy. Breaks when axes are swapped, the sign is wrong, or a way is left out.
    #[test]
    fn opposite_slopes_support_it_and_equal_ones_contradict_it() {
        let traded = weighed(Lab::new(3).corruptions(falls(0.3)).attacks(rises(0.15)));
        assert_eq!(traded.verdict, Verdict::Supported, "{}", traded.sentence);
        assert_eq!(traded.estimates.len(), 8);
        for one in &traded.estimates[..4] {
            assert!(
                (one.estimate.unwrap() + 5.0).abs() < 0.3,
                "{}",
                traded.sentence
            );
        }
        let together = weighed(Lab::new(3).corruptions(falls(0.3)).attacks(falls(0.15)));
        assert_eq!(
            together.verdict,
            Verdict::Contradicted,
            "{}",
            together.sentence
        );
        let unrelated = Lab::new(3)
            .corruptions(falls(0.3))
            .attacks(|seed, alpha, selectivity| {
                let slope = [0.1, -0.12, 0.05][seed as usize % 3];
                (0.4 + slope * selectivity + 0.01 * noise(seed, alpha), 0.8)
            });
        let unrelated = weighed(unrelated);
        assert_eq!(
            unrelated.verdict,
            Verdict::Inconclusive,
            "{}",
            unrelated.sentence
        );
    }

    /// All accuracies fall, but clean accuracy falls faster than those under attack. Breaks when there is a verdict where scales
    /// are decided in opposite directions.
    #[test]
    fn opposite_directions_depend_on_the_scale() {
        let clean = |selectivity: f64| 0.9 - 0.6 * selectivity;
        let lab = Lab::new(3)
            .corruptions(move |seed, alpha, selectivity| {
                let share = 0.8 - 0.1 * selectivity + 0.0003 * noise(seed, alpha);
                (clean(selectivity) * share, clean(selectivity))
            })
            .attacks(move |seed, alpha, selectivity| {
                let share = 0.4 + 0.1 * selectivity + 0.0003 * noise(seed + 7, alpha);
                (clean(selectivity) * share, clean(selectivity))
            });
        let found = weighed(lab);
        assert_eq!(found.verdict, Verdict::DependsOnScale, "{}", found.sentence);
        assert!(
            found
                .sentence
                .contains("depends on the scale: in raw accuracy"),
            "{}",
            found.sentence
        );
    }

    /// Breaks when an attack that leaves no accuracy is averaged in, left out without a note, or taken for a test.
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
        let found = weighed(lab(true));
        assert_eq!(found.verdict, Verdict::Supported, "{}", found.sentence);
        assert_eq!(found.estimates.len(), 4);
        assert!(found.notes[0].contains("Left out") && found.notes[0].contains("PGD"));
        let none = weighed(lab(false));
        assert_eq!(none.verdict, Verdict::NotEnoughRuns);
        assert!(
            none.sentence.contains("No attack tells the runs apart"),
            "{}",
            none.sentence
        );
    }

    /// Breaks when there is no answer where runs are too few or a measurement is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = weighed(Lab::new(2).corruptions(falls(0.3)).attacks(rises(0.15)));
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        let missing = weighed(Lab::new(3).attacks(rises(0.15)));
        assert!(missing.sentence.contains("natural corruptions"));
        let missing = weighed(Lab::new(3).corruptions(falls(0.3)));
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.sentence.contains("FGSM and PGD"));
    }
}
