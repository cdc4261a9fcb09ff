//! Dimensionality of unit responses: clean, and of the difference that each corruption and PGD-40 make.

use protocol::Measurement;
use protocol::attack::Attack;
use protocol::corruption::{Corruption, SEVERITIES};
use protocol::dimensionality::{ActivationMatrix, DimensionalitySpec, Perturbation};
use serde_json::json;

use super::{Analysis, Collect, Copies, Report, Subject};
use crate::EngineError;
use crate::measures::spectrum::FRACTIONS;
use crate::studies::evaluations::measure_dimensionality;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "dimensionality",
    description: "components for 90, 95 and 99 % of the variance of every layer: clean, and of the difference under PGD-40 and under each corruption and severity of --corruptions (`dimensionality.fog.severity=3`)",
    run,
};

/// The reference's corruption, which has a key of its own.
const CORRUPTION: (Corruption, u8) = (Corruption::GaussianNoise, 3);

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let copies = match subject.corruptions()? {
        Some(copies) => copies,
        // Never drawn from: there is no corruption in the spec then.
        None => Copies {
            corruptions: Vec::new(),
            ..subject.generated(0)?
        },
    };
    let spec = DimensionalitySpec {
        source: copies.source,
        corruption_seed: copies.seed,
        corruptions: copies.corruptions,
        severities: SEVERITIES.to_vec(),
        attacks: vec![Attack::pgd(8.0, 0.5, 40)],
        ..DimensionalitySpec::source(None)
    };
    let mut collected = Collect::default();
    measure_dimensionality(
        &spec,
        &copies.images,
        &subject.trained(),
        None,
        &mut collected,
    )?;
    let units: Vec<u32> = subject
        .model
        .layers()
        .iter()
        .map(|layer| layer.units)
        .collect();
    let mut dimensionality = json!({"fractions": FRACTIONS, "units": units});
    for measured in collected.0.iter().filter_map(Measurement::dimensionality) {
        debug_assert_eq!(measured.matrix, ActivationMatrix::Responses);
        let components: Vec<[u32; 3]> = (0..units.len())
            .map(|layer| {
                [
                    measured.components_90[layer],
                    measured.components_95[layer],
                    measured.components_99[layer],
                ]
            })
            .collect();
        let key = match measured.perturbation {
            Perturbation::Clean => "clean",
            Perturbation::Attack(_) => "adversarial_difference",
            Perturbation::Corruption {
                corruption,
                severity,
            } => {
                report.scalar(
                    format!("dimensionality.{corruption}.severity={severity}"),
                    json!(components),
                );
                if (corruption, severity) != CORRUPTION {
                    continue;
                }
                "corruption_difference"
            }
        };
        dimensionality[key] = json!(components);
        dimensionality[format!("{key}_participation_ratio")] = json!(measured.participation_ratio);
    }
    report.scalar("dimensionality", dimensionality);
    Ok(())
}
