//! The experiment's numbers, and how to read them elsewhere.

use leptos::prelude::*;

use crate::data::snippets;

/// Downloads, and snippets that read them.
#[component]
pub fn DataSection(
    /// The experiment.
    experiment: i64,
) -> impl IntoView {
    let files = snippets::files(experiment)
        .into_iter()
        .map(|(name, address)| {
            view! { <li><a href=address download="" rel="external"><code>{name}</code></a></li> }
        })
        .collect_view();
    view! {
        <section id="data" class="claim" aria-labelledby="data-title">
            <h2 id="data-title">"Data"</h2>
            <p class="hint">"Every number is available as CSV, Parquet and JSON; “Set-up and data” has all tables. Download these three files and read them with the lines below."</p>
            <ul class="files">{files}</ul>
            <div class="snippets">
                <div><h3>"Python"</h3><pre class="scroll" tabindex="0"><code>{snippets::python(experiment)}</code></pre></div>
                <div><h3>"R"</h3><pre class="scroll" tabindex="0"><code>{snippets::r(experiment)}</code></pre></div>
            </div>
        </section>
    }
    .into_any()
}
