//! Imports an archived experiment.

use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use protocol::api::Experiment;

use super::{CommandError, use_command};
use crate::data::api::{self, Upload};

/// A form of one file in a fold; leads to the imported experiment.
#[component]
pub fn ImportArchive() -> impl IntoView {
    let command = use_command();
    let file = NodeRef::<html::Input>::new();
    let missing = RwSignal::new(false);
    let navigate = use_navigate();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let upload = Upload::chosen(file);
        missing.set(upload.is_none());
        let Some(upload) = upload else { return };
        let navigate = navigate.clone();
        command.wait::<Experiment>(api::send_file("/archives", upload), move |experiment| {
            navigate(
                &format!("/experiments/{}", experiment.id),
                Default::default(),
            );
        });
    };
    view! {
        <details class="evaluate-again" id="import-archive">
            <summary>"Import an experiment …"</summary>
            <form novalidate=true on:submit=submit>
                <p class="hint">
                    "An archive written by Selectivity Lab, here or elsewhere. Its numbers are imported as they are; unfinished runs can be resumed here."
                </p>
                <div class="field" class:wrong=move || missing.get()>
                    <label for="field-archive">"Archive"</label>
                    <input node_ref=file id="field-archive" name="archive" type="file" accept=".zst" aria-describedby="field-archive-error" />
                    <p class="error" id="field-archive-error" aria-live="polite">{move || missing.get().then_some("choose a file")}</p>
                </div>
                <CommandError command />
                <div class="actions">
                    <button type="submit" class="primary" disabled=command.busy>
                        {move || if command.busy.get() { "Importing …" } else { "Import" }}
                    </button>
                </div>
            </form>
        </details>
    }
    .into_any()
}
