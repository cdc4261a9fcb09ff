//! One page a file.

mod about;
pub mod api_reference;
pub mod compare;
pub mod datasets;
pub mod devices;
pub mod experiment;
pub mod experiments;
pub mod findings;
pub mod new_experiment;
pub mod not_found;
pub mod perturb;
pub mod present;
pub mod run;
pub mod units;
