//! Batches of images on their way to the device, prepared on another thread while the last step computes.

use std::sync::mpsc::sync_channel;

use burn::tensor::{Device, Tensor};
use protocol::Augmentation;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::base::host::is_cpu;
use crate::base::random::{Stream, generator};
use crate::data::{ImageSet, Pixel, augment};
use crate::inference::batch::{bytes_to_tensor, to_tensor};

/// How the training images of one epoch are drawn.
#[derive(Debug, Clone, Copy)]
pub struct EpochPlan<'a> {
    /// The images.
    pub set: &'a ImageSet,
    /// Which of them are trained on.
    pub indices: &'a [usize],
    /// Images a step.
    pub batch_size: usize,
    /// How they are varied.
    pub augmentation: Augmentation,
    /// The run's seed.
    pub seed: u64,
    /// Epoch, from 1.
    pub epoch: u32,
}

/// One step's images and labels on the host.
struct HostBatch<P> {
    pixels: Vec<P>,
    labels: Vec<u32>,
}

/// Brings pixels `[batch, 3, height, width]`, row by row, to a device.
type Upload<P> = fn(Vec<P>, usize, &ImageSet, &Device) -> Tensor<4>;

impl EpochPlan<'_> {
    /// Batches of the epoch: every image once, in the epoch's own order. A last batch of a single
    /// image is left out, since batch norm has no statistics of one.
    fn batches(&self) -> Vec<Vec<usize>> {
        let mut order = self.indices.to_vec();
        order.shuffle(&mut generator(self.seed, Stream::Order, self.epoch.into()));
        order
            .chunks(self.batch_size)
            .filter(|chunk| chunk.len() > 1)
            .map(<[usize]>::to_vec)
            .collect()
    }

    /// Steps of the epoch.
    pub fn steps(&self) -> usize {
        let (full, rest) = (
            self.indices.len() / self.batch_size,
            self.indices.len() % self.batch_size,
        );
        full + usize::from(rest > 1)
    }

    fn prepare<P: Pixel>(&self, indices: &[usize]) -> HostBatch<P> {
        let length = self.set.image_len();
        let mut pixels = vec![P::from_byte(0); indices.len() * length];
        let epoch_generator = generator(self.seed, Stream::Augmentation, self.epoch.into());
        pixels
            .par_chunks_mut(length)
            .zip(indices)
            .for_each(|(out, &index)| {
                // Each image has a stream of its own, so that threads cannot change what it draws.
                let mut random = epoch_generator.clone();
                random.set_stream(index as u64);
                augment(
                    self.augmentation,
                    self.set.image(index),
                    self.set.height(),
                    self.set.width(),
                    &mut random,
                    out,
                );
            });
        HostBatch {
            pixels,
            labels: self.set.labels_at(indices),
        }
    }

    /// Calls `step(step from 1, images [batch, 3, height, width] in [0, 1], labels)` for every batch; stops at the first
    /// error.
    pub fn for_each<E>(
        &self,
        device: &Device,
        step: impl FnMut(usize, Tensor<4>, Vec<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        if is_cpu(device) {
            self.stream::<f32, E>(device, to_tensor, step)
        } else {
            self.stream::<u8, E>(device, bytes_to_tensor, step)
        }
    }

    fn stream<P: Pixel, E>(
        &self,
        device: &Device,
        upload: Upload<P>,
        mut step: impl FnMut(usize, Tensor<4>, Vec<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(2);
            scope.spawn(move || {
                for batch in self.batches() {
                    if sender.send(self.prepare::<P>(&batch)).is_err() {
                        return; // The training side stopped early.
                    }
                }
            });
            for (index, batch) in receiver.into_iter().enumerate() {
                let images = upload(batch.pixels, batch.labels.len(), self.set, device);
                step(index + 1, images, batch.labels)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(images: usize) -> ImageSet {
        let pixels = (0..images * 3 * 8 * 8).map(|i| (i % 251) as u8).collect();
        let labels = (0..images as u32).map(|i| i % 3).collect();
        ImageSet::new(pixels, labels, 8, 8).unwrap()
    }

    fn draw(plan: &EpochPlan) -> Vec<(Vec<f32>, Vec<u32>)> {
        let mut seen = Vec::new();
        plan.for_each(&Device::flex(), |_, images, labels| {
            seen.push((images.into_data().try_into_vec::<f32>().unwrap(), labels));
            Ok::<_, ()>(())
        })
        .unwrap();
        seen
    }

    /// Breaks when a GPU, which gets bytes, trains on other images than the CPU.
    #[test]
    fn bytes_are_the_same_images() {
        let set = set(23);
        let indices: Vec<usize> = (0..23).collect();
        for augmentation in [
            Augmentation::None,
            Augmentation::CropFlip,
            Augmentation::ResizedCropFlip,
        ] {
            let plan = EpochPlan {
                set: &set,
                indices: &indices,
                batch_size: 5,
                augmentation,
                seed: 1,
                epoch: 1,
            };
            let mut seen = Vec::new();
            plan.stream::<u8, ()>(&Device::flex(), bytes_to_tensor, |_, images, labels| {
                seen.push((images.into_data().try_into_vec::<f32>().unwrap(), labels));
                Ok(())
            })
            .unwrap();
            assert!(seen == draw(&plan), "{augmentation:?}");
        }
    }

    /// Breaks when an image is left out, drawn twice, or an epoch repeats the order of another.
    #[test]
    fn an_epoch_sees_every_image_once_in_an_order_of_its_own() {
        let set = set(23);
        let indices: Vec<usize> = (0..23).collect();
        let plan = EpochPlan {
            set: &set,
            indices: &indices,
            batch_size: 5,
            augmentation: Augmentation::CropFlip,
            seed: 1,
            epoch: 1,
        };
        let mut all: Vec<usize> = plan.batches().concat();
        all.sort_unstable();
        assert_eq!(all, indices);
        assert_eq!(plan.steps(), plan.batches().len());
        assert_ne!(plan.batches(), EpochPlan { epoch: 2, ..plan }.batches());
        assert_ne!(plan.batches(), EpochPlan { seed: 2, ..plan }.batches());
        assert_eq!(draw(&plan), draw(&plan));
        let lone = EpochPlan {
            batch_size: 11,
            ..plan
        };
        assert_eq!(
            (lone.steps(), lone.batches().len()),
            (2, 2),
            "a last batch of one is left out"
        );
    }
}
