//! The server's answer to a draft, requested again once typing pauses.

use leptos::prelude::*;
use protocol::ExperimentSpec;
use protocol::api::ApiError;
use serde::de::DeserializeOwned;

use super::Form;
use crate::data::api::{self, Method};

/// How long typing must pause before the server is asked, in milliseconds.
const PAUSE: f64 = 500.0;

/// An answer that follows a draft.
#[derive(Debug)]
pub struct Answer<T: 'static> {
    /// The newest answer; none while nothing can be asked, or before the first.
    pub now: RwSignal<Option<Result<T, ApiError>>>,
    /// Whether the server is being asked.
    pub asking: RwSignal<bool>,
}

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Answer<T> {}

/// The answer of `POST path` to `spec`; its errors are shown at the fields of `form`.
pub fn answer<T>(form: Form, path: &'static str, spec: Memo<Option<ExperimentSpec>>) -> Answer<T>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let now = RwSignal::new(None::<Result<T, ApiError>>);
    let asking = RwSignal::new(false);
    let settled: Signal<Option<ExperimentSpec>> = leptos_use::signal_debounced(spec, PAUSE);
    let newest = StoredValue::new(0_u64);
    Effect::new(move |_| {
        newest.update_value(|number| *number += 1);
        let number = newest.get_value();
        let Some(spec) = settled.get() else {
            now.set(None);
            asking.set(false);
            return;
        };
        let Ok(body) = serde_json::to_string(&spec) else {
            return;
        };
        asking.set(true);
        leptos::task::spawn_local(async move {
            let answer = api::send::<T>(Method::Post, path, Some(body)).await;
            // An answer to an older request, or on a page that was left, is dropped.
            if newest.try_get_value() == Some(number) {
                if let Err(error) = &answer {
                    form.inputs.refuse(error);
                }
                now.set(Some(answer));
                asking.set(false);
            }
        });
    });
    Answer { now, asking }
}
