//! Means over seeds at places along an axis.

use protocol::claim_figure::Lines;

use super::frame::{Along, Axis, Frame};
use super::marks::{Entry, Shape, ink, path, place, shape};
use super::ticks::range;
use crate::figure::lines::name;
use crate::figure::measures::scaled;

/// The drawing.
pub fn draw(title: &str, shown: &Lines) -> String {
    let (y_title, factor) = scaled(&shown.y, true);
    let means = || {
        shown
            .series
            .iter()
            .flat_map(|series| series.means.iter().flatten())
    };
    let values = means().flat_map(|mean| {
        let [low, high] = mean.interval.unwrap_or([mean.mean; 2]);
        [low, mean.mean, high]
    });
    let Some(y_range) = range(values.map(|value| value * factor)) else {
        return String::new();
    };
    let look = |place: usize, alpha: Option<f64>| match (alpha, place) {
        (Some(alpha), _) => (shape(alpha), ink(alpha)),
        (None, 0) => (Shape::Circle, r#" class="ink first""#.to_owned()),
        (None, _) => (Shape::Square, r#" class="ink second""#.to_owned()),
    };
    let entries: Vec<Entry> = shown
        .series
        .iter()
        .enumerate()
        .map(|(place, series)| {
            let (shape, attributes) = look(place, series.alpha);
            Entry {
                label: name(series),
                shape,
                attributes,
            }
        })
        .collect();
    let frame = Frame::new(
        Axis {
            title: shown.x.clone(),
            along: Along::Places(shown.places.clone()),
        },
        Axis {
            title: y_title,
            along: Along::Numbers(y_range),
        },
        &entries,
    );
    let mut inside = String::new();
    for (index, series) in shown.series.iter().enumerate() {
        let (shape, attributes) = look(index, series.alpha);
        let (mut line, mut marks, mut bars) = (String::new(), String::new(), String::new());
        for (at, mean) in series.means.iter().enumerate() {
            let Some(mean) = mean else { continue };
            let (at, value) = (at as f64, mean.mean * factor);
            let (x, y) = (frame.x(at), frame.y(value));
            let to = if line.is_empty() { 'M' } else { 'L' };
            line += &format!("{to}{} {}", place(x), place(y));
            marks += &path(shape, x, y, 4.0);
            let interval = mean.interval.map(|ends| ends.map(|end| end * factor));
            bars += &frame.bars(at, value, None, interval);
        }
        inside += &format!(
            r#"<g{attributes}><path class="line" d="{line}"/>{bars}<path d="{marks}"/></g>"#
        );
    }
    frame.finish(title, &inside)
}

#[cfg(test)]
mod tests {
    use crate::figure::lines::tests::lines;

    /// Broken by: a value that is missing drawn at 0 (a second point in the line of the second alpha), or an interval
    /// invented for one seed.
    #[test]
    fn missing_values_are_passed_over() {
        let text = super::draw("title", &lines());
        let lines: Vec<&str> = text.split("class=\"line\" d=\"").skip(1).collect();
        assert_eq!(lines.len(), 2);
        let points = |of: &str| of.split('"').next().unwrap().matches(['M', 'L']).count();
        assert_eq!(
            lines.iter().map(|of| points(of)).collect::<Vec<_>>(),
            [2, 1]
        );
        assert_eq!(text.matches("class=\"bar\"").count(), 2);
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }
}
