//! Clean images with labels on their way through an attack.

use burn::tensor::{Bool, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::AttackError;

/// Clean images with their labels, their indices in the data set, and the seed of their random draws.
#[derive(Debug, Clone)]
pub struct Samples {
    images: Tensor<4>,
    labels: Vec<u32>,
    indices: Vec<usize>,
    seed: u64,
}

impl Samples {
    /// `images` are `[batch, 3, height, width]` in [0, 1] on a device without autodiff, with a label and an
    /// index in the data set each. What is random is drawn from `seed` and the index.
    ///
    /// # Errors
    /// When there are not as many labels or indices as images.
    pub fn new(
        images: Tensor<4>,
        labels: Vec<u32>,
        indices: Vec<usize>,
        seed: u64,
    ) -> Result<Self, AttackError> {
        let expected = images.dims()[0];
        for (what, found) in [("labels", labels.len()), ("indices", indices.len())] {
            if found != expected {
                return Err(AttackError::Count {
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(Samples {
            images,
            labels,
            indices,
            seed,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The clean images, `[batch, 3, height, width]`.
    pub fn images(&self) -> &Tensor<4> {
        &self.images
    }

    /// One label an image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Where the images are in their set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The samples at `rows`, each below [`len`](Self::len), in that order.
    pub fn select(&self, rows: &[usize]) -> Samples {
        Samples {
            images: select(&self.images, rows),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            indices: rows.iter().map(|&row| self.indices[row]).collect(),
            seed: self.seed,
        }
    }

    /// The generator of sample `row` for `purpose`: which attack, and which of its restarts or targets. It
    /// depends on the seed, the image's index and the purpose alone.
    pub fn random(&self, row: usize, purpose: [u32; 2]) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        // Training's streams have their number here: no attack shares one.
        key[8..16].copy_from_slice(b"attacks!");
        key[16..24].copy_from_slice(&(self.indices[row] as u64).to_le_bytes());
        key[24..28].copy_from_slice(&purpose[0].to_le_bytes());
        key[28..].copy_from_slice(&purpose[1].to_le_bytes());
        ChaCha8Rng::from_seed(key)
    }
}

/// The images of a tensor at `rows`.
pub(super) fn select(images: &Tensor<4>, rows: &[usize]) -> Tensor<4> {
    let [_, channels, height, width] = images.dims();
    if rows.is_empty() {
        return Tensor::zeros([0, channels, height, width], &images.device());
    }
    let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let count = rows.len();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &images.device());
    images.clone().select(0, rows)
}

/// For each image, `yes` where it is marked, else `no`.
pub(super) fn choose(marks: &[bool], yes: &Tensor<4>, no: &Tensor<4>) -> Tensor<4> {
    if marks.iter().all(|&mark| mark) {
        return yes.clone();
    }
    if !marks.contains(&true) {
        return no.clone();
    }
    let data = TensorData::new(marks.to_vec(), [marks.len(), 1, 1, 1]);
    let mask = Tensor::<4, Bool>::from_data(data, &yes.device()).expand(yes.dims());
    no.clone().mask_where(mask, yes.clone())
}

/// Images collected one by one as an attack finds them: for each place an adversarial one, or failing that
/// the first that was offered.
pub(super) struct Gallery {
    adversarial: Vec<Option<Tensor<4>>>,
    offered: Vec<Option<Tensor<4>>>,
}

impl Gallery {
    /// Room for this many images.
    pub(super) fn new(images: usize) -> Self {
        Gallery {
            adversarial: vec![None; images],
            offered: vec![None; images],
        }
    }

    /// Keeps image `row` of `images`, an adversarial one, for `place`.
    pub(super) fn keep(&mut self, place: usize, images: &Tensor<4>, row: usize) {
        self.adversarial[place] = Some(select(images, &[row]));
    }

    /// Offers image `row` of `images`, a failed attempt, for `place`.
    pub(super) fn offer(&mut self, place: usize, images: &Tensor<4>, row: usize) {
        self.offered[place].get_or_insert_with(|| select(images, &[row]));
    }

    /// The places without an adversarial image yet.
    pub(super) fn missing(&self) -> Vec<usize> {
        (0..self.adversarial.len())
            .filter(|&place| self.adversarial[place].is_none())
            .collect()
    }

    /// All images, `[places, 3, height, width]`; those of `otherwise` where there is none.
    pub(super) fn or(self, otherwise: &Tensor<4>) -> Tensor<4> {
        if self.adversarial.is_empty() {
            return otherwise.clone();
        }
        let images = self.adversarial.into_iter().zip(self.offered).enumerate();
        let images = images.map(|(place, (adversarial, offered))| {
            adversarial
                .or(offered)
                .unwrap_or_else(|| otherwise.clone().narrow(0, place, 1))
        });
        Tensor::cat(images.collect(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when an image takes another's values.
    #[test]
    fn images_are_chosen_one_by_one() {
        let device = burn::tensor::Device::flex();
        let yes = Tensor::<4>::ones([3, 3, 2, 2], &device);
        let chosen = choose(&[true, false, true], &yes, &yes.zeros_like());
        let sums: Vec<f32> = chosen
            .sum_dims(&[1, 2, 3])
            .into_data()
            .try_into_vec()
            .unwrap();
        assert_eq!(sums, [12.0, 0.0, 12.0]);
    }
}
