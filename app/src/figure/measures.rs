//! Two measures against each other: does selectivity, or average-case robustness, cost the other? A point a
//! run, and the mean of every alpha with intervals both ways.

use plotly::common::{ErrorData, ErrorType, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::{Plot, Scatter};
use protocol::measure::{Scatter as Answer, ScatterMean};
use protocol::quantity::Quantity;

use super::look::{self, alpha_marker, axis, error_arms};
use super::table::{Cell, Table};
use crate::alpha_scale::colour;
use crate::format;
use crate::theme::Theme;

/// What the label of a share of clean accuracy ends with.
const SHARE: &str = ", share of clean";

/// The unit of values called `label`; none where they are shares, and per cent on their axis.
fn unit(label: &str) -> Option<&'static str> {
    let begins = |with: &str| label.starts_with(with);
    if label == Quantity::Selectivity.label()
        || begins("Selectivity index")
        || begins("Dimension fraction")
    {
        Some("0 to 1")
    } else if begins("Gradient variability") {
        Some("no unit")
    } else if begins("Input-unit gradient norm") {
        Some("response per unit of pixel value")
    } else {
        None
    }
}

/// Whether values called `label` are per cent on their axis.
fn is_share(label: &str) -> bool {
    unit(label).is_none()
}

/// A measure's column in the table.
pub fn column(label: &str) -> String {
    format!("{label} ({})", unit(label).unwrap_or("share"))
}

/// The vertical axis of a measure of layers: its title with its unit, on lines short enough for it.
pub fn layer_axis(label: &str) -> String {
    layer_title(label, true)
}

/// The title of a measure of layers with its unit, on more lines, since the words are longer than an axis.
fn layer_title(label: &str, upright: bool) -> String {
    let (name, rest) = label.split_once(", ").unwrap_or((label, ""));
    let mut title = format!("{name} ({})", unit(label).unwrap_or("share"));
    if !rest.is_empty() {
        let rest = rest
            .replace(" (", "<br>(")
            .replace("), ", ")<br>")
            .replace("components for ", "");
        title += &format!("<br>{rest}");
    }
    if upright {
        title = title.replace(" of the difference", "<br>of the difference");
    }
    title
}

/// A measure's axis: its title, on more lines where `upright`, since the words are longer than the axis, and
/// what its values are multiplied by.
pub fn scaled(label: &str, upright: bool) -> (String, f64) {
    if label == Quantity::Selectivity.label() {
        return (format!("{label}, clean test set (0 to 1)"), 1.0);
    }
    if !is_share(label) {
        return (layer_title(label, upright), 1.0);
    }
    let mut title = label.replacen(SHARE, "<br>share of clean", 1);
    if upright {
        title = title
            .replacen(", ", "<br>", 1)
            .replacen(", step ", "<br>step ", 1);
    }
    (format!("{title} (%)"), 100.0)
}

/// A value of `label` as a person reads it.
pub fn written(label: &str, value: f64) -> String {
    match unit(label) {
        None => format::percent(value),
        Some("0 to 1") => format!("{value:.3}"),
        Some(_) => format::significant(value),
    }
}

/// A value in words, without the measure's budget.
fn words(label: &str, value: f64) -> String {
    let name = label.split(", ").next().unwrap_or(label);
    let of = if label.ends_with(SHARE) {
        " of clean"
    } else {
        ""
    };
    format!("{name} {}{of}", written(label, value))
}

/// The runs as a table, then the means of every alpha with their intervals.
pub fn table(answer: &Answer) -> Table {
    let (x, y) = (column(&answer.x), column(&answer.y));
    let mut table = Table::new(&[
        "run",
        "alpha",
        "seed",
        &x,
        &y,
        "runs (n)",
        "95 % from, horizontal",
        "95 % to, horizontal",
        "95 % from, vertical",
        "95 % to, vertical",
    ]);
    for point in &answer.points {
        let mut row = vec![
            Cell::Whole(point.run_id.unsigned_abs()),
            Cell::Alpha(point.alpha),
            Cell::Whole(point.seed),
            Cell::Number(point.x),
            Cell::Number(point.y),
            Cell::Whole(1),
        ];
        row.resize(table.columns.len(), Cell::Empty);
        table.rows.push(row);
    }
    for entry in &answer.alphas {
        let mut row = vec![
            Cell::Text("mean".to_owned()),
            Cell::Alpha(entry.alpha),
            Cell::Empty,
            Cell::Number(entry.x.mean),
            Cell::Number(entry.y.mean),
            Cell::Whole(entry.y.n.into()),
        ];
        for mean in [&entry.x, &entry.y] {
            row.extend(
                [0, 1].map(|end| Cell::optional(mean.interval.map(|interval| interval[end]))),
            );
        }
        table.rows.push(row);
    }
    table
}

/// What is shown, under which conditions, over how many, and what is left out.
pub fn subtitle(answer: &Answer) -> String {
    let mut text = format!(
        "A point a run, a diamond the mean of an alpha; n = {}",
        format::plural(answer.points.len() as u64, "run", "runs")
    );
    if let (Some(x), Some(y)) = (answer.x_images, answer.y_images) {
        let [x, y] = [x, y].map(|images| format::count(images.into()));
        text += &if x == y {
            format!(" on {x} images")
        } else {
            format!(", horizontal values on {x} images, vertical on {y}")
        };
    }
    // A mean over no corruptions: none is shown.
    if let Some(conditions) = answer.conditions.filter(|_| answer.averaged_over > 0) {
        text += &format!("; corruptions {}", conditions.label());
    }
    if answer.averaged_over > 1 {
        text += &format!(
            "; each the mean of {} sets of corruption and severity",
            answer.averaged_over
        );
    }
    if let Some(conditions) = &answer.attack_conditions
        && is_attack(&answer.y)
    {
        text += &format!("; attacks on {}", conditions.label());
    }
    // The whole sentence is below the figures.
    let method = answer.interval_method.split(':').next().unwrap_or_default();
    text += &format!(". Bars: {method}, where an alpha has 2 seeds or more.");
    text + &incomplete(answer.incomplete_runs)
}

/// That trained runs are left out, as a sentence after others; nothing where none is.
pub fn incomplete(runs: u32) -> String {
    match runs {
        0 => String::new(),
        1 => {
            " 1 trained run lacks a measurement that the others have, and is not shown.".to_owned()
        }
        more => format!(
            " {} trained runs lack a measurement that the others have, and are not shown.",
            format::count(more.into())
        ),
    }
}

/// Whether values called `label` are accuracies under an attack.
fn is_attack(label: &str) -> bool {
    label.starts_with("Adversarial")
}

/// What plotly draws.
pub fn plot(answer: &Answer, theme: Theme) -> Plot {
    let ((x_title, x_factor), (y_title, y_factor)) =
        (scaled(&answer.x, false), scaled(&answer.y, true));
    let mut plot = look::plot(theme, axis(theme, &x_title), axis(theme, &y_title));
    for entry in &answer.alphas {
        let alpha = entry.alpha;
        let runs: Vec<_> = answer
            .points
            .iter()
            .filter(|point| point.alpha == alpha)
            .collect();
        let hover = runs
            .iter()
            .map(|point| {
                format!(
                    "run {}, α {}, seed {}<br>{}<br>{}",
                    point.run_id,
                    format::alpha(alpha),
                    point.seed,
                    words(&answer.x, point.x),
                    words(&answer.y, point.y)
                )
            })
            .collect();
        let dots = Scatter::new(
            runs.iter().map(|point| point.x * x_factor).collect(),
            runs.iter().map(|point| point.y * y_factor).collect(),
        )
        .mode(Mode::Markers)
        .name(format!("α {}", format::alpha(alpha)))
        .legend_group(alpha.to_string())
        .hover_text_array(hover)
        .hover_info(HoverInfo::Text)
        .marker(alpha_marker(alpha, theme).opacity(0.75));
        plot.add_trace(dots);
        plot.add_trace(mean(answer, entry, theme));
    }
    plot
}

fn mean(answer: &Answer, entry: &ScatterMean, theme: Theme) -> Box<Scatter<f64, f64>> {
    let hue = colour(entry.alpha, theme);
    let (x_factor, y_factor) = (scaled(&answer.x, false).1, scaled(&answer.y, true).1);
    let (left, right) = error_arms(&entry.x);
    let (down, up) = error_arms(&entry.y);
    let bars = |minus: f64, plus: f64| {
        ErrorData::new(ErrorType::Data)
            .symmetric(false)
            .array(vec![plus])
            .array_minus(vec![minus])
            .color(hue.clone())
            .thickness(1.5)
            .width(4)
    };
    let line = |label: &str, mean: &protocol::api::Mean| {
        let value = words(label, mean.mean);
        match mean.interval {
            Some([low, high]) => format!(
                "{value}, 95 %: {} to {}",
                written(label, low),
                written(label, high)
            ),
            None => value,
        }
    };
    let hover = format!(
        "mean, α {}, n = {}<br>{}<br>{}",
        format::alpha(entry.alpha),
        entry.y.n,
        line(&answer.x, &entry.x),
        line(&answer.y, &entry.y)
    );
    Scatter::new(vec![entry.x.mean * x_factor], vec![entry.y.mean * y_factor])
        .mode(Mode::Markers)
        .name(format!("mean, α {}", format::alpha(entry.alpha)))
        .legend_group(entry.alpha.to_string())
        .show_legend(false)
        .hover_text(hover)
        .hover_info(HoverInfo::Text)
        .marker(
            Marker::new()
                .symbol(MarkerSymbol::DiamondOpen)
                .size(14)
                .color(hue.clone())
                .line(Line::new().width(2.0).color(hue.clone())),
        )
        .error_x(bars(left * x_factor, right * x_factor))
        .error_y(bars(down * y_factor, up * y_factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api::Mean;
    use protocol::attack::{Attack, AttackSpec};
    use protocol::evaluation::CorruptionSpec;
    use protocol::measure::ScatterPoint;
    use protocol::quantity::{LayerQuantity, LayerRange, Perturbations};

    fn answer() -> Answer {
        let mean = |mean, interval| Mean {
            mean,
            n: 2,
            interval,
        };
        let point = |run_id, seed, x, y| ScatterPoint {
            run_id,
            alpha: -1.0,
            seed,
            x,
            y,
        };
        let conditions = CorruptionSpec::everything(Some(200)).conditions(1000);
        Answer {
            attack_conditions: None,
            known_attack_conditions: vec![],
            known_attacks: vec![],
            x: "Network selectivity".into(),
            y: "Corruption accuracy".into(),
            x_axis: Quantity::Selectivity.axis(),
            y_axis: Quantity::CORRUPTIONS.axis(),
            conditions: Some(conditions),
            known_conditions: vec![conditions],
            points: vec![point(1, 0, 0.1, 0.4), point(2, 1, 0.3, 0.6)],
            alphas: vec![ScatterMean {
                alpha: -1.0,
                x: mean(0.2, Some([0.1, 0.3])),
                y: mean(0.5, Some([0.4, 0.6])),
            }],
            x_images: None,
            y_images: None,
            incomplete_runs: 1,
            averaged_over: 95,
            interval_method: "95 % percentile interval of the mean: 10,000 resamples".into(),
        }
    }

    /// Broken by: a title that runs off a short axis, or selectivity called per cent.
    #[test]
    fn titles_fit_their_axes() {
        let attack = Quantity::Attack(Attack::pgd(8.0, 0.5, 40)).label() + SHARE;
        assert_eq!(
            scaled(&attack, true),
            (
                "Adversarial accuracy<br>PGD L∞ ε 8/255<br>step 0.5/255, 40 steps<br>share of clean (%)"
                    .to_owned(),
                100.0
            )
        );
        let selectivity = Quantity::Selectivity.label();
        assert_eq!(scaled(&selectivity, false).1, 1.0);
    }

    /// Broken by: a fraction of dimensions or a variability called per cent, or one of their long names on one
    /// line beside a short axis.
    #[test]
    fn measures_of_layers_have_their_units() {
        let label = |measure| {
            Quantity::Layers {
                range: LayerRange::Early,
                quantity: measure,
            }
            .label()
        };
        let clean = label(LayerQuantity::dimensionality(Perturbations::Clean));
        assert_eq!(
            scaled(&clean, true),
            (
                "Dimension fraction (0 to 1)<br>clean<br>(95 % of variance, unit responses)<br>mean of the first third of layers".to_owned(),
                1.0
            )
        );
        assert_eq!(words(&clean, 0.25), "Dimension fraction 0.250");
        let cv = label(LayerQuantity::CvAcrossSamples);
        assert_eq!(column(&cv), format!("{cv} (no unit)"));
        assert_eq!(words(&cv, 1.5), "Gradient variability across samples 1.50");
    }

    /// Broken by: a caption that hides what was left out, how much a mean is over, or the conditions.
    #[test]
    fn the_caption_tells_n_conditions_and_what_is_missing() {
        let text = subtitle(&answer());
        for part in [
            "n = 2 runs",
            "generated with seed 0, 200 images",
            "mean of 95 sets",
            "1 trained run lacks",
            "Bars: 95 % percentile interval of the mean,",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let mut attacked = answer();
        attacked.averaged_over = 0;
        attacked.y = Quantity::Attack(Attack::fgsm(1.0)).label();
        attacked.x_images = Some(10_000);
        attacked.y_images = Some(100);
        assert!(subtitle(&attacked).contains("on 10,000 images, vertical on 100"));
        attacked.attack_conditions = Some(AttackSpec::source(Some(100)).conditions(1000));
        let text = subtitle(&attacked);
        assert!(
            text.contains("attacks on 100 images") && !text.contains("generated"),
            "{text}"
        );
    }

    /// Broken by: horizontal and vertical intervals that are swapped, or vertical ones left as shares beside
    /// per cent.
    #[test]
    fn intervals_are_in_the_units_of_their_axes() {
        let plot = plot(&answer(), Theme::Light);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
        let arm = |which: &str| json["data"][1][which]["array"][0].as_f64().unwrap();
        assert!((arm("error_x") - 0.1).abs() < 1e-9 && (arm("error_y") - 10.0).abs() < 1e-9);
        // Two accuracies: both in per cent.
        let mut both = answer();
        both.x = "Corruption accuracy, mean of severities, share of clean".into();
        let json: serde_json::Value =
            serde_json::from_str(&super::plot(&both, Theme::Light).to_json()).unwrap();
        let arm = json["data"][1]["error_x"]["array"][0].as_f64().unwrap();
        assert!((arm - 10.0).abs() < 1e-9);
        assert_eq!(words(&both.x, 0.5), "Corruption accuracy 50.0 % of clean");
        let table = table(&answer());
        assert_eq!(table.rows.len(), 3);
        assert!(
            table
                .rows
                .iter()
                .all(|row| row.len() == table.columns.len())
        );
        assert_eq!(table.rows[2][9], Cell::Number(0.6));
    }
}
