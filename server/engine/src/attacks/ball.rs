//! The set of allowed images around clean ones, and the geometry that attacks need of it.
//!
//! With clean image `x` and radius `eps` on the [0, 1] scale, an image `z` is allowed when
//! `|z - x| <= eps` in the ball's norm and every value of `z` is in [0, 1]. Attacks are built of
//!
//! - the **projection** back into the set: L-infinity clips every value of `z - x` to ±eps, L2 scales
//!   `z - x` to length eps where it is longer; then `z` is clipped to [0, 1]. Since `x` is in [0, 1],
//!   clipping only shortens `z - x`, so that the result is in both sets. In L-infinity it is the exact
//!   projection; in L2 it is the usual one (Madry et al. 2018; exact only where no value is clipped);
//! - the **direction** of steepest ascent for a gradient `g`: `sign(g)` in L-infinity, `g / |g|` in L2;
//! - a **random start**.

use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::{AttackError, Norm, Samples, distance};
use crate::base::host::host;

/// What rounding may add to a distance or a value, on the [0, 1] scale.
pub const TOLERANCE: f64 = 1e-6;

/// The allowed images around a clean one: at most `epsilon` away, and in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ball {
    norm: Norm,
    epsilon: f64,
}

impl Ball {
    /// The ball of radius `epsilon` (on the [0, 1] scale; 8/255 is `8.0 / 255.0`). Radius 0 allows the clean image alone.
    ///
    /// # Errors
    /// When `epsilon` is negative or not finite.
    pub fn new(norm: Norm, epsilon: f64) -> Result<Self, AttackError> {
        if !epsilon.is_finite() || epsilon < 0.0 {
            return Err(AttackError::Epsilon(epsilon));
        }
        Ok(Ball { norm, epsilon })
    }

    /// The ball of the same norm that allows the clean image alone.
    pub fn with_epsilon_zero(self) -> Ball {
        Ball {
            epsilon: 0.0,
            ..self
        }
    }

    /// How distance is measured.
    pub fn norm(&self) -> Norm {
        self.norm
    }

    /// The radius, on the [0, 1] scale.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// `images` moved into the ball around `clean` and into [0, 1]; both `[batch, 3, height, width]`.
    pub fn project(&self, clean: &Tensor<4>, images: Tensor<4>) -> Tensor<4> {
        let change = images - clean.clone();
        let change = match self.norm {
            Norm::Linf => change.clamp(-self.epsilon, self.epsilon),
            Norm::L2 => {
                let length = lengths(change.clone()).clamp_min(f32::MIN_POSITIVE);
                let factor = length.recip().mul_scalar(self.epsilon).clamp(0.0, 1.0);
                change * factor
            }
        };
        (clean.clone() + change).clamp(0.0, 1.0)
    }

    /// The direction of size 1 in which a linear function with this gradient grows fastest,
    /// `[batch, 3, height, width]`. A gradient of zero has the direction zero.
    pub fn direction(&self, gradient: Tensor<4>) -> Tensor<4> {
        match self.norm {
            Norm::Linf => gradient.sign(),
            Norm::L2 => {
                // Scaled by the largest value first, so that squares neither vanish nor overflow.
                let largest = gradient
                    .clone()
                    .abs()
                    .max_dims(&[1, 2, 3])
                    .clamp_min(f32::MIN_POSITIVE);
                let scaled = gradient / largest;
                let length = lengths(scaled.clone()).clamp_min(f32::MIN_POSITIVE);
                scaled / length
            }
        }
    }

    /// A random allowed image for each sample: in L-infinity every value of the perturbation uniform in
    /// ±epsilon, in L2 uniform in the ball; then clipped to [0, 1].
    ///
    /// `purpose` sets the draws of one attack, restart or target apart from those of another
    /// (see [`Samples::random`]).
    pub fn random_start(&self, samples: &Samples, purpose: [u32; 2]) -> Tensor<4> {
        let shape = samples.images().dims();
        let length = shape[1..].iter().product::<usize>();
        let mut noise = vec![0.0_f32; shape[0] * length];
        noise
            .par_chunks_mut(length.max(1))
            .enumerate()
            .for_each(|(row, values)| self.draw(&mut samples.random(row, purpose), values));
        let noise = Tensor::from_data(TensorData::new(noise, shape), &samples.images().device());
        // Projected too: a length may be off by a rounding.
        self.project(samples.images(), samples.images().clone() + noise)
    }

    /// One perturbation uniform in the ball, written over `values`.
    fn draw(&self, random: &mut ChaCha8Rng, values: &mut [f32]) {
        match self.norm {
            Norm::Linf => {
                for value in values {
                    *value = (self.epsilon * (2.0 * random.random::<f64>() - 1.0)) as f32;
                }
            }
            Norm::L2 => {
                let count = values.len() as f64;
                for value in values.iter_mut() {
                    *value = StandardNormal.sample(random);
                }
                let sum: f64 = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
                let radius = self.epsilon * random.random::<f64>().powf(1.0 / count);
                let scale = radius / sum.sqrt().max(f64::MIN_POSITIVE);
                for value in values {
                    *value = (f64::from(*value) * scale) as f32;
                }
            }
        }
    }

    /// Whether an image is at most epsilon away, up to [`TOLERANCE`] (absolute, and relative to epsilon).
    pub fn holds(&self, distance: f64) -> bool {
        distance <= self.epsilon + TOLERANCE * self.epsilon.max(1.0)
    }

    /// Asserts that an adversarial image belongs to the set around its clean one. Gives its distance.
    ///
    /// # Errors
    /// When it is too far away, or has a value outside [0, 1] (beyond [`TOLERANCE`]) or not a number.
    pub fn check(
        &self,
        attack: &str,
        index: usize,
        clean: &[f32],
        image: &[f32],
    ) -> Result<f64, AttackError> {
        let allowed = -TOLERANCE as f32..=1.0 + TOLERANCE as f32;
        if let Some(&value) = image.iter().find(|value| !allowed.contains(value)) {
            return Err(AttackError::OutsideImages {
                attack: attack.to_owned(),
                index,
                value,
            });
        }
        let distance = distance(self.norm, clean, image);
        if !self.holds(distance) {
            return Err(AttackError::OutsideBall {
                attack: attack.to_owned(),
                index,
                distance,
                epsilon: self.epsilon,
                norm: self.norm,
            });
        }
        Ok(distance)
    }
}

/// The Euclidean length of each image, `[batch, 1, 1, 1]`.
pub(super) fn lengths(images: Tensor<4>) -> Tensor<4> {
    images.square().sum_dims(&[1, 2, 3]).sqrt()
}

/// The reverse of [`rows`]: images of the size, and on the device, of those in `like`.
pub(super) fn from_rows<'a>(
    rows: impl ExactSizeIterator<Item = &'a Vec<f32>>,
    like: &Tensor<4>,
) -> Tensor<4> {
    let [_, channels, height, width] = like.dims();
    let shape = [rows.len(), channels, height, width];
    let values: Vec<f32> = rows.flatten().copied().collect();
    Tensor::from_data(TensorData::new(values, shape), &like.device())
}

/// The images of a tensor one by one, as rows of values on the host.
pub(super) fn rows(images: Tensor<4>) -> Vec<Vec<f32>> {
    let length: usize = images.dims()[1..].iter().product();
    host(images)
        .chunks_exact(length.max(1))
        .map(<[f32]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn tensor(values: &[f32], images: usize) -> Tensor<4> {
        let shape = [images, 3, 1, values.len() / images / 3];
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    /// Breaks when an invalid radius is accepted.
    #[test]
    fn a_radius_is_finite_and_not_negative() {
        for epsilon in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                Ball::new(Norm::Linf, epsilon),
                Err(AttackError::Epsilon(_))
            ));
        }
        assert!(Ball::new(Norm::L2, 0.0).is_ok());
    }

    /// Breaks when a value is clipped to another bound than its own: epsilon, 0 or 1.
    #[test]
    fn linf_projection_clips_each_value() {
        let clean = tensor(&[0.5, 0.0, 0.95], 1);
        let far = tensor(&[0.9, -0.4, 2.0], 1);
        let ball = Ball::new(Norm::Linf, 0.1).unwrap();
        let near = host(ball.project(&clean, far));
        for (value, known) in near.iter().zip([0.6, 0.0, 1.0]) {
            assert!((value - known).abs() < 1e-6, "{near:?}");
        }
        let inside = tensor(&[0.45, 0.05, 0.9], 1);
        let kept = host(ball.project(&clean, inside.clone()));
        assert!(distance(Norm::Linf, &kept, &host(inside)) < 1e-7);
    }

    /// Breaks when one image's length decides another's projection, a short change is stretched, or 0 divides.
    #[test]
    fn l2_projection_shortens_long_changes_alone() {
        let clean = tensor(&[0.5; 9], 3);
        // 0.3, 0.4, 0 is 0.5 long; 0.03, 0.04, 0 is 0.05 long; no change at all.
        let far = tensor(&[0.8, 0.9, 0.5, 0.53, 0.54, 0.5, 0.5, 0.5, 0.5], 3);
        let ball = Ball::new(Norm::L2, 0.1).unwrap();
        let near = host(ball.project(&clean, far.clone()));
        let known = [0.56, 0.58, 0.5, 0.53, 0.54, 0.5, 0.5, 0.5, 0.5];
        assert!(distance(Norm::Linf, &near, &known) < 1e-6, "{near:?}");
        let none = Ball::new(Norm::L2, 0.0).unwrap();
        assert_eq!(host(none.project(&clean, far)), [0.5; 9]);
    }

    /// Breaks when a direction is not of size 1, or a gradient of zero, tiny or huge gives NaN or none.
    #[test]
    fn directions_have_size_one_at_any_scale() {
        for scale in [1e-30_f32, 1.0, 1e30] {
            let gradient = tensor(&[3.0 * scale, -4.0 * scale, 0.0, 0.0, 0.0, 0.0], 2);
            let l2 = host(
                Ball::new(Norm::L2, 1.0)
                    .unwrap()
                    .direction(gradient.clone()),
            );
            let known = [0.6, -0.8, 0.0, 0.0, 0.0, 0.0];
            assert!(distance(Norm::Linf, &l2, &known) < 1e-6, "{l2:?}");
            let linf = host(Ball::new(Norm::Linf, 1.0).unwrap().direction(gradient));
            assert_eq!(linf, [1.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        }
    }

    /// Breaks when a start lies outside, does not fill the ball, or depends on the batch it is drawn in.
    #[test]
    fn random_starts_are_inside_and_each_image_has_its_own() {
        let images = 6;
        let values: Vec<f32> = (0..images * 48).map(|i| (i % 7) as f32 / 6.0).collect();
        let clean = tensor(&values, images);
        let samples =
            Samples::new(clean.clone(), vec![0; images], (0..images).collect(), 3).unwrap();
        let middle = tensor(&[0.5; 48], 1);
        for norm in [Norm::Linf, Norm::L2] {
            let ball = Ball::new(norm, 0.05).unwrap();
            let starts = ball.random_start(&samples, [1, 0]);
            let all = rows(starts.clone());
            for (row, (start, clean)) in all.iter().zip(rows(clean.clone())).enumerate() {
                ball.check("start", row, &clean, start).unwrap();
            }
            let part = samples.select(&[4, 1]);
            assert_eq!(
                rows(ball.random_start(&part, [1, 0])),
                [all[4].clone(), all[1].clone()]
            );
            assert_ne!(rows(ball.random_start(&samples, [1, 1])), all);
            let free = Samples::new(middle.clone(), vec![0], vec![9], 3).unwrap();
            let start = rows(ball.random_start(&free, [1, 0])).remove(0);
            let size = distance(norm, &start, &[0.5; 48]);
            assert!(size > 0.8 * 0.05, "{size} of 0.05 in {}", norm.label());
        }
    }

    /// Breaks when an image outside its ball or outside [0, 1], or one that is no number, passes.
    #[test]
    fn images_outside_are_refused() {
        let ball = Ball::new(Norm::Linf, 0.1).unwrap();
        let clean = [0.5, 0.0, 1.0];
        let check = |image: [f32; 3]| ball.check("test", 7, &clean, &image);
        assert!(check([0.6, 0.1, 0.9]).is_ok());
        assert!(check([0.6 + 5e-7, 0.0, 1.0]).is_ok(), "rounding");
        assert!(matches!(
            check([0.6001, 0.0, 1.0]),
            Err(AttackError::OutsideBall { index: 7, .. })
        ));
        for value in [-0.01, f32::NAN, f32::INFINITY] {
            assert!(matches!(
                check([0.5, value, 1.0]),
                Err(AttackError::OutsideImages { .. })
            ));
        }
    }
}
