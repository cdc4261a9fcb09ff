//! Puts the dashboard's files for the browser where the server looks for them.
//!
//! `bundle --wasm app.wasm --out target/site` writes `pkg/app.js` and `pkg/app_bg.wasm` (by
//! wasm-bindgen), `pkg/app.css` (the files of `style/` in order of name), `pkg/plotly.min.js` (out
//! of the plotly crate, so that it always fits the crate's traces), everything in `public/`, and a
//! `.br` and a `.gz` beside each file that compresses. Nothing is fetched.

mod compress;
mod plotly_source;
mod wasm;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What went wrong, and with which file.
#[derive(Debug, thiserror::Error)]
enum BundleError {
    #[error("usage: bundle --wasm <app.wasm> --out <site directory>; {0}")]
    Usage(String),
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{path}: wasm-bindgen refused it: {message}. Is wasm-bindgen in Cargo.lock the version of wasm-bindgen-cli-support?"
    )]
    Wasm { path: PathBuf, message: String },
    #[error(
        "the plotly crate no longer hands out plotly.js as this tool expects; see plotly_source.rs"
    )]
    Plotly,
}

impl BundleError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> BundleError {
        let path = path.to_owned();
        move |source| BundleError::File { path, source }
    }
}

fn main() -> ExitCode {
    match bundle(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bundle: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bundle(arguments: impl Iterator<Item = String>) -> Result<(), BundleError> {
    let (wasm, out) = parse(arguments)?;
    let package = out.join("pkg");
    fs::create_dir_all(&package).map_err(BundleError::file(&package))?;

    let repository = repository();
    wasm::bind(&wasm, &package)?;
    write_if_changed(
        &package.join("app.css"),
        stylesheet(&repository.join("style"))?.as_bytes(),
    )?;
    write_if_changed(
        &package.join("plotly.min.js"),
        plotly_source::plotly_js()?.as_bytes(),
    )?;
    copy_directory(&repository.join("public"), &out)?;
    compress::directory(&out)
}

/// The repository as cargo names it when it runs this tool. Not the path it was compiled at: one build
/// folder may serve several checkouts.
fn repository() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(
        || PathBuf::from("."),
        |package| Path::new(&package).join("../.."),
    )
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(PathBuf, PathBuf), BundleError> {
    let (mut wasm, mut out) = (None, None);
    while let Some(name) = arguments.next() {
        let target = match name.as_str() {
            "--wasm" => &mut wasm,
            "--out" => &mut out,
            _ => return Err(BundleError::Usage(format!("`{name}` is unknown"))),
        };
        let value = arguments
            .next()
            .ok_or_else(|| BundleError::Usage(format!("`{name}` needs a path")))?;
        *target = Some(PathBuf::from(value));
    }
    wasm.zip(out)
        .ok_or_else(|| BundleError::Usage("give both".into()))
}

/// The style sheets of `directory` in order of name, one after the other.
fn stylesheet(directory: &Path) -> Result<String, BundleError> {
    let mut files: Vec<PathBuf> = entries(directory)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "css"))
        .collect();
    files.sort();
    let mut sheet = String::new();
    for file in files {
        sheet += &fs::read_to_string(&file).map_err(BundleError::file(&file))?;
        sheet.push('\n');
    }
    Ok(sheet)
}

fn copy_directory(from: &Path, to: &Path) -> Result<(), BundleError> {
    fs::create_dir_all(to).map_err(BundleError::file(to))?;
    for path in entries(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_directory(&path, &target)?;
        } else {
            write_if_changed(&target, &fs::read(&path).map_err(BundleError::file(&path))?)?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, BundleError> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    };
    read().map_err(BundleError::file(directory))
}

/// Writes `contents` unless the file holds them already: what is unchanged keeps its time, and so
/// need not be compressed, or loaded by a browser, again.
fn write_if_changed(path: &Path, contents: &[u8]) -> Result<(), BundleError> {
    if fs::read(path).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    fs::write(path, contents).map_err(BundleError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: an argument that is ignored, or a missing one that is made up.
    #[test]
    fn arguments_are_both_needed_and_nothing_else_is_taken() {
        let parse = |line: &str| parse(line.split_whitespace().map(str::to_owned));
        assert_eq!(
            parse("--out site --wasm a.wasm").unwrap(),
            (PathBuf::from("a.wasm"), PathBuf::from("site"))
        );
        for wrong in ["", "--wasm a", "--wasm a --out", "--wasm a --out b c"] {
            assert!(parse(wrong).is_err(), "`{wrong}` was accepted");
        }
    }

    /// Broken by: an order other than the names', which would let a base rule override a page's.
    #[test]
    fn style_sheets_are_joined_in_order_of_name() {
        let sheet = stylesheet(&repository().join("style")).unwrap();
        let tokens = sheet.find("--text").expect("custom properties are missing");
        let use_of_tokens = sheet.find("var(--text)").expect("nothing uses them");
        assert!(tokens < use_of_tokens);
    }
}
