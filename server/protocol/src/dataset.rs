//! The data sets that a network can be trained on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A data set, by name. Written as `builtin`, `cifar10`, `tiny-imagenet` or `folder:NAME`, where
/// `NAME` is a folder of the data directory laid out as `<split>/<class>/*.{png,jpg}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Dataset {
    /// The procedural set: 10 classes of 32x32 RGB textured shapes. Always there.
    Builtin,
    /// CIFAR-10 (Krizhevsky 2009) in its official binary layout.
    Cifar10,
    /// Tiny ImageNet in its official folder layout.
    TinyImagenet,
    /// A person's own folder of images.
    Folder(String),
}

impl Dataset {
    /// Every data set but a person's own: what is not here can be named by nobody.
    pub const KNOWN: [Dataset; 3] = [Dataset::Builtin, Dataset::Cifar10, Dataset::TinyImagenet];

    /// What a person calls it.
    pub fn label(&self) -> String {
        match self {
            Dataset::Builtin => "Built-in shapes".to_owned(),
            Dataset::Cifar10 => "CIFAR-10".to_owned(),
            Dataset::TinyImagenet => "Tiny ImageNet".to_owned(),
            Dataset::Folder(name) => name.clone(),
        }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dataset::Builtin => f.write_str("builtin"),
            Dataset::Cifar10 => f.write_str("cifar10"),
            Dataset::TinyImagenet => f.write_str("tiny-imagenet"),
            Dataset::Folder(name) => write!(f, "folder:{name}"),
        }
    }
}

/// No data set can have this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a data set; write builtin, cifar10, tiny-imagenet, or folder:NAME (letters, digits, `.`, `_`, `-`)"
)]
pub struct UnknownDataset(pub String);

impl FromStr for Dataset {
    type Err = UnknownDataset;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Dataset::KNOWN.into_iter();
        let own = || {
            let name = text.strip_prefix("folder:")?;
            is_folder_name(name).then(|| Dataset::Folder(name.to_owned()))
        };
        known
            .chain(own())
            .find(|dataset| dataset.to_string() == text)
            .ok_or_else(|| UnknownDataset(text.to_owned()))
    }
}

impl TryFrom<String> for Dataset {
    type Error = UnknownDataset;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Dataset> for String {
    fn from(dataset: Dataset) -> Self {
        dataset.to_string()
    }
}

// Written out, since the derive would describe the enum and not the string it travels as.
#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

    impl utoipa::PartialSchema for super::Dataset {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(
                    "A data set: `builtin`, `cifar10`, `tiny-imagenet` or `folder:NAME`.",
                ))
                .examples(["cifar10"])
                .build()
                .into()
        }
    }

    impl utoipa::ToSchema for super::Dataset {}
}

/// Whether `name` is a folder's name and nothing else: what a browser sends must stay inside the data directory.
pub(crate) fn is_folder_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_round_trip_and_paths_are_refused() {
        for name in ["builtin", "cifar10", "tiny-imagenet", "folder:my_set-2.0"] {
            assert_eq!(name.parse::<Dataset>().unwrap().to_string(), name);
        }
        for path in [
            "folder:../etc",
            "folder:",
            "folder:.git",
            "folder:a/b",
            "imagenet",
        ] {
            assert!(path.parse::<Dataset>().is_err(), "{path} was accepted");
        }
    }
}
