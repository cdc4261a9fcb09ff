//! What bounds a perturbation of an image.

use serde::{Deserialize, Serialize};

/// What bounds a perturbation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// The largest change of any value.
    Linf,
    /// The root of the summed squares of all changes.
    L2,
}

impl Norm {
    /// The name in specs.
    pub fn id(self) -> &'static str {
        match self {
            Norm::Linf => "linf",
            Norm::L2 => "l2",
        }
    }

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Norm::Linf => "L∞",
            Norm::L2 => "L2",
        }
    }

    /// A radius of it as people write it: L-infinity in 255ths, `8/255`.
    pub fn radius(self, epsilon: f64) -> String {
        match self {
            Norm::Linf => format!("{}/255", trimmed(epsilon * 255.0)),
            Norm::L2 => trimmed(epsilon),
        }
    }
}

/// Six digits after the point at most, without noughts at the end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
