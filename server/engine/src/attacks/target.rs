//! The network that is attacked.

use std::cell::{Cell, RefCell};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::AttackError;
use super::ball::rows;
use super::loss::{Loss, margin};
use crate::base::host::host;
use crate::networks::Model;

/// The passes that an attack used, in images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passes {
    /// Images that went forward, those of gradients included.
    pub forward: u64,
    /// Images whose gradient was computed.
    pub backward: u64,
}

/// Logits on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    /// `[batch, classes]`, row by row.
    values: Vec<f32>,
    classes: usize,
}

impl Logits {
    /// The logits of image `row`, one a class.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.classes..][..self.classes]
    }

    /// Images.
    pub fn len(&self) -> usize {
        self.values.len() / self.classes.max(1)
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The class of the largest logit of image `row`, the first of equal ones; none where a logit is NaN or infinity,
    /// and no class has a probability.
    pub fn prediction(&self, row: usize) -> Option<u32> {
        let logits = self.row(row);
        if logits
            .iter()
            .any(|&value| value.is_nan() || value == f32::INFINITY)
        {
            return None;
        }
        let first_best = (0..logits.len())
            .rev()
            .max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        first_best.map(|class| class as u32)
    }

    /// Every image's [`prediction`](Self::prediction).
    pub fn predictions(&self) -> Vec<Option<u32>> {
        (0..self.len()).map(|row| self.prediction(row)).collect()
    }

    /// `z_label - max of the others` of image `row`: positive where the label wins.
    pub(super) fn margin(&self, row: usize, label: u32) -> f32 {
        margin(self.row(row), label)
    }
}

/// Losses of a batch with their gradients.
pub struct Slope {
    /// One loss an image.
    pub losses: Vec<f64>,
    /// The logits of these losses.
    pub logits: Logits,
    /// Each loss's gradient with respect to its own image, `[batch, 3, height, width]`, without autodiff.
    /// Where an image's logits are not finite, values that are not finite are zero.
    pub gradient: Tensor<4>,
}

type Forward<'a> = Box<dyn Fn(Tensor<4>) -> Tensor<2> + 'a>;
type Watch<'a> = Box<dyn FnMut(Passes) -> bool + 'a>;

/// A trained network as an attack sees it: logits, and gradients with respect to images, in inference mode.
///
/// Nothing of the network changes: its copy here is frozen, so that batch norm keeps to its running
/// statistics though it is on a device with autodiff, and no parameter asks for a gradient. Every pass is
/// counted, and may be watched: that is how an attack is followed and cancelled in the middle.
pub struct Target<'a> {
    forward: Forward<'a>,
    classes: usize,
    device: Device,
    passes: Cell<Passes>,
    watch: RefCell<Option<Watch<'a>>>,
}

impl<'a> Target<'a> {
    /// `model`, as it is now, on `device` (without autodiff), where it must be already.
    pub fn new(model: &Model, device: &Device) -> Self {
        // Frozen first: `train` then brings it back to autodiff with everything still off.
        let frozen = model.valid().freeze().train();
        let classes = frozen.classes();
        Target::from_function(classes, device, move |images| frozen.forward(images))
    }

    /// Any function from images `[batch, 3, height, width]` in [0, 1], with autodiff, to logits
    /// `[batch, classes]`, on `device` (without autodiff). Each image's logits must depend on that image
    /// alone. Where the logits are no differentiable function of the images, gradients are zero.
    pub fn from_function(
        classes: usize,
        device: &Device,
        forward: impl Fn(Tensor<4>) -> Tensor<2> + 'a,
    ) -> Self {
        Target {
            forward: Box::new(forward),
            classes,
            device: device.clone().without_autodiff(),
            passes: Cell::default(),
            watch: RefCell::default(),
        }
    }

    /// Calls `watch(passes so far)` after every pass; `false` ends the attack with
    /// [`AttackError::Cancelled`]. `watch` must not use the target.
    pub fn watched(mut self, watch: impl FnMut(Passes) -> bool + 'a) -> Self {
        self.watch = RefCell::new(Some(Box::new(watch)));
        self
    }

    /// Classes the network tells apart.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Where it computes, without autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether an image's logits must be the same to the last bit in every batch: on the CPU.
    pub fn is_exact(&self) -> bool {
        self.device == Device::flex()
    }

    /// Passes since it was made.
    pub fn passes(&self) -> Passes {
        self.passes.get()
    }

    fn count(&self, forward: usize, backward: usize) -> Result<(), AttackError> {
        let mut passes = self.passes.get();
        passes.forward += forward as u64;
        passes.backward += backward as u64;
        self.passes.set(passes);
        let goes_on = match self.watch.borrow_mut().as_mut() {
            Some(watch) => watch(passes),
            None => true,
        };
        if goes_on {
            Ok(())
        } else {
            Err(AttackError::Cancelled)
        }
    }

    /// Logits of images `[batch, 3, height, width]` in [0, 1].
    ///
    /// # Errors
    /// When whoever watches ends it.
    pub fn logits(&self, images: Tensor<4>) -> Result<Logits, AttackError> {
        let batch = images.dims()[0];
        if batch == 0 {
            return Ok(self.host_logits(Vec::new()));
        }
        let logits = (self.forward)(enough(images).autodiff());
        let logits = self.host_logits(host(logits.inner().narrow(0, 0, batch)));
        self.count(batch, 0)?;
        Ok(logits)
    }

    fn host_logits(&self, values: Vec<f32>) -> Logits {
        Logits {
            values,
            classes: self.classes,
        }
    }

    /// `loss` of images `[batch, 3, height, width]` in [0, 1] with one label each, and its gradient.
    ///
    /// # Errors
    /// When labels and images do not belong together, the loss is not defined for so few classes, a gradient is not
    /// finite though the logits are, or whoever watches ends it.
    pub fn loss_and_gradient(
        &self,
        images: Tensor<4>,
        labels: &[u32],
        loss: Loss,
    ) -> Result<Slope, AttackError> {
        let shape = images.dims();
        let batch = shape[0];
        loss.check(labels, batch, self.classes)?;
        if batch == 0 {
            return Ok(Slope {
                losses: Vec::new(),
                logits: self.host_logits(Vec::new()),
                gradient: images,
            });
        }
        let images = enough(images).autodiff().require_grad();
        let rows = images.dims()[0];
        let output = (self.forward)(images.clone());
        let logits = self.host_logits(host(output.clone().inner().narrow(0, 0, batch)));
        // Losses and their gradients at the logits come from the host; the way back from there is linear.
        let mut at_logits = vec![0.0_f32; rows * self.classes];
        let losses = at_logits
            .chunks_exact_mut(self.classes)
            .zip(labels)
            .enumerate()
            .map(|(row, (gradient, &label))| {
                loss.value_and_gradient(row, logits.row(row), label, gradient)
            })
            .collect();
        let gradient = output.is_tracked().then(|| {
            let at_logits = Tensor::<2>::from_data(
                TensorData::new(at_logits, [rows, self.classes]),
                &self.device,
            );
            let mut gradients = (output * at_logits.autodiff()).sum().backward();
            images.grad_remove(&mut gradients)
        });
        let gradient = match gradient.flatten() {
            Some(gradient) => {
                let gradient = gradient.narrow(0, 0, batch);
                finite_where_logits_are(gradient, &logits, loss)?
            }
            None => Tensor::zeros(shape, &self.device),
        };
        self.count(batch, batch)?;
        Ok(Slope {
            losses,
            logits,
            gradient,
        })
    }

    /// `loss` of images as in [`loss_and_gradient`](Self::loss_and_gradient), with zeros for a gradient.
    ///
    /// # Errors
    /// As [`loss_and_gradient`](Self::loss_and_gradient).
    pub fn loss(
        &self,
        images: Tensor<4>,
        labels: &[u32],
        loss: Loss,
    ) -> Result<Slope, AttackError> {
        loss.check(labels, images.dims()[0], self.classes)?;
        let gradient = images.zeros_like();
        let logits = self.logits(images)?;
        let mut unused = vec![0.0; self.classes];
        let losses = labels
            .iter()
            .enumerate()
            .map(|(row, &label)| loss.value_and_gradient(row, logits.row(row), label, &mut unused))
            .collect();
        Ok(Slope {
            losses,
            logits,
            gradient,
        })
    }
}

/// `gradient` with zeros for what is not finite in images whose logits are not finite either.
fn finite_where_logits_are(
    gradient: Tensor<4>,
    logits: &Logits,
    loss: Loss,
) -> Result<Tensor<4>, AttackError> {
    let broken = gradient.clone().is_finite().bool_not();
    if !broken.clone().any().into_scalar::<bool>() {
        return Ok(gradient);
    }
    for (row, values) in rows(gradient.clone()).iter().enumerate() {
        let value = values.iter().find(|value| !value.is_finite());
        if let Some(&value) = value
            && logits.row(row).iter().all(|logit| logit.is_finite())
        {
            return Err(AttackError::Gradient {
                loss: loss.name(),
                row,
                value,
            });
        }
    }
    Ok(gradient.mask_fill(broken, 0.0))
}

/// Fewest images that go through a network at once.
const FEWEST: usize = 8;

/// The images, padded with copies of the first where they are fewer than [`FEWEST`]: products of up to 4 rows with
/// the last layer's weights use other code, which rounds differently. So an image's logits and gradient are the same
/// bit by bit in any batch.
fn enough(images: Tensor<4>) -> Tensor<4> {
    let batch = images.dims()[0];
    if batch >= FEWEST {
        return images;
    }
    let more = images.clone().narrow(0, 0, 1).repeat_dim(0, FEWEST - batch);
    Tensor::cat(vec![images, more], 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::ModelConfig;
    use protocol::Network;

    fn model() -> Model {
        let config = ModelConfig {
            network: Network::ResNet8,
            classes: 5,
            mean: [0.5; 3],
            std: [0.25; 3],
        };
        config.init(1, &Device::flex())
    }

    fn images(count: usize) -> Tensor<4> {
        let values: Vec<f32> = (0..count * 3 * 8 * 8)
            .map(|i| ((i * 7919) % 256) as f32 / 255.0)
            .collect();
        Tensor::from_data(TensorData::new(values, [count, 3, 8, 8]), &Device::flex())
    }

    /// Breaks when an image's logits or gradient depend on the batch around it.
    #[test]
    fn an_image_gives_the_same_in_every_batch() {
        let target = Target::new(&model(), &Device::flex());
        let labels: Vec<u32> = (0..70).map(|i| i % 5).collect();
        let whole = target
            .loss_and_gradient(images(70), &labels, Loss::CrossEntropy)
            .unwrap();
        for size in [1, 2, 3, 4, 5, 7, 8, 9, 16, 33] {
            for start in [0, 5, 37] {
                let part = images(70).narrow(0, start, size);
                let slope = target
                    .loss_and_gradient(
                        part.clone(),
                        &labels[start..start + size],
                        Loss::CrossEntropy,
                    )
                    .unwrap();
                let logits = target.logits(part).unwrap();
                assert_eq!(logits, slope.logits, "with and without a gradient");
                for row in 0..size {
                    assert_eq!(logits.row(row), whole.logits.row(start + row), "{size}");
                }
                let expected = host(whole.gradient.clone().narrow(0, start, size));
                assert!(
                    host(slope.gradient) == expected,
                    "gradients of {size} images"
                );
            }
        }
    }

    /// Breaks when passes are miscounted, or a watcher cannot end an attack.
    #[test]
    fn passes_are_counted_and_can_be_ended() {
        let target = Target::new(&model(), &Device::flex()).watched(|passes| passes.forward < 6);
        target.logits(images(3)).unwrap();
        let end = target.loss_and_gradient(images(3), &[0, 1, 2], Loss::CrossEntropy);
        assert_eq!(end.err(), Some(AttackError::Cancelled));
        let counted = Passes {
            forward: 6,
            backward: 3,
        };
        assert_eq!(target.passes(), counted);
    }

    /// Breaks when logits without a gradient, or a NaN among them, bring an attack down.
    #[test]
    fn a_target_without_gradients_gives_zeros() {
        let device = Device::flex();
        let flat = Target::from_function(2, &device, |images| {
            let [batch, ..] = images.dims();
            images.detach().reshape([batch, 192]).narrow(1, 0, 2)
        });
        let slope = flat
            .loss_and_gradient(images(3), &[0, 1, 0], Loss::CrossEntropy)
            .unwrap();
        assert!(host(slope.gradient).iter().all(|&value| value == 0.0));
        let broken = Target::from_function(2, &device, |images| {
            let [batch, ..] = images.dims();
            images.reshape([batch, 192]).narrow(1, 0, 2) * f32::NAN
        });
        let slope = broken
            .loss_and_gradient(images(3), &[0, 1, 0], Loss::CrossEntropy)
            .unwrap();
        assert!(host(slope.gradient).iter().all(|&value| value == 0.0));
        assert_eq!(slope.logits.predictions(), [None; 3]);
    }
}
