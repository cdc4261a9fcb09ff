//! Layers with weights drawn from a seed on the host, so that every device starts from the same numbers.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, TensorData};
use rand::distr::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use rand_distr::Normal;

use crate::base::random::{Stream, generator};

/// Draws the weights of layer after layer.
pub(super) struct Initialiser<'a> {
    random: ChaCha8Rng,
    device: &'a Device,
}

impl<'a> Initialiser<'a> {
    pub(super) fn new(seed: u64, device: &'a Device) -> Self {
        Initialiser {
            random: generator(seed, Stream::Weights, 0),
            device,
        }
    }

    fn draw(&mut self, distribution: impl Distribution<f32>, count: usize) -> Vec<f32> {
        distribution
            .sample_iter(&mut self.random)
            .take(count)
            .collect()
    }

    /// A square convolution without bias, padded to keep the size at stride 1; He-normal by fan-out.
    pub(super) fn convolution(
        &mut self,
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        stride: usize,
    ) -> Conv2d {
        let padding = kernel / 2;
        let mut layer = Conv2dConfig::new([channels_in, channels_out], [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ))
            .with_bias(false)
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        let deviation = (2.0 / (channels_out * kernel * kernel) as f32).sqrt();
        let normal = Normal::new(0.0, deviation).expect("the deviation is finite");
        let weight = self.draw(normal, channels_out * channels_in * kernel * kernel);
        layer.weight = Param::from_data(
            TensorData::new(weight, [channels_out, channels_in, kernel, kernel]),
            self.device,
        );
        layer
    }

    /// Batch norm, scale 1 and shift 0, epsilon 1e-5, momentum 0.1.
    pub(super) fn batch_norm(&mut self, channels: usize) -> BatchNorm {
        BatchNormConfig::new(channels).init(self.device)
    }

    /// A linear layer, uniform in ±1/sqrt(inputs).
    pub(super) fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let mut layer = LinearConfig::new(inputs, outputs)
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        let bound = 1.0 / (inputs as f32).sqrt();
        let uniform = Uniform::new_inclusive(-bound, bound).expect("the bound is finite");
        let weight = self.draw(uniform, inputs * outputs);
        let bias = self.draw(uniform, outputs);
        layer.weight = Param::from_data(TensorData::new(weight, [inputs, outputs]), self.device);
        layer.bias = Some(Param::from_data(
            TensorData::new(bias, [outputs]),
            self.device,
        ));
        layer
    }
}
