//! One unit, looked at closely.

use leptos::prelude::*;
use protocol::dimensionality::Perturbation;
use protocol::unit::UnitDetail;

use super::PageSignals;
use super::images::Images;
use super::view::{View, neighbours};
use crate::chart::Figure;
use crate::data::choice::Choice;
use crate::figures::unit_tuning::{self, Shown, TOP, default_perturbation};
use crate::figures::{unit_gradients, unit_perturbed, unit_training};
use crate::format;
use crate::ui::{Chooser, ErrorBox};

/// The section.
#[component]
pub fn Unit(now: PageSignals, busy: RwSignal<bool>) -> impl IntoView {
    let detail = Memo::new(move |_| now.unit.with(|unit| unit.clone().and_then(Result::ok)));
    let none = Memo::new(move |_| detail.with(Option::is_none));
    let error = move || {
        let error = now.unit.with(|unit| unit.clone().and_then(Result::err));
        error.map(|error| view! { <ErrorBox error /> })
    };
    // The unit that is shown; it lags behind the address while an answer is pending.
    let current_unit =
        move || detail.with(|detail| detail.as_ref().map(|detail| detail.summary.unit));
    let unasked = move || now.view.with(|view| view.unit.is_none());
    view! {
        <section id="unit" class="unit" aria-label="One unit" data-unit-detail=current_unit aria-busy=move || busy.get().to_string()>
            <p class="empty" hidden=move || !unasked()>"Choose a unit in the table to see what it responds to."</p>
            {error}
            <div class="unit" hidden=move || none.get() || unasked()>
                <Header now detail />
                <Facts detail />
                <div class="figures">
                    <Tuning now detail />
                    <Figure
                        id="figure-unit-selectivity-perturbed"
                        question="Does perturbation change its selectivity?"
                        waiting="Responses to perturbed images were not kept. Evaluate the run again with dimensionality, on the run's page."
                        chart=move || detail.with(|detail| unit_perturbed::chart(detail.as_ref()))
                    />
                </div>
                <Images detail />
                <div class="figures">
                    <Figure
                        id="figure-unit-gradients"
                        question="How evenly does it respond to changes in the image?"
                        waiting="Its input gradient was not measured. Evaluate the run again with input-unit gradients, on the run's page."
                        chart=move || detail.with(|detail| unit_gradients::chart(detail.as_ref()))
                    />
                    <Figure
                        id="figure-unit-training"
                        question="How did this unit's selectivity grow?"
                        waiting="The selectivity of single units after each epoch was not kept when this run was trained. Copy the experiment and train it again to get it."
                        chart=move || detail.with(|detail| unit_training::chart(detail.as_ref()))
                    />
                </div>
            </div>
        </section>
    }
    .into_any()
}

/// Which unit, and the way to its neighbours in the table.
#[component]
fn Header(now: PageSignals, detail: Memo<Option<UnitDetail>>) -> impl IntoView {
    let title = move || {
        detail.with(|detail| {
            detail
                .as_ref()
                .map(|detail| format!("{}, unit {}", detail.layer, detail.summary.unit))
        })
    };
    let beside = Memo::new(move |_| {
        let unit = now.view.with(|view| view.unit);
        unit.map_or((None, None), |unit| {
            now.order.with(|order| neighbours(order, unit))
        })
    });
    let go = move |unit: Option<u32>| {
        if unit.is_some() {
            now.change(|view| View { unit, ..view });
        }
    };
    let previous = move || beside.get().0;
    let next = move || beside.get().1;
    view! {
        <div class="heading">
            <h2 id="unit-title">{title}</h2>
            <nav class="actions" aria-label="Other units, in the table's order">
                <button type="button" id="unit-previous" disabled=move || previous().is_none() on:click=move |_| go(previous())>"Previous unit"</button>
                <button type="button" id="unit-next" disabled=move || next().is_none() on:click=move |_| go(next())>"Next unit"</button>
            </nav>
        </div>
    }
}

/// The unit's numbers.
#[component]
fn Facts(detail: Memo<Option<UnitDetail>>) -> impl IntoView {
    let fact = move |field: fn(&UnitDetail) -> Option<String>| {
        move || {
            let words = detail.with(|detail| detail.as_ref().and_then(field));
            words.unwrap_or_else(|| "–".to_owned())
        }
    };
    let selectivity = fact(|detail| {
        Some(format!(
            "{:.3} (0 to 1, test images)",
            detail.summary.selectivity
        ))
    });
    let class = fact(|detail| {
        let class = detail.summary.preferred_class as usize;
        detail.classes.get(class).cloned()
    });
    let cv = fact(|detail| detail.summary.gradient_cv.map(|cv| format!("{cv:.3}")));
    let norm = fact(|detail| detail.summary.gradient_norm.map(format::significant));
    let response = fact(|detail| detail.summary.mean_response.map(format::significant));
    let dead = fact(|detail| {
        let words = |dead| if dead { "yes" } else { "no" };
        detail.summary.dead.map(|dead| words(dead).to_owned())
    });
    view! {
        <dl class="facts">
            <div><dt>"Selectivity index"</dt><dd id="unit-selectivity">{selectivity}</dd></div>
            <div><dt>"Preferred class"</dt><dd id="unit-class">{class}</dd></div>
            <div><dt>"Gradient variability, CV_u"</dt><dd>{cv}</dd></div>
            <div><dt>"Gradient norm, μ_u"</dt><dd>{norm}</dd></div>
            <div><dt>"Mean response"</dt><dd>{response}</dd></div>
            <div><dt>"Dead"</dt><dd>{dead}</dd></div>
        </dl>
    }
}

/// Mean responses by class, clean and under one perturbation.
#[component]
fn Tuning(now: PageSignals, detail: Memo<Option<UnitDetail>>) -> impl IntoView {
    let shown = Memo::new(move |_| {
        let fallback = || detail.with(|detail| detail.as_ref().and_then(default_perturbation));
        // What was chosen for one run may not have been measured on another.
        let measured = |wanted: &Perturbation| {
            detail.with(|detail| {
                let mut all = detail.iter().flat_map(|detail| &detail.tuning);
                all.any(|tuning| tuning.perturbation == *wanted)
            })
        };
        now.view.with(|view| Shown {
            perturbation: view.perturbation.filter(measured).or_else(fallback),
            listed: view.listed,
            all: view.all_classes,
        })
    });
    let perturbations = Memo::new(move |_| {
        detail.with(|detail| {
            let all = detail.iter().flat_map(|detail| &detail.tuning);
            all.map(|tuning| {
                let label = match tuning.perturbation {
                    Perturbation::Clean => "Nothing (clean only)".to_owned(),
                    other => other.label(),
                };
                Choice::new(tuning.perturbation.to_string(), label)
            })
            .collect::<Vec<_>>()
        })
    });
    let orders = vec![
        Choice::new("response", "By clean response"),
        Choice::new("list", "As listed"),
    ];
    let numbers = vec![
        Choice::new("top", format!("The first {TOP}")),
        Choice::new("all", "All"),
    ];
    let few = move || {
        detail.with(|detail| {
            detail
                .as_ref()
                .is_none_or(|detail| detail.classes.len() <= TOP)
        })
    };
    let unmeasured = move || perturbations.with(Vec::is_empty);
    let unmatched = move || detail.with(|detail| detail.as_ref()?.unmatched.clone());
    view! {
        <Figure
            id="figure-unit-tuning"
            question="Which classes does this unit respond to?"
            waiting="Mean responses to classes were not kept. Evaluate the run again with dimensionality, on the run's page."
            chart=move || detail.with(|detail| unit_tuning::chart(detail.as_ref(), shown.get()))
        >
            {move || unmatched().map(|reason| view! { <p class="notice">"Corruptions are left out: "{reason}"."</p> })}
            <div class="controls" hidden=unmeasured>
                <Chooser
                    id="unit-perturbation" label="Compare with" options=perturbations
                    value=Signal::derive(move || shown.get().perturbation.unwrap_or(Perturbation::Clean).to_string())
                    choose=move |value| now.change(|view| View { perturbation: value.parse().ok(), ..view })
                />
                <Chooser
                    id="unit-classes-by" label="Order" options=Signal::stored(orders)
                    value=Signal::derive(move || if shown.get().listed { "list" } else { "response" }.to_owned())
                    choose=move |value| now.change(|view| View { listed: value == "list", ..view })
                />
                <div hidden=few>
                    <Chooser
                        id="unit-classes" label="Classes" options=Signal::stored(numbers)
                        value=Signal::derive(move || if shown.get().all { "all" } else { "top" }.to_owned())
                        choose=move |value| now.change(|view| View { all_classes: value == "all", ..view })
                    />
                </div>
            </div>
        </Figure>
    }
    .into_any()
}
