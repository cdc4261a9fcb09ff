//! Projected gradient descent: many short steps, each back into the ball.
//!
//! `x <- P(x + step * d)` with `d` the direction of steepest ascent of the cross-entropy at `x` and `P` the
//! projection into ball and [0, 1] (Madry et al. 2018, "Towards deep learning models resistant to
//! adversarial attacks", section 2.1; from the clean image it is Kurakin et al. 2017's basic iterative
//! method). The last iterate is the result, not the worst on the way.

use burn::tensor::Tensor;

use super::invariants::FEW_STEPS;
use super::run::{Point, Series};
use super::samples::Gallery;
use super::{Attack, AttackError, Ball, Samples, Target, at_least_one, in_words, purpose};

/// Where an attack begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the clean image.
    Clean,
    /// At random points in the ball. Each restart attacks the images that are still right, and an image counts as
    /// broken when any restart broke it.
    Random {
        /// 1 or more.
        restarts: usize,
    },
}

/// Steps along the gradient of the cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pgd {
    ball: Ball,
    step: f64,
    steps: usize,
    start: Start,
}

impl Pgd {
    /// `steps` steps of size `step` (on the [0, 1] scale, in the ball's norm).
    ///
    /// # Errors
    /// When there is no step or no restart, or the step is not finite and positive.
    pub fn new(ball: Ball, step: f64, steps: usize, start: Start) -> Result<Self, AttackError> {
        at_least_one("pgd", "the number of steps", steps)?;
        if let Start::Random { restarts } = start {
            at_least_one("pgd", "the number of restarts", restarts)?;
        }
        if !(step.is_finite() && step > 0.0) {
            return Err(AttackError::Parameter {
                attack: "pgd",
                what: "the step size",
                value: step,
                expected: "finite and positive",
            });
        }
        Ok(Pgd {
            ball,
            step,
            steps,
            start,
        })
    }

    /// The size of a step, on the [0, 1] scale.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// How many steps are made.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Where it begins.
    pub fn start(&self) -> Start {
        self.start
    }

    /// Steps from `images`, and calls `visit(steps so far, images)` after each step.
    fn walk(
        &self,
        target: &Target,
        samples: &Samples,
        mut images: Tensor<4>,
        visit: &mut dyn FnMut(usize, &Tensor<4>) -> Result<(), AttackError>,
    ) -> Result<Tensor<4>, AttackError> {
        for step in 1..=self.steps {
            images = self.step_ahead(target, samples, images)?;
            visit(step, &images)?;
        }
        target.settle()?;
        Ok(images)
    }

    /// One step from `images`, `[batch, 3, height, width]`, which are in the balls around `samples`.
    ///
    /// # Errors
    /// As those of the attack.
    pub fn step_from(
        &self,
        target: &Target,
        samples: &Samples,
        images: Tensor<4>,
    ) -> Result<Tensor<4>, AttackError> {
        let images = self.step_ahead(target, samples, images)?;
        target.settle()?;
        Ok(images)
    }

    /// The same, with a device that is not waited for.
    fn step_ahead(
        &self,
        target: &Target,
        samples: &Samples,
        images: Tensor<4>,
    ) -> Result<Tensor<4>, AttackError> {
        let gradient = target.cross_entropy_gradient(images.clone(), samples.labels())?;
        let change = self.ball.direction(gradient).mul_scalar(self.step);
        Ok(self.ball.project(samples.images(), images + change))
    }

    /// With radius 0 and a few steps.
    fn at_rest(&self) -> Pgd {
        Pgd {
            ball: self.ball.with_epsilon_zero(),
            steps: self.steps.min(FEW_STEPS),
            ..*self
        }
    }

    fn start_of(&self, samples: &Samples, restart: usize) -> Tensor<4> {
        match self.start {
            Start::Clean => samples.images().clone(),
            Start::Random { .. } => self
                .ball
                .random_start(samples, [purpose::PGD, restart as u32]),
        }
    }

    fn words(&self, steps: usize) -> String {
        let step = self.ball.norm().radius(self.step);
        let start = match self.start {
            Start::Clean => "from the clean image".to_owned(),
            Start::Random { restarts: 1 } => "from a random start".to_owned(),
            Start::Random { restarts } => format!("from {restarts} random starts"),
        };
        format!("{}, {steps} steps of {step} {start}", in_words(self.ball))
    }
}

impl Attack for Pgd {
    fn name(&self) -> &'static str {
        "pgd"
    }

    fn description(&self) -> String {
        self.words(self.steps)
    }

    fn ball(&self) -> Ball {
        self.ball
    }

    fn perturb(&self, target: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError> {
        let restarts = match self.start {
            Start::Clean => 1,
            Start::Random { restarts } => restarts,
        };
        if restarts == 1 {
            let start = self.start_of(samples, 0);
            return self.walk(target, samples, start, &mut |_, _| Ok(()));
        }
        let mut gallery = Gallery::new(samples.len());
        for restart in 0..restarts {
            let missing = gallery.missing();
            if missing.is_empty() {
                break;
            }
            let left = samples.select(&missing);
            let start = self.start_of(&left, restart);
            let images = self.walk(target, &left, start, &mut |_, _| Ok(()))?;
            let logits = target.logits(images.clone())?;
            for (row, &place) in missing.iter().enumerate() {
                if logits.prediction(row) == Some(left.labels()[row]) {
                    gallery.offer(place, &images, row);
                } else {
                    gallery.keep(place, &images, row);
                }
            }
        }
        Ok(gallery.or(samples.images()))
    }

    fn with_epsilon_zero(&self) -> Box<dyn Attack> {
        Box::new(self.at_rest())
    }
}

/// [`Pgd`]'s iterates after several numbers of steps, on one trajectory. With several random starts, the
/// first.
#[derive(Debug, Clone, PartialEq)]
pub struct PgdTrajectory {
    pgd: Pgd,
    /// Ascending.
    stops: Vec<usize>,
}

impl PgdTrajectory {
    /// The iterates after each of `stops` steps, in any order; `pgd`'s own number of steps is not used.
    ///
    /// # Errors
    /// When there is no stop, or one is 0.
    pub fn new(pgd: Pgd, stops: &[usize]) -> Result<Self, AttackError> {
        let mut stops = stops.to_vec();
        stops.sort_unstable();
        stops.dedup();
        let (first, last) = (stops.first().copied(), stops.last().copied());
        at_least_one("pgd", "the number of steps", first.unwrap_or(0))?;
        Ok(PgdTrajectory {
            pgd: Pgd {
                steps: last.unwrap_or(0),
                ..pgd
            },
            stops,
        })
    }

    /// The numbers of steps, ascending.
    pub fn stops(&self) -> &[usize] {
        &self.stops
    }
}

impl Series for PgdTrajectory {
    fn points(&self) -> Vec<Point> {
        self.stops
            .iter()
            .map(|&steps| Point {
                attack: self.pgd.name(),
                description: self.pgd.words(steps),
                ball: self.pgd.ball,
            })
            .collect()
    }

    fn perturb(
        &self,
        target: &Target,
        samples: &Samples,
        visit: &mut dyn FnMut(usize, Tensor<4>) -> Result<(), AttackError>,
    ) -> Result<(), AttackError> {
        let start = self.pgd.start_of(samples, 0);
        self.pgd
            .walk(
                target,
                samples,
                start,
                &mut |step, images| match self.stops.binary_search(&step) {
                    Ok(index) => visit(index, images.clone()),
                    Err(_) => Ok(()),
                },
            )?;
        Ok(())
    }

    fn with_epsilon_zero(&self) -> Box<dyn Series> {
        let pgd = self.pgd.at_rest();
        Box::new(PgdTrajectory {
            pgd,
            stops: vec![pgd.steps],
        })
    }
}
