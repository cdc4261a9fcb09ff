//! How does a network's accuracy fall with an attack's budget? Over epsilon, or over steps.

use protocol::attack::{AttackMeasurement, Norm};

use super::words;
use crate::chart::{Axis, Chart, Ink, Kind, Point, Series, Table};
use crate::format;

/// The budget of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Its radius, in 255ths.
    Epsilon,
    /// Its steps.
    Steps,
}

impl Budget {
    /// The title of its axis.
    pub fn title(self) -> &'static str {
        match self {
            Budget::Epsilon => "ε (255ths; 0: clean)",
            Budget::Steps => "Steps (0: clean)",
        }
    }
}

/// A point of the curve: clean, or under an attack.
struct Row {
    name: String,
    spent: f64,
    accuracy: f64,
    /// Wilson's, over images.
    interval: Option<[f64; 2]>,
    share: Option<f64>,
    images: u32,
    hover: String,
}

/// Accuracy before any attack, then under each.
fn rows(measured: &[AttackMeasurement], budget: Budget) -> Vec<Row> {
    let row = |name, spent, accuracy, one: &AttackMeasurement, share, hover| Row {
        name,
        spent,
        accuracy,
        interval: format::wilson(accuracy, one.conditions.images.into()),
        share,
        images: one.conditions.images,
        hover,
    };
    // All of them attacked the same images.
    let clean = measured.first().map(|one| {
        let hover = format!("Clean<br>accuracy {}", format::percent(one.clean_accuracy));
        let share = (one.clean_accuracy > 0.0).then_some(1.0);
        let name = "none (clean)".to_owned();
        row(name, 0.0, one.clean_accuracy, one, share, hover)
    });
    let attacked = measured.iter().map(|one| {
        let (name, share) = (one.attack.label(), one.share_of_clean());
        let spent = match budget {
            Budget::Epsilon => one.attack.epsilon * 255.0,
            Budget::Steps => one.attack.steps_made().into(),
        };
        let hover = words::accuracy(
            &name,
            one.accuracy,
            one.clean_accuracy,
            share,
            one.conditions.images,
        );
        row(name, spent, one.accuracy, one, share, hover)
    });
    clean.into_iter().chain(attacked).collect()
}

/// What is shown, on how many images.
fn note(measured: &[AttackMeasurement], budget: Budget) -> String {
    let Some(first) = measured.first() else {
        return String::new();
    };
    let n = format::plural(first.conditions.images.into(), "image", "images");
    let bars = "Bars: 95 % intervals (Wilson, over images).";
    match budget {
        Budget::Epsilon => format!(
            "FGSM: one step along the gradient's sign that changes each value by at most ε; 0: the same images, clean. n = {n}. {bars}"
        ),
        Budget::Steps => {
            let radius = |radius: f64| Norm::Linf.radius(radius);
            let step = first
                .attack
                .step_size
                .map_or_else(String::new, |size| format!(", step {}", radius(size)));
            format!(
                "PGD from the clean image at ε {}{step}; 0 steps: the same images, clean. n = {n}. {bars}",
                radius(first.attack.epsilon)
            )
        }
    }
}

/// By how much accuracy may rise with the budget before it is called a rise: the slack of the masking checks.
const SLACK: f64 = 0.02;

/// Where a larger budget leaves more accuracy, which no stronger attack should; empty where it never does.
fn rise(rows: &[Row], budget: Budget) -> String {
    let mut lowest: Option<&Row> = None;
    for row in rows {
        match lowest {
            Some(low) if row.accuracy > low.accuracy + SLACK => {
                let spent = |row: &Row| match budget {
                    Budget::Epsilon => format!("ε {}/255", row.spent),
                    Budget::Steps => format!("{} steps", row.spent),
                };
                return format!(
                    " Accuracy rises by {} points from {} to {}: a larger budget should not help the network, so its gradients may be masked.",
                    format::signed((row.accuracy - low.accuracy) * 100.0, 1)
                        .trim_start_matches('+'),
                    spent(low),
                    spent(row)
                );
            }
            Some(low) if row.accuracy >= low.accuracy => {}
            _ => lowest = Some(row),
        }
    }
    String::new()
}

/// The curve, from clean images on.
pub fn chart(measured: &[AttackMeasurement], budget: Budget) -> Chart {
    let column = match budget {
        Budget::Epsilon => "epsilon (255ths)",
        Budget::Steps => "steps",
    };
    let rows = rows(measured, budget);
    let rise = rise(&rows, budget);
    let points = rows.iter().map(|row| {
        Point::new(row.spent, row.accuracy)
            .within(row.interval)
            .says(row.hover.clone())
    });
    let curve = Series::new(Kind::Curve, "accuracy", Ink::First, points.collect());
    let table = Table::of(&rows)
        .column("attack", |row| row.name.clone())
        .column(column, |row| row.spent)
        .column("accuracy (share)", |row| row.accuracy)
        .interval("95 %", |row| row.interval)
        .column("share of clean accuracy", |row| row.share)
        .column("images (n)", |row| row.images);
    Chart::new(Axis::numbers(budget.title()), Axis::percent("Accuracy (%)"))
        .with([curve.unlisted()])
        .note(note(measured, budget) + &rise)
        .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::table::tests::is_complete;
    use crate::chart::{Cell, plotly};
    use crate::data::attacks::tests::measured;
    use crate::ui::theme::Theme;
    use protocol::attack::Attack;

    /// Broken by: a curve that begins attacked and hides the fall from clean, epsilon on the scale of images
    /// beside ticks in 255ths, or arms that are swapped.
    #[test]
    fn the_curve_begins_clean_and_epsilon_is_in_255ths() {
        let some = [
            measured(Attack::fgsm(0.5), 0.6),
            measured(Attack::fgsm(2.0), 0.0),
        ];
        let json = plotly::figure(&chart(&some, Budget::Epsilon), Theme::Light);
        let numbers = |array: &serde_json::Value| -> Vec<f64> {
            let all = array.as_array().unwrap().iter();
            all.map(|one| (one.as_f64().unwrap() * 1e6).round() / 1e6)
                .collect()
        };
        let curve = &json["data"][0];
        assert_eq!(numbers(&curve["x"]), [0.0, 0.5, 2.0]);
        assert_eq!(numbers(&curve["y"]), [80.0, 60.0, 0.0]);
        // At 0 % the interval only reaches up.
        assert_eq!(numbers(&curve["error_y"]["arrayminus"])[2], 0.0);
        assert!(numbers(&curve["error_y"]["array"])[2] > 1.0);
        let table = chart(&some, Budget::Epsilon).table;
        assert_eq!(table.rows.len(), 3);
        assert!(is_complete(&table));
        assert_eq!(chart(&[], Budget::Epsilon).table.rows.len(), 0);
    }

    /// Broken by: a network that seems to gain from a stronger attack, without a word; or chance taken for it.
    #[test]
    fn a_rise_is_named() {
        let under = |epsilon, accuracy| measured(Attack::fgsm(epsilon), accuracy);
        let falling = [under(0.5, 0.6), under(1.0, 0.61), under(2.0, 0.2)];
        assert!(!chart(&falling, Budget::Epsilon).note.contains("rises"));
        let rising = [under(0.5, 0.3), under(1.0, 0.2), under(2.0, 0.45)];
        let note = chart(&rising, Budget::Epsilon).note;
        let words = "Accuracy rises by 25.0 points from ε 1/255 to ε 2/255";
        assert!(note.contains(words), "{note}");
    }

    /// Broken by: a curve over steps that does not say at which epsilon, or how many images it is on.
    #[test]
    fn the_caption_tells_budget_and_n() {
        let some = [measured(Attack::pgd(8.0, 0.5, 20), 0.1)];
        let text = note(&some, Budget::Steps);
        for part in ["ε 8/255, step 0.5/255", "n = 200 images", "Wilson"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let table = chart(&some, Budget::Steps).table;
        assert_eq!(table.rows[1][1], Cell::Number(20.0));
    }
}
