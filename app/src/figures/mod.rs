//! Figures: each file is a function from an answer of the API to a [`Chart`](crate::chart::Chart).

pub mod accuracy_selectivity;
pub mod alpha_selectivity;
pub mod claim;
pub mod comparison;
pub mod evidence;
pub mod layer_profile;
pub mod lines;
pub mod measures;
pub mod perturbed_layers;
pub mod quantity;
pub mod run_attacks;
pub mod run_corruptions;
pub mod run_curves;
pub mod run_dimensionality;
pub mod run_gradients;
pub mod run_layers;
pub mod run_selectivity_training;
pub mod run_severity;
pub mod run_units;
pub mod slope_map;
pub mod training_curves;
pub mod unit_gradients;
pub mod unit_perturbed;
pub mod unit_training;
pub mod unit_tuning;
pub mod words;
