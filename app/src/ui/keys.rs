//! Keys that work on every page, and the list of all keys.

use leptos::html::{Button, Dialog};
use leptos::{ev, prelude::*};

use crate::data::selection::selected_runs;

/// Every key, with what it does.
const KEYS: [(&str, &str); 8] = [
    ("?", "show this list"),
    ("/", "go to the search or filter field of the page"),
    ("x", "clear the selection of runs"),
    (
        "← →, space, Page Up, Page Down",
        "presentation: previous or next slide",
    ),
    ("Home, End", "presentation: first or last slide"),
    ("n", "presentation: show the numbers and notes of a slide"),
    (
        "s",
        "presentation: switch between raw accuracy and share of clean accuracy",
    ),
    (
        "Esc",
        "close the open dialog or menu; leave the presentation",
    ),
];

/// The keys, and the dialog that lists them.
#[component]
pub fn Keys() -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let close = NodeRef::<Button>::new();
    let selected = selected_runs();
    let listener = window_event_listener(ev::keydown, move |event| {
        // Key combinations are the browser's, and letters belong to the field that they are typed into.
        let combined = event.ctrl_key() || event.alt_key() || event.meta_key();
        if combined || is_typing() || dialog_is_open() {
            return;
        }
        match event.key().as_str() {
            "?" => open(dialog, close),
            "/" if focus_search() => event.prevent_default(),
            "x" => selected.set(Default::default()),
            _ => {}
        }
    });
    on_cleanup(move || listener.remove());
    let rows = KEYS
        .map(|(key, effect)| view! { <tr><th scope="row"><kbd>{key}</kbd></th><td>{effect}</td></tr> })
        .collect_view();
    view! {
        <dialog id="keys" node_ref=dialog aria-labelledby="keys-title">
            <h2 id="keys-title">"Keyboard shortcuts"</h2>
            <table><tbody>{rows}</tbody></table>
            <form method="dialog" class="actions"><button node_ref=close>"Close"</button></form>
        </dialog>
    }
    .into_any()
}

/// Whether a field has the focus that takes letters.
#[cfg(feature = "hydrate")]
fn is_typing() -> bool {
    let Some(element) = document().active_element() else {
        return false;
    };
    let name = element.tag_name().to_ascii_lowercase();
    matches!(name.as_str(), "input" | "textarea" | "select")
}

#[cfg(not(feature = "hydrate"))]
fn is_typing() -> bool {
    false
}

/// Whether a dialog is open, to which all keys belong.
#[cfg(feature = "hydrate")]
pub fn dialog_is_open() -> bool {
    matches!(document().query_selector("dialog[open]"), Ok(Some(_)))
}

/// Whether a dialog is open, to which all keys belong.
#[cfg(not(feature = "hydrate"))]
pub fn dialog_is_open() -> bool {
    false
}

/// Moves the focus to the page's search or filter, if it has one.
#[cfg(feature = "hydrate")]
fn focus_search() -> bool {
    use wasm_bindgen::JsCast;

    let field = document().query_selector("main input[type=search]");
    let field = field.ok().flatten();
    let field = field.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok());
    field.is_some_and(|field| field.focus().is_ok())
}

#[cfg(not(feature = "hydrate"))]
fn focus_search() -> bool {
    false
}

#[cfg(feature = "hydrate")]
fn open(dialog: NodeRef<Dialog>, close: NodeRef<Button>) {
    // An error means that it is open already.
    if let Some(dialog) = dialog.get_untracked()
        && dialog.show_modal().is_ok()
        && let Some(close) = close.get_untracked()
    {
        let _ = close.focus();
    }
}

#[cfg(not(feature = "hydrate"))]
fn open(_dialog: NodeRef<Dialog>, _close: NodeRef<Button>) {}
