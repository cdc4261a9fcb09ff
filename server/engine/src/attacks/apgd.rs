//! Auto-PGD: projected gradient ascent with momentum that finds its own step sizes.
//!
//! Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse
//! parameter-free attacks" (arXiv 2003.01690), section 3 and algorithm 1. From a random start `x_0`, with
//! step size `eta = 2 eps` at first and momentum `a = 0.75`:
//!
//! ```text
//! z       = P(x_k + eta d(x_k))
//! x_(k+1) = P(x_k + a (z - x_k) + (1 - a) (x_k - x_(k-1)))
//! ```
//!
//! `d` is the direction of steepest ascent of the loss in the ball's norm, `P` the projection. At each of a
//! few checkpoints, ever closer to each other, an image's step is halved, and it goes back to its best point
//! so far, when
//!
//! 1. the loss rose in fewer than 75 % of the steps since the checkpoint before, or
//! 2. neither was its step halved there nor has its best loss improved since.
//!
//! Each image is left alone as soon as the network is wrong about it.

use burn::tensor::{Tensor, TensorData};

use super::invariants::FEW_STEPS;
use super::loss::descending;
use super::samples::{Gallery, choose, select};
use super::{
    Attack, AttackError, Ball, Loss, Samples, Slope, Target, at_least_one, in_words, purpose,
};

/// How much of a step is new; the rest is momentum.
const ALPHA: f64 = 0.75;

/// The share of rising steps below which a step size is too large.
const RHO: f64 = 0.75;

/// What [`Apgd`] climbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// The cross-entropy (`apgd-ce`).
    CrossEntropy,
    /// The difference of logits ratio (`apgd-dlr`); needs 3 classes.
    Dlr,
    /// The targeted difference of logits ratio (`apgd-t`), once towards each of `targets` classes: those with the
    /// largest logits of the clean image. Needs 4 classes. `targets` is capped at the number of other classes.
    TargetedDlr {
        /// 1 or more.
        targets: usize,
    },
}

/// Auto-PGD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Apgd {
    ball: Ball,
    steps: usize,
    objective: Objective,
    restarts: usize,
}

impl Apgd {
    /// `steps` steps for each of `restarts` random starts (and each target). AutoAttack's standard version
    /// has 100 steps and one start.
    ///
    /// # Errors
    /// When there are no steps, restarts or targets.
    pub fn new(
        ball: Ball,
        steps: usize,
        objective: Objective,
        restarts: usize,
    ) -> Result<Self, AttackError> {
        at_least_one("apgd", "the number of steps", steps)?;
        at_least_one("apgd", "the number of restarts", restarts)?;
        if let Objective::TargetedDlr { targets } = objective {
            at_least_one("apgd", "the number of targets", targets)?;
        }
        Ok(Apgd {
            ball,
            steps,
            objective,
            restarts,
        })
    }

    /// Climbs from a random start. Images that the network gets wrong on the way go to the gallery, to `places`;
    /// returns each image's best point, in the order of `samples`.
    fn climb(
        &self,
        target: &Target,
        samples: &Samples,
        targets: Option<Vec<u32>>,
        run: u32,
        places: &[usize],
        gallery: &mut Gallery,
    ) -> Result<(), AttackError> {
        let name = match self.objective {
            Objective::CrossEntropy => purpose::APGD_CE,
            Objective::Dlr => purpose::APGD_DLR,
            Objective::TargetedDlr { .. } => purpose::APGD_T,
        };
        let mut climbers = Climbers {
            ball: self.ball,
            objective: self.objective,
            x: self.ball.random_start(samples, [name, run]),
            before: samples.images().clone(),
            best: samples.images().clone(),
            best_gradient: samples.images().clone(),
            gradient: samples.images().clone(),
            samples: samples.clone(),
            targets,
            places: places.to_vec(),
            states: vec![State::new(2.0 * self.ball.epsilon()); samples.len()],
        };
        climbers.look(target, gallery, true)?;
        let checkpoints = checkpoints(self.steps);
        let mut last_checkpoint = 0;
        for step in 1..=self.steps {
            if climbers.places.is_empty() {
                return Ok(());
            }
            climbers.step(if step == 1 { 1.0 } else { ALPHA });
            climbers.look(target, gallery, step < self.steps)?;
            if checkpoints.contains(&step) {
                climbers.adapt(step - last_checkpoint);
                last_checkpoint = step;
            }
        }
        // No adversarial image was found for these: offer the points of the largest loss.
        for (row, &place) in climbers.places.iter().enumerate() {
            gallery.offer(place, &climbers.best, row);
        }
        Ok(())
    }
}

impl Attack for Apgd {
    fn name(&self) -> &'static str {
        match self.objective {
            Objective::CrossEntropy => "apgd-ce",
            Objective::Dlr => "apgd-dlr",
            Objective::TargetedDlr { .. } => "apgd-t",
        }
    }

    fn description(&self) -> String {
        let targets = match self.objective {
            Objective::TargetedDlr { targets } => format!(" towards each of {targets} targets"),
            _ => String::new(),
        };
        let starts = match self.restarts {
            1 => "a random start".to_owned(),
            restarts => format!("{restarts} random starts"),
        };
        format!(
            "{}, {} steps{targets} from {starts}",
            in_words(self.ball),
            self.steps
        )
    }

    fn ball(&self) -> Ball {
        self.ball
    }

    fn perturb(&self, target: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError> {
        let mut gallery = Gallery::new(samples.len());
        let ranked = match self.objective {
            Objective::TargetedDlr { targets } => Some(ranked_targets(target, samples, targets)?),
            _ => None,
        };
        let rounds = ranked.as_ref().map_or(1, Vec::len);
        for run in 0..self.restarts * rounds {
            let places = gallery.missing();
            if places.is_empty() {
                break;
            }
            let targets = ranked.as_ref().map(|ranked| {
                let targets = &ranked[run % rounds];
                places.iter().map(|&place| targets[place]).collect()
            });
            let left = samples.select(&places);
            self.climb(target, &left, targets, run as u32, &places, &mut gallery)?;
        }
        Ok(gallery.or(samples.images()))
    }

    fn with_epsilon_zero(&self) -> Box<dyn Attack> {
        Box::new(Apgd {
            ball: self.ball.with_epsilon_zero(),
            steps: self.steps.min(FEW_STEPS),
            ..*self
        })
    }
}

/// For each of at most `count` ranks one class a sample: the wrong classes by their logit of the clean
/// image, largest first.
pub(super) fn ranked_targets(
    target: &Target,
    samples: &Samples,
    count: usize,
) -> Result<Vec<Vec<u32>>, AttackError> {
    let logits = target.logits(samples.images().clone())?;
    let wrong: Vec<Vec<usize>> = samples
        .labels()
        .iter()
        .enumerate()
        .map(|(row, &label)| {
            let mut order = descending(logits.row(row));
            order.retain(|&class| class != label as usize);
            order
        })
        .collect();
    let ranks = count.min(target.classes().saturating_sub(1));
    Ok((0..ranks)
        .map(|rank| wrong.iter().map(|order| order[rank] as u32).collect())
        .collect())
}

/// The steps after which step sizes are checked: `ceil(p_j steps)` with `p_0 = 0`, `p_1 = 0.22` and
/// `p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06)` (section 3.2), those from 1 to `steps`.
pub(super) fn checkpoints(steps: usize) -> Vec<usize> {
    // In hundredths, so that nothing is rounded.
    let (mut before, mut now) = (0_usize, 22_usize);
    let mut checkpoints = Vec::new();
    while now <= 100 {
        checkpoints.push((now * steps).div_ceil(100));
        let gap = (now - before).saturating_sub(3).max(6);
        (before, now) = (now, now + gap);
    }
    checkpoints.dedup();
    checkpoints
}

/// The state of one image's climb.
#[derive(Debug, Clone, Copy)]
struct State {
    /// The step size.
    eta: f64,
    /// The loss at the point before.
    last: f64,
    /// The largest loss so far.
    best: f64,
    /// Steps since the last checkpoint in which the loss rose.
    rises: usize,
    /// Whether the step was halved at the last checkpoint.
    was_halved: bool,
    /// The largest loss at the last checkpoint.
    best_then: f64,
}

impl State {
    fn new(eta: f64) -> Self {
        State {
            eta,
            last: f64::INFINITY,
            best: f64::NEG_INFINITY,
            rises: 0,
            // The first checkpoint has none before it.
            was_halved: true,
            best_then: f64::NEG_INFINITY,
        }
    }

    /// Adds the loss at a new point; returns whether it is the largest.
    fn look(&mut self, loss: f64) -> bool {
        self.rises += usize::from(loss > self.last);
        self.last = loss;
        let improved = loss > self.best;
        if improved {
            self.best = loss;
        }
        improved
    }

    /// A checkpoint `steps` steps after the one before; returns whether the step was halved.
    fn adapt(&mut self, steps: usize) -> bool {
        let stuck = !self.was_halved && self.best_then >= self.best;
        let halve = (self.rises as f64) < RHO * steps as f64 || stuck;
        if halve {
            self.eta /= 2.0;
        }
        self.was_halved = halve;
        self.best_then = self.best;
        self.rises = 0;
        halve
    }
}

/// The images still under attack. Tensors are `[images, 3, height, width]`.
struct Climbers {
    ball: Ball,
    objective: Objective,
    samples: Samples,
    targets: Option<Vec<u32>>,
    /// Where they belong in the gallery.
    places: Vec<usize>,
    states: Vec<State>,
    x: Tensor<4>,
    /// The point before `x`.
    before: Tensor<4>,
    /// The gradient at `x`.
    gradient: Tensor<4>,
    best: Tensor<4>,
    best_gradient: Tensor<4>,
}

impl Climbers {
    /// One step of every image, its new part weighed by `alpha`.
    fn step(&mut self, alpha: f64) {
        let clean = self.samples.images();
        let eta: Vec<f32> = self.states.iter().map(|state| state.eta as f32).collect();
        let shape = [eta.len(), 1, 1, 1];
        let eta = Tensor::<4>::from_data(TensorData::new(eta, shape), &clean.device());
        let direction = self.ball.direction(self.gradient.clone());
        let z = self.ball.project(clean, self.x.clone() + direction * eta);
        let next = if alpha == 1.0 {
            z
        } else {
            let new = (z - self.x.clone()).mul_scalar(alpha);
            let kept = (self.x.clone() - self.before.clone()).mul_scalar(1.0 - alpha);
            self.ball.project(clean, self.x.clone() + new + kept)
        };
        self.before = std::mem::replace(&mut self.x, next);
    }

    /// Computes losses, with their gradient if it is wanted, and predictions at `x`; drops the images that the
    /// network is wrong about.
    fn look(
        &mut self,
        target: &Target,
        gallery: &mut Gallery,
        with_gradient: bool,
    ) -> Result<(), AttackError> {
        let labels = self.samples.labels();
        let loss = match (self.objective, &self.targets) {
            (Objective::Dlr, _) => Loss::Dlr,
            (Objective::TargetedDlr { .. }, Some(targets)) => Loss::TargetedDlr(targets),
            _ => Loss::CrossEntropy,
        };
        let Slope {
            losses,
            logits,
            gradient,
        } = if with_gradient {
            target.loss_and_gradient(self.x.clone(), labels, loss)?
        } else {
            target.loss(self.x.clone(), labels, loss)?
        };
        self.gradient = gradient;
        let improved: Vec<bool> = self
            .states
            .iter_mut()
            .zip(losses)
            .map(|(state, loss)| state.look(loss))
            .collect();
        self.best = choose(&improved, &self.x, &self.best);
        self.best_gradient = choose(&improved, &self.gradient, &self.best_gradient);
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for (row, &label) in labels.iter().enumerate() {
            if logits.prediction(row) == Some(label) {
                right.push(row);
            } else {
                wrong.push(row);
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        for row in wrong {
            gallery.keep(self.places[row], &self.x, row);
        }
        self.samples = self.samples.select(&right);
        self.places = right.iter().map(|&row| self.places[row]).collect();
        self.states = right.iter().map(|&row| self.states[row]).collect();
        if let Some(targets) = &mut self.targets {
            *targets = right.iter().map(|&row| targets[row]).collect();
        }
        for tensor in [
            &mut self.x,
            &mut self.before,
            &mut self.gradient,
            &mut self.best,
            &mut self.best_gradient,
        ] {
            *tensor = select(tensor, &right);
        }
        Ok(())
    }

    /// A checkpoint, `steps` steps after the one before.
    fn adapt(&mut self, steps: usize) {
        let halved: Vec<bool> = self
            .states
            .iter_mut()
            .map(|state| state.adapt(steps))
            .collect();
        self.x = choose(&halved, &self.best, &self.x);
        self.gradient = choose(&halved, &self.best_gradient, &self.gradient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when checkpoints differ from section 3.2's, which are 22, 41, 57, 70, 80, 87, 93 and 99 of 100
    /// steps, or rounding moves one.
    #[test]
    fn checkpoints_are_the_papers() {
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(50), [11, 21, 29, 35, 40, 44, 47, 50]);
        assert_eq!(checkpoints(1), [1]);
        for steps in 1..300 {
            let checkpoints = checkpoints(steps);
            assert!(checkpoints.is_sorted() && *checkpoints.last().unwrap() <= steps);
        }
    }

    /// Breaks when either of the two conditions of section 3.2 halves a step wrongly or not.
    #[test]
    fn steps_are_halved_under_the_papers_conditions() {
        let walk = |state: &mut State, losses: &[f64]| {
            for &loss in losses {
                state.look(loss);
            }
            state.adapt(losses.len())
        };
        let mut state = State::new(1.0);
        state.look(0.0);
        assert!(!walk(&mut state, &[1.0, 2.0, 3.0, 2.5]), "3 of 4 rose");
        assert!(
            walk(&mut state, &[2.6, 2.7, 2.8, 2.9]),
            "3.0 was not improved"
        );
        assert_eq!(state.eta, 0.5);
        assert!(
            !walk(&mut state, &[2.0, 2.1, 2.2, 2.3]),
            "just halved: not improving is no reason"
        );
        assert!(walk(&mut state, &[4.0, 3.0, 5.0, 4.0]), "2 of 4 rose");
        assert_eq!(state.eta, 0.25);
    }

    /// Breaks when an empty budget is accepted.
    #[test]
    fn no_budget_is_refused() {
        let ball = Ball::new(super::super::Norm::Linf, 0.1).unwrap();
        let none = Objective::TargetedDlr { targets: 0 };
        assert!(Apgd::new(ball, 0, Objective::CrossEntropy, 1).is_err());
        assert!(Apgd::new(ball, 1, Objective::CrossEntropy, 0).is_err());
        assert!(Apgd::new(ball, 1, none, 1).is_err());
    }
}
