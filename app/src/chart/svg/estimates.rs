//! A claim's estimates as a small forest: a row each, signs on one line, numbers beside it.

use protocol::finding::{Estimate, Role};

use super::escape::escape;
use super::frame::svg;
use super::marks::{path, place};
use crate::chart::Shape;
use crate::chart::plotly::wrapped;
use crate::format;

/// Height of a row with one line of label, and of each line more.
const ROW: f64 = 19.0;
const LINE: f64 = 13.0;

/// Letters of a label that fit on a line.
const LETTERS: usize = 29;

/// Width of the drawing.
const WIDTH: f64 = 640.0;

/// Horizontal extent of the rows; labels are to its left, numbers to its right.
const FIELD: [f64; 2] = [240.0, 420.0];

/// The rows of a claim, each against 0, the dashed line. Rows of one unit share a scale, and each unit has its own, so that sides
/// of 0, and distances from 0 in intervals, can be compared; the numbers are beside the rows. The band is the margin within
/// which a difference counts as none. Empty text without an estimate.
pub fn estimates(title: &str, rows: &[&Estimate]) -> String {
    let drawn: Vec<&&Estimate> = rows.iter().filter(|row| row.estimate.is_some()).collect();
    if drawn.is_empty() {
        return String::new();
    }
    let middle = FIELD[0].midpoint(FIELD[1]);
    // The row that reaches furthest from 0 touches neither labels nor numbers.
    let half = (FIELD[1] - FIELD[0]) / 2.0 - 8.0;
    // The largest distance from 0 in the rows of a unit.
    let reach = |unit: &str| {
        let of_unit = drawn.iter().filter(|row| row.unit == unit);
        let ends = of_unit.flat_map(|row| row.interval.into_iter().flatten().chain(row.estimate));
        let furthest = ends.map(f64::abs).filter(|end| end.is_finite());
        furthest.fold(0.0, f64::max).max(f64::MIN_POSITIVE)
    };
    let labels: Vec<Vec<String>> = drawn.iter().map(|row| lines(&row.label)).collect();
    let height = |label: &Vec<String>| ROW + LINE * (label.len() - 1) as f64;
    let bottom = 4.0 + labels.iter().map(height).sum::<f64>();
    let mut text = format!(
        r#"<path class="zero" d="M{} 2V{}"/>"#,
        place(middle),
        place(bottom)
    );
    let mut top = 4.0;
    for (row, label) in drawn.iter().zip(&labels) {
        let y = top + height(label) / 2.0;
        top += height(label);
        let scale = reach(&row.unit);
        let x = |value: f64| middle + half * (value / scale).clamp(-1.0, 1.0);
        if let Some(margin) = row.margin {
            text += &format!(
                r#"<path class="margin" d="M{} {}H{}v{}H{}z"/>"#,
                place(x(-margin)),
                place(y - ROW / 2.0 + 1.0),
                place(x(margin)),
                place(ROW - 2.0),
                place(x(-margin))
            );
        }
        let bar = row.interval.map_or_else(String::new, |[low, high]| {
            format!(
                r#"<path class="bar" d="M{low} {y}H{high}M{low} {top}v6M{high} {top}v6"/>"#,
                low = place(x(low)),
                high = place(x(high)),
                y = place(y),
                top = place(y - 3.0)
            )
        });
        let (class, shape, size) = match row.role {
            Role::Primary => ("decides", Shape::Diamond, 6.0),
            Role::Sensitivity => ("shown", Shape::Diamond, 4.5),
            Role::Contrast => ("shown", Shape::Circle, 3.5),
        };
        text += &format!(
            r#"<text text-anchor="end" class="{class}">{}</text><g class="ink first {class}">{bar}<path d="{}"/></g><text x="{}" y="{}" class="tick">{}</text>"#,
            spans(label, y),
            path(shape, x(row.estimate.unwrap_or(0.0)), y, size),
            place(FIELD[1] + 10.0),
            place(y + 4.0),
            escape(&numbers(row))
        );
    }
    svg(title, [WIDTH, bottom + 4.0], &text)
}

/// `−4.0 (−4.9 to −3.1)`; for a count, only the count.
fn numbers(row: &Estimate) -> String {
    let Some(estimate) = row.estimate else {
        return "–".to_owned();
    };
    match row.interval {
        Some([low, high]) => {
            let largest = [low, high, estimate]
                .map(f64::abs)
                .into_iter()
                .fold(0.0, f64::max);
            let digits = digits(largest);
            format!(
                "{} ({} to {})",
                format::signed(estimate, digits),
                format::decimal(low, digits),
                format::decimal(high, digits)
            )
        }
        None if row.margin.is_none() && estimate.fract() == 0.0 => {
            format!("{estimate} {}", row.unit)
        }
        None => format::significant(estimate),
    }
}

/// Digits after the point that leave the largest number two significant ones; at most 4.
fn digits(largest: f64) -> usize {
    if largest > 0.0 && largest.is_finite() {
        (1 - largest.log10().floor() as i32).clamp(0, 4) as usize
    } else {
        0
    }
}

/// A label on as many lines as it takes.
fn lines(label: &str) -> Vec<String> {
    let wrapped = wrapped(label, LETTERS);
    wrapped.split("<br>").map(str::to_owned).collect()
}

/// The lines of a label around the middle `y` of its row, each ending where rows begin.
fn spans(lines: &[String], y: f64) -> String {
    let first = y + 4.0 - LINE * (lines.len() - 1) as f64 / 2.0;
    let spans = lines.iter().enumerate().map(|(index, line)| {
        format!(
            r#"<tspan x="{}" y="{}">{}</tspan>"#,
            place(FIELD[0] - 8.0),
            place(first + LINE * index as f64),
            escape(line)
        )
    });
    spans.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::finding::Verdict;

    /// An estimate in points.
    fn row(label: &str, estimate: Option<f64>, role: Role) -> Estimate {
        Estimate {
            label: label.into(),
            unit: "points".into(),
            estimate,
            interval: estimate.map(|value| [value - 0.9, value + 0.9]),
            margin: Some(0.5),
            p: Some(0.01),
            n: 3,
            runs: 15,
            role,
            verdict: Verdict::Supported,
        }
    }

    /// Breaks when a label is markup, a row without an estimate is drawn at 0, or the numbers beside a row are other ones.
    #[test]
    fn rows_have_their_numbers_beside() {
        let rows = [
            row("<i>", Some(-4.0), Role::Primary),
            row("none", None, Role::Sensitivity),
            row("b", Some(1.0), Role::Contrast),
        ];
        let text = estimates("title", &rows.iter().collect::<Vec<_>>());
        assert!(text.contains("&lt;i&gt;") && !text.contains("<i>"));
        assert!(text.contains("−4.0 (−4.9 to −3.1)"), "{text}");
        assert_eq!(text.matches("class=\"bar\"").count(), 2);
        assert!(!text.contains("none") && !text.contains("NaN"));
        assert_eq!(estimates("title", &[&rows[1]]), "");
    }

    /// Broken by: a label that is cut off, or rows that lie over each other where one has two lines.
    #[test]
    fn long_labels_take_more_lines() {
        let long = "alpha −0.4 against 0: median over images of the dimension fraction";
        let rows = [
            row(long, Some(1.0), Role::Contrast),
            row("b", Some(1.0), Role::Contrast),
        ];
        let text = estimates("title", &rows.iter().collect::<Vec<_>>());
        let words: Vec<&str> = text
            .split("<tspan ")
            .skip(1)
            .filter_map(|span| span.split(['>', '<']).nth(1))
            .collect();
        assert_eq!(words[..words.len() - 1].join(" "), long);
        let downs: Vec<f64> = text
            .split("<tspan ")
            .skip(1)
            .map(|span| span.split('"').nth(3).unwrap().parse().unwrap())
            .collect();
        assert!(downs.is_sorted_by(|a, b| b - a >= LINE), "{downs:?}");
    }

    /// Breaks when a side of 0 is lost: every interval below 0 is left of the dashed line.
    #[test]
    fn zero_is_in_the_middle() {
        let rows = [row("a", Some(-4.0), Role::Primary)];
        let text = estimates("title", &rows.iter().collect::<Vec<_>>());
        let at = |before: &str| -> f64 {
            let (_, rest) = text.split_once(before).unwrap();
            let end = rest.find([' ', 'H', 'V']).unwrap();
            rest[..end].parse().unwrap()
        };
        let zero = at("class=\"zero\" d=\"M");
        assert!((zero - 330.0).abs() < 0.1);
        assert!(at("class=\"bar\" d=\"M") < zero);
    }
}
