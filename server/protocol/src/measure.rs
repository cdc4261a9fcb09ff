//! The numbers of a run that figures set against each other, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::api::Mean;
use crate::attack::{Attack, AttackConditions};
use crate::corruption::{Corruption, SEVERITIES};
use crate::evaluation::CorruptionConditions;
use crate::layer_measure::{LayerMeasure, LayerRange};

/// One number of a trained run.
///
/// Written `selectivity`, `test_accuracy`, `corruption:<corruption or all>:<severity or all>`,
/// `attack:<attack>`, the attack as [`Attack`] is written, or `layers:<all or early>:<measure>`, the measure as
/// [`LayerMeasure`] is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Network selectivity on the clean test set.
    Selectivity,
    /// Clean test accuracy.
    TestAccuracy,
    /// Accuracy on corrupted images: the mean over what is left open.
    Corruption {
        /// One corruption; the mean over all of them when absent.
        corruption: Option<Corruption>,
        /// One severity; the mean over all of them when absent.
        severity: Option<u8>,
    },
    /// Accuracy under an attack.
    Attack(Attack),
    /// The mean of a number that each layer has.
    Layers {
        /// Of which layers.
        range: LayerRange,
        /// The number.
        measure: LayerMeasure,
    },
}

impl Measure {
    /// What a person calls it, for an axis.
    pub fn label(self) -> String {
        match self {
            Measure::Selectivity => "Network selectivity".into(),
            Measure::TestAccuracy => "Clean test accuracy".into(),
            Measure::Layers { range, measure } => {
                format!("{}, {}", measure.label(), range.label())
            }
            Measure::Attack(attack) => format!("Adversarial accuracy, {}", attack.label()),
            Measure::Corruption {
                corruption,
                severity,
            } => {
                let what = match corruption {
                    Some(corruption) => {
                        format!("accuracy under {}", corruption.label().to_lowercase())
                    }
                    None => "corruption accuracy".into(),
                };
                let severity = match severity {
                    Some(severity) => format!(", severity {severity}"),
                    None => ", mean of severities".into(),
                };
                let mut label = format!("{what}{severity}");
                label[..1].make_ascii_uppercase();
                label.replace("Jpeg", "JPEG").replace("jpeg", "JPEG")
            }
        }
    }

    /// Whether it is an accuracy under perturbation, which can be shown as a share of clean accuracy.
    pub fn is_robustness(self) -> bool {
        matches!(self, Measure::Corruption { .. } | Measure::Attack(_))
    }

    /// Whether a corruption at a severity belongs to it.
    pub fn covers(self, corruption: Corruption, severity: u8) -> bool {
        match self {
            Measure::Corruption {
                corruption: wanted,
                severity: at,
            } => {
                wanted.is_none_or(|wanted| wanted == corruption)
                    && at.is_none_or(|at| at == severity)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measure::Selectivity => f.write_str("selectivity"),
            Measure::TestAccuracy => f.write_str("test_accuracy"),
            Measure::Corruption {
                corruption,
                severity,
            } => {
                let severity = severity.map_or("all".into(), |severity| severity.to_string());
                let corruption = corruption.map_or("all", Corruption::id);
                write!(f, "corruption:{corruption}:{severity}")
            }
            Measure::Attack(attack) => write!(f, "attack:{attack}"),
            Measure::Layers { range, measure } => write!(f, "layers:{}:{measure}", range.id()),
        }
    }
}

/// A text names no measure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no measure; write selectivity, test_accuracy, corruption:<corruption or all>:<severity or all>, attack:<attack>, or layers:<all or early>:<measure of layers>, for example attack:fgsm:linf:2/255 or layers:early:dimensionality:responses:95:clean"
)]
pub struct UnknownMeasure(pub String);

impl FromStr for Measure {
    type Err = UnknownMeasure;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownMeasure(text.to_owned());
        if let Some(attack) = text.strip_prefix("attack:") {
            return attack.parse().map(Measure::Attack).map_err(|_| unknown());
        }
        if let Some(rest) = text.strip_prefix("layers:") {
            let (range, measure) = rest.split_once(':').ok_or_else(unknown)?;
            return Ok(Measure::Layers {
                range: [LayerRange::All, LayerRange::Early]
                    .into_iter()
                    .find(|known| known.id() == range)
                    .ok_or_else(unknown)?,
                measure: measure.parse().map_err(|_| unknown())?,
            });
        }
        let mut parts = text.split(':');
        let measure = match parts.next() {
            Some("selectivity") => Measure::Selectivity,
            Some("test_accuracy") => Measure::TestAccuracy,
            Some("corruption") => {
                let corruption = match parts.next().ok_or_else(unknown)? {
                    "all" => None,
                    id => Some(id.parse().map_err(|_| unknown())?),
                };
                let severity = match parts.next().ok_or_else(unknown)? {
                    "all" => None,
                    severity => Some(
                        severity
                            .parse()
                            .ok()
                            .filter(|severity| SEVERITIES.contains(severity))
                            .ok_or_else(unknown)?,
                    ),
                };
                Measure::Corruption {
                    corruption,
                    severity,
                }
            }
            _ => return Err(unknown()),
        };
        match parts.next() {
            None => Ok(measure),
            Some(_) => Err(unknown()),
        }
    }
}

/// How an accuracy under perturbation is shown. Clean accuracy moves with alpha too, so each robustness
/// claim is shown both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// As it is.
    #[default]
    Raw,
    /// As a share of the same network's accuracy on the same images, clean.
    ShareOfClean,
}

impl Scale {
    /// The name in queries.
    pub fn id(self) -> &'static str {
        match self {
            Scale::Raw => "raw",
            Scale::ShareOfClean => "share_of_clean",
        }
    }
}

/// Two measures of an experiment's runs against each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scatter {
    /// What the horizontal axis says.
    pub x: String,
    /// What the vertical axis says.
    pub y: String,
    /// The conditions that were asked for, or those under which most runs were measured; absent when none was.
    pub conditions: Option<CorruptionConditions>,
    /// Every set of conditions that some run was measured under, most runs first.
    pub known_conditions: Vec<CorruptionConditions>,
    /// The conditions of attacks that were asked for, or those under which most runs were attacked.
    #[serde(default)]
    pub attack_conditions: Option<AttackConditions>,
    /// Every set of conditions that some run was attacked under, most runs first.
    #[serde(default)]
    pub known_attack_conditions: Vec<AttackConditions>,
    /// Every attack that some run was tested with under the conditions.
    #[serde(default)]
    pub known_attacks: Vec<Attack>,
    /// One point a run.
    pub points: Vec<ScatterPoint>,
    /// Means over the seeds of each alpha, in order of alpha.
    pub alphas: Vec<ScatterMean>,
    /// Trained runs that are not shown, because they lack a measurement that the others have.
    pub incomplete_runs: u32,
    /// Corruptions and severities that a mean is over; 1 where one of each is chosen, 0 without conditions.
    pub averaged_over: u32,
    /// Images that each run's horizontal value is over; absent while there is none.
    #[serde(default)]
    pub x_images: Option<u32>,
    /// Images that each run's vertical value is over.
    #[serde(default)]
    pub y_images: Option<u32>,
    /// How the intervals are made, in a sentence.
    pub interval_method: String,
}

/// One run in a [`Scatter`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScatterPoint {
    /// The run.
    pub run_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Horizontal value.
    pub x: f64,
    /// Vertical value.
    pub y: f64,
}

/// The runs of one alpha in a [`Scatter`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScatterMean {
    /// Regulariser strength.
    pub alpha: f64,
    /// Mean of the horizontal values.
    pub x: Mean,
    /// Mean of the vertical values.
    pub y: Mean,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a measure is written otherwise than it is read, or a wrong one is taken.
    #[test]
    fn measures_are_read_as_they_are_written() {
        let corruption = |corruption, severity| Measure::Corruption {
            corruption,
            severity,
        };
        for measure in [
            Measure::Selectivity,
            Measure::TestAccuracy,
            Measure::Attack(Attack::pgd(8.0, 0.5, 40)),
            Measure::Layers {
                range: LayerRange::Early,
                measure: LayerMeasure::CvAcrossUnits,
            },
            corruption(None, None),
            corruption(Some(Corruption::JpegCompression), Some(3)),
        ] {
            assert_eq!(measure.to_string().parse(), Ok(measure));
        }
        assert_eq!(
            corruption(Some(Corruption::JpegCompression), Some(3)).label(),
            "Accuracy under JPEG compression, severity 3"
        );
        for wrong in [
            "",
            "corruption",
            "corruption:fog",
            "corruption:fog:6",
            "corruption:fog:1:2",
        ] {
            assert!(wrong.parse::<Measure>().is_err(), "{wrong}");
        }
    }
}
