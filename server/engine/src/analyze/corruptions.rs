//! Accuracy on a folder of corrupted copies of the images, in CIFAR10-C's published layout.

use protocol::corruption::SEVERITIES;
use protocol::evaluation::{CorruptionSource, CorruptionSpec};
use protocol::{Corruption, Dataset, Measurement};
use serde_json::json;

use super::{Analysis, Report, Subject};
use crate::EngineError;
use crate::data::PublishedCorruptions;
use crate::evaluations::{CorruptedImages, Listener, Trained, measure_corruptions};

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "corruptions",
    description: "accuracy on each corruption and severity of --corruptions, and their mean",
    run,
};

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let Some(folder) = subject.corruptions else {
        return Ok(()); // Nothing was given to measure it on.
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
    let set = PublishedCorruptions::open_arrays(folder, subject.images.into(), &corruptions)?;
    let spec = CorruptionSpec {
        source: CorruptionSource::Published,
        corruptions,
        severities: SEVERITIES.to_vec(),
        ..CorruptionSpec::everything(None)
    };
    let trained = Trained {
        model: subject.model,
        device: subject.device,
        // Neither is looked at: the images are open already, and nothing is kept.
        dataset: &Dataset::Cifar10,
        data_directory: folder,
        run_directory: folder,
        test: subject.images,
    };
    let mut found = Collect(Vec::new());
    let images = CorruptedImages::Published(set);
    measure_corruptions(&spec, &images, &trained, None, &mut found)?;
    let mut sum = 0.0;
    for measured in found.0.iter().filter_map(Measurement::corruption) {
        let key = format!("{}.severity={}", measured.corruption, measured.severity);
        report.scalar(format!("{key}.cross_entropy"), measured.cross_entropy);
        report.scalar(key, measured.accuracy);
        sum += measured.accuracy;
    }
    let count = found.0.len();
    report.scalar(
        "corruptions",
        json!({"mean_accuracy": sum / count as f64, "corruptions_and_severities": count}),
    );
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
