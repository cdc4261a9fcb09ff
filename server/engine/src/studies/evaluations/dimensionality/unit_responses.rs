//! What single units respond to: mean responses to each class, and the images that activate a unit most and least.

use std::path::{Path, PathBuf};

use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::Perturbation;

use super::{FOLDER, file};
use crate::base::arrays::Arrays;
use crate::base::{FileError, files};
use crate::measures::selectivity::selectivity_index;

/// Images that are remembered as a unit's most, and least, activating ones.
pub const EXTREMES: usize = 12;

/// Gathers responses batch by batch, in f64. Memory: 16 bytes x classes x units, and the extremes.
pub(super) struct ResponseMoments {
    units: usize,
    counts: Vec<u32>,
    /// `[classes, units]`
    sums: Vec<f64>,
    /// `[classes, units]`
    squares: Vec<f64>,
    /// Of each unit: response and index of the strongest images, in no order.
    most: Vec<Vec<(f32, u32)>>,
    least: Vec<Vec<(f32, u32)>>,
}

impl ResponseMoments {
    pub(super) fn new(classes: usize, units: usize) -> Self {
        ResponseMoments {
            units,
            counts: vec![0; classes],
            sums: vec![0.0; classes * units],
            squares: vec![0.0; classes * units],
            most: vec![Vec::new(); units],
            least: vec![Vec::new(); units],
        }
    }

    /// Adds rows `[images, units]` with their labels and indices in the test set.
    pub(super) fn add(&mut self, rows: &[f32], labels: &[u32], indices: &[usize]) {
        for ((row, &label), &index) in rows.chunks_exact(self.units).zip(labels).zip(indices) {
            let class = label as usize;
            self.counts[class] += 1;
            let first = class * self.units;
            for (unit, &response) in row.iter().enumerate() {
                let value = f64::from(response);
                self.sums[first + unit] += value;
                self.squares[first + unit] += value * value;
                self.most[unit].push((response, index as u32));
                self.least[unit].push((response, index as u32));
            }
        }
        // Of equal responses the earlier image comes first.
        for most in &mut self.most {
            most.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            most.truncate(EXTREMES);
        }
        for least in &mut self.least {
            least.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            least.truncate(EXTREMES);
        }
    }

    /// The gathered moments, with the extremes where `clean`.
    pub(super) fn arrays(&self, clean: bool) -> Arrays {
        let (classes, units) = (self.counts.len(), self.units);
        let mut means = vec![0.0_f64; classes * units];
        let mut errors = vec![0.0_f32; classes * units];
        for (class, &count) in self.counts.iter().enumerate() {
            let count = f64::from(count);
            for place in class * units..(class + 1) * units {
                means[place] = self.sums[place] / count.max(1.0);
                if count >= 2.0 {
                    let spread = self.squares[place] - count * means[place] * means[place];
                    // Rounding may make it negative; NaN stays.
                    let spread = if spread < 0.0 { 0.0 } else { spread };
                    let variance = spread / (count - 1.0);
                    errors[place] = (variance / count).sqrt() as f32;
                }
            }
        }
        let selectivity: Vec<f32> = (0..units)
            .map(|unit| {
                let present: Vec<f64> = (0..classes)
                    .filter(|&class| self.counts[class] > 0)
                    .map(|class| means[class * units + unit])
                    .collect();
                selectivity_index(&present) as f32
            })
            .collect();
        let total = f64::from(self.counts.iter().sum::<u32>()).max(1.0);
        let mean: Vec<f32> = (0..units)
            .map(|unit| {
                let sum: f64 = self.sums.iter().skip(unit).step_by(units).sum();
                (sum / total) as f32
            })
            .collect();
        // A unit's values are adjacent, so that one unit is read without the others.
        let by_unit = |value: &dyn Fn(usize) -> f32| -> Vec<f32> {
            (0..units)
                .flat_map(|unit| (0..classes).map(move |class| class * units + unit))
                .map(value)
                .collect()
        };
        let mut arrays = Arrays::default();
        arrays.insert_whole("class_images", &[classes], &self.counts);
        let single = by_unit(&|place| means[place] as f32);
        arrays.insert_half("class_means", &[units, classes], &single);
        let single = by_unit(&|place| errors[place]);
        arrays.insert_half("class_standard_errors", &[units, classes], &single);
        arrays.insert("selectivity", &[units], &selectivity);
        arrays.insert("mean_responses", &[units], &mean);
        if clean {
            for (name, extremes) in [("most", &self.most), ("least", &self.least)] {
                let kept = extremes.first().map_or(0, Vec::len);
                let responses: Vec<f32> = extremes.iter().flatten().map(|one| one.0).collect();
                let indices: Vec<u32> = extremes.iter().flatten().map(|one| one.1).collect();
                arrays.insert(
                    &format!("{name}_activating.responses"),
                    &[units, kept],
                    &responses,
                );
                arrays.insert_whole(
                    &format!("{name}_activating.images"),
                    &[units, kept],
                    &indices,
                );
            }
        }
        arrays
    }
}

/// What was kept of the units' responses to clean images. Units are those of all layers, in forward order.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitResponses {
    /// Images of each class.
    pub class_images: Vec<u32>,
    /// Mean response of each unit to all images.
    pub mean_responses: Vec<f32>,
    /// Of each unit, its strongest responses with the image's index in the test set.
    pub most_activating: Vec<Vec<(f32, u32)>>,
    /// Of each unit, its weakest ones.
    pub least_activating: Vec<Vec<(f32, u32)>>,
}

/// What one unit responds to under one perturbation.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// Mean response to each class.
    pub class_means: Vec<f32>,
    /// Standard errors of those means over images.
    pub class_standard_errors: Vec<f32>,
    /// Selectivity index on these images.
    pub selectivity: f32,
}

impl UnitResponses {
    /// The folder of what a run keeps under `conditions`.
    pub fn folder(run_directory: &Path, conditions: CorruptionConditions) -> PathBuf {
        run_directory.join(FOLDER).join(conditions.to_string())
    }

    /// Reads what was kept of clean images; `None` where that was not measured.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn load(
        run_directory: &Path,
        conditions: CorruptionConditions,
    ) -> Result<Option<UnitResponses>, FileError> {
        let folder = Self::folder(run_directory, conditions);
        let path = file(&folder, Perturbation::Clean);
        let Some(arrays) = Arrays::load(&path)? else {
            return Ok(None);
        };
        let extremes = |name: &str| -> Option<Vec<Vec<(f32, u32)>>> {
            let responses = arrays.floats(&format!("{name}_activating.responses"))?;
            let images = arrays.whole(&format!("{name}_activating.images"))?;
            let &[_, kept] = arrays.shape(&format!("{name}_activating.images"))? else {
                return None;
            };
            let pairs: Vec<(f32, u32)> = responses.into_iter().zip(images).collect();
            Some(pairs.chunks(kept.max(1)).map(<[_]>::to_vec).collect())
        };
        let read = || {
            let responses = UnitResponses {
                class_images: arrays.whole("class_images")?,
                mean_responses: arrays.floats("mean_responses")?,
                most_activating: extremes("most")?,
                least_activating: extremes("least")?,
            };
            let units = responses.mean_responses.len();
            let whole = responses.most_activating.len() == units;
            (whole && responses.least_activating.len() == units).then_some(responses)
        };
        read()
            .map(Some)
            .ok_or_else(|| files::damaged(&path, "it lacks an array, or has one of another size"))
    }

    /// Reads what unit `unit` (of all layers, in forward order) responds to under `perturbation`, and nothing of
    /// other units; `None` where that was not measured.
    ///
    /// # Errors
    /// When the file is damaged, or has no such unit.
    pub fn tuning(
        run_directory: &Path,
        conditions: CorruptionConditions,
        perturbation: Perturbation,
        unit: usize,
    ) -> Result<Option<Tuning>, FileError> {
        let path = file(&Self::folder(run_directory, conditions), perturbation);
        let names = ["class_means", "class_standard_errors", "selectivity"];
        let Some(rows) = Arrays::load_rows(&path, &names, unit)? else {
            return Ok(None);
        };
        let mut rows = rows.into_iter();
        let mut next = || rows.next().unwrap_or_default();
        Ok(Some(Tuning {
            class_means: next(),
            class_standard_errors: next(),
            selectivity: next().first().copied().unwrap_or_default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::dimensionality::DimensionalitySpec;

    /// Breaks when a mean or its error is of another class or unit, or extremes are forgotten between batches.
    #[test]
    fn moments_of_known_responses() {
        let mut moments = ResponseMoments::new(3, 2);
        moments.add(&[1.0, 5.0, 3.0, 5.0], &[0, 0], &[10, 11]);
        moments.add(&[8.0, 0.0], &[2], &[12]);
        let arrays = moments.arrays(true);
        let folder = tempfile::tempdir().unwrap();
        let conditions = DimensionalitySpec::source(Some(3)).conditions(100);
        let directory = UnitResponses::folder(folder.path(), conditions);
        arrays.save(&file(&directory, Perturbation::Clean)).unwrap();
        let read = UnitResponses::load(folder.path(), conditions);
        let read = read.unwrap().unwrap();
        assert_eq!(read.class_images, [2, 0, 1]);
        let tuning =
            |unit| UnitResponses::tuning(folder.path(), conditions, Perturbation::Clean, unit);
        let [first, second] = [0, 1].map(|unit| tuning(unit).unwrap().unwrap());
        // Class 0: 1 and 3, sd sqrt 2, error 1; one image of class 2 says nothing of its spread.
        assert_eq!(first.class_means, [2.0, 0.0, 8.0]);
        assert_eq!(first.class_standard_errors, [1.0, 0.0, 0.0]);
        assert_eq!(second.class_means, [5.0, 0.0, 0.0]);
        // Classes present: (8 - 2) / (8 + 2) and (5 - 0) / (5 + 0).
        assert!((first.selectivity - 0.6).abs() < 1e-6);
        assert!((second.selectivity - 1.0).abs() < 1e-6);
        assert!(tuning(2).is_err(), "there is no third unit");
        assert_eq!(read.mean_responses[0], 4.0);
        assert_eq!(read.most_activating[0], [(8.0, 12), (3.0, 11), (1.0, 10)]);
        assert_eq!(read.least_activating[1], [(0.0, 12), (5.0, 10), (5.0, 11)]);
        let other = Perturbation::Corruption {
            corruption: protocol::Corruption::Fog,
            severity: 1,
        };
        let missing = UnitResponses::tuning(folder.path(), conditions, other, 0);
        assert_eq!(missing.unwrap(), None);
    }
}
