//! The look that all figures share.

use plotly::common::{ColorScale, ColorScaleElement, Font, Marker, MarkerSymbol, Orientation};
use plotly::configuration::DisplayModeBar;
use plotly::layout::{Axis, HoverMode, Legend, Margin};
use plotly::{Configuration, Layout, Plot};

use crate::theme::Theme;

/// Colours of what is not alpha. The same values are in the style sheet's custom properties.
pub struct Ink {
    /// Letters.
    pub text: &'static str,
    /// Axis lines and ticks.
    pub line: &'static str,
    /// Grid lines.
    pub grid: &'static str,
    /// The page behind a figure.
    pub page: &'static str,
    /// The first of two series that are not about alpha.
    pub first: &'static str,
    /// The second of two series that are not about alpha; drawn dashed as well.
    pub second: &'static str,
}

/// The colours for `theme`.
pub fn ink(theme: Theme) -> Ink {
    match theme {
        Theme::Light => Ink {
            text: "#3c4247",
            line: "#8b9298",
            grid: "#e6e8ea",
            page: "#ffffff",
            first: "#0b6b74",
            second: "#7a6a00",
        },
        Theme::Dark => Ink {
            text: "#c6ccd1",
            line: "#757d84",
            grid: "#2b3035",
            page: "#171a1d",
            first: "#56c4cf",
            second: "#d3bf4a",
        },
    }
}

/// An empty plot with the shared layout and axes of these titles.
pub fn plot(theme: Theme, x: Axis, y: Axis) -> Plot {
    let ink = ink(theme);
    let mut plot = Plot::new();
    plot.set_layout(
        Layout::new()
            .auto_size(true)
            .margin(Margin::new().left(60).right(12).top(10).bottom(46))
            .font(
                Font::new()
                    .family("system-ui, sans-serif")
                    .size(12)
                    .color(ink.text),
            )
            .paper_background_color(ink.page)
            .plot_background_color(ink.page)
            .hover_mode(HoverMode::Closest)
            .legend(
                Legend::new()
                    .orientation(Orientation::Horizontal)
                    .y(1.02)
                    .x(0.0)
                    .y_anchor(plotly::common::Anchor::Bottom),
            )
            .x_axis(x)
            .y_axis(y),
    );
    plot.set_configuration(
        Configuration::new()
            .responsive(true)
            .display_logo(false)
            .display_mode_bar(DisplayModeBar::False),
    );
    plot
}

/// An axis with its title and unit.
pub fn axis(theme: Theme, title: &str) -> Axis {
    let ink = ink(theme);
    Axis::new()
        .title(title)
        .color(ink.text)
        .line_color(ink.line)
        .grid_color(ink.grid)
        .show_line(true)
        .zero_line(false)
        .auto_margin(true)
}

/// An axis of epochs, with ticks at whole epochs only.
pub fn epoch_axis(theme: Theme, epochs: usize) -> Axis {
    let axis = axis(theme, "Epoch").tick_format("d");
    // Left to itself plotly puts ticks between few epochs.
    if epochs <= 12 { axis.dtick(1.0) } else { axis }
}

/// A marker that tells the sign of alpha by its shape too: down below 0, up above, a circle at 0.
pub fn alpha_marker(alpha: f64, theme: Theme) -> Marker {
    let symbol = if alpha < 0.0 {
        MarkerSymbol::TriangleDown
    } else if alpha > 0.0 {
        MarkerSymbol::TriangleUp
    } else {
        MarkerSymbol::Circle
    };
    Marker::new()
        .symbol(symbol)
        .size(8)
        .color(crate::alpha_scale::colour(alpha, theme))
}

/// A sequential scale for shares from 0 to 1 (viridis: monotone in lightness, colour-blind safe).
pub fn share_scale() -> ColorScale {
    let stops = [
        "#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725",
    ];
    ColorScale::Vector(
        stops
            .iter()
            .enumerate()
            .map(|(index, colour)| ColorScaleElement(index as f64 / 5.0, (*colour).to_owned()))
            .collect(),
    )
}

/// `mean` and the distances to the ends of its interval, as plotly's error bars want them.
pub fn error_arms(mean: &protocol::api::Mean) -> (f64, f64) {
    mean.interval.map_or((0.0, 0.0), |[low, high]| {
        ((mean.mean - low).max(0.0), (high - mean.mean).max(0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api::Mean;

    /// Broken by: arms that are swapped, or ends taken for distances.
    #[test]
    fn error_arms_are_distances_from_the_mean() {
        let mean = |interval| Mean {
            mean: 0.5,
            n: 2,
            interval,
        };
        let (minus, plus) = error_arms(&mean(Some([0.4, 0.8])));
        assert!((minus - 0.1).abs() < 1e-12 && (plus - 0.3).abs() < 1e-12);
        assert_eq!(error_arms(&mean(None)), (0.0, 0.0));
    }

    /// Broken by: a marker whose shape does not follow the sign, which leaves colour alone to tell.
    #[test]
    fn the_sign_of_alpha_has_a_shape() {
        let symbols = [-0.05, 0.0, 0.05].map(|alpha| {
            serde_json::to_value(alpha_marker(alpha, Theme::Light)).unwrap()["symbol"].clone()
        });
        assert_eq!(symbols, ["triangle-down", "circle", "triangle-up"]);
    }
}
