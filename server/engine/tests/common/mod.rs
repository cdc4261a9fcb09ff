//! What the tests against the shared folder have in common: where it is, and its CIFAR-10-C slice.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The shared folder beside the repository, or `SELECTIVITY_LAB_SHARED`; says `skipped` when it is not there.
pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("SELECTIVITY_LAB_SHARED").map_or_else(
        || PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../../shared"),
        PathBuf::from,
    );
    let there = folder.join("reference/expected.json").is_file();
    if !there {
        println!("skipped: no reference in {}", folder.display());
    }
    there.then_some(folder)
}

/// Unpacks the 200 images of CIFAR-10-C, `*.npy`, into `destination`.
pub fn unpack_corruptions(shared: &Path, destination: &Path) {
    let packed = File::open(shared.join("data/cifar-10-c-200.tar.xz")).unwrap();
    let mut tar = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(packed), &mut tar).unwrap();
    for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry
            .path()
            .unwrap()
            .file_name()
            .unwrap_or_default()
            .to_owned();
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "npy")
        {
            entry.unpack(destination.join(name)).unwrap();
        }
    }
}
