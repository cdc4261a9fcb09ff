//! What the browser tests share: a server of their own, and a headless Chromium to look at it with.
//!
//! Run them with `make test`, which builds the server and the site first and says where they are in
//! `SELECTIVITY_LAB_BINARY` and `SELECTIVITY_LAB_SITE`.

pub mod seed;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::key::Key;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

/// How long a page may take for what needs no training.
pub const SHORT: Duration = Duration::from_secs(20);

/// A server process on a data directory of its own.
pub struct Server {
    process: Child,
    /// Where it listens, for example `http://127.0.0.1:40123`.
    pub url: String,
    /// Its data directory; deleted when the test ends.
    pub data: TempDir,
}

impl Server {
    /// Starts the server on a free port.
    pub fn start() -> Server {
        let binary = variable("SELECTIVITY_LAB_BINARY");
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut process = Command::new(binary)
            .args(["--data".as_ref(), data.path().as_os_str()])
            .args(["serve", "--port", "0", "--site-root"])
            .arg(variable("SELECTIVITY_LAB_SITE"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = process.stdout.take().expect("standard output is piped");
        let line = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains("http://"))
            .expect("the server says where it listens");
        let url = line[line.find("http://").unwrap_or_default()..]
            .trim()
            .to_owned();
        Server { process, url, data }
    }
}

impl Server {
    /// The processes that it has started: one a run that is at work.
    pub fn workers(&self) -> Vec<u32> {
        let id = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        // The main thread may not be the one that started it.
        let tasks = std::fs::read_dir(format!("/proc/{id}/task"))
            .into_iter()
            .flatten()
            .flatten();
        let of_tasks =
            tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let mut ids: Vec<u32> = children
            .into_iter()
            .chain(of_tasks)
            .flat_map(|text| {
                text.split_whitespace()
                    .filter_map(|id| id.parse().ok())
                    .collect::<Vec<_>>()
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its workers would go on without it.
        let workers = self.workers();
        let _ = self.process.kill();
        let _ = self.process.wait();
        for worker in workers {
            let _ = Command::new("kill")
                .args(["-KILL", &worker.to_string()])
                .status();
        }
    }
}

/// A headless Chromium with a profile of its own.
pub struct Browser {
    driver: Child,
    profile: TempDir,
    /// The session.
    pub client: Client,
}

impl Browser {
    /// Starts chromedriver and opens a session.
    pub async fn start() -> Browser {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (make setup-test)");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }) else {
            unreachable!("an object was written down");
        };
        let capabilities: Capabilities = capabilities;
        let address = format!("http://127.0.0.1:{port}");
        let deadline = Instant::now() + Duration::from_secs(30);
        let client = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder
                .capabilities(capabilities.clone())
                .connect(&address)
                .await
            {
                Ok(client) => break client,
                Err(error) if Instant::now() > deadline => panic!("no browser session: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        };
        Browser {
            driver,
            profile,
            client,
        }
    }

    /// Opens a page and waits until the app has taken it over. Fails where the page left had errors.
    pub async fn open(&self, url: &str) {
        self.open_document(url).await;
        self.hydrated().await;
    }

    /// Opens a page that is no part of the app. Fails where the page left had errors.
    pub async fn open_document(&self, url: &str) {
        self.no_errors().await;
        self.client
            .goto(url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Waits until the app has taken the page over.
    pub async fn hydrated(&self) {
        self.wait("html[data-hydrated]", Duration::from_secs(30))
            .await;
    }

    /// Waits for an element, and fails with its selector when it does not come.
    pub async fn wait(&self, selector: &str, limit: Duration) {
        let found = self
            .client
            .wait()
            .at_most(limit)
            .for_element(Locator::Css(selector))
            .await;
        if let Err(error) = found {
            self.screenshot("failed").await;
            let errors = self.errors().await.join("\n");
            panic!("{selector} did not appear in {limit:?}: {error}\n{errors}");
        }
    }

    /// Clicks on an element, once it is there and in view.
    pub async fn click(&self, selector: &str) {
        self.wait(selector, SHORT).await;
        let script = format!(
            "document.querySelector('{}').scrollIntoView({{block: 'center'}})",
            selector.replace('\'', "\"")
        );
        self.script(&script).await;
        let element = self.client.find(Locator::Css(selector)).await;
        let clicked = element.expect("it is there").click().await;
        clicked.unwrap_or_else(|error| panic!("{selector} cannot be clicked: {error}"));
    }

    /// Types into a field, in place of what it holds, with real keys.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.click(selector).await;
        let element = self.client.find(Locator::Css(selector)).await;
        let element = element.expect("it is there");
        // Select all, and type over it.
        let keys = format!(
            "{}a{}{}{text}",
            Key::Control + "",
            Key::Null + "",
            Key::Delete + ""
        );
        let typed = element.send_keys(&keys).await;
        typed.unwrap_or_else(|error| panic!("{selector} takes no keys: {error}"));
    }

    /// Presses a key where the focus is.
    pub async fn press(&self, key: Key) {
        let element = self.client.active_element().await.expect("a focus");
        element.send_keys(&(key + "")).await.expect("it takes keys");
    }

    /// Waits until a script returns `true`, and fails with the script when it does not.
    pub async fn until(&self, script: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.script(script).await != Value::Bool(true) {
            if Instant::now() > deadline {
                self.screenshot("failed").await;
                panic!(
                    "not within {limit:?}: {script}\n{}",
                    self.errors().await.join("\n")
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many elements there are.
    pub async fn count(&self, selector: &str) -> u64 {
        let script = format!("return document.querySelectorAll('{selector}').length");
        self.script(&script).await.as_u64().expect("a number")
    }

    /// What the server answers, as text, asked from the page.
    pub async fn fetch_text(&self, path: &str) -> String {
        let script =
            "const done = arguments[1]; fetch(arguments[0]).then(r => r.text()).then(done)";
        let text = self.client.execute_async(script, vec![path.into()]).await;
        text.expect("an answer").as_str().expect("text").to_owned()
    }

    /// What the API answers, asked from the page.
    pub async fn fetch(&self, path: &str) -> Value {
        serde_json::from_str(&self.fetch_text(path).await).expect("JSON")
    }

    /// What the API answers to a command, sent from the page.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let script = "const done = arguments[2]; fetch(arguments[0], {method: 'POST', headers: {'content-type': 'application/json'}, body: arguments[1]}).then(r => r.json()).then(done)";
        let arguments = vec![path.into(), body.to_string().into()];
        let answer = self.client.execute_async(script, arguments).await;
        answer.expect("an answer")
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        self.client
            .execute(script, vec![])
            .await
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The errors on the console since the last call: panics and exceptions, not answers such as 404.
    pub async fn errors(&self) -> Vec<String> {
        let log = self.client.issue_cmd(ConsoleLog).await;
        let log = log.unwrap_or_else(|error| panic!("the console cannot be read: {error}"));
        let entries = log.as_array().into_iter().flatten();
        entries
            .filter(|entry| entry["level"] == "SEVERE" && entry["source"] != "network")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Fails where there are [`errors`](Self::errors).
    pub async fn no_errors(&self) {
        let errors = self.errors().await;
        assert!(errors.is_empty(), "on the console: {errors:#?}");
    }

    /// Keeps a picture of the page in the `screenshots` folder of the build directory.
    pub async fn screenshot(&self, name: &str) {
        let folder = screenshots();
        if let Ok(png) = self.client.screenshot().await {
            std::fs::write(folder.join(format!("{name}.png")), png).expect("a picture is written");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // Chromium outlives a chromedriver that is killed, with a dozen processes a test. They name their profile.
        let profile = self.profile.path().as_os_str();
        let _ = Command::new("pkill")
            .args(["-KILL", "-f"])
            .arg(profile)
            .status();
    }
}

/// chromedriver's own command for what a page wrote on its console.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &Url) -> (http::Method, Option<String>) {
        let body = json!({"type": "browser"});
        (http::Method::POST, Some(body.to_string()))
    }
}

/// Where the pictures go.
pub fn screenshots() -> PathBuf {
    let site = variable("SELECTIVITY_LAB_SITE");
    let folder = Path::new(&site).with_file_name("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run `make test`"))
}
