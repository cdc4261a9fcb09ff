//! What is wrong is refused, with its reason, and leaves nothing behind.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use protocol::api::{Estimate, ExperimentPage};
use serde_json::{Value, json};

use crate::common::{Lab, fields, small};

/// Broken by: accepting a wrong value, not naming its field, or creating before everything is checked.
#[tokio::test]
async fn a_wrong_spec_is_refused_by_field_and_creates_nothing() {
    let lab = Lab::open().await;
    let good = serde_json::to_value(small(&[0.0], 1)).unwrap();
    // Where the spec is spoiled, with what, which field is blamed, and a word of the reason.
    let cases: [(&str, Value, &str, &str); 15] = [
        ("/name", json!(7), "name", "string"),
        ("/name", json!("   "), "name", "give the experiment a name"),
        ("/network", json!("resnet7"), "network", "resnet8"),
        ("/dataset", json!("cifar99"), "dataset", "is not a data set"),
        (
            "/dataset",
            json!("folder:../secret"),
            "dataset",
            "is not a data set",
        ),
        (
            "/dataset",
            json!("folder:nowhere"),
            "dataset",
            "not installed",
        ),
        ("/alphas", json!([]), "alphas", "at least one alpha"),
        ("/alphas", json!([0.0, "one"]), "alphas[1]", "f64"),
        (
            "/alphas",
            json!([101.0]),
            "alphas",
            "not between -100 and 100",
        ),
        ("/seeds", json!([-1]), "seeds[0]", "u64"),
        ("/device", json!("wgpu:99"), "device", "choose cpu"),
        ("/training/epochs", json!("many"), "training.epochs", "u32"),
        (
            "/training/batch_size",
            json!(1),
            "training.batch_size",
            "not between 2 and",
        ),
        (
            "/training/validation_images_per_class",
            json!(1_000_000),
            "training.validation_images_per_class",
            "nothing would be left",
        ),
        (
            "/training/train_images_per_class",
            json!(1_000_000),
            "training.train_images_per_class",
            "left after the hold-out",
        ),
    ];
    for (place, value, field, reason) in cases {
        let mut spec = good.clone();
        *spec.pointer_mut(place).unwrap() = value.clone();
        for path in ["/experiments", "/estimates"] {
            let error = lab.unprocessable(path, &spec).await;
            let fields = fields(&error);
            assert_eq!(fields, [field], "{path} with {place} = {value}: {error:?}");
            assert!(
                error.fields[0].reason.contains(reason),
                "{path} with {place} = {value}: {error:?}"
            );
        }
    }
    let page: ExperimentPage = lab.get("/experiments").await;
    assert_eq!(page.total, 0);
    assert!(
        lab.state
            .store
            .run_ids(protocol::RunState::Queued, None)
            .await
            .unwrap()
            .is_empty()
    );
}

/// Broken by: ignoring fields that are not known (a misspelt setting would silently keep its
/// default), or blaming the wrong field for one that is missing.
#[tokio::test]
async fn unknown_and_missing_fields_are_named() {
    let lab = Lab::open().await;
    let good = serde_json::to_value(small(&[0.0], 1)).unwrap();
    let mut unknown = good.clone();
    unknown["training"]["learning_rat"] = json!(0.1);
    let mut missing = good.clone();
    missing.as_object_mut().unwrap().remove("network");
    let mut missing_inside = good.clone();
    missing_inside["training"]
        .as_object_mut()
        .unwrap()
        .remove("momentum");
    for (spec, field) in [
        (unknown, "training.learning_rat"),
        (missing, "network"),
        (missing_inside, "training.momentum"),
    ] {
        let error = lab.unprocessable("/experiments", &spec).await;
        assert_eq!(error.fields.len(), 1, "{error:?}");
        assert_eq!(error.fields[0].field, field, "{error:?}");
    }
}

/// A body of the largest size that is read. Broken by: comparing every entry of a long list with every
/// other before counting them, or answering with a reason for each.
#[tokio::test]
async fn a_hostile_list_is_refused_soon() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 1);
    spec.alphas = (0..100_000).map(|index| f64::from(index) / 1e3).collect();
    let clock = std::time::Instant::now();
    let error = lab.unprocessable("/experiments", &spec).await;
    assert!(clock.elapsed().as_secs() < 3, "took {:?}", clock.elapsed());
    assert!(
        error
            .fields
            .iter()
            .any(|error| error.reason.contains("at most 10000")),
        "{}",
        error.detail
    );
}

/// Broken by: reporting only the first of several wrong fields.
#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let lab = Lab::open().await;
    let mut spec = small(&[], 0);
    spec.device = "abacus".into();
    let error = lab.unprocessable("/experiments", &spec).await;
    let fields = fields(&error);
    assert_eq!(fields, ["alphas", "training.epochs", "device"]);
}

/// Broken by: a refusal in plain text, or with a status that blames something else.
#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let lab = Lab::open().await;
    for body in ["", "{", "nonsense", "{\"name\": 1e999}"] {
        let error = lab
            .post_json("/experiments", body)
            .await
            .refusal(StatusCode::BAD_REQUEST);
        assert!(error.detail.contains("not JSON"), "{error:?}");
    }
    // Not even where every value would be a right one: serde takes them for the fields in their order.
    for (method, path, list) in [
        (Method::POST, "/experiments", "[1, 2]"),
        (Method::PATCH, "/experiments/1", " [[\"a\"], null]"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json");
        let answer = lab.send(request.body(Body::from(list)).unwrap()).await;
        answer.refusal(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let good = serde_json::to_string(&small(&[0.0], 1)).unwrap();
    lab.post_json("/experiments", format!("{good} {{}}"))
        .await
        .refusal(StatusCode::BAD_REQUEST);
    let form = Request::post("/api/v1/experiments").header(header::CONTENT_TYPE, "text/plain");
    let answer = lab.send(form.body(Body::from(good.clone())).unwrap()).await;
    assert!(
        answer
            .refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .detail
            .contains("application/json")
    );
    let bare = lab
        .send(
            Request::post("/api/v1/experiments")
                .body(Body::from(good))
                .unwrap(),
        )
        .await;
    bare.refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    lab.post_json("/experiments", vec![b' '; (1 << 20) + 1])
        .await
        .refusal(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(lab.get::<ExperimentPage>("/experiments").await.total, 0);
}

/// Broken by: axum's own rejections in plain text, which no client of ours can read.
#[tokio::test]
async fn what_is_not_there_is_refused_in_json() {
    let lab = Lab::open().await;
    let missing = [
        "/experiments/99",
        "/experiments/99/runs",
        "/experiments/99/metrics",
        "/experiments/99/training-curves?quantity=train_loss",
        "/experiments/99/summary",
        "/experiments/99/export.csv",
        "/experiments/99/export.parquet",
        "/experiments/99/export.json",
        "/experiments/abc",
        "/experiments/99999999999999999999",
        "/runs/99",
        "/runs/99/metrics",
        "/runs/99/log",
        "/runs/99/artifacts",
        "/runs/99/artifacts/worker.log",
        "/runs/99/export.csv",
        "/runs/99/export.parquet",
        "/runs/x",
        "/datasets/none",
        "/datasets/folder%3A..%2F..",
        "/nothing",
        "",
        "/",
    ];
    for path in missing {
        lab.refused(Method::GET, path, StatusCode::NOT_FOUND).await;
    }
    for path in [
        "/experiments/99/cancel",
        "/experiments/99/resume",
        "/runs/99/cancel",
        "/runs/99/resume",
    ] {
        lab.refused(Method::POST, path, StatusCode::NOT_FOUND).await;
    }
    lab.refused(Method::DELETE, "/experiments/99", StatusCode::NOT_FOUND)
        .await;
    let wrong = [
        "/experiments?page=0",
        "/experiments?page=first",
        "/experiments?page_size=0",
        "/experiments?page_size=201",
        "/experiments?state=resting",
        "/events?run=last",
        "/datasets/builtin/samples?per_class=0",
        "/datasets/builtin/samples?per_class=21",
        "/datasets/%FF",
        "/runs/first/artifacts/worker.log",
    ];
    for path in wrong {
        lab.refused(Method::GET, path, StatusCode::BAD_REQUEST)
            .await;
    }
    for (method, path) in [
        (Method::DELETE, "/health"),
        (Method::PUT, "/experiments"),
        (Method::PUT, "/experiments/1"),
        (Method::GET, "/resume"),
        (Method::POST, "/runs/1"),
    ] {
        lab.ask(method, path)
            .await
            .refusal(StatusCode::METHOD_NOT_ALLOWED);
    }
}

/// A positive control for the refusals above. Broken by: refusing everything.
#[tokio::test]
async fn a_good_spec_is_estimated() {
    let lab = Lab::open().await;
    let answer = lab.post_value("/estimates", &small(&[-1.0, 0.0], 1)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let estimate: Estimate = answer.json();
    assert_eq!(estimate.runs, 2);
    assert!(
        estimate
            .seconds
            .is_some_and(|seconds| seconds > 0.0 && seconds < 600.0),
        "{estimate:?}"
    );
    assert_eq!(lab.get::<ExperimentPage>("/experiments").await.total, 0);
}
