//! What a launch would cost: the number of runs, and the server's estimate of the time.

use leptos::prelude::*;
use protocol::ExperimentSpec;
use protocol::api::{ApiError, Estimate};

use super::Form;
use crate::api::{self, Method};
use crate::format;

/// How long typing must pause before the server is asked, in milliseconds.
const PAUSE: f64 = 500.0;

/// Runs, time, and how the time is known.
#[component]
pub fn Cost(
    /// The form.
    form: Form,
) -> impl IntoView {
    let estimate = RwSignal::new(None::<Result<Estimate, ApiError>>);
    let asking = RwSignal::new(false);
    let asked = estimated_part(form);
    let settled: Signal<Option<ExperimentSpec>> = leptos_use::signal_debounced(asked, PAUSE);
    let newest = StoredValue::new(0_u64);
    Effect::new(move |_| {
        newest.update_value(|number| *number += 1);
        let number = newest.get_value();
        let Some(spec) = settled.get() else {
            estimate.set(None);
            asking.set(false);
            return;
        };
        let Ok(body) = serde_json::to_string(&spec) else {
            return;
        };
        asking.set(true);
        leptos::task::spawn_local(async move {
            let answer = api::send::<Estimate>(Method::Post, "/estimates", Some(body)).await;
            // An answer to what is no longer asked, or on a page that was left, is dropped.
            if newest.try_get_value() == Some(number) {
                if let Err(error) = &answer {
                    form.inputs.refuse(error);
                }
                estimate.set(Some(answer));
                asking.set(false);
            }
        });
    });
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
                    format!(": {speed:.0} training images a second.")
                });
            format!("{}{speed}", estimate.basis)
        }
        Some(Err(error)) => error.detail,
        None if form.spec.with(Result::is_ok) => "Estimating …".to_owned(),
        None => "Can be estimated once every field is right.".to_owned(),
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

/// What the estimate depends on: all but name and notes, so that naming does not ask anew.
fn estimated_part(form: Form) -> Memo<Option<ExperimentSpec>> {
    Memo::new(move |_| {
        let mut spec = form.spec.with(|spec| spec.as_ref().ok().cloned())?;
        spec.name = "estimate".to_owned();
        spec.notes.clear();
        Some(spec)
    })
}
