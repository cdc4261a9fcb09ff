//! What a launch would cost: the number of runs, and the server's estimate of the time.

use leptos::prelude::*;
use protocol::ExperimentSpec;
use protocol::api::Estimate;

use super::Form;
use super::answer::{Answer, answer};
use crate::format;

/// Runs, time, and how the time is known.
#[component]
pub fn Cost(
    /// The form.
    form: Form,
) -> impl IntoView {
    let Answer {
        now: estimate,
        asking,
    } = answer::<Estimate>(form, "/estimates", estimated_part(form));
    let runs = move || {
        let runs = form.spec.with(|spec| {
            spec.as_ref()
                .ok()
                .map(|spec| spec.alphas.len() * spec.seeds.len())
        });
        runs.map_or("–".to_owned(), |runs| format::count(runs as u64))
    };
    let seconds = move || match estimate.get() {
        Some(Ok(Estimate {
            seconds: Some(seconds),
            ..
        })) => format!("about {}", format::duration(seconds)),
        Some(Ok(_)) => "not known yet".to_owned(),
        Some(Err(_)) | None => "–".to_owned(),
    };
    let basis = move || match estimate.get() {
        Some(Ok(estimate)) => {
            let speed = estimate
                .images_per_second
                .map_or_else(String::new, |speed| {
                    format!(": {speed:.0} training images per second.")
                });
            format!("{}{speed}", estimate.basis)
        }
        Some(Err(error)) => error.detail,
        None if form.spec.with(Result::is_ok) => "Estimating …".to_owned(),
        None => "The cost can be estimated once every field is valid.".to_owned(),
    };
    view! {
        <dl class="cost" aria-live="polite" aria-busy=move || asking.get().to_string()>
            <div><dt>"Runs"</dt><dd id="cost-runs">{runs}</dd></div>
            <div><dt>"Time"</dt><dd id="cost-time">{seconds}</dd></div>
        </dl>
        <p class="hint" id="cost-basis">{basis}</p>
    }
    .into_any()
}

/// What the estimate depends on: all but name and notes, so that naming does not ask again.
fn estimated_part(form: Form) -> Memo<Option<ExperimentSpec>> {
    Memo::new(move |_| {
        let mut spec = form.spec.with(|spec| spec.as_ref().ok().cloned())?;
        spec.name = "estimate".to_owned();
        spec.notes.clear();
        Some(spec)
    })
}
