//! The axis, the column and the words of a quantity, guessed from its label: the API does not send its unit yet.

use protocol::measure::Measure;

use crate::chart::Axis;
use crate::format;

/// What the label of a share of clean accuracy ends with.
const SHARE: &str = ", share of clean";

/// The unit of values called `label`; none where they are shares, and per cent on their axis.
fn unit(label: &str) -> Option<&'static str> {
    let begins = |with: &str| label.starts_with(with);
    if label == Measure::Selectivity.label()
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

/// A quantity's column in a table.
pub fn column(label: &str) -> String {
    format!("{label} ({})", unit(label).unwrap_or("share"))
}

/// The vertical axis of a measure of layers: its title with its unit, on lines short enough for it.
pub fn layer_axis(label: &str) -> Axis {
    bounded(Axis::numbers(layer_title(label, true)), label)
}

/// With the values that `label` can have.
fn bounded(axis: Axis, label: &str) -> Axis {
    match unit(label) {
        // More may be right of corrupted images than of clean ones.
        None if label.ends_with(SHARE) => axis.bounds([0.0, f64::INFINITY]),
        None | Some("0 to 1") => axis.bounds([0.0, 1.0]),
        Some(_) => axis.bounds([0.0, f64::INFINITY]),
    }
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

/// A quantity's axis; its title is on more lines where `upright`, since the words are longer than the axis.
pub fn axis(label: &str, upright: bool) -> Axis {
    if label == Measure::Selectivity.label() {
        return bounded(
            Axis::numbers(format!("{label}, clean test set (0 to 1)")),
            label,
        );
    }
    if unit(label).is_some() {
        return bounded(Axis::numbers(layer_title(label, upright)), label);
    }
    let mut title = label.replacen(SHARE, "<br>share of clean", 1);
    if upright {
        title = title
            .replacen(", ", "<br>", 1)
            .replacen(", step ", "<br>step ", 1);
    }
    bounded(Axis::percent(format!("{title} (%)")), label)
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
pub fn words(label: &str, value: f64) -> String {
    let name = label.split(", ").next().unwrap_or(label);
    let of = if label.ends_with(SHARE) {
        " of clean"
    } else {
        ""
    };
    format!("{name} {}{of}", written(label, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::attack::Attack;
    use protocol::layer_measure::{LayerMeasure, LayerRange, Perturbations};

    /// Broken by: a title that runs off a short axis, or selectivity called per cent.
    #[test]
    fn titles_fit_their_axes() {
        let attack = Measure::Attack(Attack::pgd(8.0, 0.5, 40)).label() + SHARE;
        assert_eq!(
            axis(&attack, true),
            Axis::percent(
                "Adversarial accuracy<br>PGD L∞ ε 8/255<br>step 0.5/255, 40 steps<br>share of clean (%)"
            )
            .bounds([0.0, f64::INFINITY])
        );
        let selectivity = Measure::Selectivity.label();
        assert_eq!(axis(&selectivity, false).factor, 1.0);
    }

    /// Broken by: a fraction of dimensions or a variability called per cent, or one of their long names on one
    /// line beside a short axis.
    #[test]
    fn measures_of_layers_have_their_units() {
        let label = |measure| {
            Measure::Layers {
                range: LayerRange::Early,
                measure,
            }
            .label()
        };
        let clean = label(LayerMeasure::dimensionality(Perturbations::Clean));
        assert_eq!(
            axis(&clean, true),
            Axis::numbers(
                "Dimension fraction (0 to 1)<br>clean<br>(95 % of variance, unit responses)<br>mean of the first third of layers"
            )
            .bounds([0.0, 1.0])
        );
        assert_eq!(words(&clean, 0.25), "Dimension fraction 0.250");
        let cv = label(LayerMeasure::CvAcrossSamples);
        assert_eq!(column(&cv), format!("{cv} (no unit)"));
        assert_eq!(words(&cv, 1.5), "Gradient variability across samples 1.50");
    }
}
