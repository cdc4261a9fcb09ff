//! A menu for rare actions, such as deleting.

use leptos::prelude::*;

/// Opens to its children.
#[component]
pub fn Menu(
    /// What it is about, for screen readers.
    label: String,
    /// What it holds.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="menu">
            <summary aria-label=label.clone() title=label><span aria-hidden="true">"⋯"</span></summary>
            <div class="menu-items">{children()}</div>
        </details>
    }
    .into_any()
}
