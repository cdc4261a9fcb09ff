//! What the binary can be asked to do; one command a file.

pub mod analyze;
mod attack_list;
pub mod bench;
pub mod calibrate;
pub mod corrupt;
pub mod data;
pub mod devices;
pub mod export;
pub mod import;
pub mod import_weights;
pub(crate) mod output;
pub mod perturb;
pub mod report;
pub mod run;
pub mod serve;
pub mod store;
pub mod worker;
