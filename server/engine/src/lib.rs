//! Everything that touches burn: data, networks, training, selectivity. Knows nothing of HTTP or the store.
//!
//! Read in this order: [`data`] loads images, [`networks`] turns them into logits and activations,
//! [`operators`] compute their layers fast on a CPU, [`selectivity`] defines the number all this is about,
//! [`train`] runs one run from spec to result, [`evaluations`] test what was trained on [`corruptions`] and
//! [`attacks`] and look at its geometry ([`dimensionality`], [`gradients`]), [`analyze`] measures imported weights.

pub mod analyze;
pub mod arrays;
pub mod attacks;
pub mod batch;
pub mod calibrate;
mod checkpoint;
pub mod corrupt;
pub mod corruptions;
pub mod data;
pub mod devices;
pub mod dimensionality;
mod epoch;
mod error;
pub mod evaluate;
pub mod evaluations;
pub mod files;
pub mod gradients;
pub mod networks;
pub mod operators;
pub mod perturbation_bench;
pub mod random;
pub mod run_folder;
pub mod selectivity;
pub mod self_check;
pub mod train;
pub mod unit_selectivity;

pub use error::EngineError;
