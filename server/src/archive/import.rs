//! Taking an archive into a store: checked whole first, then there whole or not at all.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::base::files::set_aside;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{ArchiveError, Entry, FORMAT, MANIFEST, Manifest, folder};
use crate::archived::ArchivedEvent;
use crate::directory::DataDirectory;
use crate::import::staging_folder;
use crate::purge::purge_keys;
use crate::store::{Restored, Store, StoreError};

/// Bytes that are unpacked at once.
const AT_ONCE: usize = 1 << 16;

/// How many times its packed size an archive may unpack to; JSON shrinks to a twentieth.
const MOST_TIMES: u64 = 200;

/// Bytes that an archive may always unpack to, however small it is.
const ALWAYS_FITS: u64 = 64 << 20;

/// Counts what is read.
struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// A new experiment of this number has its runs.
    New(i64),
    /// All of its runs are in the experiment of this number already; nothing was changed.
    Already(i64),
}

impl Imported {
    /// The number of the experiment.
    pub fn experiment(self) -> i64 {
        let (Imported::New(id) | Imported::Already(id)) = self;
        id
    }
}

/// Imports the archive that `input` gives. Runs that were queued or running when it was written are interrupted here, and
/// can be resumed.
///
/// # Errors
/// When the archive is damaged or of a newer format, some but not all of its runs are here, or a file or the store cannot
/// be written; nothing has changed then, but that a deleted experiment with these runs can no longer be brought back.
pub async fn import(
    store: &Store,
    directory: &DataDirectory,
    input: impl Read + Send + 'static,
) -> Result<Imported, ArchiveError> {
    let runs = directory.runs();
    let unpacked = tokio::task::spawn_blocking(move || Unpacked::read(&runs, input)).await??;
    let keys: Vec<&str> = unpacked.manifest.runs.iter().map(|run| &*run.key).collect();
    // What was deleted here comes back as the archive has it.
    purge_keys(store, directory, &keys).await?;
    let present = store.experiments_of_keys(&keys).await?;
    if let Some(&experiment) = present.first() {
        return match present.len() == keys.len() {
            true => Ok(Imported::Already(experiment)),
            false => Err(ArchiveError::Overlap {
                present: present.len(),
                all: keys.len(),
                experiment,
            }),
        };
    }
    let restored = Restored {
        experiment: &unpacked.manifest.experiment,
        runs: &unpacked.manifest.runs,
        archived_at: unpacked.manifest.created_at,
        numbers: None,
    };
    let mut placed = Vec::new();
    let place = |index: usize, id: i64| {
        let target = directory.run(id);
        if unpacked.place(index, &target)? {
            placed.push(target);
        }
        Ok(())
    };
    match store
        .restore(restored, |index| unpacked.events(index), place)
        .await
    {
        Ok(id) => Ok(Imported::New(id)),
        Err(error) => {
            for folder in placed {
                if let Err(error) = std::fs::remove_dir_all(&folder) {
                    tracing::warn!(folder = %folder.display(), %error, "an import failed, and its files stay");
                }
            }
            Err(match error {
                StoreError::Replay { .. } => ArchiveError::Damaged(error.to_string()),
                other => other.into(),
            })
        }
    }
}

fn damaged(what: impl Display) -> ArchiveError {
    ArchiveError::Damaged(what.to_string())
}

/// Bytes read from the archive and bytes unpacked from them.
struct Growth {
    packed: Arc<AtomicU64>,
    unpacked: u64,
}

impl Growth {
    /// A few kilobytes can unpack to petabytes of zeros; measurements do not shrink so much.
    fn add(&mut self, bytes: usize) -> Result<(), ArchiveError> {
        self.unpacked += bytes as u64;
        let packed = self.packed.load(Ordering::Relaxed);
        if self.unpacked > ALWAYS_FITS && self.unpacked / MOST_TIMES > packed {
            let times = format!("it unpacks to over {MOST_TIMES} times its size");
            return Err(damaged(times));
        }
        Ok(())
    }
}

/// Unpacks an archive into `folder`: every entry but the manifest, by name, and the manifest.
fn unpack(
    folder: &Path,
    input: impl Read,
) -> Result<(BTreeMap<String, Entry>, Manifest), ArchiveError> {
    let packed = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        input,
        bytes: packed.clone(),
    };
    let mut growth = Growth {
        packed,
        unpacked: 0,
    };
    let decoder = zstd::Decoder::new(counted).map_err(damaged)?;
    let mut archive = tar::Archive::new(decoder);
    let (mut entries, mut manifest) = (BTreeMap::new(), None);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let name = path.to_string_lossy().into_owned();
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if entry.header().entry_type() != tar::EntryType::Regular || !inside {
            return Err(damaged(format!("`{name}` is no plain file in it")));
        }
        if entries.contains_key(&name) {
            return Err(damaged(format!("`{name}` is in it twice")));
        }
        let target = folder.join(&path);
        let written = write_entry(&name, &mut entry, &target, &mut growth)?;
        if name == MANIFEST {
            let read = std::fs::read(&target).map_err(ArchiveError::file(target.display()))?;
            manifest = Some(read);
        } else {
            entries.insert(name, written);
        }
    }
    let manifest = manifest.ok_or_else(|| {
        damaged(format!(
            "it has no {MANIFEST}: it was cut off, or is no archive of an experiment"
        ))
    })?;
    Ok((entries, parse(&manifest)?))
}

/// Writes what an archive has under `name` to the file `target`.
fn write_entry(
    name: &str,
    entry: &mut impl Read,
    target: &Path,
    growth: &mut Growth,
) -> Result<Entry, ArchiveError> {
    let parent = target.parent().unwrap_or(Path::new("."));
    let mut file = std::fs::create_dir_all(parent)
        .and_then(|()| File::create(target))
        .map_err(ArchiveError::file(target.display()))?;
    let mut digest = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let read = entry
            .read(&mut buffer)
            .map_err(|error| damaged(format!("`{name}`: {error}")))?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        growth.add(read)?;
        digest.update(&buffer[..read]);
        file.write_all(&buffer[..read])
            .map_err(ArchiveError::file(target.display()))?;
    }
    let sha256 = digest.finalize();
    Ok(Entry {
        path: name.to_owned(),
        bytes,
        sha256: sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

/// Whether the unpacked `entries` are those that the manifest names, no more and no less.
fn verify(manifest: &Manifest, mut entries: BTreeMap<String, Entry>) -> Result<(), ArchiveError> {
    for expected in &manifest.entries {
        match entries.remove(&expected.path) {
            Some(entry) if entry == *expected => {}
            Some(_) => {
                return Err(damaged(format!(
                    "`{}` is not what was written",
                    expected.path
                )));
            }
            None => return Err(damaged(format!("`{}` is missing", expected.path))),
        }
    }
    if let Some(name) = entries.keys().next() {
        return Err(damaged(format!("`{name}` is not in its {MANIFEST}")));
    }
    Ok(())
}

/// A verified archive, unpacked to its own folder beside the runs'; dropping this removes the folder.
struct Unpacked {
    folder: TempDir,
    manifest: Manifest,
}

impl Unpacked {
    fn read(runs: &Path, input: impl Read) -> Result<Unpacked, ArchiveError> {
        let folder = staging_folder(runs).map_err(ArchiveError::file(runs.display()))?;
        let (entries, manifest) = unpack(folder.path(), input)?;
        verify(&manifest, entries)?;
        Ok(Unpacked { folder, manifest })
    }

    fn run(&self, index: usize) -> PathBuf {
        self.folder.path().join(folder(index))
    }

    /// What the worker of the run at `index` reported, in order.
    fn events(&self, index: usize) -> Result<Vec<ArchivedEvent>, StoreError> {
        let path = self.run(index).join("events.jsonl");
        let lines = BufReader::new(File::open(path).map_err(StoreError::Place)?).lines();
        let event = |(number, line): (usize, std::io::Result<String>)| {
            serde_json::from_str(&line.map_err(StoreError::Place)?).map_err(|error| {
                StoreError::Replay {
                    run: index + 1,
                    line: number + 1,
                    reason: error.to_string(),
                }
            })
        };
        lines.enumerate().map(event).collect()
    }

    /// Puts the files of the run at `index` where the run looks for them; gives whether it has any.
    fn place(&self, index: usize, target: &Path) -> std::io::Result<bool> {
        let source = self.run(index).join("files");
        if !source.is_dir() {
            return Ok(false);
        }
        // Left by another store or an interrupted import: no run of this store has the number yet.
        if target.exists() {
            let aside = set_aside(target, "earlier").map_err(std::io::Error::other)?;
            tracing::warn!(aside = %aside.display(), "files of a run of another store were set aside");
        }
        std::fs::rename(source, target)?;
        Ok(true)
    }
}

fn parse(bytes: &[u8]) -> Result<Manifest, ArchiveError> {
    /// The fields that every format version has.
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
        version: String,
    }
    let unreadable = |error: serde_json::Error| damaged(format!("{MANIFEST}: {error}"));
    let head: Head = serde_json::from_slice(bytes).map_err(unreadable)?;
    if head.format > FORMAT {
        return Err(ArchiveError::Newer {
            found: head.format,
            version: head.version,
        });
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}
