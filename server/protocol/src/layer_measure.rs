//! The numbers of a run that have one value a layer, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::api::Mean;
use crate::attack::Attack;
use crate::corruption::{Corruption, SEVERITIES};
use crate::dimensionality::{ActivationMatrix, DimensionStatistic, Perturbation};
use crate::evaluation::CorruptionConditions;

/// One number of each layer of a trained run.
///
/// Written `selectivity`, `cv_across_samples`, `cv_across_units`, `gradient_norm`, or
/// `dimensionality:<responses or activations>:<90, 95, 99 or participation>:<perturbations>`; the perturbations are `clean`,
/// `corruption:<corruption or all>:<severity or all>` or `attack:<attack>`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LayerMeasure {
    /// Mean selectivity of the layer's units on the clean test set.
    Selectivity,
    /// Mean over units of CV_u, the variability of input-unit gradients across samples.
    CvAcrossSamples,
    /// CV_l, the variability of input-unit gradients across units.
    CvAcrossUnits,
    /// Mean norm of input-unit gradients.
    GradientNorm,
    /// Dimensionality as a share of the columns.
    Dimensionality {
        /// What the columns are.
        matrix: ActivationMatrix,
        /// How dimensions are counted.
        statistic: DimensionStatistic,
        /// Clean activations, or the difference that these make; the mean over several.
        perturbations: Perturbations,
    },
}

/// One perturbation, or several that are averaged over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Perturbations {
    /// None: clean.
    Clean,
    /// Corruptions: the mean over what is left open.
    Corruption {
        /// One corruption; all of them when absent.
        corruption: Option<Corruption>,
        /// One severity; all of them when absent.
        severity: Option<u8>,
    },
    /// An attack.
    Attack(Attack),
}

impl Perturbations {
    /// Whether `perturbation` is among them.
    pub fn covers(self, perturbation: Perturbation) -> bool {
        match (self, perturbation) {
            (Perturbations::Clean, Perturbation::Clean) => true,
            (
                Perturbations::Corruption {
                    corruption,
                    severity,
                },
                Perturbation::Corruption {
                    corruption: of,
                    severity: at,
                },
            ) => {
                corruption.is_none_or(|corruption| corruption == of)
                    && severity.is_none_or(|severity| severity == at)
            }
            (Perturbations::Attack(attack), Perturbation::Attack(by)) => attack == by,
            _ => false,
        }
    }

    /// What a person calls them.
    pub fn label(self) -> String {
        match self {
            Perturbations::Clean => "clean".into(),
            Perturbations::Attack(attack) => attack.label(),
            Perturbations::Corruption {
                corruption,
                severity,
            } => {
                let corruption =
                    corruption.map_or("all corruptions".into(), |one| one.label().to_lowercase());
                match severity {
                    Some(severity) => format!("{corruption}, severity {severity}"),
                    None => format!("{corruption}, all severities"),
                }
                .replace("jpeg", "JPEG")
            }
        }
    }
}

impl LayerMeasure {
    /// The source's dimensionality of `perturbations`: of unit responses, for 95 % of the variance.
    pub fn dimensionality(perturbations: Perturbations) -> LayerMeasure {
        LayerMeasure::Dimensionality {
            matrix: ActivationMatrix::Responses,
            statistic: DimensionStatistic::Fraction95,
            perturbations,
        }
    }

    /// What a person calls it, for an axis, with its unit.
    pub fn label(self) -> String {
        match self {
            LayerMeasure::Selectivity => "Selectivity index".into(),
            LayerMeasure::CvAcrossSamples => "Gradient variability across samples, CV_u".into(),
            LayerMeasure::CvAcrossUnits => "Gradient variability across units, CV_l".into(),
            LayerMeasure::GradientNorm => "Input-unit gradient norm".into(),
            LayerMeasure::Dimensionality {
                matrix,
                statistic,
                perturbations,
            } => {
                let what = match perturbations {
                    Perturbations::Clean => "Dimension fraction, clean".to_owned(),
                    other => format!("Dimension fraction of the difference, {}", other.label()),
                };
                format!("{what} ({}, {})", statistic.label(), matrix.label())
            }
        }
    }
}

impl fmt::Display for Perturbations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Perturbations::Clean => f.write_str("clean"),
            Perturbations::Attack(attack) => write!(f, "attack:{attack}"),
            Perturbations::Corruption {
                corruption,
                severity,
            } => {
                let severity = severity.map_or("all".into(), |severity| severity.to_string());
                let corruption = corruption.map_or("all", Corruption::id);
                write!(f, "corruption:{corruption}:{severity}")
            }
        }
    }
}

impl fmt::Display for LayerMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerMeasure::Selectivity => f.write_str("selectivity"),
            LayerMeasure::CvAcrossSamples => f.write_str("cv_across_samples"),
            LayerMeasure::CvAcrossUnits => f.write_str("cv_across_units"),
            LayerMeasure::GradientNorm => f.write_str("gradient_norm"),
            LayerMeasure::Dimensionality {
                matrix,
                statistic,
                perturbations,
            } => write!(
                f,
                "dimensionality:{}:{}:{perturbations}",
                matrix.id(),
                statistic.id()
            ),
        }
    }
}

/// A text names no measure of layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no measure of layers; write selectivity, cv_across_samples, cv_across_units, gradient_norm, or dimensionality:<responses or activations>:<90, 95, 99 or participation>:<perturbations>, for example dimensionality:responses:95:corruption:all:all"
)]
pub struct UnknownLayerMeasure(pub String);

impl FromStr for LayerMeasure {
    type Err = UnknownLayerMeasure;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || match text {
            "selectivity" => Some(LayerMeasure::Selectivity),
            "cv_across_samples" => Some(LayerMeasure::CvAcrossSamples),
            "cv_across_units" => Some(LayerMeasure::CvAcrossUnits),
            "gradient_norm" => Some(LayerMeasure::GradientNorm),
            _ => {
                let mut parts = text.strip_prefix("dimensionality:")?.splitn(3, ':');
                let matrix = parts.next()?;
                let statistic = parts.next()?;
                Some(LayerMeasure::Dimensionality {
                    matrix: [ActivationMatrix::Responses, ActivationMatrix::Activations]
                        .into_iter()
                        .find(|known| known.id() == matrix)?,
                    statistic: DimensionStatistic::ALL
                        .into_iter()
                        .find(|known| known.id() == statistic)?,
                    perturbations: perturbations(parts.next()?)?,
                })
            }
        };
        parse().ok_or_else(|| UnknownLayerMeasure(text.to_owned()))
    }
}

fn perturbations(text: &str) -> Option<Perturbations> {
    if text == "clean" {
        return Some(Perturbations::Clean);
    }
    match text.split_once(':')? {
        ("attack", attack) => Some(Perturbations::Attack(attack.parse().ok()?)),
        ("corruption", rest) => {
            let (corruption, severity) = rest.split_once(':')?;
            Some(Perturbations::Corruption {
                corruption: match corruption {
                    "all" => None,
                    id => Some(id.parse().ok()?),
                },
                severity: match severity {
                    "all" => None,
                    number => Some(number.parse().ok().filter(|s| SEVERITIES.contains(s))?),
                },
            })
        }
        _ => None,
    }
}

/// Which layers a mean is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LayerRange {
    /// Every layer.
    All,
    /// The first third, rounded up (choice: the source says "early" without a number).
    Early,
}

impl LayerRange {
    /// The name in queries.
    pub fn id(self) -> &'static str {
        match self {
            LayerRange::All => "all",
            LayerRange::Early => "early",
        }
    }

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            LayerRange::All => "mean of layers",
            LayerRange::Early => "mean of the first third of layers",
        }
    }

    /// How many of `layers` layers, from the first.
    pub fn count(self, layers: usize) -> usize {
        match self {
            LayerRange::All => layers,
            LayerRange::Early => layers.div_ceil(3),
        }
    }
}

/// A measure of layers, aggregated over the seeds of every alpha of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerProfiles {
    /// What the vertical axis says.
    pub label: String,
    /// Layer names in forward order; empty while nothing was measured.
    pub layers: Vec<String>,
    /// One profile an alpha, in order of alpha.
    pub alphas: Vec<AlphaProfile>,
    /// Images that each run's value is over; absent while nothing was measured.
    pub images: Option<u32>,
    /// The conditions under which dimensionality was measured that are shown; absent for other measures.
    pub conditions: Option<CorruptionConditions>,
    /// Every set of conditions under which some run's dimensionality was measured, most runs first.
    #[serde(default)]
    pub known_conditions: Vec<CorruptionConditions>,
    /// Attacks that dimensionality was measured under in some run.
    pub known_attacks: Vec<Attack>,
    /// Whether some run has dimensionality of full activations.
    pub has_activations: bool,
    /// Trained runs that are not shown, because they lack the measurement.
    pub incomplete_runs: u32,
    /// How the intervals are made, in a sentence.
    pub interval_method: String,
}

/// One alpha's profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlphaProfile {
    /// Regulariser strength.
    pub alpha: f64,
    /// A mean over seeds for each layer; absent where no run has a value there.
    pub layers: Vec<Option<Mean>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a measure is written otherwise than it is read, or a wrong one is taken.
    #[test]
    fn measures_are_read_as_they_are_written() {
        let some = Perturbations::Corruption {
            corruption: Some(Corruption::Fog),
            severity: None,
        };
        for measure in [
            LayerMeasure::Selectivity,
            LayerMeasure::CvAcrossSamples,
            LayerMeasure::CvAcrossUnits,
            LayerMeasure::GradientNorm,
            LayerMeasure::dimensionality(Perturbations::Clean),
            LayerMeasure::dimensionality(some),
            LayerMeasure::Dimensionality {
                matrix: ActivationMatrix::Activations,
                statistic: DimensionStatistic::Participation,
                perturbations: Perturbations::Attack(Attack::pgd(8.0, 0.5, 40)),
            },
        ] {
            assert_eq!(measure.to_string().parse(), Ok(measure));
        }
        for wrong in [
            "",
            "dimensionality",
            "dimensionality:responses:95",
            "dimensionality:maps:95:clean",
            "dimensionality:responses:94:clean",
            "dimensionality:responses:95:corruption:fog",
        ] {
            assert!(wrong.parse::<LayerMeasure>().is_err(), "{wrong}");
        }
    }

    /// Breaks when a mean over corruptions takes in an attack or the clean images.
    #[test]
    fn selections_cover_what_they_name() {
        let all = Perturbations::Corruption {
            corruption: None,
            severity: Some(3),
        };
        let fog = |severity| Perturbation::Corruption {
            corruption: Corruption::Fog,
            severity,
        };
        assert!(all.covers(fog(3)));
        assert!(!all.covers(fog(2)));
        assert!(!all.covers(Perturbation::Clean));
        assert!(!all.covers(Perturbation::Attack(Attack::fgsm(1.0))));
        assert_eq!(LayerRange::Early.count(19), 7);
    }
}
