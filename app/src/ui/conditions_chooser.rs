//! A choice of conditions.

use leptos::prelude::*;

use super::Chooser;
use crate::data::conditions::{Conditions, choices};

/// A choice of conditions, where there are several.
#[component]
pub fn ConditionsChooser<C: Conditions>(
    /// The element's id.
    id: &'static str,
    /// Its label.
    #[prop(default = "Conditions")]
    label: &'static str,
    /// Every set of conditions.
    known: Memo<Vec<C>>,
    /// The set that is shown; none while nothing was measured.
    #[prop(into)]
    shown: Signal<Option<C>>,
    /// Called with another one, as it is written.
    choose: impl Fn(String) + Send + Sync + 'static,
) -> impl IntoView {
    let several = move || known.with(|known| known.len() > 1);
    let value = move || {
        let shown = shown.get();
        shown.map_or_else(String::new, |conditions| conditions.to_string())
    };
    view! {
        <div hidden=move || !several()>
            <Chooser
                id label options=Signal::derive(move || known.with(|known| choices(known)))
                value=Signal::derive(value) choose
            />
        </div>
    }
    .into_any()
}
