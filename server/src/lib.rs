//! Selectivity Lab's server. Data travels one way: spec -> [`scheduler`] -> worker (engine) -> events
//! -> [`store`] -> [`api`] -> app.
#![cfg_attr(not(test), warn(clippy::too_many_lines))]
#![deny(clippy::print_stdout)] // It panics where nobody reads: `commands::output::say!` does not.

pub mod api;
pub mod archive;
pub mod archived;
pub mod catalogue;
pub mod clock;
pub mod commands;
pub mod connections;
pub mod directory;
pub mod estimate;
pub mod executors;
pub mod fetch;
pub mod import;
pub mod lock;
mod mutex;
pub mod perturbation_bench;
pub mod purge;
pub mod report;
pub mod scheduler;
pub mod ssr;
pub mod store;
pub mod tables;
pub mod tls;
pub mod tokens;
pub mod worker_folder;
