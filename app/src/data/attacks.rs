//! A run's measurements under attacks: by conditions, over epsilon, over steps, and the rest.

use protocol::Measurement;
use protocol::attack::{Attack, AttackConditions, AttackMeasurement, MaskingReport, Method, Norm};

use crate::data::choice::{Choice, choices};

/// Attacks as choices, in words.
pub fn attack_choices(known: &[Attack]) -> Vec<Choice> {
    choices(known, |attack| attack.to_string(), |attack| attack.label())
}

/// The attack that is shown unless another one is chosen: weak, so that it leaves accuracy to compare.
pub fn default_attack() -> Attack {
    Attack::fgsm(1.0)
}

/// `wanted` where it is among `known`, else `default`, else the first; none where none is known.
pub fn closest(wanted: Option<Attack>, default: Attack, known: &[Attack]) -> Option<Attack> {
    [wanted, Some(default)]
        .into_iter()
        .flatten()
        .find(|attack| known.contains(attack))
        .or(known.first().copied())
}

/// The measurements under one set of conditions, by where they are shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attacked {
    /// FGSM, by epsilon.
    pub fgsm: Vec<AttackMeasurement>,
    /// L-infinity PGD from the clean image at the epsilon and step size of most measurements, by steps.
    pub pgd: Vec<AttackMeasurement>,
    /// Everything else, weakest method first.
    pub others: Vec<AttackMeasurement>,
    /// Whether gradients are masked, if that was checked.
    pub masking: Option<MaskingReport>,
}

impl Attacked {
    /// What was measured under `conditions`.
    pub fn under(measurements: &[Measurement], conditions: AttackConditions) -> Attacked {
        let all: Vec<AttackMeasurement> = measurements
            .iter()
            .filter_map(Measurement::attack)
            .filter(|measured| measured.conditions == conditions)
            .cloned()
            .collect();
        let swept = |attack: &Attack| {
            attack.method == Method::Pgd && attack.norm == Norm::Linf && attack.random_starts == 0
        };
        let budget = |attack: &Attack| (attack.epsilon, attack.step_size);
        let times = |wanted: &Attack| {
            let same = all.iter().map(|one| one.attack);
            same.filter(|attack| swept(attack) && budget(attack) == budget(wanted))
                .count()
        };
        let most = all
            .iter()
            .map(|one| one.attack)
            .filter(swept)
            .max_by_key(times);
        let mut attacked = Attacked {
            masking: measurements.iter().rev().find_map(|one| match one {
                Measurement::Masking(report) if report.conditions == conditions => {
                    Some(report.clone())
                }
                _ => None,
            }),
            ..Attacked::default()
        };
        for one in &all {
            let attack = one.attack;
            let into = if attack.method == Method::Fgsm {
                &mut attacked.fgsm
            } else if swept(&attack) && most.is_some_and(|most| budget(&most) == budget(&attack)) {
                &mut attacked.pgd
            } else {
                &mut attacked.others
            };
            into.push(one.clone());
        }
        let by_epsilon = |a: &AttackMeasurement, b: &AttackMeasurement| {
            a.attack.epsilon.total_cmp(&b.attack.epsilon)
        };
        attacked.fgsm.sort_by(by_epsilon);
        attacked.pgd.sort_by_key(|one| one.attack.steps);
        attacked.others.sort_by(|a, b| {
            (a.attack.method, a.attack.norm)
                .cmp(&(b.attack.method, b.attack.norm))
                .then(by_epsilon(a, b))
                .then(a.attack.steps.cmp(&b.attack.steps))
        });
        attacked
    }

    /// Everything, in the order in which it is shown.
    pub fn all(&self) -> impl Iterator<Item = &AttackMeasurement> {
        self.fgsm.iter().chain(&self.pgd).chain(&self.others)
    }

    /// Every attack, in the order in which it is shown.
    pub fn attacks(&self) -> Vec<Attack> {
        self.all().map(|one| one.attack).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::conditions::known;

    /// Measured on 200 images with seed 0; clean accuracy 0.8.
    pub(crate) fn measured(attack: Attack, accuracy: f64) -> AttackMeasurement {
        AttackMeasurement {
            conditions: AttackConditions {
                attack_seed: 0,
                images: 200,
            },
            attack,
            accuracy,
            clean_accuracy: 0.8,
            members: Vec::new(),
        }
    }

    /// Broken by: a curve over budgets that differ in more than its axis, an attack that is shown nowhere, or
    /// numbers of several conditions in one figure.
    #[test]
    fn every_attack_is_shown_once_and_curves_differ_in_their_axis_alone() {
        let random = Attack {
            random_starts: 5,
            ..Attack::pgd(8.0, 0.5, 10)
        };
        let mut other = measured(Attack::fgsm(4.0), 0.0);
        other.conditions.images = 50;
        let all: Vec<Measurement> = [
            measured(Attack::auto_attack(1.0), 0.1),
            measured(Attack::pgd(8.0, 0.5, 40), 0.0),
            measured(Attack::pgd(1.0, 0.25, 20), 0.2),
            measured(random, 0.0),
            measured(Attack::pgd(8.0, 0.5, 1), 0.3),
            measured(Attack::fgsm(2.0), 0.2),
            measured(Attack::fgsm(0.5), 0.5),
            other.clone(),
        ]
        .map(Measurement::Attack)
        .into();
        let known: Vec<AttackConditions> = known(&all);
        assert_eq!(known.len(), 2);
        assert_eq!(known[1], other.conditions);
        let attacked = Attacked::under(&all, known[0]);
        let attacks_of = |measured: &[AttackMeasurement]| -> Vec<Attack> {
            measured.iter().map(|one| one.attack).collect()
        };
        assert_eq!(
            attacks_of(&attacked.fgsm),
            [Attack::fgsm(0.5), Attack::fgsm(2.0)]
        );
        assert_eq!(
            attacks_of(&attacked.pgd),
            [Attack::pgd(8.0, 0.5, 1), Attack::pgd(8.0, 0.5, 40)]
        );
        assert_eq!(
            attacks_of(&attacked.others),
            [Attack::pgd(1.0, 0.25, 20), random, Attack::auto_attack(1.0)]
        );
        assert_eq!(attacked.attacks().len(), 7);
        assert_eq!(attacked.masking, None);
    }

    /// Broken by: an empty view while some attack was made, or a chosen attack that is not shown.
    #[test]
    fn an_attack_that_was_made_is_shown() {
        let (weak, strong) = (default_attack(), Attack::pgd(8.0, 0.5, 40));
        let closest = |wanted, known: &[Attack]| closest(wanted, weak, known);
        assert_eq!(closest(Some(strong), &[weak, strong]), Some(strong));
        assert_eq!(
            closest(Some(Attack::fgsm(3.0)), &[strong, weak]),
            Some(weak)
        );
        assert_eq!(closest(None, &[strong]), Some(strong));
        assert_eq!(closest(Some(weak), &[]), None);
    }
}
