//! The OpenAPI document matches the API.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use protocol::RunState;
use protocol::api::SampleFilter;
use protocol::corruption::JpegStep;
use protocol::finding::Verdict;
use protocol::problem::{ErrorCode, Problem};

use crate::common::Lab;

/// Every route of the API; a new one is added here by whoever adds it.
const ROUTES: [(&str, &str); 73] = [
    ("post", "/experiments/{id}/import"),
    ("get", "/health"),
    ("get", "/problems"),
    ("get", "/runs"),
    ("delete", "/runs/{id}"),
    ("get", "/devices"),
    ("post", "/devices/{id}/resume"),
    ("get", "/executors"),
    ("post", "/executors/{id}/resume"),
    ("post", "/executors/slurm/scripts"),
    ("get", "/experiments/{id}/submissions"),
    ("get", "/options"),
    ("get", "/presets"),
    ("get", "/datasets"),
    ("get", "/datasets/{id}"),
    ("get", "/datasets/{id}/samples"),
    ("get", "/datasets/{id}/images/{split}/{file}"),
    ("post", "/datasets/{id}/fetch"),
    ("get", "/experiments/{id}/archive"),
    ("post", "/archives"),
    ("post", "/estimates"),
    ("post", "/experiments"),
    ("get", "/experiments"),
    ("get", "/experiments/{id}"),
    ("patch", "/experiments/{id}"),
    ("delete", "/experiments/{id}"),
    ("post", "/experiments/{id}/cancel"),
    ("post", "/experiments/{id}/resume"),
    ("post", "/experiments/{id}/restore"),
    ("get", "/views"),
    ("post", "/views"),
    ("delete", "/views/{id}"),
    ("get", "/experiments/{id}/runs"),
    ("post", "/experiments/{id}/runs"),
    ("get", "/experiments/{id}/metrics"),
    ("get", "/experiments/{id}/training-curves"),
    ("get", "/experiments/{id}/summary"),
    ("post", "/experiments/{id}/evaluate"),
    ("get", "/experiments/{id}/scatter"),
    ("get", "/experiments/{id}/layer-profiles"),
    ("get", "/experiments/{id}/claim-figures"),
    ("get", "/experiments/{id}/findings"),
    ("get", "/experiments/{id}/report.html"),
    ("get", "/experiments/{id}/export.csv"),
    ("get", "/experiments/{id}/export.parquet"),
    ("get", "/experiments/{id}/export.json"),
    ("post", "/resume"),
    ("get", "/runs/{id}"),
    ("patch", "/runs/{id}"),
    ("get", "/runs/{id}/metrics"),
    ("get", "/runs/{id}/log"),
    ("get", "/runs/{id}/artifacts"),
    ("get", "/runs/{id}/artifacts/{name}"),
    ("get", "/runs/{id}/artifacts/{folder}/{conditions}/{file}"),
    ("get", "/runs/{id}/export.csv"),
    ("get", "/runs/{id}/export.parquet"),
    ("get", "/runs/{id}/measurements"),
    ("get", "/runs/{id}/adversarial-samples"),
    ("get", "/runs/{id}/adversarial.png"),
    ("get", "/runs/{id}/corrupted-samples"),
    (
        "get",
        "/datasets/{id}/corrupted/{conditions}/{corruption}/{severity}/{file}",
    ),
    ("post", "/runs/{id}/evaluate"),
    ("post", "/runs/{id}/cancel"),
    ("post", "/runs/{id}/resume"),
    ("get", "/runs/{id}/units"),
    ("get", "/runs/{id}/units/{layer}/{unit}"),
    ("get", "/runs/{id}/units/{layer}/{unit}/gradient.png"),
    ("get", "/runs/{id}/unit-gradients"),
    ("get", "/runs/{id}/selectivity-over-training"),
    ("get", "/perturbation"),
    ("post", "/perturbation/images"),
    ("get", "/compare"),
    ("get", "/events"),
];

/// Broken by: a route that is served but not described, or described but not known here.
#[tokio::test]
async fn the_document_describes_every_route() {
    let lab = Lab::open().await;
    let document: Value = lab.get("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.push((
                method.clone(),
                path.strip_prefix("/api/v1").unwrap().to_owned(),
            ));
        }
    }
    described.sort();
    let mut routes: Vec<_> = ROUTES
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .to_vec();
    routes.sort();
    assert_eq!(described, routes);
}

/// Broken by: query parameters described as parts of the path or as required, names as Rust has them, or references that lead nowhere:
/// generated clients would not work.
#[tokio::test]
async fn the_document_is_consistent() {
    let lab = Lab::open().await;
    let document: Value = lab.get("/openapi.json").await;
    // Two types of one name in the code have two names in the document.
    let schemas = &document["components"]["schemas"];
    assert!(schemas["Estimate"]["properties"]["basis"].is_object());
    assert!(schemas["ClaimEstimate"]["properties"]["verdict"].is_object());
    // Names as they are in JSON, not as they are in Rust.
    let names = |schema: &str| schemas[schema]["enum"].clone();
    assert_eq!(names("RunState"), json!(RunState::ALL));
    assert_eq!(names("SampleFilter"), json!(SampleFilter::ALL));
    assert_eq!(names("JpegStep"), json!(JpegStep::ALL));
    assert_eq!(names("Verdict"), json!(Verdict::ALL));
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let in_path = path.contains(&format!("{{{name}}}"));
                assert_eq!(
                    parameter["in"] == "path",
                    in_path,
                    "{method} {path}: {parameter}"
                );
                // What an import, and the bench, cannot do without.
                let needed = path.ends_with("/import") && ["file", "alpha", "seed"].contains(&name)
                    || path.ends_with("/perturbation") && name == "runs";
                assert_eq!(
                    parameter["required"] == true,
                    in_path || needed,
                    "{method} {path}: {parameter}"
                );
            }
        }
    }
    fn references<'a>(value: &'a Value, pointers: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                pointers.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, pointers));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, pointers)),
            _ => {}
        }
    }
    let mut pointers = Vec::new();
    references(&document, &mut pointers);
    assert!(pointers.len() > 20);
    for reference in pointers {
        let place = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(place).is_some(),
            "{reference} leads nowhere"
        );
    }
}

/// Broken by: a page that is not there, or that loads something from elsewhere.
#[tokio::test]
async fn the_page_that_renders_it_needs_nothing_from_elsewhere() {
    let lab = Lab::open().await;
    let ask = |path: &'static str| {
        let request = axum::http::Request::builder().method(Method::GET).uri(path);
        lab.send(request.body(axum::body::Body::empty()).unwrap())
    };
    let page = ask("/api/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    for elsewhere in ["src=\"http", "src=\"//", "href=\"http", "href=\"//"] {
        assert!(!page.text().contains(elsewhere), "{}", page.text());
    }
    // What the dashboard's page `/api` loads.
    for file in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        let request = axum::http::Request::builder().uri(format!("/api/docs/{file}"));
        let answer = lab
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{file}");
    }
}

/// Breaks when an operation's refusals are not described, or a code of the table is described nowhere.
#[tokio::test]
async fn every_operation_describes_its_problems() {
    let lab = Lab::open().await;
    let document: Value = lab.get("/openapi.json").await;
    let problems: Vec<Problem> = lab.get("/problems").await;
    let mut described = String::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            for status in ["401", "403", "500"] {
                assert!(responses.contains_key(status), "{method} {path}: {status}");
            }
            assert_eq!(
                responses.contains_key("404"),
                operation["parameters"].is_array(),
                "{method} {path}"
            );
            assert_eq!(
                responses.contains_key("415"),
                operation["requestBody"].is_object(),
                "{method} {path}"
            );
            for (status, response) in responses {
                if status.starts_with(['4', '5']) && status != "416" {
                    let content = &response["content"]["application/problem+json"];
                    assert!(
                        content["schema"]["$ref"].is_string(),
                        "{method} {path}: {response}"
                    );
                    described.push_str(response["description"].as_str().unwrap());
                }
            }
        }
    }
    for problem in problems {
        // It occurs at addresses and methods that are not described.
        if problem.code != ErrorCode::MethodNotAllowed {
            let id = format!("`{}`", problem.code.id());
            assert!(described.contains(&id), "{id} is described nowhere");
        }
    }
}
