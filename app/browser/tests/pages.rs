//! Short tests of single pages, each on a small store of real runs: one experiment that is finished, one whose run diverged,
//! and one that is at work.

use std::process::Command;
use std::time::Duration;

use browser::{Browser, SHORT, Server};
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::key::Key;
use serde_json::{Value, json};

/// A tiny experiment: ResNet8 on the images that are built in, without tests after training.
async fn launch(browser: &Browser, name: &str, changes: &[(&str, Value)]) -> i64 {
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
async fn seeded() -> (Server, Browser) {
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

/// The names that the list shows.
const NAMES: &str = "[...document.querySelectorAll('#experiments tr[data-experiment] th a')].map(a => a.textContent).join()";

/// Breaks when a second search panics, or shows the rows of the first.
#[tokio::test]
async fn the_list_is_searched_twice_and_filtered() {
    let (_server, browser) = seeded().await;
    for (search, names) in [
        ("fast", "Far too fast"),
        ("promoted", "Control and promoted"),
        ("less", "Endless"),
    ] {
        browser.type_into("#search", search).await;
        browser.press(Key::Enter).await;
        browser
            .until(&format!("return {NAMES} === '{names}'"), SHORT)
            .await;
    }
    browser.type_into("#search", "").await;
    browser
        .client
        .find(fantoccini::Locator::Css("#state"))
        .await
        .unwrap()
        .select_by_value("diverged")
        .await
        .unwrap();
    browser.click(".filter button").await;
    browser
        .until(&format!("return {NAMES} === 'Far too fast'"), SHORT)
        .await;
    browser.wait("#crash[hidden]", SHORT).await;
    browser.no_errors().await;
}

/// Breaks when a live update draws a figure anew from the start.
#[tokio::test]
async fn zoom_survives_live_updates() {
    let (server, browser) = seeded().await;
    browser.open(&format!("{}/experiments/3", server.url)).await;
    let figure = "#figure-training";
    browser.until(&format!("document.querySelector('{figure}').scrollIntoView({{block: 'center'}}); return true"), SHORT).await;
    browser.wait(&format!("{figure} .nsewdrag"), SHORT).await;
    let plot = format!("document.querySelector('{figure} .js-plotly-plot')");
    let epochs = format!("Math.max(...{plot}.data.map(trace => trace.x.length))");
    browser.until(&format!("return {epochs} >= 3"), SHORT).await;
    // A rectangle in the middle is dragged open.
    let area = browser
        .script(&format!("const box = document.querySelector('{figure} .nsewdrag').getBoundingClientRect(); return [box.x, box.y, box.width, box.height]"))
        .await;
    let [x, y, width, height] = [0, 1, 2, 3].map(|index| area[index].as_f64().unwrap());
    let at = |share: f64| PointerAction::MoveTo {
        duration: Some(Duration::from_millis(100)),
        x: (x + width * share).round(),
        y: (y + height * share).round(),
    };
    let drag = MouseActions::new("mouse".into())
        .then(at(0.3))
        .then(PointerAction::Down { button: 0 })
        .then(at(0.5))
        .then(at(0.7))
        .then(PointerAction::Up { button: 0 });
    browser.client.perform_actions(drag).await.unwrap();
    let range = format!("{plot}._fullLayout.xaxis.range.join()");
    browser
        .until(
            &format!("return {plot}._fullLayout.xaxis.autorange === false"),
            SHORT,
        )
        .await;
    let zoomed = browser.script(&format!("return {range}")).await;
    let before = browser
        .script(&format!("return {epochs}"))
        .await
        .as_u64()
        .unwrap();
    browser
        .until(&format!("return {epochs} >= {}", before + 3), SHORT)
        .await;
    assert_eq!(browser.script(&format!("return {range}")).await, zoomed);
    browser.no_errors().await;
}

/// Breaks when each tab holds a connection of its own: a browser has six of them for a server.
#[tokio::test]
async fn seven_tabs_are_live() {
    let (server, browser) = seeded().await;
    for tab in 1..=7 {
        let window = browser.client.new_window(true).await.unwrap();
        browser
            .client
            .switch_to_window(window.handle)
            .await
            .unwrap();
        let address = format!("{}/experiments/3", server.url);
        let opened = browser.open(&address);
        tokio::time::timeout(SHORT, opened)
            .await
            .unwrap_or_else(|_| panic!("tab {tab} hangs"));
        browser.wait(r#".live-mark[data-open="true"]"#, SHORT).await;
    }
    // What the page asks for is still answered.
    let asked = tokio::time::timeout(SHORT, browser.fetch("/api/v1/experiments/3")).await;
    assert_eq!(asked.unwrap()["id"], 3);
    browser.no_errors().await;
}

/// Breaks when a page on which nothing moves any more looks alive.
#[tokio::test]
async fn a_panic_is_told_and_mended_by_a_reload() {
    let (_server, browser) = seeded().await;
    assert_eq!(browser.count("#crash[hidden]").await, 1);
    // What the router relies on fails, and it panics.
    browser
        .script("history.pushState = () => { throw new Error('broken on purpose') }")
        .await;
    browser.click(r#"nav a[href="/compare"]"#).await;
    browser.wait("#crash:not([hidden])", SHORT).await;
    let errors = browser.errors().await.join("\n");
    assert!(errors.contains("panicked"), "{errors}");
    browser.screenshot("crash").await;
    browser.click("#crash a").await;
    browser.hydrated().await;
    browser.wait("#crash[hidden]", SHORT).await;
    browser.no_errors().await;
}

/// Breaks when a reload loses what was typed, a preset discards it unasked, or a launched form comes back.
#[tokio::test]
async fn the_form_keeps_what_was_typed() {
    let server = Server::start();
    let browser = Browser::start().await;
    browser
        .open(&format!("{}/experiments/new", server.url))
        .await;
    browser.type_into("#field-name", "Kept over a reload").await;
    browser.type_into("#field-alphas", "0, 0.5").await;
    browser.client.refresh().await.unwrap();
    browser.hydrated().await;
    let holds = |field: &str, value: &str| {
        format!("return document.querySelector('#field-{field}').value === '{value}'")
    };
    browser
        .until(&holds("name", "Kept over a reload"), SHORT)
        .await;
    browser.until(&holds("alphas", "0, 0.5"), SHORT).await;
    browser.wait("#edits:not([hidden])", SHORT).await;
    browser.screenshot("form-kept").await;
    // Escape keeps it; only the second button discards it.
    let preset = r#"[data-preset="cifar10-resnet18"], .presets li:nth-child(2) a"#;
    browser.click(preset).await;
    browser.wait("dialog[open]", SHORT).await;
    browser.press(Key::Escape).await;
    browser
        .until(
            "return document.querySelector('dialog[open]') === null",
            SHORT,
        )
        .await;
    browser
        .until(&holds("name", "Kept over a reload"), SHORT)
        .await;
    browser.click(preset).await;
    browser.wait("dialog[open]", SHORT).await;
    browser.screenshot("form-discard").await;
    browser.click("dialog[open] button.danger").await;
    browser
        .until("return location.search.startsWith('?preset=')", SHORT)
        .await;
    browser
        .until(
            "return document.querySelector('#field-name').value !== 'Kept over a reload'",
            SHORT,
        )
        .await;
    browser
        .open(&format!("{}/experiments/new", server.url))
        .await;
    browser
        .until(
            "return document.querySelector('#field-name').value !== 'Kept over a reload'",
            SHORT,
        )
        .await;
    browser.no_errors().await;
}

/// Breaks when the focus goes to another field than the first wrong one, or a mistake that can be launched passes in silence.
#[tokio::test]
async fn the_first_wrong_field_gets_the_focus() {
    let server = Server::start();
    let browser = Browser::start().await;
    browser
        .open(&format!("{}/experiments/new", server.url))
        .await;
    browser.type_into("#field-learning_rate", "1e30").await;
    browser
        .type_into("#field-learning_rate_milestones", "99")
        .await;
    browser.type_into("#field-alphas", "1").await;
    for field in ["learning_rate", "learning_rate_milestones", "alphas"] {
        browser
            .until(
                &format!(
                    "return document.querySelector('#field-{field}-warning').textContent !== ''"
                ),
                SHORT,
            )
            .await;
    }
    browser.screenshot("form-warnings").await;
    // Unreadable further down, and refused further up.
    browser.type_into("#field-epochs", "six").await;
    browser.type_into("#field-alphas", "1e308").await;
    let alphas = "document.querySelector('#field-alphas-error').textContent";
    browser
        .until(
            &format!("return {alphas}.includes('1e308') && {alphas}.length < 80"),
            SHORT,
        )
        .await;
    browser.click("#launch").await;
    browser
        .until("return document.activeElement.id === 'field-alphas'", SHORT)
        .await;
    browser.no_errors().await;
}

/// Breaks when the way back forgets where one was, an opened claim is below the fold, or a new page is not announced.
#[tokio::test]
async fn one_gets_back_to_where_one_was() {
    let (server, browser) = seeded().await;
    browser.open(&format!("{}/experiments/1", server.url)).await;
    browser
        .wait("#figure-layers .main-svg, #figure-layers .plot", SHORT)
        .await;
    browser.script("window.scrollTo(0, 1500)").await;
    browser.until("return window.scrollY === 1500", SHORT).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    browser
        .script("document.querySelector('#open-findings').click()")
        .await;
    browser
        .until(
            "return location.pathname.endsWith('/findings') && window.scrollY === 0",
            SHORT,
        )
        .await;
    browser.until("return document.querySelector('#announcer').textContent.startsWith('Findings of Control')", SHORT).await;
    browser.click(r#"[data-claim="C2"] a"#).await;
    browser.until("const top = document.querySelector('#claim h2')?.getBoundingClientRect().top; return top >= 0 && top < 200", SHORT).await;
    browser.client.back().await.unwrap();
    browser.client.back().await.unwrap();
    browser
        .until("return location.pathname === '/experiments/1'", SHORT)
        .await;
    browser
        .until("return Math.abs(window.scrollY - 1500) < 3", SHORT)
        .await;
    browser.no_errors().await;
}

/// Breaks when a worker that hangs is shown as one at work. The worker is stopped; the page's clock is put forward.
#[tokio::test]
async fn a_worker_that_hangs_is_told() {
    let (server, browser) = seeded().await;
    let runs = browser.fetch("/api/v1/experiments/3/runs").await;
    let run = runs[0]["id"].as_i64().unwrap();
    browser.open(&format!("{}/runs/{run}", server.url)).await;
    browser.wait(r#".live-mark[data-open="true"]"#, SHORT).await;
    assert_eq!(
        browser
            .script("return document.querySelector('#silence').textContent")
            .await,
        ""
    );
    let workers = server.workers();
    assert_eq!(workers.len(), 1, "{workers:?}");
    let signal = |name: &str| {
        let sent = Command::new("kill")
            .args([name, &workers[0].to_string()])
            .status();
        assert!(sent.unwrap().success());
    };
    signal("-STOP");
    // What it said before is still on its way.
    tokio::time::sleep(Duration::from_millis(500)).await;
    browser
        .script("const now = Date.now.bind(Date); Date.now = () => now() + 300000")
        .await;
    browser.until("return document.querySelector('#silence').textContent.startsWith('no step for 5 minutes')", SHORT).await;
    browser.screenshot("silent-run").await;
    signal("-CONT");
    browser
        .until(
            "return document.querySelector('#silence').textContent === ''",
            SHORT,
        )
        .await;
    browser.no_errors().await;
}

/// Breaks when the bench shows an old image under a new setting, leaves the address behind, or plays on after it was stopped.
#[tokio::test]
async fn the_bench_follows_its_controls() {
    let (server, browser) = seeded().await;
    browser
        .open(&format!("{}/experiments/1/perturb", server.url))
        .await;
    browser
        .until(
            "return document.querySelectorAll('.bench-network').length === 2",
            SHORT,
        )
        .await;
    let shown = "document.querySelector('.bench-network img').src";
    let before = browser.script(&format!("return {shown}")).await;
    browser
        .script("document.querySelector('#bench-severity').focus()")
        .await;
    browser.press(Key::Right).await;
    browser
        .until(
            &format!("return {shown} !== '{}'", before.as_str().unwrap()),
            SHORT,
        )
        .await;
    browser
        .until("return location.search.includes('severity=3')", SHORT)
        .await;
    // A page that is loaded anew shows the same.
    let at_three = browser.script(&format!("return {shown}")).await;
    let address = browser.script("return location.href").await;
    browser.open(address.as_str().unwrap()).await;
    let again = browser.script(&format!("return {shown}")).await;
    assert_eq!(again, at_three);

    browser.click(".ways input[value=pgd]").await;
    browser.click("#bench-play").await;
    let steps = "Number(document.querySelector('#bench-steps').value)";
    browser.until(&format!("return {steps} > 13"), SHORT).await;
    browser.click("#bench-play").await;
    let stopped = browser.script(&format!("return {steps}")).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(browser.script(&format!("return {steps}")).await, stopped);
    browser.wait(".bench[aria-busy=false]", SHORT).await;
    let told = browser
        .script("return document.querySelector('#figure-perturbed-layers .subtitle').textContent")
        .await;
    let told = told.as_str().unwrap();
    assert!(told.contains(&format!("steps={stopped}; n = 1")), "{told}");
    browser.no_errors().await;
}

/// Breaks when a page shows what another window has changed long ago, or something that is deleted as if it were there.
#[tokio::test]
async fn changes_of_another_window_are_seen() {
    let (server, browser) = seeded().await;
    browser.open(&format!("{}/experiments/1", server.url)).await;
    browser
        .until(
            "return document.querySelector('.live-mark')?.dataset.open === 'true'",
            SHORT,
        )
        .await;
    let elsewhere = |method: &str, path: &str, body: &str| {
        format!(
            "fetch('/api/v1{path}', {{method: '{method}', headers: {{'content-type': 'application/json'}}, body: {body}}})"
        )
    };
    browser
        .script(&elsewhere(
            "PATCH",
            "/experiments/1",
            "JSON.stringify({notes: 'seen elsewhere'})",
        ))
        .await;
    browser
        .until(
            "return document.querySelector('#notes').textContent === 'seen elsewhere'",
            SHORT,
        )
        .await;
    browser
        .script(&elsewhere("DELETE", "/experiments/1", "undefined"))
        .await;
    browser.wait("#deleted", SHORT).await;
    browser.no_errors().await;
}
