//! Analyses of given weights on given images: what `selectivity-lab analyze` runs.
//!
//! Keys are those of the independent reference (`make_reference.py`), so that its values and ours
//! can be laid side by side. A new analysis is one new file and one line in [`ANALYSES`].

mod corruptions;
mod dimensionality;
mod input;
mod input_unit_gradients;
mod regulariser;
mod report;
mod selectivity;

use std::path::Path;

use burn::tensor::Device;

use crate::EngineError;
use crate::data::ImageSet;
use crate::networks::Model;

pub use input::{npy_shape, read_images, read_labels};
pub use report::{Array, Report};

/// A network and the images it is measured on.
pub struct Subject<'a> {
    /// The network, in inference mode.
    pub model: &'a Model,
    /// The device, without autodiff.
    pub device: &'a Device,
    /// Images and labels.
    pub images: &'a ImageSet,
    /// A folder of corrupted copies of the images in CIFAR10-C's layout.
    pub corruptions: Option<&'a Path>,
}

/// One analysis.
pub struct Analysis {
    /// The name that `--only` takes.
    pub name: &'static str,
    /// What it measures, in a sentence.
    pub description: &'static str,
    run: fn(&Subject, &mut Report) -> Result<(), EngineError>,
}

/// Every analysis, in the order in which they run.
pub const ANALYSES: [Analysis; 5] = [
    selectivity::ANALYSIS,
    regulariser::ANALYSIS,
    corruptions::ANALYSIS,
    dimensionality::ANALYSIS,
    input_unit_gradients::ANALYSIS,
];

/// Runs the analyses called `names`, or all of them when there are none.
///
/// # Errors
/// When a name is unknown, or an analysis cannot go on.
pub fn analyze(subject: &Subject, names: &[String]) -> Result<Report, EngineError> {
    for name in names {
        if !ANALYSES.iter().any(|analysis| analysis.name == name) {
            let known: Vec<_> = ANALYSES.iter().map(|analysis| analysis.name).collect();
            return Err(EngineError::UnknownAnalysis {
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    let mut report = Report::default();
    for analysis in &ANALYSES {
        if names.is_empty() || names.iter().any(|name| name == analysis.name) {
            (analysis.run)(subject, &mut report)?;
        }
    }
    Ok(report)
}
