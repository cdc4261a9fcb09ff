//! Waiting for data, and what to say when there are none.

use leptos::either::Either;
use leptos::prelude::*;
use leptos::reactive::owner::Owner;
use leptos_meta::Title;
use protocol::api::ApiError;

/// An error, announced to screen readers.
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
            <p>{error.detail}</p>
            <ul>{fields}</ul>
        </div>
    }
}

/// Renders `render(data)` once the data are there, or why they are not. The server waits for them,
/// so its page is complete.
///
/// When the resource loads again, the view stays on the page until the next one replaces it. Each view has its own owner
/// that lives as long: otherwise Leptos would dispose of its signals when loading starts, and anything on the page that
/// read one of them before the answer came would panic.
#[component]
pub fn Load<T, V>(
    /// Where the data come from.
    resource: Resource<Result<T, ApiError>>,
    /// Shows them. Called again when the resource loads again.
    render: fn(T) -> V,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let owner = Owner::current().expect("a component has an owner");
    let current = StoredValue::new(None::<Owner>);
    let show = move |data: T| {
        let next = owner.child();
        // Erased: a page's whole view as one type takes the compiler minutes.
        let view = next.with(|| render(data).into_any());
        if let Some(Some(last)) = current.try_update_value(|current| current.replace(next)) {
            dispose_later(last);
        }
        view
    };
    view! {
        <Suspense fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
            {move || {
                let show = show.clone();
                Suspend::new(async move {
                    let data = resource.await;
                    not_on_trial().await;
                    match data {
                        Ok(data) => Either::Left(show(data)),
                        Err(error) => Either::Right(view! { <Title text="A problem" /><ErrorBox error /> }),
                    }
                })
            }}
        </Suspense>
    }
}

/// Disposes of what a view owned, once the view that replaces it is on the page.
fn dispose_later(owner: Owner) {
    #[cfg(feature = "hydrate")]
    leptos::task::spawn_local(async move {
        leptos::task::tick().await;
        owner.cleanup();
    });
    #[cfg(not(feature = "hydrate"))]
    owner.cleanup();
}

/// Makes only the view that is shown. While the server waits for the data, Leptos polls such a future to see what else to
/// wait for, and discards the result. A view made then would add its own resources to those that the page hands to the
/// browser, which would take them for those of the shown view and fail. Such a trial polls once.
async fn not_on_trial() {
    #[cfg(feature = "ssr")]
    {
        let mut polled = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut polled, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
}
