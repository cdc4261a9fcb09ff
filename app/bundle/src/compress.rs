//! Compressed copies beside the files, which the server hands out to browsers that take them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{BundleError, entries};

/// Formats that shrink; images are compressed already.
const COMPRESSIBLE: [&str; 7] = ["css", "html", "ico", "js", "json", "svg", "wasm"];

/// Writes a `.br` and a `.gz` beside every compressible file under `directory`, unless one is
/// there that is not older than the file.
pub fn directory(directory: &Path) -> Result<(), BundleError> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    // Two files take nearly all the time: each has a core.
    std::thread::scope(|scope| {
        let threads = files.iter().map(|path| scope.spawn(|| file(path)));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().try_for_each(|thread| {
            let finished = thread.join();
            finished.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

/// Adds the compressible files under `directory` to `files`.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), BundleError> {
    for path in entries(directory)? {
        if path.is_dir() {
            collect(&path, files)?;
        } else if extension(&path).is_some_and(|extension| COMPRESSIBLE.contains(&extension)) {
            files.push(path);
        }
    }
    Ok(())
}

fn extension(path: &Path) -> Option<&str> {
    path.extension()?.to_str()
}

/// Brotli's quality. Best for the program, which no browser can do without: 11 % smaller than at 9, in 15 s. Plotly, which is
/// loaded behind the page, would take as long for a few per cent.
fn quality(path: &Path) -> u32 {
    match extension(path) {
        Some("wasm") => 11,
        _ => 9,
    }
}

fn file(path: &Path) -> Result<(), BundleError> {
    let (brotli, gzip) = (beside(path, "br"), beside(path, "gz"));
    let modified = |path: &Path| fs::metadata(path).and_then(|facts| facts.modified());
    let changed = modified(path).map_err(BundleError::file(path))?;
    if [&brotli, &gzip]
        .iter()
        .all(|copy| modified(copy).is_ok_and(|time| time >= changed))
    {
        return Ok(());
    }
    let contents = fs::read(path).map_err(BundleError::file(path))?;
    let write = || -> std::io::Result<()> {
        let compressed = File::create(&brotli)?;
        let mut encoder = brotli::CompressorWriter::new(compressed, 1 << 16, quality(path), 22);
        encoder.write_all(&contents)?;
        encoder.flush()?;
        drop(encoder);
        let mut encoder = GzEncoder::new(File::create(&gzip)?, Compression::best());
        encoder.write_all(&contents)?;
        encoder.finish().map(drop)
    };
    write().map_err(BundleError::file(path))
}

/// `app.css` and `br` give `app.css.br`.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Broken by: replacing the extension, after which no server would find the copy.
    #[test]
    fn the_copy_keeps_the_whole_name() {
        assert_eq!(
            super::beside(Path::new("pkg/app.css"), "br"),
            Path::new("pkg/app.css.br")
        );
    }
}
