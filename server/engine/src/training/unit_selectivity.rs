//! Selectivity of every unit after each epoch, on the clean validation images, in a file of the run's folder.

use std::path::Path;

use protocol::LayerSelectivity;

use crate::base::arrays::Arrays;
use crate::base::{FileError, files};

/// Name of the file, in the run's directory: `selectivity` `[epochs, units of all layers]`.
pub const FILE: &str = "unit_selectivity.safetensors";

/// The selectivity of all units: one row per epoch, from epoch 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitSelectivity {
    epochs: Vec<Vec<f32>>,
}

impl UnitSelectivity {
    /// Sets epoch `epoch`, from 1, and drops all later ones: a run that goes on from a checkpoint trains them anew.
    /// Unknown epochs before it are NaN.
    pub fn add(&mut self, epoch: u32, layers: &[LayerSelectivity]) {
        let row: Vec<f32> = layers
            .iter()
            .flat_map(|layer| layer.units.iter().copied())
            .collect();
        let before = epoch.saturating_sub(1) as usize;
        self.epochs.truncate(before);
        self.epochs.resize(before, vec![f32::NAN; row.len()]);
        self.epochs.push(row);
    }

    /// One row per epoch, units of all layers in forward order.
    pub fn epochs(&self) -> &[Vec<f32>] {
        &self.epochs
    }

    /// Reads a run's file; empty where there is none.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn load(run_directory: &Path) -> Result<UnitSelectivity, FileError> {
        let path = run_directory.join(FILE);
        let Some(arrays) = Arrays::load(&path)? else {
            return Ok(UnitSelectivity::default());
        };
        Self::of(&arrays).ok_or_else(|| {
            files::damaged(&path, "it has no array `selectivity` of epochs by units")
        })
    }

    fn of(arrays: &Arrays) -> Option<UnitSelectivity> {
        let rows = || {
            let &[epochs, units] = arrays.shape("selectivity")? else {
                return None;
            };
            let values = arrays.floats("selectivity")?;
            (values.len() == epochs * units && units > 0)
                .then(|| values.chunks(units).map(<[f32]>::to_vec).collect())
        };
        Some(UnitSelectivity { epochs: rows()? })
    }

    /// From the file's content, which a checkpoint keeps too.
    pub(crate) fn of_bytes(
        run_directory: &Path,
        bytes: &[u8],
    ) -> Result<UnitSelectivity, FileError> {
        let arrays = Arrays::from_bytes(&run_directory.join(FILE), bytes)?;
        Ok(Self::of(&arrays).unwrap_or_default())
    }

    /// The file's content.
    pub(crate) fn bytes(&self, run_directory: &Path) -> Result<Vec<u8>, FileError> {
        self.arrays().bytes(&run_directory.join(FILE))
    }

    pub(crate) fn save(&self, run_directory: &Path) -> Result<(), FileError> {
        self.arrays().save(&run_directory.join(FILE))
    }

    fn arrays(&self) -> Arrays {
        let units = self.epochs.first().map_or(0, Vec::len);
        let mut arrays = Arrays::default();
        arrays.insert(
            "selectivity",
            &[self.epochs.len(), units],
            &self.epochs.concat(),
        );
        arrays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(values: &[f32]) -> Vec<LayerSelectivity> {
        vec![LayerSelectivity {
            name: "stem".into(),
            mean: 0.0,
            units: values.to_vec(),
            preferred_class: vec![],
            dead_units: 0,
        }]
    }

    /// Breaks when an epoch trained again after a resume is appended instead of replaced.
    #[test]
    fn an_epoch_trained_again_replaces_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = UnitSelectivity::load(folder.path()).unwrap();
        assert_eq!(kept.epochs().len(), 0);
        for (epoch, value) in [(1, 0.1), (2, 0.2), (3, 0.3), (2, 0.25)] {
            kept.add(epoch, &layers(&[value, 0.5]));
            kept.save(folder.path()).unwrap();
        }
        let read = UnitSelectivity::load(folder.path()).unwrap();
        assert_eq!(read.epochs(), [vec![0.1, 0.5], vec![0.25, 0.5]]);
        std::fs::write(folder.path().join(FILE), b"broken").unwrap();
        assert!(UnitSelectivity::load(folder.path()).is_err());
    }
}
