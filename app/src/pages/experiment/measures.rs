//! What class selectivity does to average-case and worst-case robustness, their trade-off, and further tests.

use leptos::prelude::*;
use protocol::Corruption;
use protocol::attack::Attack;
use protocol::corruption::SEVERITIES;
use protocol::measure::Scatter;
use protocol::quantity::Quantity;

use super::geometry_controls::GeometryControls;
use super::view::{Selection, View};
use super::{PageSignals, Selections};
use crate::chart::Figure;
use crate::data::attacks::attack_choices;
use crate::data::choice::Choice;
use crate::data::corruptions::{by_family, corruption_choices, other_images, scale_choices};
use crate::data::query::{ALL, follow, setter};
use crate::figures::measures;
use crate::ui::{Chooser, ConditionsChooser, ErrorBox, EvaluateAgain, Target};

/// The attack that an answer is about; none while no run was attacked.
fn shown_attack(scatter: &Scatter) -> Option<Attack> {
    let about = |attack: Attack| {
        let label = Quantity::Attack(attack).label();
        let rest = scatter.y.strip_prefix(&label);
        rest.is_some_and(|rest| rest.is_empty() || rest == ", share of clean")
    };
    scatter
        .known_attacks
        .iter()
        .copied()
        .find(|&attack| about(attack))
}

/// A view's figure, with its controls.
#[component]
pub fn MeasuresFigure(
    /// What the page shows.
    now: PageSignals,
    /// The view.
    view: View,
    /// What the address selects.
    selections: Selections,
) -> impl IntoView {
    let scatter = now.scatters[view as usize]?;
    let selection = selections.views[view as usize];
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let error = follow(selection, scatter, move |wanted| {
        wanted.read(id.to_string())
    });
    let dataset = now
        .experiment
        .with_untracked(|experiment| experiment.spec.dataset.clone());
    let others = move || scatter.with(|scatter| other_images(scatter.conditions, &dataset));
    let scale = view.has_robustness().then(|| {
        view! {
            <Chooser
                id=view.keys().scale label="Shown as" options=Signal::stored(scale_choices())
                value=Signal::derive(move || selection.get().scale.id().to_owned())
                choose=setter(view.keys().scale)
            />
        }
    });
    // Nothing to choose from, unless a choice led here.
    let unmeasured = move || {
        let nothing = |scatter: &Scatter| {
            scatter.points.is_empty()
                && scatter.known_conditions.is_empty()
                && scatter.known_attacks.is_empty()
        };
        !view.has_geometry() && scatter.with(nothing)
    };
    let figure = view! {
        <Figure
            id=view.id()
            question=view.question()
            waiting=view.waiting()
            chart=move || scatter.with(measures::chart)
        >
            <div class="controls" hidden=unmeasured>
                {view.has_corruption().then(|| view! { <CorruptionControls view selection scatter /> })}
                {view.has_attack().then(|| view! { <AttackControls view scatter /> })}
                {view.has_geometry().then(|| view! { <GeometryControls now view selection scatter /> })}
                {scale}
            </div>
            {view.has_corruption().then(|| view! { <p class="hint">{others}</p> })}
            {move || error.get().map(|error| view! { <ErrorBox error /> })}
        </Figure>
    };
    Some(figure.into_any())
}

/// Which corruption at which severity: a choice of each, whose names are `keys`.
#[component]
pub fn CorruptionChoosers(
    /// The names of the corruption and of the severity: in the address, and of the elements.
    keys: [&'static str; 2],
    /// What the address selects; none where the mean over all is shown.
    #[prop(into)]
    selected: Signal<(Option<Corruption>, Option<u8>)>,
) -> impl IntoView {
    let [corruption, severity] = keys;
    let corruptions = corruption_choices(by_family(), ALL);
    let mut severities = vec![Choice::new(ALL, "Mean over all")];
    severities.extend(SEVERITIES.map(|one| Choice::new(one.to_string(), one.to_string())));
    view! {
        <Chooser
            id=corruption label="Corruption" options=Signal::stored(corruptions)
            value=Signal::derive(move || selected.get().0.map_or(ALL, Corruption::id).to_owned())
            choose=setter(corruption)
        />
        <Chooser
            id=severity label="Severity" options=Signal::stored(severities)
            value=Signal::derive(move || selected.get().1.map_or(ALL.to_owned(), |severity| severity.to_string()))
            choose=setter(severity)
        />
    }
    .into_any()
}

/// Which corruption accuracy is shown.
#[component]
fn CorruptionControls(
    view: View,
    selection: Memo<Selection>,
    scatter: RwSignal<Scatter>,
) -> impl IntoView {
    let keys = view.keys();
    let selected = Signal::derive(move || {
        let selection = selection.get();
        (selection.corruption, selection.severity)
    });
    let known = Memo::new(move |_| scatter.with(|scatter| scatter.known_conditions.clone()));
    let current = Signal::derive(move || scatter.with(|scatter| scatter.conditions));
    view! {
        <CorruptionChoosers keys=[keys.corruption, keys.severity] selected />
        <ConditionsChooser id=keys.conditions known shown=current choose=setter(keys.conditions) />
    }
    .into_any()
}

/// Which adversarial accuracy is shown.
#[component]
fn AttackControls(view: View, scatter: RwSignal<Scatter>) -> impl IntoView {
    let keys = view.keys();
    let attacks = Memo::new(move |_| scatter.with(|scatter| scatter.known_attacks.clone()));
    let none = move || attacks.with(Vec::is_empty);
    let known = Memo::new(move |_| scatter.with(|scatter| scatter.known_attack_conditions.clone()));
    let current = Signal::derive(move || scatter.with(|scatter| scatter.attack_conditions));
    let attack = Signal::derive(move || {
        let attack = scatter.with(shown_attack);
        attack.map_or_else(String::new, |attack| attack.to_string())
    });
    view! {
        <div hidden=none>
            <Chooser
                id=keys.attack label="Attack" options=Signal::derive(move || attacks.with(|attacks| attack_choices(attacks)))
                value=attack choose=setter(keys.attack)
            />
        </div>
        <ConditionsChooser
            id=keys.attack_conditions label="Attack conditions" known shown=current
            choose=setter(keys.attack_conditions)
        />
    }
    .into_any()
}

/// Further tests of every trained run.
#[component]
pub fn Again(now: PageSignals, after: Callback<()>) -> impl IntoView {
    let (id, spec) = now
        .experiment
        .with_untracked(|experiment| (experiment.id, experiment.spec.clone()));
    let untrained = Memo::new(move |_| {
        now.runs
            .with(|runs| runs.iter().all(|run| run.result.is_none()))
    });
    let blocked = Signal::derive(move || {
        untrained
            .get()
            .then_some("No run is trained yet, so there are no weights to test.")
    });
    view! { <EvaluateAgain target=Target::Experiment(id) dataset=spec.dataset network=spec.network start=spec.evaluation blocked after=move || after.run(()) /> }
}
