//! ResNet18 and ResNet50 (He et al. 2015, table 1; stride on the 3x3 convolution as in torchvision) in the Tiny
//! ImageNet variant of Leavitt & Morcos (2020): no max-pool after the stem, since images are 64x64.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;
use protocol::result::LayerShape;

use super::layers::Initialiser;
use super::{Observer, layer_shapes};
use crate::operators::{Activations, layer};

const STEM: usize = 64;
const CHANNELS: [usize; 4] = [64, 128, 256, 512];

/// A network of the family. Field names are torchvision's.
#[derive(Module, Debug)]
pub struct ImageNetResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    fc: Linear,
}

impl ImageNetResNet {
    /// `blocks` per stage; a block has three convolutions if `bottleneck`, else two.
    pub(super) fn init(
        blocks: [usize; 4],
        bottleneck: bool,
        classes: usize,
        source: &mut Initialiser,
    ) -> Self {
        let conv1 = source.convolution(3, STEM, 7, 2);
        let bn1 = source.batch_norm(STEM);
        let mut channels_in = STEM;
        let mut stage = |index: usize| -> Vec<Block> {
            (0..blocks[index])
                .map(|block| {
                    let stride = if block == 0 && index > 0 { 2 } else { 1 };
                    let built =
                        Block::init(channels_in, CHANNELS[index], stride, bottleneck, source);
                    channels_in = built.channels_out();
                    built
                })
                .collect()
        };
        let (layer1, layer2, layer3, layer4) = (stage(0), stage(1), stage(2), stage(3));
        ImageNetResNet {
            conv1,
            bn1,
            layer1,
            layer2,
            layer3,
            layer4,
            fc: source.linear(channels_in, classes),
        }
    }

    fn stages(&self) -> [&Vec<Block>; 4] {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
    }

    pub(super) fn forward(
        &self,
        images: Tensor<4>,
        observe: &mut Observer,
    ) -> ControlFlow<(), Tensor<2>> {
        let mut hidden = layer(images, &self.conv1, &self.bn1, None, true);
        observe(hidden.clone())?;
        for block in self.stages().into_iter().flatten() {
            hidden = block.forward(hidden.maps, observe)?;
        }
        // The last layer's responses are what global average pooling gives.
        ControlFlow::Continue(self.fc.forward(hidden.responses))
    }

    pub(super) fn layers(&self) -> Vec<LayerShape> {
        let stages: Vec<_> = self
            .stages()
            .iter()
            .map(|blocks| blocks.iter().map(Block::widths).collect())
            .collect();
        layer_shapes(STEM, &stages)
    }

    pub(super) fn classes(&self) -> usize {
        self.fc.weight.dims()[1]
    }
}

/// A residual block: basic (two 3x3 convolutions), or bottleneck (1x1, 3x3, 1x1 four times as wide).
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    downsample: Option<Projection>,
}

impl Block {
    fn init(
        channels_in: usize,
        width: usize,
        stride: usize,
        bottleneck: bool,
        source: &mut Initialiser,
    ) -> Self {
        let channels_out = if bottleneck { 4 * width } else { width };
        let projects = stride != 1 || channels_in != channels_out;
        let (conv1, conv2) = if bottleneck {
            (
                source.convolution(channels_in, width, 1, 1),
                source.convolution(width, width, 3, stride),
            )
        } else {
            (
                source.convolution(channels_in, width, 3, stride),
                source.convolution(width, width, 3, 1),
            )
        };
        Block {
            conv1,
            bn1: source.batch_norm(width),
            conv2,
            bn2: source.batch_norm(width),
            conv3: bottleneck.then(|| source.convolution(width, channels_out, 1, 1)),
            bn3: bottleneck.then(|| source.batch_norm(channels_out)),
            downsample: projects.then(|| Projection {
                conv: source.convolution(channels_in, channels_out, 1, stride),
                bn: source.batch_norm(channels_out),
            }),
        }
    }

    fn channels_out(&self) -> usize {
        self.conv3.as_ref().unwrap_or(&self.conv2).weight.dims()[0]
    }

    /// Units of each of its ReLUs.
    fn widths(&self) -> Vec<usize> {
        [Some(&self.conv1), Some(&self.conv2), self.conv3.as_ref()]
            .into_iter()
            .flatten()
            .map(|conv| conv.weight.dims()[0])
            .collect()
    }

    fn forward(&self, input: Tensor<4>, observe: &mut Observer) -> ControlFlow<(), Activations> {
        let shortcut = match &self.downsample {
            Some(Projection { conv, bn }) => layer(input.clone(), conv, bn, None, false).maps,
            None => input.clone(),
        };
        let hidden = layer(input, &self.conv1, &self.bn1, None, true);
        observe(hidden.clone())?;
        let output = match (&self.conv3, &self.bn3) {
            (Some(conv3), Some(bn3)) => {
                let inner = layer(hidden.maps, &self.conv2, &self.bn2, None, true);
                observe(inner.clone())?;
                layer(inner.maps, conv3, bn3, Some(shortcut), true)
            }
            _ => layer(hidden.maps, &self.conv2, &self.bn2, Some(shortcut), true),
        };
        observe(output.clone())?;
        ControlFlow::Continue(output)
    }
}

/// Shortcut with a 1x1 convolution, where size or width changes (option B).
#[derive(Module, Debug)]
struct Projection {
    conv: Conv2d,
    bn: BatchNorm,
}
