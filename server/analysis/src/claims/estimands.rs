//! The ways in which a claim about accuracy under perturbation is measured: one primary estimand, declared before the data,
//! and three that show how much depends on that choice.

use protocol::finding::{Estimate, Evidence, Role, Verdict};

use super::evidence::{SCALES, Side, Test, Unit, describe, estimate};
use super::numbers::{Accuracies, Numbers, Values};

/// One way of measuring a claim: tests that must all agree (an intersection-union test, which needs no correction).
#[derive(Debug, Clone)]
pub struct Estimand {
    /// What it is called in a sentence, for example `in raw accuracy`.
    pub name: &'static str,
    /// Whether its verdict is the claim's; [`overall`] has the exceptions.
    pub role: Role,
    /// One row per test.
    pub rows: Vec<(Estimate, Evidence)>,
    /// Its rows in words.
    pub description: String,
}

impl Estimand {
    /// The only way of measuring a claim: by these tests, each with its label, in a unit whose margin applies.
    pub fn single(tests: Vec<(&str, Evidence)>, claimed: Side, unit: Unit) -> Vec<Estimand> {
        let row = |(label, test): (&str, Evidence)| {
            let margin = Some(unit.margin);
            (estimate(label, &test, Role::Primary, claimed, margin), test)
        };
        let rows: Vec<_> = tests.into_iter().map(row).collect();
        vec![Estimand {
            name: "",
            role: Role::Primary,
            description: describe_rows(&rows),
            rows,
        }]
    }

    /// The joint verdict of its rows.
    pub fn verdict(&self) -> Verdict {
        agreement(self.rows.iter().map(|(row, _)| row.verdict))
    }
}

/// Rows in words; where there are several, each with its name, the part of its label before the comma.
pub fn describe_rows(rows: &[(Estimate, Evidence)]) -> String {
    let describe_row = |(row, _): &(Estimate, Evidence)| {
        let name = row
            .label
            .split_once(',')
            .map_or(&row.label[..], |(name, _)| name);
        match rows.len() {
            1 => describe(row, "95 % CI"),
            _ => format!("{name} {}", describe(row, "95 % CI")),
        }
    };
    rows.iter().map(describe_row).collect::<Vec<_>>().join("; ")
}

/// The joint verdict of verdicts that must all agree.
pub fn agreement(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let verdicts: Vec<Verdict> = verdicts.collect();
    match verdicts.first() {
        None => Verdict::NotEnoughRuns,
        Some(_) if verdicts.contains(&Verdict::NotEnoughRuns) => Verdict::NotEnoughRuns,
        Some(&first) if verdicts.iter().all(|&one| one == first) => first,
        Some(_) => Verdict::Inconclusive,
    }
}

/// The verdict on a claim: that of its primary way, unless two ways are decided in opposite directions.
pub fn overall(ways: &[Estimand]) -> Verdict {
    let primary = ways
        .first()
        .map_or(Verdict::NotEnoughRuns, Estimand::verdict);
    let has = |wanted| ways.iter().any(|way| way.verdict() == wanted);
    match primary {
        Verdict::NotEnoughRuns => primary,
        _ if has(Verdict::Supported) && has(Verdict::Contradicted) => Verdict::DependsOnScale,
        _ => primary,
    }
}

/// What accuracy is set against.
#[derive(Debug, Clone, Copy)]
pub enum Predictor<'a> {
    /// Mean selectivity.
    Selectivity,
    /// Another accuracy, in the same way.
    Accuracy(&'a Accuracies),
}

/// The units of the four ways: raw, share of clean, residual, with covariate.
pub type Units = [Unit; 4];

/// Units of slopes of accuracy on selectivity. The margins are half a point per 0.1; half a point at an accuracy of one half
/// is 0.02 logits.
pub const PER_TENTH: Units = [
    Unit {
        factor: 10.0,
        words: "points per 0.1 of selectivity",
        margin: 0.5,
    },
    Unit {
        factor: 10.0,
        words: "% of clean per 0.1 of selectivity",
        margin: 0.5,
    },
    Unit {
        factor: 0.1,
        words: "logits per 0.1 of selectivity",
        margin: 0.02,
    },
    Unit {
        factor: 10.0,
        words: "points per 0.1 of selectivity at equal clean accuracy",
        margin: 0.5,
    },
];

/// Units of slopes of one accuracy on another.
pub const PER_TEN_POINTS: Units = [
    Unit {
        factor: 10.0,
        words: "points per 10 points of corruption accuracy",
        margin: 0.5,
    },
    Unit {
        factor: 10.0,
        words: "% of clean per 10 % of clean of corruption accuracy",
        margin: 0.5,
    },
    Unit {
        factor: 1.0,
        words: "logits per logit of corruption accuracy",
        margin: 0.05,
    },
    Unit {
        factor: 10.0,
        words: "points per 10 points of corruption accuracy at equal clean accuracy",
        margin: 0.5,
    },
];

/// Labels of the four ways, and what they are called in a sentence.
pub const NAMES: [(&str, &str); 4] = [
    ("raw accuracy", "in raw accuracy"),
    ("share of clean accuracy", "as a share of clean accuracy"),
    (
        "accuracy-adjusted: residual",
        "as the residual on clean accuracy",
    ),
    ("accuracy-adjusted: covariate", "at equal clean accuracy"),
];

/// The slopes of `accuracies` in the four ways, with a row for each accuracy.
pub fn ways(
    numbers: &Numbers,
    against: Predictor,
    accuracies: &[Accuracies],
    claimed: Side,
    units: Units,
) -> Vec<Estimand> {
    (0..4)
        .map(|place| {
            let role = match place {
                0 => Role::Primary,
                _ => Role::Sensitivity,
            };
            let (label, name) = NAMES[place];
            let rows: Vec<(Estimate, Evidence)> = accuracies
                .iter()
                .map(|accuracy| {
                    let test = Test {
                        what: match place {
                            2 | 3 => format!("{}, {label}", accuracy.name),
                            _ => accuracy.name.clone(),
                        },
                        scale: SCALES.get(place).copied(),
                        unit: units[place],
                        claimed,
                        decides: place == 0,
                    };
                    let evidence = slopes(numbers, against, accuracy, place, test);
                    let margin = Some(units[place].margin);
                    let label = match accuracies.len() {
                        1 => capital(label),
                        _ => format!("{}, {label}", accuracy.name.replace(" accuracy", "")),
                    };
                    (estimate(label, &evidence, role, claimed, margin), evidence)
                })
                .collect();
            Estimand {
                name,
                role,
                description: describe_rows(&rows),
                rows,
            }
        })
        .collect()
}

fn slopes(
    numbers: &Numbers,
    against: Predictor,
    response: &Accuracies,
    way: usize,
    test: Test,
) -> Evidence {
    let selectivity = numbers.selectivity();
    let x = |of_accuracy: fn(&Accuracies) -> Values| match against {
        Predictor::Selectivity => selectivity.clone(),
        Predictor::Accuracy(x) => of_accuracy(x),
    };
    match way {
        0 => test.of_slopes(&numbers.points(&x(|x| x.perturbed.clone()), &response.perturbed)),
        1 => test.of_slopes(&numbers.points(&x(|x| x.share.clone()), &response.share)),
        2 => test.of_slopes(&numbers.points(&x(Accuracies::residual), &response.residual())),
        _ => {
            let x = x(|x| x.perturbed.clone());
            let (clean, perturbed) = (&response.clean, &response.perturbed);
            test.of_partial_slopes(&numbers.points_with_covariate(&x, clean, perturbed))
        }
    }
}

/// `text` with a capital letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::numbers::Numbers;
    use crate::made_up::{Lab, noise};
    use crate::run_numbers::RunNumbers;

    fn way(role: Role, verdicts: &[Verdict]) -> Estimand {
        let test = Test {
            what: String::new(),
            scale: None,
            unit: PER_TENTH[0],
            claimed: Side::Below,
            decides: true,
        };
        let evidence = test.without_numbers();
        let row = |&verdict: &Verdict| {
            let row = estimate("", &evidence, role, Side::Below, None);
            (Estimate { verdict, ..row }, evidence.clone())
        };
        Estimand {
            name: "",
            role,
            rows: verdicts.iter().map(row).collect(),
            description: String::new(),
        }
    }

    /// Breaks when one test of two is enough, opposite directions are called inconclusive, or sensitivity alone decides.
    #[test]
    fn rows_must_agree_and_opposite_ways_depend_on_the_scale() {
        use Verdict::{Contradicted, DependsOnScale, Inconclusive, NotEnoughRuns, Supported};
        let first = |verdicts: &[Verdict]| way(Role::Primary, verdicts);
        let second = |verdicts: &[Verdict]| way(Role::Sensitivity, verdicts);
        assert_eq!(first(&[Supported, Inconclusive]).verdict(), Inconclusive);
        assert_eq!(first(&[Supported, NotEnoughRuns]).verdict(), NotEnoughRuns);
        assert_eq!(first(&[Supported, Supported]).verdict(), Supported);
        assert_eq!(first(&[]).verdict(), NotEnoughRuns);
        let both = [first(&[Supported]), second(&[Contradicted])];
        assert_eq!(overall(&both), DependsOnScale);
        let sensitivity = [first(&[Inconclusive]), second(&[Supported])];
        assert_eq!(overall(&sensitivity), Inconclusive);
        let two = [
            first(&[Inconclusive]),
            second(&[Supported]),
            second(&[Contradicted]),
        ];
        assert_eq!(overall(&two), DependsOnScale);
        assert_eq!(
            overall(&[first(&[NotEnoughRuns]), both[0].clone(), both[1].clone()]),
            NotEnoughRuns
        );
    }

    /// Clean accuracy falls with selectivity and corruption accuracy is a fixed function of clean accuracy, so selectivity has no
    /// effect of its own: raw accuracy falls, and at equal clean accuracy nothing is left. Breaks when the covariate is left
    /// out, the regression is on something else, or the residual is not of logits.
    #[test]
    fn what_clean_accuracy_explains_is_taken_off() {
        let lab = Lab::new(3).corruptions(|seed, alpha, selectivity| {
            let clean = 0.9 - 0.3 * selectivity + 0.03 * noise(seed + 5, 1.7 * alpha);
            let odds = clean / (1.0 - clean) / 3.0;
            (odds / (1.0 + odds), clean)
        });
        let runs: Vec<RunNumbers> = lab.run_numbers();
        let numbers = Numbers::new(&runs);
        let found = ways(
            &numbers,
            Predictor::Selectivity,
            &[numbers.corruption_accuracies()],
            Side::Below,
            PER_TENTH,
        );
        let at = |way: usize| found[way].rows[0].0.estimate.unwrap();
        assert!(at(0) < -2.0, "{}", found[0].description);
        assert!(at(2).abs() < 0.02, "{}", found[2].description);
        assert!(at(3).abs() < 0.6, "{}", found[3].description);
    }
}
