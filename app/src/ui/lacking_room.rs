//! A disk that is full, or a store that takes nothing.

use leptos::prelude::*;

/// Says that no new work starts, and why; nothing while all is well.
#[component]
pub fn LackingRoom(
    /// The server's reason.
    #[prop(into)]
    reason: Signal<Option<String>>,
) -> impl IntoView {
    move || {
        reason.get().map(|reason| {
            view! { <p class="notice" id="lacking-room" role="status">"The queue is waiting: " {reason} "."</p> }
        })
    }
}
