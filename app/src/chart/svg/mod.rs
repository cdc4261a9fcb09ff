//! A chart as SVG text, made without a browser: for the presentation, whose type grows with the screen, and for the
//! report, which must be readable with no server, no network and no script.
//!
//! Colours come from the style sheet around the drawing: text is `currentColor`, and marks with their own colour carry it
//! for light and for dark as custom properties, as [`AlphaChip`](crate::ui::AlphaChip) does.

mod cells;
pub mod escape;
mod estimates;
mod frame;
mod marks;
mod ticks;

pub use estimates::estimates;

use super::{Chart, Kind, Place, Point, Series};
use frame::{AxisRange, Frame};
use marks::{attributes, path, place};
use ticks::range;

/// The drawing; empty text where there is nothing to draw.
pub fn draw(title: &str, chart: &Chart) -> String {
    if let Some(cells) = &chart.cells {
        return cells::draw(title, chart, cells);
    }
    let across = ends(chart, |point| (&point.x, point.x_interval));
    let down = ends(chart, |point| (&point.y, point.y_interval));
    let (Some(x), Some(y)) = (
        AxisRange::new(
            &chart.x,
            range(across.chain(chart.verticals.iter().copied())),
        ),
        AxisRange::new(&chart.y, range(down)),
    ) else {
        return String::new();
    };
    let frame = Frame::new(x, y, &chart.series);
    let mut inside = String::new();
    for &at in &chart.verticals {
        inside += &frame.vertical(at);
    }
    // Means in front of all runs.
    let (means, rest): (Vec<&Series>, Vec<&Series>) =
        chart.series.iter().partition(|series| series.open);
    for series in rest.into_iter().chain(means) {
        inside += &drawn(&frame, series);
    }
    frame.finish(title, &inside)
}

/// Where points and the ends of their intervals are along an axis of numbers.
fn ends(
    chart: &Chart,
    coordinate: fn(&Point) -> (&Place, Option<[f64; 2]>),
) -> impl Iterator<Item = f64> {
    let points = chart.series.iter().flat_map(|series| &series.points);
    points.flat_map(move |point| {
        let (at, interval) = coordinate(point);
        let at = match at {
            Place::Number(value) => Some(*value),
            Place::Whole(value) => Some(f64::from(*value)),
            Place::Name(_) | Place::Missing => None,
        };
        at.into_iter().chain(interval.into_iter().flatten())
    })
}

/// A series: its line or band, its bars, its marks.
fn drawn(frame: &Frame, series: &Series) -> String {
    if let Kind::Band(opacity) = series.kind {
        return band(frame, series, opacity);
    }
    let (mut line, mut marks, mut bars) = (String::new(), String::new(), String::new());
    for point in &series.points {
        let Some((x, y)) = frame.at(point) else {
            continue;
        };
        let to = if line.is_empty() { 'M' } else { 'L' };
        line += &format!("{to}{} {}", place(x), place(y));
        marks += &path(series.shape, x, y, series.size / 2.0);
        bars += &frame.bars(point);
    }
    let line = match series.kind {
        Kind::Points => String::new(),
        _ => format!(r#"<path class="line" d="{line}"/>"#),
    };
    let class = if series.open { r#" class="mean""# } else { "" };
    let opacity = match series.opacity {
        opacity if opacity < 1.0 => format!(r#" fill-opacity="{opacity}""#),
        _ => String::new(),
    };
    let marks = match series.kind {
        Kind::Line => String::new(),
        _ => format!(r#"<path{class}{opacity} d="{marks}"/>"#),
    };
    format!("<g{}>{line}{bars}{marks}</g>", attributes(series.ink))
}

fn band(frame: &Frame, series: &Series, opacity: f64) -> String {
    let edge = |end: usize| {
        let at = move |point: &Point| {
            let end = Place::Number(point.y_interval?[end]);
            frame.at(&Point::new(point.x.clone(), end))
        };
        series.points.iter().filter_map(at)
    };
    let around: Vec<String> = edge(0)
        .chain(edge(1).collect::<Vec<_>>().into_iter().rev())
        .map(|(x, y)| format!("{} {}", place(x), place(y)))
        .collect();
    format!(
        r#"<g{}><path fill-opacity="{opacity}" d="M{}z"/></g>"#,
        attributes(series.ink),
        around.join("L")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Axis, Ink};
    use crate::figures::lines::tests::lines;

    /// Broken by: a line that passes through a missing value, a band that crosses itself, or marks on a line without them.
    #[test]
    fn gaps_stay_gaps_and_bands_go_around() {
        let points = vec![
            Point::new(0.0, 1.0).within(Some([0.5, 1.5])),
            Point::new(1.0, None::<f64>),
            Point::new(2.0, 2.0).within(Some([1.5, 2.5])),
        ];
        let series = |kind| Series::new(kind, "", Ink::First, points.clone()).unlisted();
        let chart = |kind| Chart::new(Axis::numbers("x"), Axis::numbers("y")).with([series(kind)]);
        let line = draw("title", &chart(Kind::Line));
        let (_, line) = line.split_once("class=\"line\" d=\"").unwrap();
        assert_eq!(line.split('"').next().unwrap().matches('L').count(), 1);
        assert!(!line.contains("class=\"mean\"") && line.matches("class=\"bar\"").count() == 2);
        let band = draw("title", &chart(Kind::Band(0.2)));
        let (_, band) = band.split_once("fill-opacity=\"0.2\" d=\"M").unwrap();
        let corners: Vec<f64> = band
            .split('z')
            .next()
            .unwrap()
            .split('L')
            .map(|corner| corner.split(' ').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(corners.len(), 4);
        assert!(corners[0] < corners[1] && corners[1] == corners[2] && corners[0] == corners[3]);
    }

    /// Broken by: a value that is missing drawn at 0 (a second point in the line of the second alpha), or an interval
    /// invented for one seed.
    #[test]
    fn missing_values_are_passed_over() {
        let text = draw("title", &crate::figures::lines::chart(&lines()));
        let lines: Vec<&str> = text.split("class=\"line\" d=\"").skip(1).collect();
        assert_eq!(lines.len(), 2);
        let points = |path: &str| path.split('"').next().unwrap().matches(['M', 'L']).count();
        assert_eq!(
            lines.iter().map(|line| points(line)).collect::<Vec<_>>(),
            [2, 1]
        );
        assert_eq!(text.matches("class=\"bar\"").count(), 2);
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }

    /// Broken by: an axis without 0, on which an interval cannot be judged, or a name that is markup.
    #[test]
    fn no_effect_is_always_shown() {
        let row = Point {
            x_interval: Some([4.9, 5.3]),
            ..Point::new(5.0, 0_u32)
        };
        let mut chart = Chart::new(Axis::numbers("accuracy"), Axis::rows(vec!["<i>".into()]))
            .with([Series::new(Kind::Points, "", Ink::First, vec![row]).unlisted()]);
        chart.verticals = vec![0.0];
        let text = draw("title", &chart);
        assert!(text.contains("class=\"zero\"") && text.contains("&lt;i&gt;"));
        assert!(!text.contains("<i>"));
        assert!(text.contains(">0<") && text.contains(">5<"), "{text}");
    }
}
