//! C3: selectivity raises worst-case robustness.

use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Lines, Picture};
use protocol::finding::{Claim, Evidence, Finding};
use protocol::quantity::{Axis, Scale, Unit};

use super::attacks::{Family, Sweep, counted, left_out};
use super::contrasts::{contrasts, sentences};
use super::draw::{Sheet, at_each_scale};
use super::estimands::{PER_TENTH, Predictor, ways};
use super::evidence::{SCALES, Side, Test};
use super::numbers::{Numbers, Values};
use super::verdict::{Words, finding, not_enough};

const RULE: &str = "Primary: the least-squares slopes on mean selectivity of raw accuracy under FGSM (mean over radii) and under PGD (L-infinity, from the clean image, mean over numbers of steps), one of each for every seed with at least 3 alphas. At least 3 seeds are needed; the 95 % intervals are Student's t over seeds. Supported if both intervals lie above 0, contradicted if both lie below 0, no difference if both lie within ±0.5 points per 0.1 of selectivity (our choice); both must agree, so neither is corrected. Attacks that leave under 2 % accuracy, or cost less than 2 points of clean accuracy, in more than half of the runs are left out; a family with no attack left decides nothing. Sensitivity by the same rule: share of clean accuracy; residual of logit adversarial accuracy on logit clean accuracy over the runs (margin 0.02 logits per 0.1); slope with clean accuracy as a covariate within seed (at least 4 alphas). If two of the four are decided in opposite directions, the claim depends on the scale.";

const WORDS: Words = Words {
    supported: "Networks with higher selectivity keep more accuracy under attack",
    contradicted: "Networks with higher selectivity lose more accuracy under attack",
    no_difference: "Selectivity makes no difference larger than the margin to accuracy under attack",
    whether: "selectivity raises accuracy under attack",
};

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    let sweeps = Sweep::all(numbers);
    let missing: Vec<&str> = sweeps
        .iter()
        .filter(|sweep| sweep.attacks.is_empty())
        .map(|sweep| sweep.family.label())
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        let sentence =
            format!("Not measured: {missing}. Evaluate the runs with FGSM and PGD attacks.");
        return not_enough(Claim::C3, RULE, sentence);
    }
    let families = counted(&sweeps, numbers);
    if families.is_empty() {
        let mut found = not_enough(
            Claim::C3,
            RULE,
            "No attack tells the runs apart: evaluate with another epsilon.",
        );
        found.notes = left_out(&sweeps);
        found.evidence = each(numbers);
        return found;
    }
    let ways = ways(
        numbers,
        Predictor::Selectivity,
        &families,
        Side::Above,
        PER_TENTH,
    );
    let mut found = finding(Claim::C3, RULE, WORDS, ways);
    for accuracies in &families {
        let alphas = contrasts(
            numbers,
            &accuracies.perturbed,
            &accuracies.name,
            Side::Above,
        );
        found.notes.extend(sentences(&alphas, &accuracies.name));
        found
            .estimates
            .extend(alphas.into_iter().map(|one| one.estimate));
    }
    found.notes.extend(left_out(&sweeps));
    found.evidence.extend(each(numbers));
    found
}

/// Each attack by itself, at both scales.
fn each(numbers: &Numbers) -> Vec<Evidence> {
    let selectivity = numbers.selectivity();
    let of_scale = |(place, scale): (usize, Scale)| {
        let selectivity = &selectivity;
        numbers.attacks.iter().map(move |column| {
            let accuracy: Values = column
                .values
                .iter()
                .map(|value| value.and_then(|value| value.on(scale)))
                .collect();
            let test = Test {
                what: format!("Accuracy under {}", column.item.label()),
                scale: Some(scale),
                unit: PER_TENTH[place],
                claimed: Side::Above,
                decides: false,
            };
            test.of_slopes(&numbers.points(selectivity, &accuracy))
        })
    };
    SCALES.into_iter().enumerate().flat_map(of_scale).collect()
}

/// Its figures: accuracy by budget, for each family at both scales.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    let families = [
        (ClaimFigureName::FgsmEpsilon, Family::Fgsm),
        (ClaimFigureName::PgdSteps, Family::Pgd),
    ];
    let drawn = families.into_iter().flat_map(|(name, family)| {
        at_each_scale(name, |scale| {
            Picture::Lines(by_budget(sheet, family, scale))
        })
    });
    drawn.collect()
}

fn by_budget(sheet: &Sheet, family: Family, scale: Scale) -> Lines {
    let numbers = sheet.numbers;
    let sweep = Sweep::of(numbers, family);
    let columns: Vec<_> = sweep
        .attacks
        .iter()
        .filter_map(|attack| numbers.attacks.iter().find(|column| column.item == *attack))
        .collect();
    let values: Vec<Option<Vec<f64>>> = (0..numbers.runs.len())
        .map(|run| {
            // All attacks are on the same images.
            let clean = match scale {
                Scale::Raw => columns.first()?.values[run]?.clean,
                Scale::ShareOfClean => 1.0,
            };
            let attacked = columns.iter().map(|column| column.values[run]?.on(scale));
            [Some(clean)].into_iter().chain(attacked).collect()
        })
        .collect();
    let first = sweep.attacks.first();
    let y = Axis::new("Adversarial accuracy", Unit::Share).on(scale);
    let (x, y) = match (family, first) {
        (Family::Fgsm, _) => ("Epsilon (0: clean)", y.with("FGSM L∞")),
        (Family::Pgd, None) => ("Steps (0: clean)", y.with("PGD L∞")),
        (Family::Pgd, Some(attack)) => {
            let [radius, step] = [attack.epsilon, attack.step_size.unwrap_or_default()]
                .map(|size| attack.norm.radius(size));
            (
                "Steps (0: clean)",
                y.with(format!("PGD L∞ ε {radius}"))
                    .with(format!("step {step}")),
            )
        }
    };
    let budgets = sweep.attacks.iter().map(|attack| match family {
        Family::Fgsm => attack.norm.radius(attack.epsilon),
        Family::Pgd => attack.steps.unwrap_or(1).to_string(),
    });
    let places = ["0".to_owned()].into_iter().chain(budgets).collect();
    let values = if columns.is_empty() {
        vec![None; values.len()]
    } else {
        values
    };
    let mut drawn = sheet.lines(x, places, y, &values);
    if let Some(conditions) = numbers.attack_conditions {
        drawn.of = conditions.label();
        drawn.images = Some(conditions.images);
        let out = left_out(&[sweep]);
        if !out.is_empty() {
            // Sentences, here within one.
            let clauses = out.iter().map(|sentence| {
                let clause = sentence.trim_end_matches('.');
                clause.replacen("Left out", "left out", 1)
            });
            let clauses: Vec<String> = clauses.collect();
            drawn.of = format!("{}; for the verdict, {}", drawn.of, clauses.join("; "));
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, rises, share_of};
    use protocol::attack::Method;
    use protocol::finding::Verdict;

    fn weighed(lab: Lab) -> Finding {
        weigh(&Numbers::new(&lab.run_numbers()))
    }

    /// Breaks when the sign is that of the other kind of robustness, a family is left out, or tests that must agree are
    /// corrected.
    #[test]
    fn a_rise_supports_it_and_a_fall_contradicts_it() {
        let rise = weighed(Lab::new(3).attacks(rises(0.3)));
        assert_eq!(rise.verdict, Verdict::Supported, "{}", rise.sentence);
        assert_eq!(rise.evidence.len(), 8 + 2 * 12);
        let deciding: Vec<_> = rise.evidence.iter().filter(|one| one.decides).collect();
        assert_eq!(deciding.len(), 2);
        assert!(deciding.iter().all(|one| one.p_holm.is_none()));
        assert!(
            rise.sentence.starts_with("Networks with higher selectivity keep more accuracy under attack: FGSM +3.0 points per 0.1 of selectivity (")
                && rise.sentence.contains("; PGD +3.0 points"),
            "{}",
            rise.sentence
        );
        let fall = weighed(Lab::new(3).attacks(falls(0.3)));
        assert_eq!(fall.verdict, Verdict::Contradicted, "{}", fall.sentence);
    }

    /// Accuracy under attack falls, but clean accuracy falls faster. Breaks when the verdict rests on one of two scales.
    #[test]
    fn opposite_directions_depend_on_the_scale() {
        let lab = Lab::new(3).attacks(|seed, alpha, selectivity| {
            let clean = 0.9 - 0.8 * selectivity;
            (
                clean * share_of(seed, alpha, 0.4 + 0.1 * selectivity),
                clean,
            )
        });
        let found = weighed(lab);
        assert_eq!(found.verdict, Verdict::DependsOnScale, "{}", found.sentence);
        assert!(
            found.sentence.contains("in raw accuracy FGSM −")
                && found
                    .sentence
                    .contains("but as a share of clean accuracy FGSM +"),
            "{}",
            found.sentence
        );
    }

    /// Breaks when PGD that leaves no accuracy is counted as evidence, or left out without a note.
    #[test]
    fn an_attack_that_nothing_withstands_is_left_out_and_named() {
        let lab = Lab::new(3).each_attack(|attack, seed, alpha, selectivity| match attack.method {
            Method::Pgd => (0.0, 0.8),
            _ => rises(0.3)(seed, alpha, selectivity),
        });
        let found = weighed(lab);
        assert_eq!(found.verdict, Verdict::Supported, "{}", found.sentence);
        assert_eq!(
            found
                .estimates
                .iter()
                .filter(|one| one.role == protocol::finding::Role::Primary)
                .count(),
            1
        );
        let line = found.notes.last().unwrap();
        assert!(
            line.starts_with("Left out because more than half") && line.contains("PGD"),
            "{line}"
        );
        let nothing = weighed(Lab::new(3).attacks(|_, _, _| (0.0, 0.8)));
        assert_eq!(nothing.verdict, Verdict::NotEnoughRuns);
        assert!(
            nothing
                .sentence
                .starts_with("No attack tells the runs apart")
        );
    }

    /// Breaks when there is no answer where runs are too few or a family of attacks is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = weighed(Lab::new(2).attacks(rises(0.3)));
        assert_eq!(two.verdict, Verdict::NotEnoughRuns, "{}", two.sentence);
        let missing = weighed(Lab::new(3));
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(
            missing
                .sentence
                .starts_with("Not measured: FGSM accuracy and PGD accuracy."),
            "{}",
            missing.sentence
        );
        let mut lab = Lab::new(3).attacks(rises(0.3));
        lab.measurements.retain(|(_, one)| {
            one.attack()
                .is_some_and(|one| one.attack.method == Method::Fgsm)
        });
        let half = weighed(lab);
        assert_eq!(half.verdict, Verdict::NotEnoughRuns);
        assert!(
            half.sentence.starts_with("Not measured: PGD accuracy."),
            "{}",
            half.sentence
        );
    }
}
