//! The perturbation bench: one image, changed before one's eyes, and what up to three networks make of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Corruption;
use crate::attack::Attack;
use crate::corruption::SEVERITIES;

/// Networks that are looked at side by side.
pub const MAXIMUM_NETWORKS: usize = 3;

/// Steps of PGD that can be looked at.
pub const MAXIMUM_STEPS: u32 = 200;

/// What is done to the image.
///
/// Written `none`, a corruption and its severity (`fog:3`), or an attack (`fgsm:linf:2/255`,
/// `pgd:linf:8/255:step=0.5/255:steps=40`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ImageChange {
    /// Nothing.
    None,
    /// A natural corruption, the same for all networks.
    Corruption {
        /// Which one.
        corruption: Corruption,
        /// How strong, 1 to 5.
        severity: u8,
    },
    /// FGSM, or PGD from the clean image: against each network its own.
    Attack(Attack),
}

impl fmt::Display for ImageChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageChange::None => f.write_str("none"),
            ImageChange::Corruption {
                corruption,
                severity,
            } => write!(f, "{corruption}:{severity}"),
            ImageChange::Attack(attack) => attack.fmt(f),
        }
    }
}

/// A text names no change of an image that the bench makes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a change of an image; write `none`, a corruption with its severity such as `fog:3`, `fgsm:linf:2/255` or `pgd:linf:8/255:step=0.5/255:steps=40` (at most {MAXIMUM_STEPS} steps, from the clean image)"
)]
pub struct UnknownImageChange(pub String);

impl FromStr for ImageChange {
    type Err = UnknownImageChange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let corruption = || {
            let (corruption, severity) = text.split_once(':')?;
            Some(ImageChange::Corruption {
                corruption: corruption.parse().ok()?,
                severity: severity
                    .parse()
                    .ok()
                    .filter(|severity| SEVERITIES.contains(severity))?,
            })
        };
        let attack = || {
            let attack: Attack = text.parse().ok()?;
            let shown = attack.is_single_path() && attack.steps_made() <= MAXIMUM_STEPS;
            shown.then_some(ImageChange::Attack(attack))
        };
        if text == "none" {
            return Ok(ImageChange::None);
        }
        corruption()
            .or_else(attack)
            .ok_or_else(|| UnknownImageChange(text.to_owned()))
    }
}

/// What the networks make of an image and of what it was changed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BenchAnswer {
    /// The clean image.
    pub image: BenchImage,
    /// What was done to it, as [`ImageChange`] is written.
    pub change: String,
    /// Each network, in the order asked.
    pub networks: Vec<BenchNetwork>,
}

/// The clean image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BenchImage {
    /// Its index in the test set; none where somebody brought it.
    pub index: Option<u32>,
    /// Its class; none where somebody brought it.
    pub class: Option<String>,
    /// Images of the test set.
    pub test_images: u32,
    /// The image as the networks see it, a PNG as `data:` URL.
    pub url: String,
    /// Height in pixels.
    pub height: u32,
    /// Width in pixels.
    pub width: u32,
}

/// What one network makes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BenchNetwork {
    /// Its run.
    pub run_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// The changed image, a PNG as `data:` URL.
    pub url: String,
    /// What was changed, each channel of each pixel magnified: middle grey is no change. A PNG as `data:` URL.
    pub change_url: String,
    /// The change that black and white stand for in `change_url`, on the [0, 1] scale; 0 where nothing was changed.
    pub full_scale: f64,
    /// The largest change of any value, on the [0, 1] scale.
    pub linf: f64,
    /// The Euclidean length of the change, on the [0, 1] scale.
    pub l2: f64,
    /// The class it sees in the clean image.
    pub clean_class: String,
    /// The class it sees in the changed image.
    pub changed_class: String,
    /// The classes among the five likeliest of either image, the likeliest of the clean one first.
    pub classes: Vec<ClassProbability>,
    /// How far each layer moved, in forward order.
    pub layers: Vec<LayerChange>,
    /// The units of the layer that is looked at whose responses moved most, at most twelve, the farthest first.
    pub units: Vec<UnitChange>,
    /// The maps of the unit that is looked at.
    pub maps: Option<UnitMaps>,
}

/// How likely a network finds a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClassProbability {
    /// The class.
    pub class: String,
    /// Softmax probability for the clean image, 0 to 1.
    pub clean: f64,
    /// Softmax probability for the changed image, 0 to 1.
    pub changed: f64,
}

/// How far a layer moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LayerChange {
    /// The layer.
    pub layer: String,
    /// Length of the change of its units' responses (after ReLU, averaged over space) over the length of its responses to the
    /// clean image; none where the clean image leaves every unit silent.
    pub relative: Option<f64>,
}

/// What a unit responds with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitChange {
    /// The unit, from 0.
    pub unit: u32,
    /// Its response to the clean image: after ReLU, averaged over space.
    pub clean: f32,
    /// Its response to the changed image.
    pub changed: f32,
}

/// The feature map of one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitMaps {
    /// The unit, with its responses.
    pub unit: UnitChange,
    /// Its map for the clean image, a PNG as `data:` URL: dark is 0, light the largest value of both maps.
    pub clean_url: String,
    /// Its map for the changed image, on the same scale.
    pub changed_url: String,
    /// The largest value of both maps.
    pub largest: f32,
    /// Height of a map.
    pub height: u32,
    /// Width of a map.
    pub width: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a change reads back as another, or the bench is asked for what it does not show.
    #[test]
    fn changes_read_back_as_written() {
        for text in [
            "none",
            "fog:3",
            "jpeg_compression:5",
            "fgsm:linf:2/255",
            "pgd:linf:8/255:step=0.5/255:steps=40",
            "pgd:l2:0.5:step=0.1:steps=200",
        ] {
            let change: ImageChange = text.parse().unwrap();
            assert_eq!(change.to_string(), text);
        }
        for text in [
            "",
            "fog",
            "fog:0",
            "fog:6",
            "haze:3",
            "fgsm:linf:0/255",
            "pgd:linf:8/255:step=0.5/255:steps=201",
            "pgd:linf:8/255:step=0.5/255:steps=4:random_starts=1",
            "auto-attack:linf:1/255",
        ] {
            let refused = text.parse::<ImageChange>().unwrap_err();
            assert!(refused.to_string().contains(text), "{text}");
        }
    }
}
