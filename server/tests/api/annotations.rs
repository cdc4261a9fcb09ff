//! Tags and notes of experiments and runs, by HTTP.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use protocol::Run;
use protocol::api::{Experiment, ExperimentPage};

use crate::common::{Answer, Lab, endless};

async fn patch(lab: &Lab, path: &str, body: &str) -> Answer {
    let request = Request::patch(format!("/api/v1{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()));
    lab.send(request.unwrap()).await
}

/// Breaks when what is absent is erased, tags keep their spaces or lose their order, a wrong value is kept or
/// refused under another field, or the launched spec is changed by an edit.
#[tokio::test]
async fn tags_and_notes_are_edited() {
    let lab = Lab::open().await;
    let mut spec = endless(&[0.0]);
    spec.notes = "why".into();
    let (experiment, runs) = lab.launch(&spec).await;
    assert_eq!(
        (experiment.notes.as_str(), experiment.tags.len()),
        ("why", 0)
    );
    let path = format!("/experiments/{}", experiment.id);

    let answer = patch(&lab, &path, r#"{"tags": [" pilot ", "Lab meeting"]}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let edited: Experiment = answer.json();
    assert_eq!(edited.tags, ["pilot", "Lab meeting"]);
    assert_eq!(edited.notes, "why");
    let answer = patch(&lab, &path, r#"{"notes": "came to nothing"}"#).await;
    let edited: Experiment = answer.json();
    assert_eq!(edited.tags, ["pilot", "Lab meeting"]);
    assert_eq!(edited.notes, "came to nothing");
    assert_eq!(edited.spec.notes, "why", "the spec stays as launched");

    let run_path = format!("/runs/{}", runs[0]);
    let body = r#"{"tags": ["odd one"], "notes": "loss jumps at epoch 2"}"#;
    let run: Run = patch(&lab, &run_path, body).await.json();
    assert_eq!(
        (run.tags.len(), run.notes.as_str()),
        (1, "loss jumps at epoch 2")
    );
    let run: Run = patch(&lab, &run_path, r#"{"tags": []}"#).await.json();
    assert_eq!(
        (run.tags.len(), run.notes.as_str()),
        (0, "loss jumps at epoch 2")
    );
    patch(&lab, &run_path, r#"{"tags": ["odd one"]}"#).await;
    let listed: Vec<Run> = lab.get(&format!("{path}/runs")).await;
    assert_eq!(listed[0].tags, ["odd one"]);

    for (body, field) in [
        (r#"{"tags": ["a", "a "]}"#, "tags"),
        (r#"{"tags": [""]}"#, "tags"),
        (r#"{"tags": ["a,b"]}"#, "tags"),
        (r#"{"tags": "a"}"#, "tags"),
        (r#"{"label": "a"}"#, "label"),
    ] {
        for path in [&path, &run_path] {
            let error = patch(&lab, path, body)
                .await
                .refusal(StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(error.fields[0].field, field, "{body}: {error:?}");
        }
    }
    let notes = format!(r#"{{"tags": ["new"], "notes": "{}"}}"#, "x".repeat(10_001));
    let error = patch(&lab, &path, &notes)
        .await
        .refusal(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(error.fields[0].field, "notes");
    let unchanged: Experiment = lab.get(&path).await;
    assert_eq!(unchanged.tags, ["pilot", "Lab meeting"], "all or nothing");
    for path in ["/experiments/99", "/runs/99"] {
        patch(&lab, path, r#"{"tags": []}"#)
            .await
            .refusal(StatusCode::NOT_FOUND);
    }

    for (search, total) in [
        ("pilot", 1),
        ("lab+MEET", 1),
        ("odd", 1),
        ("nothing", 1),
        ("resnet8", 1),
        ("absent", 0),
    ] {
        let page: ExperimentPage = lab.get(&format!("/experiments?search={search}")).await;
        assert_eq!(page.total, total, "{search}");
    }
}
