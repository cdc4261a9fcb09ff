//! Which classes does a unit respond to? Its mean response to each class, clean and perturbed.

use protocol::dimensionality::Perturbation;
use protocol::unit::{UnitDetail, UnitTuning};

use super::words;
use crate::chart::{Axis, Chart, Ink, Kind, Point, Series, Table};
use crate::format;

/// Classes that are shown unless all are asked for.
pub const TOP: usize = 20;

/// The 97.5 % quantile of the normal distribution: half the width of an interval, in standard errors.
const Z: f64 = 1.96;

/// Which part of a unit's tuning is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The perturbation compared with clean; none when absent.
    pub perturbation: Option<Perturbation>,
    /// Classes as they are listed, not by their clean response.
    pub listed: bool,
    /// Every class, not the [`TOP`].
    pub all: bool,
}

/// The perturbation compared with clean by default: the first attack, else the one measured last.
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

/// Clean, then the perturbation compared with it.
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

/// The classes that are shown, in order, as indices: those of the largest clean response, even where they are shown in
/// the order of the list.
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

/// One bar: its perturbation, class, n, mean and standard error over images.
struct Bar<'a> {
    tuning: &'a UnitTuning,
    class: &'a str,
    images: u32,
    mean: f64,
    standard_error: f64,
}

impl Bar<'_> {
    /// The interval: mean ± 1.96 standard errors.
    fn interval(&self) -> [f64; 2] {
        let half = Z * self.standard_error;
        [self.mean - half, self.mean + half]
    }
}

fn bars<'a>(
    detail: &'a UnitDetail,
    tuning: &'a UnitTuning,
    classes: &'a [usize],
) -> impl Iterator<Item = Bar<'a>> {
    classes.iter().filter_map(move |&class| {
        let images = *tuning.images.get(class)?;
        // A class without images has no mean.
        (images > 0).then_some(Bar {
            tuning,
            class: detail.classes.get(class)?,
            images,
            mean: f64::from(*tuning.mean.get(class)?),
            standard_error: f64::from(*tuning.standard_error.get(class)?),
        })
    })
}

/// What is shown, over how many images, and how intervals are made.
fn note(detail: &UnitDetail, shown: Shown) -> String {
    let against = series(detail, shown)
        .get(1)
        .map_or_else(String::new, |tuning| {
            format!(", clean and under {}", tuning.perturbation.label())
        });
    let n = find(detail, Perturbation::Clean).map_or_else(String::new, |clean| {
        match words::least_and_most(clean.images.iter().copied()) {
            (least, most) if least == most => format!("; n = {most} images per class"),
            (least, most) => format!("; n = {least} to {most} images per class"),
        }
    });
    let all = detail.classes.len();
    let left_out = if shown.all || all <= TOP {
        String::new()
    } else {
        format!(
            " Shown: the {TOP} of {} with the largest clean response.",
            format::plural(all as u64, "class", "classes")
        )
    };
    format!("Mean response to the test images of each class{against}{n}.{left_out}")
}

/// What a response is, under which conditions, and how intervals are made.
fn how(detail: &UnitDetail) -> String {
    let conditions = detail.conditions.map_or_else(String::new, |conditions| {
        format!(" Perturbed images: {}.", conditions.label())
    });
    format!(
        "A response is the mean of a feature map after ReLU.{conditions} Bars: 95 % intervals, mean ± 1.96 standard errors over images."
    )
}

/// The chart; its table has every class.
pub fn chart(detail: Option<&UnitDetail>, shown: Shown) -> Chart {
    let drawn = detail.map_or_else(Vec::new, |detail| classes(detail, shown));
    let Some(detail) = detail else {
        return Chart::default();
    };
    let names = drawn.iter().filter_map(|&class| detail.classes.get(class));
    let x = Axis::places("Class", names.cloned().collect()).slanted();
    let series = series(detail, shown);
    let groups = series.iter().enumerate().map(|(index, tuning)| {
        let points = bars(detail, tuning, &drawn).map(|bar| {
            Point::new(&bar.class.to_owned(), bar.mean)
                .within(Some(bar.interval()))
                .says(format!(
                    "{}, {}<br>{} ± {} (95 %)<br>n = {}",
                    bar.class,
                    tuning.perturbation.label(),
                    format::significant(bar.mean),
                    format::significant(Z * bar.standard_error),
                    format::plural(bar.images.into(), "image", "images")
                ))
        });
        // The second of two series also differs by its hatching.
        let (ink, hatched) = match index {
            0 => (Ink::First, false),
            _ => (Ink::Second, true),
        };
        let kind = Kind::Bars { hatched };
        Series::new(kind, tuning.perturbation.label(), ink, points.collect())
    });
    let every = classes(detail, Shown { all: true, ..shown });
    let table = Table::of(
        series
            .iter()
            .flat_map(|tuning| bars(detail, tuning, &every)),
    )
    .column("class", |bar| bar.class)
    .column("images are", |bar| bar.tuning.perturbation.label())
    .column("mean response", |bar| bar.mean)
    .column("standard error", |bar| bar.standard_error)
    .interval("95 %", |bar| Some(bar.interval()))
    .column("images (n)", |bar| bar.images);
    Chart::new(x, Axis::numbers("Mean response"))
        .with(groups)
        .note(note(detail, shown))
        .how(how(detail))
        .table(table)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;
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
        let json = plotly::figure(&chart(Some(&detail), shown), Theme::Light);
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
        assert_eq!(chart(Some(&detail), shown).table.rows.len(), 30);
        let text = note(&detail, shown);
        assert!(text.contains("Shown: the 20 of 30 classes"), "{text}");
        assert!(text.contains("n = 4 images per class"), "{text}");
        assert_eq!(chart(None, shown).table.rows.len(), 0);
    }
}
