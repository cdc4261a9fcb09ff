//! What is made of the measurements of many runs: scatters, profiles by layer, comparisons, claims and their figures.
//! Knows no SQL and no HTTP.
//!
//! [`run_numbers`] takes what is needed from each run's measurements; everything else asks it.

pub mod claims;
pub mod comparison;
pub mod layer_values;
#[cfg(any(test, feature = "made-up"))]
pub mod made_up;
pub mod run_numbers;
pub mod scatter;

mod mean;

pub use mean::{INTERVAL_METHOD, mean};
