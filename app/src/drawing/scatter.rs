//! A point a run, and the mean of every alpha with intervals both ways.

use protocol::measure::Scatter;

use super::frame::{Along, Axis, Frame};
use super::marks::{Entry, Shape, ink, path, shape};
use super::ticks::range;
use crate::figure::measures::scaled;
use crate::format;

/// The drawing.
pub fn draw(title: &str, shown: &Scatter) -> String {
    let ((x_title, x_factor), (y_title, y_factor)) =
        (scaled(&shown.x, false), scaled(&shown.y, true));
    let ends = |interval: Option<[f64; 2]>| interval.into_iter().flatten();
    let x_values = shown.points.iter().map(|point| point.x);
    let x_values = x_values.chain(shown.alphas.iter().flat_map(|entry| ends(entry.x.interval)));
    let y_values = shown.points.iter().map(|point| point.y);
    let y_values = y_values.chain(shown.alphas.iter().flat_map(|entry| ends(entry.y.interval)));
    let (Some(x_range), Some(y_range)) = (
        range(x_values.map(|value| value * x_factor)),
        range(y_values.map(|value| value * y_factor)),
    ) else {
        return String::new();
    };
    let entries: Vec<Entry> = shown
        .alphas
        .iter()
        .map(|entry| Entry {
            label: format!("α {}", format::alpha(entry.alpha)),
            shape: shape(entry.alpha),
            attributes: ink(entry.alpha),
        })
        .collect();
    let axis = |title, range| Axis {
        title,
        along: Along::Numbers(range),
    };
    let frame = Frame::new(axis(x_title, x_range), axis(y_title, y_range), &entries);
    let mut inside = String::new();
    for entry in &shown.alphas {
        let runs: String = shown
            .points
            .iter()
            .filter(|point| point.alpha == entry.alpha)
            .map(|point| {
                let (x, y) = (frame.x(point.x * x_factor), frame.y(point.y * y_factor));
                path(shape(entry.alpha), x, y, 3.5)
            })
            .collect();
        inside += &format!(
            r#"<g{}><path class="run" d="{runs}"/></g>"#,
            ink(entry.alpha)
        );
    }
    // Means in front of all runs.
    for entry in &shown.alphas {
        let (x, y) = (entry.x.mean * x_factor, entry.y.mean * y_factor);
        let times = |interval: Option<[f64; 2]>, factor: f64| {
            interval.map(|ends| ends.map(|end| end * factor))
        };
        inside += &format!(
            r#"<g{}>{}<path class="mean" d="{}"/></g>"#,
            ink(entry.alpha),
            frame.bars(
                x,
                y,
                times(entry.x.interval, x_factor),
                times(entry.y.interval, y_factor)
            ),
            path(Shape::Diamond, frame.x(x), frame.y(y), 6.5)
        );
    }
    frame.finish(title, &inside)
}
