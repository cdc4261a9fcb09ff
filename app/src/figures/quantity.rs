//! How a quantity is shown: its axis in a chart, its column in a table, and its values in words.

use protocol::quantity::{Axis, Quantity, Unit};

use crate::{chart, format};

/// A quantity's column in a table.
pub fn column(axis: &Axis) -> String {
    format!("{} ({})", axis.label(), axis.unit.label())
}

/// The vertical axis of a quantity of layers: its title with its unit, on lines short enough for it.
pub fn layer_axis(axis: &Axis) -> chart::Axis {
    bounded(chart::Axis::numbers(layer_title(axis, true)), axis)
}

/// With the bounds of the quantity.
fn bounded(drawn: chart::Axis, axis: &Axis) -> chart::Axis {
    match axis.unit {
        // Accuracy on corrupted images can exceed clean accuracy.
        Unit::Share if axis.share_of_clean => drawn.bounds([0.0, f64::INFINITY]),
        Unit::Share | Unit::Index => drawn.bounds([0.0, 1.0]),
        Unit::Variation | Unit::ResponsePerPixelValue => drawn.bounds([0.0, f64::INFINITY]),
    }
}

/// The title of a quantity of layers with its unit, on several lines, since it is longer than an axis.
fn layer_title(axis: &Axis, upright: bool) -> String {
    let mut title = format!("{} ({})", axis.name, axis.unit.label());
    if !axis.details.is_empty() {
        let details = axis.details.join(", ");
        let details = details
            .replace(" (", "<br>(")
            .replace("), ", ")<br>")
            .replace("components for ", "");
        title += &format!("<br>{details}");
    }
    if upright {
        title = title.replace(" of the difference", "<br>of the difference");
    }
    title
}

/// A quantity's axis; if `upright`, its title is on several lines, since it is longer than the axis.
pub fn axis(axis: &Axis, upright: bool) -> chart::Axis {
    if *axis == Quantity::Selectivity.axis() {
        let title = format!("{}, clean test set (0 to 1)", axis.name);
        return bounded(chart::Axis::numbers(title), axis);
    }
    if axis.unit != Unit::Share {
        return bounded(chart::Axis::numbers(layer_title(axis, upright)), axis);
    }
    let mut title = axis.name.clone();
    for (index, detail) in axis.details.iter().enumerate() {
        title += if upright && index < 2 { "<br>" } else { ", " };
        title += detail;
    }
    if axis.share_of_clean {
        title += "<br>share of clean";
    }
    bounded(chart::Axis::percent(format!("{title} (%)")), axis)
}

/// A value of the quantity as a person reads it.
pub fn written(axis: &Axis, value: f64) -> String {
    match axis.unit {
        Unit::Share => format::percent(value),
        Unit::Index => format!("{value:.3}"),
        Unit::Variation | Unit::ResponsePerPixelValue => format::significant(value),
    }
}

/// A value in words, without the quantity's details.
pub fn words(axis: &Axis, value: f64) -> String {
    let suffix = if axis.share_of_clean { " of clean" } else { "" };
    format!("{} {}{suffix}", axis.name, written(axis, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::attack::Attack;
    use protocol::quantity::{LayerQuantity, LayerRange, Perturbations, Scale};

    /// Broken by: a title that runs off a short axis, or selectivity called per cent.
    #[test]
    fn titles_fit_their_axes() {
        let attack = Quantity::Attack(Attack::pgd(8.0, 0.5, 40)).axis_on(Scale::ShareOfClean);
        assert_eq!(
            axis(&attack, true),
            chart::Axis::percent(
                "Adversarial accuracy<br>PGD L∞ ε 8/255<br>step 0.5/255, 40 steps<br>share of clean (%)"
            )
            .bounds([0.0, f64::INFINITY])
        );
        let selectivity = Quantity::Selectivity.axis();
        assert_eq!(axis(&selectivity, false).factor, 1.0);
    }

    /// Broken by: a fraction of dimensions or a variability called per cent, or one of their long names on one
    /// line beside a short axis.
    #[test]
    fn measures_of_layers_have_their_units() {
        let early = |quantity| {
            Quantity::Layers {
                range: LayerRange::Early,
                quantity,
            }
            .axis()
        };
        let clean = early(LayerQuantity::dimensionality(Perturbations::Clean));
        assert_eq!(
            axis(&clean, true),
            chart::Axis::numbers(
                "Dimension fraction (0 to 1)<br>clean<br>(95 % of variance, unit responses)<br>mean of the first third of layers"
            )
            .bounds([0.0, 1.0])
        );
        assert_eq!(words(&clean, 0.25), "Dimension fraction 0.250");
        let cv = early(LayerQuantity::CvAcrossSamples);
        assert_eq!(column(&cv), format!("{} (no unit)", cv.label()));
        assert_eq!(words(&cv, 1.5), "Gradient variability across samples 1.50");
    }
}
