//! How much is done.

use leptos::prelude::*;

/// A bar from 0 to 1 with its percentage beside it.
#[component]
pub fn ProgressBar(
    /// Share that is done, 0 to 1.
    #[prop(into)]
    share: Signal<f64>,
    /// What is being done, for screen readers.
    label: &'static str,
    /// The element's id, where a page has one such bar.
    #[prop(optional)]
    id: Option<&'static str>,
) -> impl IntoView {
    // Rounded down: 100 % is said when everything is done, and not before.
    let percent = move || (share.get().clamp(0.0, 1.0) * 100.0).floor();
    view! {
        <span class="progress">
            <span
                id=id
                class="track"
                role="progressbar"
                aria-label=label
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=move || percent().to_string()
            >
                <span class="fill" style:width=move || format!("{}%", percent())></span>
            </span>
            <span class="number">{move || format!("{} %", percent())}</span>
        </span>
    }
}
