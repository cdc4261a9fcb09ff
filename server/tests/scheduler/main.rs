//! Runs from queue to end, through whatever may happen to them: real worker processes, real kills.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod evaluations;
mod faults;
mod processes;
mod restart;
mod runs;
