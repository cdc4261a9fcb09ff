//! The networks: image in, logits out, and every ReLU's activations on the way.
//!
//! A new family is one file here, a variant of [`Body`] and one of [`Family`], in which it is built from its line of
//! `protocol::network`. Another depth of a family is that line alone.

mod cifar_resnet;
mod error;
mod imagenet_resnet;
mod layers;
mod names;
pub mod weights;

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use protocol::Network;
use protocol::network::Family;
use protocol::result::LayerShape;

pub use cifar_resnet::CifarResNet;
pub use error::NetworkError;
pub use imagenet_resnet::ImageNetResNet;
pub(crate) use names::{NamedParameters, visit_named};

use crate::operators::{Activations, Tape};

/// Receives the activations of each ReLU layer in forward order, and says whether to go on.
type Observer<'a> = dyn FnMut(Activations) -> ControlFlow<()> + 'a;

/// What has to be known to build a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelConfig {
    /// The architecture.
    pub network: Network,
    /// Classes, 2 or more.
    pub classes: usize,
    /// Channel means of the images on the [0, 1] scale.
    pub mean: [f32; 3],
    /// Channel standard deviations of the images on the [0, 1] scale.
    pub std: [f32; 3],
}

impl ModelConfig {
    /// A network of which only its speed, its sizes or its agreement with another device counts, not what it sees: with a
    /// normalisation that is no data set's.
    pub fn with_generic_normalisation(network: Network, classes: usize) -> ModelConfig {
        ModelConfig {
            network,
            classes,
            mean: [0.5; 3],
            std: [0.25; 3],
        }
    }

    /// Checks that a network can be built from it and would measure something.
    ///
    /// # Errors
    /// When there are fewer than two classes, or the normalisation divides by 0 or is not finite.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |reason: String| Err(NetworkError::Model { reason });
        if self.classes < 2 {
            return refuse(format!("{} classes; there must be 2 or more", self.classes));
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return refuse(format!(
                "a channel mean is {mean}, which is no finite number"
            ));
        }
        match self
            .std
            .iter()
            .find(|&&std| !(std > 0.0 && std.is_finite()))
        {
            Some(std) => refuse(format!(
                "a channel standard deviation is {std}; each must be over 0, on the [0, 1] scale"
            )),
            None => Ok(()),
        }
    }

    /// Whether images of `height` x `width` pixels are large enough for every stage to halve them.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_images(&self, height: usize, width: usize) -> Result<(), NetworkError> {
        let minimum = self.network.minimum_image_side();
        if height.min(width) < minimum {
            return Err(NetworkError::ImagesTooSmall {
                network: self.network,
                minimum,
                height,
                width,
            });
        }
        Ok(())
    }

    /// The network with He-normal convolutions (He et al. 2015), drawn from `seed` alone: the same
    /// weights on every device.
    pub fn init(&self, seed: u64, device: &Device) -> Model {
        let mut source = layers::Initialiser::new(seed, device);
        let body = match self.network.family() {
            Family::Cifar { blocks } => {
                Body::Cifar(CifarResNet::init(blocks, self.classes, &mut source))
            }
            Family::ImageNet { blocks, bottleneck } => Body::ImageNet(ImageNetResNet::init(
                blocks,
                bottleneck,
                self.classes,
                &mut source,
            )),
        };
        Model {
            mean: self.mean,
            std: self.std,
            body,
        }
    }
}

/// A network with its input normalisation, so that images stay in [0, 1] everywhere outside it.
#[derive(Module, Debug)]
pub struct Model {
    #[module(skip)]
    mean: [f32; 3],
    #[module(skip)]
    std: [f32; 3],
    body: Body,
}

/// The families of architectures.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // One value lives in a program; a box would only cost a hop.
pub enum Body {
    /// 3 stages of 16, 32, 64 channels.
    Cifar(CifarResNet),
    /// 4 stages of 64 to 512 channels.
    ImageNet(ImageNetResNet),
}

impl Model {
    /// Logits `[batch, classes]` of images `[batch, 3, height, width]` in [0, 1].
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_observed(images, &mut |_| {})
    }

    /// Like [`forward`](Self::forward), and hands every ReLU's activations to `observe`, in the
    /// order of [`layers`](Self::layers). The logits are never among them.
    pub fn forward_observed(
        &self,
        images: Tensor<4>,
        observe: &mut dyn FnMut(Activations),
    ) -> Tensor<2> {
        let flow = self.walk(self.normalise(images), &mut |activations| {
            observe(activations);
            ControlFlow::Continue(())
        });
        match flow {
            ControlFlow::Continue(logits) => logits,
            ControlFlow::Break(()) => unreachable!("the observer always goes on"),
        }
    }

    /// Responses `[batch, units]` of the units of layer `layer`, from 0, to images `[batch, 3, height, width]` in
    /// [0, 1]; nothing beyond that layer is computed. `None` where there is no such layer.
    pub fn responses_at(&self, images: Tensor<4>, layer: usize) -> Option<Tensor<2>> {
        self.responses_to(self.normalise(images), layer)
    }

    /// The way back from these responses to the normalised images, after one pass forward;
    /// [`before_normalising`](Self::before_normalising) goes on to the images themselves. `None` where there is no such
    /// layer, and where [`Tape::record`] has none: autodiff is needed.
    pub fn tape_at(&self, images: Tensor<4>, layer: usize) -> Option<Tape> {
        Tape::record(self.normalise(images), |normalised| {
            self.responses_to(normalised, layer)
        })
    }

    /// The gradient with respect to images in [0, 1] from `gradient`, that with respect to the same images normalised,
    /// both `[batch, 3, height, width]`.
    pub fn before_normalising(&self, gradient: Tensor<4>) -> Tensor<4> {
        let std = channel_values(self.std, &gradient.device());
        // Times 1 / std, not divided by it: burn's autodiff rounds so.
        gradient * std.recip()
    }

    /// [`responses_at`](Self::responses_at) for images that are normalised already.
    fn responses_to(&self, normalised: Tensor<4>, layer: usize) -> Option<Tensor<2>> {
        let (mut next, mut responses) = (0, None);
        let _ = self.walk(normalised, &mut |activations| {
            if next == layer {
                responses = Some(activations.responses);
                return ControlFlow::Break(());
            }
            next += 1;
            ControlFlow::Continue(())
        });
        responses
    }

    /// Images `[batch, 3, height, width]` in [0, 1] as the body takes them.
    fn normalise(&self, images: Tensor<4>) -> Tensor<4> {
        let device = images.device();
        (images - channel_values(self.mean, &device)) / channel_values(self.std, &device)
    }

    /// Runs the body on normalised images; see [`forward_observed`](Self::forward_observed).
    fn walk(&self, normalised: Tensor<4>, observe: &mut Observer) -> ControlFlow<(), Tensor<2>> {
        match &self.body {
            Body::Cifar(network) => network.forward(normalised, observe),
            Body::ImageNet(network) => network.forward(normalised, observe),
        }
    }

    /// Names and widths of the ReLU layers in forward order.
    pub fn layers(&self) -> Vec<LayerShape> {
        match &self.body {
            Body::Cifar(network) => network.layers(),
            Body::ImageNet(network) => network.layers(),
        }
    }

    /// Classes the network tells apart.
    pub fn classes(&self) -> usize {
        match &self.body {
            Body::Cifar(network) => network.classes(),
            Body::ImageNet(network) => network.classes(),
        }
    }
}

/// A value a channel, `[1, 3, 1, 1]`.
fn channel_values(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), device)
}

/// `stem`, then `stage<s>.block<b>.relu<r>`, all counted from 1.
pub(crate) fn layer_shapes(stem_units: usize, stages: &[Vec<Vec<usize>>]) -> Vec<LayerShape> {
    let mut layers = vec![LayerShape {
        name: "stem".into(),
        units: stem_units as u32,
    }];
    for (stage, blocks) in stages.iter().enumerate() {
        for (block, relus) in blocks.iter().enumerate() {
            for (relu, &units) in relus.iter().enumerate() {
                layers.push(LayerShape {
                    name: format!("stage{}.block{}.relu{}", stage + 1, block + 1, relu + 1),
                    units: units as u32,
                });
            }
        }
    }
    layers
}

/// `model` with the first value of its first tensor whose path ends with `name` replaced: a broken network.
#[cfg(test)]
pub(crate) fn spoilt(model: Model, name: &'static str, value: f32) -> Model {
    use burn::module::{ModuleMapper, Param};
    struct Spoil {
        path: Vec<String>,
        name: &'static str,
        value: f32,
        done: bool,
    }
    impl ModuleMapper for Spoil {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.done || !self.path.join(".").ends_with(self.name) {
                return param;
            }
            self.done = true;
            let (device, shape, id) = (param.val().device(), param.val().dims(), param.id);
            let mut values = crate::base::host::host(param.val());
            values[0] = self.value;
            Param::initialized(
                id,
                Tensor::from_data(TensorData::new(values, shape), &device),
            )
        }
    }
    let mut spoil = Spoil {
        path: Vec::new(),
        name,
        value,
        done: false,
    };
    let model = model.map(&mut spoil);
    assert!(spoil.done, "no tensor is called {name}");
    model
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    /// Breaks when a block forgets to hand out a ReLU, hands it out twice, or names disagree with it.
    #[test]
    fn every_network_hands_out_its_relus_as_named() {
        let device = Device::flex();
        let relus = [
            (Network::ResNet8, 7, 8),
            (Network::ResNet20, 19, 8),
            (Network::ResNet32, 31, 8),
            (Network::ResNet44, 43, 8),
            (Network::ResNet56, 55, 8),
            (Network::ResNet18, 17, 16),
            (Network::ResNet50, 49, 16),
        ];
        for (network, count, side) in relus {
            let model = ModelConfig::with_generic_normalisation(network, 7).init(0, &device);
            let layers = model.layers();
            assert_eq!(layers.len(), count, "{network}");
            assert_eq!(layers, network.layers(), "as the form counts them");
            assert_eq!(layers[0].name, "stem");
            let images = Tensor::random([2, 3, side, side + 4], Distribution::Default, &device);
            let mut widths = Vec::new();
            let logits = model.forward_observed(images, &mut |activations| {
                let [batch, units, _, _] = activations.maps.dims();
                assert_eq!(batch, 2);
                assert!(
                    activations.maps.min().into_scalar::<f32>() >= 0.0,
                    "not after a ReLU"
                );
                widths.push(units as u32);
            });
            assert_eq!(logits.dims(), [2, 7]);
            assert_eq!(
                widths,
                layers.iter().map(|l| l.units).collect::<Vec<_>>(),
                "{network}"
            );
        }
    }

    /// Breaks when the width or depth differs from He et al. 2015 (table 6: 0.27 M, 0.46 M, 0.66 M,
    /// 0.85 M) or from torchvision's 11.7 M and 25.6 M at 1000 classes.
    #[test]
    fn parameter_counts_are_the_published_ones() {
        let device = Device::flex();
        // num_params counts batch norm's running statistics too; trainable ones are what papers count.
        let trainable = |network, classes| {
            weights::trainable_parameters(
                &ModelConfig::with_generic_normalisation(network, classes).init(0, &device),
            )
        };
        assert_eq!(trainable(Network::ResNet20, 10), 269_722);
        assert_eq!(trainable(Network::ResNet56, 10), 853_018);
        assert_eq!(trainable(Network::ResNet18, 1000), 11_689_512);
        assert_eq!(trainable(Network::ResNet50, 1000), 25_557_032);
    }

    /// Breaks when initial weights come from anything but the seed.
    #[test]
    fn weights_come_from_the_seed_alone() {
        let device = Device::flex();
        let images = Tensor::random([1, 3, 8, 8], Distribution::Default, &device);
        let logits = |seed| {
            ModelConfig::with_generic_normalisation(Network::ResNet8, 5)
                .init(seed, &device)
                .forward(images.clone())
                .into_data()
        };
        assert_eq!(logits(3), logits(3));
        assert_ne!(logits(3), logits(4));
    }
}
