//! How did a unit's selectivity grow? Its index after each epoch, and the one that is used.

use protocol::unit::UnitDetail;

use crate::chart::{Axis, Chart, Ink, Kind, Point, Series, Shape, Table};
use crate::format;

/// What is shown, over how many epochs.
fn note(detail: &UnitDetail, best: u32) -> String {
    format!(
        "Selectivity index on the clean validation images after each epoch; n = {}. Open diamond: the best epoch ({}); square: its weights on the test images ({:.3}).",
        format::plural(detail.selectivity_by_epoch.len() as u64, "epoch", "epochs"),
        best,
        detail.summary.selectivity
    )
}

/// The curve, the best epoch on it, and the index on the test images.
pub fn chart(detail: Option<&UnitDetail>) -> Chart {
    let curve = detail.map_or(&[][..], |detail| &detail.selectivity_by_epoch);
    let empty = Chart::new(
        Axis::epochs(curve.len()),
        Axis::unit_range("Selectivity index (0 to 1)"),
    );
    // Imported weights have no epochs.
    let Some((detail, best)) = detail.and_then(|detail| Some((detail, detail.best_epoch?))) else {
        return empty;
    };
    let tested = detail.summary.selectivity;
    let epochs = (1_u32..).zip(curve.iter().copied());
    let points = epochs
        .clone()
        .map(|(epoch, value)| Point::new(epoch, value));
    let line = Series {
        size: 4.0,
        ..Series::new(
            Kind::Curve,
            "validation images",
            Ink::First,
            points.collect(),
        )
    };
    let mark = |value: f32, name: &str, ink| {
        let says = format!("epoch {best}, {name}<br>selectivity {value:.3}");
        let point = Point::new(best, value).says(says);
        Series::new(Kind::Points, name, ink, vec![point])
    };
    let at_best = epochs.clone().find(|(epoch, _)| *epoch == best);
    let ring = at_best.map(|(_, value)| Series {
        shape: Shape::Diamond,
        open: true,
        size: 13.0,
        ..mark(value, "best epoch", Ink::First)
    });
    let square = Series {
        shape: Shape::Square,
        size: 9.0,
        ..mark(tested, "test images", Ink::Second)
    };
    // The index on the test images alone shows no growth.
    let test = (!curve.is_empty()).then_some((best, "test", tested));
    let validation = epochs.map(|(epoch, value)| (epoch, "validation", value));
    let table = Table::of(validation.chain(test))
        .column("epoch", |(epoch, ..)| *epoch)
        .column("images are", |(_, images, _)| *images)
        .column("selectivity index (0 to 1)", |(.., value)| *value)
        .column("best epoch", |(epoch, ..)| *epoch == best);
    empty
        .with([line])
        .with(ring)
        .with([square])
        .note(note(detail, best))
        .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Cell, plotly};
    use crate::figures::unit_tuning::tests::detail;
    use crate::ui::theme::Theme;

    /// Broken by: epochs counted from 0, the best epoch marked one off, or a unit whose growth was not kept
    /// shown as a figure of one point.
    #[test]
    fn epochs_count_from_one_and_the_best_is_marked() {
        let detail = detail();
        let json = plotly::figure(&chart(Some(&detail)), Theme::Light);
        assert_eq!(json["data"][0]["x"], serde_json::json!([1, 2, 3]));
        assert_eq!(json["data"][1]["y"], serde_json::json!([0.25]));
        let table = chart(Some(&detail)).table;
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[1][3], Cell::Text("yes".into()));
        let mut old = detail;
        old.selectivity_by_epoch.clear();
        assert_eq!(chart(Some(&old)).table.rows.len(), 0);
    }
}
