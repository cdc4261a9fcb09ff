//! How does a network's accuracy fall with severity? One line per corruption, and their mean.

use protocol::corruption::CorruptionFamily;
use protocol::corruption_evaluation::CorruptionMeasurement;
use protocol::measure::Scale;

use super::run_corruptions::hover;
use crate::chart::{Axis, Chart, Dash, Ink, Kind, Point, Series, Table};
use crate::data::corruptions::{axis_label, corruptions, find, mean_at, severities, value};
use crate::format;

/// A family's colour and dash: colour is never the only difference.
fn family_line(family: CorruptionFamily) -> (Ink, Dash) {
    match family {
        CorruptionFamily::Noise => (Ink::Own(["#0b62a4", "#6db6ea"]), Dash::Solid),
        CorruptionFamily::Blur => (Ink::Own(["#a84a00", "#f0a35c"]), Dash::Dash),
        CorruptionFamily::Weather => (Ink::Own(["#00775a", "#4cc9a0"]), Dash::Dot),
        CorruptionFamily::Digital => (Ink::Own(["#96458b", "#e29bcb"]), Dash::DashDot),
    }
}

/// The lines as a table: one row per corruption and severity, with n and Wilson's interval.
fn table(measured: &[CorruptionMeasurement]) -> Table {
    Table::of(measured)
        .column("corruption", |one| one.corruption.label())
        .column("severity", |one| u32::from(one.severity))
        .column("accuracy (share)", |one| one.accuracy)
        .interval("95 %", |one| {
            format::wilson(one.accuracy, one.conditions.images.into())
        })
        .column("share of clean accuracy", |one| one.share_of_clean())
        .column("clean accuracy (share)", |one| one.clean_accuracy)
        .column("cross-entropy (nats)", |one| one.cross_entropy)
        .column("images (n)", |one| one.conditions.images)
        .into()
}

/// The lines, from clean images (severity 0) on.
pub fn chart(measured: &[CorruptionMeasurement], scale: Scale) -> Chart {
    let (listed, severities) = (corruptions(measured), severities(measured));
    // All were measured with the same clean images.
    let clean_accuracy = measured.first().map_or(0.0, |one| one.clean_accuracy);
    let clean = match scale {
        Scale::Raw => Some(clean_accuracy),
        Scale::ShareOfClean => (clean_accuracy > 0.0).then_some(1.0),
    };
    let clean = clean.map(|clean| {
        let says = format!("Clean<br>accuracy {}", format::percent(clean_accuracy));
        Point::new(0_u8, clean).says(says)
    });
    let line = |name, ink, at: &dyn Fn(u8) -> Option<(f64, String)>| {
        let severe = severities.iter().filter_map(|&severity| {
            let (value, says) = at(severity)?;
            Some(Point::new(severity, value).says(says))
        });
        let points = clean.clone().into_iter().chain(severe);
        Series::new(Kind::Curve, name, ink, points.collect())
    };
    let mut last_family = None;
    let lines = listed.iter().map(|&corruption| {
        let family = corruption.family();
        let (ink, dash) = family_line(family);
        let at = |severity| {
            let one = find(measured, corruption, severity)?;
            Some((value(one, scale)?, hover(one)))
        };
        Series {
            listed: last_family.replace(family) != Some(family),
            group: Some(family.label().to_owned()),
            size: 4.0,
            width: 1.2,
            dash,
            ..line(family.label(), ink, &at)
        }
    });
    let number = format::plural(listed.len() as u64, "corruption", "corruptions");
    let mean = line("Mean", Ink::Text, &|severity| {
        let value = mean_at(measured, &listed, severity, scale)?;
        let percent = format::percent(value);
        let says = format!("Mean of {number}, severity {severity}<br>{percent}");
        Some((value, says))
    });
    Chart::new(
        Axis::numbers("Severity (0: clean)").step(1.0),
        Axis::percent(axis_label(scale)),
    )
    .with(lines)
    .with([Series { width: 3.5, ..mean }])
    .table(table(measured))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::data::corruptions::tests::measured;
    use crate::ui::theme::Theme;
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
        let json = plotly::figure(&chart(&some, Scale::ShareOfClean), Theme::Light);
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
            let mut looks: Vec<String> = CorruptionFamily::ALL
                .map(|family| {
                    let (ink, dash) = family_line(family);
                    format!("{} {dash:?}", ink.colour(theme))
                })
                .into();
            looks.sort();
            looks.dedup();
            assert_eq!(looks.len(), CorruptionFamily::ALL.len());
        }
    }
}
