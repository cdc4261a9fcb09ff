//! The page for unknown addresses.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

/// The page of every unknown address; answers with status 404.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Not found" />
        <h1>"Page not found"</h1>
        <p>"The address may be mistyped, or the page may have been deleted. "<A href="/experiments">"All experiments"</A></p>
    }
}
