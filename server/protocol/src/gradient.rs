//! Input-unit gradients: how evenly units respond to changes of the image (method, "Input-unit gradients").

use serde::{Deserialize, Serialize};

use crate::Network;
use crate::field_error::{Checks, FieldError};

/// Forward passes that a backward pass of the same depth takes as long as, with its share of the one forward pass of a layer's
/// units: 1.46 was measured for ResNet20 on two CPU cores (3,288 units x images a second, 3,226 images forward). A GPU goes
/// forward for each unit: three passes where the CPU counts 1.5, and not timed on one yet.
const FORWARD_PASSES_PER_BACKWARD: f64 = 1.5;

/// The work for one unit of layer `index`, from 0, of `layers` and one image, in forward passes through the whole network: a
/// backward pass as deep as the layer.
pub fn unit_passes(index: usize, layers: usize) -> f64 {
    FORWARD_PASSES_PER_BACKWARD * (index + 1) as f64 / layers.max(1) as f64
}

/// A measurement of input-unit gradients, exact, one backward pass a unit and image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InputUnitGradientSpec {
    /// Test images, 2 or more, of every class its share; all where there are fewer.
    pub images: u32,
}

impl InputUnitGradientSpec {
    /// Images measured on, of a test set of `test_images`.
    pub fn images(&self, test_images: u32) -> u32 {
        self.images.min(test_images)
    }

    /// Forward passes through the whole network, in images, for time estimates: every unit's [`unit_passes`].
    pub fn forward_images(&self, network: Network, test_images: u32) -> u64 {
        let layers = network.layers();
        let passes: f64 = layers
            .iter()
            .enumerate()
            .map(|(index, layer)| f64::from(layer.units) * unit_passes(index, layers.len()))
            .sum();
        (passes * f64::from(self.images(test_images))).round() as u64
    }

    /// Everything wrong with it by itself, with fields named `evaluation.input_unit_gradients.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut checks = Checks::new("evaluation.input_unit_gradients.");
        checks.require(
            self.images >= 2,
            "images",
            "give at least 2: variability needs more than one image",
        );
        checks.errors()
    }
}

/// Input-unit gradients of every layer. For unit u and image x the norm is the L2 norm of d(u's response to
/// x) / dx, x on the [0, 1] scale; mu_u and sd_u are its mean and standard deviation (n - 1) over images. Lists hold one value a
/// layer, in forward order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InputUnitGradientMeasurement {
    /// Test images measured on.
    pub images: u32,
    /// Mean over units of mu_u.
    pub mean_norm: Vec<f64>,
    /// Variability across samples: mean over units of CV_u = sd_u / mu_u, of those with a gradient; absent where no
    /// unit has one.
    pub cv_across_samples: Vec<Option<f64>>,
    /// Variability across units: CV_l = standard deviation (n - 1) of mu_u over all units / their mean; absent
    /// where no unit has a gradient.
    pub cv_across_units: Vec<Option<f64>>,
    /// Units without a gradient on any image; they have no CV_u.
    pub units_without_gradient: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the cost is not that of one pass a unit as deep as its layer: ResNet8 has layers of
    /// 16, 16, 16, 32, 32, 64, 64 units.
    #[test]
    fn cost_counts_units_by_depth() {
        let spec = InputUnitGradientSpec { images: 10 };
        let deep = 16 + 2 * 16 + 3 * 16 + 4 * 32 + 5 * 32 + 6 * 64 + 7 * 64;
        let expected = (1.5 * f64::from(deep) / 7.0 * 10.0).round() as u64;
        assert_eq!(spec.forward_images(Network::ResNet8, 100), expected);
        let half = spec.forward_images(Network::ResNet8, 5);
        assert!(
            half.abs_diff(expected / 2) <= 1,
            "of no more than there are"
        );
    }
}
