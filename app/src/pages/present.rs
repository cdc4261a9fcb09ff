//! An experiment's findings for a lab meeting: one figure a screen, large, moved through with the keyboard.

use futures::try_join;
use leptos::ev;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use protocol::api::{ApiError, Experiment};
use protocol::claim_figure::ClaimFigures;
use protocol::finding::Findings;
use serde::{Deserialize, Serialize};

use crate::data::query::{number_of, use_id};
use crate::data::{addresses, api};
use crate::pages::findings::{read_window, use_window};
use crate::ui::Load;
use crate::ui::keys::dialog_is_open;
use slides::{Move, Slide};

mod slide;
pub mod slides;

/// What the address calls the other scale.
const SHARE: &str = "share_of_clean";

/// Everything that the slides show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    experiment: Experiment,
    findings: Findings,
    figures: Vec<ClaimFigures>,
}

async fn read(id: String, window: Option<String>) -> Result<Data, ApiError> {
    let window = read_window(window.as_deref())?;
    let id = number_of(&id, "an experiment")?;
    let experiment = api::get(&format!("/experiments/{id}"));
    let findings = api::get(&format!("/experiments/{id}/findings?window={window}"));
    let figures = api::get(&format!("/experiments/{id}/claim-figures?window={window}"));
    let (experiment, findings, figures) = try_join!(experiment, findings, figures)?;
    Ok(Data {
        experiment,
        findings,
        figures,
    })
}

/// The page at `/experiments/:id/present`.
#[component]
pub fn PresentPage() -> impl IntoView {
    let id = use_id();
    let window = use_window();
    let data = Resource::new(
        move || (id.get(), window.get()),
        |(id, window)| read(id, window),
    );
    view! { <Load resource=data render=|data| view! { <Present data /> } /> }.into_any()
}

#[component]
fn Present(data: Data) -> impl IntoView {
    let (id, window) = (data.experiment.id, data.findings.window);
    let name = data.findings.name.clone();
    let notes = data.experiment.notes.trim().to_owned();
    let query = use_query_map();
    let all: Vec<Slide> = slides::slides(&data.figures);
    let last = all.len();
    let number = Memo::new(move |_| {
        slides::number_of(query.with(|query| query.get("slide")).as_deref(), last)
    });
    let share =
        Memo::new(move |_| query.with(|query| query.get("scale").as_deref() == Some(SHARE)));
    let with_notes = RwSignal::new(false);
    let navigate = use_navigate();
    let go = Callback::new(move |to: Move| {
        let slide = |number: usize, share: bool| {
            let scale = if share { SHARE } else { "raw" };
            format!("/experiments/{id}/present?slide={number}&window={window}&scale={scale}")
        };
        // Back leads to where the presentation was begun, not through every slide.
        let (address, replace) = match to {
            Move::Slide(number) => (slide(number, share.get_untracked()), true),
            Move::Scale => (slide(number.get_untracked(), !share.get_untracked()), true),
            Move::Leave => (addresses::findings(id, "findings", window, None), false),
            Move::Notes => {
                with_notes.update(|visible| *visible = !*visible);
                return;
            }
        };
        let options = NavigateOptions {
            replace,
            scroll: false,
            ..Default::default()
        };
        navigate(&address, options);
    });
    listen(number, last, go);
    let step = move |key: &'static str| {
        move |_| {
            if let Some(to) = slides::on_key(number.get_untracked(), last, key) {
                go.run(to);
            }
        }
    };
    let data = StoredValue::new(data);
    let all = StoredValue::new(all);
    let current = Memo::new(move |_| all.with_value(|all| all[number.get() - 1]));
    let current_slide = move || {
        data.with_value(|data| slide::slide(number.get(), current.get(), data, share.get()))
    };
    let numbers = move || data.with_value(|data| slide::numbers(current.get(), data));
    view! {
        <Title text=format!("Presentation of {name}") />
        <div id="present" class="present">
            {current_slide}
            <aside class="speaker-notes" id="speaker-notes" aria-label="Speaker notes" hidden=move || !with_notes.get()>
                <p>{numbers}</p>
                <p>{if notes.is_empty() { "This experiment has no notes.".to_owned() } else { notes }}</p>
            </aside>
            <footer>
                <button type="button" class="quiet" aria-label="Previous slide" disabled=move || number.get() == 1 on:click=step("ArrowLeft")>"←"</button>
                <span id="slide-number" role="status">{move || format!("{} / {last}", number.get())}</span>
                <button type="button" class="quiet" aria-label="Next slide" disabled=move || number.get() == last on:click=step("ArrowRight")>"→"</button>
                <span class="keys">"← → or space: move; S: other scale; N: notes; Esc: back"</span>
                <button type="button" class="quiet" aria-label="Back to the findings" on:click=step("Escape")>"Esc"</button>
            </footer>
        </div>
    }
    .into_any()
}

/// Does what keys ask for on the slide of a `number`, of which the last is `last`.
fn listen(number: Memo<usize>, last: usize, go: Callback<Move>) {
    let listener = window_event_listener(ev::keydown, move |event| {
        // Key combinations are the browser's; what is open over the slides takes all others.
        let combined = event.ctrl_key() || event.alt_key() || event.meta_key();
        if combined || dialog_is_open() {
            return;
        }
        // A space presses the button that has the focus.
        if event.key() == " " && button_has_focus() {
            return;
        }
        let Some(number) = number.try_get_untracked() else {
            return;
        };
        if let Some(to) = slides::on_key(number, last, &event.key()) {
            event.prevent_default();
            go.run(to);
        }
    });
    on_cleanup(move || listener.remove());
}

/// Whether a button, or a link, has the focus.
#[cfg(feature = "hydrate")]
fn button_has_focus() -> bool {
    let focused = document().active_element();
    focused.is_some_and(|element| matches!(element.tag_name().as_str(), "BUTTON" | "A" | "SUMMARY"))
}

#[cfg(not(feature = "hydrate"))]
fn button_has_focus() -> bool {
    false
}
