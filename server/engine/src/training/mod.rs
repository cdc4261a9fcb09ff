//! One run, from spec to result: epochs, checkpoints, and the folder that it keeps its files in.

mod checkpoint;
mod clock;
mod epoch;
mod epoch_plan;
mod run;
pub mod run_folder;
pub mod unit_selectivity;

pub use run::{RunContext, run};
