//! What a slide shows.

use leptos::prelude::*;
use protocol::claim_figure::ClaimFigure;
use protocol::finding::{Finding, Findings};
use protocol::measure::Scale;

use super::Data;
use super::slides::Slide;
use crate::figures::claim;
use crate::format;
use crate::pages::findings::n;
use crate::ui::{AlphaChips, Column, Grid, VerdictBadge};

/// The slide of a number. Figures with two scales are shown raw, or as a share of clean if `share`.
pub fn slide(number: usize, slide: Slide, data: &Data, share: bool) -> AnyView {
    let inside = match slide {
        Slide::Title => title(&data.findings),
        Slide::Verdicts => verdicts(&data.findings),
        Slide::Claim(claim, name) => {
            let finding = data.findings.findings.iter().find(|one| one.claim == claim);
            let figures = data.figures.iter().filter(|entry| entry.claim == claim);
            let figures = figures.flat_map(|entry| &entry.figures);
            let figures: Vec<&ClaimFigure> =
                figures.filter(|figure| Some(figure.name) == name).collect();
            match finding {
                Some(finding) => about_claim(finding, &figures, share),
                None => view! { <h1>{claim.statement()}</h1> }.into_any(),
            }
        }
    };
    view! { <section class="slide" data-slide=number>{inside}</section> }.into_any()
}

/// The notes beside a slide: the numbers behind its claim.
pub fn numbers(slide: Slide, data: &Data) -> Option<String> {
    let Slide::Claim(claim, _) = slide else {
        return None;
    };
    let finding = data
        .findings
        .findings
        .iter()
        .find(|one| one.claim == claim)?;
    let notes = finding.notes.iter().map(String::as_str);
    let all: Vec<&str> = std::iter::once(finding.sentence.as_str())
        .chain(notes)
        .collect();
    Some(all.join(" "))
}

fn title(findings: &Findings) -> AnyView {
    view! {
        <div class="title-slide">
            <h1>{findings.name.clone()}</h1>
            <p>{findings.network.label()}" on "{findings.dataset.label()}</p>
            <p>
                {format!(
                    "n = {}: {}, alpha ",
                    format::plural(findings.runs.into(), "trained run", "trained runs"),
                    format::plural(findings.seeds.len() as u64, "seed", "seeds")
                )}
                <AlphaChips alphas=findings.alphas.clone() />
            </p>
            {findings.pilot.then(|| view! { <p class="hint">"Pilot: fewer than 5 seeds."</p> })}
            {(!findings.left_out.is_empty()).then(|| {
                let left_out = format::plural(findings.left_out.len() as u64, "run is", "runs are");
                view! { <p class="hint">{format!("{left_out} left out: clean accuracy more than {} points from the control.", findings.window)}</p> }
            })}
            {(findings.missing_runs > 0).then(|| {
                let missing = format::plural(findings.missing_runs.into(), "run is", "runs are");
                view! { <p class="hint">{format!("{missing} not trained.")}</p> }
            })}
        </div>
    }
    .into_any()
}

fn about_claim(finding: &Finding, figures: &[&ClaimFigure], share: bool) -> AnyView {
    let claim = finding.claim;
    let of_scale = |scale| figures.iter().find(|figure| figure.scale == Some(scale));
    let preferred = match share {
        true => of_scale(Scale::ShareOfClean),
        false => of_scale(Scale::Raw),
    };
    let drawn = preferred.or(figures.first()).map(|figure| {
        let svg = claim::drawing(figure);
        let empty = svg.is_empty();
        // Raw accuracy alone would hide that clean accuracy moves too.
        let other = (figures.len() > 1).then_some(match figure.scale {
            Some(Scale::ShareOfClean) => " Press S for raw accuracy.",
            _ => " Press S for the share of clean accuracy.",
        });
        view! {
            <p class="slide-question">{figure.name.question()}</p>
            <figure>
                <div class="drawn" inner_html=svg></div>
                {empty.then(|| view! { <p class="waiting">"Not measured in this experiment."</p> })}
                <figcaption>{claim::caption(figure)}{other}</figcaption>
            </figure>
        }
    });
    view! {
        <div class="slide-heading">
            <h1><b>{claim.id()}</b>" "{claim.statement()}</h1>
            <VerdictBadge verdict=finding.verdict />
        </div>
        {drawn}
    }
    .into_any()
}

fn verdicts(findings: &Findings) -> AnyView {
    let rows = findings
        .findings
        .iter()
        .map(|finding| {
            view! {
                <tr data-claim=finding.claim.id()>
                    <th scope="row">{finding.claim.id()}" "{finding.claim.statement()}</th>
                    <td><VerdictBadge verdict=finding.verdict /></td>
                    <td>{n(finding)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <h1>"What this experiment says about the claims of Leavitt & Morcos (2020)"</h1>
        <Grid class="closing" columns=["Claim", "Verdict", "n"].map(Column::words).to_vec()>{rows}</Grid>
    }
    .into_any()
}
