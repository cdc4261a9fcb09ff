//! Dimensionality of full activation maps, not averaged over space, from products of images.
//!
//! Memory: two blocks of images' maps, at most 256 MB each, and `images^2` f64 a layer; the map's size decides
//! only how many images make a block, and so how often maps are computed anew: with k blocks, (k + 1) / 2
//! times. (ResNet20 on CIFAR-10 has 0.7 MB of maps an image, ResNet18 on Tiny ImageNet 9 MB.)

use std::path::Path;

use burn::tensor::Tensor;
use protocol::dimensionality::{ActivationMatrix, Perturbation};
use rayon::prelude::*;

use super::{Measure, file, keep};
use crate::EngineError;
use crate::base::arrays::Arrays;
use crate::base::host::host;
use crate::inference::batch::{clean_images, to_tensor};
use crate::measures::spectrum::Gram;

/// Bytes of maps that make a block.
const BLOCK: usize = 256 << 20;

impl Measure<'_> {
    /// Measures full activations, unless an earlier try did.
    pub(super) fn activations(
        &self,
        perturbation: Perturbation,
        folder: Option<&Path>,
    ) -> Result<(), EngineError> {
        let path = folder.map(|folder| file(folder, perturbation));
        if self.kept(path.as_deref())? {
            return self.advanced(self.indices.len(), false);
        }
        let images = self.indices.len();
        // Perturbed images are made once: an attack costs more than the maps computed from it.
        let perturbed = match perturbation {
            Perturbation::Clean => None,
            _ => {
                let mut values = Vec::new();
                for chunk in self.indices.chunks(self.trained.batch_size) {
                    values.extend(host(self.images(perturbation, chunk)?));
                }
                Some(values)
            }
        };
        let columns = self.columns();
        let size = (BLOCK / (columns.iter().sum::<usize>() * size_of::<f32>())).clamp(1, images);
        let mut grams = vec![Gram::new(images); columns.len()];
        for first in (0..images).step_by(size) {
            let left = self.maps(first..images.min(first + size), perturbed.as_deref())?;
            for second in (first..images).step_by(size) {
                let other;
                let right = if second == first {
                    &left
                } else {
                    other = self.maps(second..images.min(second + size), perturbed.as_deref())?;
                    &other
                };
                grams
                    .par_iter_mut()
                    .zip(left.par_iter().zip(right))
                    .zip(&columns)
                    .for_each(|((gram, (left, right)), &columns)| {
                        gram.set_block(first, left, second, right, columns);
                    });
            }
        }
        let spectra = grams
            .into_par_iter()
            .map(Gram::spectrum)
            .collect::<Result<Vec<_>, _>>()?;
        let matrix = ActivationMatrix::Activations;
        let measurement = self.measurement(matrix, perturbation, &columns, &spectra);
        if let Some(path) = path {
            let shape = [spectra.len(), images];
            keep(Arrays::default(), &measurement, &spectra, &shape, &path)?;
        }
        self.say(measurement);
        Ok(())
    }

    /// Values per image of each layer's maps.
    fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        let one = clean_images(self.trained.test, &self.indices[..1], self.trained.device);
        self.trained
            .model
            .forward_observed(one, &mut |activations| {
                let [_, units, height, width] = activations.maps.dims();
                columns.push(units * height * width);
            });
        columns
    }

    /// Maps of each layer, `[images, columns]`, row by row, of the images in these places: clean, or clean minus perturbed.
    fn maps(
        &self,
        places: std::ops::Range<usize>,
        perturbed: Option<&[f32]>,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let test = self.trained.test;
        let mut layers: Vec<Vec<f32>> = vec![Vec::new(); self.units.len()];
        let batch = self.trained.batch_size;
        for first in places.clone().step_by(batch) {
            let end = places.end.min(first + batch);
            let clean = clean_images(test, &self.indices[first..end], self.trained.device);
            let clean = self.all_maps(clean)?;
            let difference = match perturbed {
                None => clean,
                Some(values) => {
                    let length = test.image_len();
                    let values = values[first * length..end * length].to_vec();
                    let images = to_tensor(values, end - first, test, self.trained.device);
                    let perturbed = self.all_maps(images)?;
                    let subtract = |(a, b): (Vec<f32>, Vec<f32>)| {
                        a.iter().zip(b).map(|(a, b)| a - b).collect()
                    };
                    clean.into_iter().zip(perturbed).map(subtract).collect()
                }
            };
            for (layer, values) in layers.iter_mut().zip(difference) {
                layer.extend(values);
            }
        }
        Ok(layers)
    }

    fn all_maps(&self, images: Tensor<4>) -> Result<Vec<Vec<f32>>, EngineError> {
        let count = images.dims()[0];
        let mut maps = Vec::new();
        self.trained
            .model
            .forward_observed(images, &mut |activations| maps.push(host(activations.maps)));
        self.advanced(count, true)?;
        Ok(maps)
    }
}
