//! Whether adversarial accuracy is real, or gradients are masked (Athalye et al. 2018, section 3.1).

use protocol::Measurement;
use protocol::attack::AttackSpec;
use serde_json::json;

use super::{Analysis, Collect, Report, Subject};
use crate::EngineError;
use crate::studies::evaluations::measure_attacks;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "masking",
    description: "checks for gradient masking at 2/255 on up to 100 images: what should hold, the evidence, whether it holds",
    run,
};

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let spec = AttackSpec {
        attacks: Vec::new(),
        check_masking: true,
        ..subject.attacks.clone()
    };
    let mut collected = Collect::default();
    measure_attacks(&spec, &subject.trained(), None, &mut collected)?;
    for measurement in &collected.0 {
        if let Measurement::Masking(masking) = measurement {
            report.scalar(
                "masking",
                json!({"passes": masking.passes(), "checks": masking.checks}),
            );
        }
    }
    Ok(())
}
