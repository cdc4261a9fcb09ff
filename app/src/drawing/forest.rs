//! Estimates with intervals, one a row, and where no effect is.

use super::escape::escape;
use super::frame::svg;
use super::marks::{Shape, path, place};
use super::ticks::{range, ticks};
use crate::figure::evidence::{Group, SHOWN, name};

/// The drawing of the tests of one unit: the first ones where there are many.
pub fn forest(title: &str, group: &Group) -> String {
    const WIDTH: f64 = 720.0;
    const LEFT: f64 = 330.0;
    const ROW: f64 = 24.0;
    let shown = || group.evidence.iter().take(SHOWN);
    let ends = shown().flat_map(|one| one.interval.into_iter().flatten().chain(one.estimate));
    let Some(span) = range(ends.chain([0.0])) else {
        return String::new();
    };
    let [low, high] = span;
    let right = WIDTH - 12.0;
    let x = |value: f64| LEFT + (right - LEFT) * (value - low) / (high - low);
    let bottom = 6.0 + shown().count() as f64 * ROW;
    let mut text = String::new();
    for (at, words) in ticks(span) {
        text += &format!(
            r#"<path class="grid" d="M{x} 2V{}"/><text class="tick" x="{x}" y="{}" text-anchor="middle">{}</text>"#,
            place(bottom),
            place(bottom + 15.0),
            escape(&words),
            x = place(x(at))
        );
    }
    text += &format!(
        r#"<path class="zero" d="M{} 2V{}"/><text x="{}" y="{}" text-anchor="middle">{}</text>"#,
        place(x(0.0)),
        place(bottom),
        place((LEFT + right) / 2.0),
        place(bottom + 33.0),
        escape(&group.unit)
    );
    for (row, one) in shown().enumerate() {
        let y = 6.0 + (row as f64 + 0.5) * ROW;
        let Some(estimate) = one.estimate else {
            continue;
        };
        let words = shortened(&name(one), 46);
        text += &format!(
            r#"<text x="{}" y="{}" text-anchor="end">{}</text>"#,
            place(LEFT - 8.0),
            place(y + 4.5),
            escape(&words)
        );
        let bar = one.interval.map_or_else(String::new, |[low, high]| {
            format!(
                r#"<path class="bar" d="M{low} {y}H{high}M{low} {top}v8M{high} {top}v8"/>"#,
                low = place(x(low)),
                high = place(x(high)),
                y = place(y),
                top = place(y - 4.0)
            )
        });
        let class = if one.decides { "decides" } else { "shown" };
        text += &format!(
            r#"<g class="ink first {class}">{bar}<path d="{}"/></g>"#,
            path(Shape::Diamond, x(estimate), y, 6.0)
        );
    }
    svg(title, [WIDTH, bottom + 40.0], &text)
}

/// The first of `text`, with an ellipsis where there is more.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let first: String = text.chars().take(most - 1).collect();
    format!("{}…", first.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::evidence::tests::evidence;

    /// Broken by: an axis without 0, which a reader could not judge an interval by, or a name that is markup.
    #[test]
    fn zero_is_always_shown() {
        let group = Group {
            unit: "accuracy".into(),
            evidence: vec![evidence("<i>", "accuracy", Some(5.0))],
        };
        let text = forest("title", &group);
        assert!(text.contains("class=\"zero\"") && text.contains("&lt;i&gt;"));
        assert!(!text.contains("<i>"));
        assert_eq!(shortened("abc def", 5), "abc…");
    }
}
