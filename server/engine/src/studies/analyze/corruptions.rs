//! Accuracy on corrupted copies of the images: of a folder in CIFAR10-C's layout, or drawn from the images.

use protocol::Measurement;
use protocol::corruption::SEVERITIES;
use protocol::corruption_evaluation::CorruptionSpec;
use serde_json::json;

use super::{Analysis, Collect, Report, Subject};
use crate::EngineError;
use crate::studies::evaluations::measure_corruptions;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "corruptions",
    description: "accuracy and cross-entropy on each corruption and severity of --corruptions (`fog.severity=3`), and their mean",
    run,
};

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let Some(copies) = subject.corruptions()? else {
        return Ok(()); // Nothing was given to measure it on.
    };
    let spec = CorruptionSpec {
        source: copies.source,
        corruptions: copies.corruptions,
        severities: SEVERITIES.to_vec(),
        corruption_seed: copies.seed,
        ..CorruptionSpec::everything(None)
    };
    let mut collected = Collect::default();
    measure_corruptions(
        &spec,
        &copies.images,
        &subject.trained(),
        None,
        &mut collected,
    )?;
    let mut sum = 0.0;
    for measured in collected.0.iter().filter_map(Measurement::corruption) {
        let key = format!("{}.severity={}", measured.corruption, measured.severity);
        report.scalar(format!("{key}.cross_entropy"), measured.cross_entropy);
        report.scalar(key, measured.accuracy);
        sum += measured.accuracy;
    }
    let count = collected.0.len();
    report.scalar(
        "corruptions",
        json!({
            "mean_accuracy": sum / count as f64,
            "corruptions_and_severities": count,
            "images": subject.images.len(),
            "source": spec.source,
            "corruption_seed": spec.corruption_seed,
        }),
    );
    Ok(())
}
