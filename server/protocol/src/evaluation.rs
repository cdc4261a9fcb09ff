//! What a trained network is tested on besides the clean test images, and under which conditions.

use serde::{Deserialize, Serialize};

use crate::attack::{AttackMeasurement, AttackSpec, MaskingReport};
use crate::corruption_evaluation::{CorruptionMeasurement, CorruptionSpec};
use crate::dimensionality::{DimensionalityMeasurement, DimensionalitySpec};
use crate::field_error::FieldError;
use crate::gradient::{InputUnitGradientMeasurement, InputUnitGradientSpec};
use crate::{Dataset, Network};

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

    /// Everything wrong with it by itself and on `dataset`, with fields named `evaluation.…`.
    pub fn validate_on(&self, dataset: &Dataset) -> Vec<FieldError> {
        let mut errors = self.validate();
        if let Some(spec) = &self.dimensionality
            && !spec.corruptions.is_empty()
            && let Some(reason) = spec.source.unmatched(dataset)
        {
            errors.push(FieldError::new("evaluation.dimensionality.source", reason));
        }
        errors
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corruption_evaluation::{CorruptionSource, TINY_IMAGENET_C_UNMATCHED};

    /// Breaks when the requests of the study in `docs/study` are not understood, or would be refused.
    #[test]
    fn the_studys_requests_are_accepted() {
        let experiment = include_str!("../../../docs/study/experiment.json");
        let experiment: crate::ExperimentSpec = serde_json::from_str(experiment).unwrap();
        for request in [
            include_str!("../../../docs/study/evaluation.json"),
            include_str!("../../../docs/study/auto-attack.json"),
        ] {
            let spec: EvaluationSpec = serde_json::from_str(request).unwrap();
            assert!(!spec.is_empty());
            assert_eq!(spec.validate_on(&experiment.dataset), []);
        }
    }

    /// Breaks when the difference between a clean image and one of the published Tiny ImageNet-C can be asked for,
    /// when accuracy on it cannot, or when what has matching images is refused with it.
    #[test]
    fn the_published_tiny_imagenet_c_has_no_differences() {
        let published = |spec: &mut DimensionalitySpec| spec.source = CorruptionSource::Published;
        let mut spec = EvaluationSpec {
            dimensionality: Some(DimensionalitySpec::source(None)),
            ..EvaluationSpec::default()
        };
        assert_eq!(spec.validate_on(&Dataset::TinyImagenet), []);
        spec.dimensionality.iter_mut().for_each(published);
        assert_eq!(spec.validate_on(&Dataset::Cifar10), []);
        let refused = spec.validate_on(&Dataset::TinyImagenet);
        let fields: Vec<&str> = refused.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["evaluation.dimensionality.source"]);
        assert_eq!(refused[0].reason, TINY_IMAGENET_C_UNMATCHED);
        // Clean activations and attacks need no corrupted image.
        if let Some(spec) = &mut spec.dimensionality {
            spec.corruptions.clear();
            spec.severities.clear();
        }
        assert_eq!(spec.validate_on(&Dataset::TinyImagenet), []);
        let mut accuracy = CorruptionSpec::everything(None);
        accuracy.source = CorruptionSource::Published;
        let spec = EvaluationSpec {
            corruptions: Some(accuracy),
            ..EvaluationSpec::default()
        };
        assert_eq!(spec.validate_on(&Dataset::TinyImagenet), []);
    }
}
