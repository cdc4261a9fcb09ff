//! How did a unit's selectivity grow? Its index after each epoch, and the one that is used.

use plotly::common::{HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::{Plot, Scatter};
use protocol::unit::UnitDetail;

use super::look::{self, axis, epoch_axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// The curve as a table, then the index on the test images.
pub fn table(detail: Option<&UnitDetail>) -> Table {
    let mut table = Table::new(&[
        "epoch",
        "images are",
        "selectivity index (0 to 1)",
        "best epoch",
    ]);
    let Some(detail) = detail else {
        return table;
    };
    let row = |epoch: u32, images: &str, selectivity: f32| {
        let best = if Some(epoch) == detail.best_epoch {
            "yes"
        } else {
            "no"
        };
        vec![
            Cell::Whole(epoch.into()),
            Cell::Text(images.to_owned()),
            Cell::Number(f64::from(selectivity)),
            Cell::Text(best.to_owned()),
        ]
    };
    table.rows = (1..)
        .zip(&detail.selectivity_by_epoch)
        .map(|(epoch, &selectivity)| row(epoch, "validation", selectivity))
        .collect();
    // Alone it is no growth.
    if let Some(best) = detail.best_epoch
        && !table.rows.is_empty()
    {
        table
            .rows
            .push(row(best, "test", detail.summary.selectivity));
    }
    table
}

/// What is shown, over how many epochs.
pub fn subtitle(detail: Option<&UnitDetail>) -> String {
    let Some((detail, best)) = detail.and_then(|detail| Some((detail, detail.best_epoch?))) else {
        return String::new();
    };
    format!(
        "Selectivity index on the clean validation images after each epoch, 0 to 1; n = {}. Open diamond: the best epoch, {}, whose weights everything else here is of; square: the same weights on the test images, {:.3}.",
        format::plural(detail.selectivity_by_epoch.len() as u64, "epoch", "epochs"),
        best,
        detail.summary.selectivity
    )
}

/// What plotly draws.
pub fn plot(detail: Option<&UnitDetail>, theme: Theme) -> Plot {
    let ink = ink(theme);
    let curve: Vec<f64> = detail.map_or_else(Vec::new, |detail| {
        let all = detail.selectivity_by_epoch.iter();
        all.copied().map(f64::from).collect()
    });
    let mut plot = look::plot(
        theme,
        epoch_axis(theme, curve.len()),
        axis(theme, "Selectivity index (0 to 1)").range(vec![-0.02, 1.02]),
    );
    let Some((detail, best)) = detail.and_then(|detail| Some((detail, detail.best_epoch?))) else {
        return plot;
    };
    let at_best = usize::try_from(best)
        .ok()
        .and_then(|epoch| curve.get(epoch.checked_sub(1)?).copied());
    let line = Scatter::new((1..=curve.len()).collect(), curve)
        .mode(Mode::LinesMarkers)
        .name("validation images")
        .marker(Marker::new().color(ink.first).size(4))
        .line(Line::new().color(ink.first).width(1.8));
    plot.add_trace(line);
    let mut mark = |value: f64, name: &str, marker: Marker| {
        let point = Scatter::new(vec![best], vec![value])
            .mode(Mode::Markers)
            .name(name)
            .hover_text(format!("epoch {best}, {name}<br>selectivity {value:.3}"))
            .hover_info(HoverInfo::Text)
            .marker(marker);
        plot.add_trace(point);
    };
    if let Some(value) = at_best {
        let ring = Marker::new()
            .symbol(MarkerSymbol::DiamondOpen)
            .size(13)
            .color(ink.first)
            .line(Line::new().width(2.0).color(ink.first));
        mark(value, "best epoch", ring);
    }
    let square = Marker::new()
        .symbol(MarkerSymbol::Square)
        .size(9)
        .color(ink.second);
    mark(f64::from(detail.summary.selectivity), "test images", square);
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::unit_tuning::tests::detail;

    /// Broken by: epochs counted from 0, the best epoch marked one off, or a unit whose growth was not kept
    /// shown as a figure of one point.
    #[test]
    fn epochs_count_from_one_and_the_best_is_marked() {
        let detail = detail();
        let json: serde_json::Value =
            serde_json::from_str(&plot(Some(&detail), Theme::Light).to_json()).unwrap();
        assert_eq!(json["data"][0]["x"], serde_json::json!([1, 2, 3]));
        assert_eq!(json["data"][1]["y"], serde_json::json!([0.25]));
        let table = table(Some(&detail));
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[1][3], Cell::Text("yes".into()));
        let mut old = detail;
        old.selectivity_by_epoch.clear();
        assert_eq!(super::table(Some(&old)).rows.len(), 0);
    }
}
