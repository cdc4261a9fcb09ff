//! A chart as plotly.js takes it: data, layout and configuration as JSON.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::ink::Colours;
use super::zoom::Ranges;
use super::{
    Axis, CellScale, Cells, Chart, Dash, Hover, Ink, Kind, MapCell, Place, Point, Series, Shape,
};
use crate::ui::theme::Theme;

/// The plotly figure of `chart`.
pub fn figure(chart: &Chart, theme: Theme) -> Value {
    figure_with(chart, theme, &BTreeSet::new(), false, [None, None])
}

/// As [`figure`], with the points of `selected` runs lit and others dimmed, if any selected run is shown. With `brush`,
/// dragging selects instead of zooming. `zoom` has the ranges of the axes that are zoomed.
pub fn figure_with(
    chart: &Chart,
    theme: Theme,
    selected: &BTreeSet<i64>,
    brush: bool,
    zoom: Ranges,
) -> Value {
    let mut points = chart.series.iter().flat_map(|series| &series.points);
    let lit = points.any(|point| is_selected(point, selected));
    let selected = lit.then_some(selected);
    let mut figure = drawn(chart, theme, selected);
    let axes = [("xaxis", &chart.x), ("yaxis", &chart.y)];
    for ((name, axis), zoomed) in axes.into_iter().zip(zoom) {
        let layout = &mut figure["layout"][name];
        let range = zoomed.or(axis.range);
        // Plotly keeps what it once chose by itself, unless told; and refuses a range of null.
        layout["autorange"] = json!(range.is_none());
        if let Some(range) = range {
            layout["range"] = json!(range);
        }
        layout["uirevision"] = json!(format!("{} | {zoomed:?}", axis.title));
    }
    figure["layout"]["dragmode"] = json!(if brush { "select" } else { "zoom" });
    // Plotly's own selection is dropped: the page keeps it.
    figure["layout"]["selections"] = json!([]);
    figure["layout"]["selectionrevision"] = json!(format!("{selected:?}"));
    figure
}

fn is_selected(point: &Point, selected: &BTreeSet<i64>) -> bool {
    point.run.is_some_and(|run| selected.contains(&run))
}

/// The opacity of what is not selected, beside what is.
const DIMMED: f64 = 0.15;

fn drawn(chart: &Chart, theme: Theme, selected: Option<&BTreeSet<i64>>) -> Value {
    let mut data: Vec<Value> = chart.cells.iter().map(|cells| map(cells, theme)).collect();
    for series in &chart.series {
        let mut traces = traces(chart, series, theme);
        let selectable = traces
            .iter_mut()
            .filter(|_| series.points.iter().any(|point| point.run.is_some()));
        selectable.for_each(|trace| mark(trace, series, selected));
        data.extend(traces);
    }
    // By this, a hidden entry stays hidden when more series are drawn.
    let mut seen = HashMap::<String, usize>::new();
    for trace in &mut data {
        let name = trace["name"].as_str().unwrap_or_default().to_owned();
        let number = seen.entry(name.clone()).or_default();
        trace["uid"] = json!(format!("{}-{number}", identifier(&name)));
        *number += 1;
    }
    json!({
        "data": data,
        "layout": layout(chart, theme),
        // The page zooms out: plotly would return to the range with which a figure was first drawn.
        "config": {"responsive": true, "displaylogo": false, "displayModeBar": false, "doubleClick": false},
    })
}

/// `text` as a part of an identifier, unique for each text: plotly finds hatched bars by the `uid` of their trace, in a
/// selector that it does not escape.
fn identifier(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("_{byte:02x}"),
        })
        .collect()
}

fn layout(chart: &Chart, theme: Theme) -> Value {
    let colours = Colours::of(theme);
    let mut x = axis(&chart.x, theme);
    let mut y = axis(&chart.y, theme);
    // A figure is less high than wide, the more so where names of layers stand below it on a phone.
    y["title"]["text"] = json!(lines(&chart.y.title, UPRIGHT));
    if let Some(cells) = &chart.cells {
        let named = matches!(cells.columns.first(), Some(Place::Name(_)));
        for (axis, category) in [(&mut x, named), (&mut y, true)] {
            axis["showgrid"] = json!(false);
            if category {
                // As text: otherwise plotly reads severities as numbers and puts ticks between them.
                axis["type"] = json!("category");
            }
            if !matches!(cells.scale, CellScale::Share(Some(_))) {
                axis["fixedrange"] = json!(true);
                axis["dtick"] = json!(1);
            }
        }
    }
    let verticals: Vec<Value> = chart
        .verticals
        .iter()
        .map(|at| {
            json!({
                "type": "line", "layer": "below", "xref": "x", "yref": "paper",
                "x0": at * chart.x.factor, "x1": at * chart.x.factor, "y0": 0, "y1": 1,
                "line": {"color": colours.text, "width": 1.2, "dash": "dash"},
            })
        })
        .collect();
    json!({
        "autosize": true,
        "margin": {"l": 60, "r": 12, "t": 10, "b": 46},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": colours.text},
        "paper_bgcolor": colours.page,
        "plot_bgcolor": colours.page,
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": x,
        "yaxis": y,
        "shapes": verticals,
        // Another quantity on an axis begins unzoomed.
        "uirevision": format!("{} | {}", chart.x.title, chart.y.title),
    })
}

fn axis(axis: &Axis, theme: Theme) -> Value {
    let colours = Colours::of(theme);
    let mut layout = json!({
        "title": {"text": lines(&axis.title, WIDEST)},
        "color": colours.text,
        "linecolor": colours.line,
        "gridcolor": colours.grid,
        "showline": true,
        "zeroline": false,
        "automargin": true,
    });
    if let Some(places) = &axis.places {
        let mut labels: Vec<String> = (0..places.len()).map(|index| label(axis, index)).collect();
        if axis.rows {
            // Plotly begins at the bottom.
            labels.reverse();
            layout["fixedrange"] = json!(true);
            layout["dtick"] = json!(1);
        }
        layout["type"] = json!("category");
        layout["categoryorder"] = json!("array");
        layout["categoryarray"] = json!(labels);
    }
    if axis.slanted {
        layout["tickangle"] = json!(-35);
    }
    if let Some(range) = axis.range {
        layout["range"] = json!(range);
    }
    if axis.from_zero {
        layout["rangemode"] = json!("tozero");
    }
    if axis.whole {
        layout["tickformat"] = json!("d");
    }
    if let Some(step) = axis.step {
        layout["dtick"] = json!(step);
    }
    layout
}

/// The label of a place; rows of the same name differ in invisible characters.
fn label(axis: &Axis, index: usize) -> String {
    let places = axis.places.as_deref().unwrap_or_default();
    let Some(name) = places.get(index) else {
        return String::new();
    };
    if !axis.rows {
        return name.clone();
    }
    let before = places[..index].iter().filter(|other| *other == name);
    format!("{}{}", wrapped(name, 36), "\u{200b}".repeat(before.count()))
}

/// Characters in the width of a figure.
const WIDEST: usize = 60;

/// Characters in the height of a figure.
const UPRIGHT: usize = 36;

/// `text` with none of its lines longer than about `width` characters.
fn lines(text: &str, width: usize) -> String {
    // A range stays on one line.
    let text = text.replace("(0 to 1)", "(0\u{a0}to\u{a0}1)");
    let lines = text.split("<br>").map(|line| wrapped(line, width));
    lines.collect::<Vec<_>>().join("<br>")
}

/// `text` on lines of at most about `width` characters, broken at spaces.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("<br>")
}

/// A value as it stands on an axis.
fn value(axis: &Axis, place: &Place) -> Value {
    match (place, &axis.places) {
        (Place::Number(number), _) => json!(number * axis.factor),
        (Place::Whole(index), Some(_)) => json!(label(axis, *index as usize)),
        (Place::Name(name), Some(places)) if axis.rows => {
            let index = places.iter().position(|place| place == name);
            json!(index.map(|index| label(axis, index)))
        }
        (other, _) => json!(other),
    }
}

fn values(axis: &Axis, points: &[Point], coordinate: fn(&Point) -> &Place) -> Vec<Value> {
    points
        .iter()
        .map(|point| value(axis, coordinate(point)))
        .collect()
}

/// The traces of a series: one, or the two edges of a band.
fn traces(chart: &Chart, series: &Series, theme: Theme) -> Vec<Value> {
    if let Kind::Band(opacity) = series.kind {
        return band(chart, series, opacity, theme);
    }
    let colour = series.ink.colour(theme);
    let x = values(&chart.x, &series.points, |point| &point.x);
    let y = values(&chart.y, &series.points, |point| &point.y);
    let mut trace = json!({
        "name": series.name,
        "showlegend": series.listed,
        "x": x,
        "y": y,
        "marker": {"color": colour, "size": series.size, "opacity": series.opacity},
        "line": {"color": colour, "width": series.width},
    });
    if let Some(group) = &series.group {
        trace["legendgroup"] = json!(group);
    }
    match &series.hover {
        Hover::Point => {
            let says = series
                .points
                .iter()
                .map(|point| lines(&point.hover, WIDEST));
            trace["hovertext"] = json!(says.collect::<Vec<_>>());
            trace["hoverinfo"] = json!("text");
        }
        Hover::Values(text) if text.is_empty() => {}
        Hover::Values(text) => trace["text"] = json!(text),
        Hover::Silent => trace["hoverinfo"] = json!("skip"),
    }
    shape(&mut trace, series, theme);
    let bars = match series.kind {
        Kind::Bars { .. } => Ink::Text.colour(theme),
        _ => colour,
    };
    let across = error_bars(
        series,
        &chart.x,
        |point| (&point.x, point.x_interval),
        &bars,
    );
    let down = error_bars(
        series,
        &chart.y,
        |point| (&point.y, point.y_interval),
        &bars,
    );
    for (key, bars) in [("error_x", across), ("error_y", down)] {
        if let Some(bars) = bars {
            trace[key] = bars;
        }
    }
    vec![trace]
}

/// Makes a trace what its series is: points, a line, bars, boxes or a histogram.
fn shape(trace: &mut Value, series: &Series, theme: Theme) {
    let colour = series.ink.colour(theme);
    match series.kind {
        Kind::Points | Kind::Line | Kind::Curve | Kind::Band(_) => {
            trace["type"] = json!("scatter");
            trace["mode"] = json!(match series.kind {
                Kind::Points => "markers",
                // One point is no line.
                Kind::Line if series.points.len() < 2 => "markers",
                Kind::Line => "lines",
                _ => "lines+markers",
            });
            trace["marker"]["symbol"] = json!(symbol(series.shape, series.open));
            if series.open {
                trace["marker"]["line"] = json!({"width": 2, "color": colour});
            }
            trace["line"]["dash"] = json!(dash(series.dash));
        }
        Kind::Bars { hatched } => {
            trace["type"] = json!("bar");
            trace["marker"] = json!({
                "color": colour,
                "pattern": {"shape": if hatched { "/" } else { "" }},
            });
            strip(trace, "line");
        }
        Kind::Boxes { mean } => {
            trace["type"] = json!("box");
            trace["boxmean"] = json!(mean);
            trace["boxpoints"] = json!("outliers");
        }
        Kind::Histogram(bins) => {
            trace["type"] = json!("histogram");
            trace["nbinsx"] = json!(bins);
            trace["marker"] = json!({
                "color": colour,
                "line": {"color": Colours::of(theme).page, "width": 1},
            });
            strip(trace, "line");
            strip(trace, "y");
        }
    }
}

/// Marks each point of a trace with its run, and lights the selected ones.
fn mark(trace: &mut Value, series: &Series, selected: Option<&BTreeSet<i64>>) {
    let runs = series.points.iter().map(|point| point.run);
    trace["customdata"] = json!(runs.collect::<Vec<_>>());
    let Some(selected) = selected else {
        return;
    };
    let lit = (0..)
        .zip(&series.points)
        .filter(|(_, point)| is_selected(point, selected));
    let lit: Vec<u32> = lit.map(|(place, _)| place).collect();
    match series.kind {
        // A line belongs to one run, and plotly lights only marks.
        Kind::Line | Kind::Curve if lit.is_empty() => trace["opacity"] = json!(DIMMED),
        Kind::Line | Kind::Curve => {}
        _ => {
            trace["selectedpoints"] = json!(lit);
            trace["selected"] = json!({"marker": {"opacity": 1.0}});
            trace["unselected"] = json!({"marker": {"opacity": DIMMED}});
        }
    }
}

/// Removes a key that a kind of trace does not have.
fn strip(trace: &mut Value, key: &str) {
    if let Some(trace) = trace.as_object_mut() {
        trace.remove(key);
    }
}

/// Error bars: the distances from each point to the ends of its interval. None where no point has one.
fn error_bars(
    series: &Series,
    axis: &Axis,
    coordinate: fn(&Point) -> (&Place, Option<[f64; 2]>),
    colour: &str,
) -> Option<Value> {
    series.points.iter().find_map(|point| coordinate(point).1)?;
    let arms = |arm: fn(f64, [f64; 2]) -> f64| -> Vec<f64> {
        let length = |point| match coordinate(point) {
            (Place::Number(value), Some(ends)) => arm(*value, ends).max(0.0) * axis.factor,
            _ => 0.0,
        };
        series.points.iter().map(length).collect()
    };
    Some(json!({
        "type": "data",
        "symmetric": false,
        "array": arms(|value, [_, high]| high - value),
        "arrayminus": arms(|value, [low, _]| value - low),
        "color": colour,
        "thickness": if series.kind == Kind::Points { series.width } else { 1.2 },
        "width": 4,
    }))
}

/// The area between the ends of intervals, as two lines without width; of one point, two marks.
fn band(chart: &Chart, series: &Series, opacity: f64, theme: Theme) -> Vec<Value> {
    let colour = series.ink.colour(theme);
    let edge = |end: usize| {
        let ends = series.points.iter().map(|point| {
            let interval = point.y_interval.map(|ends| ends[end] * chart.y.factor);
            json!(interval)
        });
        let mut trace = json!({
            "type": "scatter",
            "mode": if series.points.len() < 2 { "markers" } else { "lines" },
            "name": series.name,
            "showlegend": false,
            "hoverinfo": "skip",
            "x": values(&chart.x, &series.points, |point| &point.x),
            "y": ends.collect::<Vec<Value>>(),
            "marker": {"color": colour, "size": 5, "opacity": 0.6},
            "line": {"color": colour, "width": 0},
        });
        if let Some(group) = &series.group {
            trace["legendgroup"] = json!(group);
        }
        trace
    };
    let mut upper = edge(1);
    upper["fill"] = json!("tonexty");
    // Two hexadecimal digits of opacity after the six of the colour.
    let hex = (opacity * 255.0).round() as u8;
    upper["fillcolor"] = json!(format!("{colour}{hex:02x}"));
    vec![edge(0), upper]
}

fn symbol(shape: Shape, open: bool) -> String {
    let name = match shape {
        Shape::Down => "triangle-down",
        Shape::Up => "triangle-up",
        Shape::Circle => "circle",
        Shape::Diamond => "diamond",
        Shape::Square => "square",
        Shape::Cross => "cross",
        Shape::X => "x",
        Shape::Star => "star",
    };
    format!("{name}{}", if open { "-open" } else { "" })
}

fn dash(dash: Dash) -> &'static str {
    match dash {
        Dash::Solid => "solid",
        Dash::Dash => "dash",
        Dash::Dot => "dot",
        Dash::DashDot => "dashdot",
        Dash::LongDash => "longdash",
        Dash::LongDashDot => "longdashdot",
    }
}

/// The heat map.
fn map(cells: &Cells, theme: Theme) -> Value {
    // Plotly begins at the bottom.
    let rows = || cells.rows.iter().rev();
    let each = |write: fn(&MapCell, &CellScale) -> Value, gap: Value| -> Vec<Vec<Value>> {
        rows()
            .map(|row| {
                let written = |cell: &Option<MapCell>| match cell {
                    Some(cell) => write(cell, &cells.scale),
                    None => gap.clone(),
                };
                row.cells.iter().map(written).collect()
            })
            .collect()
    };
    let names = rows().map(|row| match row.bold {
        true => format!("<b>{}</b>", row.label),
        false => row.label.clone(),
    });
    let (low, high) = match cells.scale {
        CellScale::Share(_) => (0.0, 1.0),
        CellScale::Signed(largest) => (-largest, largest),
    };
    let mut map = json!({
        "type": "heatmap",
        "x": cells.columns,
        "y": names.collect::<Vec<String>>(),
        "z": each(|cell, _| json!(cell.value), Value::Null),
        "zmin": low,
        "zmax": high,
        "colorscale": colour_scale(&cells.scale, theme),
        "hoverongaps": false,
    });
    if let CellScale::Share(Some(key)) = cells.scale {
        map["colorbar"] = json!({"title": {"text": key}, "thickness": 12});
    } else {
        map["showscale"] = json!(false);
        map["xgap"] = json!(1);
        map["ygap"] = json!(1);
        map["text"] = json!(each(written, json!("")));
        map["texttemplate"] = json!("%{text}");
        // Plotly would otherwise fit the text by its length, markup included.
        map["textfont"] = match cells.scale {
            CellScale::Share(_) => json!({"size": 12}),
            CellScale::Signed(_) => json!({"size": 12, "color": Colours::of(theme).text}),
        };
        map["hovertext"] = json!(each(|cell, _| json!(cell.hover), json!("")));
        map["hoverinfo"] = json!("text");
    }
    map
}

/// The text of a cell; on shares in black or white, whichever stands out: plotly's own choice is grey on green.
fn written(cell: &MapCell, scale: &CellScale) -> Value {
    match scale {
        CellScale::Share(_) => {
            // About where black and white stand out alike from viridis.
            let ink = if cell.value < 0.45 {
                "#ffffff"
            } else {
                "#000000"
            };
            json!(format!("<span style=\"color:{ink}\">{}</span>", cell.text))
        }
        CellScale::Signed(_) => json!(cell.text),
    }
}

/// Shares: viridis, monotone in lightness and safe for colour-blind eyes. Signed numbers: blue below 0, red above, pale
/// enough to read what is written in the cells.
fn colour_scale(scale: &CellScale, theme: Theme) -> Value {
    let stops: &[&str] = match (scale, theme) {
        (CellScale::Share(_), _) => &[
            "#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725",
        ],
        (CellScale::Signed(_), Theme::Light) => &["#8ab8e6", "#f4f5f6", "#eb9f8f"],
        (CellScale::Signed(_), Theme::Dark) => &["#1f4f80", "#23272b", "#7d3023"],
    };
    let last = stops.len() - 1;
    let stops = stops.iter().enumerate();
    json!(
        stops
            .map(|(index, colour)| (index as f64 / last as f64, colour))
            .collect::<Vec<_>>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api::Mean;

    fn chart(interval: Option<[f64; 2]>) -> Chart {
        let mean = Mean {
            mean: 0.5,
            n: 2,
            interval,
        };
        let points = vec![Point::mean(1_u32, &mean)];
        Chart::new(Axis::numbers("x"), Axis::numbers("y")).with([Series::of_alpha(
            Kind::Curve,
            -0.05,
            points,
        )])
    }

    /// Breaks when a click on a point opens another run, a selection does not dim others, or a run that is not shown dims all.
    #[test]
    fn selected_runs_are_lit() {
        let point = |run, x| Point::new(x, 0.5).of_run(run);
        let chart = Chart::new(Axis::numbers("x"), Axis::numbers("y")).with([
            Series::of_alpha(Kind::Points, 0.0, vec![point(1, 0.1), point(2, 0.2)]),
            Series::of_alpha(Kind::Line, 1.0, vec![point(3, 0.1), point(3, 0.2)]),
            Series::new(Kind::Points, "mean", Ink::Text, vec![Point::new(0.1, 0.5)]),
        ]);
        let selected = |runs: &[i64]| {
            let runs = runs.iter().copied().collect();
            figure_with(&chart, Theme::Light, &runs, true, [None, Some([0.0, 2.0])])
        };
        let json = selected(&[2]);
        assert_eq!(json["data"][0]["customdata"], json!([1, 2]));
        assert_eq!(json["data"][0]["selectedpoints"], json!([1]));
        assert_eq!(json["data"][1]["opacity"], DIMMED);
        assert_eq!(json["data"][2]["customdata"], Value::Null);
        assert_eq!(json["layout"]["dragmode"], "select");
        let axis = &json["layout"]["xaxis"];
        assert_eq!(
            (&axis["autorange"], axis.get("range")),
            (&json!(true), None)
        );
        assert_eq!(json["layout"]["yaxis"]["range"], json!([0.0, 2.0]));
        let json = selected(&[3]);
        assert_eq!(json["data"][1]["opacity"], Value::Null);
        assert_eq!(json["data"][0]["selectedpoints"], json!([]));
        // A run of another experiment.
        let json = selected(&[9]);
        assert_eq!(json["data"][0]["selectedpoints"], Value::Null);
    }

    /// Broken by: arms that are swapped, ends taken for distances, or a bar where there is no interval.
    #[test]
    fn error_arms_are_distances_from_the_mean() {
        let json = figure(&chart(Some([0.4, 0.8])), Theme::Light);
        let arm = |which: &str| json["data"][0]["error_y"][which][0].as_f64().unwrap();
        assert!((arm("arrayminus") - 0.1).abs() < 1e-12 && (arm("array") - 0.3).abs() < 1e-12);
        let json = figure(&chart(None), Theme::Light);
        assert_eq!(json["data"][0].get("error_y"), None);
    }

    /// Broken by: a marker whose shape does not follow the sign, so that only colour shows it.
    #[test]
    fn the_sign_of_alpha_has_a_shape() {
        let symbols = [-0.05, 0.0, 0.05].map(|alpha| {
            let series = Series::of_alpha(Kind::Points, alpha, vec![]);
            symbol(series.shape, series.open)
        });
        assert_eq!(symbols, ["triangle-down", "circle", "triangle-up"]);
    }

    /// Broken by: a zoom or a hidden entry that is lost when an epoch ends, or kept when the axis shows something else; or
    /// two series of one name of which only one stays hidden.
    #[test]
    fn what_a_reader_did_survives_new_numbers() {
        let layout = |chart: &Chart| figure(chart, Theme::Light)["layout"]["uirevision"].clone();
        let (before, after) = (chart(None), chart(Some([0.0, 1.0])));
        assert_eq!(layout(&before), layout(&after));
        let mut other = chart(None);
        other.y = Axis::numbers("z");
        assert_ne!(layout(&before), layout(&other));
        let twice = before.clone().with(after.series);
        let json = figure(&twice, Theme::Dark);
        let uids = [0, 1].map(|place| json["data"][place]["uid"].as_str().unwrap().to_owned());
        assert_ne!(uids[0], uids[1]);
        assert_eq!(identifier("a, 8/255"), "a_2c_208_2f255");
        // Plotly uses them in selectors.
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        assert!(uids.iter().all(|uid| uid.chars().all(plain)), "{uids:?}");
    }

    /// Broken by: a row of words wider than its margin, or a word that is lost.
    #[test]
    fn long_names_are_wrapped() {
        assert_eq!(wrapped("one two three", 7), "one two<br>three");
        assert_eq!(wrapped("extraordinarily", 7), "extraordinarily");
        let title = "Mean selectivity of its units (0 to 1)";
        let expected = "Mean selectivity of its units<br>(0\u{a0}to\u{a0}1)";
        assert_eq!(lines(title, UPRIGHT), expected);
    }
}
