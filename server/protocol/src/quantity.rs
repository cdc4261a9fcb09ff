//! The numbers of a trained run, by name: what figures show, what groups are compared in, what is exported.
//!
//! A [`Quantity`] has one text form, for addresses and exports (`Display` and `FromStr`), and says itself what it is
//! called, its [`Unit`], its range, whether it can be shown as a share of clean accuracy, and what [`Conditions`] it is
//! measured under. Labels are made from it and never read back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::corruption::{Corruption, SEVERITIES};
use crate::dimensionality::{ActivationMatrix, DimensionStatistic, Perturbation};
use crate::named::named;

/// One number of a trained run.
///
/// Written `selectivity`, `test_accuracy`, `corruption:<corruption or all>:<severity or all>`,
/// `attack:<attack>`, the attack as [`Attack`] is written, or `layers:<all or early>:<quantity>`, the quantity as
/// [`LayerQuantity`] is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
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
        quantity: LayerQuantity,
    },
}

/// One number of each layer of a trained run.
///
/// Written `selectivity`, `cv_across_samples`, `cv_across_units`, `gradient_norm`, or
/// `dimensionality:<responses or activations>:<90, 95, 99 or participation>:<perturbations>`; the perturbations are `clean`,
/// `corruption:<corruption or all>:<severity or all>` or `attack:<attack>`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LayerQuantity {
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

/// What a value is counted in, and how it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share of images, shown in per cent.
    Share,
    /// An index or fraction from 0 to 1, shown as it is.
    Index,
    /// A coefficient of variation: no unit.
    Variation,
    /// The norm of a gradient: a unit's response per unit of pixel value.
    ResponsePerPixelValue,
}

impl Unit {
    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Unit::Share => "share",
            Unit::Index => "0 to 1",
            Unit::Variation => "no unit",
            Unit::ResponsePerPixelValue => "response per unit of pixel value",
        }
    }
}

/// Which of an evaluation's conditions a quantity is measured under: only numbers under the same ones compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conditions {
    /// The whole clean test set.
    TestSet,
    /// Those of a test on corruptions.
    Corruptions,
    /// Those of a test with attacks.
    Attacks,
    /// Those of a measurement of dimensionality.
    Dimensionality,
    /// The number of images that gradients were taken on.
    Gradients,
}

named! {
    /// How an accuracy under perturbation is shown. Clean accuracy moves with alpha too, so each robustness
    /// claim is shown both ways.
    #[derive(Default)]
    pub enum Scale {
        /// As it is.
        #[default]
        Raw = "raw",
        /// As a share of the same network's accuracy on the same images, clean.
        ShareOfClean = "share_of_clean",
    }
}

/// What an axis says: a name, what is chosen of it, and the unit of its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Axis {
    /// What the values are, for example `Adversarial accuracy`.
    pub name: String,
    /// What is chosen of it, in the order in which it is said: budget, severity, layers. Each is short enough for a line.
    pub details: Vec<String>,
    /// Whether the values are shares of clean accuracy.
    pub share_of_clean: bool,
    /// The unit of the values.
    pub unit: Unit,
}

impl Axis {
    /// One with a name, without details.
    pub fn new(name: impl Into<String>, unit: Unit) -> Axis {
        Axis {
            name: name.into(),
            details: Vec::new(),
            share_of_clean: false,
            unit,
        }
    }

    /// With one more detail.
    pub fn with(mut self, detail: impl Into<String>) -> Axis {
        self.details.push(detail.into());
        self
    }

    /// In `scale`; what is no accuracy under perturbation must stay as it is.
    pub fn on(mut self, scale: Scale) -> Axis {
        self.share_of_clean = scale == Scale::ShareOfClean;
        self
    }

    /// All of it on one line, without the unit.
    pub fn label(&self) -> String {
        let mut label = self.name.clone();
        for detail in &self.details {
            label += &format!(", {detail}");
        }
        if self.share_of_clean {
            label += ", share of clean";
        }
        label
    }
}

impl Quantity {
    /// Mean accuracy over all corruptions and severities.
    pub const CORRUPTIONS: Quantity = Quantity::Corruption {
        corruption: None,
        severity: None,
    };

    /// What its axis says.
    pub fn axis(self) -> Axis {
        let unit = self.unit();
        match self {
            Quantity::Selectivity => Axis::new("Network selectivity", unit),
            Quantity::TestAccuracy => Axis::new("Clean test accuracy", unit),
            Quantity::Layers { range, quantity } => quantity.axis().with(range.label()),
            Quantity::Attack(attack) => Axis {
                details: attack.details(),
                ..Axis::new("Adversarial accuracy", unit)
            },
            Quantity::Corruption {
                corruption,
                severity,
            } => {
                let name = match corruption {
                    Some(corruption) => format!("Accuracy under {}", corruption.in_sentence()),
                    None => "Corruption accuracy".to_owned(),
                };
                Axis::new(name, unit).with(match severity {
                    Some(severity) => format!("severity {severity}"),
                    None => "mean of severities".to_owned(),
                })
            }
        }
    }

    /// What a person calls it, on one line.
    pub fn label(self) -> String {
        self.axis().label()
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            Quantity::Selectivity => Unit::Index,
            Quantity::TestAccuracy | Quantity::Corruption { .. } | Quantity::Attack(_) => {
                Unit::Share
            }
            Quantity::Layers { quantity, .. } => quantity.unit(),
        }
    }

    /// The least value that it can have, and the greatest; absent where there is none. A share of clean accuracy has
    /// no greatest one.
    pub fn range(self, scale: Scale) -> (f64, Option<f64>) {
        let bounded = matches!(self.unit(), Unit::Share | Unit::Index);
        let share = self.can_be_share_of_clean() && scale == Scale::ShareOfClean;
        (0.0, (bounded && !share).then_some(1.0))
    }

    /// Whether it can be shown as a share of clean accuracy: it is an accuracy under perturbation.
    pub fn can_be_share_of_clean(self) -> bool {
        matches!(self, Quantity::Corruption { .. } | Quantity::Attack(_))
    }

    /// What its axis says in `scale`, which counts only where it can be a share of clean accuracy.
    pub fn axis_on(self, scale: Scale) -> Axis {
        match self.can_be_share_of_clean() {
            true => self.axis().on(scale),
            false => self.axis(),
        }
    }

    /// What it is measured under.
    pub fn conditions(self) -> Conditions {
        match self {
            Quantity::Selectivity | Quantity::TestAccuracy => Conditions::TestSet,
            Quantity::Corruption { .. } => Conditions::Corruptions,
            Quantity::Attack(_) => Conditions::Attacks,
            Quantity::Layers { quantity, .. } => quantity.conditions(),
        }
    }

    /// Whether a corruption at a severity belongs to it.
    pub fn covers(self, corruption: Corruption, severity: u8) -> bool {
        match self {
            Quantity::Corruption {
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

impl LayerQuantity {
    /// Dimensionality as Leavitt & Morcos (2020) count it: of unit responses, for 95 % of the variance.
    pub fn dimensionality(perturbations: Perturbations) -> LayerQuantity {
        LayerQuantity::Dimensionality {
            matrix: ActivationMatrix::Responses,
            statistic: DimensionStatistic::Fraction95,
            perturbations,
        }
    }

    /// What its axis says.
    pub fn axis(self) -> Axis {
        let unit = self.unit();
        match self {
            LayerQuantity::Selectivity => Axis::new("Selectivity index", unit),
            LayerQuantity::CvAcrossSamples => {
                Axis::new("Gradient variability across samples", unit).with("CV_u")
            }
            LayerQuantity::CvAcrossUnits => {
                Axis::new("Gradient variability across units", unit).with("CV_l")
            }
            LayerQuantity::GradientNorm => Axis::new("Input-unit gradient norm", unit),
            LayerQuantity::Dimensionality {
                matrix,
                statistic,
                perturbations,
            } => {
                let name = match perturbations {
                    Perturbations::Clean => "Dimension fraction",
                    _ => "Dimension fraction of the difference",
                };
                let counted = format!(
                    "{} ({}, {})",
                    perturbations.label(),
                    statistic.label(),
                    matrix.label()
                );
                Axis::new(name, unit).with(counted)
            }
        }
    }

    /// What a person calls it, on one line.
    pub fn label(self) -> String {
        self.axis().label()
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            LayerQuantity::Selectivity | LayerQuantity::Dimensionality { .. } => Unit::Index,
            LayerQuantity::CvAcrossSamples | LayerQuantity::CvAcrossUnits => Unit::Variation,
            LayerQuantity::GradientNorm => Unit::ResponsePerPixelValue,
        }
    }

    /// What it is measured under.
    pub fn conditions(self) -> Conditions {
        match self {
            LayerQuantity::Selectivity => Conditions::TestSet,
            LayerQuantity::CvAcrossSamples
            | LayerQuantity::CvAcrossUnits
            | LayerQuantity::GradientNorm => Conditions::Gradients,
            LayerQuantity::Dimensionality { .. } => Conditions::Dimensionality,
        }
    }
}

impl Perturbations {
    /// Every corruption at every severity.
    pub const CORRUPTIONS: Perturbations = Perturbations::Corruption {
        corruption: None,
        severity: None,
    };

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
                    corruption.map_or_else(|| "all corruptions".into(), Corruption::in_sentence);
                match severity {
                    Some(severity) => format!("{corruption}, severity {severity}"),
                    None => format!("{corruption}, all severities"),
                }
            }
        }
    }
}

named! {
    /// Which layers a mean is over.
    pub enum LayerRange {
        /// Every layer.
        All = "all" => "mean of layers",
        /// The first third, rounded up (choice: Leavitt & Morcos (2020) say "early" without a number).
        Early = "early" => "mean of the first third of layers",
    }
}

impl LayerRange {
    /// How many of `layers` layers, from the first.
    pub fn count(self, layers: usize) -> usize {
        match self {
            LayerRange::All => layers,
            LayerRange::Early => layers.div_ceil(3),
        }
    }
}

/// `<corruption or all>:<severity or all>`.
fn write_corruption(
    f: &mut fmt::Formatter<'_>,
    corruption: Option<Corruption>,
    severity: Option<u8>,
) -> fmt::Result {
    write!(
        f,
        "corruption:{}:",
        corruption.map_or("all", Corruption::id)
    )?;
    match severity {
        Some(severity) => write!(f, "{severity}"),
        None => f.write_str("all"),
    }
}

/// The same read back.
fn read_corruption(text: &str) -> Option<(Option<Corruption>, Option<u8>)> {
    let (corruption, severity) = text.split_once(':')?;
    let corruption = match corruption {
        "all" => None,
        id => Some(id.parse().ok()?),
    };
    let severity = match severity {
        "all" => None,
        number => Some(number.parse().ok().filter(|s| SEVERITIES.contains(s))?),
    };
    Some((corruption, severity))
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Quantity::Selectivity => f.write_str("selectivity"),
            Quantity::TestAccuracy => f.write_str("test_accuracy"),
            Quantity::Corruption {
                corruption,
                severity,
            } => write_corruption(f, corruption, severity),
            Quantity::Attack(attack) => write!(f, "attack:{attack}"),
            Quantity::Layers { range, quantity } => write!(f, "layers:{}:{quantity}", range.id()),
        }
    }
}

impl fmt::Display for Perturbations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Perturbations::Clean => f.write_str("clean"),
            Perturbations::Attack(attack) => write!(f, "attack:{attack}"),
            Perturbations::Corruption {
                corruption,
                severity,
            } => write_corruption(f, corruption, severity),
        }
    }
}

impl fmt::Display for LayerQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerQuantity::Selectivity => f.write_str("selectivity"),
            LayerQuantity::CvAcrossSamples => f.write_str("cv_across_samples"),
            LayerQuantity::CvAcrossUnits => f.write_str("cv_across_units"),
            LayerQuantity::GradientNorm => f.write_str("gradient_norm"),
            LayerQuantity::Dimensionality {
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

/// A text names no quantity of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a measure; write selectivity, test_accuracy, corruption:<corruption or all>:<severity or all>, attack:<attack>, or layers:<all or early>:<measure of layers>, for example attack:fgsm:linf:2/255 or layers:early:dimensionality:responses:95:clean"
)]
pub struct UnknownQuantity(pub String);

impl FromStr for Quantity {
    type Err = UnknownQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || match text.split_once(':') {
            None if text == "selectivity" => Some(Quantity::Selectivity),
            None if text == "test_accuracy" => Some(Quantity::TestAccuracy),
            Some(("attack", attack)) => Some(Quantity::Attack(attack.parse().ok()?)),
            Some(("corruption", rest)) => {
                let (corruption, severity) = read_corruption(rest)?;
                Some(Quantity::Corruption {
                    corruption,
                    severity,
                })
            }
            Some(("layers", rest)) => {
                let (range, quantity) = rest.split_once(':')?;
                Some(Quantity::Layers {
                    range: LayerRange::from_id(range)?,
                    quantity: quantity.parse().ok()?,
                })
            }
            _ => None,
        };
        parse().ok_or_else(|| UnknownQuantity(text.to_owned()))
    }
}

/// A text names no quantity of layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a measure of layers; write selectivity, cv_across_samples, cv_across_units, gradient_norm, or dimensionality:<responses or activations>:<90, 95, 99 or participation>:<perturbations>, for example dimensionality:responses:95:corruption:all:all"
)]
pub struct UnknownLayerQuantity(pub String);

impl FromStr for LayerQuantity {
    type Err = UnknownLayerQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || match text {
            "selectivity" => Some(LayerQuantity::Selectivity),
            "cv_across_samples" => Some(LayerQuantity::CvAcrossSamples),
            "cv_across_units" => Some(LayerQuantity::CvAcrossUnits),
            "gradient_norm" => Some(LayerQuantity::GradientNorm),
            _ => {
                let mut parts = text.strip_prefix("dimensionality:")?.splitn(3, ':');
                let matrix = parts.next()?;
                let statistic = parts.next()?;
                Some(LayerQuantity::Dimensionality {
                    matrix: ActivationMatrix::from_id(matrix)?,
                    statistic: DimensionStatistic::ALL
                        .into_iter()
                        .find(|known| known.id() == statistic)?,
                    perturbations: read_perturbations(parts.next()?)?,
                })
            }
        };
        parse().ok_or_else(|| UnknownLayerQuantity(text.to_owned()))
    }
}

fn read_perturbations(text: &str) -> Option<Perturbations> {
    if text == "clean" {
        return Some(Perturbations::Clean);
    }
    match text.split_once(':')? {
        ("attack", attack) => Some(Perturbations::Attack(attack.parse().ok()?)),
        ("corruption", rest) => {
            let (corruption, severity) = read_corruption(rest)?;
            Some(Perturbations::Corruption {
                corruption,
                severity,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of quantity.
    fn some() -> Vec<Quantity> {
        let corruption = |corruption, severity| Quantity::Corruption {
            corruption,
            severity,
        };
        let fog = Perturbations::Corruption {
            corruption: Some(Corruption::Fog),
            severity: None,
        };
        let of_layers = [
            LayerQuantity::Selectivity,
            LayerQuantity::CvAcrossSamples,
            LayerQuantity::CvAcrossUnits,
            LayerQuantity::GradientNorm,
            LayerQuantity::dimensionality(Perturbations::Clean),
            LayerQuantity::dimensionality(fog),
            LayerQuantity::Dimensionality {
                matrix: ActivationMatrix::Activations,
                statistic: DimensionStatistic::Participation,
                perturbations: Perturbations::Attack(Attack::pgd(8.0, 0.5, 40)),
            },
        ];
        let mut all = vec![
            Quantity::Selectivity,
            Quantity::TestAccuracy,
            Quantity::Attack(Attack::pgd(8.0, 0.5, 40)),
            Quantity::CORRUPTIONS,
            corruption(Some(Corruption::JpegCompression), Some(3)),
            corruption(None, Some(5)),
        ];
        for quantity in of_layers {
            for range in [LayerRange::All, LayerRange::Early] {
                all.push(Quantity::Layers { range, quantity });
            }
        }
        all
    }

    /// Breaks when a quantity is written otherwise than it is read, or a wrong one is taken.
    #[test]
    fn quantities_are_read_as_they_are_written() {
        for quantity in some() {
            assert_eq!(quantity.to_string().parse(), Ok(quantity));
            if let Quantity::Layers { quantity, .. } = quantity {
                assert_eq!(quantity.to_string().parse(), Ok(quantity));
            }
        }
        for wrong in [
            "",
            "selectivity:all",
            "corruption",
            "corruption:fog",
            "corruption:fog:6",
            "corruption:fog:1:2",
            "attack:pgd",
            "layers:all",
            "layers:late:cv_across_units",
        ] {
            assert!(wrong.parse::<Quantity>().is_err(), "{wrong}");
        }
        for wrong in [
            "",
            "dimensionality",
            "dimensionality:responses:95",
            "dimensionality:maps:95:clean",
            "dimensionality:responses:94:clean",
            "dimensionality:responses:95:corruption:fog",
        ] {
            assert!(wrong.parse::<LayerQuantity>().is_err(), "{wrong}");
        }
    }

    /// Breaks when two quantities are called the same, a name loses its capitals, or one is given another unit.
    #[test]
    fn labels_and_units_are_made_from_the_quantity() {
        let jpeg = Quantity::Corruption {
            corruption: Some(Corruption::JpegCompression),
            severity: Some(3),
        };
        assert_eq!(jpeg.label(), "Accuracy under JPEG compression, severity 3");
        assert_eq!(
            Quantity::Attack(Attack::pgd(8.0, 0.5, 40))
                .axis_on(Scale::ShareOfClean)
                .label(),
            "Adversarial accuracy, PGD L∞ ε 8/255, step 0.5/255, 40 steps, share of clean"
        );
        let labels: std::collections::BTreeSet<String> = some().iter().map(|q| q.label()).collect();
        assert_eq!(labels.len(), some().len());
        for quantity in some() {
            let (least, greatest) = quantity.range(Scale::Raw);
            let bounded = matches!(quantity.unit(), Unit::Share | Unit::Index);
            assert_eq!(
                (least, greatest),
                (0.0, bounded.then_some(1.0)),
                "{quantity}"
            );
            // What is no accuracy under perturbation has no share.
            let on = quantity.axis_on(Scale::ShareOfClean);
            assert_eq!(on.share_of_clean, quantity.can_be_share_of_clean());
            assert_eq!(on.unit == Unit::Share, quantity.unit() == Unit::Share);
        }
        assert_eq!(jpeg.range(Scale::ShareOfClean).1, None);
        assert_eq!(jpeg.conditions(), Conditions::Corruptions);
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
