//! The interface of every data set. Each data set is one file with one implementation.

use std::path::PathBuf;

use protocol::api::DatasetFacts;

use super::images::ChannelStatistics;
use super::{DataError, ImageSet, SplitName};

/// A data set where it lies on disk, or is drawn by a formula.
pub(super) trait Source {
    /// What it is and where it comes from, in a sentence or two.
    fn description(&self) -> String;

    /// The folder it is looked for in; none when it needs no files.
    fn path(&self) -> Option<PathBuf>;

    /// Whether it can be downloaded.
    fn is_fetchable(&self) -> bool {
        false
    }

    /// Class names; a label is an index into them.
    fn classes(&self) -> Result<Vec<String>, DataError>;

    /// Height and width of every image in pixels, from the first image's header.
    fn size(&self) -> Result<(usize, usize), DataError>;

    /// Classes, counts and shape, from listings and headers: cheap, so not every fault is found.
    fn facts(&self) -> Result<DatasetFacts, DataError> {
        let classes = self.classes()?;
        let train = self.labels(SplitName::Train)?;
        let test = self.labels(SplitName::Test)?;
        let mut images_per_class = vec![0; classes.len()];
        for &label in &train {
            images_per_class[label as usize] += 1;
        }
        let (height, width) = self.size()?;
        Ok(DatasetFacts {
            classes,
            smallest_class: images_per_class.into_iter().min().unwrap_or(0),
            train_images: train.len() as u32,
            test_images: test.len() as u32,
            height: height as u32,
            width: width as u32,
        })
    }

    /// The label of every image of a split, in the order of [`load`](Self::load), without decoding images.
    fn labels(&self, split: SplitName) -> Result<Vec<u32>, DataError>;

    /// Every image of a split, all of them checked.
    fn load(&self, split: SplitName) -> Result<ImageSet, DataError>;

    /// One image of a split, without loading the others.
    fn picture(&self, split: SplitName, index: usize) -> Result<Picture, DataError>;

    /// The channels' customary mean and standard deviation, where they are not measured on the training images.
    fn customary_statistics(&self) -> Option<ChannelStatistics> {
        None
    }
}

/// One image by itself.
pub(super) struct Picture {
    /// `[3, height, width]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}
