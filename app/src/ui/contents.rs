//! What is on a long page.

use leptos::prelude::*;

/// Links to the parts of the page, each by the id of its element.
#[component]
pub fn Contents(
    /// Id and name of each part.
    parts: Vec<(&'static str, &'static str)>,
) -> impl IntoView {
    let links = parts
        .into_iter()
        // External: the browser's own jump moves the focus too, the router's only scrolls.
        .map(|(id, name)| view! { <a href=format!("#{id}") rel="external">{name}</a> })
        .collect_view();
    view! { <nav class="contents" aria-label="On this page">{links}</nav> }.into_any()
}
