//! Where a run's weights come from when they were not trained here.

use serde::{Deserialize, Serialize};

/// Imported weights: which file, and how the network normalises images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Name of the file, without folders, as it was given.
    pub file: String,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// When it was imported, in milliseconds since 1970-01-01 UTC.
    pub imported_at: i64,
    /// Channel means the network was trained with, on the [0, 1] scale; the data set's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f32; 3]>,
    /// Channel standard deviations the network was trained with; the data set's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f32; 3]>,
}

/// Names of the imported file in its run's folder: safetensors, and anything else (a PyTorch state dict).
pub const IMPORTED_FILES: [&str; 2] = ["imported.safetensors", "imported.pt"];

impl Origin {
    /// The name of the imported file in its run's folder.
    pub fn kept_file(&self) -> &'static str {
        IMPORTED_FILES[usize::from(!self.file.to_lowercase().ends_with(".safetensors"))]
    }
}

/// What is said of weights that are to be imported as a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// Name of the file, without folders; its extension tells safetensors from a PyTorch state dict.
    pub file: String,
    /// The alpha that the network was trained with.
    pub alpha: f64,
    /// The seed that it counts as: a replicate.
    pub seed: u64,
    /// Epochs that it was trained for; the experiment's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Channel means, see [`Origin::mean`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f32; 3]>,
    /// Channel standard deviations, see [`Origin::std`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f32; 3]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a PyTorch file is kept under a name that is read as safetensors, or the other way round.
    #[test]
    fn the_kept_name_tells_the_format() {
        let kept = |file: &str| {
            Origin {
                file: file.into(),
                sha256: String::new(),
                imported_at: 0,
                mean: None,
                std: None,
            }
            .kept_file()
        };
        assert_eq!(kept("a.safetensors"), "imported.safetensors");
        assert_eq!(kept("A.SafeTensors"), "imported.safetensors");
        assert_eq!(kept("a.safetensors.pth"), "imported.pt");
    }
}
