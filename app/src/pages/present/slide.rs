//! What a slide shows.

use leptos::prelude::*;
use protocol::claim_figure::ClaimFigure;
use protocol::finding::{Finding, Findings};

use super::Data;
use super::slides::Slide;
use crate::chart::svg;
use crate::components::{AlphaChips, VerdictBadge};
use crate::figures::claim;
use crate::format;
use crate::pages::findings::{main_rows, n};

/// The slide of a number.
pub fn slide(number: usize, slide: Slide, data: &Data) -> AnyView {
    let inside = match slide {
        Slide::Title => title(&data.findings),
        Slide::Closing => closing(&data.findings),
        Slide::Claim(claim, name) => {
            let finding = data.findings.findings.iter().find(|one| one.claim == claim);
            let figures = data.figures.iter().filter(|one| one.claim == claim);
            // One figure, at both scales where it has two: one alone would hide that clean accuracy moves too.
            let shown = figures.flat_map(|of| &of.figures);
            let shown = shown.filter(|figure| Some(figure.name) == name).collect();
            match finding {
                Some(finding) => about_claim(finding, shown),
                None => view! { <h1>{claim.statement()}</h1> }.into_any(),
            }
        }
    };
    view! { <section class="slide" data-slide=number>{inside}</section> }.into_any()
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

fn about_claim(finding: &Finding, shown: Vec<&ClaimFigure>) -> AnyView {
    let claim = finding.claim;
    let question = shown
        .first()
        .map_or(claim.statement(), |figure| figure.name.question());
    let drawn = shown
        .into_iter()
        .map(|figure| {
            let svg = claim::drawing(figure);
            let empty = svg.is_empty();
            view! {
                <figure>
                    <div class="drawn" inner_html=svg></div>
                    {empty.then(|| view! { <p class="waiting">"Not measured in this experiment."</p> })}
                    <figcaption>{claim::caption(figure)}</figcaption>
                </figure>
            }
        })
        .collect_view();
    view! {
        <div class="slide-heading">
            <h1>{question}</h1>
            <VerdictBadge verdict=finding.verdict />
        </div>
        <p class="slide-claim"><b>{claim.id()}" "{claim.statement()}</b>" "{finding.sentence.clone()}</p>
        <div class="slide-figures">{drawn}</div>
    }
    .into_any()
}

fn closing(findings: &Findings) -> AnyView {
    let rows = findings
        .findings
        .iter()
        .map(|finding| {
            view! {
                <tr data-claim=finding.claim.id()>
                    <th scope="row">{finding.claim.id()}" "{finding.claim.statement()}</th>
                    <td><VerdictBadge verdict=finding.verdict /></td>
                    <td>{n(finding)}</td>
                    <td class="estimates" inner_html=svg::estimates(finding.claim.statement(), &main_rows(finding))></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <h1>"What this experiment says"</h1>
        <div class="scroll">
            <table class="closing">
                <thead><tr><th scope="col">"Claim"</th><th scope="col">"Verdict"</th><th scope="col">"n"</th><th scope="col">"Estimates, 95 % intervals"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
