//! Files that are replaced in one step, and that show by themselves whether they are whole.
//!
//! A file is written beside its final name, flushed to disk and renamed, so that a kill or a power cut leaves the old
//! content or the new, never a part.
//!
//! What is read back has a checksum of its own: an entry `checksum` of the JSON, or of a safetensors file's metadata,
//! with 128 bits of XXH3 over the whole file, taken with zeros in place of its own digits. Nothing beside the file
//! can be out of step with it, and other programs read it as before. Files of earlier versions have none; they are
//! accepted with a warning and given one ([`stamp`]).

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::FileError;

/// The entry that holds a file's checksum.
pub(crate) const ENTRY: &str = "checksum";

/// The text before the digits.
const MARK: &str = "xxh3-128:";

/// Digits of a checksum.
const DIGITS: usize = 32;

/// Bytes before a safetensors file's header: its length.
const LENGTH: usize = 8;

/// Replaces a file in one step.
///
/// # Errors
/// When it cannot be written; the old file is still there.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, None, bytes)
}

/// Replaces a file, which gets the name `previous` where that is given.
fn replace(path: &Path, previous: Option<&Path>, bytes: &[u8]) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    // As other files: readable for others where the user's mask allows it.
    #[cfg(unix)]
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    let mut file = builder
        .tempfile_in(folder)
        .map_err(FileError::system("cannot create a file beside", path))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(FileError::system("cannot write", path))?;
    if let Some(previous) = previous {
        match std::fs::rename(path, previous) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(FileError::system("cannot rename", path)(error));
            }
            _ => {}
        }
    }
    file.persist(path)
        .map_err(|error| FileError::system("cannot rename to", path)(error.error))?;
    sync_folder(folder)
}

/// Makes sure that a folder's names survive a power cut.
fn sync_folder(folder: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::system("cannot flush", folder))?;
    Ok(())
}

/// Replaces a JSON object or a safetensors file in one step, with a checksum.
///
/// # Errors
/// When it cannot be written; the old file is still there.
pub(crate) fn write_checked(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_generation(path, None, bytes)
}

/// The same, but the old file gets the name `previous`. A kill in between leaves only that one.
///
/// # Errors
/// When it cannot be written; the old file is still there, perhaps as `previous`.
pub(crate) fn write_generation(
    path: &Path,
    previous: Option<&Path>,
    bytes: &[u8],
) -> Result<(), FileError> {
    let sealed = sealed(bytes).ok_or_else(|| {
        let reason = "is neither a JSON object nor a safetensors file";
        FileError::system("cannot write", path)(std::io::Error::other(reason))
    })?;
    replace(path, previous, &sealed)
}

/// Reads a file, and checks it where it has a checksum; `None` where there is no file.
///
/// # Errors
/// When it cannot be read, or is not what was written.
pub(crate) fn read_checked(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::system("cannot read", path)(error)),
    };
    match Seal::of(&bytes) {
        Seal::Broken => Err(damaged(path, "its checksum is not that of its content")),
        Seal::Whole | Seal::None => Ok(Some(bytes)),
    }
}

/// The error for a file that is damaged.
pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> FileError {
    FileError::Damaged {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// Adds a checksum to a file that has none. `true` where it had none.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn stamp(path: &Path) -> Result<bool, FileError> {
    let Some(bytes) = read_checked(path)? else {
        return Ok(false);
    };
    let without = matches!(Seal::of(&bytes), Seal::None);
    if without {
        write_checked(path, &bytes)?;
    }
    Ok(without)
}

/// Renames a file that must not be used but must not be lost; returns its new name, which was free.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(path: &Path, why: &str) -> Result<PathBuf, FileError> {
    let aside = free_name(path, why);
    std::fs::rename(path, &aside).map_err(FileError::system("cannot rename", path))?;
    Ok(aside)
}

/// A free name beside `path`: with `.why` after it, and a number from 2 on.
pub(crate) fn free_name(path: &Path, why: &str) -> PathBuf {
    (1_u32..)
        .map(|number| {
            let mut name = path.as_os_str().to_owned();
            name.push(match number {
                1 => format!(".{why}"),
                _ => format!(".{why}-{number}"),
            });
            PathBuf::from(name)
        })
        .find(|name| !name.exists())
        .unwrap_or_else(|| path.to_owned())
}

/// Whether a file's checksum matches its content.
enum Seal {
    /// There is none.
    None,
    /// It matches.
    Whole,
    /// It does not.
    Broken,
}

impl Seal {
    fn of(bytes: &[u8]) -> Seal {
        let Some(place) = digits(bytes) else {
            return Seal::None;
        };
        let recorded = &bytes[place.clone()];
        match recorded == checksum(bytes, place).as_bytes() {
            true => Seal::Whole,
            false => Seal::Broken,
        }
    }
}

/// Where the digits of a file's checksum lie.
fn digits(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let text = text(bytes);
    let position = bytes[text.clone()]
        .windows(MARK.len())
        .position(|window| window == MARK.as_bytes())?;
    let first = text.start + position + MARK.len();
    (first + DIGITS <= text.end).then_some(first..first + DIGITS)
}

/// The part of a file that is text: a safetensors file's header, or everything.
fn text(bytes: &[u8]) -> std::ops::Range<usize> {
    header(bytes).unwrap_or(0..bytes.len())
}

/// Where the header of a safetensors file lies.
fn header(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let length = u64::from_le_bytes(*bytes.first_chunk()?);
    let end = LENGTH.checked_add(usize::try_from(length).ok()?)?;
    (bytes.get(LENGTH) == Some(&b'{') && end <= bytes.len()).then_some(LENGTH..end)
}

/// The digits for a file, computed with zeros in place of those at `place`.
fn checksum(bytes: &[u8], place: std::ops::Range<usize>) -> String {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(&bytes[..place.start]);
    hasher.update(&[b'0'; DIGITS]);
    hasher.update(&bytes[place.end..]);
    format!("{:0DIGITS$x}", hasher.digest128())
}

/// The same file with a checksum; none where it is neither JSON nor safetensors.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let entry = format!("\"{ENTRY}\":\"{MARK}{}\"", "0".repeat(DIGITS));
    let mut sealed = match header(bytes) {
        Some(place) => {
            let text = std::str::from_utf8(&bytes[place.clone()]).ok()?.trim_end();
            const METADATA: &str = "\"__metadata__\":{";
            let mut text = match text.split_once(METADATA) {
                Some((before, after)) => format!("{before}{METADATA}{}", first(&entry, after)),
                None => {
                    let metadata = format!("{METADATA}{entry}}}");
                    format!("{{{}", first(&metadata, text.strip_prefix('{')?))
                }
            };
            // Tensors begin at a multiple of 8.
            text.extend(std::iter::repeat_n(
                ' ',
                (LENGTH - text.len() % LENGTH) % LENGTH,
            ));
            let mut sealed = (text.len() as u64).to_le_bytes().to_vec();
            sealed.extend(text.as_bytes());
            sealed.extend(&bytes[place.end..]);
            sealed
        }
        None => {
            let text = std::str::from_utf8(bytes).ok()?.trim_start();
            format!("{{{}", first(&entry, text.strip_prefix('{')?)).into_bytes()
        }
    };
    let place = digits(&sealed)?;
    let digits = checksum(&sealed, place.clone());
    sealed[place].copy_from_slice(digits.as_bytes());
    Some(sealed)
}

/// An object's entries `rest` (with what follows the object) after a first `entry`.
fn first(entry: &str, rest: &str) -> String {
    match rest.trim_start().starts_with('}') {
        true => format!("{entry}{rest}"),
        false => format!("{entry},{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;
    use safetensors::tensor::{Dtype, TensorView};
    use std::collections::HashMap;

    fn tensors(metadata: Option<HashMap<String, String>>) -> Vec<u8> {
        let values = [1_u8, 2, 3, 4, 5, 6, 7, 8];
        let view = TensorView::new(Dtype::F32, vec![2], &values).unwrap();
        safetensors::serialize([("values", view)], metadata).unwrap()
    }

    fn files() -> Vec<Vec<u8>> {
        let metadata = HashMap::from([("spec".to_owned(), "{\"a\": 1}".to_owned())]);
        vec![
            tensors(None),
            tensors(Some(metadata)),
            b"{\n  \"accuracy\": 0.5\n}".to_vec(),
            b"{}".to_vec(),
        ]
    }

    /// Breaks when a single flipped bit, a lost end or an added byte goes unnoticed, anywhere but in the words that say
    /// that there is a checksum: without those it is a file of an earlier version, whose content is what it was.
    #[test]
    fn every_flipped_bit_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for file in files() {
            write_checked(&path, &file).unwrap();
            let whole = read_checked(&path).unwrap().unwrap();
            assert!(!stamp(&path).unwrap(), "it has a checksum");
            let mark = digits(&whole).unwrap();
            let mark = mark.start - MARK.len()..mark.start;
            for bit in 0..8 * whole.len() {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                std::fs::write(&path, &flipped).unwrap();
                // A header's length may point beyond the file: then no checksum is found, and no tensor either.
                let seen = matches!(read_checked(&path), Err(FileError::Damaged { .. }))
                    || mark.contains(&(bit / 8))
                    || (SafeTensors::deserialize(&flipped).is_err()
                        && serde_json::from_slice::<serde_json::Value>(&flipped).is_err());
                assert!(seen, "bit {bit} of {}", String::from_utf8_lossy(&whole));
            }
            std::fs::write(&path, [&whole[..], b" "].concat()).unwrap();
            assert!(read_checked(&path).is_err(), "an added byte");
        }
    }

    /// Breaks when a checksum changes what other programs read, or a file that has none is refused or stays without.
    #[test]
    fn content_is_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for file in files() {
            std::fs::write(&path, &file).unwrap();
            assert_eq!(read_checked(&path).unwrap().unwrap(), file, "an older file");
            assert!(stamp(&path).unwrap());
            assert!(!stamp(&path).unwrap(), "once");
            let read = read_checked(&path).unwrap().unwrap();
            assert!(matches!(Seal::of(&read), Seal::Whole));
            match header(&file) {
                Some(_) => {
                    let (before, after) = (
                        SafeTensors::deserialize(&file).unwrap(),
                        SafeTensors::deserialize(&read).unwrap(),
                    );
                    let (before, after) = (
                        before.tensor("values").unwrap(),
                        after.tensor("values").unwrap(),
                    );
                    assert_eq!(before, after);
                    let (_, header) = SafeTensors::read_metadata(&read).unwrap();
                    let metadata = header.metadata().clone().unwrap();
                    assert!(metadata[ENTRY].starts_with(MARK));
                    assert!(metadata.len() == 1 || metadata["spec"] == "{\"a\": 1}");
                }
                None => {
                    let mut value: serde_json::Value = serde_json::from_slice(&read).unwrap();
                    value.as_object_mut().unwrap().remove(ENTRY).unwrap();
                    let before: serde_json::Value = serde_json::from_slice(&file).unwrap();
                    assert_eq!(value, before);
                }
            }
        }
        assert_eq!(read_checked(&folder.path().join("none")).unwrap(), None);
        assert!(write_checked(&path, b"neither").is_err());
        assert!(path.is_file(), "what was there is there still");
    }

    /// Breaks when what is set aside replaces something, or a part of a file is left behind by a write.
    #[test]
    fn nothing_is_lost_and_nothing_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        for number in 0..3 {
            write_atomically(&path, format!("{number}").as_bytes()).unwrap();
            set_aside(&path, "damaged").unwrap();
        }
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "file.json.damaged",
                "file.json.damaged-2",
                "file.json.damaged-3"
            ]
        );
        let second = folder.path().join("file.json.damaged-2");
        assert_eq!(std::fs::read(second).unwrap(), b"1");
    }
}
