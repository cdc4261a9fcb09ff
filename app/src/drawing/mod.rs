//! Figures as SVG text, made without a browser: for the presentation, whose type grows with the screen, and for the
//! report, which must be readable with no server, no network and no script.
//!
//! Ink comes from the style sheet around the drawing: text is `currentColor`, and what has an alpha carries its colour
//! for light and for dark as custom properties, as [`AlphaChip`](crate::components::AlphaChip) does.

pub mod escape;
pub(crate) mod estimates;
mod forest;
mod frame;
mod lines;
mod marks;
mod scatter;
mod slopes;
mod ticks;

use protocol::claim_figure::{ClaimFigure, Picture};

pub use estimates::estimates;
pub use forest::forest;

/// A claim's figure; empty text where there is nothing to draw.
pub fn figure(figure: &ClaimFigure) -> String {
    if figure.picture.is_empty() {
        return String::new();
    }
    let title = figure.name.question();
    match &figure.picture {
        Picture::Scatter(shown) => scatter::draw(title, shown),
        Picture::Lines(shown) => lines::draw(title, shown),
        Picture::Slopes(shown) => slopes::draw(title, shown),
    }
}
