//! Analyses of given weights on given images: what `selectivity-lab analyze` runs.
//!
//! Keys are those of the independent reference (`make_reference.py`), so that both sets of values can be compared. A
//! new analysis is one new file and one line in [`ANALYSES`].

mod attacks;
mod corruptions;
mod dimensionality;
mod input_unit_gradients;
mod masking;
mod regulariser;
mod report;
mod selectivity;

use std::path::Path;

use burn::tensor::Device;
use protocol::attack::AttackSpec;
use protocol::corruption_evaluation::{CorruptionSource, CorruptionSpec};
use protocol::{Corruption, Measurement};

use crate::EngineError;
use crate::data::{ImageSet, PublishedCorruptions};
use crate::networks::Model;
use crate::studies::evaluations::{CorruptedImages, Listener, Trained, open_images};

pub use report::{Array, Report};

/// Where corrupted copies of the images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorruptedCopies<'a> {
    /// A folder of `<corruption>.npy` and `labels.npy` in CIFAR10-C's layout.
    Folder(&'a Path),
    /// Every corruption is drawn from the images.
    Generated {
        /// The same seed gives the same images.
        seed: u64,
    },
}

/// A network and the images it is measured on.
pub struct Subject<'a> {
    /// The network, in inference mode.
    pub model: &'a Model,
    /// The device, without autodiff.
    pub device: &'a Device,
    /// Images and labels.
    pub images: &'a ImageSet,
    /// Corrupted copies of the images; without them, analyses that need them are left out.
    pub corruptions: Option<CorruptedCopies<'a>>,
    /// The attacks that the network is tested with.
    pub attacks: &'a AttackSpec,
}

/// Corrupted copies that are open, every one at severities 1 to 5.
struct Copies<'a> {
    source: CorruptionSource,
    seed: u64,
    corruptions: Vec<Corruption>,
    images: CorruptedImages<'a>,
}

impl<'a> Subject<'a> {
    /// The network in the form that evaluations take.
    fn trained(&self) -> Trained<'a> {
        Trained::without_files(self.model, self.device, self.images)
    }

    /// Opens the corrupted copies, if any were given.
    fn corruptions(&self) -> Result<Option<Copies<'a>>, EngineError> {
        let folder = match self.corruptions {
            None => return Ok(None),
            Some(CorruptedCopies::Generated { seed }) => return self.generated(seed).map(Some),
            Some(CorruptedCopies::Folder(folder)) => folder,
        };
        let corruptions: Vec<Corruption> = Corruption::ALL
            .into_iter()
            .filter(|corruption| folder.join(format!("{corruption}.npy")).exists())
            .collect();
        if corruptions.is_empty() {
            return Err(EngineError::Input {
                path: folder.to_owned(),
                reason: "holds no file <corruption>.npy, for example gaussian_noise.npy".into(),
            });
        }
        let set = PublishedCorruptions::open_arrays(folder, self.images.into(), &corruptions)?;
        Ok(Some(Copies {
            source: CorruptionSource::Published,
            seed: 0,
            corruptions,
            images: CorruptedImages::Published(set),
        }))
    }

    /// Every corruption of the images, drawn from `seed`.
    fn generated(&self, seed: u64) -> Result<Copies<'a>, EngineError> {
        let spec = CorruptionSpec {
            source: CorruptionSource::Generated,
            corruption_seed: seed,
            ..CorruptionSpec::everything(None)
        };
        let trained = self.trained();
        Ok(Copies {
            source: spec.source,
            seed,
            images: open_images(&spec, trained.dataset, trained.data_directory, self.images)?,
            corruptions: spec.corruptions,
        })
    }
}

/// Collects what evaluations measure.
#[derive(Default)]
struct Collect(Vec<Measurement>);

impl Listener for Collect {
    fn measured(&mut self, measurement: Measurement) {
        self.0.push(measurement);
    }

    fn advanced(&mut self, _images: usize, _computed: bool) -> bool {
        true
    }
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
pub static ANALYSES: [Analysis; 7] = [
    selectivity::ANALYSIS,
    regulariser::ANALYSIS,
    corruptions::ANALYSIS,
    attacks::ANALYSIS,
    masking::ANALYSIS,
    dimensionality::ANALYSIS,
    input_unit_gradients::ANALYSIS,
];

/// Names for several analyses together.
pub static GROUPS: [(&str, &[&str]); 1] =
    [("geometry", &["dimensionality", "input_unit_gradients"])];

/// The analyses called `names`, singly or as a group of [`GROUPS`]; all of them when there are none.
///
/// # Errors
/// When a name is unknown.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Analysis>, EngineError> {
    let group = |name: &str| GROUPS.iter().find(|(group, _)| *group == name);
    for name in names {
        if !ANALYSES.iter().any(|analysis| analysis.name == name) && group(name).is_none() {
            let known: Vec<_> = ANALYSES
                .iter()
                .map(|analysis| analysis.name)
                .chain(GROUPS.iter().map(|(name, _)| *name))
                .collect();
            return Err(EngineError::UnknownAnalysis {
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    let is_chosen = |analysis: &Analysis| {
        names.is_empty()
            || names.iter().any(|name| {
                name == analysis.name
                    || group(name).is_some_and(|(_, members)| members.contains(&analysis.name))
            })
    };
    Ok(ANALYSES
        .iter()
        .filter(|analysis| is_chosen(analysis))
        .collect())
}

/// Runs `analyses` one after the other.
///
/// # Errors
/// When one cannot go on.
pub fn analyze(subject: &Subject, analyses: &[&Analysis]) -> Result<Report, EngineError> {
    let mut report = Report::default();
    for analysis in analyses {
        (analysis.run)(subject, &mut report)?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when `geometry` leaves one of its analyses out, a name is taken for another, or an empty list chooses none.
    #[test]
    fn analyses_are_chosen_by_name_and_by_group() {
        let names = |requested: &[&str]| {
            let requested: Vec<String> = requested.iter().map(|&name| name.to_owned()).collect();
            chosen(&requested).map(|analyses| analyses.iter().map(|a| a.name).collect::<Vec<_>>())
        };
        assert_eq!(
            names(&["geometry", "attacks"]).unwrap(),
            ["attacks", "dimensionality", "input_unit_gradients"]
        );
        assert_eq!(names(&[]).unwrap().len(), ANALYSES.len());
        let error = names(&["attack"]).unwrap_err().to_string();
        assert!(
            error.contains("attacks") && error.contains("geometry"),
            "{error}"
        );
    }
}
