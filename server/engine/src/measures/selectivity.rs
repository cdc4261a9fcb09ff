//! Class selectivity of units, and the regulariser that acts on it.
//!
//! A *unit* is one feature map; its response to an image is the mean of the map after a ReLU. With
//! `top` the largest of a unit's mean responses to each class, and `rest` the mean of the others,
//!
//! ```text
//! SI = (top - rest) / (top + rest + 1e-7)
//! ```
//!
//! is 0 for a unit that responds to every class alike (or to nothing), and 1 for a unit that responds
//! to a single class. A layer's selectivity is the mean over its units, a network's the mean over its
//! layers. Only classes that are present count.
//!
//! Source: Leavitt & Morcos 2020, *Selectivity considered harmful* (arXiv 2003.01262), equations 1 to 3.

use burn::tensor::{Tensor, TensorData};
use protocol::LayerSelectivity;
use protocol::result::LayerShape;

/// What keeps the index of a silent unit at 0 rather than 0/0.
pub const EPSILON: f64 = 1e-7;

/// The selectivity index of one unit from its mean responses to the classes that are present, 0 to 1.
///
/// 0 for fewer than two classes: there is nothing to be selective between.
pub fn selectivity_index(class_means: &[f64]) -> f64 {
    if class_means.len() < 2 {
        return 0.0;
    }
    let top = class_means
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let rest = (class_means.iter().sum::<f64>() - top) / (class_means.len() - 1) as f64;
    (top - rest) / (top + rest + EPSILON)
}

/// Network selectivity `[1]` of a minibatch, differentiable in the responses: what the regulariser
/// multiplies by alpha. `responses` holds one `[batch, units]` tensor a layer.
///
/// `None` where fewer than two classes are present: the index is not defined, and the minibatch is
/// trained on cross-entropy alone.
pub fn minibatch_selectivity(responses: Vec<Tensor<2>>, labels: &[u32]) -> Option<Tensor<1>> {
    let mut present = labels.to_vec();
    present.sort_unstable();
    present.dedup();
    let classes = present.len();
    if classes < 2 || responses.is_empty() {
        return None;
    }
    let device = responses[0].device();

    // [classes, batch]: a row averages the images of one class.
    let mut averaging = vec![0.0_f32; classes * labels.len()];
    for (row, class) in present.iter().enumerate() {
        let of_class = labels.iter().filter(|&label| label == class).count() as f32;
        for (column, label) in labels.iter().enumerate() {
            if label == class {
                averaging[row * labels.len() + column] = 1.0 / of_class;
            }
        }
    }
    let averaging =
        Tensor::<2>::from_data(TensorData::new(averaging, [classes, labels.len()]), &device);

    // [units of all layers, 1]: every layer weighs the same, and every unit within it.
    let layers = responses.len();
    let mut weights = Vec::new();
    for layer in &responses {
        let units = layer.dims()[1];
        weights.extend(std::iter::repeat_n(1.0 / (layers * units) as f32, units));
    }
    let units = weights.len();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [units, 1]), &device);

    let class_means = averaging.matmul(Tensor::cat(responses, 1));
    let top = class_means.clone().max_dim(0);
    let rest = (class_means.sum_dim(0) - top.clone()) / (classes - 1) as f32;
    let index = (top.clone() - rest.clone()) / (top + rest + EPSILON as f32);
    Some(index.matmul(weights).flatten::<1>(0, 1))
}

/// Class-conditional mean responses of every unit, gathered batch by batch, in f64.
///
/// Memory: classes x units of all layers; no activations are kept.
#[derive(Debug, Clone)]
pub struct ClassResponses {
    layers: Vec<LayerShape>,
    units: usize,
    /// `[classes, units of all layers]`
    sums: Vec<f64>,
    counts: Vec<u64>,
}

impl ClassResponses {
    /// Empty sums for a network with these layers and this many classes.
    pub fn new(layers: Vec<LayerShape>, classes: usize) -> Self {
        let units = layers.iter().map(|layer| layer.units as usize).sum();
        ClassResponses {
            layers,
            units,
            sums: vec![0.0; classes * units],
            counts: vec![0; classes],
        }
    }

    /// Adds a batch: `responses` is `[batch, units of all layers]`, row by row; labels index the classes.
    pub fn add(&mut self, responses: &[f32], labels: &[u32]) {
        assert_eq!(
            responses.len(),
            labels.len() * self.units,
            "one row of all units an image"
        );
        for (row, &label) in responses.chunks_exact(self.units).zip(labels) {
            let class = label as usize;
            self.counts[class] += 1;
            let sums = &mut self.sums[class * self.units..][..self.units];
            for (sum, &response) in sums.iter_mut().zip(row) {
                *sum += f64::from(response);
            }
        }
    }

    /// Selectivity of every layer and unit over the classes that are present.
    pub fn selectivity(&self) -> Vec<LayerSelectivity> {
        let present: Vec<usize> = (0..self.counts.len())
            .filter(|&class| self.counts[class] > 0)
            .collect();
        let mut first = 0;
        self.layers
            .iter()
            .map(|layer| {
                let width = layer.units as usize;
                let mut units = Vec::with_capacity(width);
                let mut preferred_class = Vec::with_capacity(width);
                let mut dead_units = 0;
                for unit in first..first + width {
                    let means: Vec<f64> = present
                        .iter()
                        .map(|&class| {
                            self.sums[class * self.units + unit] / self.counts[class] as f64
                        })
                        .collect();
                    units.push(selectivity_index(&means));
                    let best = means
                        .iter()
                        .enumerate()
                        .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))
                        .map_or(0, |(index, _)| present[index]);
                    preferred_class.push(best as u32);
                    dead_units += u32::from(means.iter().all(|&mean| mean == 0.0));
                }
                first += width;
                LayerSelectivity {
                    name: layer.name.clone(),
                    mean: mean(&units),
                    units: units.into_iter().map(|unit| unit as f32).collect(),
                    preferred_class,
                    dead_units,
                }
            })
            .collect()
    }
}

/// Network selectivity: the mean over layers, so that each layer weighs the same however wide.
pub fn network_selectivity(layers: &[LayerSelectivity]) -> f64 {
    mean(&layers.iter().map(|layer| layer.mean).collect::<Vec<_>>())
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn layer(name: &str, units: u32) -> LayerShape {
        LayerShape {
            name: name.into(),
            units,
        }
    }

    /// Breaks when the formula, its epsilon or its denominator changes.
    #[test]
    fn index_of_known_units() {
        assert_eq!(selectivity_index(&[0.0, 0.0, 0.0]), 0.0);
        assert_eq!(selectivity_index(&[2.0, 2.0]), 0.0);
        assert!((selectivity_index(&[0.0, 5.0, 0.0]) - 1.0).abs() < 1e-7);
        // top 4, rest (1 + 1) / 2 = 1: 3 / 5.
        assert!((selectivity_index(&[1.0, 4.0, 1.0]) - 0.6).abs() < 1e-7);
        assert_eq!(selectivity_index(&[7.0]), 0.0);
    }

    /// Breaks when absent classes count as classes with a response of 0, or layers weigh by width.
    #[test]
    fn only_present_classes_count_and_layers_weigh_the_same() {
        let device = Device::flex();
        // Classes 1 and 3 of many; layer a has one unit (means 1 and 3: SI 0.5), layer b two silent units.
        let a = Tensor::<2>::from_floats([[1.0], [2.0], [4.0]], &device);
        let b = Tensor::<2>::zeros([3, 2], &device);
        let labels = [1, 3, 3];
        let value = minibatch_selectivity(vec![a, b], &labels)
            .unwrap()
            .into_scalar::<f32>();
        assert!((value - 0.25).abs() < 1e-6, "{value}");

        let mut gathered = ClassResponses::new(vec![layer("a", 1), layer("b", 2)], 5);
        gathered.add(&[1.0, 0.0, 0.0, 2.0, 0.0, 0.0], &labels[..2]);
        gathered.add(&[4.0, 0.0, 0.0], &labels[2..]);
        let layers = gathered.selectivity();
        assert!((network_selectivity(&layers) - 0.25).abs() < 1e-7);
        assert_eq!(layers[0].preferred_class, [3]);
        assert_eq!((layers[0].dead_units, layers[1].dead_units), (0, 2));
    }

    /// Breaks when a batch of a single class divides by zero instead of giving `None`.
    #[test]
    fn one_class_alone_has_no_selectivity() {
        let responses = Tensor::<2>::ones([2, 3], &Device::flex());
        assert!(minibatch_selectivity(vec![responses], &[4, 4]).is_none());
    }

    /// Breaks when the gradient is not that of the formula (checked by central differences).
    #[test]
    fn gradient_agrees_with_finite_differences() {
        let device = Device::flex().autodiff();
        let values: Vec<f32> = (0..24)
            .map(|i| 0.3 + ((i * 7919) % 23) as f32 / 23.0)
            .collect();
        let labels = [0, 1, 2, 0, 1, 2];
        let selectivity = |values: &[f32]| {
            let responses =
                Tensor::<2>::from_data(TensorData::new(values.to_vec(), [6, 4]), &device)
                    .require_grad();
            let value = minibatch_selectivity(vec![responses.clone()], &labels).unwrap();
            (responses, value)
        };
        let (responses, value) = selectivity(&values);
        let gradient = responses.grad(&value.backward()).unwrap();
        let gradient = gradient.into_data().try_to_vec::<f32>().unwrap();
        for i in 0..values.len() {
            let step = 1e-2;
            let shifted = |sign: f32| {
                let mut moved = values.clone();
                moved[i] += sign * step;
                selectivity(&moved).1.into_scalar::<f32>()
            };
            let numeric = (shifted(1.0) - shifted(-1.0)) / (2.0 * step);
            assert!(
                (numeric - gradient[i]).abs() < 2e-3,
                "{numeric} against {}",
                gradient[i]
            );
        }
    }
}
