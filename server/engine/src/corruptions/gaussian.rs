//! The Gaussian filter, as SciPy and scikit-image compute it: separable, truncated, in `f64`.

/// Where scikit-image cuts a Gaussian off, in standard deviations.
pub(super) const TRUNCATE: f64 = 4.0;

/// What lies outside the image: [`border::nearest`], [`border::reflect`] or [`border::mirror`].
pub(super) type Border = fn(isize, usize) -> usize;

/// One half of a symmetric, normalised filter.
#[derive(Debug, Clone)]
pub(super) struct Gaussian {
    /// Weight of the pixels at each distance, 0 first.
    weights: Vec<f64>,
}

impl Gaussian {
    /// The filter of standard deviation `sigma` pixels, cut off at `truncate` standard deviations.
    /// It leaves an image as it is where the cut is within half a pixel.
    pub fn new(sigma: f64, truncate: f64) -> Self {
        let radius = (truncate * sigma + 0.5) as usize;
        if radius == 0 {
            return Gaussian { weights: vec![1.0] };
        }
        let scale = -0.5 / (sigma * sigma);
        let mut weights: Vec<f64> = (0..=radius)
            .map(|distance| (scale * (distance * distance) as f64).exp())
            .collect();
        let sum: f64 = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Gaussian { weights }
    }

    /// Filters planes `[_, height, width]` in place, columns first.
    pub fn blur(&self, planes: &mut [f64], height: usize, width: usize, border: Border) {
        if self.weights.len() == 1 {
            return;
        }
        let mut source = vec![0.0; height * width];
        let mut line = vec![0.0; width + 2 * (self.weights.len() - 1)];
        for plane in planes.chunks_exact_mut(height * width) {
            source.copy_from_slice(plane);
            self.down(&source, plane, width, border);
            for row in plane.chunks_exact_mut(width) {
                self.along(row, &mut line, border);
            }
        }
    }

    /// Filters the columns of `source` into `target`, both `[height, width]`, a row at a time.
    fn down(&self, source: &[f64], target: &mut [f64], width: usize, border: Border) {
        let height = source.len() / width;
        let row = |y: isize| &source[border(y, height) * width..][..width];
        for (y, out) in target.chunks_exact_mut(width).enumerate() {
            for value in out.iter_mut() {
                *value *= self.weights[0];
            }
            for (distance, weight) in self.weights.iter().enumerate().skip(1).rev() {
                let above = row(y as isize - distance as isize);
                let below = row(y as isize + distance as isize);
                for ((value, a), b) in out.iter_mut().zip(above).zip(below) {
                    *value += (a + b) * weight;
                }
            }
        }
    }

    /// Filters one row; `line` holds it with its borders meanwhile.
    fn along(&self, row: &mut [f64], line: &mut [f64], border: Border) {
        let (width, radius) = (row.len(), self.weights.len() - 1);
        for (x, value) in line.iter_mut().enumerate() {
            *value = row[border(x as isize - radius as isize, width)];
        }
        for value in row.iter_mut() {
            *value *= self.weights[0];
        }
        for (distance, weight) in self.weights.iter().enumerate().skip(1).rev() {
            let before = &line[radius - distance..][..width];
            let after = &line[radius + distance..][..width];
            for ((value, a), b) in row.iter_mut().zip(before).zip(after) {
                *value += (a + b) * weight;
            }
        }
    }
}
