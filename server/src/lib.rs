//! Selectivity Lab's server. Data travels one way: spec -> [`scheduler`] -> worker (engine) -> events
//! -> [`store`] -> [`api`] -> app.

pub mod api;
pub mod catalogue;
pub mod clock;
pub mod commands;
pub mod connections;
pub mod directory;
pub mod estimate;
pub mod fetch;
pub mod lock;
pub mod report;
pub mod scheduler;
pub mod ssr;
pub mod store;
pub mod tables;
pub mod tokens;
