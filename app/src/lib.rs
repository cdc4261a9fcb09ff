//! Selectivity Lab's dashboard: rendered on the server, taken over by WASM in the browser.
//!
//! Pages ask the REST API for everything ([`data::api`]), follow running work over server-sent events
//! ([`data::live`]) and show figures ([`figures`]) as charts ([`chart`]). A new page is one file in [`pages`] and one line
//! in [`App`].
#![cfg_attr(not(test), warn(clippy::too_many_lines))]
#![recursion_limit = "512"]

pub mod chart;
pub mod data;
pub mod figures;
pub mod form;
pub mod format;
pub mod grouping;
pub mod pages;
pub mod signals;
pub mod ui;

use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::components::{A, Route, Router, Routes};
use leptos_router::{SsrMode, path};

use pages::{
    api_reference, compare, datasets, devices, experiment, experiments, findings, new_experiment,
    not_found, perturb, present, run, units,
};

/// The whole HTML document around [`App`], for the server.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <script>{ui::theme::SCRIPT}</script>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <HashedStylesheet options=options.clone() />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
                // After the app, which hydrates the body from its first element on.
                <ui::crash::CrashBanner />
            </body>
        </html>
    }
}

/// The dashboard: every page inside the frame that all share.
///
/// Every page is rendered in one piece ([`SsrMode::Async`]): it can be read before, and without,
/// WASM.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    ui::theme::provide_theme();
    data::selection::provide_selection();
    ui::provide_undo();
    chart::provide_zoom();
    mark_hydrated();
    view! {
        <Title formatter=|title| format!("{title} · Selectivity Lab") />
        <Router>
            // External: the browser's own jump moves the focus too, the router's only scrolls.
            <a class="skip" href="#main" rel="external">"Skip to the content"</a>
            <header class="top">
                <a class="brand" href="/">"Selectivity Lab"</a>
                <nav aria-label="Main">
                    <A href="/experiments" exact=true>"Experiments"</A>
                    <A href="/experiments/new">"New experiment"</A>
                    <A href="/compare">"Compare"</A>
                    <A href="/datasets">"Data sets"</A>
                    <A href="/devices">"Devices"</A>
                    <A href="/api">"API"</A>
                </nav>
                <ui::SavedViews />
                <ui::theme::ThemeToggle />
            </header>
            <ui::navigation::Announcer />
            <chart::ZoomReset />
            <main id="main" tabindex="-1">
                <Routes fallback=not_found::NotFound>
                    <Route path=path!("/") view=experiments::Experiments ssr=SsrMode::Async />
                    <Route path=path!("/experiments") view=experiments::Experiments ssr=SsrMode::Async />
                    <Route path=path!("/experiments/new") view=new_experiment::NewExperiment ssr=SsrMode::Async />
                    <Route path=path!("/experiments/:id/findings") view=findings::FindingsPage ssr=SsrMode::Async />
                    <Route path=path!("/experiments/:id/perturb") view=perturb::PerturbPage ssr=SsrMode::Async />
                    <Route path=path!("/experiments/:id/present") view=present::PresentPage ssr=SsrMode::Async />
                    // After routes of the same form: the first match wins.
                    <Route path=path!("/experiments/:id/:tab?") view=experiment::ExperimentPage ssr=SsrMode::Async />
                    <Route path=path!("/runs/:id") view=run::RunPage ssr=SsrMode::Async />
                    <Route path=path!("/runs/:id/units") view=units::UnitsPage ssr=SsrMode::Async />
                    <Route path=path!("/compare") view=compare::ComparePage ssr=SsrMode::Async />
                    <Route path=path!("/api") view=api_reference::ApiReference ssr=SsrMode::Async />
                    <Route path=path!("/datasets") view=datasets::Datasets ssr=SsrMode::Async />
                    <Route path=path!("/devices") view=devices::Devices ssr=SsrMode::Async />
                    // What the server renders for addresses that no route knows.
                    <Route path=path!("/not-found") view=not_found::NotFound ssr=SsrMode::Async />
                </Routes>
            </main>
            <div class="bars" role="status">
                <ui::UndoBar />
                <data::selection::SelectionBar />
            </div>
            <ui::Keys />
        </Router>
    }
}

/// Says on the `html` element that the page reacts now; for tests, and for styles that wait for it.
fn mark_hydrated() {
    #[cfg(feature = "hydrate")]
    Effect::new(|_| {
        if let Some(root) = document().document_element() {
            // Only a detached document refuses an attribute.
            let _ = root.set_attribute("data-hydrated", "");
        }
    });
}

/// Takes over the page that the server rendered. Called by the page's own script.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        ui::crash::show();
    }));
    leptos::mount::hydrate_body(App);
}
