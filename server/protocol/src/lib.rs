//! The types that the engine, the server and the app share. No I/O, no burn, no HTTP.
//!
//! Read in the order in which data travels: a [`spec`] is what a person asks for, the engine
//! answers with [`event`]s and a [`result`], the server stores them as [`run`]s and hands them
//! out as [`api`] answers.
//!
//! Every definition of a number (selectivity, regulariser, splits, schedules) follows
//! Leavitt & Morcos, *Linking average- and worst-case perturbation robustness via class
//! selectivity and dimensionality* (arXiv 2010.07693).
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod annotation;
pub mod api;
pub mod attack;
pub mod attack_method;
pub mod claim_figure;
pub mod comparison;
pub mod corruption;
pub mod corruption_evaluation;
pub mod dataset;
pub mod device;
pub mod dimensionality;
pub mod evaluation;
pub mod event;
pub mod executor;
pub mod export;
pub mod field_error;
pub mod finding;
pub mod gradient;
pub mod layer_measure;
pub mod measure;
pub mod measurement_key;
mod named;
pub mod network;
pub mod norm;
pub mod numeral;
pub mod origin;
pub mod perturbation_bench;
pub mod preset;
pub mod problem;
pub mod quantity;
pub mod result;
pub mod run;
pub mod saved_view;
pub mod spec;
pub mod training_curve;
pub mod unit;
pub mod validate;
pub mod work;

pub use corruption::Corruption;
pub use dataset::Dataset;
pub use evaluation::{EvaluationSpec, Measurement};
pub use event::Event;
pub use executor::{ExecutorKind, ExecutorSpec};
pub use field_error::FieldError;
pub use measurement_key::MeasurementKey;
pub use network::Network;
pub use origin::Origin;
pub use quantity::Quantity;
pub use result::{EpochMetrics, LayerSelectivity, RunResult};
pub use run::{Run, RunState};
pub use spec::{Augmentation, ExperimentSpec, MAXIMUM_RUNS, MoreRuns, RunSpec, TrainingSpec};
