//! What a trained network is tested on besides the clean test images, and under which conditions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Network;
use crate::attack::{AttackMeasurement, AttackSpec, MaskingReport};
use crate::corruption::{Corruption, SEVERITIES};
use crate::dimensionality::{DimensionalityMeasurement, DimensionalitySpec};
use crate::gradient::{InputUnitGradientMeasurement, InputUnitGradientSpec};
use crate::validate::{FieldError, MAXIMUM_SEED};

/// The tests that follow training, or are asked for later. Absent ones are not made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// Average-case robustness: natural corruptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corruptions: Option<CorruptionSpec>,
    /// Worst-case robustness: adversarial attacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attacks: Option<AttackSpec>,
    /// Dimensionality of activations and of their change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensionality: Option<DimensionalitySpec>,
    /// Input-unit gradients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_unit_gradients: Option<InputUnitGradientSpec>,
}

/// Where corrupted images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CorruptionSource {
    /// Drawn by this software from the test images, for any data set.
    Generated,
    /// The published set, CIFAR10-C or Tiny ImageNet-C, read from the data directory.
    Published,
}

impl CorruptionSource {
    /// The name in specs.
    pub fn id(self) -> &'static str {
        match self {
            CorruptionSource::Generated => "generated",
            CorruptionSource::Published => "published",
        }
    }
}

/// A test on natural corruptions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CorruptionSpec {
    /// Where the corrupted images come from.
    pub source: CorruptionSource,
    /// The corruptions; one or more, no repeats.
    pub corruptions: Vec<Corruption>,
    /// Severities, 1 to 5; one or more, no repeats.
    pub severities: Vec<u8>,
    /// Test images that are corrupted, of every class its share; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<u32>,
    /// Seed of generated corruptions: the same for every run of an experiment, so that all meet the same images.
    #[serde(default)]
    pub corruption_seed: u64,
}

impl CorruptionSpec {
    /// Every corruption at every severity, generated with seed 0, on `images` test images.
    pub fn everything(images: Option<u32>) -> CorruptionSpec {
        CorruptionSpec {
            source: CorruptionSource::Generated,
            corruptions: Corruption::ALL.to_vec(),
            severities: SEVERITIES.to_vec(),
            images,
            corruption_seed: 0,
        }
    }

    /// The conditions it is made under on a test set of `test_images`.
    pub fn conditions(&self, test_images: u32) -> CorruptionConditions {
        CorruptionConditions {
            source: self.source,
            corruption_seed: match self.source {
                CorruptionSource::Generated => self.corruption_seed,
                CorruptionSource::Published => 0,
            },
            images: self.images.unwrap_or(test_images).min(test_images),
        }
    }

    /// Forward passes through the network, in images: clean ones and corrupted ones.
    pub fn forward_images(&self, test_images: u32) -> u64 {
        let images = u64::from(self.conditions(test_images).images);
        images * (1 + (self.corruptions.len() * self.severities.len()) as u64)
    }
}

/// Under which conditions a network was tested on corruptions. Only numbers under the same conditions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CorruptionConditions {
    /// Where the corrupted images came from.
    pub source: CorruptionSource,
    /// Seed of generated corruptions; 0 for published ones.
    pub corruption_seed: u64,
    /// Test images that were corrupted.
    pub images: u32,
}

impl CorruptionConditions {
    /// What a person calls them.
    pub fn label(&self) -> String {
        let images = self.images;
        match self.source {
            CorruptionSource::Generated => {
                format!(
                    "generated with seed {}, {images} images",
                    self.corruption_seed
                )
            }
            CorruptionSource::Published => format!("published set, {images} images"),
        }
    }
}

/// Written `generated.0.1000` or `published.0.10000`: source, seed, images.
impl fmt::Display for CorruptionConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.source.id(),
            self.corruption_seed,
            self.images
        )
    }
}

/// A text names no conditions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no conditions; they are written source.seed.images, for example generated.0.1000"
)]
pub struct UnknownConditions(pub String);

impl FromStr for CorruptionConditions {
    type Err = UnknownConditions;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('.');
            let source = match parts.next()? {
                "generated" => CorruptionSource::Generated,
                "published" => CorruptionSource::Published,
                _ => return None,
            };
            let corruption_seed = parts.next()?.parse().ok()?;
            let images = parts.next()?.parse().ok()?;
            parts.next().is_none().then_some(CorruptionConditions {
                source,
                corruption_seed,
                images,
            })
        };
        parse().ok_or_else(|| UnknownConditions(text.to_owned()))
    }
}

impl EvaluationSpec {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == EvaluationSpec::default()
    }

    /// Forward passes through `network`, in images, for time estimates.
    pub fn forward_images(&self, network: Network, test_images: u32) -> u64 {
        let corruptions = self.corruptions.as_ref();
        let attacks = self.attacks.as_ref();
        let dimensionality = self.dimensionality.as_ref();
        let gradients = self.input_unit_gradients.as_ref();
        corruptions.map_or(0, |spec| spec.forward_images(test_images))
            + attacks.map_or(0, |spec| spec.forward_images(test_images))
            + dimensionality.map_or(0, |spec| spec.forward_images(test_images))
            + gradients.map_or(0, |spec| spec.forward_images(network, test_images))
    }

    /// Everything wrong with it by itself, with fields named `evaluation.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        errors.extend(self.corruptions.iter().flat_map(CorruptionSpec::validate));
        errors.extend(self.attacks.iter().flat_map(AttackSpec::validate));
        let dimensionality = self.dimensionality.iter();
        errors.extend(dimensionality.flat_map(DimensionalitySpec::validate));
        let gradients = self.input_unit_gradients.iter();
        errors.extend(gradients.flat_map(InputUnitGradientSpec::validate));
        errors
    }
}

impl CorruptionSpec {
    /// Everything wrong with it by itself, with fields named `evaluation.corruptions.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut refuse = |field: &str, reason: String| {
            errors.push(FieldError::new(
                format!("evaluation.corruptions.{field}"),
                reason,
            ));
        };
        if self.corruptions.is_empty() {
            refuse("corruptions", "choose at least one corruption".into());
        }
        if let Some(twice) = repeated(&self.corruptions) {
            refuse("corruptions", format!("{twice} is given twice"));
        }
        if self.severities.is_empty() {
            refuse("severities", "choose at least one severity".into());
        }
        if let Some(wrong) = self
            .severities
            .iter()
            .find(|severity| !SEVERITIES.contains(severity))
        {
            refuse("severities", format!("{wrong} is not between 1 and 5"));
        }
        if let Some(twice) = repeated(&self.severities) {
            refuse("severities", format!("{twice} is given twice"));
        }
        if self.images == Some(0) {
            refuse(
                "images",
                "at least 1, or leave it empty for the whole test set".into(),
            );
        }
        if self.corruption_seed > MAXIMUM_SEED {
            refuse(
                "corruption_seed",
                format!("{} is over {MAXIMUM_SEED}", self.corruption_seed),
            );
        }
        if self.source == CorruptionSource::Published && self.corruption_seed != 0 {
            refuse(
                "corruption_seed",
                "published images have no seed; write 0".into(),
            );
        }
        errors
    }
}

/// The first value that an earlier one equals; looks at no more than can be right.
pub(crate) fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    let values = &values[..values.len().min(64)];
    (1..values.len())
        .find(|&index| values[..index].contains(&values[index]))
        .map(|index| &values[index])
}

/// Something measured on a trained network besides its clean result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Measurement {
    /// On one corruption at one severity.
    Corruption(CorruptionMeasurement),
    /// Under one attack at one budget.
    Attack(AttackMeasurement),
    /// Whether attacks can be trusted.
    Masking(MaskingReport),
    /// Dimensionality of every layer, clean or of the difference a perturbation makes.
    Dimensionality(DimensionalityMeasurement),
    /// Input-unit gradients of every layer.
    InputUnitGradients(InputUnitGradientMeasurement),
}

impl Measurement {
    /// The corruption's numbers, if it is of one.
    pub fn corruption(&self) -> Option<&CorruptionMeasurement> {
        match self {
            Measurement::Corruption(measured) => Some(measured),
            _ => None,
        }
    }

    /// The attack's numbers, if it is of one.
    pub fn attack(&self) -> Option<&AttackMeasurement> {
        match self {
            Measurement::Attack(measured) => Some(measured),
            _ => None,
        }
    }

    /// The dimensionality, if it is of that.
    pub fn dimensionality(&self) -> Option<&DimensionalityMeasurement> {
        match self {
            Measurement::Dimensionality(measured) => Some(measured),
            _ => None,
        }
    }

    /// The gradients' numbers, if it is of them.
    pub fn input_unit_gradients(&self) -> Option<&InputUnitGradientMeasurement> {
        match self {
            Measurement::InputUnitGradients(measured) => Some(measured),
            _ => None,
        }
    }
}

/// What a network does on one corruption at one severity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CorruptionMeasurement {
    /// Under which conditions.
    pub conditions: CorruptionConditions,
    /// The corruption.
    pub corruption: Corruption,
    /// Its severity, 1 to 5.
    pub severity: u8,
    /// Share of the corrupted images classified correctly.
    pub accuracy: f64,
    /// Mean cross-entropy on the corrupted images, in nats.
    pub cross_entropy: f64,
    /// Share of the same images, clean, classified correctly.
    pub clean_accuracy: f64,
}

impl CorruptionMeasurement {
    /// Accuracy as a share of the accuracy on the same images, clean; absent where that is 0.
    pub fn share_of_clean(&self) -> Option<f64> {
        (self.clean_accuracy > 0.0).then(|| self.accuracy / self.clean_accuracy)
    }
}

/// The benchmark's error relative to a baseline (Hendrycks & Dietterich 2019, section 4.1; their mCE is
/// relative to AlexNet): for each corruption the error summed over severities divided by the baseline's,
/// then the mean over corruptions. Absent when the two were not measured on the same corruptions and
/// severities under the same conditions, or the baseline made no error on one.
pub fn relative_corruption_error(
    measured: &[CorruptionMeasurement],
    baseline: &[CorruptionMeasurement],
) -> Option<f64> {
    let key = |m: &CorruptionMeasurement| (m.conditions, m.corruption, m.severity);
    let sorted = |all: &[CorruptionMeasurement]| {
        let mut all: Vec<_> = all.iter().map(|m| (key(m), 1.0 - m.accuracy)).collect();
        all.sort_by_key(|&(key, _)| key);
        all
    };
    let (measured, baseline) = (sorted(measured), sorted(baseline));
    let same =
        measured.len() == baseline.len() && measured.iter().zip(&baseline).all(|(a, b)| a.0 == b.0);
    if !same || measured.is_empty() {
        return None;
    }
    let mut ratios = Vec::new();
    let paired: Vec<_> = measured.iter().zip(&baseline).collect();
    for one in paired.chunk_by(|a, b| a.0.0.1 == b.0.0.1) {
        let error: f64 = one.iter().map(|(measured, _)| measured.1).sum();
        let baseline: f64 = one.iter().map(|(_, baseline)| baseline.1).sum();
        if baseline <= 0.0 {
            return None;
        }
        ratios.push(error / baseline);
    }
    Some(ratios.iter().sum::<f64>() / ratios.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(corruption: Corruption, severity: u8, accuracy: f64) -> CorruptionMeasurement {
        CorruptionMeasurement {
            conditions: CorruptionSpec::everything(Some(100)).conditions(1000),
            corruption,
            severity,
            accuracy,
            cross_entropy: 1.0,
            clean_accuracy: 0.8,
        }
    }

    /// Breaks when conditions are written otherwise than they are read: numbers would lose their conditions.
    #[test]
    fn conditions_are_read_as_they_are_written() {
        let conditions = CorruptionSpec::everything(None).conditions(10_000);
        assert_eq!(conditions.to_string(), "generated.0.10000");
        assert_eq!(conditions.to_string().parse(), Ok(conditions));
        for wrong in [
            "",
            "generated",
            "generated.0",
            "drawn.0.1",
            "generated.0.1.2",
        ] {
            assert!(wrong.parse::<CorruptionConditions>().is_err(), "{wrong}");
        }
    }

    /// Breaks when each severity is divided by itself (the mean of ratios is another number), or runs that
    /// were measured on different things are compared.
    #[test]
    fn relative_error_divides_sums() {
        let a = [
            measured(Corruption::Fog, 1, 0.9),
            measured(Corruption::Fog, 2, 0.5),
        ];
        let b = [
            measured(Corruption::Fog, 2, 0.6),
            measured(Corruption::Fog, 1, 0.6),
        ];
        let relative = relative_corruption_error(&a, &b).unwrap();
        assert!((relative - 0.6 / 0.8).abs() < 1e-12);
        assert_eq!(relative_corruption_error(&a, &b[..1]), None);
        assert_eq!(relative_corruption_error(&[], &[]), None);
    }

    /// Breaks when a wrong value is let through, or blamed on another field.
    #[test]
    fn each_wrong_value_is_refused_under_its_own_field() {
        type Spoil = fn(&mut CorruptionSpec);
        let spoil: [(&str, Spoil); 6] = [
            ("corruptions", |s| s.corruptions.clear()),
            ("corruptions", |s| s.corruptions.push(Corruption::Fog)),
            ("severities", |s| s.severities = vec![0]),
            ("severities", |s| s.severities = vec![]),
            ("images", |s| s.images = Some(0)),
            ("corruption_seed", |s| s.corruption_seed = u64::MAX),
        ];
        assert_eq!(CorruptionSpec::everything(None).validate(), []);
        for (field, wrong) in spoil {
            let mut spec = CorruptionSpec::everything(None);
            wrong(&mut spec);
            let fields: Vec<_> = spec.validate().into_iter().map(|e| e.field).collect();
            assert_eq!(fields, [format!("evaluation.corruptions.{field}")]);
        }
    }
}
