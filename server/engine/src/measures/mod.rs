//! The measures, computed from plain values: selectivity, dimensionality of activations, variability of gradients.

pub mod selectivity;
pub mod spectrum;
pub mod variability;

/// A network computed NaN or infinity where a number is measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} are not finite numbers: the network's weights are broken; train it again")]
pub struct NotFinite {
    /// What was not finite, in the plural.
    pub what: String,
}
