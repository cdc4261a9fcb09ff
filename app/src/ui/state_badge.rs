//! Where a run or an experiment stands.

use leptos::prelude::*;
use protocol::RunState;

/// What a person calls a state.
pub fn label(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "Queued",
        RunState::Running => "Running",
        RunState::Interrupted => "Interrupted",
        RunState::Cancelled => "Cancelled",
        RunState::Failed => "Failed",
        RunState::Diverged => "Diverged",
        RunState::Finished => "Finished",
    }
}

/// A sign for a state, so that its colour is not alone.
fn sign(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "…",
        RunState::Running => "▶",
        RunState::Interrupted => "‖",
        RunState::Cancelled => "■",
        RunState::Failed => "✕",
        RunState::Diverged => "∞",
        RunState::Finished => "✓",
    }
}

/// A state as sign, word and colour.
#[component]
pub fn StateBadge(
    /// The state.
    #[prop(into)]
    state: Signal<RunState>,
    /// The element's id, where a page has one such badge.
    #[prop(optional)]
    id: Option<&'static str>,
) -> impl IntoView {
    view! {
        <span id=id class="state" data-state=move || state.get().id()>
            <span aria-hidden="true">{move || sign(state.get())}</span>
            " "
            {move || label(state.get())}
        </span>
    }
    .into_any()
}
