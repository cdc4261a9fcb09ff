//! The figures of the claims of Leavitt & Morcos (2020): the element of each, and the figure that draws it.

use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Picture};
use protocol::measure::Scale;

use super::{lines, measures, slope_map};
use crate::chart::{Chart, svg};
use crate::format;

/// The element's id, and the stem of its downloads' names.
pub fn id(figure: &ClaimFigure) -> &'static str {
    let [raw, share] = match figure.name {
        ClaimFigureName::CorruptionSelectivity => [
            "figure-claim-corruption-selectivity",
            "figure-claim-corruption-selectivity-share",
        ],
        ClaimFigureName::CorruptionAlpha => [
            "figure-claim-corruption-alpha",
            "figure-claim-corruption-alpha-share",
        ],
        ClaimFigureName::CorruptionSeverity => [
            "figure-claim-corruption-severity",
            "figure-claim-corruption-severity-share",
        ],
        ClaimFigureName::CorruptionSlopes => [
            "figure-claim-corruption-slopes",
            "figure-claim-corruption-slopes-share",
        ],
        ClaimFigureName::FgsmEpsilon => ["figure-claim-fgsm", "figure-claim-fgsm-share"],
        ClaimFigureName::PgdSteps => ["figure-claim-pgd", "figure-claim-pgd-share"],
        ClaimFigureName::DimensionLayers => ["figure-claim-dimension-layers"; 2],
        ClaimFigureName::DimensionSelectivity => ["figure-claim-dimension-selectivity"; 2],
        ClaimFigureName::DifferenceLayers => ["figure-claim-difference-layers"; 2],
        ClaimFigureName::SampleVariabilityLayers => ["figure-claim-sample-variability-layers"; 2],
        ClaimFigureName::SampleVariabilitySelectivity => {
            ["figure-claim-sample-variability-selectivity"; 2]
        }
        ClaimFigureName::UnitVariabilityLayers => ["figure-claim-unit-variability-layers"; 2],
        ClaimFigureName::UnitVariabilitySelectivity => {
            ["figure-claim-unit-variability-selectivity"; 2]
        }
        ClaimFigureName::TradeOffFgsm => [
            "figure-claim-trade-off-fgsm",
            "figure-claim-trade-off-fgsm-share",
        ],
        ClaimFigureName::TradeOffPgd => [
            "figure-claim-trade-off-pgd",
            "figure-claim-trade-off-pgd-share",
        ],
        ClaimFigureName::CleanSelectivity => ["figure-claim-clean-selectivity"; 2],
    };
    match figure.scale {
        Some(Scale::ShareOfClean) => share,
        _ => raw,
    }
}

/// How accuracies are shown, in words, before the caption; empty where there are none under perturbation.
pub fn scale_words(figure: &ClaimFigure) -> &'static str {
    match figure.scale {
        Some(Scale::Raw) => "Raw accuracy. ",
        Some(Scale::ShareOfClean) => "Share of the same network's clean accuracy. ",
        None => "",
    }
}

/// The chart: its note says units, n, and what is left out.
pub fn chart(figure: &ClaimFigure) -> Chart {
    let chart = match &figure.picture {
        Picture::Scatter(scatter) => measures::chart(scatter),
        Picture::Lines(lines) => lines::chart(lines),
        Picture::Slopes(map) => slope_map::chart(map),
    };
    let note = format!("{}{}", scale_words(figure), chart.note);
    chart.note(note)
}

/// The chart as SVG; empty text where there is nothing to draw.
pub fn drawing(figure: &ClaimFigure) -> String {
    if figure.picture.is_empty() {
        return String::new();
    }
    svg::draw(figure.name.question(), &chart(figure))
}

/// The note of [`chart`], short enough for a slide.
pub fn caption(figure: &ClaimFigure) -> String {
    let seeds = |n: u32| format::plural(n.into(), "seed", "seeds");
    let rest = match &figure.picture {
        _ if figure.picture.is_empty() => String::new(),
        Picture::Scatter(scatter) => format!(
            "Points are runs, diamonds are means per alpha; n = {}. Bars: 95 % intervals over seeds.",
            format::plural(scatter.points.len() as u64, "run", "runs")
        ),
        Picture::Lines(lines) => {
            let means = lines.series.iter().flat_map(|series| &series.means);
            let most = means.flatten().map(|mean| mean.n).max().unwrap_or(0);
            format!(
                "Means over seeds, n = {}. Bars: 95 % intervals.",
                seeds(most)
            )
        }
        Picture::Slopes(map) => {
            let cells = map.rows.iter().flat_map(|row| row.cells.iter().flatten());
            let most = cells.map(|cell| cell.n).max().unwrap_or(0);
            format!(
                "In {}; * p < 0.05 after Holm correction; n = {}.",
                slope_map::unit(map.scale),
                seeds(most)
            )
        }
    };
    let cut = if chart(figure).cut {
        " Bars are clipped to the range of possible values."
    } else {
        ""
    };
    format!("{}{rest}{cut}", scale_words(figure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::lines::tests::lines;

    /// Broken by: the two scales of a figure with the same id, of which the browser would find only the first.
    #[test]
    fn the_scales_have_ids_of_their_own() {
        let figure = |scale| ClaimFigure {
            name: ClaimFigureName::FgsmEpsilon,
            scale: Some(scale),
            picture: Picture::Lines(lines()),
        };
        let both = [Scale::Raw, Scale::ShareOfClean].map(|scale| id(&figure(scale)));
        assert_eq!(both, ["figure-claim-fgsm", "figure-claim-fgsm-share"]);
        assert!(
            chart(&figure(Scale::Raw))
                .note
                .starts_with("Raw accuracy. Means over seeds")
        );
        let caption = caption(&figure(Scale::Raw));
        assert!(
            caption.contains("n = 3 seeds") && caption.contains("95 %"),
            "{caption}"
        );
    }
}
