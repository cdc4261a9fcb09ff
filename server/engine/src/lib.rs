//! Everything that touches burn: data, networks, training, selectivity. Knows nothing of HTTP or the store.
//!
//! Each layer imports only layers above it in this list:
//!
//! 1. [`base`]: files, arrays, random numbers;
//! 2. [`corruptions`] draw on images, [`data`] loads them;
//! 3. [`operators`] compute layers fast on a CPU, [`networks`] turn images into logits and activations;
//! 4. [`measures`] define what is measured: selectivity, dimensionality, variability;
//! 5. [`inference`] measures networks on clean images, [`attacks`] search for adversarial ones;
//! 6. [`learning`] has the regularised loss and the optimiser;
//! 7. [`EngineError`] and [`devices`]; [`self_check`] compares a device with the CPU;
//! 8. [`studies`] measure a trained network: evaluations, analyses, corrupted sets;
//! 9. [`training`] runs one run from spec to result. [`calibrate`] measures speeds, and the
//!    [`perturbation_bench`] answers the page of that name.
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod attacks;
pub mod base;
pub mod calibrate;
pub mod corruptions;
pub mod data;
pub mod devices;
mod error;
pub mod inference;
pub mod learning;
pub mod measures;
pub mod networks;
pub mod operators;
pub mod perturbation_bench;
pub mod self_check;
pub mod studies;
pub mod training;

pub use error::EngineError;
