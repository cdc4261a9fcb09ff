//! Confirmation of what loses something.

use leptos::html::{Button, Dialog};
use leptos::prelude::*;

/// A button that opens a dialog; only the dialog's second button acts.
#[component]
pub fn Confirm(
    /// What the button says, for example `Delete`.
    label: &'static str,
    /// The question, naming what would be lost.
    question: String,
    /// The action.
    on_confirm: impl Fn() + Send + Sync + Clone + 'static,
    /// Whether the button cannot be used now.
    #[prop(into, default = Signal::stored(false))]
    disabled: Signal<bool>,
) -> impl IntoView {
    let is_open = RwSignal::new(false);
    view! {
        <button type="button" class="danger" disabled=disabled on:click=move |_| is_open.set(true)>
            {label}
        </button>
        <Ask label question on_confirm is_open />
    }
    .into_any()
}

/// The dialog alone, for use without its button.
#[component]
pub fn Ask(
    /// The label of the button that acts.
    label: &'static str,
    /// The question, naming what would be lost.
    question: String,
    /// The action.
    on_confirm: impl Fn() + Send + Sync + Clone + 'static,
    /// Set it to open the dialog.
    is_open: RwSignal<bool>,
) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let cancel = NodeRef::<Button>::new();
    Effect::new(move |_| {
        if is_open.get() {
            open(dialog, cancel);
        } else {
            close(dialog);
        }
    });
    view! {
        // Also closed by the Escape key.
        <dialog node_ref=dialog aria-label=label on:close=move |_| is_open.set(false)>
            <p>{question}</p>
            <div class="actions">
                <button type="button" node_ref=cancel on:click=move |_| is_open.set(false)>"Keep"</button>
                <button
                    type="button"
                    class="danger"
                    on:click=move |_| {
                        is_open.set(false);
                        on_confirm();
                    }
                >
                    {label}
                </button>
            </div>
        </dialog>
    }
    .into_any()
}

#[cfg(feature = "hydrate")]
fn open(dialog: NodeRef<Dialog>, cancel: NodeRef<Button>) {
    if let Some(dialog) = dialog.get_untracked()
        && dialog.show_modal().is_err()
    {
        // It is open already.
        return;
    }
    if let Some(cancel) = cancel.get_untracked() {
        // Without the focus the dialog still works.
        let _ = cancel.focus();
    }
}

#[cfg(not(feature = "hydrate"))]
fn open(_dialog: NodeRef<Dialog>, _cancel: NodeRef<Button>) {}

#[cfg(feature = "hydrate")]
fn close(dialog: NodeRef<Dialog>) {
    if let Some(dialog) = dialog.get_untracked() {
        dialog.close();
    }
}

#[cfg(not(feature = "hydrate"))]
fn close(_dialog: NodeRef<Dialog>) {}
