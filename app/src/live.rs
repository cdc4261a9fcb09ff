//! Live events of the server, for pages that show work while it is done.

use codee::string::JsonSerdeCodec;
use leptos::prelude::*;
use leptos_use::core::ConnectionReadyState;
use leptos_use::{
    ReconnectLimit, UseEventSourceMessage, UseEventSourceOnEventReturn, UseEventSourceOptions,
    UseEventSourceReturn, use_event_source_with_options,
};
use protocol::Event;
use protocol::api::LiveEvent;

/// Follows `/api/v1/events?{query}` while the calling component lives, in the browser only.
///
/// `on_event` gets each event. `on_gap` is called whenever events may have been missed, so that
/// the page reads everything anew: when the stream opens (again), and when the server says that
/// this browser lagged. Returns whether the stream is open.
pub fn follow(
    query: String,
    on_event: impl Fn(LiveEvent) + Send + Sync + 'static,
    on_gap: impl Fn() + Send + Sync + 'static,
) -> Signal<bool> {
    type Message = UseEventSourceMessage<LiveEvent, JsonSerdeCodec>;

    let options = UseEventSourceOptions::default()
        .named_events(["live".to_owned(), "lagged".to_owned()])
        .reconnect_limit(ReconnectLimit::Infinite)
        .on_event(move |event: &leptos::web_sys::Event| {
            match event.type_().as_str() {
                "open" | "lagged" => on_gap(),
                "live" => match Message::try_from(event.clone()) {
                    Ok(message) => on_event(message.data),
                    // An event this build does not know: what it changed can still be read.
                    Err(_) => on_gap(),
                },
                _ => {}
            }
            UseEventSourceOnEventReturn::IgnoreProcessingMessage
        });
    let UseEventSourceReturn { ready_state, .. } =
        use_event_source_with_options::<LiveEvent, JsonSerdeCodec>(
            format!("{}/events?{query}", crate::api::ROOT),
            options,
        );
    Signal::derive(move || ready_state.get() == ConnectionReadyState::Open)
}

/// Whether `event` changes more of a run than it says itself: its state, or what its result is shown in.
pub fn changes_state(event: &Event) -> bool {
    match event {
        Event::Started(_)
        | Event::Trained(_)
        | Event::Finished(_)
        | Event::Diverged { .. }
        | Event::Failed { .. }
        | Event::Cancelled
        | Event::Interrupted { .. } => true,
        Event::Progress(_) | Event::Epoch(_) | Event::Measured(_) | Event::Log { .. } => false,
    }
}

/// Says whether the page follows along.
#[component]
pub fn LiveMark(
    /// Whether the stream is open.
    open: Signal<bool>,
) -> impl IntoView {
    view! {
        <span class="live-mark" data-open=move || open.get().to_string()>
            <span class="dot" aria-hidden="true"></span>
            {move || if open.get() { "Live" } else { "Not live: connecting" }}
        </span>
    }
}

/// Calls `read` when the returned function is called: at once, then at most every `milliseconds`,
/// and once more at the end of a burst. For pages that read anew on a stream of events.
pub fn at_most_every(
    milliseconds: f64,
    read: impl Fn() + Clone + Send + Sync + 'static,
) -> impl Fn() + Clone + Send + Sync + 'static {
    let read = leptos_use::use_throttle_fn(read, milliseconds);
    move || {
        read();
    }
}
