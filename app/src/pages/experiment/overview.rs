//! The overview: progress while networks train, then the results, and the runs.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::Run;
use protocol::api::Experiment;
use protocol::finding::{DEFAULT_WINDOW, Finding, Findings};

use super::conditions::Conditions;
use super::measures::MeasuresFigure;
use super::view::View;
use super::{PageSignals, Selections, at_work, runs, training};
use crate::chart::Figure;
use crate::data::addresses;
use crate::figures::accuracy_selectivity;
use crate::format;
use crate::ui::{Annotated, Annotations, ExperimentTab, VerdictBadge};

/// The tab.
#[component]
pub fn Overview(now: PageSignals, selections: Selections) -> impl IntoView {
    let active = now.active();
    let answer = move || {
        // Findings of runs that are at work again are not the last word.
        if active.get() {
            return None;
        }
        let findings = now.findings.get().filter(|findings| findings.runs > 0)?;
        Some(view! { <Verdicts findings /> })
    };
    let under_way = move || {
        let figures = || view! { <div class="figures"><training::ByAlphaFigures now /></div> };
        active
            .get()
            .then(|| view! { <at_work::AtWork now />{figures()} })
    };
    let trained = move || {
        let runs = |runs: &Vec<Run>| runs.iter().any(|run| run.result.is_some());
        now.runs.with(runs)
    };
    view! {
        {answer}
        <Notes now />
        <Collapsed now />
        {under_way}
        <Conditions now />
        <div class="figures" hidden=move || !trained()>
            <MeasuresFigure now view=View::TradeOff selections />
            <Accuracy now />
        </div>
        <runs::Runs now />
    }
    .into_any()
}

/// The notes: why it is run and what came of it.
#[component]
fn Notes(now: PageSignals) -> impl IntoView {
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let read = |experiment: &Experiment| Annotated {
        tags: experiment.tags.clone(),
        notes: experiment.notes.clone(),
    };
    let write = |experiment: &mut Experiment, now: Annotated| {
        (experiment.tags, experiment.notes) = (now.tags, now.notes);
    };
    view! { <Annotations path=format!("/experiments/{id}") annotated=now.experiment read write /> }
}

/// One verdict per claim, each leading to its evidence.
#[component]
fn Verdicts(findings: Findings) -> impl IntoView {
    let id = findings.experiment_id;
    let card = |finding: &Finding| {
        let claim = finding.claim;
        let to = addresses::findings(id, "findings", DEFAULT_WINDOW, Some(claim));
        view! {
            <li data-claim=claim.id()>
                <a href=format!("{to}#claim") title=finding.sentence.clone()>
                    <span><b>{claim.id()}</b>" "{claim.statement()}</span>
                    <VerdictBadge verdict=finding.verdict />
                </a>
            </li>
        }
    };
    let cards = findings.findings.iter().map(card).collect_view();
    let mut n = format!(
        "n = {}, {}",
        format::plural(findings.runs.into(), "trained run", "trained runs"),
        format::plural(findings.seeds.len() as u64, "seed", "seeds")
    );
    if findings.pilot {
        n += "; a pilot: with fewer than 5 seeds, a verdict may not hold";
    }
    if !findings.left_out.is_empty() {
        let left_out = findings.left_out.len() as u64;
        n += &format!(
            "; {} left out: clean accuracy more than {} points from the control’s",
            format::plural(left_out, "run is", "runs are"),
            findings.window
        );
    }
    view! {
        <section aria-labelledby="verdicts-title">
            <div class="heading">
                <h2 id="verdicts-title">"What this experiment says about the claims of Leavitt & Morcos (2020)"</h2>
                <A href=ExperimentTab::Findings.address(id)>"Evidence and rules"</A>
            </div>
            <ol class="verdict-cards" id="verdicts">{cards}</ol>
            <p class="hint">{n}"."</p>
        </section>
    }
    .into_any()
}

/// Whether an accuracy among `classes` classes is no better than guessing: at most 1.5 times chance.
fn guesses(accuracy: f64, classes: usize) -> bool {
    accuracy * classes as f64 <= 1.5
}

/// Names the networks that have learnt nothing, so that nobody reads their robustness as such.
#[component]
fn Collapsed(now: PageSignals) -> impl IntoView {
    const NAMED: usize = 5;
    let notice = move || {
        now.runs.with(|runs| {
            let all: Vec<(&Run, f64, usize)> = runs
                .iter()
                .filter_map(|run| {
                    let accuracy = run.result.as_ref()?.test_accuracy;
                    let classes = run.started.as_ref()?.classes.len();
                    guesses(accuracy, classes).then_some((run, accuracy, classes))
                })
                .collect();
            let (_, _, classes) = *all.first()?;
            let named = all.iter().take(NAMED).map(|(run, accuracy, _)| {
                let (alpha, seed) = (format::alpha(run.spec.alpha), run.spec.seed);
                format!(
                    "run {} (α {alpha}, seed {seed}), {}",
                    run.id,
                    format::percent(*accuracy)
                )
            });
            let named = named.collect::<Vec<_>>().join("; ");
            let more = match all.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let networks =
                format::plural(all.len() as u64, "network is guessing", "networks are guessing");
            let text = format!("{networks} among the {classes} classes: {named}{more}. Robustness means nothing at this accuracy.");
            Some(view! { <p class="notice" id="collapsed">{text}</p> })
        })
    };
    view! { {notice} }
}

#[component]
fn Accuracy(now: PageSignals) -> impl IntoView {
    let points = Memo::new(move |_| now.runs.with(|runs| accuracy_selectivity::points(runs)));
    let chart = move || {
        let chart = now.summary.with(|summary| {
            let summary = summary.as_ref()?;
            Some(points.with(|points| accuracy_selectivity::chart(points, summary)))
        });
        let all = format::count(now.runs.with(Vec::len) as u64);
        let n = format::count(points.with(Vec::len) as u64);
        chart
            .unwrap_or_default()
            .note(format!(
                "Points are runs, diamonds are means per alpha; n = {n} of {all} runs."
            ))
            .how(now.measured("Bars"))
    };
    view! {
        <Figure
            id="figure-accuracy-selectivity"
            question="Does selectivity cost accuracy?"
            waiting="No run is trained yet. This is measured at the best epoch of each trained run."
            chart
        />
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a network that guesses goes unnamed, or one that has learnt something is said to guess.
    #[test]
    fn a_network_at_chance_has_collapsed() {
        assert!(guesses(0.1, 10) && guesses(0.15, 10) && guesses(0.05, 30));
        assert!(!guesses(0.2, 10) && !guesses(0.1, 30));
    }
}
