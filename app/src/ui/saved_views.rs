//! Saved views: this page with all its choices, under a name, for everyone who uses this server.

use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_location;
use protocol::saved_view::{NewView, SavedView};

use super::menu::close_by_escape;
use super::{Command, CommandError, use_command};
use crate::data::api::{self, Method};

/// The menu with the saved views, and a form that saves the page that is shown.
#[component]
pub fn SavedViews() -> impl IntoView {
    let (open, name) = (RwSignal::new(false), RwSignal::new(String::new()));
    let views = RwSignal::new(None::<Vec<SavedView>>);
    let command = use_command();
    // Whether a button of the menu is at work.
    let pressed = StoredValue::new(false);
    // Another page is shown: the menu has done its work.
    let (path, search) = (use_location().pathname, use_location().search);
    Effect::new(move |_| {
        path.track();
        search.track();
        open.set(false);
    });
    let reread = move || {
        command.wait(api::get::<Vec<SavedView>>("/views"), move |answer| {
            views.set(Some(answer));
        });
    };
    let toggled = move |event: leptos::ev::Event| {
        let is_open = is_open(&event);
        open.set(is_open);
        if is_open {
            reread();
        }
    };
    let save = move |event: SubmitEvent| {
        event.prevent_default();
        let view = NewView {
            name: name.get_untracked(),
            address: address(),
        };
        let Ok(body) = serde_json::to_string(&view) else {
            return; // Words are always JSON.
        };
        pressed.set_value(true);
        command.send::<SavedView>(Method::Post, "/views".into(), Some(body), move |_| {
            name.set(String::new());
            reread();
        });
    };
    let field = NodeRef::<html::Input>::new();
    refocus(command, pressed, field);
    let row = move |view: SavedView| {
        let path = format!("/views/{}", view.id);
        let delete = move |_| {
            pressed.set_value(true);
            command.send::<()>(Method::Delete, path.clone(), None, move |()| reread());
        };
        let label = format!("Delete the view {}", view.name);
        view! {
            <li data-view=view.id>
                <A href=view.address.clone() on:click=move |_| open.set(false)>{view.name.clone()}</A>
                <button type="button" class="quiet icon" aria-label=label.clone() title=label disabled=command.busy on:click=delete>"×"</button>
            </li>
        }
    };
    let none = move || views.with(|views| views.as_ref().is_some_and(Vec::is_empty));
    view! {
        <details class="menu labelled views" id="views" prop:open=open on:toggle=toggled on:keydown=|event| close_by_escape(&event)>
            <summary>"Views"</summary>
            <div class="menu-items">
                <form on:submit=save>
                    <label for="view-name">"Save the address of this page as"</label>
                    <input node_ref=field id="view-name" type="text" autocomplete="off" maxlength="100" required prop:value=name on:input=move |event| name.set(event_target_value(&event)) />
                    <button type="submit" disabled=command.busy>"Save"</button>
                </form>
                <CommandError command />
                <p class="hint" hidden=move || !none()>"No view is saved yet. Everyone who uses this server sees the same views."</p>
                <ul><For each=move || views.get().unwrap_or_default() key=|view| view.id children=row /></ul>
            </div>
        </details>
    }
    .into_any()
}

/// Gives the field the focus after a command of the menu: a button that is disabled meanwhile, or goes away with its view, loses it.
fn refocus(command: Command, pressed: StoredValue<bool>, field: NodeRef<html::Input>) {
    Effect::new(move |_| {
        if !command.busy.get()
            && pressed.get_value()
            && let Some(field) = field.get_untracked()
        {
            pressed.set_value(false);
            let _ = field.focus();
        }
    });
}

/// Whether the menu that was toggled is open now.
#[cfg(feature = "hydrate")]
fn is_open(event: &leptos::ev::Event) -> bool {
    use wasm_bindgen::JsCast;

    let menu = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    menu.is_some_and(|menu| menu.has_attribute("open"))
}

#[cfg(not(feature = "hydrate"))]
fn is_open(_event: &leptos::ev::Event) -> bool {
    false
}

/// The page that is shown, with its choices.
#[cfg(feature = "hydrate")]
fn address() -> String {
    let location = window().location();
    // A document always has an address.
    [location.pathname(), location.search(), location.hash()]
        .map(Result::unwrap_or_default)
        .concat()
}

#[cfg(not(feature = "hydrate"))]
fn address() -> String {
    String::new()
}
