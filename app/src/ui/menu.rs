//! A menu for rare actions, such as deleting.

use leptos::ev::KeyboardEvent;
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
        <details class="menu" on:keydown=|event| close_by_escape(&event)>
            <summary aria-label=label.clone() title=label><span aria-hidden="true">"⋯"</span></summary>
            <div class="menu-items">{children()}</div>
        </details>
    }
    .into_any()
}

/// Closes the menu that a key was pressed in, where that is the Escape key; its heading gets the focus.
#[cfg(feature = "hydrate")]
pub fn close_by_escape(event: &KeyboardEvent) {
    use wasm_bindgen::JsCast;
    use web_sys::{Element, HtmlElement};

    // A dialog inside the menu is closed by the same key, and is not the menu.
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok());
    if target.is_some_and(|target| matches!(target.closest("dialog"), Ok(Some(_)))) {
        return;
    }
    let menu = event
        .current_target()
        .and_then(|target| target.dyn_into::<Element>().ok());
    let Some(menu) = menu.filter(|menu| menu.has_attribute("open") && event.key() == "Escape")
    else {
        return;
    };
    event.stop_propagation();
    // Neither fails for a menu: the attribute's name is one, and a summary is an element that can have the focus.
    let _ = menu.remove_attribute("open");
    let heading = menu.query_selector("summary").ok().flatten();
    if let Some(heading) = heading.and_then(|heading| heading.dyn_into::<HtmlElement>().ok()) {
        let _ = heading.focus();
    }
}

/// Does nothing outside a browser.
#[cfg(not(feature = "hydrate"))]
pub fn close_by_escape(_event: &KeyboardEvent) {}
