//! Runs one by one, where few are compared: their curves over each other, and where one differs from a baseline.

use futures::future::join_all;
use futures::try_join;
use leptos::prelude::*;
use protocol::api::ApiError;
use protocol::comparison::Comparison;
use protocol::training_curve::CurveQuantity;
use protocol::{EpochMetrics, Measurement, Run};

use crate::chart::Figure;
use crate::data::api;
use crate::data::choice::Choice;
use crate::data::query::{chosen, naming_setter};
use crate::figures::compared_runs::{self, ComparedRun, Curve, MOST_RUNS};
use crate::figures::run_attacks::Budget;
use crate::ui::Chooser;

/// The run that others are compared with: the name of the choice in the address, and of the element.
pub const BASELINE: &str = "baseline";
/// The run whose difference from it is drawn.
pub const OTHER: &str = "against";
/// The quantity over the epochs.
pub const CURVE: &str = "curve";

/// The runs of `comparison` with their epochs and measurements, and why some cannot be read; none where there are too many to tell
/// apart, or only one.
pub async fn read(comparison: &Comparison) -> (Vec<ComparedRun>, Vec<ApiError>) {
    let groups = comparison.groups.iter();
    let mut ids: Vec<i64> = groups
        .flat_map(|group| &group.runs)
        .map(|run| run.run_id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if !(2..=MOST_RUNS).contains(&ids.len()) {
        return (Vec::new(), Vec::new());
    }
    let answers = join_all(ids.into_iter().map(read_run)).await;
    let (mut runs, mut errors) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok(run) => runs.push(run),
            Err(error) => errors.push(error),
        }
    }
    (runs, errors)
}

async fn read_run(id: i64) -> Result<ComparedRun, ApiError> {
    let (run, epochs, measurements): (Run, Vec<EpochMetrics>, Vec<Measurement>) = try_join!(
        api::get_part(&format!("/runs/{id}")),
        api::get_part(&format!("/runs/{id}/metrics")),
        api::get_part(&format!("/runs/{id}/measurements")),
    )?;
    let measurements = measurements.into_iter().filter(ComparedRun::is_drawn);
    Ok(ComparedRun {
        id,
        experiment: run.experiment_id,
        network: run.spec.network,
        alpha: run.spec.alpha,
        seed: run.spec.seed,
        epochs,
        measurements: measurements.collect(),
    })
}

/// A run that the address names under `key`, if it is one of `runs`.
fn named(runs: StoredValue<Vec<ComparedRun>>, key: &'static str) -> Memo<Option<i64>> {
    let chosen = chosen(key);
    Memo::new(move |_| {
        let id = chosen.get()?.parse().ok()?;
        runs.with_value(|runs| runs.iter().any(|run| run.id == id))
            .then_some(id)
    })
}

/// The figures.
#[component]
pub fn RunByRun(
    /// Two runs or more.
    runs: Vec<ComparedRun>,
) -> impl IntoView {
    let runs = StoredValue::new(runs);
    let baseline = named(runs, BASELINE);
    let first = runs.with_value(|runs| runs[0].id);
    let baseline = Memo::new(move |_| baseline.get().unwrap_or(first));
    let budget = move |budget: Budget| {
        move || runs.with_value(|runs| compared_runs::by_budget(runs, budget, baseline.get()))
    };
    view! {
        <section aria-labelledby="run-by-run-title" id="run-by-run">
            <h2 id="run-by-run-title">"Run by run"</h2>
            <div class="controls">
                <Chooser
                    id=BASELINE label="Baseline" options=choices(runs)
                    value=Signal::derive(move || baseline.get().to_string()) choose=naming_setter(BASELINE)
                />
                <Bench runs />
            </div>
            <div class="figures">
                <Curves runs baseline />
                <Figure
                    id="figure-run-by-run-severity" question="Which network loses more as severity increases?" waiting="None of these runs was tested on corruptions."
                    chart=move || runs.with_value(|runs| compared_runs::by_severity(runs, baseline.get()))
                />
                <Figure
                    id="figure-run-by-run-epsilon" question="Which network loses more as epsilon increases?" waiting="None of these runs was tested with FGSM."
                    chart=budget(Budget::Epsilon)
                />
                <Figure
                    id="figure-run-by-run-steps" question="Which network loses more with more PGD steps?" waiting="None of these runs was tested with PGD."
                    chart=budget(Budget::Steps)
                />
                <Difference runs baseline />
            </div>
        </section>
    }
    .into_any()
}

/// The runs as choices.
fn choices(runs: StoredValue<Vec<ComparedRun>>) -> Signal<Vec<Choice>> {
    let choice = |run: &ComparedRun| Choice::new(run.id.to_string(), run.label());
    Signal::stored(runs.with_value(|runs| runs.iter().map(choice).collect()))
}

/// Training, in a quantity that the address names.
#[component]
fn Curves(runs: StoredValue<Vec<ComparedRun>>, baseline: Memo<i64>) -> impl IntoView {
    let named = chosen(CURVE);
    let curve = Memo::new(move |_| {
        let all = runs.with_value(|runs| Curve::all(runs));
        let named = named.get().and_then(|name| name.parse().ok());
        let usual = Curve::Network(CurveQuantity::ValidationAccuracy);
        named.filter(|curve| all.contains(curve)).unwrap_or(usual)
    });
    let choices = runs.with_value(|runs| {
        let network = runs[0].network;
        let choice = |curve: Curve| Choice::new(curve.id(), curve.label(network));
        Curve::all(runs).into_iter().map(choice).collect::<Vec<_>>()
    });
    view! {
        <Figure
            id="figure-run-by-run-training" question="How did training differ?" waiting="None of these runs was trained here."
            chart=move || runs.with_value(|runs| compared_runs::curves(runs, curve.get(), baseline.get()))
        >
            <div class="controls">
                <Chooser
                    id=CURVE label="Quantity" options=Signal::stored(choices)
                    value=Signal::derive(move || curve.get().id()) choose=naming_setter(CURVE)
                />
            </div>
        </Figure>
    }
    .into_any()
}

/// Where one run differs from the baseline.
#[component]
fn Difference(runs: StoredValue<Vec<ComparedRun>>, baseline: Memo<i64>) -> impl IntoView {
    let chosen = named(runs, OTHER);
    let other = Memo::new(move |_| {
        let baseline = baseline.get();
        let next = || {
            runs.with_value(|runs| {
                let mut ids = runs.iter().map(|run| run.id);
                ids.find(|&id| id != baseline)
            })
        };
        let chosen = chosen.get().filter(|&id| id != baseline);
        chosen.or_else(next).unwrap_or(baseline)
    });
    let chart = move || {
        runs.with_value(|runs| {
            let find = |id: i64| runs.iter().find(|run| run.id == id);
            let pair = find(baseline.get()).zip(find(other.get()));
            pair.map_or_else(Default::default, |(baseline, other)| {
                compared_runs::difference(baseline, other)
            })
        })
    };
    view! {
        <Figure
            id="figure-run-by-run-difference" question="Under which corruptions do the two networks differ?" waiting="The two runs were not tested on the same corruptions."
            chart
        >
            <div class="controls">
                <Chooser
                    id=OTHER label="Compared with the baseline" options=choices(runs)
                    value=Signal::derive(move || other.get().to_string()) choose=naming_setter(OTHER)
                />
            </div>
        </Figure>
    }
    .into_any()
}

/// The way to the same image in each network, where the bench can show them: at most three runs of one experiment.
#[component]
fn Bench(runs: StoredValue<Vec<ComparedRun>>) -> impl IntoView {
    let address = runs.with_value(|runs| {
        let experiment = runs[0].experiment;
        let together = runs.len() <= 3 && runs.iter().all(|run| run.experiment == experiment);
        together.then(|| {
            let ids: Vec<String> = runs.iter().map(|run| run.id.to_string()).collect();
            format!("/experiments/{experiment}/perturb?runs={}", ids.join(","))
        })
    });
    address
        .map(|address| view! { <a class="button" href=address>"Show them the same image"</a> })
        .into_any()
}
