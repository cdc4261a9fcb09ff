//! How does a network's accuracy fall with severity? A line a corruption, and their mean.

use plotly::common::{DashType, HoverInfo, Line, Marker, Mode};
use plotly::{Plot, Scatter};
use protocol::corruption::CorruptionFamily;
use protocol::evaluation::CorruptionMeasurement;
use protocol::measure::Scale;

use super::look::{self, axis, ink};
use super::run_corruptions::hover;
use super::table::{Cell, Table};
use crate::corruptions::{axis_label, corruptions, find, mean_at, severities, value};
use crate::format;
use crate::theme::Theme;

/// A family's colour and dash: neither is told by colour alone.
pub fn family_line(family: CorruptionFamily, theme: Theme) -> (&'static str, DashType) {
    let [light, dark] = match family {
        CorruptionFamily::Noise => ["#0b62a4", "#6db6ea"],
        CorruptionFamily::Blur => ["#a84a00", "#f0a35c"],
        CorruptionFamily::Weather => ["#00775a", "#4cc9a0"],
        CorruptionFamily::Digital => ["#96458b", "#e29bcb"],
    };
    let dash = match family {
        CorruptionFamily::Noise => DashType::Solid,
        CorruptionFamily::Blur => DashType::Dash,
        CorruptionFamily::Weather => DashType::Dot,
        CorruptionFamily::Digital => DashType::DashDot,
    };
    let hue = match theme {
        Theme::Light => light,
        Theme::Dark => dark,
    };
    (hue, dash)
}

/// The lines as a table: a row a corruption and severity, with n and Wilson's interval.
pub fn table(measured: &[CorruptionMeasurement]) -> Table {
    let mut table = Table::new(&[
        "corruption",
        "severity",
        "accuracy (share)",
        "95 % from",
        "95 % to",
        "share of clean accuracy",
        "clean accuracy (share)",
        "cross-entropy (nats)",
        "images (n)",
    ]);
    table.rows = measured
        .iter()
        .map(|one| {
            let n = one.conditions.images;
            let interval = format::wilson(one.accuracy, n.into());
            let end = |end: usize| Cell::optional(interval.map(|interval| interval[end]));
            vec![
                Cell::Text(one.corruption.label().to_owned()),
                Cell::Whole(one.severity.into()),
                Cell::Number(one.accuracy),
                end(0),
                end(1),
                Cell::optional(one.share_of_clean()),
                Cell::Number(one.clean_accuracy),
                Cell::Number(one.cross_entropy),
                Cell::Whole(n.into()),
            ]
        })
        .collect();
    table
}

/// A line's points from clean images (severity 0) on, in per cent.
fn line(
    clean: Option<f64>,
    at: impl Fn(u8) -> Option<f64>,
    severities: &[u8],
) -> (Vec<u8>, Vec<f64>) {
    let severe = severities
        .iter()
        .filter_map(|&severity| Some((severity, at(severity)?)));
    clean
        .map(|clean| (0, clean))
        .into_iter()
        .chain(severe)
        .map(|(severity, share)| (severity, share * 100.0))
        .unzip()
}

/// What plotly draws.
pub fn plot(measured: &[CorruptionMeasurement], scale: Scale, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, "Severity (0: clean)").dtick(1.0),
        axis(theme, axis_label(scale)),
    );
    let (listed, severities) = (corruptions(measured), severities(measured));
    // Every one was measured beside the same clean images.
    let clean_accuracy = measured.first().map_or(0.0, |one| one.clean_accuracy);
    let clean = match scale {
        Scale::Raw => Some(clean_accuracy),
        Scale::ShareOfClean => (clean_accuracy > 0.0).then_some(1.0),
    };
    let clean_text = format!("Clean<br>accuracy {}", format::percent(clean_accuracy));
    let mut family = None;
    for &corruption in &listed {
        let first_of_family = family.replace(corruption.family()) != Some(corruption.family());
        let (hue, dash) = family_line(corruption.family(), theme);
        let at = |severity| find(measured, corruption, severity);
        let (x, y) = line(
            clean,
            |severity| at(severity).and_then(|one| value(one, scale)),
            &severities,
        );
        let words = x
            .iter()
            .map(|&severity| at(severity).map_or_else(|| clean_text.clone(), hover))
            .collect();
        let curve = Scatter::new(x, y)
            .mode(Mode::LinesMarkers)
            .name(corruption.family().label())
            .legend_group(corruption.family().label())
            .show_legend(first_of_family)
            .hover_text_array(words)
            .hover_info(HoverInfo::Text)
            .marker(Marker::new().size(4).color(hue))
            .line(Line::new().color(hue).width(1.2).dash(dash));
        plot.add_trace(curve);
    }
    let (x, y) = line(
        clean,
        |severity| mean_at(measured, &listed, severity, scale),
        &severities,
    );
    let words = x
        .iter()
        .zip(&y)
        .map(|(severity, value)| match severity {
            0 => clean_text.clone(),
            _ => format!(
                "Mean of {}, severity {severity}<br>{value:.1} %",
                format::plural(listed.len() as u64, "corruption", "corruptions")
            ),
        })
        .collect();
    let ink = ink(theme).text;
    let mean = Scatter::new(x, y)
        .mode(Mode::LinesMarkers)
        .name("Mean")
        .hover_text_array(words)
        .hover_info(HoverInfo::Text)
        .marker(Marker::new().size(7).color(ink))
        .line(Line::new().color(ink).width(3.5));
    plot.add_trace(mean);
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corruptions::{FAMILIES, tests::measured};
    use protocol::Corruption;

    /// Broken by: a line that begins at severity 1 and hides the fall from clean, a mean that is drawn where a
    /// corruption is missing, or a family listed once a corruption.
    #[test]
    fn lines_begin_clean_and_the_mean_is_over_all() {
        let some = [
            measured(Corruption::Snow, 1, 0.6),
            measured(Corruption::Snow, 2, 0.4),
            measured(Corruption::Fog, 1, 0.2),
        ];
        let plot = plot(&some, Scale::ShareOfClean, Theme::Light);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
        let lines = json["data"].as_array().unwrap();
        let x: Vec<_> = lines.iter().map(|line| line["x"].clone()).collect();
        assert_eq!(
            x,
            [[0, 1, 2].as_slice(), &[0, 1], &[0, 1]].map(|x| serde_json::json!(x))
        );
        let y = lines[2]["y"].as_array().unwrap();
        assert!((y[0].as_f64().unwrap() - 100.0).abs() < 1e-9);
        assert!((y[1].as_f64().unwrap() - 50.0).abs() < 1e-9);
        assert_eq!(lines[0]["showlegend"], true);
        assert_eq!(lines[1]["showlegend"], false);
        assert_eq!(table(&some).rows.len(), 3);
    }

    /// Broken by: two families that look alike in a theme.
    #[test]
    fn families_are_told_apart() {
        for theme in [Theme::Light, Theme::Dark] {
            let mut looks: Vec<String> = FAMILIES
                .map(|family| {
                    let (hue, dash) = family_line(family, theme);
                    format!("{hue} {dash:?}")
                })
                .into();
            looks.sort();
            looks.dedup();
            assert_eq!(looks.len(), FAMILIES.len());
        }
    }
}
