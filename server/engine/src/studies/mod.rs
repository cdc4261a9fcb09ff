//! What is done with a trained network: evaluations after training, analyses of given weights, corrupted image sets.

pub mod analyze;
pub mod corrupted_set;
pub mod evaluations;
