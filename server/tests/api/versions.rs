//! Partial answers, and answers that a client has already.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use protocol::api::RunMetrics;
use protocol::{EpochMetrics, Run};

use crate::common::{Answer, Lab, corruptions, endless, small};

async fn ask(lab: &Lab, path: &str, known: Option<&str>) -> Answer {
    let mut request = Request::get(format!("/api/v1{path}"));
    if let Some(known) = known {
        request = request.header(header::IF_NONE_MATCH, known);
    }
    lab.send(request.body(Body::empty()).unwrap()).await
}

/// Breaks when an answer is computed again for a client that has it, an old one passes for new, or the same tag is given to
/// another answer.
#[tokio::test]
async fn an_answer_that_one_has_is_not_sent_again() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    let paths = [
        "findings",
        "claim-figures",
        "scatter?y=test_accuracy",
        "layer-profiles",
    ]
    .map(|path| format!("/experiments/{}/{path}", experiment.id));
    let tag = |answer: &Answer| answer.headers[header::ETAG].to_str().unwrap().to_owned();
    let mut before = Vec::new();
    for path in &paths {
        let answer = ask(&lab, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-cache");
        let tag = tag(&answer);
        for known in [tag.clone(), format!("W/\"other\", {tag}"), "*".to_owned()] {
            let again = ask(&lab, path, Some(&known)).await;
            assert_eq!(
                (again.status, again.body.len()),
                (StatusCode::NOT_MODIFIED, 0)
            );
            assert_eq!(again.headers[header::ETAG], answer.headers[header::ETAG]);
        }
        let other = ask(&lab, path, Some("W/\"other\"")).await;
        assert_eq!((other.status, other.body), (StatusCode::OK, answer.body));
        before.push(tag);
    }
    let missing = ask(&lab, "/experiments/99/findings", Some("*")).await;
    missing.refusal(StatusCode::NOT_FOUND);

    // A measurement makes them old.
    lab.evaluate(runs[0], &corruptions(10)).await;
    lab.wait_for_end(runs[0]).await;
    let measured = ask(&lab, &paths[0], Some(&before[0])).await;
    assert_eq!(measured.status, StatusCode::OK);
}

/// Breaks when an answer of one store passes for that of another behind the same address, whose experiment has the same number,
/// name and history.
#[tokio::test]
async fn another_store_is_not_taken_for_this_one() {
    let mut tags = Vec::new();
    for _ in 0..2 {
        let lab = Lab::open().await;
        let (experiment, runs) = lab.launch(&endless(&[0.0])).await;
        assert_eq!((experiment.id, &*runs), (1, &[1_i64][..]));
        let answer = ask(&lab, "/experiments/1/findings", None).await;
        tags.push(answer.headers[header::ETAG].clone());
        lab.post::<Run>("/runs/1/cancel").await;
        lab.wait_for_end(1).await;
    }
    assert_ne!(tags[0], tags[1]);
}

/// Breaks when an epoch is left out between two parts of a run's metrics, comes twice, or a wrong limit is answered.
#[tokio::test]
async fn metrics_come_in_parts() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&small(&[0.0], 5)).await;
    lab.wait_for_end(runs[0]).await;
    let path = format!("/runs/{}/metrics", runs[0]);
    let all: Vec<EpochMetrics> = lab.get(&path).await;
    assert_eq!(all.len(), 5);
    let (mut parts, mut after) = (Vec::new(), 0);
    loop {
        let part: Vec<EpochMetrics> = lab.get(&format!("{path}?after={after}&limit=2")).await;
        assert!(part.len() <= 2);
        let Some(last) = part.last() else { break };
        after = last.epoch;
        parts.extend(part);
    }
    assert_eq!(parts, all);
    let both = format!("/experiments/{}/metrics?after=3", experiment.id);
    let found: Vec<RunMetrics> = lab.get(&both).await;
    assert_eq!(found[0].epochs, all[3..]);
    for wrong in ["limit=0", "limit=-1", "after=x"] {
        let answer = ask(&lab, &format!("{path}?{wrong}"), None).await;
        answer.refusal(StatusCode::BAD_REQUEST);
    }
}
