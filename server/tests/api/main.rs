//! The API, called in this process, over a real store with real workers.

#[path = "../common/mod.rs"]
mod common;

mod annotations;
mod archives;
mod attacks;
mod comparisons;
mod connections;
mod datasets;
mod document;
mod downloads;
mod evaluations;
mod events;
mod experiments;
mod exports;
mod findings;
mod geometry;
mod guard;
mod imports;
mod more_runs;
mod pages;
mod perturbations;
mod refusals;
mod report;
mod saved_views;
mod versions;
