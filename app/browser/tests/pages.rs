//! Short tests of single pages, each on a small store of real runs: one experiment that is finished, one whose run diverged,
//! and one that is at work.

use std::process::Command;
use std::time::Duration;

use browser::seed::{launch, seeded};
use browser::{Browser, SHORT, Server};
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::key::Key;
use serde_json::json;

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

/// Scrolls to a figure until it is drawn: those above it may still grow.
async fn drawn(browser: &Browser, figure: &str) {
    let script = format!(
        "document.querySelector('{figure} .plot').scrollIntoView({{block: 'center'}}); return document.querySelector('{figure} .nsewdrag') !== null"
    );
    browser.until(&script, SHORT).await;
}

/// Breaks when a live update draws a figure anew from the start, when figures of the same axis show different ranges of it, or
/// when zooming out leaves one of them behind.
#[tokio::test]
async fn zoom_survives_live_updates_and_is_shared() {
    let (server, browser) = seeded().await;
    let page = format!("{}/experiments/3/training", server.url);
    browser.open(&page).await;
    let figure = "#figure-training";
    drawn(&browser, figure).await;
    let plot = format!("document.querySelector('{figure} .js-plotly-plot')");
    // The last that is drawn: of many epochs some are left out.
    let epochs = format!("Math.max(...{plot}.data.map(trace => Math.max(...trace.x)))");
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
    // Another figure over the epochs.
    drawn(&browser, "#figure-loss").await;
    let other = "document.querySelector('#figure-loss .js-plotly-plot')._fullLayout";
    let shared = format!("return {other}.xaxis.range.join() === {range}");
    browser.until(&shared, SHORT).await;
    let own = format!("return {other}.yaxis.autorange");
    assert_eq!(browser.script(&own).await, true, "another measure");
    let out = format!("Plotly.relayout({plot}, {{'xaxis.autorange': true}}); return true");
    browser.script(&out).await;
    for layout in [other.to_owned(), format!("{plot}._fullLayout")] {
        let whole = format!("return {layout}.xaxis.autorange === true");
        browser.until(&whole, SHORT).await;
    }
    browser.no_errors().await;
}

/// Breaks when an epoch of one run has the page read all runs again.
#[tokio::test]
async fn an_epoch_does_not_have_the_runs_read_again() {
    let (server, browser) = seeded().await;
    browser
        .open(&format!("{}/experiments/3/training", server.url))
        .await;
    browser.wait(r#".live-mark[data-open="true"]"#, SHORT).await;
    drawn(&browser, "#figure-loss").await;
    let read = |path: &str| {
        format!(
            "performance.getEntriesByType('resource').filter(entry => entry.name.includes('{path}')).length"
        )
    };
    let runs = format!("return {}", read("/experiments/3/runs"));
    let curves = read("quantity=validation_cross_entropy");
    // What is read when the stream opens is done by then.
    browser.until(&format!("return {curves} >= 2"), SHORT).await;
    let before = browser.script(&runs).await;
    browser.until(&format!("return {curves} >= 5"), SHORT).await;
    assert_eq!(browser.script(&runs).await, before);
    browser.no_errors().await;
}

/// Breaks when a deletion cannot be undone, or what was brought back lacks its runs.
#[tokio::test]
async fn a_deletion_is_undone() {
    let (server, browser) = seeded().await;
    browser.open(&format!("{}/experiments", server.url)).await;
    let row = "tr[data-experiment=\"1\"]";
    browser.click(&format!("{row} .menu summary")).await;
    browser.click(&format!("{row} button.danger")).await;
    browser.click("dialog[open] button.danger").await;
    browser.wait("#undo:not([hidden])", SHORT).await;
    assert_eq!(browser.count(row).await, 0);
    browser.screenshot("undo").await;
    browser.click("#undo button").await;
    browser.wait(row, SHORT).await;
    browser.wait("#undo[hidden]", SHORT).await;
    let runs = browser.fetch("/api/v1/experiments/1/runs").await;
    assert_eq!(runs.as_array().unwrap().len(), 2);
    // From the experiment's own page, which is left by it.
    browser.click(&format!("{row} th a")).await;
    browser.click(".heading .menu summary").await;
    browser.click(".heading button.danger").await;
    browser.click("dialog[open] button.danger").await;
    browser.wait("#undo:not([hidden])", SHORT).await;
    browser
        .until("return location.pathname === '/experiments'", SHORT)
        .await;
    browser.click("#undo button").await;
    browser.wait(row, SHORT).await;
    browser.no_errors().await;
}

/// Breaks when a saved view forgets what was chosen on its page, or stays after it was deleted, or when the keyboard loses its
/// place in the menu.
#[tokio::test]
async fn a_view_is_saved_and_comes_back() {
    let (server, browser) = seeded().await;
    let chosen = "/experiments/1/training?quantity=selectivity";
    browser.open(&format!("{}{chosen}", server.url)).await;
    browser.click("#views summary").await;
    browser.type_into("#view-name", "Lab meeting").await;
    browser.press(Key::Enter).await;
    browser.wait("#views li a", SHORT).await;
    browser.screenshot("views").await;
    browser.open(&format!("{}/datasets", server.url)).await;
    browser.click("#views summary").await;
    browser.click("#views li a").await;
    let back = format!("return location.pathname + location.search === '{chosen}'");
    browser.until(&back, SHORT).await;
    browser.wait("#views:not([open])", SHORT).await;
    browser.click("#views summary").await;
    browser.click("#views li button").await;
    browser
        .until("return document.querySelector('#views li') === null", SHORT)
        .await;
    // The deleted view's button had the focus.
    let focus = |selector: &str| format!("return document.activeElement.matches('{selector}')");
    browser.until(&focus("#view-name"), SHORT).await;
    browser.press(Key::Escape).await;
    browser.wait("#views:not([open])", SHORT).await;
    browser.until(&focus("#views summary"), SHORT).await;
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
        format!("return document.querySelector('#field-{field}')?.value === '{value}'")
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
            "return (document.querySelector('#field-name')?.value ?? 'Kept over a reload') !== 'Kept over a reload'",
            SHORT,
        )
        .await;
    browser
        .open(&format!("{}/experiments/new", server.url))
        .await;
    browser
        .until(
            "return (document.querySelector('#field-name')?.value ?? 'Kept over a reload') !== 'Kept over a reload'",
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
    let page = format!("{}/experiments/1/layers", server.url);
    browser.open(&page).await;
    browser
        .wait("#figure-layers .main-svg, #figure-layers .plot", SHORT)
        .await;
    browser.script("window.scrollTo(0, 500)").await;
    browser.until("return window.scrollY === 500", SHORT).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    browser
        .script("document.querySelector('#tab-findings').click()")
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
        .until(
            "return location.pathname === '/experiments/1/layers'",
            SHORT,
        )
        .await;
    browser
        .until("return Math.abs(window.scrollY - 500) < 3", SHORT)
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

/// Breaks when the list hides what came out of an experiment, or deletes at a click beside the row.
#[tokio::test]
async fn the_list_shows_what_came_out() {
    let (server, browser) = seeded().await;
    let listed = browser.fetch("/api/v1/experiments").await;
    let best = &listed["experiments"][2];
    let [low, high] = [0, 1].map(|end| best["test_accuracy"][end].as_f64().unwrap() * 100.0);
    let row = "document.querySelector('tr[data-experiment=\"1\"]')";
    for end in [low, high] {
        let shown = format!("return {row}.textContent.includes('{end:.1}')");
        browser.until(&shown, SHORT).await;
    }
    // Verdicts are made behind the page, and told to it.
    let signs = format!("{row}.querySelectorAll('.verdict-strip a').length");
    browser.until(&format!("return {signs} === 8"), SHORT).await;
    let hidden = format!("return {row}.querySelector('button.danger').checkVisibility() === false");
    browser.until(&hidden, SHORT).await;
    browser
        .click("tr[data-experiment=\"1\"] .menu summary")
        .await;
    browser
        .click("tr[data-experiment=\"1\"] button.danger")
        .await;
    browser.wait("dialog[open]", SHORT).await;
    browser.screenshot("list-delete").await;
    browser.press(Key::Escape).await;
    // The key closed the dialog, not the menu around it.
    let back = "return document.querySelector('dialog[open]') === null && document.activeElement.matches('.menu[open] button.danger')";
    browser.until(back, SHORT).await;
    assert_eq!(browser.fetch("/api/v1/experiments/1").await["id"], 1);
    // A sign leads to its claim.
    browser.open(&format!("{}/experiments", server.url)).await;
    browser.until(&format!("return {signs} === 8"), SHORT).await;
    browser
        .click("tr[data-experiment=\"1\"] .verdict-strip [data-claim=C4]")
        .await;
    browser.wait("#claim h2", SHORT).await;
    browser
        .until("return location.search === '?claim=C4'", SHORT)
        .await;
    browser.no_errors().await;
}

/// Breaks when a tab leads elsewhere than its address, shows what was on the tab before, or an address with a typo is some page.
#[tokio::test]
async fn an_experiment_has_a_page_for_each_side() {
    let (server, browser) = seeded().await;
    browser.open(&format!("{}/experiments/1", server.url)).await;
    for (tab, shows, hides) in [
        ("robustness", "#figure-corruption-selectivity", "#runs"),
        ("layers", "#figure-layers", "#figure-corruption-selectivity"),
        ("training", "#figure-training", "#figure-layers"),
        ("set-up", "#setup-title", "#figure-training"),
        ("findings", "#findings", "#setup-title"),
        ("perturb", ".bench", "#findings"),
        ("overview", "#verdicts", ".bench"),
    ] {
        browser.click(&format!("#tab-{tab}")).await;
        browser.wait(shows, SHORT).await;
        assert_eq!(browser.count(hides).await, 0, "{tab}");
        browser
            .wait(&format!("#tab-{tab}[aria-current=page]"), SHORT)
            .await;
        let path = if tab == "overview" {
            ""
        } else {
            &format!("/{tab}")
        };
        let here = browser.script("return location.pathname").await;
        assert_eq!(here, format!("/experiments/1{path}"));
    }
    let nowhere = "const done = arguments[0]; fetch('/experiments/1/layer').then(answer => done(answer.status))";
    let status = browser.client.execute_async(nowhere, vec![]).await.unwrap();
    assert_eq!(status, 404);
    browser.no_errors().await;
}

/// Breaks when another order changes a row's number and not its link, its cells, or the run that its box selects.
#[tokio::test]
async fn a_row_is_one_run_in_every_order() {
    let (server, browser) = seeded().await;
    let page = format!("{}/experiments/1?runs=all", server.url);
    browser.open(&page).await;
    let rows = "return [...document.querySelectorAll('#runs tbody tr')].map(row => [row.dataset.run, \
        row.querySelector('th a').getAttribute('href'), row.querySelector('.alpha').textContent.replace(/[▼▲●\\s]/g, '')].join(' ')).join()";
    let ordered = |rows_in_order: &str| format!("{rows} === '{rows_in_order}'");
    browser
        .until(&ordered("1 /runs/1 0,2 /runs/2 +1"), SHORT)
        .await;
    // Ascending is the order they have; the second click turns it round.
    let alpha = "#runs button[data-sort=alpha]";
    browser.click(alpha).await;
    browser
        .wait("th[aria-sort=ascending] [data-sort=alpha]", SHORT)
        .await;
    browser.click(alpha).await;
    browser
        .until(&ordered("2 /runs/2 +1,1 /runs/1 0"), SHORT)
        .await;
    browser.click("#runs tbody tr:first-child input").await;
    browser
        .wait("tr[data-run=\"2\"].selected:first-child", SHORT)
        .await;
    browser.click(alpha).await;
    browser
        .wait("tr[data-run=\"2\"].selected:last-child", SHORT)
        .await;
    assert_eq!(browser.count("#runs tr.selected").await, 1);
    // A row that goes away, and one that comes back.
    browser.type_into("#runs-filter", "alpha:1").await;
    browser.press(Key::Enter).await;
    browser.until(&ordered("2 /runs/2 +1"), SHORT).await;
    browser.type_into("#runs-filter", "alpha:0,alpha:1").await;
    browser.press(Key::Enter).await;
    browser
        .until(&ordered("1 /runs/1 0,2 /runs/2 +1"), SHORT)
        .await;
    browser.no_errors().await;
}

/// Breaks when a column that was left out is shown, takes another along, or is back on a page whose address leaves it out; or
/// when the menu stays open after the Escape key.
#[tokio::test]
async fn columns_are_chosen_and_in_the_address() {
    let (server, browser) = seeded().await;
    browser
        .open(&format!("{}/experiments/1?runs=all", server.url))
        .await;
    let shown = "[...document.querySelectorAll('#runs thead th')].slice(0, 9).filter(cell => cell.offsetParent !== null).map(cell => cell.textContent.trim()).join()";
    let all =
        "Select,Run ↑,Alpha,Seed,State,Progress,Validation accuracy,Test accuracy,Selectivity";
    browser
        .until(&format!("return {shown} === '{all}'"), SHORT)
        .await;
    let left_out = "runs=all&runs-hide=seed%2Cprogress";
    browser.click("#runs-columns summary").await;
    browser.click("[data-column=seed]").await;
    browser.click("[data-column=progress]").await;
    browser
        .until(&format!("return location.search === '?{left_out}'"), SHORT)
        .await;
    let fewer = all.replace(",Seed", "").replace(",Progress", "");
    let is_fewer = format!("return {shown} === '{fewer}'");
    browser.until(&is_fewer, SHORT).await;
    browser.screenshot("columns").await;
    browser.press(Key::Escape).await;
    browser.wait("#runs-columns:not([open])", SHORT).await;
    let focus = "return document.activeElement.matches('#runs-columns summary')";
    browser.until(focus, SHORT).await;
    // Cells go with their headings, and so they are for whoever opens the address.
    browser.open(&format!("{}/datasets", server.url)).await;
    browser
        .open(&format!("{}/experiments/1?{left_out}", server.url))
        .await;
    browser.until(&is_fewer, SHORT).await;
    let cells = |row: &str| {
        format!(
            "[...document.querySelectorAll('{row} > *')].filter(cell => cell.offsetParent !== null).length"
        )
    };
    let headings = cells("#runs thead tr");
    let first = cells("#runs tbody tr:first-child");
    let as_many = format!("return {first} === {headings}");
    browser.until(&as_many, SHORT).await;
    // The other table has the same columns.
    browser.click("#runs-by-alpha").await;
    let by_alpha = fewer.replace(" ↑", "");
    browser
        .until(&format!("return {shown} === '{by_alpha}'"), SHORT)
        .await;
    browser.until(&as_many, SHORT).await;
    browser.click("#runs button.open").await;
    let opened = cells("#runs tbody tr[data-run]:not([hidden])");
    browser
        .until(&format!("return {opened} === {headings}"), SHORT)
        .await;
    browser.click("#runs-columns summary").await;
    browser.click("#runs-columns button").await;
    let every = all.replace(" ↑", "");
    browser
        .until(&format!("return {shown} === '{every}'"), SHORT)
        .await;
    // The key still reaches the menu.
    browser.press(Key::Escape).await;
    browser.wait("#runs-columns:not([open])", SHORT).await;
    browser.no_errors().await;
}

/// Breaks when a page of more than three screens has no list of what is on it, or the list leads to something that is not there.
#[tokio::test]
async fn long_pages_have_a_list_of_their_parts() {
    let (server, browser) = seeded().await;
    browser.client.set_window_size(1280, 1024).await.unwrap();
    let mut lists = 0;
    for page in [
        "/",
        "/experiments/1",
        "/experiments/1/findings",
        "/experiments/1/robustness",
        "/experiments/1/layers",
        "/experiments/1/training",
        "/experiments/1/set-up",
        "/experiments/new",
        "/runs/1",
        "/compare?experiments=1",
        "/compare?runs=1,2",
        "/datasets",
        "/devices",
    ] {
        browser.open(&format!("{}{page}", server.url)).await;
        let screens = "return document.documentElement.scrollHeight / innerHeight";
        let screens = browser.script(screens).await.as_f64().unwrap();
        let missing = "return [...document.querySelectorAll('.contents a')].map(link => link.hash).filter(hash => document.querySelector(hash) === null)";
        assert_eq!(browser.script(missing).await, json!([]), "{page}");
        let links = browser.count(".contents a").await;
        assert!(screens <= 3.0 || links > 1, "{page}: {screens} screens");
        lists += usize::from(links > 1);
    }
    assert!(lists >= 5, "{lists} lists");
}

/// Breaks when a ticked row leaves its point as it was, a brushed point its row, or a click on a point opens another run.
#[tokio::test]
async fn one_selection_is_everywhere() {
    let (server, browser) = seeded().await;
    let page = format!("{}/experiments/1", server.url);
    browser.open(&page).await;
    let figure = "#figure-accuracy-selectivity";
    drawn(&browser, figure).await;
    let plot = format!("document.querySelector('{figure} .js-plotly-plot')");
    let lit = format!(
        "{plot}.data.flatMap(trace => (trace.selectedpoints ?? []).map(place => trace.customdata[place])).join()"
    );
    // Rows of a small experiment are there, folded: a run is ticked through its alpha.
    let tick = |alpha: &str| format!("tr[data-alpha=\"{alpha}\"] input[type=checkbox]");
    browser.click(&tick("1")).await;
    browser.until(&format!("return {lit} === '2'"), SHORT).await;
    browser
        .until(
            "return document.querySelector('#selection').textContent.startsWith('1 run selected')",
            SHORT,
        )
        .await;
    // It is the same on another page.
    browser.click("#tab-robustness").await;
    browser.wait("#figure-corruption-selectivity", SHORT).await;
    browser.click("#tab-overview").await;
    browser.wait("tr[data-alpha=\"1\"].selected", SHORT).await;
    browser.click("#selection button").await;
    browser.wait("#selection[hidden]", SHORT).await;

    // A rectangle over the whole figure brushes both.
    drawn(&browser, figure).await;
    browser.click(&format!("{figure} .downloads button")).await;
    browser
        .until(
            &format!("return {plot}._fullLayout.dragmode === 'select'"),
            SHORT,
        )
        .await;
    browser
        .script(&format!(
            "{plot}.scrollIntoView({{block: 'center'}}); return true"
        ))
        .await;
    let area = browser
        .script(&format!("const box = document.querySelector('{figure} .nsewdrag').getBoundingClientRect(); return [box.x, box.y, box.width, box.height]"))
        .await;
    let [x, y, width, height] = [0, 1, 2, 3].map(|index| area[index].as_f64().unwrap());
    // The corners of the drawing are for zooming.
    let at = |[across, down]: [f64; 2]| PointerAction::MoveTo {
        duration: Some(Duration::from_millis(100)),
        x: (x + across).round(),
        y: (y + down).round(),
    };
    let drag = MouseActions::new("mouse".into())
        .then(at([24.0, 4.0]))
        .then(PointerAction::Down { button: 0 })
        .then(at([width / 2.0, height / 2.0]))
        .then(at([width - 4.0, height - 4.0]))
        .then(PointerAction::Up { button: 0 });
    browser.client.perform_actions(drag).await.unwrap();
    browser
        .until(
            "return document.querySelector('#selection').textContent.startsWith('2 runs selected')",
            SHORT,
        )
        .await;
    browser.wait("tr[data-alpha=\"0\"].selected", SHORT).await;
    browser.screenshot("selection").await;
    browser.click("#selection a").await;
    browser
        .until(
            "return location.pathname === '/compare' && location.search.includes('runs=1%2C2')",
            SHORT,
        )
        .await;
    browser.no_errors().await;
}

/// Breaks when a space does not move the presentation on, or does while a button has the focus.
#[tokio::test]
async fn a_space_moves_the_presentation_on() {
    let (server, browser) = seeded().await;
    browser
        .open(&format!("{}/experiments/1/present", server.url))
        .await;
    browser.wait("[data-slide=\"1\"]", SHORT).await;
    browser.press(Key::Space).await;
    browser.wait("[data-slide=\"2\"] .closing", SHORT).await;
    browser
        .script("document.querySelector('[aria-label=\"Previous slide\"]').focus()")
        .await;
    browser.press(Key::Space).await;
    browser.wait("[data-slide=\"1\"]", SHORT).await;
    browser.press(Key::End).await;
    browser
        .until(
            "return document.querySelector('.slide h1').textContent.startsWith('C8 ')",
            SHORT,
        )
        .await;
    browser.no_errors().await;
}

/// Breaks when an experiment ends and its tab in the browser does not say so, or what was shown while it trained stays.
#[tokio::test]
async fn the_end_is_seen_from_another_tab() {
    let server = Server::start();
    let browser = Browser::start().await;
    browser.open(&format!("{}/experiments", server.url)).await;
    let changes = [("/training/epochs", json!(40))];
    let id = launch(&browser, "Short", &changes).await;
    browser
        .open(&format!("{}/experiments/{id}", server.url))
        .await;
    browser.wait("#at-work tr[data-at-work]", SHORT).await;
    browser
        .until("return document.title.startsWith('Short')", SHORT)
        .await;
    browser.screenshot("at-work").await;
    browser
        .until(
            "return document.title.startsWith('✓ Short')",
            Duration::from_secs(60),
        )
        .await;
    browser
        .until("return document.querySelector('#at-work') === null", SHORT)
        .await;
    browser.wait("#verdicts", SHORT).await;
    browser.no_errors().await;
}

/// Breaks when `?` lists no keys, `/` does not lead to the search, or a letter that is typed into a field is taken for a key.
#[tokio::test]
async fn keys_are_listed_and_lead_to_the_search() {
    let (_server, browser) = seeded().await;
    let body = || async { browser.client.active_element().await.unwrap() };
    body().await.send_keys("?").await.unwrap();
    browser
        .until("return document.querySelector('#keys').open", SHORT)
        .await;
    browser.press(Key::Escape).await;
    browser
        .until("return !document.querySelector('#keys').open", SHORT)
        .await;
    // The focus goes back once the dialog is closed; nothing can be typed into what is hidden.
    browser
        .until(
            "return !document.querySelector('#keys').contains(document.activeElement)",
            SHORT,
        )
        .await;
    body().await.send_keys("/").await.unwrap();
    browser
        .until("return document.activeElement.id === 'search'", SHORT)
        .await;
    body().await.send_keys("a/?").await.unwrap();
    browser
        .until(
            "return document.querySelector('#search').value === 'a/?'",
            SHORT,
        )
        .await;
    assert_eq!(
        browser
            .script("return document.querySelector('#keys').open")
            .await,
        false
    );
    browser.no_errors().await;
}

/// Breaks when two runs are merged into one line, a baseline is not in the address, or choosing another grouping loses it.
#[tokio::test]
async fn two_runs_are_laid_over_each_other() {
    let (server, browser) = seeded().await;
    browser
        .open(&format!("{}/compare?runs=1%2C2", server.url))
        .await;
    drawn(&browser, "#figure-run-by-run-training").await;
    let names = "[...document.querySelectorAll('#figure-run-by-run-training .legendtext')].map(text => text.textContent).join('; ')";
    browser
        .until(
            &format!("return {names} === 'run 1 (α 0, seed 0); run 2 (α +1, seed 0)'"),
            SHORT,
        )
        .await;
    for (choice, value) in [
        ("#baseline", "2"),
        ("#curve", "layer:3"),
        ("#x", "test_accuracy"),
    ] {
        let element = browser
            .client
            .find(fantoccini::Locator::Css(choice))
            .await
            .unwrap();
        element.select_by_value(value).await.unwrap();
        let encoded = value.replace(':', "%3A");
        let script = format!(
            "return ['{value}', '{encoded}'].some(value => location.search.includes('{}=' + value))",
            choice.trim_start_matches('#')
        );
        browser.until(&script, SHORT).await;
    }
    // Another grouping asks the server anew, and keeps what the figures show.
    browser.click("#group-by a[data-field=\"alpha\"]").await;
    browser
        .until(
            "return location.search.includes('baseline=2') && location.search.includes('x=test_accuracy')",
            SHORT,
        )
        .await;
    browser.no_errors().await;
}

/// Breaks when the API's page is not in the dashboard's frame, or draws nothing, first loaded or reached by a link.
#[tokio::test]
async fn the_api_is_described_in_the_frame() {
    let (server, browser) = seeded().await;
    browser.click("header nav a[href=\"/api\"]").await;
    browser.wait("#api-reference .opblock", SHORT).await;
    browser.open(&format!("{}/api", server.url)).await;
    browser.wait("#api-reference .opblock", SHORT).await;
    browser.wait("header .brand", SHORT).await;
    browser.no_errors().await;
}

/// Breaks when a run that is deleted stays selected, so that the selection can no longer be compared.
#[tokio::test]
async fn a_deleted_run_is_no_longer_selected() {
    let (server, browser) = seeded().await;
    browser.open(&format!("{}/experiments/1", server.url)).await;
    for alpha in [0, 1] {
        browser
            .click(&format!(
                "#runs tr[data-alpha=\"{alpha}\"] input[type=checkbox]"
            ))
            .await;
    }
    let text = |words: &str| {
        format!("return document.querySelector('#selection span').textContent === '{words}'")
    };
    browser.until(&text("2 runs selected"), SHORT).await;
    browser
        .script("fetch('/api/v1/runs/2', {method: 'DELETE'}); return true")
        .await;
    browser.until(&text("1 run selected"), SHORT).await;
    browser.no_errors().await;
}
