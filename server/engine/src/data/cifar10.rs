//! CIFAR-10 (Krizhevsky, *Learning multiple layers of features from tiny images*, 2009) in its
//! official binary layout: five training files and a test file of 10,000 records each. A record is
//! one label byte, then 3,072 bytes: the red, green and blue planes of 32x32 pixels, row by row.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::images::ChannelStatistics;
use super::source::{Picture, Source};
use super::{CHANNELS, DataError, ImageSet, SplitName};

/// The folder inside the official archive.
pub(super) const FOLDER: &str = "cifar-10-batches-bin";

const SIDE: usize = 32;
const PIXELS: usize = CHANNELS * SIDE * SIDE;
const RECORD: usize = 1 + PIXELS;
const RECORDS_PER_FILE: usize = 10_000;

const TRAIN_FILES: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST_FILES: [&str; 1] = ["test_batch.bin"];

/// Class names in label order (`batches.meta.txt`).
const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// The set as a [`Source`].
pub(super) struct Cifar10 {
    folder: PathBuf,
    /// 10,000 in the official layout; tests make smaller files.
    records_per_file: usize,
}

impl Cifar10 {
    /// The set in the data sets directory.
    pub(super) fn new(directory: &Path) -> Cifar10 {
        Cifar10 {
            folder: directory.join(FOLDER),
            records_per_file: RECORDS_PER_FILE,
        }
    }

    fn files(split: SplitName) -> &'static [&'static str] {
        match split {
            SplitName::Train => &TRAIN_FILES,
            SplitName::Test => &TEST_FILES,
        }
    }

    /// Opens a file whose length is right.
    fn open(&self, name: &str) -> Result<OpenFile, DataError> {
        let path = self.folder.join(name);
        let file = File::open(&path).map_err(DataError::unreadable(&path))?;
        let metadata = file.metadata().map_err(DataError::unreadable(&path))?;
        let found = metadata.len();
        let expected = (self.records_per_file * RECORD) as u64;
        if found != expected {
            let whole_records = found / RECORD as u64 * RECORD as u64;
            return Err(DataError::WrongLength {
                path,
                offset: whole_records.min(expected),
                expected,
                found,
            });
        }
        Ok(OpenFile {
            reader: BufReader::with_capacity(1 << 16, file),
            path,
        })
    }

    /// Reads one file's records into `pixels` and `labels`, which hold exactly one file.
    fn read(&self, name: &str, pixels: &mut [u8], labels: &mut [u32]) -> Result<(), DataError> {
        let mut file = self.open(name)?;
        let records = pixels.chunks_exact_mut(PIXELS).zip(labels);
        for (record, (pixels, label)) in records.enumerate() {
            *label = file.read_label(record)?;
            file.read_exact(pixels)?;
        }
        Ok(())
    }

    /// Checks that a split shows every class.
    fn check_classes(&self, split: SplitName, labels: &[u32]) -> Result<(), DataError> {
        for (label, class) in (0..).zip(CLASSES) {
            if !labels.contains(&label) {
                return Err(DataError::MissingClass {
                    class: class.to_owned(),
                    path: self.folder.join(Self::files(split)[0]),
                    advice: format!(
                        "no record of the {split} files has label {label}; fetch the data set again"
                    ),
                });
            }
        }
        Ok(())
    }
}

struct OpenFile {
    reader: BufReader<File>,
    path: PathBuf,
}

impl OpenFile {
    fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), DataError> {
        let result = self.reader.read_exact(bytes);
        result.map_err(DataError::unreadable(&self.path))
    }

    /// Reads the label byte of the record that the reader is at.
    fn read_label(&mut self, record: usize) -> Result<u32, DataError> {
        let mut byte = [0];
        self.read_exact(&mut byte)?;
        if usize::from(byte[0]) >= CLASSES.len() {
            return Err(DataError::WrongLabel {
                path: self.path.clone(),
                offset: (record * RECORD) as u64,
                maximum: CLASSES.len() as u8 - 1,
                found: byte[0],
            });
        }
        Ok(byte[0].into())
    }

    /// Skips `bytes` from where the reader is.
    fn skip(&mut self, bytes: usize) -> Result<(), DataError> {
        let result = self.reader.seek_relative(bytes as i64);
        result.map_err(DataError::unreadable(&self.path))
    }

    /// Goes to a record.
    fn seek(&mut self, record: usize) -> Result<(), DataError> {
        let result = self.reader.seek(SeekFrom::Start((record * RECORD) as u64));
        result.map(drop).map_err(DataError::unreadable(&self.path))
    }
}

impl Source for Cifar10 {
    fn description(&self) -> String {
        "Photographs of 10 classes, 32x32 pixels, 50,000 to train on and 10,000 to test \
         (Krizhevsky 2009), in the official binary layout."
            .to_owned()
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.folder.clone())
    }

    fn is_fetchable(&self) -> bool {
        true
    }

    fn classes(&self) -> Result<Vec<String>, DataError> {
        Ok(CLASSES.map(str::to_owned).to_vec())
    }

    fn size(&self) -> Result<(usize, usize), DataError> {
        Ok((SIDE, SIDE))
    }

    fn labels(&self, split: SplitName) -> Result<Vec<u32>, DataError> {
        let mut labels = Vec::new();
        for name in Self::files(split) {
            let mut file = self.open(name)?;
            for record in 0..self.records_per_file {
                labels.push(file.read_label(record)?);
                file.skip(PIXELS)?;
            }
        }
        self.check_classes(split, &labels)?;
        Ok(labels)
    }

    fn load(&self, split: SplitName) -> Result<ImageSet, DataError> {
        let files = Self::files(split);
        let mut pixels = vec![0; files.len() * self.records_per_file * PIXELS];
        let mut labels = vec![0; files.len() * self.records_per_file];
        let fault = pixels
            .par_chunks_exact_mut(self.records_per_file * PIXELS)
            .zip(labels.par_chunks_exact_mut(self.records_per_file))
            .zip(files)
            .find_map_first(|((pixels, labels), name)| self.read(name, pixels, labels).err());
        if let Some(error) = fault {
            return Err(error);
        }
        self.check_classes(split, &labels)?;
        ImageSet::new(pixels, labels, SIDE, SIDE)
    }

    fn picture(&self, split: SplitName, index: usize) -> Result<Picture, DataError> {
        let files = Self::files(split);
        let Some(name) = files.get(index / self.records_per_file) else {
            let images = files.len() * self.records_per_file;
            return Err(DataError::NoSuchImage {
                split,
                index,
                images,
            });
        };
        let mut file = self.open(name)?;
        let record = index % self.records_per_file;
        file.seek(record)?;
        file.read_label(record)?;
        let mut pixels = vec![0; PIXELS];
        file.read_exact(&mut pixels)?;
        Ok(Picture {
            pixels,
            height: SIDE,
            width: SIDE,
        })
    }

    /// The customary numbers of the training set, to four digits, so that weights trained elsewhere fit.
    fn customary_statistics(&self) -> Option<ChannelStatistics> {
        Some(([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]))
    }
}

#[cfg(test)]
mod tests;
