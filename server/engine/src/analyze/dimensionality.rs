//! Dimensionality of unit responses: clean, and of the difference that a corruption and PGD-40 make.

use protocol::attack::Attack;
use protocol::dimensionality::{ActivationMatrix, DimensionalitySpec, Perturbation};
use protocol::evaluation::CorruptionSource;
use protocol::{Corruption, Dataset, Measurement};
use serde_json::json;

use super::{Analysis, Report, Subject};
use crate::EngineError;
use crate::corruptions::Corruptor;
use crate::data::PublishedCorruptions;
use crate::dimensionality::FRACTIONS;
use crate::evaluations::{CorruptedImages, Listener, Trained, measure_dimensionality};
use protocol::corruption::ParameterTable;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "dimensionality",
    description: "components for 90, 95 and 99 % of the variance of every layer: clean, and of the difference under gaussian_noise severity 3 (of --corruptions) and PGD-40",
    run,
};

/// The reference's corruption.
const CORRUPTION: (Corruption, u8) = (Corruption::GaussianNoise, 3);

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let images = subject.images;
    let (corruption, severity) = CORRUPTION;
    let folder = subject
        .corruptions
        .filter(|folder| folder.join(format!("{corruption}.npy")).exists());
    let corrupted = match folder {
        Some(folder) => CorruptedImages::Published(PublishedCorruptions::open_arrays(
            folder,
            images.into(),
            &[corruption],
        )?),
        // Never drawn from: there is no corruption in the spec then.
        None => CorruptedImages::Generated {
            clean: images,
            corruptor: Corruptor::new(ParameterTable::for_size(images.height(), images.width()), 0),
        },
    };
    let spec = DimensionalitySpec {
        source: CorruptionSource::Published,
        corruptions: folder.map(|_| corruption).into_iter().collect(),
        severities: vec![severity],
        attacks: vec![Attack::pgd(8.0, 0.5, 40)],
        ..DimensionalitySpec::source(None)
    };
    let trained = Trained {
        model: subject.model,
        device: subject.device,
        // None of these is looked at: the images are open already, and nothing is kept.
        dataset: &Dataset::Cifar10,
        data_directory: std::path::Path::new(""),
        run_directory: std::path::Path::new(""),
        test: images,
    };
    let mut found = Collect(Vec::new());
    measure_dimensionality(&spec, &corrupted, &trained, None, &mut found)?;
    let units: Vec<u32> = subject
        .model
        .layers()
        .iter()
        .map(|layer| layer.units)
        .collect();
    let mut dimensionality = json!({"fractions": FRACTIONS, "units": units});
    for measurement in &found.0 {
        let Some(measured) = measurement.dimensionality() else {
            continue;
        };
        debug_assert_eq!(measured.matrix, ActivationMatrix::Responses);
        let key = match measured.perturbation {
            Perturbation::Clean => "clean",
            Perturbation::Corruption { .. } => "corruption_difference",
            Perturbation::Attack(_) => "adversarial_difference",
        };
        let components: Vec<[u32; 3]> = (0..units.len())
            .map(|layer| {
                [
                    measured.components_90[layer],
                    measured.components_95[layer],
                    measured.components_99[layer],
                ]
            })
            .collect();
        dimensionality[key] = json!(components);
        dimensionality[format!("{key}_participation_ratio")] = json!(measured.participation_ratio);
    }
    report.scalar("dimensionality", dimensionality);
    Ok(())
}

struct Collect(Vec<Measurement>);

impl Listener for Collect {
    fn measured(&mut self, measurement: Measurement) {
        self.0.push(measurement);
    }

    fn advanced(&mut self, _images: usize, _computed: bool) -> bool {
        true
    }
}
