//! The fast adaptive boundary attack: the nearest image that the network is wrong about.
//!
//! Croce & Hein 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack"
//! (arXiv 1907.02044), targeted as in AutoAttack. Unlike the others it does not climb a loss inside a ball
//! but looks for the boundary between label `y` and a target `t`, and so also says *how far* an image is
//! from falling. At the point `x`, with clean image `x_0`:
//!
//! 1. `f = z_t - z_y` is taken for linear: the boundary is then the plane `f + <w, z - x> = 0` with
//!    `w = grad f(x)`.
//! 2. `d` and `d_0` are the smallest changes that bring `x` and `x_0` onto the plane within [0, 1]
//!    (equations 5 and 6), sizes measured in the ball's norm.
//! 3. `x <- clip((1 - a) (x + eta d) + a (x_0 + eta d_0))` with `a = min(|d| / (|d| + |d_0|), 0.1)` and
//!    `eta = 1.05`: a little beyond the plane, and drawn towards the clean image (section 3.2).
//! 4. Where the network is now wrong, the distance to `x_0` is noted if it is the least so far, and
//!    `x <- x_0 + 0.9 (x - x_0)` goes back inside (section 3.3).
//!
//! Left out as in AutoAttack: the closing search along the line to the clean image.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::apgd::ranked_targets;
use super::ball::{from_rows, rows};
use super::invariants::FEW_STEPS;
use super::{
    Attack, AttackError, Ball, Loss, Norm, Samples, Target, at_least_one, in_words, purpose,
};

/// The largest weight of the clean image.
const ALPHA_MAX: f64 = 0.1;
/// How far beyond the plane to go.
const ETA: f64 = 1.05;
/// How much of the way is kept when going back inside.
const BETA: f64 = 0.9;

/// The targeted fast adaptive boundary attack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fab {
    ball: Ball,
    steps: usize,
    targets: usize,
    restarts: usize,
}

/// The nearest images that the network is wrong about.
#[derive(Debug, Clone)]
pub struct Nearest {
    /// How far each is from its clean image, in the ball's norm on the [0, 1] scale; none where none was
    /// found. An upper bound: a nearer one may exist.
    pub distances: Vec<Option<f64>>,
    /// The images, `[batch, 3, height, width]`; the clean one where none was found.
    pub images: Tensor<4>,
}

impl Fab {
    /// `steps` steps towards each of the `targets` most likely wrong classes, `restarts` times: first from the clean
    /// image, then from random images half a radius around it. AutoAttack's standard version has 100 steps, 9 targets
    /// and no second start. `targets` is capped at the number of other classes.
    ///
    /// # Errors
    /// When there are no steps, targets or restarts.
    pub fn new(
        ball: Ball,
        steps: usize,
        targets: usize,
        restarts: usize,
    ) -> Result<Self, AttackError> {
        at_least_one("fab-t", "the number of steps", steps)?;
        at_least_one("fab-t", "the number of targets", targets)?;
        at_least_one("fab-t", "the number of restarts", restarts)?;
        Ok(Fab {
            ball,
            steps,
            targets,
            restarts,
        })
    }

    /// The nearest images that are found with the whole budget, however far: the ball only gives the norm
    /// and the size of random starts. An image that the network is wrong about as it is has distance 0.
    ///
    /// # Errors
    /// As [`Attack::perturb`].
    pub fn nearest(&self, target: &Target, samples: &Samples) -> Result<Nearest, AttackError> {
        self.search(target, samples, None)
    }

    fn search(
        &self,
        target: &Target,
        samples: &Samples,
        enough: Option<Ball>,
    ) -> Result<Nearest, AttackError> {
        let labels = samples.labels();
        super::loss::check_labels("labels", labels, samples.len(), target.classes())?;
        let logits = target.logits(samples.images().clone())?;
        let right: Vec<bool> = (0..samples.len())
            .map(|row| logits.prediction(row) == Some(labels[row]))
            .collect();
        let clean = rows(samples.images().clone());
        let mut best: Vec<Best> = right
            .iter()
            .zip(&clean)
            .map(|(&right, clean)| (!right).then(|| (0.0, clean.clone())))
            .collect();
        let targets = ranked_targets(target, samples, self.targets)?;
        let ranks = targets.len();
        for restart in 0..self.restarts {
            for (rank, targets) in targets.iter().enumerate() {
                let run = (restart * ranks + rank) as u32;
                let places: Vec<usize> = (0..samples.len())
                    .filter(|&place| right[place] && !is_enough(&best[place], enough))
                    .collect();
                if places.is_empty() {
                    continue;
                }
                let left = samples.select(&places);
                let starts = if restart == 0 {
                    left.images().clone()
                } else {
                    let half = Ball::new(self.ball.norm(), self.ball.epsilon() / 2.0)?;
                    half.random_start(&left, [purpose::FAB, run])
                };
                let walkers = places
                    .iter()
                    .zip(rows(starts))
                    .map(|(&place, x)| Walker {
                        place,
                        label: labels[place],
                        target: targets[place],
                        clean: &clean[place],
                        x,
                        best: best[place].take(),
                    })
                    .collect();
                self.walk(target, samples, walkers, enough, &mut best)?;
            }
        }
        let distances = best
            .iter()
            .map(|best| best.as_ref().map(|(distance, _)| *distance))
            .collect();
        let images = best
            .iter()
            .zip(&clean)
            .map(|(best, clean)| best.as_ref().map_or(clean, |(_, image)| image));
        Ok(Nearest {
            distances,
            images: from_rows(images, samples.images()),
        })
    }

    /// Walks each to the end, or until its best image lies in the ball `enough`; puts the best images into `best`.
    fn walk(
        &self,
        target: &Target,
        samples: &Samples,
        mut walkers: Vec<Walker>,
        enough: Option<Ball>,
        best: &mut [Best],
    ) -> Result<(), AttackError> {
        let stack = |walkers: &[Walker]| {
            from_rows(walkers.iter().map(|walker| &walker.x), samples.images())
        };
        let norm = self.ball.norm();
        for _ in 0..self.steps {
            if walkers.is_empty() {
                return Ok(());
            }
            let labels: Vec<u32> = walkers.iter().map(|walker| walker.label).collect();
            let targets: Vec<u32> = walkers.iter().map(|walker| walker.target).collect();
            let slope =
                target.loss_and_gradient(stack(&walkers), &labels, Loss::Difference(&targets))?;
            let gradients = rows(slope.gradient);
            walkers
                .par_iter_mut()
                .zip(&gradients)
                .zip(&slope.losses)
                .for_each(|((walker, gradient), &f)| walker.step(norm, gradient, f));
            let logits = target.logits(stack(&walkers))?;
            for (row, walker) in walkers.iter_mut().enumerate() {
                if logits.prediction(row) != Some(walker.label) {
                    walker.crossed(norm);
                }
            }
            walkers.retain_mut(|walker| {
                let goes_on = !is_enough(&walker.best, enough);
                if !goes_on {
                    best[walker.place] = walker.best.take();
                }
                goes_on
            });
        }
        for walker in walkers {
            best[walker.place] = walker.best;
        }
        Ok(())
    }
}

impl Attack for Fab {
    fn name(&self) -> &'static str {
        "fab-t"
    }

    fn description(&self) -> String {
        let starts = match self.restarts {
            1 => String::new(),
            restarts => format!(", {restarts} starts"),
        };
        format!(
            "{}, {} steps towards each of {} targets{starts}",
            in_words(self.ball),
            self.steps,
            self.targets
        )
    }

    fn ball(&self) -> Ball {
        self.ball
    }

    fn perturb(&self, target: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError> {
        let nearest = self.search(target, samples, Some(self.ball))?;
        // An image outside the ball is no answer here: the clean image is given instead.
        let inside = nearest
            .distances
            .iter()
            .map(|distance| distance.is_some_and(|distance| self.ball.holds(distance)))
            .collect::<Vec<_>>();
        Ok(super::samples::choose(
            &inside,
            &nearest.images,
            samples.images(),
        ))
    }

    fn with_epsilon_zero(&self) -> Box<dyn Attack> {
        Box::new(Fab {
            ball: self.ball.with_epsilon_zero(),
            steps: self.steps.min(FEW_STEPS),
            ..*self
        })
    }
}

/// The distance and the values of the nearest image that the network is wrong about.
type Best = Option<(f64, Vec<f32>)>;

fn is_enough(best: &Best, enough: Option<Ball>) -> bool {
    matches!((best, enough), (Some((distance, _)), Some(ball)) if ball.holds(*distance))
}

/// One image under way.
struct Walker<'a> {
    /// Its place in the batch.
    place: usize,
    label: u32,
    target: u32,
    clean: &'a [f32],
    x: Vec<f32>,
    best: Best,
}

impl Walker<'_> {
    /// Steps 1 to 3, with `f` and its gradient at `x`.
    fn step(&mut self, norm: Norm, gradient: &[f32], f: f64) {
        let apart: f64 = self
            .clean
            .iter()
            .zip(&self.x)
            .zip(gradient)
            .map(|((clean, x), w)| (f64::from(*clean) - f64::from(*x)) * f64::from(*w))
            .sum();
        let change = onto_plane(norm, &self.x, gradient, f);
        let clean_change = onto_plane(norm, self.clean, gradient, f + apart);
        let (near, far) = (size(norm, &change), size(norm, &clean_change));
        let alpha = if near + far > 0.0 {
            (near / (near + far)).min(ALPHA_MAX)
        } else {
            0.0
        };
        for (index, x) in self.x.iter_mut().enumerate() {
            let moved = f64::from(*x) + ETA * change[index];
            let moved_clean = f64::from(self.clean[index]) + ETA * clean_change[index];
            *x = ((1.0 - alpha) * moved + alpha * moved_clean).clamp(0.0, 1.0) as f32;
        }
    }

    /// Step 4.
    fn crossed(&mut self, norm: Norm) {
        let distance = super::distance(norm, self.clean, &self.x);
        if !distance.is_finite() {
            return; // A value is not a number: nothing was found.
        }
        if self
            .best
            .as_ref()
            .is_none_or(|(least, _)| distance < *least)
        {
            self.best = Some((distance, self.x.clone()));
        }
        for (x, clean) in self.x.iter_mut().zip(self.clean) {
            *x = clean + BETA as f32 * (*x - clean);
        }
    }
}

fn size(norm: Norm, change: &[f64]) -> f64 {
    match norm {
        Norm::Linf => change.iter().fold(0.0, |largest, d| largest.max(d.abs())),
        Norm::L2 => change.iter().map(|d| d * d).sum::<f64>().sqrt(),
    }
}

/// The smallest change `d` of `x`, all of whose values stay in [0, 1], with `<w, d> = -excess`; where there
/// is none, the one that comes nearest.
///
/// Every value moves against its weight, by `min(l t_i, room_i)`: `room_i` is how far it is from 0 or 1, `t_i`
/// is 1 in L-infinity and `|w_i|` in L2, and `l` is what makes the sum right. That sum grows with `l`, ever
/// slower, in straight pieces, so that Newton's method from 0 comes from below and ends after as many
/// rounds as pieces were left, usually two or three.
fn onto_plane(norm: Norm, x: &[f32], w: &[f32], excess: f64) -> Vec<f64> {
    let sign = if excess < 0.0 { -1.0 } else { 1.0 };
    let wanted = excess.abs();
    // For each value: its direction, its speed, its room, and its effect on the sum.
    let moves: Vec<(f64, f64, f64, f64)> = x
        .iter()
        .zip(w)
        .map(|(&x, &w)| {
            let (x, w) = (f64::from(x), f64::from(w));
            let way = if w == 0.0 { 0.0 } else { -sign * w.signum() };
            let speed = match norm {
                Norm::Linf => 1.0,
                Norm::L2 => w.abs(),
            };
            let room = if way < 0.0 { x } else { 1.0 - x };
            (way, speed, room.max(0.0), w.abs())
        })
        .collect();
    let mut length = 0.0_f64;
    for _ in 0..=moves.len() {
        let (mut reached, mut slope) = (0.0, 0.0);
        for &(_, speed, room, weight) in &moves {
            if length * speed < room {
                reached += weight * speed * length;
                slope += weight * speed;
            } else {
                reached += weight * room;
            }
        }
        let missing = wanted - reached;
        if missing <= 1e-12 * wanted {
            break;
        }
        if slope == 0.0 {
            // No value has room left.
            length = f64::MAX;
            break;
        }
        length += missing / slope;
    }
    moves
        .iter()
        .map(|&(way, speed, room, _)| {
            if way == 0.0 {
                0.0
            } else {
                way * (length * speed).min(room)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(w: &[f32], change: &[f64]) -> f64 {
        -w.iter()
            .zip(change)
            .map(|(w, d)| f64::from(*w) * d)
            .sum::<f64>()
    }

    /// Breaks when a point is not brought onto the plane, leaves [0, 1], or goes farther than it has to.
    #[test]
    fn the_plane_is_reached_by_the_smallest_change() {
        let w = [2.0_f32, -1.0, 0.0, 0.5];
        let close = |change: &[f64], known: [f64; 4]| {
            for (a, b) in change.iter().zip(known) {
                assert!((a - b).abs() < 1e-9, "{change:?} {known:?}");
            }
        };
        let free = [0.5_f32; 4];
        // In L-infinity all weighed values move alike; in L2 by their weight.
        close(
            &onto_plane(Norm::Linf, &free, &w, 0.7),
            [-0.2, 0.2, 0.0, -0.2],
        );
        let length = 0.525 / 5.25;
        close(
            &onto_plane(Norm::L2, &free, &w, 0.525),
            [-2.0 * length, length, 0.0, -0.5 * length],
        );
        // The other way.
        close(
            &onto_plane(Norm::Linf, &free, &w, -0.7),
            [0.2, -0.2, 0.0, 0.2],
        );
        // The first can only give 0.1: the others make up for it.
        let tight = [0.1_f32, 0.5, 0.5, 0.5];
        for norm in [Norm::Linf, Norm::L2] {
            let change = onto_plane(norm, &tight, &w, 0.5);
            assert!((lowered(&w, &change) - 0.5).abs() < 1e-7, "{change:?}");
            assert!((change[0] + 0.1).abs() < 1e-7);
        }
        close(
            &onto_plane(Norm::Linf, &tight, &w, 0.5),
            [-f64::from(0.1_f32), 0.2, 0.0, -0.2].map(|v: f64| {
                let left = (0.5 - 2.0 * f64::from(0.1_f32)) / 1.5;
                if v.abs() < 0.15 { v } else { v.signum() * left }
            }),
        );
        // A plane out of reach, and one without a direction.
        close(
            &onto_plane(Norm::L2, &free, &w, 9.0),
            [-0.5, 0.5, 0.0, -0.5],
        );
        close(&onto_plane(Norm::Linf, &free, &[0.0; 4], 1.0), [0.0; 4]);
    }

    /// Breaks when an empty budget is accepted.
    #[test]
    fn no_budget_is_refused() {
        let ball = Ball::new(Norm::Linf, 0.1).unwrap();
        for (steps, targets, restarts) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            assert!(Fab::new(ball, steps, targets, restarts).is_err());
        }
    }
}
