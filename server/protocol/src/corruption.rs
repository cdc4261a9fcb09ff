//! The natural corruptions of CIFAR10-C and Tiny ImageNet-C (Hendrycks & Dietterich 2019), by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::named::named;

/// Severities of every corruption, mildest first.
pub const SEVERITIES: [u8; 5] = [1, 2, 3, 4, 5];

named! {
    /// What a corruption imitates; the benchmark's four groups.
    pub enum CorruptionFamily {
        /// Noise of a sensor or of its electronics.
        Noise = "noise" => "Noise",
        /// Lost focus, motion, glass.
        Blur = "blur" => "Blur",
        /// What stands between camera and object outdoors.
        Weather = "weather" => "Weather",
        /// What processing does to an image.
        Digital = "digital" => "Digital",
    }
}

macro_rules! corruptions {
    ($($variant:ident $id:literal $label:literal $family:ident $extra:literal $what:literal;)*) => {
        /// A natural corruption, named as its published file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Corruption {
            $(#[doc = $what] $variant,)*
        }

        impl Corruption {
            /// Every corruption: the benchmark's 15, then its 4 extra ones.
            pub const ALL: [Corruption; [$($id),*].len()] = [$(Corruption::$variant),*];

            /// The name in specs and of the published file, for example `gaussian_noise`.
            pub fn id(self) -> &'static str {
                match self { $(Corruption::$variant => $id,)* }
            }

            /// What a person calls it.
            pub fn label(self) -> &'static str {
                match self { $(Corruption::$variant => $label,)* }
            }

            /// The same within a sentence: in lower case, but for what is always written in capitals.
            pub fn in_sentence(self) -> String {
                self.label().to_lowercase().replace("jpeg", "JPEG")
            }

            /// What it does, in a few words.
            pub fn description(self) -> &'static str {
                match self { $(Corruption::$variant => $what,)* }
            }

            /// Its group.
            pub fn family(self) -> CorruptionFamily {
                match self { $(Corruption::$variant => CorruptionFamily::$family,)* }
            }

            /// Whether it is one of the four extra corruptions, which CIFAR10-C publishes and Tiny ImageNet-C does not.
            pub fn is_extra(self) -> bool {
                match self { $(Corruption::$variant => $extra,)* }
            }
        }
    };
}

// A new corruption is a line here, and one file with one line in the engine's list.
corruptions! {
    GaussianNoise "gaussian_noise" "Gaussian noise" Noise false "Normally distributed noise added to every value.";
    ShotNoise "shot_noise" "Shot noise" Noise false "Poisson noise, as from few photons.";
    ImpulseNoise "impulse_noise" "Impulse noise" Noise false "Single values set to black or white.";
    DefocusBlur "defocus_blur" "Defocus blur" Blur false "A disk-shaped blur, as from a lens out of focus.";
    GlassBlur "glass_blur" "Glass blur" Blur false "Pixels displaced at random, as behind frosted glass.";
    MotionBlur "motion_blur" "Motion blur" Blur false "Blur along one direction.";
    ZoomBlur "zoom_blur" "Zoom blur" Blur false "The mean of the image and its enlargements.";
    Snow "snow" "Snow" Weather false "Falling snow over a whitened image.";
    Frost "frost" "Frost" Weather false "Ice crystals over the image.";
    Fog "fog" "Fog" Weather false "Fog over the image, in a plasma pattern.";
    Brightness "brightness" "Brightness" Weather false "Higher HSV value.";
    Contrast "contrast" "Contrast" Digital false "Values drawn towards the image's mean.";
    ElasticTransform "elastic_transform" "Elastic transform" Digital false "Small regions stretched and moved.";
    Pixelate "pixelate" "Pixelate" Digital false "Scaled down and back up.";
    JpegCompression "jpeg_compression" "JPEG compression" Digital false "Artefacts of strong JPEG compression.";
    SpeckleNoise "speckle_noise" "Speckle noise" Noise true "Normally distributed noise proportional to each value.";
    GaussianBlur "gaussian_blur" "Gaussian blur" Blur true "A Gaussian blur.";
    Spatter "spatter" "Spatter" Weather true "Drops of water or mud on the lens.";
    Saturate "saturate" "Saturate" Digital true "Changed HSV saturation.";
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// No corruption has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a corruption; choose one of {names}", names = Corruption::ALL.map(Corruption::id).join(", "))]
pub struct UnknownCorruption(pub String);

impl FromStr for Corruption {
    type Err = UnknownCorruption;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Corruption::ALL
            .into_iter()
            .find(|corruption| corruption.id() == text)
            .ok_or_else(|| UnknownCorruption(text.to_owned()))
    }
}

/// Quality of the JPEG files that Tiny ImageNet-C is published as; the colour planes at half the size (4:2:0).
pub const PUBLISHED_JPEG_QUALITY: u8 = 85;

named! {
    /// Whether generated corrupted images go through a JPEG file before a network sees them, as published ones did.
    #[derive(Default)]
    pub enum JpegStep {
        /// As the set was published whose parameters are used: Tiny ImageNet-C's images are JPEG files of quality 85
        /// (4:2:0), CIFAR10-C's are arrays that lose nothing.
        #[default]
        AsPublished = "as_published" => "As published",
        /// Never: what the corruption gives is what the network sees.
        Off = "off" => "Left out",
    }
}

impl JpegStep {
    /// Whether images made with the parameters of `table` go through a JPEG file.
    pub fn applies(self, table: ParameterTable) -> bool {
        self == JpegStep::AsPublished && table == ParameterTable::TinyImagenet
    }
}

/// Which photographs of frost were laid over images, by their content: the first 64 bits of the MD5 sum of the files.
/// Written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FrostFingerprint(pub u64);

impl fmt::Display for FrostFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text is no fingerprint of photographs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fingerprint of frost photographs, which has 16 hexadecimal digits")]
pub struct UnknownFingerprint(pub String);

impl FromStr for FrostFingerprint {
    type Err = UnknownFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 16 && text.chars().all(|c| c.is_ascii_hexdigit());
        digits
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(FrostFingerprint)
            .ok_or_else(|| UnknownFingerprint(text.to_owned()))
    }
}

impl TryFrom<String> for FrostFingerprint {
    type Error = UnknownFingerprint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FrostFingerprint> for String {
    fn from(fingerprint: FrostFingerprint) -> String {
        fingerprint.to_string()
    }
}

named! {
    /// Which published table a corruption's parameters come from.
    pub enum ParameterTable {
        /// CIFAR10-C, made for 32x32 images.
        Cifar10 = "cifar10",
        /// Tiny ImageNet-C, made for 64x64 images.
        TinyImagenet = "tiny-imagenet",
    }
}

impl ParameterTable {
    /// The table made for images nearer to this size: CIFAR10-C's up to a shorter side of 48 pixels.
    pub fn for_size(height: usize, width: usize) -> ParameterTable {
        if height.min(width) <= 48 {
            ParameterTable::Cifar10
        } else {
            ParameterTable::TinyImagenet
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a name on the wire, the published file's name and the parser's disagree.
    #[test]
    fn names_agree() {
        for corruption in Corruption::ALL {
            let json = serde_json::to_string(&corruption).unwrap();
            assert_eq!(json, format!("\"{corruption}\""));
            assert_eq!(corruption.id().parse(), Ok(corruption));
        }
        assert_eq!(Corruption::ALL.iter().filter(|c| c.is_extra()).count(), 4);
        assert!("fogg".parse::<Corruption>().is_err());
    }
}
