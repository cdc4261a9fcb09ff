//! How fast a page is in Chromium: the first paint, when it reacts, and frames a second while one scrolls and brushes.
//!
//! `cargo run --release -p browser --bin page-speed -- http://127.0.0.1:3000/experiments/1 [ROUNDS]` prints a line for each, medians
//! [smallest, largest] over rounds, each with a browser that has nothing cached. Nothing else should run meanwhile.

use std::time::Duration;

use browser::{Browser, SHORT};
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::{Value, json};
use url::Url;

/// chromedriver's way to Chromium's own protocol.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _url: &Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.command, "params": self.parameters});
        (http::Method::POST, Some(body.to_string()))
    }
}

/// Notes when the page reacts, which the app says on the `html` element.
const NOTE_HYDRATION: &str = "
    new MutationObserver((_, observer) => {
        if (document.documentElement?.hasAttribute('data-hydrated')) {
            window.hydratedAt = performance.now();
            observer.disconnect();
        }
    }).observe(document, {attributes: true, attributeFilter: ['data-hydrated'], subtree: true});";

/// Notes the time of each frame, and does `arguments[0]` in it.
const NOTE_FRAMES: &str = "
    const step = new Function('frame', arguments[0]);
    const times = window.frameTimes = [];
    const note = now => {
        if (window.frameTimes !== times) return;
        times.push(now);
        step(times.length);
        requestAnimationFrame(note);
    };
    requestAnimationFrame(note);";

/// Ends the notes; gives milliseconds between frames.
const END_FRAMES: &str = "
    const times = window.frameTimes;
    window.frameTimes = null;
    return times.slice(1).map((at, index) => at - times[index]);";

/// What was measured, by name: in each round, a number.
#[derive(Default)]
struct Measured(Vec<(&'static str, Vec<f64>)>);

impl Measured {
    fn add(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    fn print(mut self) {
        for (name, values) in &mut self.0 {
            values.sort_by(f64::total_cmp);
            let (low, high) = (values[0], values[values.len() - 1]);
            let median = values[values.len() / 2];
            let n = values.len();
            println!("{name:36} {median:8.0} [{low:.0}, {high:.0}], n = {n}");
        }
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        eprintln!("usage: page-speed URL [ROUNDS]");
        std::process::exit(2);
    };
    let rounds = arguments.next().map_or(Ok(5), |rounds| rounds.parse());
    let mut measured = Measured::default();
    for _ in 0..rounds.expect("ROUNDS is a number") {
        let browser = Browser::start().await;
        load(&browser, &url, &mut measured).await;
        let scroll = "scrollBy(0, frame % 120 < 60 ? 40 : -40)";
        frames(&browser, scroll, async {
            tokio::time::sleep(Duration::from_secs(3)).await;
        })
        .await
        .note(
            &mut measured,
            ["scrolling: frames/s", "scrolling: longest frame (ms)"],
        );
        if browser.count(".figure .nsewdrag").await > 0 {
            brush(&browser, &mut measured).await;
        }
        if browser.count("th button").await > 0 {
            let sort = "if (frame % 30 === 1) document.querySelector('th button').click()";
            frames(&browser, sort, async {
                tokio::time::sleep(Duration::from_secs(3)).await;
            })
            .await
            .note(
                &mut measured,
                ["sorting: frames/s", "sorting: longest frame (ms)"],
            );
        }
    }
    println!("{url}");
    measured.print();
}

/// Loads the page into an empty browser.
async fn load(browser: &Browser, url: &str, measured: &mut Measured) {
    let prepared = browser.client.issue_cmd(DevTools {
        command: "Page.addScriptToEvaluateOnNewDocument",
        parameters: json!({"source": NOTE_HYDRATION}),
    });
    prepared.await.expect("Chromium takes a script");
    browser.open(url).await;
    let times = browser
        .script(
            "return [performance.getEntriesByName('first-contentful-paint')[0].startTime, window.hydratedAt,
                performance.getEntriesByType('navigation')[0].responseEnd]",
        )
        .await;
    let names = ["first paint (ms)", "reacts (ms)", "document is there (ms)"];
    for (name, time) in names
        .into_iter()
        .zip(times.as_array().expect("three times"))
    {
        measured.add(name, time.as_f64().expect("a time"));
    }
    browser
        .until("return document.querySelector('.figure') === null || document.querySelector('.nsewdrag') !== null", SHORT)
        .await;
    let drawn = browser.script("return performance.now()").await;
    measured.add("first figure (ms, to 100)", drawn.as_f64().expect("a time"));
    let bytes = "return [...performance.getEntriesByType('resource'), performance.getEntriesByType('navigation')[0]]
        .reduce((sum, entry) => sum + entry.transferSize, 0) / 1000";
    let bytes = browser.script(bytes).await;
    measured.add("transferred (kB)", bytes.as_f64().expect("a number"));
}

/// Milliseconds between frames.
struct Frames(Vec<f64>);

impl Frames {
    fn note(&self, measured: &mut Measured, [rate, longest]: [&'static str; 2]) {
        let all: f64 = self.0.iter().sum();
        measured.add(rate, 1000.0 * self.0.len() as f64 / all);
        measured.add(longest, self.0.iter().copied().fold(0.0, f64::max));
    }
}

/// The frames while `step` is done in each of them and `meanwhile` from outside.
async fn frames(browser: &Browser, step: &str, meanwhile: impl Future<Output = ()>) -> Frames {
    let begun = browser.client.execute(NOTE_FRAMES, vec![step.into()]).await;
    begun.expect("the page takes a script");
    meanwhile.await;
    let times = browser.script(END_FRAMES).await;
    let times = times.as_array().into_iter().flatten();
    Frames(times.filter_map(Value::as_f64).collect())
}

/// Drags a rectangle over the points of the first figure that selects runs.
async fn brush(browser: &Browser, measured: &mut Measured) {
    let area = "const figure = [...document.querySelectorAll('.figure')].find(figure =>
            figure.querySelector('.nsewdrag') && figure.querySelector('[aria-pressed]:not([hidden])'));
        if (!figure) return null;
        figure.scrollIntoView({block: 'center'});
        const button = figure.querySelector('[aria-pressed]');
        if (button.getAttribute('aria-pressed') !== 'true') button.click();
        const box = figure.querySelector('.nsewdrag').getBoundingClientRect();
        return [box.x, box.y, box.width, box.height]";
    // The figures above it may still grow.
    browser.script(area).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let area = browser.script(area).await;
    if area.is_null() {
        return;
    }
    let [x, y, width, height] = [0, 1, 2, 3].map(|place| area[place].as_f64().expect("a length"));
    let at = |share: f64| PointerAction::MoveTo {
        duration: Some(Duration::from_millis(16)),
        x: (x + width * share).round(),
        y: (y + height * share).round(),
    };
    let mut drag = MouseActions::new("mouse".into())
        .then(at(0.1))
        .then(PointerAction::Down { button: 0 });
    for step in 0..120 {
        drag = drag.then(at(0.1 + 0.8 * f64::from(step) / 120.0));
    }
    let dragging = async {
        let dragged = browser.client.perform_actions(drag).await;
        dragged.expect("the mouse is dragged");
    };
    let brushing = frames(browser, "", dragging).await;
    brushing.note(
        measured,
        ["brushing: frames/s", "brushing: longest frame (ms)"],
    );
    let release = MouseActions::new("mouse".into()).then(PointerAction::Up { button: 0 });
    let releasing = async {
        let released = browser.client.perform_actions(release).await;
        released.expect("the mouse is released");
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let lit = frames(browser, "", releasing).await;
    let longest = lit.0.iter().copied().fold(0.0, f64::max);
    measured.add("runs lit after it: longest frame (ms)", longest);
}
