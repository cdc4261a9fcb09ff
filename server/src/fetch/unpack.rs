//! Unpacking into a temporary folder, then one rename. No entry may leave that folder.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::EntryType;
use zip::ZipArchive;

use super::{ArchiveKind, FetchError, FetchStep, Job};

/// Unpacks the archive and moves its folder into place.
pub(super) fn install(job: &mut Job, part: &mut File) -> Result<PathBuf, FetchError> {
    let unusable = |source| FetchError::file(job.directory, source);
    let temporary = tempfile::Builder::new()
        .prefix(".unpacking-")
        .tempdir_in(job.directory)
        .map_err(unusable)?;
    part.rewind().map_err(unusable)?;
    let new = temporary.path().join("new");
    fs::create_dir(&new).map_err(unusable)?;
    match job.archive.kind {
        ArchiveKind::Tar => unpack_tar(job, part, &new, |file| Box::new(file))?,
        ArchiveKind::TarGz => unpack_tar(job, part, &new, |file| Box::new(GzDecoder::new(file)))?,
        ArchiveKind::Zip => unpack_zip(job, part, &new)?,
    }
    job.check_cancelled()?;

    let unpacked = new.join(&job.archive.folder);
    if !unpacked.is_dir() {
        return Err(bad(
            job,
            format!("it holds no folder `{}`", job.archive.folder),
        ));
    }
    let destination = job.directory.join(&job.archive.folder);
    let old = temporary.path().join("old");
    let replaced = destination.exists();
    if replaced {
        fs::rename(&destination, &old).map_err(|e| FetchError::file(&destination, e))?;
    }
    if let Err(source) = fs::rename(&unpacked, &destination) {
        if replaced {
            // Put back what was there; if even that fails, the first failure is the one to tell.
            let _ = fs::rename(&old, &destination);
        }
        return Err(FetchError::file(&destination, source));
    }
    Ok(destination)
}

fn bad(job: &Job, problem: String) -> FetchError {
    FetchError::Archive {
        url: job.archive.url.clone(),
        problem,
    }
}

fn not_plain(job: &Job, name: &Path) -> FetchError {
    bad(
        job,
        format!("`{}` is no plain file or folder", name.display()),
    )
}

fn leads_out(job: &Job, name: &str) -> FetchError {
    bad(job, format!("`{name}` leads out of the archive"))
}

fn unpack_tar(
    job: &mut Job,
    part: &mut File,
    into: &Path,
    decoder: fn(BufReader<&mut File>) -> Box<dyn Read + '_>,
) -> Result<(), FetchError> {
    let unreadable = |error| FetchError::file(into, error);
    let total = part.metadata().map_err(unreadable)?.len();
    let mut place = part.try_clone().map_err(unreadable)?;
    let broken = |job: &Job, error: io::Error| bad(job, error.to_string());
    let mut archive = tar::Archive::new(decoder(BufReader::new(part)));
    for entry in archive.entries().map_err(|error| broken(job, error))? {
        job.check_cancelled()?;
        let mut entry = entry.map_err(|error| broken(job, error))?;
        let name = entry
            .path()
            .map_err(|error| broken(job, error))?
            .into_owned();
        if !matches!(
            entry.header().entry_type(),
            EntryType::Regular | EntryType::Directory
        ) {
            return Err(not_plain(job, &name));
        }
        match entry.unpack_in(into) {
            Ok(true) => {}
            Ok(false) => return Err(leads_out(job, &name.to_string_lossy())),
            Err(source) => return Err(entry_failed(job, into, &name, source)),
        }
        // Both handles share one position: where reading is in the file as it was downloaded.
        let bytes = place.stream_position().unwrap_or(total);
        job.report(FetchStep::Unpacking, bytes, Some(total));
    }
    Ok(())
}

fn unpack_zip(job: &mut Job, part: &mut File, into: &Path) -> Result<(), FetchError> {
    let metadata = part.metadata();
    let total = metadata
        .map_err(|error| FetchError::file(into, error))?
        .len();
    let mut archive =
        ZipArchive::new(BufReader::new(part)).map_err(|error| bad(job, error.to_string()))?;
    let mut bytes = 0;
    for index in 0..archive.len() {
        job.check_cancelled()?;
        let mut entry = archive
            .by_index(index)
            .map_err(|error| bad(job, error.to_string()))?;
        let Some(name) = entry.enclosed_name() else {
            let name = String::from_utf8_lossy(entry.name_raw());
            return Err(leads_out(job, &name));
        };
        if entry.is_symlink() {
            return Err(not_plain(job, &name));
        }
        let path = into.join(&name);
        let written = if entry.is_dir() {
            fs::create_dir_all(&path)
        } else {
            write_file(&mut entry, &path)
        };
        written.map_err(|source| entry_failed(job, into, &name, source))?;
        bytes += entry.compressed_size();
        job.report(FetchStep::Unpacking, bytes.min(total), Some(total));
    }
    Ok(())
}

fn write_file(entry: &mut impl Read, path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = BufWriter::new(File::create_new(path)?);
    io::copy(entry, &mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(())
}

/// A broken archive told apart from a file that cannot be written.
fn entry_failed(job: &Job, into: &Path, name: &Path, source: io::Error) -> FetchError {
    match source.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            bad(job, format!("`{}`: {source}", name.display()))
        }
        _ => FetchError::file(&into.join(name), source),
    }
}
