//! Tiny ImageNet (Stanford CS231n) in its official folder layout:
//!
//! - `wnids.txt`: one WordNet identifier a line, each a class; `words.txt`: their names;
//! - `train/<wnid>/images/*.JPEG`: the training images;
//! - `val/images/*.JPEG` and `val/val_annotations.txt` (file, wnid and box a line, by tabs): the
//!   validation images. They are the test set here, since the published test set has no labels.
//!
//! The official set has 200 classes; a part of it with fewer is taken as it is. Classes are in order
//! of their identifiers, as torchvision's `ImageFolder` has them, so that weights trained elsewhere
//! fit; training images in order of class, then file name; test images in order of the annotations.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, EXTENSIONS_TEXT, LabelledFile};
use super::source::{Picture, Source};
use super::{DataError, ImageSet, SplitName};

/// The folder inside the official archive.
pub(super) const FOLDER: &str = "tiny-imagenet-200";

const ADVICE: &str = "correct it, or fetch the data set again";

/// The set as a [`Source`].
pub(super) struct TinyImagenet {
    folder: PathBuf,
}

/// A text file that knows where its lines are.
struct Lines {
    path: PathBuf,
    text: String,
}

struct Line<'a> {
    /// Counted from 1.
    number: usize,
    /// In bytes from the start of the file.
    offset: u64,
    text: &'a str,
}

impl Lines {
    fn read(path: PathBuf) -> Result<Lines, DataError> {
        let text = fs::read_to_string(&path).map_err(DataError::unreadable(&path))?;
        Ok(Lines { path, text })
    }

    /// The lines that are not empty.
    fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        let mut next = 0;
        self.text
            .split_inclusive('\n')
            .enumerate()
            .map(move |(index, text)| {
                let offset = next;
                next += text.len() as u64;
                Line {
                    number: index + 1,
                    offset,
                    text: text.trim_end(),
                }
            })
            .filter(|line| !line.text.is_empty())
    }

    fn wrong(&self, line: &Line<'_>, problem: String) -> DataError {
        DataError::WrongLine {
            path: self.path.clone(),
            line: line.number,
            offset: line.offset,
            problem,
            advice: ADVICE.to_owned(),
        }
    }
}

impl TinyImagenet {
    /// The set in the data sets directory.
    pub(super) fn new(directory: &Path) -> TinyImagenet {
        TinyImagenet {
            folder: directory.join(FOLDER),
        }
    }

    /// The identifiers of the classes, sorted: a label is an index into them.
    pub(super) fn wnids(&self) -> Result<Vec<String>, DataError> {
        let lines = Lines::read(self.folder.join("wnids.txt"))?;
        let mut wnids = BTreeSet::new();
        for line in lines.iter() {
            // It becomes part of a path, so it must not be one.
            if !line.text.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err(lines.wrong(&line, format!("`{}` is no WordNet identifier", line.text)));
            }
            if !wnids.insert(line.text.to_owned()) {
                return Err(lines.wrong(&line, format!("`{}` is listed twice", line.text)));
            }
        }
        if wnids.len() < 2 {
            return Err(DataError::TooFewClasses {
                path: lines.path,
                found: wnids.len(),
            });
        }
        Ok(wnids.into_iter().collect())
    }

    /// What people call the classes: the first word of `words.txt` for each, with the identifier
    /// where two share it; the identifier alone where there is none.
    fn class_names(&self, wnids: &[String]) -> Result<Vec<String>, DataError> {
        let path = self.folder.join("words.txt");
        if !path.exists() {
            return Ok(wnids.to_vec());
        }
        let lines = Lines::read(path)?;
        let words: HashMap<&str, &str> = lines
            .iter()
            .filter_map(|line| line.text.split_once('\t'))
            .filter_map(|(wnid, words)| Some((wnid, words.split(',').next()?.trim())))
            .collect();
        let word = |wnid: &str| words.get(wnid).copied().filter(|word| !word.is_empty());
        let mut uses = HashMap::new();
        for word in wnids.iter().filter_map(|wnid| word(wnid)) {
            *uses.entry(word).or_insert(0) += 1;
        }
        let name = |wnid: &String| match word(wnid) {
            Some(word) if uses[word] == 1 => word.to_owned(),
            Some(word) => format!("{word} ({wnid})"),
            None => wnid.clone(),
        };
        Ok(wnids.iter().map(name).collect())
    }

    fn train_images(&self, wnid: &str) -> PathBuf {
        self.folder.join("train").join(wnid).join("images")
    }

    fn train_files(&self) -> Result<Vec<LabelledFile>, DataError> {
        let wnids = self.wnids()?;
        let train = self.folder.join("train");
        for folder in files::folders(&train)? {
            if !wnids.iter().any(|wnid| OsStr::new(wnid) == folder) {
                return Err(DataError::UnexpectedClass {
                    path: train.join(folder),
                    advice: "add its name to wnids.txt, or remove the folder".to_owned(),
                });
            }
        }
        let mut all = Vec::new();
        for (label, wnid) in (0..).zip(&wnids) {
            let folder = self.train_images(wnid);
            if !folder.is_dir() {
                return Err(DataError::MissingClass {
                    class: wnid.clone(),
                    path: folder,
                    advice: "fetch the data set again, or remove the class from wnids.txt"
                        .to_owned(),
                });
            }
            all.extend(files::class_images(&folder, wnid, label)?);
        }
        Ok(all)
    }

    pub(super) fn test_files(&self) -> Result<Vec<LabelledFile>, DataError> {
        let wnids = self.wnids()?;
        let labels: BTreeMap<&str, u32> = wnids.iter().map(String::as_str).zip(0..).collect();
        let folder = self.folder.join("val").join("images");
        let mut left = files::images(&folder)?;
        let lines = Lines::read(self.folder.join("val").join("val_annotations.txt"))?;
        let mut all = Vec::new();
        for line in lines.iter() {
            let mut fields = line.text.split('\t');
            let (Some(file), Some(wnid)) = (fields.next(), fields.next()) else {
                let problem = "a file name, a tab and a WordNet identifier were expected";
                return Err(lines.wrong(&line, problem.to_owned()));
            };
            let Some(&label) = labels.get(wnid) else {
                return Err(lines.wrong(&line, format!("`{wnid}` is not in wnids.txt")));
            };
            if !left.remove(OsStr::new(file)) {
                let problem = format!("`{file}` is not in {} or is named twice", folder.display());
                return Err(lines.wrong(&line, problem));
            }
            all.push(LabelledFile {
                path: folder.join(file),
                label,
            });
        }
        if let Some(file) = left.first() {
            return Err(DataError::UnexpectedClass {
                path: folder.join(file),
                advice: "add it to val_annotations.txt, or remove it".to_owned(),
            });
        }
        for (label, wnid) in (0..).zip(&wnids) {
            if !all.iter().any(|file| file.label == label) {
                return Err(DataError::EmptyClass {
                    class: wnid.clone(),
                    path: lines.path,
                    extensions: EXTENSIONS_TEXT,
                });
            }
        }
        Ok(all)
    }

    fn files(&self, split: SplitName) -> Result<Vec<LabelledFile>, DataError> {
        match split {
            SplitName::Train => self.train_files(),
            SplitName::Test => self.test_files(),
        }
    }

    /// The first training image, which sets the size.
    fn first(&self) -> Result<PathBuf, DataError> {
        let wnid = self.wnids()?.swap_remove(0);
        let mut files = files::class_images(&self.train_images(&wnid), &wnid, 0)?;
        Ok(files.swap_remove(0).path)
    }
}

impl Source for TinyImagenet {
    fn description(&self) -> String {
        "Photographs of up to 200 ImageNet classes, 64x64 pixels, 500 a class to train on. The \
         published validation images, 50 a class, are the test set."
            .to_owned()
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.folder.clone())
    }

    fn is_fetchable(&self) -> bool {
        true
    }

    fn size(&self) -> Result<(usize, usize), DataError> {
        files::size(&self.first()?)
    }

    fn classes(&self) -> Result<Vec<String>, DataError> {
        self.class_names(&self.wnids()?)
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
