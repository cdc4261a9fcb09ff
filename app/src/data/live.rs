//! Live events of the server, for pages that show work while it is done.
//!
//! All tabs of a browser share one stream, which `public/live-stream.js` holds in a worker: HTTP/1.1 allows a
//! browser six connections to a server.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::Event;
use protocol::api::{Change, ChangeEvent, LiveEvent};

/// Whose events a page follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// All events.
    All,
    /// One experiment's.
    Experiment(i64),
    /// One run's.
    Run(i64),
}

impl Follow {
    /// Whether an event of these runs of the experiment is followed.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    fn concerns(self, experiment_id: i64, run_ids: &[i64]) -> bool {
        match self {
            Follow::All => true,
            Follow::Experiment(id) => experiment_id == id,
            Follow::Run(id) => run_ids.contains(&id),
        }
    }

    /// Whether `change`, which concerns what is followed, deletes all of it.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    fn ends_with(self, change: &ChangeEvent) -> bool {
        match change.change {
            Change::ExperimentDeleted => self != Follow::All,
            Change::RunsDeleted => matches!(self, Follow::Run(_)),
            Change::ExperimentCreated
            | Change::ExperimentRestored
            | Change::ExperimentAnnotated
            | Change::RunsImported
            | Change::RunsQueued
            | Change::RunsAnnotated
            | Change::FindingsMade => false,
        }
    }
}

/// The state of what a page follows.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Whether the stream is open.
    pub open: Signal<bool>,
    /// Whether what the page shows was deleted meanwhile.
    pub deleted: Signal<bool>,
}

/// Follows live events while the calling component lives, in the browser only.
///
/// `on_event` gets each event. `on_gap` is called whenever more may have changed than events say, so that
/// the page reads everything anew: when the stream opens (again), when the server says that this browser
/// lagged, and when something was launched, queued, annotated or deleted, here or in another window.
#[cfg_attr(not(feature = "hydrate"), allow(unused_variables))]
pub fn follow(
    follow: Follow,
    on_event: impl Fn(LiveEvent) + Send + Sync + 'static,
    on_gap: impl Fn() + Send + Sync + 'static,
) -> Live {
    let (open, deleted) = (RwSignal::new(false), RwSignal::new(false));
    // Not while the server renders; in the browser once the page is there.
    #[cfg(feature = "hydrate")]
    {
        let selected = crate::data::selection::selected_runs();
        let handler = StoredValue::new_local(Some(move |message: stream::Message| match message {
            stream::Message::Open => {
                open.try_set(true);
                on_gap();
            }
            stream::Message::Down => {
                open.try_set(false);
            }
            stream::Message::Lagged => on_gap(),
            stream::Message::Live(event) => {
                if follow.concerns(event.experiment_id, &[event.run_id]) {
                    on_event(*event);
                }
            }
            stream::Message::Change(change) => {
                // What is gone cannot be compared.
                let gone = [Change::ExperimentDeleted, Change::RunsDeleted];
                if gone.contains(&change.change) {
                    selected.change(&change.run_ids, false);
                }
                if !follow.concerns(change.experiment_id, &change.run_ids) {
                    return;
                }
                let ends = follow.ends_with(&change);
                if ends || change.change == Change::ExperimentRestored {
                    deleted.try_set(ends);
                }
                if !ends {
                    on_gap();
                }
            }
        }));
        Effect::new(move |_| {
            if let Some(Some(handler)) = handler.try_update_value(Option::take) {
                stream::follow(handler);
            }
        });
    }
    Live {
        open: open.into(),
        deleted: deleted.into(),
    }
}

/// The shared stream, as a tab sees it.
#[cfg(feature = "hydrate")]
mod stream {
    use leptos::prelude::on_cleanup;
    use protocol::api::{ChangeEvent, LiveEvent};
    use send_wrapper::SendWrapper;
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{MessageEvent, MessagePort, SharedWorker, Worker};

    /// The worker's script, in `public/`.
    const SCRIPT: &str = "/live-stream.js";

    /// What the worker says.
    pub enum Message {
        /// The stream is open; events before may have been missed.
        Open,
        /// The stream is down; the worker tries again.
        Down,
        /// Events were missed.
        Lagged,
        /// Something happened.
        Live(Box<LiveEvent>),
        /// Something was launched, queued, annotated or deleted.
        Change(ChangeEvent),
    }

    impl Message {
        /// Reads a message. An event this build does not know counts as missed: what it changed can still be read.
        fn read(message: &JsValue) -> Message {
            let text = |name: &str| {
                js_sys::Reflect::get(message, &name.into())
                    .ok()
                    .and_then(|value| value.as_string())
            };
            match text("kind").as_deref() {
                Some("open") => Message::Open,
                Some("down") => Message::Down,
                Some("live") => text("data")
                    .and_then(|data| serde_json::from_str(&data).ok())
                    .map_or(Message::Lagged, Message::Live),
                Some("change") => text("data")
                    .and_then(|data| serde_json::from_str(&data).ok())
                    .map_or(Message::Lagged, Message::Change),
                _ => Message::Lagged,
            }
        }
    }

    /// This tab's connection to either kind of worker.
    enum Line {
        Shared(MessagePort),
        Own(Worker),
    }

    impl Line {
        /// `None` where the browser has no workers at all: the page then stays as it was loaded, and says so.
        fn open() -> Option<Line> {
            let shared = js_sys::Reflect::has(&js_sys::global(), &"SharedWorker".into());
            if shared == Ok(true)
                && let Ok(worker) = SharedWorker::new(SCRIPT)
            {
                return Some(Line::Shared(worker.port()));
            }
            Worker::new(SCRIPT).ok().map(Line::Own)
        }

        fn say(&self, word: &str) {
            let word = JsValue::from_str(word);
            // Text can always be sent.
            let _ = match self {
                Line::Shared(port) => port.post_message(&word),
                Line::Own(worker) => worker.post_message(&word),
            };
        }

        fn listen(&self, listener: Option<&js_sys::Function>) {
            match self {
                Line::Shared(port) => port.set_onmessage(listener),
                Line::Own(worker) => worker.set_onmessage(listener),
            }
        }

        fn close(&self) {
            self.say("leave");
            self.listen(None);
            match self {
                Line::Shared(port) => port.close(),
                Line::Own(worker) => worker.terminate(),
            }
        }
    }

    /// Hands every message to `handler` until the calling owner is disposed of, or the tab goes.
    pub fn follow(handler: impl Fn(Message) + 'static) {
        let Some(line) = Line::open() else {
            return;
        };
        let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            handler(Message::read(&event.data()));
        });
        line.listen(Some(listener.as_ref().unchecked_ref()));
        line.say("follow");
        let line = std::rc::Rc::new(line);
        // A tab that is closed, or kept for the back button, must not hold the stream open.
        let on_hide =
            leptos_use::use_event_listener(leptos_use::use_window(), leptos::ev::pagehide, {
                let line = SendWrapper::new(line.clone());
                move |_| line.say("leave")
            });
        let on_show =
            leptos_use::use_event_listener(leptos_use::use_window(), leptos::ev::pageshow, {
                let line = SendWrapper::new(line.clone());
                move |event| {
                    if event.persisted() {
                        line.say("follow");
                    }
                }
            });
        let held = SendWrapper::new((line, listener));
        on_cleanup(move || {
            on_hide();
            on_show();
            held.0.close();
        });
    }
}

/// Whether `event` changes more of a run than it carries: the run's state or its result.
pub fn changes_state(event: &Event) -> bool {
    match event {
        Event::Started(_)
        | Event::Trained(_)
        | Event::Finished(_)
        | Event::Diverged { .. }
        | Event::Failed { .. }
        | Event::Cancelled
        | Event::Interrupted { .. } => true,
        Event::Progress(_)
        | Event::Job(_)
        | Event::Epoch(_)
        | Event::Measured(_)
        | Event::Log { .. } => false,
    }
}

/// Shows whether the page receives events.
#[component]
pub fn LiveMark(
    /// Whether the stream is open.
    open: Signal<bool>,
    /// Whether anything is at work that events could tell of; nothing is shown otherwise.
    #[prop(into, default = Signal::stored(true))]
    active: Signal<bool>,
) -> impl IntoView {
    view! {
        <span class="live-mark" hidden=move || !active.get() data-open=move || open.get().to_string()>
            <span class="dot" aria-hidden="true"></span>
            {move || if open.get() { "Live" } else { "Not live: connecting" }}
        </span>
    }
}

/// Says that what the page shows was deleted.
#[component]
pub fn Deleted(
    /// What it was, for example "experiment".
    what: &'static str,
    /// Whether it was deleted.
    deleted: Signal<bool>,
) -> impl IntoView {
    view! {
        <div role="status">
            {move || deleted.get().then(|| view! {
                <p class="notice" id="deleted">{format!("This {what} was deleted. ")}<A href="/experiments">"All experiments"</A></p>
            })}
        </div>
    }
}

/// Calls `read` when the returned function is called: at once, then at most every `milliseconds`,
/// and once more at the end of a burst. For pages that read again on a stream of events.
pub fn at_most_every<F: Future<Output = ()> + 'static>(
    milliseconds: f64,
    read: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> impl Fn() + Clone + Send + Sync + 'static {
    let read = move || leptos::task::spawn_local(read());
    let read = leptos_use::use_throttle_fn(read, milliseconds);
    move || {
        read();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a page is told of another experiment's or run's events: all tabs share one stream.
    #[test]
    fn a_page_hears_of_its_own_alone() {
        for (follow, hears) in [
            (Follow::All, true),
            (Follow::Experiment(2), true),
            (Follow::Experiment(7), false),
            (Follow::Run(7), true),
            (Follow::Run(2), false),
        ] {
            assert_eq!(follow.concerns(2, &[7]), hears, "{follow:?}");
        }
    }

    /// Breaks when a page reports as deleted what still exists, or keeps showing what was deleted.
    #[test]
    fn what_is_deleted_is_no_longer_shown() {
        let event = |change| ChangeEvent {
            at: 0,
            experiment_id: 2,
            run_ids: vec![7],
            change,
        };
        let pages = [Follow::All, Follow::Experiment(2), Follow::Run(7)];
        for (change, ends) in [
            (Change::ExperimentDeleted, [false, true, true]),
            (Change::RunsDeleted, [false, false, true]),
            (Change::ExperimentRestored, [false; 3]),
            (Change::RunsQueued, [false; 3]),
            (Change::FindingsMade, [false; 3]),
            (Change::ExperimentAnnotated, [false; 3]),
        ] {
            assert_eq!(
                pages.map(|page| page.ends_with(&event(change))),
                ends,
                "{change:?}"
            );
        }
    }
}
