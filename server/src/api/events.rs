//! `GET /events`: live events, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures::stream::{self, Stream, StreamExt};
use protocol::api::LiveEvent;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::json::QueryParameters;
use super::{AppState, Refusal};
use crate::scheduler::News;
use crate::store::Store;

/// Stored events read at a time during replay.
const CHUNK: i64 = 500;

/// Filters on events; all events when both are absent.
#[derive(Debug, Clone, Copy, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Only this experiment's.
    experiment: Option<i64>,
    /// Only this run's.
    run: Option<i64>,
}

/// Live events. Stored ones have their sequence number as `id`; with `Last-Event-ID` those that
/// were missed come first. `event: lagged` says that some were lost: read everything anew.
/// `event: change` (`ChangeEvent`) says what was launched, queued, annotated or deleted; it has no `id` and
/// is not sent again, so a client that reconnects reads again what it shows.
#[utoipa::path(
    get,
    path = "/events",
    params(EventQuery, ("Last-Event-ID" = Option<i64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = LiveEvent))
)]
pub(super) async fn events(
    State(state): State<AppState>,
    QueryParameters(query): QueryParameters<EventQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refusal> {
    let last: Option<i64> = match headers.get("last-event-id") {
        Some(value) => {
            let number = value.to_str().ok().and_then(|value| value.parse().ok());
            let wrong = || Refusal::parameter("Last-Event-ID must be a whole number");
            Some(number.ok_or_else(wrong)?)
        }
        None => None,
    };
    // Subscribes before the replay is read, so that no event falls between the two; an event that
    // comes both ways is dropped by its number.
    let receiver = state.scheduler.subscribe();
    let newest = state.store.last_sequence().await?;
    // A number that was never given out is from another store: the listener knows nothing of this one.
    let stranger = last.is_some_and(|last| last > newest);
    let replaying = last.is_some() && !stranger;
    let feed = Feed {
        store: state.store,
        receiver,
        query,
        sequence: last.filter(|_| replaying).unwrap_or(newest),
        replaying,
        pending: Vec::new().into_iter(),
    };
    let mut greeting = vec![Ok(SseEvent::default().comment("listening"))];
    if stranger {
        greeting.push(Ok(lagged()));
    }
    Ok(Sse::new(stream::iter(greeting).chain(feed.stream()))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Feed {
    store: Store,
    receiver: Receiver<News>,
    query: EventQuery,
    /// Number of the last stored event that was sent, or that a new listener need not see.
    sequence: i64,
    replaying: bool,
    pending: std::vec::IntoIter<LiveEvent>,
}

impl Feed {
    fn stream(self) -> impl Stream<Item = Result<SseEvent, Infallible>> {
        stream::unfold(self, |mut feed| async move {
            let event = feed.next().await?;
            Some((Ok(event), feed))
        })
    }

    async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.pending.next() {
                return Some(self.send(&event));
            }
            if self.replaying {
                let EventQuery { experiment, run } = self.query;
                let stored = self
                    .store
                    .events_after(self.sequence, experiment, run, CHUNK)
                    .await;
                match stored {
                    Ok(events) if events.is_empty() => self.replaying = false,
                    Ok(events) => self.pending = events.into_iter(),
                    Err(error) => {
                        tracing::error!(%error, "a replay of events failed");
                        return None;
                    }
                }
                continue;
            }
            match self.receiver.recv().await {
                Ok(News::Change(change)) => {
                    if self.concerns(change.experiment_id, &change.run_ids) {
                        return Some(sse_event("change", &change));
                    }
                }
                Ok(News::Event(event)) => {
                    let new = event
                        .sequence
                        .is_none_or(|sequence| sequence > self.sequence);
                    if new && self.concerns(event.experiment_id, &[event.run_id]) {
                        return Some(self.send(&event));
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    return Some(lagged());
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn concerns(&self, experiment_id: i64, run_ids: &[i64]) -> bool {
        let EventQuery { experiment, run } = self.query;
        experiment.is_none_or(|id| id == experiment_id)
            && run.is_none_or(|id| run_ids.contains(&id))
    }

    fn send(&mut self, event: &LiveEvent) -> SseEvent {
        let sent = sse_event("live", event);
        match event.sequence {
            Some(sequence) => {
                self.sequence = sequence;
                sent.id(sequence.to_string())
            }
            None => sent,
        }
    }
}

fn sse_event(kind: &str, data: &impl serde::Serialize) -> SseEvent {
    let event = SseEvent::default().event(kind).json_data(data);
    event.unwrap_or_else(|_| lagged())
}

/// Tells a listener that it has missed something and should read everything anew.
fn lagged() -> SseEvent {
    SseEvent::default().event("lagged").data("{}")
}
