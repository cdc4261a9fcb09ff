//! Tags and notes of an experiment or a run, shown and edited.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos_router::components::A;
use protocol::annotation::Annotation;
use serde::Deserialize;

use super::{CommandError, use_command};
use crate::data::api::{Method, segment};

/// The tags and notes of whatever was annotated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Annotated {
    /// Its tags.
    pub tags: Vec<String>,
    /// Its notes.
    pub notes: String,
}

/// Tags, each leading to the experiments that have it.
#[component]
pub fn Tags(
    /// The tags.
    tags: Vec<String>,
) -> impl IntoView {
    tags.into_iter()
        .map(|tag| {
            let href = format!("/experiments?search={}", segment(&tag));
            view! { <A href attr:class="tag">{tag}</A>" " }
        })
        .collect_view()
}

/// Tags and notes, and a form that changes them.
#[component]
pub fn Annotations<T: Send + Sync + 'static>(
    /// Where the API changes them, for example `/runs/3`.
    path: String,
    /// The run or the experiment.
    annotated: RwSignal<T>,
    /// Its tags and notes.
    read: fn(&T) -> Annotated,
    /// Gives it others.
    write: fn(&mut T, Annotated),
) -> impl IntoView {
    let now = Signal::derive(move || annotated.with(read));
    let open = RwSignal::new(false);
    let (tags, notes) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let command = use_command();
    let edit = move |_| {
        let now = now.get_untracked();
        tags.set(now.tags.join(", "));
        notes.set(now.notes);
        command.error.set(None);
        open.set(true);
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let annotation = Annotation {
            tags: Some(split(&tags.get_untracked())),
            notes: Some(notes.get_untracked()),
        };
        let Ok(body) = serde_json::to_string(&annotation) else {
            return; // Words are always JSON.
        };
        command.send::<Annotated>(Method::Patch, path.clone(), Some(body), move |answer| {
            // The page may have been left.
            annotated.try_update(|annotated| write(annotated, answer));
            open.try_set(false);
        });
    };
    let nothing = move || now.with(|now| now.tags.is_empty() && now.notes.is_empty());
    view! {
        <section class="annotations" aria-label="Tags and notes">
            <p class="tags">
                {move || view! { <Tags tags=now.with(|now| now.tags.clone()) /> }}
                <button type="button" class="quiet" id="annotate" aria-expanded=move || open.get().to_string() on:click=edit>
                    {move || if nothing() { "Add tags or notes" } else { "Edit tags and notes" }}
                </button>
            </p>
            <p class="notes" id="notes" hidden=move || now.with(|now| now.notes.is_empty())>{move || now.with(|now| now.notes.clone())}</p>
            <form hidden=move || !open.get() on:submit=submit>
                <div class="field">
                    <label for="annotation-tags">"Tags"</label>
                    <input id="annotation-tags" type="text" autocomplete="off" prop:value=tags on:input=move |event| tags.set(event_target_value(&event)) />
                    <p class="hint">"Separated by commas; at most 20 tags of 50 characters each."</p>
                </div>
                <div class="field">
                    <label for="annotation-notes">"Notes"</label>
                    <textarea id="annotation-notes" rows="4" prop:value=notes on:input=move |event| notes.set(event_target_value(&event))></textarea>
                </div>
                <CommandError command />
                <div class="actions">
                    <button type="submit" class="primary" id="annotation-save" disabled=command.busy>"Save"</button>
                    <button type="button" on:click=move |_| open.set(false)>"Discard changes"</button>
                </div>
            </form>
        </section>
    }
    .into_any()
}

/// The tags of a list with commas between.
fn split(text: &str) -> Vec<String> {
    let tags = text.split(',').map(str::trim);
    tags.filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a comma at the end that is refused as an empty tag, or a tag of two words taken for two.
    #[test]
    fn tags_are_split_at_commas() {
        assert_eq!(split(" lab meeting, pilot,, "), ["lab meeting", "pilot"]);
        assert!(split("  ").is_empty());
    }
}
