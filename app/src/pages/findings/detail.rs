//! One claim: rule, evidence, what more seeds would do, and its figures.

use leptos::either::EitherOf3;
use leptos::prelude::*;
use protocol::claim_figure::ClaimFigure;
use protocol::finding::{Claim, Estimate, Evidence, Finding};

use super::Figures;
use crate::chart::{Figure, svg};
use crate::figures::claim;
use crate::figures::evidence::{self, Group};
use crate::figures::words::{ends, optional};
use crate::format::{self, significant};
use crate::ui::{Column, ErrorBox, Grid, VerdictBadge};

/// Rows of evidence that the page shows; the rest is in the CSV of the figure.
const SHOWN: usize = 200;

/// The claim that is open.
#[component]
pub fn Detail(
    /// What the experiment says about it.
    finding: Finding,
    /// The figures of the claim that was opened last.
    figures: RwSignal<Option<Figures>>,
) -> impl IntoView {
    let claim = finding.claim;
    let groups = evidence::groups(&finding.evidence)
        .into_iter()
        .enumerate()
        .map(|(place, group)| view! { <Forest place group all=finding.evidence.clone() /> })
        .collect_view();
    let more_seeds = finding.more_seeds.map(|more| {
        view! {
            <p id="more-seeds">
                <b>{format!("{} for every alpha", format::plural(more.seeds.into(), "more seed", "more seeds"))}</b>
                {format!(
                    " would bring the interval to about ± {}. {}",
                    significant(more.half_width),
                    more.basis
                )}
            </p>
        }
    });
    let all_runs = finding.all_runs.map(|all| {
        view! {
            <p class="prose" id="all-runs">
                "Without the window (all runs): "<VerdictBadge verdict=all.verdict />" "{all.sentence}
            </p>
        }
    });
    let rows: Vec<&Estimate> = finding.estimates.iter().collect();
    let forest = svg::estimates(claim.statement(), &rows);
    view! {
        <div class="heading">
            <h2>{format!("{} {}", claim.id(), claim.statement())}</h2>
            <VerdictBadge verdict=finding.verdict />
        </div>
        <p class="prose" id="sentence">{finding.sentence}</p>
        {all_runs}
        <ul class="prose" id="notes">{finding.notes.into_iter().map(|note| view! { <li>{note}</li> }).collect_view()}</ul>
        <div class="forest" tabindex="0" role="group" aria-label="All estimates" inner_html=forest></div>
        <EstimateTable estimates=finding.estimates />
        <dl class="facts rule">
            <div><dt>"Primary estimand"</dt><dd>{claim.primary()}</dd></div>
            <div><dt>"Measured as"</dt><dd>{claim.measured_as()}</dd></div>
            <div><dt>"Rule"</dt><dd>{finding.rule}</dd></div>
        </dl>
        {more_seeds}
        <EvidenceTable evidence=finding.evidence />
        <div class="figures">{groups}</div>
        <div class="figures">{move || figures.with(|figures| drawn(claim, figures.as_ref()))}</div>
    }
    .into_any()
}

/// The claim's figures, once they are loaded.
fn drawn(claim: Claim, figures: Option<&Figures>) -> impl IntoView + use<> {
    match figures {
        Some((answered, Ok(entry))) if *answered == claim => EitherOf3::A(
            entry
                .figures
                .iter()
                .cloned()
                .map(|figure| view! { <ClaimFigureView figure /> })
                .collect_view(),
        ),
        Some((answered, Err(error))) if *answered == claim => {
            EitherOf3::B(view! { <ErrorBox error=error.clone() /> })
        }
        _ => {
            EitherOf3::C(view! { <p class="waiting" aria-busy="true">"Drawing the figures …"</p> })
        }
    }
}

#[component]
fn ClaimFigureView(figure: ClaimFigure) -> impl IntoView {
    view! {
        <Figure
            id=claim::id(&figure)
            question=figure.name.question()
            waiting="No trained run has what this figure shows. Request it from “Set-up and data”."
            chart=move || claim::chart(&figure)
        />
    }
    .into_any()
}

/// The tests of one unit as a forest plot. The first one's table has all tests.
#[component]
fn Forest(place: usize, group: Group, all: Vec<Evidence>) -> impl IntoView {
    let id = match place {
        0 => "figure-evidence",
        1 => "figure-evidence-2",
        2 => "figure-evidence-3",
        _ => "figure-evidence-more",
    };
    let rows = group.evidence.len().min(evidence::SHOWN);
    view! {
        <div class="forest" style=format!("--rows:{rows}")>
            <Figure
                id
                question="How certain are the estimates?"
                waiting="There is no estimate to draw."
                chart=move || {
                    let chart = evidence::chart(&group);
                    if place == 0 { chart.table(evidence::table(&all)) } else { chart }
                }
            />
        </div>
    }
    .into_any()
}

/// The rows of the forest in numbers, each with its verdict.
#[component]
fn EstimateTable(estimates: Vec<Estimate>) -> impl IntoView {
    if estimates.is_empty() {
        return ().into_any();
    }
    let rows = estimates
        .into_iter()
        .map(|one| {
            view! {
                <tr>
                    <th scope="row">{one.label}</th>
                    <td>{one.role.label()}</td>
                    <td class="number">{optional(one.estimate, significant)}</td>
                    <td class="number">{ends(one.interval)}</td>
                    <td>{one.unit}</td>
                    <td class="number">{one.margin.map_or("–".to_owned(), |margin| format!("± {}", significant(margin)))}</td>
                    <td class="number">{optional(one.p, format::p)}</td>
                    <td class="number">{format::plural(one.n.into(), "seed", "seeds")}</td>
                    <td><VerdictBadge verdict=one.verdict /></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Grid id="estimates" class="data" label="Estimates" columns=vec![
            Column::words("Estimate"), Column::words("Role"), Column::number("Mean"),
            Column::number("95 %").explained("Student's t over seeds; simultaneous for contrasts"), Column::words("Unit"), Column::number("Margin"),
            Column::number("p").explained("Missing if the seeds do not differ at all"), Column::number("n"), Column::words("Verdict"),
        ]>{rows}</Grid>
    }
    .into_any()
}

#[component]
fn EvidenceTable(evidence: Vec<Evidence>) -> impl IntoView {
    let all = evidence.len();
    let rows = evidence
        .into_iter()
        .take(SHOWN)
        .map(|one| {
            let side = match one.agrees {
                Some(true) => "yes",
                Some(false) => "no",
                None => "–",
            };
            view! {
                <tr class:decides=one.decides>
                    <th scope="row">{evidence::name(&one)}{one.decides.then(|| view! { " "<span class="tag">"decides"</span> })}</th>
                    <td>{one.unit.clone()}</td>
                    <td class="number">{optional(one.estimate, significant)}</td>
                    <td class="number">{ends(one.interval)}</td>
                    <td class="number">{ends(one.bootstrap_interval)}</td>
                    <td class="number">{optional(one.p, format::p)}</td>
                    <td class="number">{optional(one.p_holm, format::p)}</td>
                    <td class="number">{optional(one.effect, significant)}</td>
                    <td class="number">{format::plural(one.n.into(), "seed", "seeds")}</td>
                    <td class="number">{format::count(one.runs.into())}</td>
                    <td>{side}</td>
                </tr>
            }
        })
        .collect_view();
    let rest = (all > SHOWN).then(|| {
        let all = format::count(all as u64);
        view! { <p class="hint">{format!("The first {SHOWN} of {all} tests are shown; the figure's CSV has all of them.")}</p> }
    });
    view! {
        <Grid
            id="evidence" class="data" label="Evidence" caption="The tests behind the verdict; those that decide it come first" columns=vec![
                Column::words("Test"), Column::words("Unit"), Column::number("Estimate"), Column::number("t 95 %"), Column::number("BCa 95 %"),
                Column::number("p"), Column::number("p (Holm)"),
                Column::number("Effect").explained("Mean over seeds / standard deviation over seeds"), Column::number("n"), Column::number("Runs"),
                Column::words("On the claimed side"),
            ]
            {..} class:evidence=true
        >
            {rows}
        </Grid>
        {(all == 0).then(|| view! { <p class="waiting">"There are no measurements to test this claim with yet."</p> })}
        {rest}
    }
    .into_any()
}
