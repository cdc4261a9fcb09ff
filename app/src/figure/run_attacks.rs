//! How does a network's accuracy fall with what an attack may spend? Over epsilon, or over steps.

use plotly::common::{ErrorData, ErrorType, HoverInfo, Line, Marker, Mode};
use plotly::{Plot, Scatter};
use protocol::attack::{AttackMeasurement, Norm};

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// What an attack spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Its radius, in 255ths.
    Epsilon,
    /// Its steps.
    Steps,
}

impl Budget {
    fn label(self) -> &'static str {
        match self {
            Budget::Epsilon => "ε (255ths; 0: clean)",
            Budget::Steps => "Steps (0: clean)",
        }
    }

    /// What `measured` spends.
    fn of(self, measured: &AttackMeasurement) -> f64 {
        match self {
            Budget::Epsilon => measured.attack.epsilon * 255.0,
            Budget::Steps => measured.attack.steps.unwrap_or(1).into(),
        }
    }
}

/// Accuracy before any attack, then under each: what is spent, accuracy, and Wilson's interval, as shares.
fn points(measured: &[AttackMeasurement], budget: Budget) -> Vec<(f64, f64, Option<[f64; 2]>)> {
    // All of them attacked the same images.
    let clean = measured
        .first()
        .map(|one| (0.0, one.clean_accuracy, one.conditions.images));
    let attacked = measured
        .iter()
        .map(|one| (budget.of(one), one.accuracy, one.conditions.images));
    clean
        .into_iter()
        .chain(attacked)
        .map(|(spent, accuracy, n)| (spent, accuracy, format::wilson(accuracy, n.into())))
        .collect()
}

/// The curve as a table, from clean images on, with n and Wilson's interval.
pub fn table(measured: &[AttackMeasurement], budget: Budget) -> Table {
    let spent = match budget {
        Budget::Epsilon => "epsilon (255ths)",
        Budget::Steps => "steps",
    };
    let mut table = Table::new(&[
        "attack",
        spent,
        "accuracy (share)",
        "95 % from",
        "95 % to",
        "share of clean accuracy",
        "images (n)",
    ]);
    let names = ["none (clean)".to_owned()]
        .into_iter()
        .chain(measured.iter().map(|one| one.attack.label()));
    let shares = measured
        .first()
        .map(|one| (one.clean_accuracy > 0.0).then_some(1.0))
        .into_iter()
        .chain(measured.iter().map(AttackMeasurement::share_of_clean));
    let n = measured.first().map_or(0, |one| one.conditions.images);
    table.rows = points(measured, budget)
        .into_iter()
        .zip(names)
        .zip(shares)
        .map(|(((spent, accuracy, interval), name), share)| {
            let end = |end: usize| Cell::optional(interval.map(|interval| interval[end]));
            vec![
                Cell::Text(name),
                Cell::Number(spent),
                Cell::Number(accuracy),
                end(0),
                end(1),
                Cell::optional(share),
                Cell::Whole(n.into()),
            ]
        })
        .collect();
    table
}

/// What is shown, on how many images.
pub fn subtitle(measured: &[AttackMeasurement], budget: Budget) -> String {
    let Some(first) = measured.first() else {
        return String::new();
    };
    let n = format::plural(first.conditions.images.into(), "image", "images");
    let bars = "Bars: 95 % intervals (Wilson, over images)";
    match budget {
        Budget::Epsilon => format!(
            "FGSM, one step along the gradient's sign, each value changed by at most ε; at 0 the same images, clean. n = {n}. {bars}"
        ),
        Budget::Steps => {
            let radius = |radius: f64| Norm::Linf.radius(radius);
            let step = first
                .attack
                .step_size
                .map_or_else(String::new, |size| format!(", step {}", radius(size)));
            format!(
                "PGD from the clean image at ε {}{step}; at 0 steps the same images, clean. n = {n}. {bars}",
                radius(first.attack.epsilon)
            )
        }
    }
}

/// Accuracy with n and Wilson's interval, and what it is of clean accuracy.
fn hover(one: &AttackMeasurement) -> String {
    let n = one.conditions.images;
    let interval =
        format::wilson(one.accuracy, n.into()).map_or_else(String::new, |[low, high]| {
            format!(
                "<br>95 %: {} to {}",
                format::percent(low),
                format::percent(high)
            )
        });
    let share = one.share_of_clean().map_or_else(String::new, |share| {
        format!(
            "<br>{} of clean ({})",
            format::percent(share),
            format::percent(one.clean_accuracy)
        )
    });
    format!(
        "{}<br>accuracy {}{interval}{share}<br>n = {}",
        one.attack.label(),
        format::percent(one.accuracy),
        format::plural(n.into(), "image", "images")
    )
}

/// What plotly draws.
pub fn plot(measured: &[AttackMeasurement], budget: Budget, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, budget.label()),
        axis(theme, "Accuracy (%)"),
    );
    let points = points(measured, budget);
    let clean = measured
        .first()
        .map(|one| format!("Clean<br>accuracy {}", format::percent(one.clean_accuracy)));
    let words = clean
        .into_iter()
        .chain(measured.iter().map(hover))
        .collect();
    let arms = |arm: fn(f64, [f64; 2]) -> f64| -> Vec<f64> {
        let of = |&(_, accuracy, interval): &(f64, f64, Option<[f64; 2]>)| {
            interval.map_or(0.0, |interval| arm(accuracy, interval).max(0.0) * 100.0)
        };
        points.iter().map(of).collect()
    };
    let hue = ink(theme).first;
    let bars = ErrorData::new(ErrorType::Data)
        .symmetric(false)
        .array(arms(|accuracy, [_, high]| high - accuracy))
        .array_minus(arms(|accuracy, [low, _]| accuracy - low))
        .color(hue)
        .thickness(1.2)
        .width(4);
    let curve = Scatter::new(
        points.iter().map(|point| point.0).collect(),
        points.iter().map(|point| point.1 * 100.0).collect(),
    )
    .mode(Mode::LinesMarkers)
    .show_legend(false)
    .hover_text_array(words)
    .hover_info(HoverInfo::Text)
    .marker(Marker::new().size(7).color(hue))
    .line(Line::new().color(hue).width(1.8))
    .error_y(bars);
    plot.add_trace(curve);
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::tests::measured;
    use protocol::attack::Attack;

    /// Broken by: a curve that begins attacked and hides the fall from clean, epsilon on the scale of images
    /// beside ticks in 255ths, or arms that are swapped.
    #[test]
    fn the_curve_begins_clean_and_epsilon_is_in_255ths() {
        let some = [
            measured(Attack::fgsm(0.5), 0.6),
            measured(Attack::fgsm(2.0), 0.0),
        ];
        let plot = plot(&some, Budget::Epsilon, Theme::Light);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
        let numbers = |of: &serde_json::Value| -> Vec<f64> {
            let all = of.as_array().unwrap().iter();
            all.map(|one| (one.as_f64().unwrap() * 1e6).round() / 1e6)
                .collect()
        };
        let curve = &json["data"][0];
        assert_eq!(numbers(&curve["x"]), [0.0, 0.5, 2.0]);
        assert_eq!(numbers(&curve["y"]), [80.0, 60.0, 0.0]);
        // At 0 % the interval reaches up alone.
        assert_eq!(numbers(&curve["error_y"]["arrayminus"])[2], 0.0);
        assert!(numbers(&curve["error_y"]["array"])[2] > 1.0);
        let table = table(&some, Budget::Epsilon);
        assert_eq!(table.rows.len(), 3);
        assert!(
            table
                .rows
                .iter()
                .all(|row| row.len() == table.columns.len())
        );
        assert_eq!(super::table(&[], Budget::Epsilon).rows.len(), 0);
    }

    /// Broken by: a curve over steps that does not say at which epsilon, or how many images it is on.
    #[test]
    fn the_caption_tells_budget_and_n() {
        let some = [measured(Attack::pgd(8.0, 0.5, 20), 0.1)];
        let text = subtitle(&some, Budget::Steps);
        for part in ["ε 8/255, step 0.5/255", "n = 200 images", "Wilson"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let table = table(&some, Budget::Steps);
        assert_eq!(table.rows[1][1], Cell::Number(20.0));
    }
}
