//! The CIFAR ResNets of He et al., *Deep residual learning for image recognition* (2015), section 4.2:
//! a 3x3 stem, three stages of 16, 32 and 64 channels, shortcuts without parameters (option A).

use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;
use protocol::result::LayerShape;

use super::layers::Initialiser;
use super::{Observer, layer_shapes};
use crate::operators::{Activations, layer, subsample};

const CHANNELS: [usize; 3] = [16, 32, 64];

/// A network of the family. Field names are those of the usual PyTorch implementations.
#[derive(Module, Debug)]
pub struct CifarResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    linear: Linear,
}

impl CifarResNet {
    /// ResNet of 6 x `blocks` + 2 layers: `blocks` per stage.
    pub(super) fn init(blocks: usize, classes: usize, source: &mut Initialiser) -> Self {
        let conv1 = source.convolution(3, CHANNELS[0], 3, 1);
        let bn1 = source.batch_norm(CHANNELS[0]);
        let mut stage = |index: usize| -> Vec<BasicBlock> {
            let channels_out = CHANNELS[index];
            (0..blocks)
                .map(|block| {
                    let first = block == 0 && index > 0;
                    let channels_in = if first {
                        CHANNELS[index - 1]
                    } else {
                        channels_out
                    };
                    BasicBlock::init(channels_in, channels_out, if first { 2 } else { 1 }, source)
                })
                .collect()
        };
        let (layer1, layer2, layer3) = (stage(0), stage(1), stage(2));
        CifarResNet {
            conv1,
            bn1,
            layer1,
            layer2,
            layer3,
            linear: source.linear(CHANNELS[2], classes),
        }
    }

    fn stages(&self) -> [&Vec<BasicBlock>; 3] {
        [&self.layer1, &self.layer2, &self.layer3]
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
        ControlFlow::Continue(self.linear.forward(hidden.responses))
    }

    pub(super) fn layers(&self) -> Vec<LayerShape> {
        let stages: Vec<_> = self
            .stages()
            .iter()
            .zip(CHANNELS)
            .map(|(blocks, channels)| vec![vec![channels; 2]; blocks.len()])
            .collect();
        layer_shapes(CHANNELS[0], &stages)
    }

    pub(super) fn classes(&self) -> usize {
        self.linear.weight.dims()[1]
    }
}

/// Two 3x3 convolutions and a shortcut without parameters.
#[derive(Module, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    stride: usize,
}

impl BasicBlock {
    fn init(
        channels_in: usize,
        channels_out: usize,
        stride: usize,
        source: &mut Initialiser,
    ) -> Self {
        BasicBlock {
            conv1: source.convolution(channels_in, channels_out, 3, stride),
            bn1: source.batch_norm(channels_out),
            conv2: source.convolution(channels_out, channels_out, 3, 1),
            bn2: source.batch_norm(channels_out),
            stride,
        }
    }

    fn forward(&self, input: Tensor<4>, observe: &mut Observer) -> ControlFlow<(), Activations> {
        let shortcut = match self.stride {
            1 => input.clone(),
            step => subsample(input.clone(), step, self.conv2.weight.dims()[0]),
        };
        let hidden = layer(input, &self.conv1, &self.bn1, None, true);
        observe(hidden.clone())?;
        let output = layer(hidden.maps, &self.conv2, &self.bn2, Some(shortcut), true);
        observe(output.clone())?;
        ControlFlow::Continue(output)
    }
}
