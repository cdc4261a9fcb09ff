//! Undo for an experiment that was deleted just now, on whatever page comes next.

use leptos::prelude::*;
use protocol::api::{Experiment, UNDO_MINUTES};

use super::{Command, CommandError, use_command};
use crate::data::api::Method;
use crate::data::clock;

/// An experiment that was deleted here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeletedExperiment {
    /// When, in milliseconds since 1970-01-01 UTC: the same experiment may be deleted again.
    at: i64,
    id: i64,
    name: String,
}

/// The experiments that were deleted on this page, as long as they can be brought back; the last one last.
#[derive(Debug, Clone, Copy)]
pub struct Undo(RwSignal<Vec<DeletedExperiment>>);

/// Puts [`Undo`] into context, for the life of the page.
pub fn provide_undo() {
    provide_context(Undo(RwSignal::new(Vec::new())));
}

/// The undo of this page; one that offers nothing where no page provides it.
pub fn use_undo() -> Undo {
    use_context().unwrap_or_else(|| Undo(RwSignal::new(Vec::new())))
}

impl Undo {
    /// Deletes an experiment, offers to bring it back, and calls `then`.
    pub fn delete(self, command: Command, id: i64, name: String, then: impl FnOnce() + 'static) {
        let path = format!("/experiments/{id}");
        command.send(Method::Delete, path, None, move |()| {
            self.offer(id, name);
            then();
        });
    }

    /// Offers to bring back an experiment that was deleted just now.
    fn offer(self, id: i64, name: String) {
        let at = clock::now();
        self.0
            .update(|deleted| deleted.push(DeletedExperiment { at, id, name }));
        let time = std::time::Duration::from_secs(u64::from(UNDO_MINUTES) * 60);
        set_timeout(move || self.withdraw(id, at), time);
    }

    /// Offers it no longer.
    fn withdraw(self, id: i64, at: i64) {
        self.0.try_update(|deleted| {
            deleted.retain(|one| (one.id, one.at) != (id, at));
        });
    }
}

/// Says what was deleted, with a button that brings it back; nothing while nothing was.
#[component]
pub fn UndoBar() -> impl IntoView {
    let undo = use_undo();
    let command = use_command();
    let last = move || undo.0.with(|deleted| deleted.last().cloned());
    let words = move || last().map(|last| format!("“{}” was deleted.", last.name));
    let restore = move |_| {
        if let Some(DeletedExperiment { at, id, .. }) = last() {
            let path = format!("/experiments/{id}/restore");
            command.send(Method::Post, path, None, move |_: Experiment| {
                undo.withdraw(id, at)
            });
        }
    };
    let dismiss = move |_| {
        if let Some(DeletedExperiment { at, id, .. }) = last() {
            undo.withdraw(id, at);
        }
    };
    // A refusal is about the experiment that was named then.
    Effect::new(move |_| {
        undo.0.track();
        command.error.set(None);
    });
    view! {
        <div class="bar" id="undo" hidden=move || undo.0.with(Vec::is_empty)>
            <span>{words}</span>
            <button type="button" disabled=command.busy on:click=restore>"Undo"</button>
            <button type="button" class="quiet" on:click=dismiss>"Dismiss"</button>
            <CommandError command />
        </div>
    }
    .into_any()
}
