//! The network that is attacked.

use std::cell::{Cell, RefCell};

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::AttackError;
use super::ball::rows;
use super::loss::{Loss, gradient_at_logits, margin};
use crate::base::host::{host, is_cpu};
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

/// How many passes a GPU may be ahead of the host, which counts them and can end them.
const PASSES_BETWEEN_READS: usize = 16;

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
    exact: bool,
    passes: Cell<Passes>,
    watch: RefCell<Option<Watch<'a>>>,
    /// Of each pass that was not read yet, whether an image's gradient was not finite though its logits were, `[batch, 1]`.
    unread: RefCell<Vec<Tensor<2, Bool>>>,
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
            exact: is_cpu(device),
            passes: Cell::default(),
            watch: RefCell::default(),
            unread: RefCell::default(),
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
        self.exact
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
    /// When whoever watches ends it, or a gradient of an earlier pass was not finite though its logits were.
    pub fn logits(&self, images: Tensor<4>) -> Result<Logits, AttackError> {
        let batch = images.dims()[0];
        if batch == 0 {
            return Ok(self.host_logits(Vec::new()));
        }
        let logits = (self.forward)(enough(images).autodiff());
        let logits = self.host_logits(host(logits.inner().narrow(0, 0, batch)));
        self.settle()?;
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
        // Losses and their gradients at the logits come from the host.
        let mut at_logits = vec![0.0_f32; rows * self.classes];
        let losses = at_logits
            .chunks_exact_mut(self.classes)
            .zip(labels)
            .enumerate()
            .map(|(row, (gradient, &label))| {
                loss.value_and_gradient(row, logits.row(row), label, gradient)
            })
            .collect();
        let at_logits = Tensor::<2>::from_data(
            TensorData::new(at_logits, [rows, self.classes]),
            &self.device,
        );
        let gradient = match gradient_from(&images, output, at_logits) {
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

    /// The gradient of the cross-entropy of images `[batch, 3, height, width]` in [0, 1] with one label each: that of
    /// [`loss_and_gradient`](Self::loss_and_gradient), for attacks that need nothing else. A GPU computes it without being read,
    /// so that a gradient that is not finite is an error of one of the next passes, at the latest of [`settle`](Self::settle):
    /// whoever calls this calls that before the images are used.
    ///
    /// # Errors
    /// As [`loss_and_gradient`](Self::loss_and_gradient), and those of [`settle`](Self::settle).
    pub fn cross_entropy_gradient(
        &self,
        images: Tensor<4>,
        labels: &[u32],
    ) -> Result<Tensor<4>, AttackError> {
        let loss = Loss::CrossEntropy;
        if self.is_exact() {
            return Ok(self.loss_and_gradient(images, labels, loss)?.gradient);
        }
        let batch = images.dims()[0];
        loss.check(labels, batch, self.classes)?;
        if batch == 0 {
            return Ok(images);
        }
        let images = images.autodiff().require_grad();
        let output = (self.forward)(images.clone());
        let logits = output.clone().inner();
        let at_logits = gradient_at_logits(logits.clone(), labels);
        let gradient = match gradient_from(&images, output, at_logits) {
            Some(gradient) => self.finite_or_unread(gradient, logits)?,
            None => images.inner().zeros_like(),
        };
        self.count(batch, batch)?;
        Ok(gradient)
    }

    /// `gradient` with zeros for what is not finite. Whether the `logits` of these images were finite is read later.
    fn finite_or_unread(
        &self,
        gradient: Tensor<4>,
        logits: Tensor<2>,
    ) -> Result<Tensor<4>, AttackError> {
        let (broken, failed) = not_finite(&gradient, logits);
        let ahead = {
            let mut unread = self.unread.borrow_mut();
            unread.push(failed);
            unread.len()
        };
        if ahead >= PASSES_BETWEEN_READS {
            self.settle()?;
        }
        Ok(gradient.mask_fill(broken, 0.0))
    }

    /// Reads what the passes since the last reading left on the device, if anything, and so waits for them. Nothing on the CPU.
    ///
    /// # Errors
    /// When a gradient of theirs was not finite though its logits were.
    pub fn settle(&self) -> Result<(), AttackError> {
        let passes = self.unread.take();
        if passes.is_empty() {
            return Ok(());
        }
        let rows = passes.iter().flat_map(|failed| 0..failed.dims()[0]);
        let rows: Vec<usize> = rows.collect();
        let failed = passes.into_iter().map(|one| one.float()).collect();
        let failed = host(Tensor::cat(failed, 0));
        match rows.iter().zip(failed).find(|(_, failed)| *failed != 0.0) {
            None => Ok(()),
            Some((&row, _)) => Err(AttackError::Gradient {
                loss: Loss::CrossEntropy.name(),
                row,
                value: None,
            }),
        }
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

/// What is not finite in `gradient` `[batch, 3, height, width]`, and in which images although their `logits` are finite,
/// `[batch, 1]`.
pub(crate) fn not_finite(
    gradient: &Tensor<4>,
    logits: Tensor<2>,
) -> (Tensor<4, Bool>, Tensor<2, Bool>) {
    let broken = gradient.clone().is_finite().bool_not();
    let failed = broken
        .clone()
        .any_dim(3)
        .any_dim(2)
        .any_dim(1)
        .flatten::<2>(1, 3)
        .bool_and(logits.is_finite().all_dim(1));
    (broken, failed)
}

/// The gradient with respect to `images`, which are tracked, from that at `output`, which was computed of them: the way back is
/// linear. None where `output` does not depend on `images`.
fn gradient_from(images: &Tensor<4>, output: Tensor<2>, at_output: Tensor<2>) -> Option<Tensor<4>> {
    if !output.is_tracked() {
        return None;
    }
    let mut gradients = (output * at_output.autodiff()).sum().backward();
    images.grad_remove(&mut gradients)
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
                value: Some(value),
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
    use crate::attacks::{Attack, Ball, Fgsm, Norm, Pgd, Samples, Start};
    use crate::networks::ModelConfig;
    use protocol::Network;

    fn model() -> Model {
        let config = ModelConfig::with_generic_normalisation(Network::ResNet8, 5);
        config.init(1, &Device::flex())
    }

    /// `target`, used as if it were on a GPU.
    fn unread(mut target: Target) -> Target {
        target.exact = false;
        target
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

    /// Breaks when the gradient that a GPU computes unread is another than the CPU's.
    #[test]
    fn the_unread_gradient_is_the_same() {
        let target = Target::new(&model(), &Device::flex());
        let labels: Vec<u32> = (0..9).map(|i| i % 5).collect();
        let expected = target
            .loss_and_gradient(images(9), &labels, Loss::CrossEntropy)
            .unwrap();
        let target = unread(target);
        let found = target.cross_entropy_gradient(images(9), &labels).unwrap();
        let (expected, found) = (host(expected.gradient), host(found));
        let largest = expected.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        assert!(largest > 0.0);
        for (expected, found) in expected.iter().zip(&found) {
            assert!((expected - found).abs() <= 1e-5 * largest);
        }
        target.settle().unwrap();
        let twice = Passes {
            forward: 18,
            backward: 18,
        };
        assert_eq!(target.passes(), twice);
    }

    /// Breaks when a gradient that is not finite goes unnoticed because nobody read it, or is an error although the logits were
    /// not finite either, or stays in the images.
    #[test]
    fn an_unread_gradient_that_is_not_finite_is_an_error_later() {
        let device = Device::flex();
        // The root's slope at 0 is infinite; the third image's logits are not numbers.
        let cliff = unread(Target::from_function(2, &device, |images| {
            let [batch, ..] = images.dims();
            let values = images.reshape([batch, 192]).narrow(1, 0, 2);
            (values - 0.25).sqrt()
        }));
        let at = |levels: &[f32]| {
            let rows: Vec<f32> = levels.iter().flat_map(|&level| [level; 192]).collect();
            Tensor::from_data(TensorData::new(rows, [levels.len(), 3, 8, 8]), &device)
        };
        let harmless = cliff.cross_entropy_gradient(at(&[0.5, 0.75, 0.125]), &[0, 1, 0]);
        assert!(
            host(harmless.unwrap())
                .iter()
                .all(|value| value.is_finite())
        );
        assert!(cliff.logits(at(&[0.5])).is_ok());
        let broken = cliff.cross_entropy_gradient(at(&[0.5, 0.25]), &[0, 1]);
        assert!(host(broken.unwrap()).iter().all(|value| value.is_finite()));
        let error = cliff.logits(at(&[0.5])).unwrap_err();
        assert!(
            matches!(
                error,
                AttackError::Gradient {
                    row: 1,
                    value: None,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("not finite"), "{error}");
        // Without anyone who reads: after so many passes.
        let passes = (0..PASSES_BETWEEN_READS)
            .map(|_| cliff.cross_entropy_gradient(at(&[0.25]), &[0]).err());
        assert_eq!(passes.flatten().count(), 1);
        // Attacks end with it.
        let ball = Ball::new(Norm::Linf, 0.1).unwrap();
        let samples = Samples::new(at(&[0.25]), vec![0], vec![0], 0).unwrap();
        let attacks: [Box<dyn Attack>; 2] = [
            Box::new(Fgsm { ball }),
            Box::new(Pgd::new(ball, 0.1, 1, Start::Clean).unwrap()),
        ];
        for attack in attacks {
            assert!(
                attack.perturb(&cliff, &samples).is_err(),
                "{}",
                attack.name()
            );
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
