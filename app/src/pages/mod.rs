//! One page a file.

pub mod datasets;
pub mod devices;
pub mod experiment;
pub mod experiments;
pub mod new_experiment;
pub mod not_found;
pub mod run;
