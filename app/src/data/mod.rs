//! What pages show: answers of the API, live events, what addresses choose, and a run's measurements as pages group them.

pub mod addresses;
pub mod api;
pub mod attacks;
pub mod choice;
pub mod clock;
pub mod conditions;
pub mod corruptions;
pub mod geometry;
pub mod live;
pub mod query;
pub mod run_state;
pub mod selection;
pub mod snippets;
