//! The parts of a training step: the regularised loss, and the optimiser with its learning rate.

pub mod loss;
pub(crate) mod optimiser;
