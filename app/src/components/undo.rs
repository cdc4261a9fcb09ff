//! Undo for an experiment that was deleted just now, on whatever page comes next.

use leptos::prelude::*;
use protocol::api::{Experiment, UNDO_MINUTES};

use super::{CommandError, use_command};
use crate::api::Method;

/// An experiment that was deleted here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeletedExperiment {
    id: i64,
    name: String,
}

/// The experiment that was deleted last, as long as it can be brought back.
#[derive(Debug, Clone, Copy)]
pub struct Undo(RwSignal<Option<DeletedExperiment>>);

/// Puts [`Undo`] into context, for the life of the page.
pub fn provide_undo() {
    provide_context(Undo(RwSignal::new(None)));
}

/// The undo of this page; one that offers nothing where no page provides it.
pub fn use_undo() -> Undo {
    use_context().unwrap_or_else(|| Undo(RwSignal::new(None)))
}

impl Undo {
    /// Offers to bring back an experiment that was deleted just now.
    pub fn offer(self, id: i64, name: String) {
        let deleted = DeletedExperiment { id, name };
        self.0.set(Some(deleted.clone()));
        let time = std::time::Duration::from_secs(u64::from(UNDO_MINUTES) * 60);
        set_timeout(move || self.withdraw(&deleted), time);
    }

    /// Offers it no longer; another one that was deleted meanwhile stays.
    fn withdraw(self, deleted: &DeletedExperiment) {
        if self
            .0
            .try_with_untracked(|offered| offered.as_ref() == Some(deleted))
            == Some(true)
        {
            self.0.set(None);
        }
    }
}

/// Says what was deleted, with a button that brings it back; nothing while nothing was.
#[component]
pub fn UndoBar() -> impl IntoView {
    let undo = use_undo();
    let command = use_command();
    let words = move || {
        let name = |deleted: &DeletedExperiment| format!("“{}” was deleted.", deleted.name);
        undo.0.with(|deleted| deleted.as_ref().map(name))
    };
    let restore = move |_| {
        if let Some(deleted) = undo.0.get_untracked() {
            let path = format!("/experiments/{}/restore", deleted.id);
            command.send(Method::Post, path, None, move |_: Experiment| {
                undo.withdraw(&deleted)
            });
        }
    };
    view! {
        <div class="bar" id="undo" role="status" hidden=move || undo.0.with(Option::is_none)>
            <span>{words}</span>
            <button type="button" disabled=command.busy on:click=restore>"Undo"</button>
            <button type="button" class="quiet" on:click=move |_| undo.0.set(None)>"Dismiss"</button>
            <CommandError command />
        </div>
    }
    .into_any()
}
