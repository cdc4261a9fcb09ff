//! The benchmark's aggregates: mean accuracy, and the error relative to a baseline run.

use leptos::prelude::*;
use protocol::api::ApiError;
use protocol::corruption_evaluation::{CorruptionMeasurement, relative_corruption_error};
use protocol::measure::{Scatter, ScatterPoint};
use protocol::quantity::{Quantity, Scale};
use protocol::{Measurement, Run};
use serde::{Deserialize, Serialize};

use super::Shown;
use crate::data::api;
use crate::data::choice::Choice;
use crate::data::corruptions::{mean, under, value};
use crate::format;
use crate::ui::Chooser;

/// The runs that this one can be compared with, and what the chosen one measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Comparison {
    candidates: Vec<ScatterPoint>,
    baseline: Option<ScatterPoint>,
    measured: Vec<CorruptionMeasurement>,
}

/// What is compared: run and seed, its experiment, the conditions, and the baseline that was chosen.
#[derive(Debug, Clone, PartialEq)]
struct Request {
    run: i64,
    seed: u64,
    experiment: i64,
    conditions: Option<protocol::corruption_evaluation::CorruptionConditions>,
    chosen: Option<i64>,
}

/// The control of the same seed: alpha 0, and not the run itself.
fn default_baseline(candidates: &[ScatterPoint], seed: u64) -> Option<ScatterPoint> {
    candidates
        .iter()
        .find(|point| point.alpha == 0.0 && point.seed == seed)
        .copied()
}

async fn compare(request: Request) -> Result<Option<Comparison>, ApiError> {
    let Some(conditions) = request.conditions else {
        return Ok(None);
    };
    let all = Quantity::Corruption {
        corruption: None,
        severity: None,
    };
    let path = format!(
        "/experiments/{}/scatter?x={}&y={all}&scale={}&conditions={conditions}",
        request.experiment,
        Quantity::Selectivity,
        Scale::Raw.id()
    );
    let mut candidates = api::get_part::<Scatter>(&path).await?.points;
    candidates.retain(|point| point.run_id != request.run);
    let baseline = match request.chosen {
        Some(id) => candidates.iter().find(|point| point.run_id == id).copied(),
        None => default_baseline(&candidates, request.seed),
    };
    let measured = match baseline {
        Some(point) => {
            let path = format!("/runs/{}/measurements", point.run_id);
            let measured = api::get_part::<Vec<Measurement>>(&path).await?;
            under(&measured, conditions)
        }
        None => Vec::new(),
    };
    Ok(Some(Comparison {
        candidates,
        baseline,
        measured,
    }))
}

fn name(point: &ScatterPoint) -> String {
    format!(
        "run {}: α {}, seed {}",
        point.run_id,
        format::alpha(point.alpha),
        point.seed
    )
}

/// The error relative to the baseline, or why there is none.
fn relative(
    measured: &[CorruptionMeasurement],
    comparison: Option<&Result<Option<Comparison>, ApiError>>,
) -> String {
    let comparison = match comparison {
        None => return "Loading …".to_owned(),
        Some(Err(error)) => return error.detail.clone(),
        Some(Ok(None)) => return "–".to_owned(),
        Some(Ok(Some(comparison))) => comparison,
    };
    match &comparison.baseline {
        None if comparison.candidates.is_empty() => {
            "– (no other run was tested under the same conditions)".to_owned()
        }
        None => "– (choose a baseline)".to_owned(),
        Some(point) => match relative_corruption_error(measured, &comparison.measured) {
            Some(error) => format!("{} of the error of {}", format::percent(error), name(point)),
            None => format!(
                "– ({} was not tested on the same corruptions and severities, or made no error on one of the corruptions)",
                name(point)
            ),
        },
    }
}

/// The aggregates as facts.
#[component]
pub fn Aggregate(run: RwSignal<Run>, shown: Shown) -> impl IntoView {
    let chosen = RwSignal::new(None::<i64>);
    let (id, seed, experiment) =
        run.with_untracked(|run| (run.id, run.spec.seed, run.experiment_id));
    let comparison = Resource::new(
        move || Request {
            run: id,
            seed,
            experiment,
            conditions: shown.tested.conditions.get(),
            chosen: chosen.get(),
        },
        compare,
    );
    let average = move |scale: Scale| {
        shown.measured.with(|measured| {
            mean(measured.iter().map(|one| value(one, scale)))
                .map_or("–".to_owned(), format::percent)
        })
    };
    let clean = move || {
        shown.measured.with(|measured| {
            measured.first().map_or("–".to_owned(), |one| {
                super::super::result::share(one.clean_accuracy, one.conditions.images)
            })
        })
    };
    let facts = move || {
        // Read here, so that the answer is shown once it is there.
        let now = comparison.get();
        let options = match &now {
            Some(Ok(Some(comparison))) => options(comparison),
            _ => Vec::new(),
        };
        let held = match &now {
            Some(Ok(Some(comparison))) => comparison
                .baseline
                .map_or_else(String::new, |point| point.run_id.to_string()),
            _ => String::new(),
        };
        let several = options.len() > 1;
        let words = shown
            .measured
            .with(|measured| relative(measured, now.as_ref()));
        view! {
            <dd id="relative-error">{words}</dd>
            {several.then(|| view! {
                <dd><Chooser id="baseline" label="Baseline" options=Signal::stored(options) value=Signal::stored(held) choose=move |value| chosen.set(value.parse().ok()) /></dd>
            })}
        }
    };
    view! {
        <dl class="facts">
            <div><dt>"Clean accuracy on the same images"</dt><dd>{clean}</dd></div>
            <div><dt>"Mean accuracy over all corruptions and severities"</dt><dd id="mean-corruption-accuracy">{move || average(Scale::Raw)}</dd></div>
            <div><dt>"Mean share of clean accuracy"</dt><dd>{move || average(Scale::ShareOfClean)}</dd></div>
            <div>
                <dt>"Error relative to a baseline run"</dt>
                <Transition fallback=|| view! { <dd>"Loading …"</dd> }>{facts}</Transition>
            </div>
        </dl>
        <p class="hint">
            "Relative error: for each corruption, the error summed over severities and divided by the baseline's; then the mean over corruptions. Below 100 %: more robust than the baseline, or better on clean images."
        </p>
    }
    .into_any()
}

/// The runs to compare with, and an empty choice while none is chosen.
fn options(comparison: &Comparison) -> Vec<Choice> {
    let none = comparison
        .baseline
        .is_none()
        .then(|| Choice::new("", "Choose a run"));
    none.into_iter()
        .chain(
            comparison
                .candidates
                .iter()
                .map(|point| Choice::new(point.run_id.to_string(), name(point))),
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::corruptions::tests::measured;
    use protocol::Corruption;

    fn point(run_id: i64, alpha: f64, seed: u64) -> ScatterPoint {
        ScatterPoint {
            run_id,
            alpha,
            seed,
            x: 0.0,
            y: 0.0,
        }
    }

    /// Broken by: a baseline of another seed or alpha taken unasked.
    #[test]
    fn the_control_of_the_same_seed_is_the_baseline() {
        let runs = [point(1, 0.0, 0), point(2, 0.0, 1), point(3, 1.0, 1)];
        assert_eq!(
            default_baseline(&runs, 1).map(|point| point.run_id),
            Some(2)
        );
        assert_eq!(default_baseline(&runs, 2), None);
    }

    /// Broken by: a number shown against a baseline that was tested on something else, or no word on why none is.
    #[test]
    fn what_cannot_be_compared_says_so() {
        let own = [measured(Corruption::Fog, 1, 0.9)];
        let with = |measured: Vec<CorruptionMeasurement>| {
            let comparison = Comparison {
                candidates: vec![point(2, 0.0, 1)],
                baseline: Some(point(2, 0.0, 1)),
                measured,
            };
            relative(&own, Some(&Ok(Some(comparison))))
        };
        assert_eq!(
            with(vec![measured(Corruption::Fog, 1, 0.8)]),
            "50.0 % of the error of run 2: α 0, seed 1"
        );
        assert!(with(vec![measured(Corruption::Fog, 2, 0.8)]).contains("not tested on the same"));
    }
}
