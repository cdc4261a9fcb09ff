//! Which attacks a claim rests on: one choice, for verdicts and figures alike.

use std::collections::BTreeMap;

use protocol::attack::{Attack, Method, Norm};

use super::numbers::{Accuracies, Column, Numbers, needed};
use crate::run_numbers::Accuracy;

/// An attack that leaves less accuracy than this in most runs is at the floor (choice).
const FLOOR: f64 = 0.02;

/// An attack that takes less accuracy than this in most runs is at the ceiling (choice).
const CEILING: f64 = 0.02;

/// The attacks of Leavitt & Morcos (2020).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// FGSM at every radius.
    Fgsm,
    /// L-infinity PGD from the clean image with every number of steps, at the radius and step size of most measurements.
    Pgd,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::Fgsm, Family::Pgd];

    fn covers(self, attack: &Attack) -> bool {
        attack.norm == Norm::Linf
            && match self {
                Family::Fgsm => attack.method == Method::Fgsm,
                Family::Pgd => attack.method == Method::Pgd && attack.random_starts == 0,
            }
    }

    /// What the mean of its accuracies is called.
    pub fn label(self) -> &'static str {
        match self {
            Family::Fgsm => "FGSM accuracy",
            Family::Pgd => "PGD accuracy",
        }
    }

    /// The parameters that are held fixed while its budget varies.
    fn fixed(self, attack: &Attack) -> Option<[u64; 2]> {
        match self {
            Family::Fgsm => None,
            Family::Pgd => Some([attack.epsilon, attack.step_size?].map(f64::to_bits)),
        }
    }
}

/// Why an attack says nothing about the difference between networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It leaves hardly any accuracy.
    Floor,
    /// It takes hardly any accuracy.
    Ceiling,
}

/// A family's attacks that most runs have, and which of them count.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The family.
    pub family: Family,
    /// The attacks that most runs have, weakest first.
    pub attacks: Vec<Attack>,
    /// Those of them that are left out.
    pub left_out: Vec<(Attack, End)>,
}

impl Sweep {
    /// The attacks of a family.
    pub fn of(numbers: &Numbers, family: Family) -> Sweep {
        let columns = &numbers.attacks;
        let mut budgets: BTreeMap<Option<[u64; 2]>, usize> = BTreeMap::new();
        for column in columns.iter().filter(|column| family.covers(&column.item)) {
            let measured = column.values.iter().flatten().count();
            *budgets.entry(family.fixed(&column.item)).or_default() += measured;
        }
        let most = budgets.into_iter().max_by_key(|(_, measured)| *measured);
        let fixed = most.and_then(|(fixed, _)| fixed);
        let needed = needed(columns, |attack| {
            family.covers(attack) && family.fixed(attack) == fixed
        });
        let mut chosen: Vec<&Column<Attack, Accuracy>> =
            needed.into_iter().map(|place| &columns[place]).collect();
        chosen.sort_by(|a, b| {
            let (a, b) = (&a.item, &b.item);
            a.epsilon.total_cmp(&b.epsilon).then(a.steps.cmp(&b.steps))
        });
        Sweep {
            family,
            left_out: chosen
                .iter()
                .filter_map(|column| Some((column.item, end(column)?)))
                .collect(),
            attacks: chosen.iter().map(|column| column.item).collect(),
        }
    }

    /// The sweeps of both families.
    pub fn all(numbers: &Numbers) -> Vec<Sweep> {
        Family::ALL.map(|family| Sweep::of(numbers, family)).into()
    }

    /// Whether an attack of the sweep counts.
    pub fn counts(&self, attack: &Attack) -> bool {
        self.attacks.contains(attack) && !self.left_out.iter().any(|(out, _)| out == attack)
    }

    /// Attacks that count.
    pub fn counted(&self) -> usize {
        self.attacks.len() - self.left_out.len()
    }

    /// The mean accuracy of every run over the attacks that count.
    pub fn accuracies(&self, numbers: &Numbers) -> Accuracies {
        let images = numbers.attack_images().unwrap_or(0);
        Accuracies::mean_of(
            self.family.label(),
            &numbers.attacks,
            |attack| self.counts(attack),
            images,
        )
    }
}

/// The end at which an attack leaves more than half of the runs, if any.
fn end(column: &Column<Attack, Accuracy>) -> Option<End> {
    let runs = || column.values.iter().flatten();
    let most = |is_at_end: fn(&Accuracy) -> bool| {
        2 * runs().filter(|one| is_at_end(one)).count() > runs().count()
    };
    if most(|one| one.perturbed < FLOOR) {
        Some(End::Floor)
    } else if most(|one| one.clean - one.perturbed < CEILING) {
        Some(End::Ceiling)
    } else {
        None
    }
}

/// The accuracies of the families that have an attack that counts.
pub fn counted(sweeps: &[Sweep], numbers: &Numbers) -> Vec<Accuracies> {
    let counted = sweeps.iter().filter(|sweep| sweep.counted() > 0);
    counted.map(|sweep| sweep.accuracies(numbers)).collect()
}

/// A sentence on the attacks that are left out, for each reason.
pub fn left_out(sweeps: &[Sweep]) -> Vec<String> {
    let named = |wanted: End| -> Vec<String> {
        let all = sweeps.iter().flat_map(|sweep| &sweep.left_out);
        all.filter(|(_, end)| *end == wanted)
            .map(|(attack, _)| attack.label())
            .collect()
    };
    let sentence = |attacks: Vec<String>, why: &str| {
        (!attacks.is_empty()).then(|| format!("Left out because {why}: {}.", attacks.join("; ")))
    };
    let floor = sentence(
        named(End::Floor),
        "more than half of the runs keep under 2 % accuracy",
    );
    let ceiling = sentence(
        named(End::Ceiling),
        "more than half of the runs lose less than 2 points",
    );
    floor.into_iter().chain(ceiling).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Lab;

    /// FGSM 0.25/255 takes 1 point, 8/255 leaves 1 %; PGD with 40 steps leaves 1 % in 7 of 15 runs only. Breaks when an attack
    /// at an end counts, the ends are confused, or a minority of the runs leaves an attack out.
    #[test]
    fn attacks_at_an_end_are_left_out_and_named() {
        let lab = Lab::new(3).each_attack(|attack, seed, alpha, _| {
            let accuracy = match (attack.method, (attack.epsilon * 255.0).round() as u32) {
                (Method::Fgsm, 0) => 0.79,
                (Method::Fgsm, 8) => 0.01,
                (Method::Pgd, _) if attack.steps == Some(40) => {
                    let low = seed == 0 || (seed == 1 && alpha < 0.0);
                    if low { 0.01 } else { 0.2 }
                }
                _ => 0.4,
            };
            (accuracy, 0.8)
        });
        let runs = lab.run_numbers();
        let numbers = Numbers::new(&runs);
        let sweeps = Sweep::all(&numbers);
        let ends: Vec<_> = sweeps[0].left_out.iter().map(|(_, end)| *end).collect();
        assert_eq!(ends, [End::Ceiling, End::Floor]);
        assert_eq!(sweeps[1].left_out, []);
        assert_eq!(sweeps[0].counted(), sweeps[0].attacks.len() - 2);
        let sentences = left_out(&sweeps);
        assert!(
            sentences[0].contains("under 2 %") && sentences[0].contains("8/255"),
            "{sentences:?}"
        );
        assert!(
            sentences[1].contains("less than 2 points") && sentences[1].contains("0.25/255"),
            "{sentences:?}"
        );
        let mean = sweeps[0].accuracies(&numbers).perturbed;
        assert!(
            mean.iter()
                .all(|value| (value.unwrap() - 0.4).abs() < 1e-12)
        );
    }
}
