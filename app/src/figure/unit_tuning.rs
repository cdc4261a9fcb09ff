//! Which classes does a unit respond to? Its mean response to each class, clean and perturbed.

use plotly::common::{ErrorData, ErrorType, HoverInfo, Marker, Pattern, PatternShape};
use plotly::layout::AxisType;
use plotly::{Bar, Plot};
use protocol::dimensionality::Perturbation;
use protocol::unit::{UnitDetail, UnitTuning};

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// Classes that are shown unless all are asked for.
pub const TOP: usize = 20;

/// The 97.5 % quantile of the normal distribution: half the width of an interval, in standard errors.
const Z: f64 = 1.96;

/// What of a unit's tuning is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// What clean responses are set against; nothing when absent.
    pub perturbation: Option<Perturbation>,
    /// Classes as they are listed, not by their clean response.
    pub listed: bool,
    /// Every class, not the [`TOP`].
    pub all: bool,
}

/// What clean responses are set against where nothing is chosen: the first attack, else what was measured last.
pub fn default_perturbation(detail: &UnitDetail) -> Option<Perturbation> {
    let perturbed = || {
        let all = detail.tuning.iter().map(|tuning| tuning.perturbation);
        all.filter(|one| *one != Perturbation::Clean)
    };
    perturbed()
        .find(|one| matches!(one, Perturbation::Attack(_)))
        .or_else(|| perturbed().next_back())
}

fn find(detail: &UnitDetail, perturbation: Perturbation) -> Option<&UnitTuning> {
    let mut all = detail.tuning.iter();
    all.find(|tuning| tuning.perturbation == perturbation)
}

/// Clean, then what it is set against.
fn series(detail: &UnitDetail, shown: Shown) -> Vec<&UnitTuning> {
    let other = shown
        .perturbation
        .filter(|chosen| *chosen != Perturbation::Clean);
    [Some(Perturbation::Clean), other]
        .into_iter()
        .flatten()
        .filter_map(|perturbation| find(detail, perturbation))
        .collect()
}

/// The classes that are shown, in order, as indices. The first are those of the largest clean response, even
/// where they are shown as they are listed.
fn classes(detail: &UnitDetail, shown: Shown) -> Vec<usize> {
    let Some(clean) = find(detail, Perturbation::Clean) else {
        return Vec::new();
    };
    let mut order: Vec<usize> = (0..detail.classes.len().min(clean.mean.len())).collect();
    order.sort_by(|&a, &b| clean.mean[b].total_cmp(&clean.mean[a]));
    if !shown.all {
        order.truncate(TOP);
    }
    if shown.listed {
        order.sort_unstable();
    }
    order
}

/// One bar: its class, n, mean and the half of its interval.
struct Point<'a> {
    class: &'a str,
    images: u32,
    mean: f64,
    standard_error: f64,
}

fn points<'a>(
    detail: &'a UnitDetail,
    tuning: &'a UnitTuning,
    classes: &'a [usize],
) -> impl Iterator<Item = Point<'a>> {
    classes.iter().filter_map(|&class| {
        let images = *tuning.images.get(class)?;
        // A class without images has no mean.
        (images > 0).then_some(Point {
            class: detail.classes.get(class)?,
            images,
            mean: f64::from(*tuning.mean.get(class)?),
            standard_error: f64::from(*tuning.standard_error.get(class)?),
        })
    })
}

/// The bars as a table.
pub fn table(detail: Option<&UnitDetail>, shown: Shown) -> Table {
    let mut table = Table::new(&[
        "class",
        "images are",
        "mean response",
        "standard error",
        "95 % from",
        "95 % to",
        "images (n)",
    ]);
    let Some(detail) = detail else {
        return table;
    };
    let all = Shown { all: true, ..shown };
    let classes = classes(detail, all);
    for tuning in series(detail, shown) {
        for point in points(detail, tuning, &classes) {
            let half = Z * point.standard_error;
            table.rows.push(vec![
                Cell::Text(point.class.to_owned()),
                Cell::Text(tuning.perturbation.label()),
                Cell::Number(point.mean),
                Cell::Number(point.standard_error),
                Cell::Number(point.mean - half),
                Cell::Number(point.mean + half),
                Cell::Whole(point.images.into()),
            ]);
        }
    }
    table
}

/// What is shown, over how many images, and how intervals are made.
pub fn subtitle(detail: Option<&UnitDetail>, shown: Shown) -> String {
    let Some(detail) = detail else {
        return String::new();
    };
    let against = series(detail, shown)
        .get(1)
        .map_or_else(String::new, |tuning| {
            format!(", clean and under {}", tuning.perturbation.label())
        });
    let n = find(detail, Perturbation::Clean).map_or_else(String::new, |clean| {
        let least = clean.images.iter().min().copied().unwrap_or(0);
        let most = clean.images.iter().max().copied().unwrap_or(0);
        if least == most {
            format!("; n = {most} images a class")
        } else {
            format!("; n = {least} to {most} images a class")
        }
    });
    let all = detail.classes.len();
    let left_out = if shown.all || all <= TOP {
        String::new()
    } else {
        format!(
            " The {TOP} of {} with the largest clean response.",
            format::plural(all as u64, "class", "classes")
        )
    };
    let conditions = detail.conditions.map_or_else(String::new, |conditions| {
        format!("; {}", conditions.label())
    });
    format!(
        "Mean response (after ReLU, averaged over space) to the test images of a class{against}{n}{conditions}.{left_out} Bars: 95 % intervals, mean ± 1.96 standard errors over images."
    )
}

/// What plotly draws.
pub fn plot(detail: Option<&UnitDetail>, shown: Shown, theme: Theme) -> Plot {
    let ink = ink(theme);
    // As words, or plotly takes classes called by numbers for numbers.
    let x_axis = axis(theme, "Class")
        .type_(AxisType::Category)
        .tick_angle(-35.0)
        .show_grid(false);
    let mut plot = look::plot(theme, x_axis, axis(theme, "Mean response"));
    let Some(detail) = detail else {
        return plot;
    };
    let classes = classes(detail, shown);
    for (index, tuning) in series(detail, shown).into_iter().enumerate() {
        let points: Vec<Point> = points(detail, tuning, &classes).collect();
        let hover = points
            .iter()
            .map(|point| {
                format!(
                    "{}, {}<br>{} ± {} (95 %)<br>n = {}",
                    point.class,
                    tuning.perturbation.label(),
                    format::significant(point.mean),
                    format::significant(Z * point.standard_error),
                    format::plural(point.images.into(), "image", "images")
                )
            })
            .collect();
        // The second of two series is told by its hatching too.
        let (hue, shape) = if index == 0 {
            (ink.first, PatternShape::None)
        } else {
            (ink.second, PatternShape::RightDiagonalLine)
        };
        let arms = ErrorData::new(ErrorType::Data)
            .array(
                points
                    .iter()
                    .map(|point| Z * point.standard_error)
                    .collect(),
            )
            .color(ink.text)
            .thickness(1.0)
            .width(2);
        let bars = Bar::new(
            points.iter().map(|point| point.class.to_owned()).collect(),
            points.iter().map(|point| point.mean).collect(),
        )
        .name(tuning.perturbation.label())
        .show_legend(true)
        .hover_text_array(hover)
        .hover_info(HoverInfo::Text)
        .marker(
            Marker::new()
                .color(hue)
                .pattern(Pattern::new().shape(shape)),
        )
        .error_y(arms);
        plot.add_trace(bars);
    }
    plot
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use protocol::attack::Attack;
    use protocol::unit::UnitSummary;

    /// A unit of three classes, measured clean and under an attack.
    pub(crate) fn detail() -> UnitDetail {
        let tuning = |perturbation, mean: [f32; 3], selectivity| UnitTuning {
            perturbation,
            images: vec![10, 10, 10],
            mean: mean.to_vec(),
            standard_error: vec![0.1, 0.1, 0.1],
            selectivity,
        };
        let fog = |severity| Perturbation::Corruption {
            corruption: protocol::Corruption::Fog,
            severity,
        };
        UnitDetail {
            layer: "stem".into(),
            units: 16,
            summary: UnitSummary {
                unit: 5,
                selectivity: 0.4,
                preferred_class: 2,
                dead: Some(false),
                mean_response: Some(0.5),
                gradient_norm: Some(1.5),
                gradient_cv: Some(0.5),
            },
            classes: ["cat", "dog", "owl"].map(str::to_owned).into(),
            conditions: None,
            tuning: vec![
                tuning(Perturbation::Clean, [0.5, 0.25, 1.0], 0.4),
                tuning(fog(1), [0.5, 0.25, 0.75], 0.25),
                tuning(fog(2), [0.5, 0.25, 0.5], 0.125),
                tuning(
                    Perturbation::Attack(Attack::pgd(8.0, 0.5, 40)),
                    [1.0, 0.5, 0.25],
                    0.5,
                ),
            ],
            unmatched: None,
            most_activating: Vec::new(),
            least_activating: Vec::new(),
            gradient_url: None,
            gradient_scale: None,
            gradient_images: Some(3),
            gradient_norms: vec![1.0, 1.5, 2.0],
            selectivity_by_epoch: vec![0.1, 0.25, 0.5],
            best_epoch: Some(2),
        }
    }

    /// Broken by: classes in an order of their own under each perturbation, the largest left out because the
    /// list is cut before it is sorted, or a default that is clean against clean.
    #[test]
    fn classes_follow_the_clean_response() {
        let detail = detail();
        let perturbation = default_perturbation(&detail);
        assert!(matches!(perturbation, Some(Perturbation::Attack(_))));
        let mut shown = Shown {
            perturbation,
            listed: false,
            all: false,
        };
        assert_eq!(classes(&detail, shown), [2, 0, 1]);
        let json: serde_json::Value =
            serde_json::from_str(&plot(Some(&detail), shown, Theme::Light).to_json()).unwrap();
        assert_eq!(json["data"].as_array().unwrap().len(), 2);
        assert_eq!(
            json["data"][1]["x"],
            serde_json::json!(["owl", "cat", "dog"])
        );
        assert_eq!(json["data"][1]["y"], serde_json::json!([0.25, 1.0, 0.5]));
        shown.listed = true;
        assert_eq!(classes(&detail, shown), [0, 1, 2]);
        shown.perturbation = Some(Perturbation::Clean);
        assert_eq!(series(&detail, shown).len(), 1);
    }

    /// Broken by: 200 classes drawn on one axis, or a table that leaves out what the figure does.
    #[test]
    fn of_many_classes_the_first_are_drawn_and_all_are_listed() {
        let mut detail = detail();
        detail.classes = (0..30).map(|class| class.to_string()).collect();
        for tuning in &mut detail.tuning {
            tuning.mean = (0..30_u8).map(f32::from).collect();
            tuning.images = vec![4; 30];
            tuning.standard_error = vec![0.5; 30];
        }
        let shown = Shown {
            perturbation: None,
            listed: true,
            all: false,
        };
        let drawn = classes(&detail, shown);
        assert_eq!((drawn.len(), drawn[0], drawn[19]), (TOP, 10, 29));
        assert_eq!(table(Some(&detail), shown).rows.len(), 30);
        let text = subtitle(Some(&detail), shown);
        assert!(text.contains("The 20 of 30 classes"), "{text}");
        assert!(text.contains("n = 4 images a class"), "{text}");
        assert_eq!(table(None, shown).rows.len(), 0);
    }
}
