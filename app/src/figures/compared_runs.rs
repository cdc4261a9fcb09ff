//! Runs one by one: their curves laid over each other, and where two of them differ under corruptions.

use std::str::FromStr;

use protocol::attack::{AttackConditions, AttackMeasurement};
use protocol::corruption_evaluation::CorruptionMeasurement;
use protocol::measure::Scale;
use protocol::training_curve::CurveQuantity;
use protocol::{EpochMetrics, Measurement, Network, numeral};
use serde::{Deserialize, Serialize};

use super::run_attacks::Budget;
use super::{training_curves, words};
use crate::chart::{
    Axis, CellRow, CellScale, Chart, Dash, Ink, Kind, MapCell, Point, Series, Table,
};
use crate::data::attacks::Attacked;
use crate::data::conditions;
use crate::data::corruptions::{self, axis_label, find, mean_at, severities};
use crate::format;

/// The most runs that are drawn one by one: more could not be told apart.
pub const MOST_RUNS: usize = 6;

/// A colour for each run, in light and in dark: runs of one alpha are told apart too.
const COLOURS: [[&str; 2]; MOST_RUNS] = [
    ["#0b62a4", "#6db6ea"],
    ["#a84a00", "#f0a35c"],
    ["#00775a", "#4cc9a0"],
    ["#96458b", "#e29bcb"],
    ["#6b6100", "#cfc14a"],
    ["#4a5056", "#b9c0c6"],
];

/// A run with its epochs, and what was measured under corruptions and attacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedRun {
    /// Its number.
    pub id: i64,
    /// Its experiment.
    pub experiment: i64,
    /// Its network, which names its layers.
    pub network: Network,
    /// Regulariser strength.
    pub alpha: f64,
    /// Replicate.
    pub seed: u64,
    /// Its epochs, in order.
    pub epochs: Vec<EpochMetrics>,
    /// Measurements under corruptions and attacks.
    pub measurements: Vec<Measurement>,
}

impl ComparedRun {
    /// What sets it apart: `run 7 (α −1, seed 0)`.
    pub fn label(&self) -> String {
        let alpha = numeral::alpha(self.alpha);
        format!("run {} (α {alpha}, seed {})", self.id, self.seed)
    }

    /// Whether its measurement is drawn here.
    pub fn is_drawn(measurement: &Measurement) -> bool {
        measurement.corruption().is_some() || measurement.attack().is_some()
    }
}

/// What is drawn over the epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// A quantity of the whole network.
    Network(CurveQuantity),
    /// Selectivity of a layer, counted from 0.
    Layer(usize),
}

impl Curve {
    /// The name in addresses: that of the quantity, or `layer:3`.
    pub fn id(self) -> String {
        match self {
            Curve::Network(quantity) => quantity.id().to_owned(),
            Curve::Layer(layer) => format!("layer:{layer}"),
        }
    }

    /// What a person calls it, with its unit.
    pub fn label(self, network: Network) -> String {
        match self {
            Curve::Network(quantity) => training_curves::label(quantity).to_owned(),
            Curve::Layer(layer) => {
                let layers = network.layers();
                let name = layers.get(layer).map_or("?", |layer| &layer.name);
                format!("Selectivity of {name} (0 to 1)")
            }
        }
    }

    /// Every curve that all of `runs` have: layers only of one architecture.
    pub fn all(runs: &[ComparedRun]) -> Vec<Curve> {
        let network = runs.first().map(|run| run.network);
        let same = network.filter(|network| runs.iter().all(|run| run.network == *network));
        let layers = same.map_or(0, |network| network.layers().len());
        let quantities = CurveQuantity::ALL.into_iter().map(Curve::Network);
        quantities.chain((0..layers).map(Curve::Layer)).collect()
    }

    fn value(self, epoch: &EpochMetrics) -> Option<f64> {
        match self {
            Curve::Network(quantity) => Some(quantity.of(epoch)),
            Curve::Layer(layer) => epoch.layer_selectivity.get(layer).copied(),
        }
    }
}

impl FromStr for Curve {
    type Err = String;

    fn from_str(text: &str) -> Result<Curve, String> {
        match text.strip_prefix("layer:") {
            Some(layer) => layer
                .parse()
                .map(Curve::Layer)
                .map_err(|_| format!("`{text}` is not a layer")),
            None => text.parse().map(Curve::Network),
        }
    }
}

/// A run's line: its own colour and dash; `baseline` is drawn stronger.
fn line(place: usize, run: &ComparedRun, baseline: i64, kind: Kind, points: Vec<Point>) -> Series {
    let points = points.into_iter().map(|point| point.of_run(run.id));
    let ink = Ink::Own(COLOURS[place % COLOURS.len()]);
    Series {
        dash: Dash::ALL[place % Dash::ALL.len()],
        width: if run.id == baseline { 3.2 } else { 1.8 },
        size: 6.0,
        ..Series::new(kind, run.label(), ink, points.collect())
    }
}

/// A row of a table: a run, a place along the horizontal axis, and the value there.
type Row<'a, X> = (&'a ComparedRun, X, f64);

/// A line for every run that has `values`, each drawn as a `point`, and all values as rows of a table. The values are asked for with the
/// run and its place among `runs`.
fn lines<X: Copy>(
    runs: &[ComparedRun],
    baseline: i64,
    kind: Kind,
    values: impl Fn(&ComparedRun, usize) -> Option<Vec<(X, f64)>>,
    point: impl Fn(&ComparedRun, X, f64) -> Point,
) -> (Vec<Series>, Vec<Row<'_, X>>) {
    let (mut series, mut rows) = (Vec::new(), Vec::new());
    for (place, run) in runs.iter().enumerate() {
        let Some(values) = values(run, place) else {
            continue;
        };
        let points = values.iter().map(|&(x, value)| point(run, x, value));
        series.push(line(place, run, baseline, kind, points.collect()));
        rows.extend(values.into_iter().map(|(x, value)| (run, x, value)));
    }
    (series, rows)
}

/// How many runs are drawn, in words.
fn n(runs: &[ComparedRun]) -> String {
    format!(
        "one line per run, n = {}",
        format::plural(runs.len() as u64, "run", "runs")
    )
}

/// A curve over the epochs of every run.
pub fn curves(runs: &[ComparedRun], curve: Curve, baseline: i64) -> Chart {
    let (axis, column) = match curve {
        Curve::Network(quantity) => training_curves::axis(quantity),
        Curve::Layer(_) => {
            let label = runs
                .first()
                .map_or_else(String::new, |run| curve.label(run.network));
            (Axis::numbers(label.clone()), label)
        }
    };
    let values = |run: &ComparedRun, _| -> Option<Vec<(u32, f64)>> {
        let epochs = run.epochs.iter();
        let values = epochs.filter_map(|epoch| Some((epoch.epoch, curve.value(epoch)?)));
        Some(values.collect())
    };
    let point = |_: &ComparedRun, epoch, value| Point::new(epoch, value);
    let (series, rows) = lines(runs, baseline, Kind::Line, values, point);
    let table = Table::of(rows)
        .column("run", |(run, ..)| run.id.unsigned_abs())
        .column("epoch", |(_, epoch, _)| *epoch)
        .column(column, |(.., value)| *value);
    let last = runs.iter().map(|run| run.epochs.len()).max();
    Chart::new(Axis::epochs(last.unwrap_or(0)), axis)
        .note(format!("{}.", format::capitalised(&n(runs))))
        .table(table)
        .with(series)
}

/// What each run was measured on under corruptions, under the conditions that most measurements have.
fn corrupted(runs: &[ComparedRun]) -> Vec<Vec<CorruptionMeasurement>> {
    let all = runs.iter().flat_map(|run| &run.measurements);
    let Some(&conditions) = conditions::known(all).first() else {
        return Vec::new();
    };
    let under = |run: &ComparedRun| corruptions::under(&run.measurements, conditions);
    runs.iter().map(under).collect()
}

/// The mean over corruptions by severity of every run: over those corruptions that all runs were tested on.
pub fn by_severity(runs: &[ComparedRun], baseline: i64) -> Chart {
    let measured = corrupted(runs);
    let tested: Vec<&Vec<CorruptionMeasurement>> = measured
        .iter()
        .filter(|results| !results.is_empty())
        .collect();
    let mut shared = tested
        .first()
        .map_or_else(Vec::new, |results| corruptions::corruptions(results));
    shared.retain(|&corruption| {
        let has = |results: &&Vec<CorruptionMeasurement>| {
            results.iter().any(|one| one.corruption == corruption)
        };
        tested.iter().all(has)
    });
    let values = |_: &ComparedRun, place: usize| {
        let results = measured.get(place)?;
        let clean = (0_u8, results.first()?.clean_accuracy);
        let severe = severities(results).into_iter();
        let severe = severe.filter_map(|severity| {
            Some((severity, mean_at(results, &shared, severity, Scale::Raw)?))
        });
        Some(std::iter::once(clean).chain(severe).collect())
    };
    let point = |run: &ComparedRun, severity, value| {
        let label = run.label();
        let hover = format!(
            "{label}<br>severity {severity}<br>{}",
            format::percent(value)
        );
        Point::new(severity, value).says(hover)
    };
    let (series, rows) = lines(runs, baseline, Kind::Curve, values, point);
    let images = tested.first().and_then(|results| results.first());
    let images = images.map_or(0, |one| one.conditions.images);
    let note = format!(
        "Mean of {} that all of these runs were tested on, {} each; {}.",
        format::plural(shared.len() as u64, "corruption", "corruptions"),
        format::plural(images.into(), "image", "images"),
        n(runs)
    );
    let table = Table::of(rows)
        .column("run", |(run, ..)| run.id.unsigned_abs())
        .column("severity (0: clean)", |(_, severity, _)| {
            u32::from(*severity)
        })
        .column("mean accuracy (share)", |(.., value)| *value);
    let x = Axis::numbers("Severity (0: clean)").step(1.0);
    Chart::new(x, Axis::percent(axis_label(Scale::Raw)))
        .note(note)
        .table(table)
        .with(series)
}

/// Accuracy over an attack's budget of every run, with Wilson's intervals over images.
pub fn by_budget(runs: &[ComparedRun], budget: Budget, baseline: i64) -> Chart {
    let all = runs.iter().flat_map(|run| &run.measurements);
    let Some(&conditions) = conditions::known::<AttackConditions>(all).first() else {
        return Chart::default();
    };
    let spent = |one: &AttackMeasurement| match budget {
        Budget::Epsilon => one.attack.epsilon * 255.0,
        Budget::Steps => one.attack.steps_made().into(),
    };
    let wilson = |accuracy: f64| format::wilson(accuracy, conditions.images.into());
    let values = |run: &ComparedRun, _| {
        let attacked = Attacked::under(&run.measurements, conditions);
        let results = match budget {
            Budget::Epsilon => attacked.fgsm,
            Budget::Steps => attacked.pgd,
        };
        let clean = (0.0, results.first()?.clean_accuracy);
        let values = results.iter().map(|one| (spent(one), one.accuracy));
        Some(std::iter::once(clean).chain(values).collect())
    };
    let point = |run: &ComparedRun, spent: f64, accuracy| {
        let interval = wilson(accuracy);
        let hover = format!(
            "{}<br>{}{}",
            run.label(),
            format::percent(accuracy),
            words::interval("<br>", interval, format::percent)
        );
        Point::new(spent, accuracy).within(interval).says(hover)
    };
    let (series, rows) = lines(runs, baseline, Kind::Curve, values, point);
    let title = budget.title();
    let attack = match budget {
        Budget::Epsilon => "FGSM",
        Budget::Steps => "PGD from the clean image",
    };
    let table = Table::of(rows)
        .column("run", |(run, ..)| run.id.unsigned_abs())
        .column(title, |(_, spent, _)| *spent)
        .column("accuracy (share)", |(.., accuracy)| *accuracy)
        .interval("95 %", move |(.., accuracy)| wilson(*accuracy));
    Chart::new(Axis::numbers(title), Axis::percent("Accuracy (%)"))
        .note(format!(
            "{attack} on {} each; {}. Bars: 95 % intervals (Wilson, over images).",
            format::plural(conditions.images.into(), "image", "images"),
            n(runs)
        ))
        .table(table)
        .with(series)
}

/// The difference of two shares of `images` images each, with its 95 % interval after Newcombe (1998, method 10), as if the
/// images were different ones: of the same images it is narrower as a rule.
fn newcombe(baseline: f64, other: f64, images: u32) -> (f64, Option<[f64; 2]>) {
    let difference = other - baseline;
    let ends = format::wilson(baseline, images.into()).zip(format::wilson(other, images.into()));
    let interval = ends.map(|([low, high], [other_low, other_high])| {
        let below = (other - other_low).hypot(high - baseline);
        let above = (other_high - other).hypot(baseline - low);
        [difference - below, difference + above]
    });
    (difference, interval)
}

/// Where `other` differs from `baseline`: accuracy under each corruption and severity, `other` less `baseline`, in points.
pub fn difference(baseline: &ComparedRun, other: &ComparedRun) -> Chart {
    let pair = [baseline.clone(), other.clone()];
    let Ok([before, after]) = <[_; 2]>::try_from(corrupted(&pair)) else {
        return Chart::default();
    };
    let points = |share: f64| format::signed(share * 100.0, 1);
    let severities = severities(&before);
    let mut rows = Vec::new();
    let mut map = Vec::new();
    for corruption in corruptions::corruptions(&before) {
        let cells = severities.iter().map(|&severity| {
            let (a, b) = (
                find(&before, corruption, severity)?,
                find(&after, corruption, severity)?,
            );
            let images = a.conditions.images;
            let (value, interval) = newcombe(a.accuracy, b.accuracy, images);
            rows.push((
                corruption, severity, a.accuracy, b.accuracy, value, interval, images,
            ));
            let hover = format!(
                "{}, severity {severity}<br>{}: {}<br>{}: {}<br>{} points{}<br>n = {}",
                corruption.label(),
                baseline.label(),
                format::percent(a.accuracy),
                other.label(),
                format::percent(b.accuracy),
                points(value),
                words::interval("<br>", interval, points),
                format::plural(images.into(), "image", "images")
            );
            Some(MapCell {
                value: value * 100.0,
                text: points(value),
                hover,
            })
        });
        map.push(CellRow {
            label: corruption.label().to_owned(),
            bold: false,
            cells: cells.collect(),
        });
    }
    let largest = rows
        .iter()
        .map(|row| row.4.abs() * 100.0)
        .fold(1.0, f64::max);
    let images = rows.first().map_or(0, |row| row.6);
    let note = format!(
        "Accuracy of {} minus that of {}, in points; the same {} for both, one run each.",
        other.label(),
        baseline.label(),
        format::plural(images.into(), "image", "images")
    );
    let how = "The 95 % intervals follow Newcombe (1998) and treat the two runs as if they had seen different images, which usually makes them wider than necessary. They are over images, not over seeds: two seeds of the same alpha differ too.";
    let table = Table::of(rows)
        .column("corruption", |row| row.0.label())
        .column("severity", |row| u32::from(row.1))
        .column(format!("{}, accuracy (share)", baseline.label()), |row| {
            row.2
        })
        .column(format!("{}, accuracy (share)", other.label()), |row| row.3)
        .column("difference (share)", |row| row.4)
        .interval("95 %", |row| row.5)
        .column("images (n)", |row| row.6);
    Chart::by_severity(&severities, map, CellScale::Signed(largest))
        .note(note)
        .how(how)
        .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::data::corruptions::tests::measured;
    use crate::figures::training_curves::tests::epoch;
    use crate::ui::theme::Theme;
    use protocol::Corruption;
    use protocol::attack::Attack;

    fn run(id: i64, accuracy: f64) -> ComparedRun {
        ComparedRun {
            id,
            experiment: 1,
            network: Network::ResNet8,
            alpha: -1.0,
            seed: id as u64,
            epochs: vec![epoch(1), epoch(2)],
            measurements: vec![
                Measurement::Corruption(measured(Corruption::Fog, 1, accuracy)),
                Measurement::Corruption(measured(Corruption::Fog, 2, accuracy / 2.0)),
                Measurement::Attack(crate::data::attacks::tests::measured(
                    Attack::fgsm(1.0),
                    accuracy / 4.0,
                )),
            ],
        }
    }

    /// Broken by: two runs of one alpha merged into one line or one colour, or a baseline that looks like the others.
    #[test]
    fn every_run_has_a_line_of_its_own() {
        let runs = [run(3, 0.8), run(4, 0.6)];
        let curve = Curve::Network(CurveQuantity::ValidationAccuracy);
        let budgets = by_budget(&runs, Budget::Epsilon, 4);
        for chart in [curves(&runs, curve, 4), by_severity(&runs, 4), budgets] {
            let [first, second] = &chart.series[..] else {
                panic!("{} lines", chart.series.len());
            };
            assert!(first.name.starts_with("run 3 ") && second.name.starts_with("run 4 "));
            assert_ne!(first.ink, second.ink);
            assert_ne!(first.dash, second.dash);
            assert!(second.width > first.width);
            assert!(first.points.iter().all(|point| point.run == Some(3)));
            assert!(chart.note.contains("n = 2 runs"), "{}", chart.note);
        }
    }

    /// Broken by: a layer of one network drawn for another architecture, or a name in the address that is not read back.
    #[test]
    fn curves_are_named_in_the_address() {
        let runs = [run(3, 0.8), run(4, 0.6)];
        let all = Curve::all(&runs);
        assert_eq!(all.len(), CurveQuantity::ALL.len() + 7);
        for curve in all {
            assert_eq!(curve.id().parse(), Ok(curve));
        }
        let other = ComparedRun {
            network: Network::ResNet20,
            ..run(5, 0.5)
        };
        assert_eq!(
            Curve::all(&[run(3, 0.8), other]).len(),
            CurveQuantity::ALL.len()
        );
        assert!("layer:x".parse::<Curve>().is_err());
    }

    /// Broken by: a difference with the wrong sign, or without its interval and n. Interval: Newcombe's, of 0.8 and 0.6 of 200.
    #[test]
    fn differences_are_of_the_other_less_the_baseline() {
        let chart = difference(&run(3, 0.8), &run(4, 0.6));
        let json = plotly::figure(&chart, Theme::Light);
        let value = json["data"][0]["z"][0][0].as_f64().unwrap();
        assert!((value + 20.0).abs() < 1e-9, "{value}");
        let (_, interval) = newcombe(0.8, 0.6, 200);
        let [low, high] = interval.unwrap();
        assert!(
            (low + 0.28508).abs() < 1e-4 && (high + 0.11067).abs() < 1e-4,
            "{low} {high}"
        );
        let cells = chart.cells.unwrap();
        let hover = &cells.rows[0].cells[0].as_ref().unwrap().hover;
        assert!(
            hover.contains("−20.0 points") && hover.contains("n = 200 images"),
            "{hover}"
        );
    }

    /// Broken by: the same run twice, which differs nowhere, drawn as a difference; or runs that share nothing.
    #[test]
    fn a_run_does_not_differ_from_itself() {
        let chart = difference(&run(3, 0.8), &run(3, 0.8));
        assert!(
            chart.cells.unwrap().rows[0]
                .cells
                .iter()
                .flatten()
                .all(|cell| cell.value == 0.0)
        );
        let without = ComparedRun {
            measurements: Vec::new(),
            ..run(5, 0.5)
        };
        assert!(difference(&run(3, 0.8), &without).table.rows.is_empty());
        assert!(
            by_budget(&[without], Budget::Steps, 5)
                .table
                .rows
                .is_empty()
        );
    }
}
