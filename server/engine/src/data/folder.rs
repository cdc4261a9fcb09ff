//! A person's own images: `<split>/<class>/*.{png,jpg,jpeg}`.
//!
//! The splits are `train`, and the first of `test`, `val` and `validation` that exists, which is the
//! test set. Every class folder of `train` must be there too, and no other. Classes are in order of
//! their folders' names, images in order of class, then file name; names that begin with a dot and
//! files that are no images by their ending are passed over. All images must have one size.

use std::path::{Path, PathBuf};

use super::files::{self, LabelledFile};
use super::source::{Picture, Source};
use super::{DataError, ImageSet, SplitName};

/// The folder of the training images.
pub(super) const TRAIN: &str = "train";

/// The folder of the test images: the first of these that exists.
const TEST: [&str; 3] = ["test", "val", "validation"];

/// A person's folder as a [`Source`].
pub(super) struct Folder {
    name: String,
    folder: PathBuf,
}

impl Folder {
    /// The folder `name` of the data sets directory.
    pub(super) fn new(directory: &Path, name: &str) -> Folder {
        Folder {
            name: name.to_owned(),
            folder: directory.join(name),
        }
    }

    fn missing(&self, path: PathBuf, advice: &str) -> DataError {
        DataError::Missing {
            dataset: format!("folder `{}`", self.name),
            path,
            advice: advice.to_owned(),
        }
    }

    fn split_folder(&self, split: SplitName) -> Result<PathBuf, DataError> {
        let names: &[&str] = match split {
            SplitName::Train => &[TRAIN],
            SplitName::Test => &TEST,
        };
        let paths = names.iter().map(|name| self.folder.join(name));
        paths.clone().find(|path| path.is_dir()).ok_or_else(|| {
            self.missing(
                self.folder.join(names[0]),
                match split {
                    SplitName::Train => "put training images into train/<class>/",
                    SplitName::Test => "put test images into test/<class>/ (or val/<class>/)",
                },
            )
        })
    }

    /// Class names, checked to be the same in both splits.
    fn class_names(&self) -> Result<Vec<String>, DataError> {
        let train = self.split_folder(SplitName::Train)?;
        let test = self.split_folder(SplitName::Test)?;
        let classes = files::folders(&train)?;
        let test_classes = files::folders(&test)?;
        if classes.len() < 2 {
            return Err(DataError::TooFewClasses {
                path: train,
                found: classes.len(),
            });
        }
        if let Some(class) = classes.difference(&test_classes).next() {
            return Err(DataError::MissingClass {
                class: class.to_string_lossy().into_owned(),
                path: test.join(class),
                advice: "add the folder with images, or remove the class from train".to_owned(),
            });
        }
        if let Some(class) = test_classes.difference(&classes).next() {
            return Err(DataError::UnexpectedClass {
                path: test.join(class),
                advice: "add the same folder to train, or remove this one".to_owned(),
            });
        }
        classes
            .into_iter()
            .map(|class| {
                class
                    .into_string()
                    .map_err(|class| DataError::UnexpectedClass {
                        path: train.join(class),
                        advice: "rename the folder: its name is not UTF-8".to_owned(),
                    })
            })
            .collect()
    }

    fn files(&self, split: SplitName) -> Result<Vec<LabelledFile>, DataError> {
        let folder = self.split_folder(split)?;
        let mut all = Vec::new();
        for (label, class) in (0..).zip(self.class_names()?) {
            all.extend(files::class_images(&folder.join(&class), &class, label)?);
        }
        Ok(all)
    }

    /// The first training image, which sets the size.
    fn first(&self) -> Result<PathBuf, DataError> {
        let train = self.split_folder(SplitName::Train)?;
        let class = self.class_names()?.swap_remove(0);
        let mut files = files::class_images(&train.join(&class), &class, 0)?;
        Ok(files.swap_remove(0).path)
    }
}

impl Source for Folder {
    fn description(&self) -> String {
        format!(
            "Your own images from the folder `{}`: train/<class>/ and test/<class>/ (or val/) with \
             PNG or JPEG files of one size.",
            self.name
        )
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.folder.clone())
    }

    fn classes(&self) -> Result<Vec<String>, DataError> {
        self.class_names()
    }

    fn size(&self) -> Result<(usize, usize), DataError> {
        files::size(&self.first()?)
    }

    fn labels(&self, split: SplitName) -> Result<Vec<u32>, DataError> {
        Ok(files::labels(&self.files(split)?))
    }

    fn load(&self, split: SplitName) -> Result<ImageSet, DataError> {
        files::load(&self.files(split)?, &self.first()?)
    }

    fn picture(&self, split: SplitName, index: usize) -> Result<Picture, DataError> {
        files::picture_at(&self.files(split)?, split, index)
    }
}

#[cfg(test)]
mod tests;
