//! The perturbation bench: what is shown is what was measured, and a failure of its process is nobody else's.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use protocol::api::CorruptedSamplePage;
use protocol::perturbation_bench::BenchAnswer;

use crate::common::{Lab, corruptions, endless, small};

/// Breaks when the bench shows other classes or probabilities than the run's own evaluation found for the same image, another
/// run's network, or a run that has none.
#[tokio::test]
async fn the_bench_shows_what_was_measured() {
    let lab = Lab::open().await;
    let mut spec = small(&[-1.0, 1.0], 1);
    spec.evaluation = corruptions(20);
    let (_, runs) = lab.launch(&spec).await;
    for &run in &runs {
        lab.wait_for_end(run).await;
    }
    let path = format!(
        "/runs/{}/corrupted-samples?corruption=fog&severity=4&filter=all",
        runs[1]
    );
    let page: CorruptedSamplePage = lab.get(&path).await;
    let sample = &page.samples[3];
    let ask = format!(
        "/perturbation?runs={},{}&image={}&change=fog:4&layer=stem&unit=2",
        runs[0], runs[1], sample.index
    );
    let answer: BenchAnswer = lab.get(&ask).await;
    assert_eq!(answer.image.class.as_ref(), Some(&sample.class));
    assert_eq!(
        answer
            .networks
            .iter()
            .map(|one| one.run_id)
            .collect::<Vec<_>>(),
        runs
    );
    assert_eq!(
        (answer.networks[0].alpha, answer.networks[1].alpha),
        (-1.0, 1.0)
    );
    let network = &answer.networks[1];
    assert_eq!(Some(&network.clean_class), sample.clean.class.as_ref());
    assert_eq!(
        Some(&network.changed_class),
        sample.corrupted.class.as_ref()
    );
    let confidences = |class: &str| {
        network
            .classes
            .iter()
            .find(|one| one.class == class)
            .unwrap()
    };
    let clean = confidences(&network.clean_class).clean - f64::from(sample.clean.confidence);
    let changed =
        confidences(&network.changed_class).changed - f64::from(sample.corrupted.confidence);
    assert!(
        clean.abs() < 1e-5 && changed.abs() < 1e-5,
        "{clean} {changed}"
    );
    assert_eq!(network.maps.as_ref().unwrap().unit.unit, 2);
}

/// Breaks when a question that cannot be answered is anything but a refusal, or ends the bench for the next.
#[tokio::test]
async fn what_cannot_be_shown_is_refused() {
    let lab = Lab::open().await;
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    let (_, waiting) = lab.launch(&endless(&[0.0])).await;
    let run = runs[0];
    for (query, status) in [
        (format!("runs={run}&change=haze:3"), StatusCode::BAD_REQUEST),
        (format!("runs={run}&image=1000000"), StatusCode::BAD_REQUEST),
        (format!("runs={run}&layer=stage9"), StatusCode::BAD_REQUEST),
        (format!("runs={run}&unit=5000"), StatusCode::BAD_REQUEST),
        (
            format!("runs={run},{run},{run},{run}"),
            StatusCode::BAD_REQUEST,
        ),
        ("runs=".into(), StatusCode::BAD_REQUEST),
        (String::new(), StatusCode::BAD_REQUEST),
        ("runs=99".into(), StatusCode::NOT_FOUND),
        (format!("runs={}", waiting[0]), StatusCode::NOT_FOUND),
        (format!("runs={run}&image=brought-0"), StatusCode::NOT_FOUND),
    ] {
        let answer = lab
            .ask(Method::GET, &format!("/perturbation?{query}"))
            .await;
        answer.refusal(status);
    }
    let post = |body: Vec<u8>| {
        let request = Request::post("/api/v1/perturbation/images");
        request.body(Body::from(body)).unwrap()
    };
    lab.send(post(b"no image".to_vec()))
        .await
        .refusal(StatusCode::BAD_REQUEST);

    let png = lab
        .ask(Method::GET, "/datasets/builtin/images/test/0.png")
        .await
        .body;
    let brought = lab.send(post(png)).await;
    assert_eq!(brought.status, StatusCode::CREATED, "{}", brought.text());
    let image = brought.json::<serde_json::Value>()["image"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask =
        |image: &str| format!("/perturbation?runs={run}&change=fgsm:linf:4/255&image={image}");
    let own: BenchAnswer = lab.get(&ask(&image)).await;
    let known: BenchAnswer = lab.get(&ask("0")).await;
    assert_eq!((own.image.index, own.image.url), (None, known.image.url));
    lab.ask(Method::POST, &format!("/runs/{}/cancel", waiting[0]))
        .await;
}
