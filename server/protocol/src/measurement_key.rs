//! What a measurement is of: its kind, its conditions, and the one thing among them that it measured.

use std::fmt;

use crate::Measurement;
use crate::attack::{Attack, AttackConditions};
use crate::corruption::Corruption;
use crate::corruption_evaluation::CorruptionConditions;
use crate::dimensionality::{ActivationMatrix, Perturbation};

/// What one measurement of a run is of. A run has one of each: measured again, it replaces nothing.
///
/// Written, for example, `corruption/generated.0.1000/fog/3`, `attack/0.1000/fgsm:linf:2/255`, `masking/0.1000`,
/// `dimensionality/responses/generated.0.1000/clean` or `input_unit_gradients/100`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MeasurementKey {
    /// Accuracy on one corruption at one severity.
    Corruption {
        /// On which images.
        conditions: CorruptionConditions,
        /// The corruption.
        corruption: Corruption,
        /// Its severity, 1 to 5.
        severity: u8,
    },
    /// Accuracy under one attack.
    Attack {
        /// On which images, and the seed.
        conditions: AttackConditions,
        /// The attack and its budget.
        attack: Attack,
    },
    /// Checks for gradient masking.
    Masking {
        /// On which images, and the seed.
        conditions: AttackConditions,
    },
    /// Dimensionality of every layer.
    Dimensionality {
        /// What the columns are.
        matrix: ActivationMatrix,
        /// On which images.
        conditions: CorruptionConditions,
        /// Clean, or what the difference is made by.
        perturbation: Perturbation,
    },
    /// Input-unit gradients of every layer.
    InputUnitGradients {
        /// Test images measured on.
        images: u32,
    },
}

impl Measurement {
    /// What it is of.
    pub fn key(&self) -> MeasurementKey {
        match self {
            Measurement::Corruption(measured) => MeasurementKey::Corruption {
                conditions: measured.conditions,
                corruption: measured.corruption,
                severity: measured.severity,
            },
            Measurement::Attack(measured) => MeasurementKey::Attack {
                conditions: measured.conditions,
                attack: measured.attack,
            },
            Measurement::Masking(report) => MeasurementKey::Masking {
                conditions: report.conditions,
            },
            Measurement::Dimensionality(measured) => MeasurementKey::Dimensionality {
                matrix: measured.matrix,
                conditions: measured.conditions,
                perturbation: measured.perturbation,
            },
            Measurement::InputUnitGradients(measured) => MeasurementKey::InputUnitGradients {
                images: measured.images,
            },
        }
    }
}

impl fmt::Display for MeasurementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MeasurementKey::Corruption {
                conditions,
                corruption,
                severity,
            } => write!(f, "corruption/{conditions}/{corruption}/{severity}"),
            MeasurementKey::Attack { conditions, attack } => {
                write!(f, "attack/{conditions}/{attack}")
            }
            MeasurementKey::Masking { conditions } => write!(f, "masking/{conditions}"),
            MeasurementKey::Dimensionality {
                matrix,
                conditions,
                perturbation,
            } => write!(
                f,
                "dimensionality/{}/{conditions}/{perturbation}",
                matrix.id()
            ),
            MeasurementKey::InputUnitGradients { images } => {
                write!(f, "input_unit_gradients/{images}")
            }
        }
    }
}
