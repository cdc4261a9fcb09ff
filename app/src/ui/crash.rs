//! What a person sees when the dashboard's own code panics: the page then looks alive but no longer reacts.

use leptos::prelude::*;

/// The banner's `id`.
const ID: &str = "crash";

/// The banner, hidden until something panics. It stands outside the app, and its link needs none of the app's code.
#[component]
pub fn CrashBanner() -> impl IntoView {
    view! {
        <div id=ID class="crash" role="alert" hidden=true>
            <p>
                "Something in the dashboard failed, and this page no longer updates. Your measurements are safe on the server. "
                <a href="" rel="external">"Reload the page"</a>
            </p>
        </div>
    }
}

/// Shows the banner. Called by the panic hook, so nothing in here may panic.
#[cfg(feature = "hydrate")]
pub fn show() {
    let banner = leptos::web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id(ID));
    if let Some(banner) = banner {
        // Only a detached document refuses.
        let _ = banner.remove_attribute("hidden");
    }
}
