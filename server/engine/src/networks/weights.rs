//! Weights in and out of files, in the naming of the usual PyTorch implementations, so that a
//! network trained here opens there and the other way round.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, Param};
use burn::store::{
    ApplyResult, BurnToPyTorchAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter,
    PytorchStore, SafetensorsStore,
};
use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;

use super::{Body, Model, ModelConfig, NamedParameters, NetworkError, visit_named};
use crate::base::host::host;
use crate::base::{FileError, files};

/// The network of `config` with the weights of a file, in inference mode on `device`.
///
/// A `.safetensors` file or a PyTorch state dict (`.pt`, `.pth`, `.bin`), plain or under
/// `state_dict`, `model_state_dict` or `model`; a leading `module.` (data parallel) is dropped.
///
/// # Errors
/// When `config` makes no network, or the file cannot be read, is cut off, lacks a tensor, or holds one of another
/// shape or one with values that are not finite; the tensor is named.
pub fn load(config: &ModelConfig, path: &Path, device: &Device) -> Result<Model, NetworkError> {
    let refuse = |reason: String| NetworkError::Weights {
        path: path.to_owned(),
        reason,
    };
    config.check()?;
    if !path.is_file() {
        return Err(refuse("there is no such file".into()));
    }
    let mut model = config.init(0, device).valid();
    let renames = model.body.renames();
    let safetensors = path
        .extension()
        .is_some_and(|extension| extension == "safetensors");
    let result = if safetensors {
        check_whole(path)?;
        if let Err(FileError::Damaged { reason, .. }) = files::read_checked(path) {
            return Err(refuse(format!("is damaged: {reason}")));
        }
        let mut store = SafetensorsStore::from_file(path)
            .with_from_adapter(PyTorchToBurnAdapter)
            .skip_enum_variants(true)
            .map_indices_contiguous(false)
            .with_key_remapping(r"^module\.", "")
            .validate(false)
            .allow_partial(true);
        for (burn_name, pytorch_name) in renames {
            store = store.with_key_remapping(inner(pytorch_name), format!(".{burn_name}."));
        }
        apply(&mut model.body, &mut store).map_err(refuse)?
    } else {
        load_pytorch(&mut model.body, path)
            .map_err(whole_pytorch)
            .map_err(refuse)?
    };
    check(&result).map_err(refuse)?;
    match first_not_finite(&model) {
        Some((name, value)) => Err(refuse(format!(
            "`{name}` holds {value}: its values are not finite numbers"
        ))),
        None => Ok(model),
    }
}

/// The pattern of a part in the middle of a name.
fn inner(part: &str) -> String {
    format!(r"\.{}\.", part.replace('.', r"\."))
}

/// Checks that a safetensors file is as long as its header says.
fn check_whole(path: &Path) -> Result<(), NetworkError> {
    let bytes = std::fs::read(path).map_err(FileError::system("cannot read", path))?;
    match SafeTensors::deserialize(&bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(NetworkError::Weights {
            path: path.to_owned(),
            reason: format!(
                "is no whole safetensors file of {} bytes ({error}); was it cut off on its way here?",
                bytes.len()
            ),
        }),
    }
}

/// The error of the PyTorch reader, with an explanation.
fn whole_pytorch(reason: String) -> String {
    format!(
        "cannot be read as a PyTorch state dict: is it whole, and written with torch.save(model.state_dict(), …)? The reader says: {}",
        reason.replace("failed to fill whole buffer", "the file ends too early")
    )
}

/// The first parameter or running statistic of `model` that holds NaN or infinity, under PyTorch's name, and that
/// value; none where all are finite.
///
/// Checking the network's output is not enough: a running variance of infinity makes a unit 0.
pub fn first_not_finite(model: &Model) -> Option<(String, f32)> {
    #[derive(Default)]
    struct Find(Option<(String, f32)>);
    impl NamedParameters for Find {
        fn parameter<const D: usize>(&mut self, name: &str, _: bool, param: &Param<Tensor<D>>) {
            if self.0.is_some() {
                return;
            }
            let values = host(param.val());
            let broken = values.into_iter().find(|value| !value.is_finite());
            self.0 = broken.map(|value| (name.to_owned(), value));
        }
    }
    let mut find = Find::default();
    visit_named(model, &mut find);
    find.0
}

fn load_pytorch(body: &mut Body, path: &Path) -> Result<ApplyResult, String> {
    let renames = body.renames();
    let store = |key: Option<&str>| {
        let mut store = PytorchStore::from_file(path)
            .map_indices_contiguous(false)
            .with_key_remapping(r"^module\.", "")
            .validate(false)
            .allow_partial(true);
        for (burn_name, pytorch_name) in renames {
            store = store.with_key_remapping(inner(pytorch_name), format!(".{burn_name}."));
        }
        match key {
            Some(key) => store.with_top_level_key(key),
            None => store,
        }
    };
    let mut first = None;
    for key in [
        None,
        Some("state_dict"),
        Some("model_state_dict"),
        Some("model"),
    ] {
        match apply(body, &mut store(key)) {
            Ok(result) if !result.applied.is_empty() => return Ok(result),
            Ok(result) => first = first.or(Some(Ok(result))),
            Err(error) => first = first.or(Some(Err(error))),
        }
    }
    first.unwrap_or_else(|| Err("holds no tensors".into()))
}

fn apply<S: ModuleStore>(body: &mut Body, store: &mut S) -> Result<ApplyResult, String> {
    body.load_from(store).map_err(|error| error.to_string())
}

/// Every parameter and running statistic must have been found; what the file holds beyond that
/// (such as `num_batches_tracked`) does no harm unless it is a layer of another network.
fn check(result: &ApplyResult) -> Result<(), String> {
    if let Some(error) = result.errors.first() {
        return Err(format!("{error}; is it of another architecture?"));
    }
    if let Some((name, _)) = result.missing.first() {
        return Err(format!(
            "{} of the network's tensors are missing, the first is `{name}`; is it of another architecture?",
            result.missing.len()
        ));
    }
    let foreign = result
        .unused
        .iter()
        .find(|name| !name.ends_with("num_batches_tracked"));
    match foreign {
        Some(name) => Err(format!(
            "holds `{name}`, which this network has no place for; is it of another architecture?"
        )),
        None => Ok(()),
    }
}

/// What the header of a safetensors file says besides its tensors.
///
/// # Errors
/// When the file cannot be read, or is no safetensors file.
pub fn metadata(path: &Path) -> Result<HashMap<String, String>, NetworkError> {
    let bytes = std::fs::read(path).map_err(FileError::system("cannot read", path))?;
    let (_, header) =
        SafeTensors::read_metadata(&bytes).map_err(|error| NetworkError::Weights {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    Ok(header.metadata().clone().unwrap_or_default())
}

/// Writes the weights of `model` (in inference mode) as safetensors, with `metadata` in its header.
///
/// # Errors
/// When the file cannot be written.
pub fn save(model: &Model, path: &Path, metadata: &[(&str, String)]) -> Result<(), NetworkError> {
    let refuse = |reason: String| NetworkError::Weights {
        path: path.to_owned(),
        reason,
    };
    let mut store = SafetensorsStore::from_bytes(None)
        .with_to_adapter(BurnToPyTorchAdapter)
        .skip_enum_variants(true);
    for (burn_name, pytorch_name) in model.body.renames() {
        store = store.with_key_remapping(inner(burn_name), format!(".{pytorch_name}."));
    }
    for (key, value) in metadata {
        store = store.metadata(*key, value);
    }
    model
        .valid()
        .body
        .save_into(&mut store)
        .map_err(|error| refuse(error.to_string()))?;
    let bytes = store
        .get_bytes()
        .map_err(|error| refuse(error.to_string()))?;
    Ok(files::write_checked(path, &bytes)?)
}

/// Trainable parameters: weights, biases, batch-norm scales and shifts, without running statistics.
pub fn trainable_parameters(model: &Model) -> u64 {
    struct Count(u64);
    impl NamedParameters for Count {
        fn parameter<const D: usize>(&mut self, name: &str, _: bool, param: &Param<Tensor<D>>) {
            if !name.contains(".running_") {
                self.0 += param.lazy_shape().num_elements() as u64;
            }
        }
    }
    let mut count = Count(0);
    visit_named(model, &mut count);
    count.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use protocol::Network;
    use safetensors::tensor::TensorView;

    fn config(network: Network) -> ModelConfig {
        ModelConfig {
            network,
            classes: 6,
            mean: [0.4; 3],
            std: [0.3; 3],
        }
    }

    /// Breaks when a name or a transposition on the way out does not mirror the one on the way in.
    #[test]
    fn weights_survive_a_round_trip() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let images = Tensor::random([2, 3, 16, 16], Distribution::Default, &device);
        for network in [Network::ResNet8, Network::ResNet18, Network::ResNet50] {
            let path = folder.path().join(format!("{network}.safetensors"));
            let model = config(network).init(5, &device).valid();
            save(&model, &path, &[("network", network.to_string())]).unwrap();
            let loaded = load(&config(network), &path, &device).unwrap();
            assert_eq!(
                loaded.forward(images.clone()).into_data(),
                model.forward(images.clone()).into_data(),
                "{network}"
            );
        }
    }

    /// Breaks when weights of another network are loaded in part, silently.
    #[test]
    fn weights_of_another_network_are_refused() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        save(
            &config(Network::ResNet20).init(0, &device).valid(),
            &path,
            &[],
        )
        .unwrap();
        for other in [Network::ResNet8, Network::ResNet32, Network::ResNet18] {
            let error = load(&config(other), &path, &device)
                .unwrap_err()
                .to_string();
            assert!(error.contains("another architecture"), "{other}: {error}");
        }
        std::fs::write(&path, b"not weights").unwrap();
        assert!(load(&config(Network::ResNet20), &path, &device).is_err());
        assert!(
            load(
                &config(Network::ResNet20),
                &folder.path().join("none.pt"),
                &device
            )
            .is_err()
        );
    }

    /// Breaks when broken weights are measured, or refused without the tensor's name.
    #[test]
    fn weights_that_are_not_finite_are_refused_with_the_tensors_name() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let model = config(Network::ResNet18).init(1, &device).valid();
        save(&model, &path, &[]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let names = ["layer2.0.downsample.0.weight", "bn1.running_var", "fc.bias"];
        for (name, value) in names
            .into_iter()
            .zip([f32::NAN, f32::INFINITY, f32::NEG_INFINITY])
        {
            // Written anew, as other programs write it: without a checksum.
            let file = SafeTensors::deserialize(&whole).unwrap();
            let tensors: Vec<_> = file
                .tensors()
                .into_iter()
                .map(|(tensor_name, tensor)| {
                    let mut data = tensor.data().to_vec();
                    if tensor_name == name {
                        data[..4].copy_from_slice(&value.to_le_bytes());
                    }
                    (tensor_name, tensor.dtype(), tensor.shape().to_vec(), data)
                })
                .collect();
            let views = tensors.iter().map(|(tensor_name, dtype, shape, data)| {
                let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
                (tensor_name.as_str(), view)
            });
            std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
            let error = load(&config(Network::ResNet18), &path, &device)
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
            assert!(error.contains("not finite"), "{error}");
        }
    }

    /// Breaks when a file that is cut off panics, or its refusal does not say that it is.
    #[test]
    fn files_that_are_cut_off_are_refused_as_such() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let model = config(Network::ResNet8).init(1, &device).valid();
        save(&model, &path, &[]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
            for (name, sentence) in [
                ("cut.safetensors", "no whole safetensors file"),
                ("cut.pt", "is it whole"),
            ] {
                let path = folder.path().join(name);
                std::fs::write(&path, &whole[..length]).unwrap();
                let error = load(&config(Network::ResNet8), &path, &device)
                    .unwrap_err()
                    .to_string();
                assert!(error.contains(sentence), "{length} {name}: {error}");
                assert!(!error.contains("whole buffer"), "{length} {name}: {error}");
            }
        }
    }

    /// Breaks when a normalisation that makes every number NaN is accepted, or a network without classes.
    #[test]
    fn networks_that_measure_nothing_are_not_made() {
        let good = config(Network::ResNet8);
        good.check().unwrap();
        for (std, mean, classes) in [
            ([0.3, 0.0, 0.3], [0.4; 3], 6),
            ([0.3, -1.0, 0.3], [0.4; 3], 6),
            ([0.3, f32::NAN, 0.3], [0.4; 3], 6),
            ([0.3; 3], [f32::INFINITY, 0.4, 0.4], 6),
            ([0.3; 3], [0.4; 3], 1),
        ] {
            let wrong = ModelConfig {
                std,
                mean,
                classes,
                ..good
            };
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(good.check_images(1, 1).is_err());
        good.check_images(8, 8).unwrap();
    }
}
