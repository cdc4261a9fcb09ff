//! Waiting for data, and what to say when there are none.

use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::ApiError;

/// What went wrong, said so that it is heard.
#[component]
pub fn ErrorBox(
    /// The refusal.
    error: ApiError,
) -> impl IntoView {
    let fields = error
        .fields
        .into_iter()
        .map(|field| view! { <li><code>{field.field}</code>": "{field.reason}</li> })
        .collect_view();
    view! {
        <div class="problem" role="alert">
            <p>{error.message}</p>
            <ul>{fields}</ul>
        </div>
    }
}

/// Renders `render(data)` once the data are there, or why they are not. The server waits for them,
/// so its page is complete.
#[component]
pub fn Load<T, V>(
    /// Where the data come from.
    resource: Resource<Result<T, ApiError>>,
    /// What shows them. Called again when the resource asks anew.
    render: fn(T) -> V,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Suspense fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
            {move || Suspend::new(async move {
                match resource.await {
                    // Erased: a page's whole view as one type takes the compiler minutes.
                    Ok(data) => Either::Left(render(data).into_any()),
                    Err(error) => Either::Right(view! { <Title text="A problem" /><ErrorBox error /> }),
                }
            })}
        </Suspense>
    }
}
