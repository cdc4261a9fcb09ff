//! Whether everyone can use the pages, as far as a program can tell: axe-core (Deque) over each, in both themes, wide and narrow.
//! `make axe` fetches it; `make test`, which needs nothing from elsewhere, says `skipped`.

use browser::SHORT;
use browser::seed::seeded;
use serde_json::Value;

/// Breaks when a control has no name, words are too pale, a part that scrolls cannot be reached by keyboard, or two landmarks
/// have one name.
#[tokio::test]
async fn axe_finds_nothing() {
    let Some(path) = std::env::var_os("SELECTIVITY_LAB_AXE") else {
        println!("skipped: SELECTIVITY_LAB_AXE names no axe.min.js");
        return;
    };
    let axe = std::fs::read_to_string(path).unwrap();
    let (server, browser) = seeded().await;
    let pages = [
        "/",
        "/experiments/new",
        "/experiments/1",
        "/experiments/1/robustness",
        "/experiments/1/layers",
        "/experiments/1/training",
        "/experiments/1/findings?claim=C1",
        "/experiments/1/perturb",
        "/experiments/1/set-up",
        "/experiments/1/present?slide=2",
        "/experiments/3",
        "/runs/1",
        "/runs/1/units?unit=3",
        "/compare?experiments=1",
        "/compare?runs=1%2C2",
        "/api",
        "/datasets",
        "/devices",
        "/nowhere",
    ];
    let mut found = Vec::new();
    for width in [1280, 500] {
        browser.client.set_window_size(width, 900).await.unwrap();
        for theme in ["light", "dark"] {
            for page in pages {
                let separator = if page.contains('?') { '&' } else { '?' };
                let address = format!("{}{page}{separator}theme={theme}", server.url);
                browser.open(&address).await;
                browser
                    .until(
                        "return document.querySelector('.waiting[aria-busy]') === null",
                        SHORT,
                    )
                    .await;
                browser.script(&format!("{axe}; return true")).await;
                let violations = browser
                    .client
                    .execute_async(
                        "const done = arguments[0]; axe.run({exclude: ['#api-reference']}, {resultTypes: ['violations']}).then(found => done(found.violations.map(one => one.id + ': ' + one.nodes.map(node => node.target).join('; '))))",
                        vec![],
                    )
                    .await
                    .unwrap();
                let violations: Vec<String> = serde_json::from_value::<Vec<Value>>(violations)
                    .unwrap()
                    .iter()
                    .map(|one| format!("{page} ({theme}, {width} px): {one}"))
                    .collect();
                found.extend(violations);
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
