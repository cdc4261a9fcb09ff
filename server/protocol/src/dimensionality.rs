//! How many dimensions a layer's activations use, and their change under perturbation (method, "Dimensionality").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::corruption::{Corruption, JpegStep, SEVERITIES};
use crate::corruption_evaluation::{CorruptionConditions, CorruptionSource, CorruptionSpec};
use crate::field_error::{Checks, FieldError};
use crate::named::named;

/// Most images that [`DimensionalitySpec::activation_images`] takes: memory grows with their square.
pub const MAXIMUM_ACTIVATION_IMAGES: u32 = 2000;

/// A measurement of dimensionality: of clean activations, and of the difference that each perturbation makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DimensionalitySpec {
    /// Where corrupted images come from.
    pub source: CorruptionSource,
    /// The corruptions, no repeats; may be empty.
    pub corruptions: Vec<Corruption>,
    /// Severities, 1 to 5, no repeats; empty only where there is no corruption.
    pub severities: Vec<u8>,
    /// Attacks, no repeats: FGSM, or PGD from the clean image; may be empty.
    pub attacks: Vec<Attack>,
    /// Test images, of every class its share; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<u32>,
    /// Test images on which the same is measured of full activation maps, not averaged over space; not at all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_images: Option<u32>,
    /// Seed of generated corruptions.
    #[serde(default)]
    pub corruption_seed: u64,
    /// As [`CorruptionSpec::jpeg`].
    #[serde(default)]
    pub jpeg: JpegStep,
    /// As [`CorruptionSpec::frost_photographs`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frost_photographs: Option<String>,
}

impl DimensionalitySpec {
    /// The source's: every corruption at every severity, and PGD with 40 steps.
    pub fn source(images: Option<u32>) -> DimensionalitySpec {
        DimensionalitySpec {
            source: CorruptionSource::Generated,
            corruptions: Corruption::ALL.to_vec(),
            severities: SEVERITIES.to_vec(),
            attacks: vec![Attack::pgd(8.0, 0.5, 40)],
            images,
            activation_images: None,
            corruption_seed: 0,
            jpeg: JpegStep::AsPublished,
            frost_photographs: None,
        }
    }

    /// The corrupted images it is measured on, as a test on them would ask for them.
    pub fn corrupted(&self) -> CorruptionSpec {
        CorruptionSpec {
            source: self.source,
            corruptions: self.corruptions.clone(),
            severities: self.severities.clone(),
            images: self.images,
            corruption_seed: self.corruption_seed,
            jpeg: self.jpeg,
            frost_photographs: self.frost_photographs.clone(),
        }
    }

    /// The conditions of unit responses on a test set of `test_images`, as far as the spec alone says them.
    pub fn conditions(&self, test_images: u32) -> CorruptionConditions {
        self.corrupted().conditions(test_images)
    }

    /// The conditions of full activations on a test set of `test_images`; none when they are not asked for.
    pub fn activation_conditions(&self, test_images: u32) -> Option<CorruptionConditions> {
        Some(CorruptionConditions {
            images: self.activation_images?.min(test_images),
            ..self.conditions(test_images)
        })
    }

    /// What is measured, clean first.
    pub fn perturbations(&self) -> Vec<Perturbation> {
        let corruptions = self.corruptions.iter().flat_map(|&corruption| {
            self.severities
                .iter()
                .map(move |&severity| Perturbation::Corruption {
                    corruption,
                    severity,
                })
        });
        std::iter::once(Perturbation::Clean)
            .chain(corruptions)
            .chain(self.attacks.iter().copied().map(Perturbation::Attack))
            .collect()
    }

    /// Forward passes through the network, in images, for time estimates.
    pub fn forward_images(&self, test_images: u32) -> u64 {
        let passes: u64 = self
            .perturbations()
            .into_iter()
            .map(|perturbation| match perturbation {
                Perturbation::Attack(attack) => 1 + attack.forward_passes(),
                _ => 1,
            })
            .sum();
        let images = u64::from(self.conditions(test_images).images);
        let full = self
            .activation_conditions(test_images)
            .map_or(0, |conditions| {
                let images = u64::from(conditions.images);
                // Clean maps come along with every perturbed one, and products of all pairs of images cost, as
                // measured with ResNet20, a forward pass for every 20 images.
                let perturbations = self.perturbations().len() as u64;
                images * (passes + perturbations * (1 + images / 20))
            });
        images * passes + full
    }

    /// Everything wrong with it by itself, with fields named `evaluation.dimensionality.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut checks = Checks::new("evaluation.dimensionality.");
        self.corrupted().check_corrupted_images(&mut checks);
        checks.require(
            !self.severities.is_empty() || self.corruptions.is_empty(),
            "severities",
            "choose at least one severity",
        );
        checks.require(
            self.attacks.len() <= 20,
            "attacks",
            format!("{} attacks; at most 20 are allowed", self.attacks.len()),
        );
        for attack in self.attacks.iter().take(20) {
            for problem in attack.problems() {
                checks.refuse("attacks", problem);
            }
            checks.require(
                attack.is_single_path(),
                "attacks",
                format!(
                    "{}: only FGSM and PGD from the clean image give every image a difference",
                    attack.label()
                ),
            );
        }
        checks.without_repeats("attacks", &self.attacks, |attack| attack.label());
        checks.require(
            self.images.is_none_or(|images| images >= 2),
            "images",
            "give at least 2 (one image has no variance), or leave it empty for the whole test set",
        );
        if let Some(images) = self.activation_images {
            checks.require(
                (2..=MAXIMUM_ACTIVATION_IMAGES).contains(&images),
                "activation_images",
                format!(
                    "{images} is not between 2 and {MAXIMUM_ACTIVATION_IMAGES} (memory grows with the square of the number)"
                ),
            );
        }
        checks.errors()
    }
}

/// What was done to images.
///
/// Written `clean`, `corruption:<corruption>:<severity>`, or `attack:<attack>` as [`Attack`] is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Perturbation {
    /// Nothing.
    Clean,
    /// A corruption at a severity, 1 to 5.
    Corruption {
        /// Which.
        corruption: Corruption,
        /// How strong.
        severity: u8,
    },
    /// An attack.
    Attack(Attack),
}

impl Perturbation {
    /// What a person calls it.
    pub fn label(self) -> String {
        match self {
            Perturbation::Clean => "Clean".into(),
            Perturbation::Corruption {
                corruption,
                severity,
            } => format!("{}, severity {severity}", corruption.label()),
            Perturbation::Attack(attack) => attack.label(),
        }
    }
}

impl fmt::Display for Perturbation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Perturbation::Clean => f.write_str("clean"),
            Perturbation::Corruption {
                corruption,
                severity,
            } => write!(f, "corruption:{corruption}:{severity}"),
            Perturbation::Attack(attack) => write!(f, "attack:{attack}"),
        }
    }
}

/// A text names no perturbation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a perturbation; write clean, corruption:<corruption>:<severity>, or attack:<attack>"
)]
pub struct UnknownPerturbation(pub String);

impl FromStr for Perturbation {
    type Err = UnknownPerturbation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || match text.split_once(':') {
            None if text == "clean" => Some(Perturbation::Clean),
            Some(("corruption", rest)) => {
                let (corruption, severity) = rest.split_once(':')?;
                Some(Perturbation::Corruption {
                    corruption: corruption.parse().ok()?,
                    severity: severity.parse().ok().filter(|s| SEVERITIES.contains(s))?,
                })
            }
            Some(("attack", attack)) => Some(Perturbation::Attack(attack.parse().ok()?)),
            _ => None,
        };
        parse().ok_or_else(|| UnknownPerturbation(text.to_owned()))
    }
}

impl TryFrom<String> for Perturbation {
    type Error = UnknownPerturbation;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Perturbation> for String {
    fn from(perturbation: Perturbation) -> String {
        perturbation.to_string()
    }
}

named! {
    /// What a layer's activation matrix has for columns.
    pub enum ActivationMatrix {
        /// The units' responses, maps averaged over space: the source's.
        Responses = "responses" => "unit responses",
        /// Every value of every map.
        Activations = "activations" => "full activations",
    }
}

/// Dimensionality of every layer: of the activations of clean images, or of their difference (clean less
/// perturbed) under a perturbation. Lists hold one value a layer, in forward order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DimensionalityMeasurement {
    /// On how many images; source and seed of corruptions.
    pub conditions: CorruptionConditions,
    /// What the columns are.
    pub matrix: ActivationMatrix,
    /// Clean, or what the difference is made by.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "corruption:fog:3"))]
    pub perturbation: Perturbation,
    /// Columns: units, or units x height x width.
    pub columns: Vec<u32>,
    /// Principal components that explain 90 % of the variance; 0 where nothing varies.
    pub components_90: Vec<u32>,
    /// The same for 95 %, the source's.
    pub components_95: Vec<u32>,
    /// The same for 99 %.
    pub components_99: Vec<u32>,
    /// Participation ratio of the covariance's eigenvalues, (sum)^2 / sum of squares: 1 to the number of columns,
    /// 0 where nothing varies.
    pub participation_ratio: Vec<f64>,
}

/// A way to say how many dimensions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DimensionStatistic {
    /// Components for 90 % of the variance, as a share of the columns.
    #[serde(rename = "90")]
    Fraction90,
    /// Components for 95 %, as a share of the columns: the source's.
    #[serde(rename = "95")]
    Fraction95,
    /// Components for 99 %, as a share of the columns.
    #[serde(rename = "99")]
    Fraction99,
    /// Participation ratio, as a share of the columns.
    #[serde(rename = "participation")]
    Participation,
}

impl DimensionStatistic {
    /// Every one, the source's first.
    pub const ALL: [DimensionStatistic; 4] = [
        DimensionStatistic::Fraction95,
        DimensionStatistic::Fraction90,
        DimensionStatistic::Fraction99,
        DimensionStatistic::Participation,
    ];

    /// The name in queries.
    pub fn id(self) -> &'static str {
        match self {
            DimensionStatistic::Fraction90 => "90",
            DimensionStatistic::Fraction95 => "95",
            DimensionStatistic::Fraction99 => "99",
            DimensionStatistic::Participation => "participation",
        }
    }

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            DimensionStatistic::Fraction90 => "components for 90 % of variance",
            DimensionStatistic::Fraction95 => "components for 95 % of variance",
            DimensionStatistic::Fraction99 => "components for 99 % of variance",
            DimensionStatistic::Participation => "participation ratio",
        }
    }
}

impl DimensionalityMeasurement {
    /// Layer `layer`'s value as a share of its columns, 0 to 1; absent beyond the last layer.
    pub fn fraction(&self, layer: usize, statistic: DimensionStatistic) -> Option<f64> {
        let columns = f64::from(*self.columns.get(layer)?).max(1.0);
        let count = match statistic {
            DimensionStatistic::Fraction90 => f64::from(*self.components_90.get(layer)?),
            DimensionStatistic::Fraction95 => f64::from(*self.components_95.get(layer)?),
            DimensionStatistic::Fraction99 => f64::from(*self.components_99.get(layer)?),
            DimensionStatistic::Participation => *self.participation_ratio.get(layer)?,
        };
        Some(count / columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a perturbation is written otherwise than it is read: measurements would be lost.
    #[test]
    fn perturbations_are_read_as_they_are_written() {
        for perturbation in DimensionalitySpec::source(None).perturbations() {
            assert_eq!(perturbation.to_string().parse(), Ok(perturbation));
        }
        for wrong in [
            "",
            "dirty",
            "clean:1",
            "corruption:fog",
            "corruption:fog:6",
            "attack:pgd",
        ] {
            assert!(wrong.parse::<Perturbation>().is_err(), "{wrong}");
        }
    }

    /// Breaks when a fraction is not of the layer's own columns.
    #[test]
    fn fractions_are_of_the_columns() {
        let measured = DimensionalityMeasurement {
            conditions: DimensionalitySpec::source(Some(10)).conditions(100),
            matrix: ActivationMatrix::Responses,
            perturbation: Perturbation::Clean,
            columns: vec![16, 32],
            components_90: vec![1, 2],
            components_95: vec![4, 16],
            components_99: vec![8, 32],
            participation_ratio: vec![2.0, 8.0],
        };
        assert_eq!(
            measured.fraction(0, DimensionStatistic::Fraction95),
            Some(0.25)
        );
        assert_eq!(
            measured.fraction(1, DimensionStatistic::Participation),
            Some(0.25)
        );
        assert_eq!(measured.fraction(2, DimensionStatistic::Fraction95), None);
    }

    /// Breaks when a wrong value is let through, or blamed on another field.
    #[test]
    fn each_wrong_value_is_refused_under_its_own_field() {
        type Spoil = fn(&mut DimensionalitySpec);
        let spoil: [(&str, Spoil); 9] = [
            ("corruptions", |s| s.corruptions.push(Corruption::Fog)),
            ("severities", |s| s.severities = vec![6]),
            ("severities", |s| s.severities.clear()),
            ("attacks", |s| s.attacks = vec![Attack::auto_attack(1.0)]),
            ("images", |s| s.images = Some(1)),
            ("activation_images", |s| s.activation_images = Some(10_000)),
            ("corruption_seed", |s| s.corruption_seed = u64::MAX),
            ("jpeg", |s| {
                s.source = CorruptionSource::Published;
                s.jpeg = JpegStep::Off;
            }),
            ("frost_photographs", |s| {
                s.frost_photographs = Some("a/b".into());
            }),
        ];
        assert_eq!(DimensionalitySpec::source(None).validate(), []);
        for (field, wrong) in spoil {
            let mut spec = DimensionalitySpec::source(None);
            wrong(&mut spec);
            let fields: Vec<_> = spec.validate().into_iter().map(|e| e.field).collect();
            assert_eq!(fields, [format!("evaluation.dimensionality.{field}")]);
        }
    }
}
