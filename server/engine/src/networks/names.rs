//! Parameters under the names that the usual PyTorch implementations give them.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::{Body, Model};

impl Body {
    /// Fields that are named here but numbered in PyTorch's implementation of the family: (burn name, PyTorch name).
    pub(super) fn renames(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Body::Cifar(_) => &[],
            Body::ImageNet(_) => &[
                ("downsample.conv", "downsample.0"),
                ("downsample.bn", "downsample.1"),
            ],
        }
    }
}

/// A visitor of every parameter and running statistic of a network.
pub(crate) trait NamedParameters {
    /// Visits one of them, called `name` in PyTorch; `linear` is true where burn keeps a matrix as
    /// `[inputs, outputs]` and PyTorch as `[outputs, inputs]`.
    fn parameter<const D: usize>(&mut self, name: &str, linear: bool, param: &Param<Tensor<D>>);
}

/// Shows every parameter and running statistic of `model` to `visitor`.
pub(crate) fn visit_named<V: NamedParameters>(model: &Model, visitor: &mut V) {
    let mut names = Names {
        path: Vec::new(),
        renames: model.body.renames(),
        visitor,
    };
    // Each family is visited from its own root: PyTorch's names do not include the enum around it.
    match &model.body {
        Body::Cifar(network) => network.visit(&mut names),
        Body::ImageNet(network) => network.visit(&mut names),
    }
}

struct Names<'a, V> {
    /// (field name, container type) from the network down.
    path: Vec<(String, String)>,
    renames: &'static [(&'static str, &'static str)],
    visitor: &'a mut V,
}

impl<V: NamedParameters> ModuleVisitor for Names<'_, V> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let linear = self
            .path
            .iter()
            .any(|(_, container)| container == "Struct:Linear");
        let names = self.path.iter().map(|(name, _)| name.as_str());
        let mut name = names.collect::<Vec<_>>().join(".");
        for (burn_name, pytorch_name) in self.renames {
            name = name.replace(&format!(".{burn_name}."), &format!(".{pytorch_name}."));
        }
        let name = match name.rsplit_once('.') {
            Some((layer, "gamma")) => format!("{layer}.weight"),
            Some((layer, "beta")) => format!("{layer}.bias"),
            _ => name,
        };
        self.visitor.parameter(&name, linear, param);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ModelConfig, weights};
    use super::*;
    use burn::tensor::Device;
    use protocol::Network;
    use safetensors::SafeTensors;

    /// Breaks when a parameter has another name than in the file that is written: a family's wrapper in its name, a
    /// field that PyTorch numbers, a norm's gamma.
    #[test]
    fn parameters_are_called_as_in_the_file() {
        #[derive(Default)]
        struct Collect(Vec<String>);
        impl NamedParameters for Collect {
            fn parameter<const D: usize>(&mut self, name: &str, _: bool, _: &Param<Tensor<D>>) {
                self.0.push(name.to_owned());
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        for network in Network::ALL {
            let config = ModelConfig::with_generic_normalisation(network, 3);
            let model = config.init(0, &Device::flex()).valid();
            weights::save(&model, &path, &[]).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mut expected: Vec<String> = file
                .names()
                .into_iter()
                .map(|name| name.to_owned())
                .collect();
            expected.sort();
            let mut collected = Collect::default();
            visit_named(&model, &mut collected);
            collected.0.sort();
            assert_eq!(collected.0, expected, "{network}");
        }
    }
}
