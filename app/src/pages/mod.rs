//! One page a file.

pub mod devices;
pub mod experiments;
pub mod not_found;
