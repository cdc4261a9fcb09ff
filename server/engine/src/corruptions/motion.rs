//! ImageMagick's motion blur: a one-sided Gaussian along a line of whole pixels, edge pixels repeated.

use super::border;

/// ImageMagick computes with 16 bits: it rounds to one 257th of a byte's step, then truncates to bytes.
const SLACK: f32 = 0.5 / 257.0;

/// One pixel of the trail.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Columns to the right.
    right: isize,
    /// Rows down.
    down: isize,
    /// Its share.
    weight: f32,
}

/// The path along which a pixel moved, as ImageMagick draws it.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    steps: Vec<Step>,
}

impl Trail {
    /// A trail of `2 * ceil(radius) + 1` pixels in the direction of `angle` degrees (0 is right, 90 down), whose
    /// shares fall as a Gaussian of `sigma` pixels.
    pub fn new(radius: f64, sigma: f64, angle: f64) -> Self {
        let length = 2 * radius.ceil() as usize + 1;
        let share = |step: usize| (-((step * step) as f64) / (2.0 * sigma * sigma)).exp();
        let sum: f64 = (0..length).map(share).sum();
        let (sine, cosine) = angle.to_radians().sin_cos();
        let whole = |distance: f64| (distance - 0.5).ceil() as isize;
        let steps = (0..length)
            .map(|step| Step {
                right: whole(step as f64 * cosine),
                down: whole(step as f64 * sine),
                weight: (share(step) / sum) as f32,
            })
            .collect();
        Trail { steps }
    }

    /// Blurs a plane `[height, width]` of bytes into `out`.
    pub fn blur(&self, plane: &[u8], height: usize, width: usize, out: &mut [u8]) {
        let margin = self.steps.len();
        let padded = pad_columns(plane, width, margin);
        let mut sums = vec![0.0_f32; width];
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            sums.fill(0.0);
            for step in &self.steps {
                let source = border::nearest(y as isize + step.down, height);
                let start = source * (width + 2 * margin) + (margin as isize + step.right) as usize;
                for (sum, value) in sums.iter_mut().zip(&padded[start..][..width]) {
                    *sum += step.weight * value;
                }
            }
            for (byte, &sum) in row.iter_mut().zip(&sums) {
                *byte = (sum + SLACK) as u8;
            }
        }
    }
}

/// The plane with its edge columns repeated `margin` times on both sides.
fn pad_columns(plane: &[u8], width: usize, margin: usize) -> Vec<f32> {
    let columns = width + 2 * margin;
    let mut padded = vec![0.0; plane.len() / width * columns];
    for (target, row) in padded
        .chunks_exact_mut(columns)
        .zip(plane.chunks_exact(width))
    {
        target[..margin].fill(f32::from(row[0]));
        target[margin + width..].fill(f32::from(row[width - 1]));
        for (value, &byte) in target[margin..][..width].iter_mut().zip(row) {
            *value = f32::from(byte);
        }
    }
    padded
}
