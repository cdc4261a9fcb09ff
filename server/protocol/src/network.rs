//! The networks that can be trained and analysed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::result::LayerShape;

/// A family of architectures, and what tells its networks apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// CIFAR ResNets (He et al. 2015, section 4.2): three stages of 16, 32 and 64 channels.
    Cifar {
        /// Blocks a stage.
        blocks: usize,
    },
    /// ImageNet ResNets (He et al. 2015, table 1) without the max-pool after the stem: four stages of 64 to 512 channels.
    ImageNet {
        /// Blocks of each stage.
        blocks: [usize; 4],
        /// Whether blocks have three convolutions, the last four times as wide, and not two.
        bottleneck: bool,
    },
}

macro_rules! networks {
    ($($variant:ident $id:literal $family:expr;)*) => {
        /// A network architecture. The class count and image size come from the data set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "lowercase")]
        pub enum Network {
            $(#[doc = stringify!($variant)] $variant,)*
        }

        impl Network {
            /// Every network, in the order in which the form lists them.
            pub const ALL: [Network; [$($id),*].len()] = [$(Network::$variant),*];

            /// The name in specs, files and URLs, for example `resnet20`.
            pub fn id(self) -> &'static str {
                match self { $(Network::$variant => $id,)* }
            }

            /// The name as the literature writes it, for example `ResNet20`.
            pub fn label(self) -> &'static str {
                match self { $(Network::$variant => stringify!($variant),)* }
            }

            /// Its family, and its place in it.
            pub fn family(self) -> Family {
                match self { $(Network::$variant => $family,)* }
            }
        }
    };
}

networks! {
    ResNet8 "resnet8" Family::Cifar { blocks: 1 };
    ResNet20 "resnet20" Family::Cifar { blocks: 3 };
    ResNet32 "resnet32" Family::Cifar { blocks: 5 };
    ResNet44 "resnet44" Family::Cifar { blocks: 7 };
    ResNet56 "resnet56" Family::Cifar { blocks: 9 };
    ResNet18 "resnet18" Family::ImageNet { blocks: [2, 2, 2, 2], bottleneck: false };
    ResNet50 "resnet50" Family::ImageNet { blocks: [3, 4, 6, 3], bottleneck: true };
}

impl Network {
    /// One line on the variant, for the form.
    pub fn description(self) -> &'static str {
        match self.family() {
            Family::Cifar { .. } => {
                "CIFAR family of He et al.: 16, 32, 64 channels, option A shortcuts"
            }
            Family::ImageNet { .. } => "Tiny ImageNet variant: no max-pool after the stem",
        }
    }

    /// Names and widths of the ReLU layers in forward order: `stem`, then `stage<s>.block<b>.relu<r>`, all
    /// counted from 1.
    pub fn layers(self) -> Vec<LayerShape> {
        let (stem, stages): (u32, Vec<(usize, Vec<u32>)>) = match self.family() {
            Family::Cifar { blocks } => {
                let stage = |units| (blocks, vec![units, units]);
                (16, [16, 32, 64].map(stage).to_vec())
            }
            Family::ImageNet { blocks, bottleneck } => {
                let relus = |units| match bottleneck {
                    true => vec![units, units, 4 * units],
                    false => vec![units, units],
                };
                let widths = [64, 128, 256, 512].map(relus);
                (64, blocks.into_iter().zip(widths).collect())
            }
        };
        let mut layers = vec![LayerShape {
            name: "stem".into(),
            units: stem,
        }];
        for (stage, (blocks, relus)) in (1..).zip(stages) {
            for block in 1..=blocks {
                for (relu, &units) in (1..).zip(&relus) {
                    layers.push(LayerShape {
                        name: format!("stage{stage}.block{block}.relu{relu}"),
                        units,
                    });
                }
            }
        }
        layers
    }

    /// Side of the images that it is made for, in pixels: CIFAR's, or Tiny ImageNet's.
    pub fn usual_image_side(self) -> usize {
        match self.family() {
            Family::Cifar { .. } => 32,
            Family::ImageNet { .. } => 64,
        }
    }

    /// The smallest image side that every stage can still halve.
    pub fn minimum_image_side(self) -> usize {
        match self.family() {
            Family::Cifar { .. } => 8,
            Family::ImageNet { .. } => 16,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// No network has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no network is called `{0}`; choose one of {known}", known = Network::ALL.map(Network::id).join(", "))]
pub struct UnknownNetwork(pub String);

impl FromStr for Network {
    type Err = UnknownNetwork;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Network::ALL
            .into_iter()
            .find(|network| network.id() == name)
            .ok_or_else(|| UnknownNetwork(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a network is called one thing in JSON and another in texts.
    #[test]
    fn names_are_those_of_json() {
        for network in Network::ALL {
            assert_eq!(serde_json::to_value(network).unwrap(), network.id());
        }
    }
}
