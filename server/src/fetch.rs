//! Downloads the published data sets: resumable, checked, and never half-installed.
//!
//! A download goes to a hidden `.part` file beside its destination and is kept when it is cut off;
//! the next try asks only for the rest. The whole file is checked against the published MD5 sum
//! before it is unpacked into a temporary folder, which is then renamed into place.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use md5::{Digest, Md5};
use protocol::Dataset;
use protocol::dataset::UnknownDataset;

use crate::directory::remove_file;
use crate::lock::{LockedFile, Locking};

mod download;
mod unpack;

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// `.tar`
    Tar,
    /// `.tar.gz`
    TarGz,
    /// `.zip`
    Zip,
}

/// A published archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where it is; `http` or `https`.
    pub url: String,
    /// Its published MD5 sum in lower-case hexadecimal digits.
    pub md5: String,
    /// How it is packed.
    pub kind: ArchiveKind,
    /// The one folder that it holds, and that is installed.
    pub folder: String,
}

/// What can be asked for: a data set, or the published corrupted copy of its test images.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Download {
    /// A data set.
    Dataset(Dataset),
    /// CIFAR10-C of `cifar10`, Tiny ImageNet-C of `tiny-imagenet`.
    Corrupted(Dataset),
}

impl From<&Dataset> for Download {
    fn from(dataset: &Dataset) -> Self {
        Download::Dataset(dataset.clone())
    }
}

impl fmt::Display for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Download::Dataset(dataset) => write!(f, "{dataset}"),
            Download::Corrupted(dataset) => write!(f, "{dataset}-c"),
        }
    }
}

impl FromStr for Download {
    type Err = UnknownDataset;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "cifar10-c" => Download::Corrupted(Dataset::Cifar10),
            "tiny-imagenet-c" => Download::Corrupted(Dataset::TinyImagenet),
            text => Download::Dataset(text.parse()?),
        })
    }
}

/// Where each data set is fetched from. The default is the publishers' own addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// CIFAR-10, binary version.
    pub cifar10: Archive,
    /// Tiny ImageNet.
    pub tiny_imagenet: Archive,
    /// CIFAR10-C (Hendrycks & Dietterich 2019).
    pub cifar10_c: Archive,
    /// Tiny ImageNet-C (Hendrycks & Dietterich 2019), the 15 corruptions without the extra ones.
    pub tiny_imagenet_c: Archive,
}

impl Default for Sources {
    fn default() -> Self {
        Sources {
            cifar10: Archive {
                url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz".to_owned(),
                md5: "c32a1d4ab5d03f1284b67883e8d87530".to_owned(),
                kind: ArchiveKind::TarGz,
                folder: "cifar-10-batches-bin".to_owned(),
            },
            tiny_imagenet: Archive {
                url: "http://cs231n.stanford.edu/tiny-imagenet-200.zip".to_owned(),
                md5: "90528d7ca1a48142e341f4ef8d21d0de".to_owned(),
                kind: ArchiveKind::Zip,
                folder: "tiny-imagenet-200".to_owned(),
            },
            cifar10_c: Archive {
                url: "https://zenodo.org/records/2535967/files/CIFAR-10-C.tar".to_owned(),
                md5: "56bf5dcef84df0e2308c6dcbcbbd8499".to_owned(),
                kind: ArchiveKind::Tar,
                folder: engine::data::CIFAR10_C.to_owned(),
            },
            tiny_imagenet_c: Archive {
                url: "https://zenodo.org/records/8206060/files/Tiny-ImageNet-C.tar".to_owned(),
                md5: "f9c9a9dbdc11469f0b850190f7ad8be1".to_owned(),
                kind: ArchiveKind::Tar,
                folder: engine::data::TINY_IMAGENET_C.to_owned(),
            },
        }
    }
}

impl Sources {
    /// The archive of a download; none for what cannot be fetched.
    pub fn archive(&self, download: &Download) -> Option<&Archive> {
        match download {
            Download::Dataset(Dataset::Cifar10) => Some(&self.cifar10),
            Download::Dataset(Dataset::TinyImagenet) => Some(&self.tiny_imagenet),
            Download::Corrupted(Dataset::Cifar10) => Some(&self.cifar10_c),
            Download::Corrupted(Dataset::TinyImagenet) => Some(&self.tiny_imagenet_c),
            _ => None,
        }
    }
}

/// What a fetch is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchStep {
    /// Receiving the archive.
    Downloading,
    /// Computing its checksum.
    Checking,
    /// Writing its files.
    Unpacking,
}

impl fmt::Display for FetchStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FetchStep::Downloading => "downloading",
            FetchStep::Checking => "checking",
            FetchStep::Unpacking => "unpacking",
        })
    }
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress {
    /// What is being done.
    pub step: FetchStep,
    /// Bytes of the archive that this step is through with, those of an earlier try included.
    pub bytes: u64,
    /// Bytes of the archive in all, when known.
    pub total_bytes: Option<u64>,
}

/// A fetch did not end with an installed data set. What was downloaded is kept, unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is nothing to download.
    #[error(
        "`{0}` cannot be downloaded; fetch cifar10, cifar10-c, tiny-imagenet or tiny-imagenet-c"
    )]
    NotFetchable(Download),
    /// It was cancelled.
    #[error("the fetch was cancelled; fetch again to go on where it stopped")]
    Cancelled,
    /// Another fetch has the same file open.
    #[error("{} is being downloaded already; wait for that fetch or end it", .0.display())]
    Busy(PathBuf),
    /// The network failed.
    #[error(
        "cannot download {url}: {problem}; check the connection and fetch again, which goes on after {received} bytes"
    )]
    Network {
        /// What was downloaded.
        url: String,
        /// What went wrong.
        problem: String,
        /// Bytes that are there already.
        received: u64,
    },
    /// The server refused.
    #[error(
        "{url} answered with status {status}; try again later, or unpack the archive into the data sets directory by hand"
    )]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The archive is not the published one; it was deleted.
    #[error(
        "{url} has MD5 sum {found} instead of {expected}, so the download was deleted; fetch again, and if it happens twice, the publisher's file has changed"
    )]
    Checksum {
        /// What was downloaded.
        url: String,
        /// The published sum.
        expected: String,
        /// The sum found.
        found: String,
    },
    /// The disk is full.
    #[error("the disk is full while writing {}; make room and fetch again", .0.display())]
    DiskFull(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot read or write {}: {source}; check the folder's permissions and fetch again", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The archive holds something that it must not.
    #[error("the archive of {url} cannot be unpacked: {problem}; nothing was installed")]
    Archive {
        /// Where it came from.
        url: String,
        /// What is wrong, naming the entry.
        problem: String,
    },
}

impl FetchError {
    /// A failed file operation, told apart from a full disk.
    fn file(path: &Path, source: io::Error) -> FetchError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FetchError::DiskFull(path),
            _ => FetchError::File { path, source },
        }
    }
}

/// What every step of a fetch needs.
struct Job<'a> {
    archive: &'a Archive,
    /// The data sets directory.
    directory: &'a Path,
    progress: &'a mut dyn FnMut(FetchProgress),
    cancel: &'a AtomicBool,
}

impl Job<'_> {
    fn check_cancelled(&self) -> Result<(), FetchError> {
        match self.cancel.load(Ordering::Relaxed) {
            true => Err(FetchError::Cancelled),
            false => Ok(()),
        }
    }

    fn report(&mut self, step: FetchStep, bytes: u64, total_bytes: Option<u64>) {
        (self.progress)(FetchProgress {
            step,
            bytes,
            total_bytes,
        });
    }

    /// A hidden file beside the destination.
    fn hidden(&self, ending: &str) -> PathBuf {
        self.directory
            .join(format!(".{}.{ending}", self.archive.folder))
    }

    /// Forgets the download.
    fn delete_download(&self) -> Result<(), FetchError> {
        for path in [self.hidden("part"), self.hidden("validator")] {
            remove_file(&path).map_err(|source| FetchError::file(&path, source))?;
        }
        Ok(())
    }
}

/// Downloads, checks and installs a data set into `directory`, and says where it is. A download
/// that was cut off goes on where it stopped. A folder of that name that is there already is
/// replaced, and only once the new one is complete.
///
/// `progress` is called many times a second. Setting `cancel` ends the fetch within a second.
///
/// # Errors
/// A [`FetchError`]; nothing is installed then.
pub fn fetch(
    download: impl Into<Download>,
    directory: &Path,
    sources: &Sources,
    progress: &mut dyn FnMut(FetchProgress),
    cancel: &AtomicBool,
) -> Result<PathBuf, FetchError> {
    let download = download.into();
    let archive = sources
        .archive(&download)
        .ok_or(FetchError::NotFetchable(download))?;
    fs::create_dir_all(directory).map_err(|source| FetchError::file(directory, source))?;
    let mut job = Job {
        archive,
        directory,
        progress,
        cancel,
    };
    let path = job.hidden("part");
    let mut part = lock(&path)?;
    download::download(&mut job, &mut part)?;
    check(&mut job, &mut part)?;
    let installed = unpack::install(&mut job, &mut part)?;
    job.delete_download()?;
    Ok(installed)
}

/// Opens the `.part` file for this process alone; the lock ends with what is returned.
fn lock(path: &Path) -> Result<LockedFile, FetchError> {
    match LockedFile::open(path).map_err(|source| FetchError::file(path, source))? {
        Locking::Ours(file) => Ok(file),
        Locking::Held(_) => Err(FetchError::Busy(path.to_owned())),
    }
}

/// Compares the checksum of the whole download with the published one.
fn check(job: &mut Job, part: &mut File) -> Result<(), FetchError> {
    let path = job.hidden("part");
    let unreadable = |source| FetchError::file(&path, source);
    let total = part.metadata().map_err(unreadable)?.len();
    part.rewind().map_err(unreadable)?;
    let mut sum = Md5::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        job.check_cancelled()?;
        let count = part.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        sum.update(&buffer[..count]);
        bytes += count as u64;
        job.report(FetchStep::Checking, bytes, Some(total));
    }
    let found: String = sum
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found == job.archive.md5 {
        return Ok(());
    }
    job.delete_download()?;
    Err(FetchError::Checksum {
        url: job.archive.url.clone(),
        expected: job.archive.md5.clone(),
        found,
    })
}

#[cfg(test)]
mod tests;
