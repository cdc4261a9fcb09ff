//! The reference network and images, for the tests that compare with independent implementations.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use engine::data::ImageSet;
use engine::data::{read_images, read_labels};
use engine::devices;
use engine::networks::{Model, ModelConfig, weights};
use protocol::Network;
use safetensors::SafeTensors;
use serde_json::Value;

/// The shared folder beside the repository, or `SELECTIVITY_LAB_SHARED`. Says `skipped` where it is not there.
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

/// The trained ResNet20, in inference mode on the CPU, and its 200 images.
pub fn subject(shared: &Path) -> (Model, ImageSet) {
    let folder = tempfile::tempdir().unwrap();
    let device = devices::open(devices::CPU).unwrap();
    subject_on(&device, shared, folder.path())
}

/// The same on `device`; the images and their corrupted copies are unpacked into `folder`.
pub fn subject_on(device: &Device, shared: &Path, folder: &Path) -> (Model, ImageSet) {
    unpack_corruptions(shared, folder);
    let config = ModelConfig {
        network: Network::ResNet20,
        classes: 10,
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2470, 0.2435, 0.2616],
    };
    let weights_file = shared.join("reference/resnet20-cifar10.safetensors");
    let model = weights::load(&config, &weights_file, device).unwrap();
    let labels = read_labels(&folder.join("labels.npy"), 10).unwrap();
    let images = read_images(&folder.join("clean.npy"), labels).unwrap();
    (model.valid(), images)
}

/// A JSON file of the reference.
pub fn json(shared: &Path, name: &str) -> Value {
    let file = File::open(shared.join("reference").join(name)).unwrap();
    serde_json::from_reader(BufReader::new(file)).unwrap()
}

/// The reference's arrays: shapes and values by name.
pub fn arrays(shared: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(shared.join("reference/expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| {
            let values = view
                .data()
                .chunks_exact(4)
                .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
                .collect();
            (name.to_owned(), (view.shape().to_vec(), values))
        })
        .collect()
}
