//! A small store of real runs, for tests of single pages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Browser, Server};

/// A tiny experiment: ResNet8 on the images that are built in, without tests after training.
pub async fn launch(browser: &Browser, name: &str, changes: &[(&str, Value)]) -> i64 {
    let options = browser.fetch("/api/v1/options").await;
    let mut spec = options["presets"][0]["spec"].clone();
    spec["name"] = json!(name);
    spec["seeds"] = json!([0]);
    spec["alphas"] = json!([0.0]);
    spec["training"]["epochs"] = json!(1);
    spec["training"]["train_images_per_class"] = json!(8);
    spec["training"]["validation_images_per_class"] = json!(4);
    for evaluation in spec["evaluation"].as_object_mut().unwrap().values_mut() {
        *evaluation = Value::Null;
    }
    for (pointer, value) in changes {
        *spec.pointer_mut(pointer).unwrap() = value.clone();
    }
    let launched = browser.post("/api/v1/experiments", &spec).await;
    launched["id"]
        .as_i64()
        .unwrap_or_else(|| panic!("{launched}"))
}

/// A server with the three experiments, the first two over and the last at work, and a browser on its list.
pub async fn seeded() -> (Server, Browser) {
    let server = Server::start();
    let browser = Browser::start().await;
    browser.open(&format!("{}/experiments", server.url)).await;
    launch(
        &browser,
        "Control and promoted",
        &[("/alphas", json!([0.0, 1.0]))],
    )
    .await;
    launch(
        &browser,
        "Far too fast",
        &[("/training/learning_rate", json!(1e30))],
    )
    .await;
    launch(&browser, "Endless", &[("/training/epochs", json!(10_000))]).await;
    let at_work = "const done = arguments[0]; fetch('/api/v1/experiments').then(r => r.json()).then(page => done(page.experiments.map(e => e.runs[0].state).join()))";
    let mut states = String::new();
    for _ in 0..300 {
        let now = browser.client.execute_async(at_work, vec![]).await.unwrap();
        states = now.as_str().unwrap().to_owned();
        if states == "running,diverged,finished" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(states, "running,diverged,finished");
    (server, browser)
}
