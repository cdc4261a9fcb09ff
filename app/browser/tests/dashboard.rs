//! The dashboard as a person uses it: a real Chromium, the real server, real training.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use browser::{Browser, SHORT, Server};
use fantoccini::Locator;
use serde_json::Value;

/// Breaks when the main road breaks anywhere: form, launch, scheduler, worker, events, live page, result.
#[tokio::test]
async fn the_quick_look_is_launched_watched_and_read() {
    let server = Server::start();
    let browser = Browser::start().await;

    browser
        .open(&format!("{}/experiments/new", server.url))
        .await;
    browser.click(r#"[data-preset="quick-look"]"#).await;
    // The form is made anew from the preset.
    let chosen = "return location.search.includes('preset=quick-look')";
    browser.until(chosen, SHORT).await;
    browser.wait("#field-name", SHORT).await;
    // What is wrong is said at the field, and cannot be launched; mending it lets it go.
    let name = browser
        .client
        .find(Locator::Css("#field-name"))
        .await
        .unwrap();
    name.clear().await.unwrap();
    name.send_keys(" ").await.unwrap();
    browser
        .wait(r#"#field-name[aria-invalid="true"]"#, SHORT)
        .await;
    name.send_keys("Quick look").await.unwrap();
    browser
        .wait(r#"#field-name:not([aria-invalid="true"])"#, SHORT)
        .await;
    browser.screenshot("new-experiment").await;
    browser.click("#launch").await;
    browser.wait("#experiment-state", SHORT).await;
    assert!(
        browser
            .client
            .current_url()
            .await
            .unwrap()
            .path()
            .ends_with("/experiments/1")
    );
    assert_eq!(
        browser.count("#runs tr[data-run]").await,
        15,
        "5 alphas, 3 seeds"
    );

    // The page moves by itself: no reload between here and the result.
    browser
        .wait(
            r#"#experiment-state[data-state="running"], #experiment-state [data-state="running"]"#,
            SHORT,
        )
        .await;
    let before = progress(&browser).await;
    let mut later = before;
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        later = progress(&browser).await;
        if later > before {
            break;
        }
    }
    assert!(later > before, "progress stood still at {before}");
    browser.screenshot("experiment-running").await;
    let finished =
        r#"#experiment-state[data-state="finished"], #experiment-state [data-state="finished"]"#;
    browser.wait(finished, Duration::from_secs(25 * 60)).await;

    // What the page shows is what the store holds, and it orders as alpha does.
    let summary = browser.fetch("/api/v1/experiments/1/summary").await;
    let means: Vec<f64> = summary["alphas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alpha| alpha["selectivity"]["mean"].as_f64().unwrap())
        .collect();
    assert_eq!(means.len(), 5);
    assert!(
        means.is_sorted_by(|a, b| a < b),
        "selectivity does not order as alpha: {means:?}"
    );
    for alpha in summary["alphas"].as_array().unwrap() {
        assert_eq!(alpha["selectivity"]["n"], 3);
        let accuracy = alpha["test_accuracy"]["mean"].as_f64().unwrap();
        assert!(
            (0.3..0.95).contains(&accuracy),
            "ResNet8 reached {accuracy}"
        );
    }
    let figure = "#figure-accuracy-selectivity";
    scroll_to(&browser, figure).await;
    browser.wait(&format!("{figure} .main-svg"), SHORT).await;
    let table = browser
        .script(&format!(
            "return document.querySelector('{figure} table').textContent"
        ))
        .await;
    let table = table.as_str().unwrap();
    let runs = browser.fetch("/api/v1/experiments/1/runs").await;
    for run in runs.as_array().unwrap() {
        let shown = format!("{:.4}", run["result"]["selectivity"].as_f64().unwrap());
        assert!(
            table.contains(&shown),
            "{shown} is not in the figure's table"
        );
    }
    browser.screenshot("experiment-finished").await;

    browser.open(&format!("{}/runs/1", server.url)).await;
    scroll_to(&browser, "#figure-run-units").await;
    browser.wait("#figure-run-units .main-svg", SHORT).await;
    browser.screenshot("run-finished").await;
    corruptions_are_read(&browser).await;
    notes_are_kept(&browser, &server).await;
    a_unit_is_followed(&browser, &server).await;
    findings_are_read(&browser, &server).await;
    look_everywhere(&browser, &server).await;
    browser.no_errors().await;
}

/// Breaks when the heat map shows other numbers than were measured, or the experiment's corruption figure or its
/// trade-off lacks a run.
async fn corruptions_are_read(browser: &Browser) {
    let figure = "#figure-run-corruptions";
    numbers(browser, figure).await;
    let cells = browser
        .script(&format!(
            "return [...document.querySelectorAll('{figure} table tbody tr')].map(row => [...row.cells].map(cell => cell.textContent.trim()))"
        ))
        .await;
    browser.screenshot("run-corruptions").await;
    let measured = browser.fetch("/api/v1/runs/1/measurements").await;
    let measured: Vec<&Value> = measured
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"] == "corruption")
        .collect();
    assert_eq!(measured.len(), 19 * 5);
    let rows = cells.as_array().unwrap();
    assert_eq!(rows.len(), 19 + 1, "a row a corruption, and the mean");
    for one in measured.iter().filter(|one| one["corruption"] == "fog") {
        let row = rows.iter().find(|row| row[0] == "Fog").unwrap();
        let severity = one["severity"].as_u64().unwrap() as usize;
        let shown: f64 = row[1 + severity].as_str().unwrap().parse().unwrap();
        let accuracy = one["accuracy"].as_f64().unwrap();
        assert!(
            (shown - accuracy).abs() < 1e-3,
            "{shown} is shown, {accuracy} was measured"
        );
    }
    let url = browser.client.current_url().await.unwrap();
    browser
        .open(url.join("/experiments/1/robustness").unwrap().as_str())
        .await;
    let figure = "#figure-corruption-selectivity";
    numbers(browser, figure).await;
    let table = browser
        .script(&format!(
            "return document.querySelector('{figure} table').textContent"
        ))
        .await;
    let scatter = browser.fetch("/api/v1/experiments/1/scatter").await;
    assert_eq!(scatter["points"].as_array().unwrap().len(), 15);
    for point in scatter["points"].as_array().unwrap() {
        let shown = format!("{:.4}", point["y"].as_f64().unwrap());
        assert!(
            table.as_str().unwrap().contains(&shown),
            "{shown} is not in the figure's table"
        );
    }
    // The trade-off, from the form to the figure: a point for each run.
    browser
        .open(url.join("/experiments/1").unwrap().as_str())
        .await;
    let figure = "#figure-trade-off";
    numbers(browser, figure).await;
    let table = browser
        .script(&format!(
            "return document.querySelector('{figure} table').textContent"
        ))
        .await;
    let trade_off = browser
        .fetch("/api/v1/experiments/1/scatter?x=corruption:all:all&y=attack:fgsm:linf:1%2F255")
        .await;
    assert_eq!(trade_off["points"].as_array().unwrap().len(), 15);
    for point in trade_off["points"].as_array().unwrap() {
        for axis in ["x", "y"] {
            let shown = format!("{:.4}", point[axis].as_f64().unwrap());
            assert!(
                table.as_str().unwrap().contains(&shown),
                "{shown} is not in the trade-off's table"
            );
        }
    }
    browser.screenshot("trade-off").await;
    browser.open(url.as_str()).await;
}

/// Breaks when tags and notes that are saved are not kept, or do not find their experiment.
async fn notes_are_kept(browser: &Browser, server: &Server) {
    browser.open(&format!("{}/experiments/1", server.url)).await;
    browser.click("#annotate").await;
    for (field, text) in [
        ("#annotation-tags", "pilot, lab meeting"),
        (
            "#annotation-notes",
            "Say that nothing is trained to its end.",
        ),
    ] {
        let field = browser.client.find(Locator::Css(field)).await.unwrap();
        field.send_keys(text).await.unwrap();
    }
    browser.click("#annotation-save").await;
    browser.wait("#notes:not([hidden])", SHORT).await;
    browser.screenshot("annotated").await;
    browser
        .open(&format!("{}/experiments?search=lab%20meeting", server.url))
        .await;
    let text = browser
        .script("return document.querySelector('main').textContent")
        .await;
    assert!(text.as_str().unwrap().contains("Quick look"), "{text}");
}

/// Breaks when the unit explorer shows another unit's numbers, loses its images or its figures' numbers, or does not
/// go on to the next unit in the table's order.
async fn a_unit_is_followed(browser: &Browser, server: &Server) {
    let layer = "stage2.block1.relu2";
    browser
        .open(&format!("{}/runs/1/units?layer={layer}", server.url))
        .await;
    browser.wait("#units tr[data-unit]", SHORT).await;
    assert_eq!(browser.count("#units tr[data-unit]").await, 32);
    browser.click("#units tr[data-unit] a").await;
    browser.wait("#unit[data-unit-detail]", SHORT).await;
    let shown = "return document.querySelector('#unit').dataset.unitDetail";
    let unit = browser.script(shown).await;
    let unit = unit.as_str().unwrap().to_owned();
    let known = browser
        .fetch(&format!("/api/v1/runs/1/units/{layer}/{unit}"))
        .await;
    let text = browser
        .script("return document.querySelector('#unit-selectivity').textContent")
        .await;
    let index = text.as_str().unwrap().split_whitespace().next();
    let index: f64 = index.unwrap().parse().unwrap();
    let measured = known["summary"]["selectivity"].as_f64().unwrap();
    assert!(
        (index - measured).abs() < 2e-3,
        "{index} against {measured}"
    );
    // The table begins with the most selective unit.
    let table = browser
        .fetch(&format!("/api/v1/runs/1/units?layer={layer}"))
        .await;
    let most = table["units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| unit["selectivity"].as_f64().unwrap())
        .fold(0.0, f64::max);
    assert_eq!(measured, most);
    for figure in [
        "#figure-unit-tuning",
        "#figure-unit-training",
        "#figure-unit-gradients",
    ] {
        numbers(browser, figure).await;
    }
    scroll_to(browser, "[data-activating=\"most\"]").await;
    let drawn = "return [...document.querySelectorAll('[data-activating] img')].filter(image => image.complete && image.naturalWidth === 32).length";
    let mut images = 0;
    for _ in 0..50 {
        images = browser.script(drawn).await.as_u64().unwrap();
        if images == 24 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(images, 24, "twelve most and twelve least activating images");
    browser.screenshot("unit").await;
    browser.click("#unit-next").await;
    let mut next = unit.clone();
    for _ in 0..50 {
        next = browser
            .script(shown)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if next != unit {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_ne!(next, unit, "the next unit is shown");
}

/// Breaks when a verdict shown is another than the one computed, a claim has no evidence, the arrow keys do not move
/// the presentation, or the report needs anything from elsewhere.
async fn findings_are_read(browser: &Browser, server: &Server) {
    let findings = browser
        .fetch("/api/v1/experiments/1/findings?window=100")
        .await;
    let findings = findings["findings"].as_array().unwrap().clone();
    assert_eq!(findings.len(), 8);
    let page = format!("{}/experiments/1/findings", server.url);
    browser.open(&format!("{page}?claim=C4&window=100")).await;
    browser.wait("#findings [data-claim=\"C8\"]", SHORT).await;
    for finding in &findings {
        let claim = finding["claim"].as_str().unwrap();
        let shown = browser
            .script(&format!(
                "return document.querySelector('#findings [data-claim=\"{claim}\"] [data-verdict]').dataset.verdict"
            ))
            .await;
        assert_eq!(shown, finding["verdict"], "{claim}");
        // Three seeds with five alphas each: these are always tested. The others need attacks that leave some
        // accuracy, or a cut that is deep enough.
        if ["C1", "C2", "C4", "C6"].contains(&claim) {
            assert_ne!(
                finding["verdict"], "not_enough_runs",
                "{}",
                finding["sentence"]
            );
            assert!(
                !finding["evidence"].as_array().unwrap().is_empty(),
                "{claim}"
            );
        }
    }
    numbers(browser, "#figure-evidence").await;
    browser.screenshot("findings").await;

    browser
        .open(&format!("{}/experiments/1/present?slide=3", server.url))
        .await;
    browser.wait("#present [data-slide=\"3\"] svg", SHORT).await;
    browser
        .script("window.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true})); return true")
        .await;
    browser.wait("#present [data-slide=\"4\"] svg", SHORT).await;
    browser
        .script("window.dispatchEvent(new KeyboardEvent('keydown', {key: 'n', bubbles: true})); return true")
        .await;
    browser.wait("#speaker-notes:not([hidden])", SHORT).await;
    let notes = browser
        .script("return document.querySelector('#speaker-notes').textContent")
        .await;
    assert!(
        notes.as_str().unwrap().contains("trained to its end"),
        "{notes}"
    );
    browser.screenshot("presentation").await;

    let report = browser
        .fetch_text("/api/v1/experiments/1/report.html")
        .await;
    for finding in &findings {
        let claim = finding["claim"].as_str().unwrap();
        assert!(report.contains(&format!("id=\"{claim}\"")), "{claim}");
    }
    for outside in ["<script src", "<link", "src=\"http", "url(http", "@import"] {
        assert!(!report.contains(outside), "the report needs {outside}");
    }
    browser
        .open_document(&format!("{}/api/v1/experiments/1/report.html", server.url))
        .await;
    let figures = browser.count("svg").await;
    assert!(figures >= 7, "{figures} figures in the report");
    browser.screenshot("report").await;
}

/// Scrolls to a figure, and waits for its numbers and its drawing.
async fn numbers(browser: &Browser, figure: &str) {
    scroll_to(browser, figure).await;
    browser
        .wait(&format!("{figure} table tbody tr"), SHORT)
        .await;
    browser
        .wait(&format!("{figure} .plot .main-svg"), SHORT)
        .await;
}

async fn scroll_to(browser: &Browser, selector: &str) {
    browser.wait(selector, SHORT).await;
    browser
        .script(&format!(
            "document.querySelector('{selector}').scrollIntoView(); return true"
        ))
        .await;
}

/// Breaks when a page overflows a phone, or is empty without scripts.
async fn look_everywhere(browser: &Browser, server: &Server) {
    let pages = [
        "/",
        "/experiments/new",
        "/experiments/1",
        "/experiments/1/robustness",
        "/experiments/1/layers",
        "/experiments/1/training",
        "/experiments/1/set-up",
        "/experiments/1/findings?claim=C1",
        "/experiments/1/present?slide=2",
        "/compare?experiments=1",
        "/runs/1",
        "/runs/1/units?unit=3",
        "/datasets",
        "/devices",
        "/nowhere",
    ];
    for (width, name) in [(1280, "wide"), (390, "narrow")] {
        for theme in ["light", "dark"] {
            for page in pages {
                let separator = if page.contains('?') { '&' } else { '?' };
                // A headless window has a least width; a phone's is set through the frame.
                browser
                    .client
                    .set_window_size(width.max(500), 900)
                    .await
                    .unwrap();
                browser
                    .open(&format!("{}{page}{separator}theme={theme}", server.url))
                    .await;
                let overflow = browser
                    .script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    .await;
                assert!(
                    overflow.as_i64().unwrap() <= 0,
                    "{page} overflows by {overflow} at {width}"
                );
                let file = page.trim_start_matches('/').replace(['/', '?', '='], "-");
                let file = if file.is_empty() {
                    "experiments"
                } else {
                    &file
                };
                browser.screenshot(&format!("{file}-{name}-{theme}")).await;
            }
        }
    }
    for page in &pages[..pages.len() - 1] {
        let html = browser
            .client
            .execute_async(
                "const done = arguments[1]; fetch(arguments[0]).then(r => r.text()).then(done)",
                vec![Value::from(*page)],
            )
            .await
            .unwrap();
        let html = html.as_str().unwrap();
        assert!(
            html.contains("<h1"),
            "{page} has no heading before scripts run"
        );
    }
    let html = browser.fetch_text("/experiments/1").await;
    assert!(
        html.contains("Quick look"),
        "the server's own HTML names the experiment"
    );
}

/// Breaks when a run on real images cannot be launched, watched or cancelled from the browser, or cancelling
/// takes longer than a person waits.
#[tokio::test]
async fn a_run_on_tiny_imagenet_is_launched_and_cancelled() {
    let archive = shared().join("data/tiny-imagenet-30.tar.xz");
    if !archive.is_file() {
        println!("skipped: no {}", archive.display());
        return;
    }
    let server = Server::start();
    let datasets = server.data.path().join("datasets");
    let unpacked = Command::new("tar")
        .arg("-xJf")
        .arg(&archive)
        .arg("-C")
        .arg(&datasets)
        .status();
    assert!(unpacked.unwrap().success(), "{} unpacks", archive.display());

    let browser = Browser::start().await;
    browser
        .open(&format!(
            "{}/experiments/new?preset=tiny-imagenet-resnet18",
            server.url
        ))
        .await;
    for (field, value) in [("alphas", "1"), ("seeds", "0"), ("batch_size", "16")] {
        let input = browser
            .client
            .find(Locator::Css(&format!(r#"[id="field-{field}"]"#)))
            .await
            .unwrap_or_else(|error| panic!("{field}: {error}"));
        input.clear().await.unwrap();
        input.send_keys(value).await.unwrap();
    }
    browser.click("#launch").await;
    browser.wait("#experiment-state", SHORT).await;
    // Real steps on real images: a loss is reported.
    let mut loss = Value::Null;
    for _ in 0..240 {
        let runs = browser.fetch("/api/v1/experiments/1/runs").await;
        loss = runs[0]["progress"]["loss"].clone();
        if loss.is_number() || !["queued", "running"].contains(&runs[0]["state"].as_str().unwrap())
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(
        loss.as_f64().is_some_and(f64::is_finite),
        "no training step was seen: {loss}"
    );
    browser.screenshot("tiny-imagenet-running").await;
    browser.click("#cancel").await;
    if !browser
        .client
        .find_all(Locator::Css("dialog[open] #confirm"))
        .await
        .unwrap()
        .is_empty()
    {
        browser.click("dialog[open] #confirm").await;
    }
    let cancelled =
        r#"#experiment-state[data-state="cancelled"], #experiment-state [data-state="cancelled"]"#;
    browser.wait(cancelled, Duration::from_secs(5)).await;
    browser.screenshot("tiny-imagenet-cancelled").await;
    browser.no_errors().await;
}

/// The page's own progress bar, in percent.
async fn progress(browser: &Browser) -> f64 {
    let value = browser
        .script("return document.querySelector('#progress')?.getAttribute('aria-valuenow') ?? ''")
        .await;
    value.as_str().unwrap_or_default().parse().unwrap_or(0.0)
}

fn shared() -> PathBuf {
    std::env::var_os("SELECTIVITY_LAB_SHARED").map_or_else(
        || PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../../shared"),
        PathBuf::from,
    )
}
