//! The networks that can be trained and analysed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::result::LayerShape;

/// A network architecture. The class count and image size come from the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// CIFAR ResNet of He et al. (2015), 1 block a stage.
    ResNet8,
    /// CIFAR ResNet of He et al. (2015), 3 blocks a stage.
    ResNet20,
    /// CIFAR ResNet of He et al. (2015), 5 blocks a stage.
    ResNet32,
    /// CIFAR ResNet of He et al. (2015), 7 blocks a stage.
    ResNet44,
    /// CIFAR ResNet of He et al. (2015), 9 blocks a stage.
    ResNet56,
    /// ResNet18 without the max-pool after the stem (the Tiny ImageNet variant).
    ResNet18,
    /// ResNet50 without the max-pool after the stem (the Tiny ImageNet variant).
    ResNet50,
}

impl Network {
    /// Every network, in the order in which the form lists them.
    pub const ALL: [Network; 7] = [
        Network::ResNet8,
        Network::ResNet20,
        Network::ResNet32,
        Network::ResNet44,
        Network::ResNet56,
        Network::ResNet18,
        Network::ResNet50,
    ];

    /// The name in specs, files and URLs, for example `resnet20`.
    pub fn id(self) -> &'static str {
        match self {
            Network::ResNet8 => "resnet8",
            Network::ResNet20 => "resnet20",
            Network::ResNet32 => "resnet32",
            Network::ResNet44 => "resnet44",
            Network::ResNet56 => "resnet56",
            Network::ResNet18 => "resnet18",
            Network::ResNet50 => "resnet50",
        }
    }

    /// The name as the literature writes it, for example `ResNet20`.
    pub fn label(self) -> &'static str {
        match self {
            Network::ResNet8 => "ResNet8",
            Network::ResNet20 => "ResNet20",
            Network::ResNet32 => "ResNet32",
            Network::ResNet44 => "ResNet44",
            Network::ResNet56 => "ResNet56",
            Network::ResNet18 => "ResNet18",
            Network::ResNet50 => "ResNet50",
        }
    }

    /// One line on the variant, for the form.
    pub fn description(self) -> &'static str {
        match self {
            Network::ResNet18 | Network::ResNet50 => {
                "Tiny ImageNet variant: no max-pool after the stem"
            }
            _ => "CIFAR family of He et al.: 16, 32, 64 channels, option A shortcuts",
        }
    }

    /// Names and widths of the ReLU layers in forward order: `stem`, then `stage<s>.block<b>.relu<r>`, all
    /// counted from 1.
    pub fn layers(self) -> Vec<LayerShape> {
        let cifar = |blocks: usize| -> Vec<(usize, Vec<u32>)> {
            [16, 32, 64]
                .map(|units| (blocks, vec![units, units]))
                .to_vec()
        };
        let (stem, stages) = match self {
            Network::ResNet8 => (16, cifar(1)),
            Network::ResNet20 => (16, cifar(3)),
            Network::ResNet32 => (16, cifar(5)),
            Network::ResNet44 => (16, cifar(7)),
            Network::ResNet56 => (16, cifar(9)),
            Network::ResNet18 => (
                64,
                [64, 128, 256, 512]
                    .map(|units| (2, vec![units, units]))
                    .to_vec(),
            ),
            Network::ResNet50 => (
                64,
                [(3, 64), (4, 128), (6, 256), (3, 512)]
                    .map(|(blocks, units)| (blocks, vec![units, units, 4 * units]))
                    .to_vec(),
            ),
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
        match self {
            Network::ResNet18 | Network::ResNet50 => 64,
            _ => 32,
        }
    }

    /// The smallest image side that every stage can still halve.
    pub fn minimum_image_side(self) -> usize {
        match self {
            Network::ResNet18 | Network::ResNet50 => 16,
            _ => 8,
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
#[error(
    "no network is called `{0}`; choose one of resnet8, resnet20, resnet32, resnet44, resnet56, resnet18, resnet50"
)]
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
