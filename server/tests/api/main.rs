//! The API, called in this process, over a real store with real workers.

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod datasets;
mod document;
mod evaluations;
mod events;
mod experiments;
mod exports;
mod guard;
mod refusals;
