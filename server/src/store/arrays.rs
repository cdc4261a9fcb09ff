//! The long parts of measurements, packed: one value per layer or ensemble member, one sentence per check.
//!
//! They are written by [`pack`] and read by [`unpack`] alone, in postcard's wire format
//! (<https://postcard.jamesmunns.com/wire-format>): counts as varints, numbers in 8 bytes. The variants of [`Arrays`] and
//! their fields are the format: a new one comes last, and what is there stays as it is.

use serde::{Deserialize, Serialize};

/// The long parts of one measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Arrays {
    /// Accuracy left after each member of an ensemble of attacks, by the member's name in specs.
    Members(Vec<(String, f64)>),
    /// Checks for gradient masking: expectation, evidence, whether it holds.
    Checks(Vec<(String, String, bool)>),
    /// Dimensionality, one value a layer.
    Dimensionality {
        columns: Vec<u32>,
        components_90: Vec<u32>,
        components_95: Vec<u32>,
        components_99: Vec<u32>,
        participation_ratio: Vec<f64>,
    },
    /// Input-unit gradients, one value a layer.
    InputUnitGradients {
        mean_norm: Vec<f64>,
        cv_across_samples: Vec<Option<f64>>,
        cv_across_units: Vec<Option<f64>>,
        units_without_gradient: Vec<u32>,
    },
}

/// `arrays` as they are stored.
pub(super) fn pack(arrays: &Arrays) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_allocvec(arrays)
}

/// What was stored.
pub(super) fn unpack(packed: &[u8]) -> Result<Arrays, postcard::Error> {
    match postcard::take_from_bytes(packed)? {
        (arrays, []) => Ok(arrays),
        _ => Err(postcard::Error::DeserializeBadEncoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when what older stores hold is read otherwise, or a torn blob is taken for a whole one.
    #[test]
    fn the_format_stays_as_it_is() {
        let third: [u8; 8] = (1.0_f64 / 3.0).to_le_bytes();
        let mut member = vec![0, 1, 6];
        member.extend(b"square");
        member.extend(third);
        let mut layers = vec![2, 1, 0xf0, 0xa2, 0x04, 1, 1, 1, 2, 1, 3, 1];
        layers.extend(third);
        let mut gradients = vec![3, 1];
        gradients.extend(third);
        gradients.extend([1, 1]);
        gradients.extend(third);
        gradients.extend([1, 0, 1, 5]);
        let stored = [
            (Arrays::Members(vec![("square".into(), 1.0 / 3.0)]), member),
            (
                Arrays::Checks(vec![("a".into(), "b".into(), true)]),
                vec![1, 1, 1, b'a', 1, b'b', 1],
            ),
            (
                Arrays::Dimensionality {
                    columns: vec![70_000],
                    components_90: vec![1],
                    components_95: vec![2],
                    components_99: vec![3],
                    participation_ratio: vec![1.0 / 3.0],
                },
                layers,
            ),
            (
                Arrays::InputUnitGradients {
                    mean_norm: vec![1.0 / 3.0],
                    cv_across_samples: vec![Some(1.0 / 3.0)],
                    cv_across_units: vec![None],
                    units_without_gradient: vec![5],
                },
                gradients,
            ),
        ];
        for (arrays, packed) in stored {
            assert_eq!(pack(&arrays).unwrap(), packed);
            assert_eq!(unpack(&packed).unwrap(), arrays);
            assert!(unpack(&packed[..packed.len() - 1]).is_err(), "torn");
            let longer = [&packed[..], &[0]].concat();
            assert!(unpack(&longer).is_err(), "more than one");
        }
    }
}
