//! Server-sent events: live, and replayed without gap or duplicate.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use futures::StreamExt;
use protocol::Event;
use protocol::api::{Change, ChangeEvent, Experiment, LiveEvent};
use protocol::event::LogLevel;

use crate::common::{Lab, PATIENCE, corruptions, endless, small};

/// One message of a stream: its `id`, its `event` and its data.
#[derive(Debug, Clone, PartialEq)]
struct Message {
    id: Option<i64>,
    event: String,
    data: String,
}

impl Message {
    fn live(&self) -> LiveEvent {
        assert_eq!(self.event, "live");
        serde_json::from_str(&self.data).unwrap()
    }
}

/// Listens to `/events`; the receiver gets the messages as they come, the first comment left out.
async fn listen(
    lab: &Lab,
    query: &str,
    last: Option<i64>,
) -> tokio::sync::mpsc::UnboundedReceiver<Message> {
    let mut request = Request::get(format!("/api/v1/events{query}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response =
        tower::ServiceExt::oneshot(lab.router.clone(), request.body(Body::empty()).unwrap())
            .await
            .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut body = response.into_body().into_data_stream();
    let greeting = body.next().await.unwrap().unwrap();
    assert!(greeting.starts_with(b":"), "{greeting:?} is no comment");
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut text = String::from_utf8(greeting.to_vec()).unwrap();
        while let Some(Ok(bytes)) = body.next().await {
            text.push_str(std::str::from_utf8(&bytes).unwrap());
            while let Some((block, rest)) = text.split_once("\n\n") {
                let value = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                        .map(str::to_owned)
                };
                if let (Some(event), Some(data)) = (value("event"), value("data")) {
                    let id = value("id").map(|id| id.parse().unwrap());
                    let _ = sender.send(Message { id, event, data });
                }
                text = rest.to_owned();
            }
        }
    });
    receiver
}

/// Messages with a number, until `count` of them came.
async fn stored(
    receiver: &mut tokio::sync::mpsc::UnboundedReceiver<Message>,
    count: usize,
) -> Vec<LiveEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        let message = tokio::time::timeout(PATIENCE, receiver.recv())
            .await
            .expect("too few events")
            .unwrap();
        if message.event == "change" {
            assert_eq!(message.id, None);
            continue;
        }
        let live = message.live();
        assert_eq!(message.id, live.sequence);
        assert_eq!(
            live.sequence.is_none(),
            matches!(live.event, Event::Progress(_))
        );
        events.extend(live.sequence.is_some().then_some(live));
    }
    events
}

/// Listeners that come at any moment, some filtered, while several workers speak at once, all see the
/// store's own sequence. Broken by: telling events in another order than they are stored (a later
/// number then hides an earlier one), losing what falls between replay and live, or sending it twice.
#[tokio::test]
async fn listeners_miss_nothing_and_see_nothing_twice() {
    let lab = Lab::with_slots(3).await;
    let (first, _) = lab.launch(&small(&[-1.0, 1.0], 1)).await;
    let (second, runs) = lab.launch(&small(&[0.5], 1)).await;
    let mut listeners = Vec::new();
    let mut ended = false;
    while !ended {
        let so_far = lab.state.store.last_sequence().await.unwrap();
        for (query, experiment, run) in [
            (String::new(), None, None),
            (format!("?experiment={}", first.id), Some(first.id), None),
            (format!("?run={}", runs[0]), None, Some(runs[0])),
        ] {
            let last = so_far / 2;
            listeners.push((
                listen(&lab, &query, Some(last)).await,
                last,
                experiment,
                run,
            ));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        ended = true;
        for id in [first.id, second.id] {
            let runs: Vec<protocol::Run> = lab.get(&format!("/experiments/{id}/runs")).await;
            ended &= runs.iter().all(|run| !run.state.is_active());
        }
    }
    for (mut receiver, last, experiment, run) in listeners {
        let expected = lab
            .state
            .store
            .events_after(last, experiment, run, 10_000)
            .await
            .unwrap();
        let received = stored(&mut receiver, expected.len()).await;
        assert_eq!(
            received, expected,
            "after {last}, experiment {experiment:?}, run {run:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(receiver.try_recv().is_err(), "more than what was stored");
    }
}

/// Broken by: a replay that ends after its first page, or repeats its edge.
#[tokio::test]
async fn a_long_replay_is_whole() {
    let lab = Lab::open().await;
    let (_, runs) = lab.launch(&endless(&[0.0, 1.0])).await;
    for line in 0..1200 {
        let event = Event::Log {
            level: LogLevel::Info,
            message: line.to_string(),
        };
        lab.state.store.record(runs[1], &event).await.unwrap();
    }
    let query = format!("?run={}", runs[1]);
    let all = lab
        .state
        .store
        .events_after(0, None, Some(runs[1]), 10_000)
        .await
        .unwrap();
    assert_eq!(all.len(), 1200);
    let from = all[99].sequence;
    let received = stored(&mut listen(&lab, &query, from).await, 1100).await;
    assert_eq!(received, all[100..]);
}

/// Broken by: replaying to those who did not ask, or silence for a listener whose last number this
/// store never gave out (its numbers begin anew after the data directory was replaced).
#[tokio::test]
async fn newcomers_and_strangers_get_what_is_new() {
    let lab = Lab::open().await;
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    let before = lab.state.store.last_sequence().await.unwrap();
    let mut newcomer = listen(&lab, "", None).await;
    let mut stranger = listen(&lab, "", Some(before + 1000)).await;
    assert_eq!(stranger.recv().await.unwrap().event, "lagged");
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    let expected = lab
        .state
        .store
        .events_after(before, None, None, 1000)
        .await
        .unwrap();
    assert_eq!(stored(&mut newcomer, expected.len()).await, expected);
    assert_eq!(stored(&mut stranger, expected.len()).await, expected);

    let request = Request::get("/api/v1/events").header("last-event-id", "yesterday");
    lab.send(request.body(Body::empty()).unwrap())
        .await
        .refusal(StatusCode::BAD_REQUEST);
}

/// The next change that a listener is told of.
async fn change(receiver: &mut tokio::sync::mpsc::UnboundedReceiver<Message>) -> ChangeEvent {
    loop {
        let message = tokio::time::timeout(PATIENCE, receiver.recv())
            .await
            .expect("no change")
            .unwrap();
        if message.event == "change" {
            return serde_json::from_str(&message.data).unwrap();
        }
    }
}

/// Breaks when a second window is not told of what was launched, queued, annotated, deleted or brought back in the first, or a page is told
/// of what does not concern it.
#[tokio::test]
async fn changes_are_told() {
    let lab = Lab::open().await;
    let mut everything = listen(&lab, "", None).await;
    let (experiment, runs) = lab.launch(&small(&[0.0, 1.0], 1)).await;
    let experiment = experiment.id;
    let path = format!("/experiments/{experiment}");
    let mut of_first = listen(&lab, &format!("?run={}", runs[0]), None).await;
    let mut of_another = listen(&lab, &format!("?experiment={}", experiment + 1), None).await;

    lab.post::<Experiment>(&format!("{path}/cancel")).await;
    for &run in &runs {
        lab.wait_for_end(run).await;
    }
    lab.resume(runs[1]).await;
    lab.post::<Experiment>(&format!("{path}/resume")).await;
    lab.wait_for_end(runs[0]).await;
    lab.wait_for_end(runs[1]).await;
    let notes = |path: &str| {
        let body = Body::from(r#"{"notes": "good"}"#);
        Request::patch(format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .unwrap()
    };
    let first = format!("/runs/{}", runs[0]);
    for request in [notes(&path), notes(&first)] {
        assert_eq!(lab.send(request).await.status, StatusCode::OK);
    }
    let queued = lab
        .post_value(&format!("{first}/evaluate"), &corruptions(10))
        .await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.text());
    lab.wait_for_end(runs[0]).await;
    for deleted in [format!("/runs/{}", runs[1]), path] {
        let answer = lab.ask(Method::DELETE, &deleted).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
    lab.post::<Experiment>(&format!("/experiments/{experiment}/restore"))
        .await;

    let (zero, one) = (runs[0], runs[1]);
    let expected = [
        (Change::ExperimentCreated, vec![]),
        (Change::RunsQueued, vec![one]),
        (Change::RunsQueued, vec![zero]),
        (Change::ExperimentAnnotated, vec![]),
        (Change::RunsAnnotated, vec![zero]),
        (Change::RunsQueued, vec![zero]),
        (Change::RunsDeleted, vec![one]),
        (Change::ExperimentDeleted, vec![zero]),
        (Change::ExperimentRestored, vec![zero]),
    ];
    for (kind, run_ids) in &expected {
        let heard = change(&mut everything).await;
        let received = (heard.experiment_id, heard.change, heard.run_ids);
        assert_eq!(received, (experiment, *kind, run_ids.clone()));
    }
    for (kind, _) in expected.iter().filter(|(_, runs)| runs.contains(&zero)) {
        assert_eq!(change(&mut of_first).await.change, *kind);
    }
    assert!(of_another.try_recv().is_err());
}
