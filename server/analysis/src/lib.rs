//! Analysis of the measurements of many runs: scatters, profiles by layer, comparisons, claims and their figures.
//! Knows no SQL and no HTTP.
//!
//! [`run_numbers`] takes the numbers from each run's measurements, [`table`] holds those of many runs, and everything else
//! is a query on it, [`like`] with like.
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod claims;
pub mod comparison;
pub mod layer_profiles;
pub mod layer_values;
pub mod like;
#[cfg(any(test, feature = "made-up"))]
pub mod made_up;
pub mod run_numbers;
pub mod scatter;
pub mod table;
pub mod training_curves;

mod mean;

pub(crate) use mean::distinct_alphas;
pub use mean::{INTERVAL_METHOD, mean};
