//! How many dimensions a set of points uses: principal components of a covariance or a Gram matrix, in f64.
//!
//! For an activation matrix `[images, columns]`, centred, the eigenvalues of its scatter matrix are the
//! variances along its principal components. Reported are how many of the largest explain 90, 95 and 99 % of their
//! sum (Leavitt & Morcos 2020, section on dimensionality; method, "Dimensionality"), and the participation
//! ratio `(sum)^2 / sum of squares`, which needs no threshold.
//!
//! [`Scatter`] takes rows batch by batch and keeps `columns^2` numbers, whatever the number of images.
//! [`Gram`] takes products between images and keeps `images^2` numbers, whatever the number of columns.
//! Both have the same eigenvalues but for zeros.

use nalgebra::{DMatrix, DVector};

use super::NotFinite;

/// Shares of the variance whose components are counted.
pub const FRACTIONS: [f64; 3] = [0.90, 0.95, 0.99];

/// Eigenvalues of a scatter matrix, largest first, none negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    eigenvalues: Vec<f64>,
}

impl Spectrum {
    /// Eigenvalues of a symmetric positive semidefinite `matrix`.
    ///
    /// # Errors
    /// When a value is not a finite number: a network gave NaN or infinite activations.
    pub fn of(matrix: DMatrix<f64>) -> Result<Spectrum, NotFinite> {
        if matrix.iter().any(|value| !value.is_finite()) {
            return Err(NotFinite {
                what: "activations, of which dimensionality is asked,".into(),
            });
        }
        // Eigenvalues below this are rounding noise.
        let noise = matrix.trace() * f64::EPSILON * matrix.nrows() as f64;
        let mut eigenvalues: Vec<f64> = matrix
            .symmetric_eigenvalues()
            .iter()
            .map(|&value| if value > noise { value } else { 0.0 })
            .collect();
        eigenvalues.sort_by(|a, b| b.total_cmp(a));
        Ok(Spectrum { eigenvalues })
    }

    /// The eigenvalues, largest first.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// How many of the largest eigenvalues sum to at least `fraction` of all; 0 where nothing varies.
    pub fn components(&self, fraction: f64) -> u32 {
        let total: f64 = self.eigenvalues.iter().sum();
        if total <= 0.0 {
            return 0;
        }
        let mut sum = 0.0;
        let below = self
            .eigenvalues
            .iter()
            .take_while(|&&value| {
                sum += value;
                sum / total < fraction
            })
            .count();
        (below + 1).min(self.eigenvalues.len()) as u32
    }

    /// `(sum)^2 / sum of squares` of the eigenvalues: their number where all are equal, 1 where there is one; 0
    /// where nothing varies.
    pub fn participation_ratio(&self) -> f64 {
        let total: f64 = self.eigenvalues.iter().sum();
        let squares: f64 = self.eigenvalues.iter().map(|value| value * value).sum();
        if squares <= 0.0 {
            return 0.0;
        }
        total * total / squares
    }
}

/// The scatter matrix of rows that come batch by batch.
///
/// Batches are centred by themselves and merged (Chan, Golub & LeVeque 1983), so that a large mean costs no digits.
/// Memory: `columns^2` f64 (ResNet20: 0.3 MB for all layers; ResNet18: 11 MB; ResNet50: 180 MB).
#[derive(Debug, Clone)]
pub struct Scatter {
    count: usize,
    mean: DVector<f64>,
    /// Sum over rows of the outer product of (row - mean).
    scatter: DMatrix<f64>,
}

impl Scatter {
    /// The scatter matrix of no rows.
    pub fn new(columns: usize) -> Self {
        Scatter {
            count: 0,
            mean: DVector::zeros(columns),
            scatter: DMatrix::zeros(columns, columns),
        }
    }

    /// Adds the rows of `values`, each as long as there are columns.
    pub fn add(&mut self, values: &[f64]) {
        let columns = self.mean.len();
        let rows = values.len() / columns.max(1);
        if rows == 0 {
            return;
        }
        // A row of `values` is a column here.
        let mut centred = DMatrix::from_column_slice(columns, rows, values);
        let mean = centred.column_mean();
        for mut column in centred.column_iter_mut() {
            column -= &mean;
        }
        let transposed = centred.transpose();
        self.scatter.gemm(1.0, &centred, &transposed, 1.0);
        let (before, now) = (self.count as f64, rows as f64);
        let apart = mean - &self.mean;
        self.scatter
            .ger(before * now / (before + now), &apart, &apart, 1.0);
        self.mean += apart * (now / (before + now));
        self.count += rows;
    }

    /// The spectrum of the added rows.
    ///
    /// # Errors
    /// When a value was not finite.
    pub fn spectrum(self) -> Result<Spectrum, NotFinite> {
        Spectrum::of(self.scatter)
    }
}

/// Products between all pairs of images, put together from blocks.
///
/// Memory: `images^2` f64, whatever the number of columns (1,000 images: 8 MB).
#[derive(Debug, Clone)]
pub struct Gram {
    products: DMatrix<f64>,
}

impl Gram {
    /// A matrix of zeros for `images` images, whose products are yet to be set.
    pub fn new(images: usize) -> Self {
        Gram {
            products: DMatrix::zeros(images, images),
        }
    }

    /// Sets the products of the rows of `left` (images from `first_left`) with those of `right` (from `first_right`);
    /// each row has `columns` values.
    pub fn set_block(
        &mut self,
        first_left: usize,
        left: &[f32],
        first_right: usize,
        right: &[f32],
        columns: usize,
    ) {
        let (rows, others) = (left.len() / columns, right.len() / columns);
        let left = DMatrix::from_row_iterator(rows, columns, left.iter().map(|&v| f64::from(v)));
        let right = DMatrix::from_iterator(columns, others, right.iter().map(|&v| f64::from(v)));
        let block = left * right;
        self.products
            .view_mut((first_left, first_right), (rows, others))
            .copy_from(&block);
        if first_left != first_right {
            self.products
                .view_mut((first_right, first_left), (others, rows))
                .copy_from(&block.transpose());
        }
    }

    /// The spectrum, the images centred.
    ///
    /// # Errors
    /// When a value was not finite.
    pub fn spectrum(mut self) -> Result<Spectrum, NotFinite> {
        let images = self.products.nrows().max(1) as f64;
        let means = self.products.row_sum() / images;
        let mean = means.sum() / images;
        for (column, mut values) in self.products.column_iter_mut().enumerate() {
            for (row, value) in values.iter_mut().enumerate() {
                *value += mean - means[row] - means[column];
            }
        }
        Spectrum::of(self.products)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with variances 9, 4 and 1 along three axes, turned by a rotation, around a far mean.
    fn rows() -> Vec<f64> {
        let mut rows = Vec::new();
        let (sin, cos) = 0.6_f64.sin_cos();
        for (axis, length) in [(0, 3.0), (1, 2.0), (2, 1.0)] {
            for sign in [-1.0, 1.0] {
                let mut point = [0.0, 0.0, 0.0];
                point[axis] = sign * length;
                let [x, y, z] = point;
                rows.extend([1e4 + cos * x - sin * y, -50.0 + sin * x + cos * y, z]);
            }
        }
        rows
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    /// Breaks when batches are merged wrongly, rows are not centred, or eigenvalues come in another order.
    #[test]
    fn variances_along_known_axes() {
        for batch in [1, 2, 4, 6] {
            let mut scatter = Scatter::new(3);
            for rows in rows().chunks(3 * batch) {
                scatter.add(rows);
            }
            let spectrum = scatter.spectrum().unwrap();
            close(spectrum.eigenvalues(), &[18.0, 8.0, 2.0]);
        }
    }

    /// Breaks when the Gram matrix is not centred, or its blocks are put in the wrong place.
    #[test]
    fn pairs_of_images_say_the_same_as_columns() {
        let values: Vec<f32> = rows()
            .iter()
            .map(|&value| (value - 9_950.0) as f32)
            .collect();
        for block in [2, 3, 6] {
            let mut gram = Gram::new(6);
            let blocks: Vec<&[f32]> = values.chunks(3 * block).collect();
            for (i, left) in blocks.iter().enumerate() {
                for (j, right) in blocks.iter().enumerate().skip(i) {
                    gram.set_block(i * block, left, j * block, right, 3);
                }
            }
            let spectrum = gram.spectrum().unwrap();
            let eigenvalues = spectrum.eigenvalues();
            for (found, expected) in eigenvalues.iter().zip([18.0, 8.0, 2.0, 0.0, 0.0, 0.0]) {
                assert!((found - expected).abs() < 1e-2, "{found} is not {expected}");
            }
        }
    }

    /// Breaks when a threshold is met with one component too many or too few, or silent layers divide by 0:
    /// 18 of 28 is 64 %, with 8 more 93 %.
    #[test]
    fn components_and_participation_of_known_spectra() {
        let spectrum = Spectrum {
            eigenvalues: vec![18.0, 8.0, 2.0],
        };
        assert_eq!(FRACTIONS.map(|f| spectrum.components(f)), [2, 3, 3]);
        assert_eq!(spectrum.components(0.5), 1);
        let expected = 28.0 * 28.0 / (18.0 * 18.0 + 64.0 + 4.0);
        assert!((spectrum.participation_ratio() - expected).abs() < 1e-12);
        let equal = Spectrum {
            eigenvalues: vec![2.0; 10],
        };
        assert_eq!(equal.components(0.90), 9);
        assert!((equal.participation_ratio() - 10.0).abs() < 1e-12);
        let silent = Scatter::new(4);
        let silent = silent.spectrum().unwrap();
        assert_eq!(silent.components(0.95), 0);
        assert_eq!(silent.participation_ratio(), 0.0);
    }

    /// Breaks when NaN activations loop for ever or pass for a result.
    #[test]
    fn what_is_not_finite_is_refused() {
        let mut scatter = Scatter::new(2);
        scatter.add(&[1.0, f64::NAN, 2.0, 3.0]);
        let error = scatter.spectrum().unwrap_err().to_string();
        assert!(error.contains("not finite"), "{error}");
    }
}
