//! A test on natural corruptions: what is asked for, under which conditions it was made, and what was measured.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Dataset;
use crate::corruption::{
    Corruption, FrostFingerprint, JpegStep, PUBLISHED_JPEG_QUALITY, SEVERITIES,
};
use crate::dataset::is_folder_name;
use crate::field_error::{Checks, FieldError};
use crate::named::named;
use crate::numeral::MAXIMUM_SEED;

named! {
    /// Where corrupted images come from.
    pub enum CorruptionSource {
        /// Drawn by this software from the test images, for any data set.
        Generated = "generated",
        /// The published set, CIFAR10-C or Tiny ImageNet-C, read from the data directory.
        Published = "published",
    }
}

impl CorruptionSource {
    /// Why no image of this source can be set beside the clean image of `dataset` with its number, or subtracted from
    /// it; `None` where it can. Accuracy on such images means what it says: their labels are right.
    pub fn unmatched(self, dataset: &Dataset) -> Option<&'static str> {
        (self == CorruptionSource::Published && *dataset == Dataset::TinyImagenet)
            .then_some(TINY_IMAGENET_C_UNMATCHED)
    }
}

/// Why the images of the published Tiny ImageNet-C match no clean image (its author in hendrycks/robustness, issue 39).
pub const TINY_IMAGENET_C_UNMATCHED: &str = "the published Tiny ImageNet-C was made from other crops of the photographs than Tiny ImageNet, so no corrupted image has a matching clean one: only accuracy can be measured on it; to compare corrupted with clean images, choose generated corruptions";

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
    /// Whether generated images go through a JPEG file, as those of Tiny ImageNet-C did.
    #[serde(default)]
    pub jpeg: JpegStep,
    /// Photographs of frost for generated images: the name of a folder in the data sets directory, of which the first
    /// five `.png`, `.jpg` or `.jpeg` files by name are used. The drawn texture when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frost_photographs: Option<String>,
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
            jpeg: JpegStep::AsPublished,
            frost_photographs: None,
        }
    }

    /// The conditions as far as the spec alone says them, on a test set of `test_images`: what goes through a JPEG
    /// file and which photographs are used depends on the images, so measurements take theirs from what draws them.
    pub fn conditions(&self, test_images: u32) -> CorruptionConditions {
        CorruptionConditions {
            source: self.source,
            corruption_seed: match self.source {
                CorruptionSource::Generated => self.corruption_seed,
                CorruptionSource::Published => 0,
            },
            images: self.images.unwrap_or(test_images).min(test_images),
            jpeg: false,
            frost: None,
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
    /// Whether generated images went through a JPEG file of quality 85 (4:2:0). Measurements from before there was
    /// such a step have no field for it, and had none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub jpeg: bool,
    /// The photographs of frost that generated images were made with; the drawn texture when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "0f3a9c1d5e7b2468"))]
    pub frost: Option<FrostFingerprint>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl CorruptionConditions {
    /// Those of a published set, on `images` of its images of each corruption and severity.
    pub fn published(images: u32) -> CorruptionConditions {
        CorruptionConditions {
            source: CorruptionSource::Published,
            corruption_seed: 0,
            images,
            jpeg: false,
            frost: None,
        }
    }

    /// Where the corrupted images came from, as a person says it.
    pub fn origin(&self) -> String {
        match self.source {
            CorruptionSource::Published => "published set".to_owned(),
            CorruptionSource::Generated => {
                let mut words = format!("generated with seed {}", self.corruption_seed);
                if self.jpeg {
                    words += &format!(", saved as JPEG (quality {PUBLISHED_JPEG_QUALITY})");
                }
                if let Some(frost) = self.frost {
                    words += &format!(", frost photographs {frost}");
                }
                words
            }
        }
    }

    /// What a person calls them.
    pub fn label(&self) -> String {
        format!("{}, {} images", self.origin(), self.images)
    }
}

/// What the text form says of images that went through a JPEG file.
const JPEG: &str = "jpeg85";

/// What the text form begins the fingerprint of frost photographs with.
const FROST: &str = "frost-";

/// Written `generated.0.1000` or `published.0.10000`: source, seed, images; then `.jpeg85` where images went through a
/// JPEG file, then `.frost-<fingerprint>` where photographs of frost were used.
impl fmt::Display for CorruptionConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.source.id(),
            self.corruption_seed,
            self.images
        )?;
        if self.jpeg {
            write!(f, ".{JPEG}")?;
        }
        match self.frost {
            Some(frost) => write!(f, ".{FROST}{frost}"),
            None => Ok(()),
        }
    }
}

/// A text names no conditions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a set of conditions; write source.seed.images, for example generated.0.1000, generated.0.1000.jpeg85 or generated.0.1000.frost-0f3a9c1d5e7b2468"
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
            let mut parts = parts.peekable();
            let jpeg = parts.next_if(|&part| part == JPEG).is_some();
            let frost = match parts.next() {
                Some(part) => Some(part.strip_prefix(FROST)?.parse().ok()?),
                None => None,
            };
            let of_generated = source == CorruptionSource::Generated || (!jpeg && frost.is_none());
            (of_generated && parts.next().is_none()).then_some(CorruptionConditions {
                source,
                corruption_seed,
                images,
                jpeg,
                frost,
            })
        };
        parse().ok_or_else(|| UnknownConditions(text.to_owned()))
    }
}

impl CorruptionSpec {
    /// Everything wrong with it by itself, with fields named `evaluation.corruptions.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut checks = Checks::new("evaluation.corruptions.");
        checks.require(
            !self.corruptions.is_empty(),
            "corruptions",
            "choose at least one corruption",
        );
        checks.require(
            !self.severities.is_empty(),
            "severities",
            "choose at least one severity",
        );
        checks.require(
            self.images != Some(0),
            "images",
            "give at least 1, or leave it empty for the whole test set",
        );
        self.check_corrupted_images(&mut checks);
        checks.errors()
    }

    /// What is wrong with the corrupted images, whatever is measured on them.
    pub(crate) fn check_corrupted_images(&self, checks: &mut Checks) {
        checks.without_repeats("corruptions", &self.corruptions, Corruption::to_string);
        let mut severities = self.severities.iter();
        if let Some(wrong) = severities.find(|severity| !SEVERITIES.contains(severity)) {
            checks.refuse("severities", format!("{wrong} is not between 1 and 5"));
        }
        checks.without_repeats("severities", &self.severities, u8::to_string);
        checks.require(
            self.corruption_seed <= MAXIMUM_SEED,
            "corruption_seed",
            format!("{} is above {MAXIMUM_SEED}", self.corruption_seed),
        );
        if self.source == CorruptionSource::Published {
            checks.require(
                self.corruption_seed == 0,
                "corruption_seed",
                "published images have no seed; give 0",
            );
            checks.require(
                self.jpeg == JpegStep::AsPublished,
                "jpeg",
                "published images are used as they were saved; leave this out",
            );
        }
        if let Some(folder) = &self.frost_photographs {
            let reason = if self.source == CorruptionSource::Published {
                Some("published images have their own frost; leave this empty".to_owned())
            } else if !self.corruptions.contains(&Corruption::Frost) {
                Some("frost is not among the corruptions: add it, or leave this empty".to_owned())
            } else if !is_folder_name(folder) {
                Some(format!(
                    "`{folder}` is not the name of a folder in the data sets directory (letters, digits, `.`, `_`, `-`); link the folder of the photographs there and give its name"
                ))
            } else {
                None
            };
            if let Some(reason) = reason {
                checks.refuse("frost_photographs", reason);
            }
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
    /// Share of the clean test images with the same numbers classified correctly: of the same images, clean, but with the
    /// published Tiny ImageNet-C, whose images are others of the same classes (see [`CorruptionSource::unmatched`]).
    pub clean_accuracy: f64,
}

impl CorruptionMeasurement {
    /// Accuracy as a share of clean accuracy; absent where that is 0. Of the same images it is how much accuracy the
    /// corruption leaves. Over other images (see [`clean_accuracy`](Self::clean_accuracy)) it still orders networks, which
    /// all meet the same two sets, but holds the difference between the sets as well as the corruption.
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
        let frost = Some(FrostFingerprint(0x0f3a_9c1d_5e7b_2468));
        for (jpeg, frost, text) in [
            (true, None, "generated.0.10000.jpeg85"),
            (false, frost, "generated.0.10000.frost-0f3a9c1d5e7b2468"),
            (
                true,
                frost,
                "generated.0.10000.jpeg85.frost-0f3a9c1d5e7b2468",
            ),
        ] {
            let named = CorruptionConditions {
                jpeg,
                frost,
                ..conditions
            };
            assert_eq!(named.to_string(), text);
            assert_eq!(text.parse(), Ok(named));
            let json = serde_json::to_string(&named).unwrap();
            assert_eq!(serde_json::from_str(&json).ok(), Some(named), "{json}");
        }
        for wrong in [
            "",
            "generated",
            "generated.0",
            "drawn.0.1",
            "generated.0.1.2",
            "generated.0.1.jpeg",
            "generated.0.1.frost-1",
            "generated.0.1.frost-0f3a9c1d5e7b2468.jpeg85",
            "generated.0.1.jpeg85.jpeg85",
            "published.0.1.jpeg85",
        ] {
            assert!(wrong.parse::<CorruptionConditions>().is_err(), "{wrong}");
        }
    }

    /// Breaks when a measurement from before there was a JPEG step or a choice of frost cannot be read, or is taken for
    /// one with them; or when conditions that do not concern a run are written into every one of its measurements.
    #[test]
    fn old_conditions_had_no_jpeg_and_drawn_frost() {
        let old = r#"{"source":"generated","corruption_seed":3,"images":50}"#;
        let read: CorruptionConditions = serde_json::from_str(old).unwrap();
        assert!(!read.jpeg && read.frost.is_none());
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
        assert_eq!(read.label(), "generated with seed 3, 50 images");
        let now = CorruptionConditions {
            jpeg: true,
            frost: Some(FrostFingerprint(7)),
            ..read
        };
        assert_ne!(read, now);
        assert_eq!(
            now.label(),
            "generated with seed 3, saved as JPEG (quality 85), frost photographs 0000000000000007, 50 images"
        );
    }

    /// Breaks when a spec from before there was a JPEG step cannot be read, or one without the field leaves it out.
    #[test]
    fn a_spec_without_the_field_is_as_published() {
        let text = r#"{"source":"generated","corruptions":["fog"],"severities":[1]}"#;
        let spec: CorruptionSpec = serde_json::from_str(text).unwrap();
        assert_eq!(spec.jpeg, JpegStep::AsPublished);
        let written = serde_json::to_string(&spec).unwrap();
        assert!(written.contains(r#""jpeg":"as_published""#), "{written}");
        use crate::corruption::ParameterTable::{Cifar10, TinyImagenet};
        assert!(spec.jpeg.applies(TinyImagenet) && !spec.jpeg.applies(Cifar10));
        assert!(!JpegStep::Off.applies(TinyImagenet));
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
        let spoil: [(&str, Spoil); 10] = [
            ("corruptions", |s| s.corruptions.clear()),
            ("corruptions", |s| s.corruptions.push(Corruption::Fog)),
            ("severities", |s| s.severities = vec![0]),
            ("severities", |s| s.severities = vec![]),
            ("images", |s| s.images = Some(0)),
            ("corruption_seed", |s| s.corruption_seed = u64::MAX),
            ("jpeg", |s| {
                s.source = CorruptionSource::Published;
                s.jpeg = JpegStep::Off;
            }),
            ("frost_photographs", |s| {
                s.frost_photographs = Some("../frost".into());
            }),
            ("frost_photographs", |s| {
                s.frost_photographs = Some("frost".into());
                s.corruptions = vec![Corruption::Fog];
            }),
            ("frost_photographs", |s| {
                s.frost_photographs = Some("frost".into());
                s.source = CorruptionSource::Published;
            }),
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
