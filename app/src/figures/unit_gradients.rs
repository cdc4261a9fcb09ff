//! How evenly does a unit respond to changes of the image? The norms of its input gradient over images.

use protocol::unit::UnitDetail;

use crate::chart::{Axis, Chart, Ink, Kind, Place, Point, Series, Table};
use crate::format;

/// Bars of the histogram at most.
const BINS: usize = 24;

/// Mean and standard deviation (n - 1) of `norms`; absent for fewer than two.
pub fn moments(norms: &[f32]) -> Option<(f64, f64)> {
    let n = norms.len() as f64;
    if norms.len() < 2 {
        return None;
    }
    let mean = norms.iter().map(|&norm| f64::from(norm)).sum::<f64>() / n;
    let squares: f64 = norms
        .iter()
        .map(|&norm| (f64::from(norm) - mean).powi(2))
        .sum();
    Some((mean, (squares / (n - 1.0)).sqrt()))
}

/// What is shown, with mean, spread and n.
fn note(detail: Option<&UnitDetail>) -> String {
    let Some(detail) = detail else {
        return String::new();
    };
    let norms = &detail.gradient_norms;
    let numbers = moments(norms).map_or_else(String::new, |(mean, deviation)| {
        let cv = if mean > 0.0 {
            format::significant(deviation / mean)
        } else {
            "–".to_owned()
        };
        format!(
            "; mean μ_u = {}, standard deviation {}, CV_u = {cv}",
            format::significant(mean),
            format::significant(deviation)
        )
    });
    format!(
        "L2 norm of the gradient of the unit's response with respect to the image, one value per test image{numbers}; n = {}.",
        format::plural(norms.len() as u64, "image", "images")
    )
}

/// The histogram; in the table the norms, in the order in which images were measured.
pub fn chart(detail: Option<&UnitDetail>) -> Chart {
    let norms = detail.map_or(&[][..], |detail| &detail.gradient_norms);
    let points = norms.iter().map(|&norm| Point::new(norm, Place::Missing));
    let bars = Series::new(
        Kind::Histogram(BINS),
        "images",
        Ink::First,
        points.collect(),
    );
    let table = Table::of((1_u64..).zip(norms))
        .column("image, as measured", |(image, _)| *image)
        .column(
            "gradient norm (response per unit of pixel value)",
            |(_, norm)| **norm,
        );
    let x = Axis::numbers("Gradient norm (response per unit of pixel value)");
    Chart::new(x, Axis::counts("Images"))
        .with([bars.unlisted()])
        .note(note(detail))
        .how("CV_u is standard deviation / mean.")
        .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::unit_tuning::tests::detail;

    /// 1, 1.5 and 2: mean 1.5, standard deviation 0.5 with n - 1. Broken by: a deviation over n (0.408), or a
    /// caption without n.
    #[test]
    fn the_caption_has_mean_spread_and_n() {
        assert_eq!(moments(&[1.0, 1.5, 2.0]), Some((1.5, 0.5)));
        assert_eq!(moments(&[1.0]), None);
        let text = note(Some(&detail()));
        for part in [
            "μ_u = 1.50",
            "deviation 0.500",
            "CV_u = 0.333",
            "n = 3 images",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let mut silent = detail();
        silent.gradient_norms = vec![0.0, 0.0];
        assert!(note(Some(&silent)).contains("CV_u = –"));
        assert_eq!(chart(Some(&detail())).table.rows.len(), 3);
    }
}
