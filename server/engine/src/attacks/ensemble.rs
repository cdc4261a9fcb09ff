//! Attacks one after another, each on the images that none before it broke.
//!
//! The accuracy after the last is the *robust accuracy*: the share of images that no attack broke. The standard
//! ensemble is AutoAttack's (Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of
//! diverse parameter-free attacks", section 5): two gradient attacks on losses of different kinds, one that looks for
//! the boundary, one that sees no gradient. It has no parameters to tune to a network, so that its numbers can be
//! compared.

use super::run::{clean_predictions, right, run_on, since};
use super::{
    Apgd, Attack, AttackError, AttackOutcome, Ball, Fab, Objective, Passes, Progress, Square,
    Target, Work, at_least_one, in_words,
};

/// The budget of each attack of the standard ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Steps of APGD-CE, APGD-T and FAB-T (the latter two for each target).
    pub steps: usize,
    /// Targets of APGD-T and FAB-T.
    pub targets: usize,
    /// Queries of Square.
    pub queries: usize,
}

/// The budget of AutoAttack's standard version.
pub const STANDARD: Budget = Budget {
    steps: 100,
    targets: 9,
    queries: 5000,
};

/// Attacks in their order.
pub struct Ensemble {
    members: Vec<Box<dyn Attack>>,
}

/// What an ensemble did to a set of images.
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleOutcome {
    /// The outcome after each attack: an image counts as robust when no attack so far broke it. Predictions and
    /// distances are those of the images that this attack was given.
    pub members: Vec<AttackOutcome>,
    /// For each image, the outcome of the attack that broke it, or of the last attack.
    pub overall: AttackOutcome,
}

impl Ensemble {
    /// These attacks, one after another.
    ///
    /// # Errors
    /// When there is none, or their balls differ.
    pub fn new(members: Vec<Box<dyn Attack>>) -> Result<Self, AttackError> {
        at_least_one("the ensemble", "the number of attacks", members.len())?;
        let ball = members[0].ball();
        match members.iter().find(|member| member.ball() != ball) {
            Some(other) => Err(AttackError::Balls {
                attack: other.name(),
                ball: in_words(other.ball()),
                expected: in_words(ball),
            }),
            None => Ok(Ensemble { members }),
        }
    }

    /// AutoAttack's standard version: APGD-CE, targeted APGD-DLR, targeted FAB, Square, in L-infinity; with
    /// [`STANDARD`] it is the published one. The network must have 4 classes or more.
    ///
    /// # Errors
    /// When a part of the budget is 0, or the ball is not one of L-infinity.
    pub fn standard(ball: Ball, budget: Budget) -> Result<Self, AttackError> {
        let Budget {
            steps,
            targets,
            queries,
        } = budget;
        let towards = Objective::TargetedDlr { targets };
        Ensemble::new(vec![
            Box::new(Apgd::new(ball, steps, Objective::CrossEntropy, 1)?),
            Box::new(Apgd::new(ball, steps, towards, 1)?),
            Box::new(Fab::new(ball, steps, targets, 1)?),
            Box::new(Square::new(ball, queries)?),
        ])
    }

    /// The attacks, in their order.
    pub fn members(&self) -> impl Iterator<Item = &dyn Attack> {
        self.members.iter().map(|member| &**member)
    }

    /// Attacks the images that the network is right about.
    ///
    /// `progress` is called after every batch of every attack; `false` ends it.
    ///
    /// # Errors
    /// As [`run`](super::run).
    pub fn run(
        &self,
        target: &Target,
        work: &Work,
        progress: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<EnsembleOutcome, AttackError> {
        let before = target.passes();
        let predictions = clean_predictions(target, work)?;
        let mut left = right(&predictions, &work.labels());
        let mut members = Vec::new();
        let mut overall: Option<AttackOutcome> = None;
        for member in self.members() {
            let attacked = left;
            let outcome = run_on(member, target, work, &predictions, &attacked, progress)?;
            left = outcome.robust.clone();
            overall = Some(match overall {
                None => outcome.clone(),
                Some(mut overall) => {
                    overall.take(&outcome, &attacked);
                    overall
                }
            });
            members.push(outcome);
        }
        let mut overall = overall.expect("there is an attack");
        overall.attack = "ensemble";
        overall.description = self
            .members()
            .map(|member| format!("{}: {}", member.name(), member.description()))
            .collect::<Vec<_>>()
            .join("; ");
        overall.passes = since(before, target);
        Ok(EnsembleOutcome { members, overall })
    }
}

impl AttackOutcome {
    /// Takes over what another attack did to the images that it was given.
    fn take(&mut self, other: &AttackOutcome, given: &[bool]) {
        for place in (0..given.len()).filter(|&place| given[place]) {
            self.predictions[place] = other.predictions[place];
            self.robust[place] = other.robust[place];
            self.linf[place] = other.linf[place];
            self.l2[place] = other.l2[place];
        }
        self.passes = Passes::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fgsm, Norm};
    use super::*;

    /// Breaks when attacks of different balls are mixed, or none, or the standard one is made in a norm it
    /// is not made for.
    #[test]
    fn attacks_share_a_ball() {
        let fgsm = |norm, epsilon| -> Box<dyn Attack> {
            Box::new(Fgsm {
                ball: Ball::new(norm, epsilon).unwrap(),
            })
        };
        assert!(Ensemble::new(vec![]).is_err());
        assert!(Ensemble::new(vec![fgsm(Norm::Linf, 0.1), fgsm(Norm::Linf, 0.1)]).is_ok());
        assert!(matches!(
            Ensemble::new(vec![fgsm(Norm::Linf, 0.1), fgsm(Norm::Linf, 0.2)]),
            Err(AttackError::Balls { .. })
        ));
        let standard = |norm| Ensemble::standard(Ball::new(norm, 0.1).unwrap(), STANDARD);
        let names: Vec<_> = standard(Norm::Linf)
            .unwrap()
            .members()
            .map(|member| member.name())
            .collect();
        assert_eq!(names, ["apgd-ce", "apgd-t", "fab-t", "square"]);
        assert!(standard(Norm::L2).is_err());
    }
}
