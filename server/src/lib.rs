//! Selectivity Lab's server. Data travels one way: spec -> [`scheduler`] -> worker (engine) -> events
//! -> [`store`] -> [`api`] -> app.

pub mod api;
pub mod catalogue;
pub mod claim_figures;
pub mod clock;
pub mod commands;
pub mod comparison;
pub mod directory;
pub mod estimate;
pub mod fetch;
pub mod findings;
pub mod layer_values;
pub mod lock;
pub mod report;
pub mod run_numbers;
pub mod scatter;
pub mod scheduler;
pub mod ssr;
pub mod statistics;
pub mod store;
pub mod tables;
