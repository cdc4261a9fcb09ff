//! Attacks: how small a change of an image changes a network's prediction?
//!
//! The story, file by file:
//!
//! - [`Target`] (`target.rs`) is the network as an attack sees it: logits, and gradients with respect to
//!   images, frozen in inference mode; [`Loss`] (`loss.rs`) is what is climbed.
//! - [`Ball`] (`ball.rs`) is the set of allowed images around a clean one, [`Samples`] are clean images with
//!   labels and the seed of everything random.
//! - One [`Attack`] a file: [`Fgsm`], [`Pgd`], [`Apgd`], [`Fab`], [`Square`].
//! - [`run`] attacks a set of images batch by batch and asserts what must hold (`invariants.rs`); [`run_series`] does
//!   so for several radii or step counts at once; [`Ensemble`] runs attacks one after another on the images that are
//!   still right; AutoAttack's standard version is one such ensemble.
//! - [`masking`] asks whether the number is real, after Athalye et al. 2018.
//!
//! Everything random is drawn from the seed and the image's index in its set, and on the CPU an image's
//! logits and gradients do not depend on the images around it, so that results depend neither on batches nor
//! on threads. (A GPU may choose other kernels, which round otherwise, for other batches.)
//!
//! A new attack is one file here that implements [`Attack`], a line in `implementation.rs`, where the attacks of specs become
//! these, and a line in `protocol::attack_method`.

mod apgd;
mod ball;
mod ensemble;
mod error;
mod fab;
mod fgsm;
mod implementation;
mod invariants;
mod loss;
pub mod masking;
mod norm;
mod pgd;
mod run;
mod samples;
mod square;
mod target;

use burn::tensor::Tensor;

pub use apgd::{Apgd, Objective};
pub use ball::{Ball, TOLERANCE};
pub use ensemble::{Budget, Ensemble, EnsembleOutcome, STANDARD};
pub use error::AttackError;
pub use fab::{Fab, Nearest};
pub use fgsm::{Fgsm, FgsmSweep};
pub use implementation::{Implementation, implementation, perturbing, series};
pub use invariants::{CHECKED, ROUNDING};
pub use loss::Loss;
pub(crate) use loss::gradient_at_logits;
pub use norm::distance;
pub use pgd::{Pgd, PgdTrajectory, Start};
pub use protocol::attack::Norm;
pub use run::{AttackOutcome, Point, Progress, Series, Work, perturb, run, run_series};
pub use samples::Samples;
pub use square::Square;
pub(crate) use target::not_finite;
pub use target::{Logits, Passes, Slope, Target};

/// A way to find images in a ball that the network is wrong about.
pub trait Attack {
    /// What it is called: lower case, for files and forms.
    fn name(&self) -> &'static str;

    /// Its budget and choices in a line.
    fn description(&self) -> String;

    /// What it may change.
    fn ball(&self) -> Ball;

    /// An image for every sample, `[batch, 3, height, width]`, inside the ball and in [0, 1]: one that the
    /// network is wrong about, or where none is found the best there is, perhaps the clean image.
    ///
    /// # Errors
    /// When labels do not fit the network, the network does not suit the attack, or whoever watches the
    /// target ends it.
    fn perturb(&self, target: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError>;

    /// The same attack with radius 0 and no more than a few steps, which may change no image's class.
    fn with_epsilon_zero(&self) -> Box<dyn Attack>;
}

/// What sets the random draws of one kind of attack apart from those of another: the first word of
/// [`Samples::random`]'s purpose.
mod purpose {
    pub(super) const PGD: u32 = 1;
    pub(super) const APGD_CE: u32 = 2;
    pub(super) const APGD_DLR: u32 = 3;
    pub(super) const APGD_T: u32 = 4;
    pub(super) const FAB: u32 = 5;
    pub(super) const SQUARE: u32 = 6;
}

/// The ball in words.
fn in_words(ball: Ball) -> String {
    let norm = ball.norm();
    format!("{} {}", norm.label(), norm.radius(ball.epsilon()))
}

/// Checks that a count is at least 1.
fn at_least_one(attack: &'static str, what: &'static str, value: usize) -> Result<(), AttackError> {
    if value == 0 {
        return Err(AttackError::Parameter {
            attack,
            what,
            value: 0.0,
            expected: "at least 1",
        });
    }
    Ok(())
}
