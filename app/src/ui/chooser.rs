//! A choice beside its label, for what a figure or a list shows.

use leptos::prelude::*;

use crate::data::choice::Choice;

/// A choice from a list.
#[component]
pub fn Chooser(
    /// The element's id.
    id: &'static str,
    /// Its label.
    label: &'static str,
    /// What there is to choose from.
    #[prop(into)]
    options: Signal<Vec<Choice>>,
    /// What is chosen now.
    #[prop(into)]
    value: Signal<String>,
    /// Called with another choice.
    choose: impl Fn(String) + Send + Sync + 'static,
) -> impl IntoView {
    let entries = move || {
        options
            .get()
            .into_iter()
            .map(|choice| {
                let own = choice.value.clone();
                let selected = move || value.with(|value| *value == own);
                view! { <option value=choice.value selected=selected>{choice.label}</option> }
            })
            .collect_view()
    };
    view! {
        <span class="control">
            <label for=id>{label}</label>
            <select id=id prop:value=move || value.get() on:change=move |event| choose(event_target_value(&event))>{entries}</select>
        </span>
    }
    .into_any()
}
