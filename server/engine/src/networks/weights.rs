//! Weights in and out of files, in the naming of the usual PyTorch implementations, so that a
//! network trained here opens there and the other way round.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::{
    ApplyResult, BurnToPyTorchAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter,
    PytorchStore, SafetensorsStore,
};
use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;

use super::{Body, Model, ModelConfig};
use crate::evaluate::host;
use crate::{EngineError, files};

/// The network of `config` with the weights of a file, in inference mode on `device`.
///
/// A `.safetensors` file or a PyTorch state dict (`.pt`, `.pth`, `.bin`), plain or under
/// `state_dict`, `model_state_dict` or `model`; a leading `module.` (data parallel) is dropped.
///
/// # Errors
/// When the file cannot be read, lacks a tensor, or holds one of another shape; all are named.
pub fn load(config: &ModelConfig, path: &Path, device: &Device) -> Result<Model, EngineError> {
    let refuse = |reason: String| EngineError::Weights {
        path: path.to_owned(),
        reason,
    };
    if !path.is_file() {
        return Err(refuse("there is no such file".into()));
    }
    let mut model = config.init(0, device).valid();
    let safetensors = path
        .extension()
        .is_some_and(|extension| extension == "safetensors");
    let result = if safetensors {
        if let Err(EngineError::Damaged { reason, .. }) = files::read_checked(path) {
            return Err(refuse(format!("is damaged: {reason}")));
        }
        let mut store = SafetensorsStore::from_file(path)
            .with_from_adapter(PyTorchToBurnAdapter)
            .skip_enum_variants(true)
            .map_indices_contiguous(false)
            .with_key_remapping(r"^module\.", "")
            .with_key_remapping(r"\.downsample\.0\.", ".downsample.conv.")
            .with_key_remapping(r"\.downsample\.1\.", ".downsample.bn.")
            .validate(false)
            .allow_partial(true);
        apply(&mut model.body, &mut store).map_err(refuse)?
    } else {
        load_pytorch(&mut model.body, path).map_err(refuse)?
    };
    check(&result).map_err(refuse)?;
    Ok(model)
}

fn load_pytorch(body: &mut Body, path: &Path) -> Result<ApplyResult, String> {
    let store = |key: Option<&str>| {
        let store = PytorchStore::from_file(path)
            .map_indices_contiguous(false)
            .with_key_remapping(r"^module\.", "")
            .with_key_remapping(r"\.downsample\.0\.", ".downsample.conv.")
            .with_key_remapping(r"\.downsample\.1\.", ".downsample.bn.")
            .validate(false)
            .allow_partial(true);
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
pub fn metadata(path: &Path) -> Result<HashMap<String, String>, EngineError> {
    let bytes = std::fs::read(path).map_err(EngineError::file("cannot read", path))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| EngineError::Weights {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(header.metadata().clone().unwrap_or_default())
}

/// Writes the weights of `model` (in inference mode) as safetensors, with `metadata` in its header.
///
/// # Errors
/// When the file cannot be written.
pub fn save(model: &Model, path: &Path, metadata: &[(&str, String)]) -> Result<(), EngineError> {
    let refuse = |reason: String| EngineError::Weights {
        path: path.to_owned(),
        reason,
    };
    let mut store = SafetensorsStore::from_bytes(None)
        .with_to_adapter(BurnToPyTorchAdapter)
        .skip_enum_variants(true)
        .with_key_remapping(r"\.downsample\.conv\.", ".downsample.0.")
        .with_key_remapping(r"\.downsample\.bn\.", ".downsample.1.");
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
    files::write_checked(path, &bytes)
}

/// Trainable parameters: weights, biases, batch-norm scales and shifts, without running statistics.
pub fn trainable_parameters(model: &Model) -> u64 {
    struct Count(u64, Vec<String>);
    impl ModuleVisitor for Count {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.1.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.1.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let running = self
                .1
                .last()
                .is_some_and(|name| name.starts_with("running_"));
            if !running {
                self.0 += param.lazy_shape().num_elements() as u64;
            }
        }
    }
    let mut count = Count(0, Vec::new());
    model.visit(&mut count);
    count.0
}

/// The first parameter or running statistic of `model` that holds NaN or infinity, and that value; none where all
/// are finite.
///
/// A running variance of infinity is why the network's output is not enough to look at: it makes a unit 0.
pub fn first_not_finite(model: &Model) -> Option<(String, f32)> {
    struct Look {
        path: Vec<String>,
        found: Option<(String, f32)>,
    }
    impl ModuleVisitor for Look {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.found.is_some() {
                return;
            }
            let broken = host(param.val())
                .into_iter()
                .find(|value| !value.is_finite());
            self.found = broken.map(|value| (self.path.join("."), value));
        }
    }
    let mut look = Look {
        path: Vec::new(),
        found: None,
    };
    model.valid().body.visit(&mut look);
    look.found
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use protocol::Network;

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

    /// Breaks when weights of another network are taken in part, silently.
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
}
