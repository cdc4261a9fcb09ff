//! The tests behind a verdict as a forest plot: estimates with intervals, and where no effect is.

use plotly::common::{DashType, ErrorData, ErrorType, HoverInfo, Marker, MarkerSymbol, Mode};
use plotly::layout::{AxisType, Shape, ShapeLayer, ShapeLine, ShapeType};
use plotly::{Plot, Scatter};
use protocol::finding::Evidence;
use protocol::measure::Scale;

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// Rows that a plot shows at most; more would be too close to read, and are in the table.
pub const SHOWN: usize = 24;

/// Tests of one unit, which share an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The unit of estimates and intervals.
    pub unit: String,
    /// The tests, those that decide first.
    pub evidence: Vec<Evidence>,
}

/// The tests by their unit, in the order in which units first appear. Tests without an estimate are left out, and so are
/// those that decide nothing where they are more than a plot can show: a map of them says more.
pub fn groups(evidence: &[Evidence]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let crowded = evidence.iter().filter(|one| !one.decides).count() > SHOWN;
    let drawn = |one: &&Evidence| one.estimate.is_some() && (one.decides || !crowded);
    for one in evidence.iter().filter(drawn) {
        match groups.iter_mut().find(|group| group.unit == one.unit) {
            Some(group) => group.evidence.push(one.clone()),
            None => groups.push(Group {
                unit: one.unit.clone(),
                evidence: vec![one.clone()],
            }),
        }
    }
    groups
}

/// How accuracies are taken, after a test's name.
pub fn scale_words(scale: Option<Scale>) -> &'static str {
    match scale {
        Some(Scale::Raw) => ", raw",
        Some(Scale::ShareOfClean) => ", share of clean",
        None => "",
    }
}

/// A test's whole name.
pub fn name(evidence: &Evidence) -> String {
    format!("{}{}", evidence.what, scale_words(evidence.scale))
}

/// The tests as a table.
pub fn table(evidence: &[Evidence]) -> Table {
    let mut table = Table::new(&[
        "test",
        "scale",
        "unit",
        "estimate",
        "t 95 % from",
        "t 95 % to",
        "BCa 95 % from",
        "BCa 95 % to",
        "p",
        "p (Holm)",
        "effect (mean / SD over seeds)",
        "seeds (n)",
        "runs",
        "on the claimed side",
        "decides",
    ]);
    let words = |value: bool| Cell::Text(if value { "yes" } else { "no" }.to_owned());
    for one in evidence {
        let mut row = vec![
            Cell::Text(one.what.clone()),
            one.scale
                .map_or(Cell::Empty, |scale| Cell::Text(scale.id().to_owned())),
            Cell::Text(one.unit.clone()),
            Cell::optional(one.estimate),
        ];
        for interval in [one.interval, one.bootstrap_interval] {
            row.extend([0, 1].map(|end| Cell::optional(interval.map(|interval| interval[end]))));
        }
        row.extend([one.p, one.p_holm, one.effect].map(Cell::optional));
        row.extend([one.n, one.runs].map(|count| Cell::Whole(count.into())));
        row.push(one.agrees.map_or(Cell::Empty, words));
        row.push(words(one.decides));
        table.rows.push(row);
    }
    table
}

/// What is drawn, and how many.
pub fn subtitle(group: &Group) -> String {
    let n = || group.evidence.iter().map(|one| one.n);
    let (least, most) = (n().min().unwrap_or(0), n().max().unwrap_or(0));
    let seeds = if least == most {
        format::plural(most.into(), "seed", "seeds")
    } else {
        format!("{least} to {most} seeds")
    };
    let mut text = format!(
        "In {}. Means over seeds with Student t 95 % intervals, n = {seeds}; filled: a verdict rests on it; dashed line: 0.",
        group.unit
    );
    if group.evidence.len() > SHOWN {
        text += &format!(
            " The first {SHOWN} of {}; all are in the table.",
            format::count(group.evidence.len() as u64)
        );
    }
    text
}

/// `text` on lines of at most about `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> String {
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

/// What plotly draws.
pub fn plot(group: &Group, theme: Theme) -> Plot {
    let colours = ink(theme);
    let mut plot = look::plot(
        theme,
        axis(theme, &wrapped(&group.unit, 60)),
        axis(theme, "")
            .type_(AxisType::Category)
            .show_grid(false)
            .fixed_range(true)
            .dtick(1.0),
    );
    // From the top down; a category a row, told apart by its number where two have one name.
    let shown: Vec<(usize, &Evidence)> = group.evidence.iter().take(SHOWN).enumerate().collect();
    for &(place, one) in shown.iter().rev() {
        let Some(estimate) = one.estimate else {
            continue;
        };
        let (low, high) = one.interval.map_or((0.0, 0.0), |[low, high]| {
            ((estimate - low).max(0.0), (high - estimate).max(0.0))
        });
        let (symbol, line) = if one.decides {
            (MarkerSymbol::Diamond, 2.5)
        } else {
            (MarkerSymbol::DiamondOpen, 1.2)
        };
        let interval = one.interval.map_or_else(
            || "no interval".to_owned(),
            |[low, high]| {
                format!(
                    "95 %: {} to {}",
                    format::significant(low),
                    format::significant(high)
                )
            },
        );
        let hover = format!(
            "{}<br>{} ({interval})<br>n = {}",
            wrapped(&name(one), 40),
            format::significant(estimate),
            format::plural(one.n.into(), "seed", "seeds")
        );
        let label = format!("{}{}", wrapped(&name(one), 36), "\u{200b}".repeat(place));
        plot.add_trace(
            Scatter::new(vec![estimate], vec![label])
                .mode(Mode::Markers)
                .show_legend(false)
                .hover_text_array(vec![hover])
                .hover_info(HoverInfo::Text)
                .marker(Marker::new().symbol(symbol).size(10).color(colours.first))
                .error_x(
                    ErrorData::new(ErrorType::Data)
                        .symmetric(false)
                        .array(vec![high])
                        .array_minus(vec![low])
                        .color(colours.first)
                        .thickness(line)
                        .width(5),
                ),
        );
    }
    let zero = Shape::new()
        .shape_type(ShapeType::Line)
        .layer(ShapeLayer::Below)
        .x_ref("x")
        .y_ref("paper")
        .x0(0.0)
        .x1(0.0)
        .y0(0.0)
        .y1(1.0)
        .line(
            ShapeLine::new()
                .color(colours.text)
                .width(1.2)
                .dash(DashType::Dash),
        );
    let layout = plot.layout().clone().shapes(vec![zero]);
    plot.set_layout(layout);
    plot
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A test that decides.
    pub(crate) fn evidence(what: &str, unit: &str, estimate: Option<f64>) -> Evidence {
        Evidence {
            what: what.into(),
            scale: Some(Scale::Raw),
            unit: unit.into(),
            estimate,
            interval: estimate.map(|estimate| [estimate - 0.1, estimate + 0.3]),
            bootstrap_interval: estimate.map(|estimate| [estimate - 0.05, estimate + 0.2]),
            p: Some(0.01),
            p_holm: None,
            effect: Some(2.0),
            n: 3,
            runs: 15,
            agrees: Some(true),
            decides: true,
        }
    }

    /// Broken by: folds and accuracies on one axis, or a test without an estimate drawn at 0.
    #[test]
    fn units_have_an_axis_each() {
        let all = [
            evidence("a", "fold", Some(2.0)),
            evidence("b", "accuracy", Some(0.1)),
            evidence("c", "fold", None),
            evidence("d", "fold", Some(3.0)),
        ];
        let groups = groups(&all);
        let sizes: Vec<_> = groups
            .iter()
            .map(|group| (group.unit.as_str(), group.evidence.len()))
            .collect();
        assert_eq!(sizes, [("fold", 2), ("accuracy", 1)]);
        // As many as corruptions and severities: the figure of the two that decide is not to drown in them.
        let mut many = vec![evidence("extra", "accuracy", Some(0.1)); SHOWN + 1];
        many.iter_mut().for_each(|one| one.decides = false);
        many.extend_from_slice(&all);
        assert_eq!(super::groups(&many), groups);
        assert_eq!(table(&all).rows.len(), 4);
        assert!(table(&all).rows.iter().all(|row| row.len() == 15));
    }

    /// Broken by: arms that are ends, an arm on the wrong side, no line at 0, or two tests of one name on one row.
    #[test]
    fn intervals_are_arms_and_zero_has_a_line() {
        let group = Group {
            unit: "accuracy".into(),
            evidence: vec![
                evidence("same", "accuracy", Some(0.5)),
                evidence("same", "accuracy", Some(-0.5)),
            ],
        };
        let json: serde_json::Value =
            serde_json::from_str(&plot(&group, Theme::Light).to_json()).unwrap();
        let trace = &json["data"][1];
        let arm = |which: &str| trace["error_x"][which][0].as_f64().unwrap();
        assert!((arm("array") - 0.3).abs() < 1e-9 && (arm("arrayminus") - 0.1).abs() < 1e-9);
        assert_ne!(json["data"][0]["y"], json["data"][1]["y"]);
        assert_eq!(json["layout"]["shapes"][0]["x0"], 0.0);
    }

    /// Broken by: a row of words wider than its margin, or a word that is lost.
    #[test]
    fn long_names_are_wrapped() {
        assert_eq!(wrapped("one two three", 7), "one two<br>three");
        assert_eq!(wrapped("extraordinarily", 7), "extraordinarily");
    }
}
