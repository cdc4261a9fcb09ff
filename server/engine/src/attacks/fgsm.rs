//! The fast gradient sign method: one step as long as allowed.
//!
//! `x' = clip(x + eps * d)` with `d` the direction of steepest ascent of the cross-entropy at the clean
//! image: `sign(g)` in L-infinity (Goodfellow, Shlens & Szegedy 2015, "Explaining and harnessing
//! adversarial examples", section 4), `g / |g|` in L2.

use burn::tensor::Tensor;

use super::run::{Point, Series};
use super::{Attack, AttackError, Ball, Norm, Samples, Target, in_words};

/// One step of length epsilon along the gradient of the cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fgsm {
    /// What may be changed.
    pub ball: Ball,
}

impl Fgsm {
    fn step(&self, clean: &Tensor<4>, direction: &Tensor<4>) -> Tensor<4> {
        let change = direction.clone().mul_scalar(self.ball.epsilon());
        (clean.clone() + change).clamp(0.0, 1.0)
    }
}

impl Attack for Fgsm {
    fn name(&self) -> &'static str {
        "fgsm"
    }

    fn description(&self) -> String {
        format!("{}, one step", in_words(self.ball))
    }

    fn ball(&self) -> Ball {
        self.ball
    }

    fn perturb(&self, target: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError> {
        let clean = samples.images();
        let gradient = target.cross_entropy_gradient(clean.clone(), samples.labels())?;
        target.settle()?;
        Ok(self.step(clean, &self.ball.direction(gradient)))
    }

    fn with_epsilon_zero(&self) -> Box<dyn Attack> {
        Box::new(Fgsm {
            ball: self.ball.with_epsilon_zero(),
        })
    }
}

/// [`Fgsm`] at several radii, which share one gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct FgsmSweep {
    radii: Vec<Fgsm>,
}

impl FgsmSweep {
    /// At each of the radii, on the [0, 1] scale.
    ///
    /// # Errors
    /// When there is none, or one is negative or not finite.
    pub fn new(norm: Norm, epsilons: &[f64]) -> Result<Self, AttackError> {
        super::at_least_one("fgsm", "the number of radii", epsilons.len())?;
        let radii = epsilons
            .iter()
            .map(|&epsilon| {
                Ok(Fgsm {
                    ball: Ball::new(norm, epsilon)?,
                })
            })
            .collect::<Result<_, AttackError>>()?;
        Ok(FgsmSweep { radii })
    }
}

impl Series for FgsmSweep {
    fn points(&self) -> Vec<Point> {
        self.radii.iter().map(|fgsm| Point::of(fgsm)).collect()
    }

    fn perturb(
        &self,
        target: &Target,
        samples: &Samples,
        visit: &mut dyn FnMut(usize, Tensor<4>) -> Result<(), AttackError>,
    ) -> Result<(), AttackError> {
        let clean = samples.images();
        let gradient = target.cross_entropy_gradient(clean.clone(), samples.labels())?;
        target.settle()?;
        // One norm, so one direction.
        let direction = self.radii[0].ball.direction(gradient);
        for (index, fgsm) in self.radii.iter().enumerate() {
            visit(index, fgsm.step(clean, &direction))?;
        }
        Ok(())
    }

    fn with_epsilon_zero(&self) -> Box<dyn Series> {
        Box::new(FgsmSweep {
            radii: vec![Fgsm {
                ball: self.radii[0].ball.with_epsilon_zero(),
            }],
        })
    }
}
