//! What class selectivity is, as a sketch: the mean responses of two made-up units to ten classes.

use std::fmt::Write;

/// One that responds to most classes alike, and one that responds to one of them.
const UNITS: [(&str, [f64; 10]); 2] = [
    (
        "Hardly selective",
        [0.62, 0.71, 0.55, 0.66, 0.8, 0.59, 0.68, 0.74, 0.6, 0.65],
    ),
    (
        "Selective",
        [0.09, 0.14, 0.06, 0.95, 0.11, 0.08, 0.16, 0.07, 0.12, 0.1],
    ),
];

/// The class selectivity index of one unit: its largest mean response to a class against the mean of the others
/// (Leavitt & Morcos 2020).
fn index(responses: &[f64]) -> f64 {
    let top = responses.iter().copied().fold(0.0, f64::max);
    let rest = (responses.iter().sum::<f64>() - top) / (responses.len() - 1) as f64;
    (top - rest) / (top + rest + 1e-7)
}

/// The sketch, as SVG.
pub fn drawing() -> String {
    const WIDTH: f64 = 190.0;
    const BASE: f64 = 92.0;
    const HEIGHT: f64 = 66.0;
    let mut text = format!(
        r#"<svg class="drawing" viewBox="0 0 {} 122" role="img" aria-label="Two units: bars of their responses to ten classes">"#,
        2.0 * WIDTH + 20.0
    );
    for (place, (name, responses)) in UNITS.iter().enumerate() {
        let left = place as f64 * (WIDTH + 20.0);
        let top = responses.iter().copied().fold(0.0, f64::max);
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            r#"<text class="name" x="{left}" y="12">{name}: SI = {:.2}</text>"#,
            index(responses)
        );
        for (class, &response) in responses.iter().enumerate() {
            let kind = if response == top { "top" } else { "rest" };
            let _ = write!(
                text,
                r#"<rect class="{kind}" x="{:.1}" y="{:.1}" width="13" height="{:.1}"/>"#,
                left + class as f64 * 19.0,
                BASE - HEIGHT * response,
                HEIGHT * response
            );
        }
        let _ = write!(
            text,
            r#"<path class="base" d="M{left} {BASE}h184"/><text x="{left}" y="110">Mean response to each of ten classes</text>"#
        );
    }
    text + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the sketch names another index than its bars have.
    #[test]
    fn the_index_is_that_of_the_bars() {
        assert!(index(&[0.5, 0.5, 0.5]).abs() < 1e-12);
        assert!((index(&[0.9, 0.1, 0.1]) - 0.8).abs() < 1e-6);
        let drawing = drawing();
        for (name, responses) in UNITS {
            let label = format!("{name}: SI = {:.2}", index(&responses));
            assert!(drawing.contains(&label), "{label}");
        }
    }
}
