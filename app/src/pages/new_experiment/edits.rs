//! Edits that are not launched yet: kept in the tab, so that reloading or going back loses nothing.

use leptos::prelude::*;

use crate::form::draft::Draft;

/// What a form was changed to, and what it began with.
#[derive(Debug, Clone, Copy)]
pub struct Edits {
    draft: RwSignal<Draft>,
    start: StoredValue<Draft>,
    /// The storage key: one for each preset and each copied experiment.
    key: StoredValue<String>,
    /// Whether an earlier visit's edits were found.
    pub restored: RwSignal<bool>,
}

impl Edits {
    /// Keeps `draft` under `key` from now on, and takes over what was kept there before.
    pub fn keep(draft: RwSignal<Draft>, key: String) -> Edits {
        let edits = Edits {
            draft,
            start: StoredValue::new(draft.get_untracked()),
            key: StoredValue::new(key),
            restored: RwSignal::new(false),
        };
        Effect::new(move |last: Option<()>| {
            let typed = draft.get();
            if last.is_none()
                && let Some(kept) = edits.key.with_value(|key| read(key))
            {
                let mut with = typed.clone();
                with.take(&kept);
                edits.restored.set(with != typed);
                draft.set(with);
            } else {
                let changed = edits.start.with_value(|start| *start != typed);
                edits
                    .key
                    .with_value(|key| write(key, changed.then(|| typed.text())));
            }
        });
        edits
    }

    /// Whether anything was changed.
    pub fn any(self) -> bool {
        self.draft
            .with_untracked(|draft| self.start.with_value(|start| start != draft))
    }

    /// Back to what the form began with.
    pub fn discard(self) {
        self.forget();
        self.restored.set(false);
        self.draft.set(self.start.get_value());
    }

    /// Removes the kept edits, after a launch.
    pub fn forget(self) {
        self.key.with_value(|key| write(key, None));
    }
}

#[cfg(feature = "hydrate")]
fn storage() -> Option<web_sys::Storage> {
    // A browser that forbids it keeps nothing.
    window().session_storage().ok().flatten()
}

#[cfg(feature = "hydrate")]
fn read(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

#[cfg(not(feature = "hydrate"))]
fn read(_key: &str) -> Option<String> {
    None
}

#[cfg(feature = "hydrate")]
fn write(key: &str, text: Option<String>) {
    if let Some(storage) = storage() {
        // A full storage keeps the edits before this one.
        let _ = match text {
            Some(text) => storage.set_item(key, &text),
            None => storage.remove_item(key),
        };
    }
}

#[cfg(not(feature = "hydrate"))]
fn write(_key: &str, _text: Option<String>) {}
