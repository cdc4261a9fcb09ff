//! Tells that an experiment has ended, also while another window is in front.

use leptos::prelude::*;

/// A button that asks for permission to notify, while something is at work; the notification comes when it ends.
#[component]
pub fn EndNotice(
    /// Whether something is at work.
    active: Memo<bool>,
    /// What the notification says.
    #[prop(into)]
    message: Signal<String>,
    /// Set once it has ended while the page was open.
    ended: RwSignal<bool>,
) -> impl IntoView {
    let answer = RwSignal::new(leave());
    // The server cannot know the permission.
    Effect::new(move |_| answer.set(leave()));
    Effect::new(move |before: Option<bool>| {
        let now = active.get();
        if before == Some(true) && !now {
            ended.set(true);
            notify(&message.get_untracked());
        }
        now
    });
    view! {
        <button type="button" class="quiet" id="notify" hidden=move || !active.get() || answer.get() != Leave::NotAsked on:click=move |_| ask(answer)>
            "Notify me when it ends"
        </button>
        <span class="hint" hidden=move || !active.get() || answer.get() != Leave::Given>"You will be notified when it ends."</span>
    }
    .into_any()
}

/// Whether the browser shows notifications of this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    NotAsked,
    Given,
    /// Refused, or there are no notifications here.
    None,
}

#[cfg(feature = "hydrate")]
fn leave() -> Leave {
    use web_sys::{Notification, NotificationPermission};

    // Neither HTTPS nor localhost: there are no notifications.
    if js_sys::Reflect::has(&js_sys::global(), &"Notification".into()) != Ok(true) {
        return Leave::None;
    }
    match Notification::permission() {
        NotificationPermission::Granted => Leave::Given,
        NotificationPermission::Default => Leave::NotAsked,
        _ => Leave::None,
    }
}

#[cfg(feature = "hydrate")]
fn ask(answer: RwSignal<Leave>) {
    leptos::task::spawn_local(async move {
        if let Ok(promise) = web_sys::Notification::request_permission() {
            // The result is read from the permission.
            let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
        }
        answer.try_set(leave());
    });
}

#[cfg(feature = "hydrate")]
fn notify(message: &str) {
    if leave() == Leave::Given && web_sys::Notification::new(message).is_err() {
        leptos::logging::warn!("the browser shows no notification");
    }
}

#[cfg(not(feature = "hydrate"))]
fn leave() -> Leave {
    Leave::None
}

#[cfg(not(feature = "hydrate"))]
fn ask(_answer: RwSignal<Leave>) {}

#[cfg(not(feature = "hydrate"))]
fn notify(_message: &str) {}
