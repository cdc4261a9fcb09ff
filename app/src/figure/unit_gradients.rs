//! How evenly does a unit respond to changes of the image? The norms of its input gradient over images.

use plotly::common::{HoverInfo, Line, Marker};
use plotly::{Histogram, Plot};
use protocol::unit::UnitDetail;

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// Bars of the histogram at most.
const BINS: usize = 24;

/// The norms as a table, in the order in which images were measured.
pub fn table(detail: Option<&UnitDetail>) -> Table {
    let mut table = Table::new(&[
        "image, as measured",
        "gradient norm (response per unit of pixel value)",
    ]);
    let norms = detail.map_or(&[][..], |detail| &detail.gradient_norms);
    table.rows = (1..)
        .zip(norms)
        .map(|(image, &norm)| vec![Cell::Whole(image), Cell::Number(f64::from(norm))])
        .collect();
    table
}

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
pub fn subtitle(detail: Option<&UnitDetail>) -> String {
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
        "L2 norm of the gradient of the unit's response with respect to the image, one a test image{numbers}; n = {}. CV_u is standard deviation / mean.",
        format::plural(norms.len() as u64, "image", "images")
    )
}

/// What plotly draws.
pub fn plot(detail: Option<&UnitDetail>, theme: Theme) -> Plot {
    let ink = ink(theme);
    let mut plot = look::plot(
        theme,
        axis(theme, "Gradient norm (response per unit of pixel value)"),
        axis(theme, "Images").tick_format("d"),
    );
    let norms: Vec<f64> = detail.map_or_else(Vec::new, |detail| {
        detail
            .gradient_norms
            .iter()
            .copied()
            .map(f64::from)
            .collect()
    });
    let bars = Histogram::new(norms)
        .n_bins_x(BINS)
        .show_legend(false)
        .hover_info(HoverInfo::All)
        .marker(
            Marker::new()
                .color(ink.first)
                .line(Line::new().color(ink.page).width(1.0)),
        );
    plot.add_trace(bars);
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::unit_tuning::tests::detail;

    /// 1, 1.5 and 2: mean 1.5, standard deviation 0.5 with n - 1. Broken by: a deviation over n (0.408), or a
    /// caption without n.
    #[test]
    fn the_caption_has_mean_spread_and_n() {
        assert_eq!(moments(&[1.0, 1.5, 2.0]), Some((1.5, 0.5)));
        assert_eq!(moments(&[1.0]), None);
        let text = subtitle(Some(&detail()));
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
        assert!(subtitle(Some(&silent)).contains("CV_u = –"));
        assert_eq!(table(Some(&detail())).rows.len(), 3);
    }
}
