//! What a slide shows.

use leptos::prelude::*;
use protocol::claim_figure::{ClaimFigure, ClaimFigures};
use protocol::finding::{Finding, Findings};

use super::Data;
use super::slides::{Slide, slide_of};
use crate::components::{AlphaChips, VerdictBadge};
use crate::drawing;
use crate::figure::claim;
use crate::format;
use crate::pages::findings::n;

/// The slide of a number.
pub fn slide(number: usize, data: &Data) -> AnyView {
    let inside = match slide_of(number) {
        Slide::Title => title(&data.findings),
        Slide::Closing => closing(&data.findings),
        Slide::Claim(claim) => {
            let finding = data.findings.findings.iter().find(|one| one.claim == claim);
            let figures = data.figures.iter().find(|one| one.claim == claim);
            match finding {
                Some(finding) => about_claim(finding, figures),
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
            {(findings.missing_runs > 0).then(|| {
                let missing = format::plural(findings.missing_runs.into(), "run is", "runs are");
                view! { <p class="hint">{format!("{missing} not trained.")}</p> }
            })}
        </div>
    }
    .into_any()
}

/// The figures of a slide: the claim's first, at both scales where it has two.
fn first(figures: &ClaimFigures) -> Vec<&ClaimFigure> {
    let first = figures.figures.first();
    let all = figures.figures.iter();
    all.filter(|one| first.is_some_and(|first| first.name == one.name))
        .collect()
}

fn about_claim(finding: &Finding, figures: Option<&ClaimFigures>) -> AnyView {
    let claim = finding.claim;
    let shown = figures.map_or_else(Vec::new, first);
    let question = shown
        .first()
        .map_or(claim.statement(), |figure| figure.name.question());
    let drawn = shown
        .into_iter()
        .map(|figure| {
            let svg = drawing::figure(figure);
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
        <p class="slide-claim"><b>{claim.id()}" "{claim.statement()}</b>" "{finding.summary.clone()}</p>
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
                </tr>
            }
        })
        .collect_view();
    view! {
        <h1>"What this experiment says"</h1>
        <div class="scroll">
            <table class="closing">
                <thead><tr><th scope="col">"Claim"</th><th scope="col">"Verdict"</th><th scope="col">"n"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::lines::tests::lines;
    use protocol::claim_figure::{ClaimFigureName, Picture};
    use protocol::finding::Claim;
    use protocol::measure::Scale;

    /// Broken by: a slide with more than one question, or with one scale alone, which would hide that clean accuracy
    /// moves too.
    #[test]
    fn a_slide_has_one_figure_at_both_scales() {
        let figure = |name, scale| ClaimFigure {
            name,
            scale: Some(scale),
            picture: Picture::Lines(lines()),
        };
        let figures = ClaimFigures {
            claim: Claim::C3,
            figures: vec![
                figure(ClaimFigureName::FgsmEpsilon, Scale::Raw),
                figure(ClaimFigureName::FgsmEpsilon, Scale::ShareOfClean),
                figure(ClaimFigureName::PgdSteps, Scale::Raw),
            ],
        };
        let scales: Vec<_> = first(&figures).iter().map(|one| one.scale).collect();
        assert_eq!(scales, [Some(Scale::Raw), Some(Scale::ShareOfClean)]);
    }
}
