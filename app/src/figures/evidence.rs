//! The tests behind a verdict as a forest plot: estimates with intervals, and where no effect is.

use protocol::finding::Evidence;
use protocol::measure::Scale;

use super::words;
use crate::chart::{Axis, Chart, Ink, Kind, Point, Series, Shape, Table};
use crate::format;
use crate::grouping::grouped;

/// The most rows that a plot shows; more would be too close to read, and are in the table.
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
    let crowded = evidence.iter().filter(|one| !one.decides).count() > SHOWN;
    let drawn = |one: &&Evidence| one.estimate.is_some() && (one.decides || !crowded);
    let of_unit = |one: &Evidence| (one.unit.clone(), one.clone());
    let groups = grouped(evidence.iter().filter(drawn).map(of_unit)).into_iter();
    groups
        .map(|(unit, evidence)| Group { unit, evidence })
        .collect()
}

/// The scale of accuracies, after a test's name.
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
    Table::of(evidence)
        .column("test", |one| one.what.clone())
        .column("scale", |one| one.scale.map(Scale::id))
        .column("unit", |one| one.unit.clone())
        .column("estimate", |one| one.estimate)
        .interval("t 95 %", |one| one.interval)
        .interval("BCa 95 %", |one| one.bootstrap_interval)
        .column("p", |one| one.p)
        .column("p (Holm)", |one| one.p_holm)
        .column("effect (mean / SD over seeds)", |one| one.effect)
        .column("seeds (n)", |one| one.n)
        .column("runs", |one| one.runs)
        .column("on the claimed side", |one| one.agrees)
        .column("decides", |one| one.decides)
        .into()
}

/// What is drawn, and how many.
fn note(group: &Group) -> String {
    let n = group.evidence.iter().map(|one| one.n);
    let mut text = format!(
        "Unit: {}. Means over seeds with 95 % intervals (Student's t), n = {}; filled marks decide a verdict; dashed line: 0.",
        group.unit,
        words::counted(n, "seed", "seeds")
    );
    if group.evidence.len() > SHOWN {
        text += &format!(
            " The first {SHOWN} of {} are drawn; the table has all of them.",
            format::count(group.evidence.len() as u64)
        );
    }
    text
}

/// The chart: one row per test, and a line at no effect.
pub fn chart(group: &Group) -> Chart {
    let rows = || group.evidence.iter().take(SHOWN);
    let tests = (0_u32..).zip(rows()).filter_map(|(row, one)| {
        let estimate = one.estimate?;
        let interval = match one.interval {
            None => "no interval".to_owned(),
            ends => words::interval("", ends, format::significant),
        };
        let hover = format!(
            "{}<br>{} ({interval})<br>n = {}",
            name(one),
            format::significant(estimate),
            format::plural(one.n.into(), "seed", "seeds")
        );
        let point = Point {
            x_interval: one.interval,
            ..Point::new(estimate, row).says(hover)
        };
        let (open, opacity, width) = match one.decides {
            true => (false, 1.0, 2.5),
            false => (true, 0.7, 1.2),
        };
        Some(Series {
            shape: Shape::Diamond,
            size: 10.0,
            listed: false,
            open,
            opacity,
            width,
            ..Series::new(Kind::Points, name(one), Ink::First, vec![point])
        })
    });
    Chart {
        verticals: vec![0.0],
        ..Chart::new(
            Axis::numbers(&group.unit),
            Axis::rows(rows().map(name).collect()),
        )
    }
    .with(tests)
    .note(note(group))
    .table(table(&group.evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;

    /// A test that decides.
    fn evidence(what: &str, unit: &str, estimate: Option<f64>) -> Evidence {
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
        // As many as corruptions and severities: they must not crowd out the two that decide.
        let mut extended = vec![evidence("extra", "accuracy", Some(0.1)); SHOWN + 1];
        extended.iter_mut().for_each(|one| one.decides = false);
        extended.extend_from_slice(&all);
        assert_eq!(super::groups(&extended), groups);
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
        let json = plotly::figure(&chart(&group), Theme::Light);
        let trace = &json["data"][1];
        let arm = |which: &str| trace["error_x"][which][0].as_f64().unwrap();
        assert!((arm("array") - 0.3).abs() < 1e-9 && (arm("arrayminus") - 0.1).abs() < 1e-9);
        assert_ne!(json["data"][0]["y"], json["data"][1]["y"]);
        assert_eq!(json["layout"]["shapes"][0]["x0"], 0.0);
    }
}
