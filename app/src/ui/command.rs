//! Commands to the server: one at a time, with their refusals shown.

use leptos::prelude::*;
use protocol::api::ApiError;
use serde::de::DeserializeOwned;

use crate::data::api::{self, Method};

/// The state that a page's commands share.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Whether a command is under way.
    pub busy: RwSignal<bool>,
    /// The last command's refusal.
    pub error: RwSignal<Option<ApiError>>,
}

/// The state of a page's commands, none under way.
pub fn use_command() -> Command {
    Command {
        busy: RwSignal::new(false),
        error: RwSignal::new(None),
    }
}

impl Command {
    /// Sends a command and hands its answer to `then`. Does nothing while another is under way.
    pub fn send<T: DeserializeOwned + 'static>(
        self,
        method: Method,
        path: String,
        body: Option<String>,
        then: impl FnOnce(T) + 'static,
    ) {
        self.wait(
            async move { api::send::<T>(method, &path, body).await },
            then,
        );
    }

    /// Waits for the answer to a command and hands it to `then`. Does nothing while another is under way.
    pub fn wait<T: 'static>(
        self,
        answer: impl Future<Output = Result<T, ApiError>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.error.set(None);
        leptos::task::spawn_local(async move {
            let answer = answer.await;
            // The page may have been left meanwhile; then nobody waits for the answer.
            if self.busy.try_set(false).is_some() {
                return;
            }
            match answer {
                Ok(value) => then(value),
                Err(error) => {
                    self.error.try_set(Some(error));
                }
            }
        });
    }
}

/// The last refusal, if there was one.
#[component]
pub fn CommandError(
    /// The page's commands.
    command: Command,
) -> impl IntoView {
    move || {
        command
            .error
            .get()
            .map(|error| view! { <super::ErrorBox error /> })
    }
}
