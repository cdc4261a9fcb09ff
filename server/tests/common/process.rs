//! A server in a process of its own, asked over the network as a browser would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use protocol::api::{Experiment, LiveEvent};
use protocol::{ExperimentSpec, Run};
use serde::de::DeserializeOwned;

use super::{PATIENCE, executable};

/// `selectivity-lab <arguments>` over the data directory in `folder`, ready to be started.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(executable());
    command
        .arg("--data")
        .arg(folder.join("data"))
        .stdin(Stdio::null());
    command
}

/// `selectivity-lab serve` on a free port, with just enough of a site to start.
pub fn serve(folder: &Path) -> Command {
    let site = folder.join("site");
    std::fs::create_dir_all(site.join("pkg")).unwrap();
    std::fs::write(site.join("pkg/app.js"), "").unwrap();
    let mut command = command(folder);
    command
        .args(["serve", "--port", "0", "--site-root"])
        .arg(site);
    command
}

/// A server that answers. It is killed when the test ends, however it ends.
pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one over `folder`, in a process group of its own as a terminal would.
    pub fn start(folder: &Path) -> Server {
        Server::start_as(serve(folder))
    }

    /// Starts one with `command`, which is [`serve`]'s, perhaps with more arguments.
    pub fn start_as(mut command: Command) -> Server {
        let mut child = command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("Selectivity Lab is listening on http://")
            .unwrap_or_else(|| panic!("it said `{line}`"));
        Server {
            address: address.parse().unwrap(),
            child,
        }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    // HTTP 1.0: the answer then ends with the connection, and is not cut into chunks.
    fn connect(&self, method: &str, path: &str, body: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nlast-event-id: 0\r\n\r\n{body}",
            self.address, body.len()
        )
        .unwrap();
        BufReader::new(stream)
    }

    /// The answer to a request, which must be a success.
    pub fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &str) -> T {
        let mut answer = String::new();
        self.connect(method, path, body)
            .read_to_string(&mut answer)
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.split(' ')
                .nth(1)
                .is_some_and(|status| status.starts_with('2')),
            "{method} {path}: {answer}"
        );
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.ask("GET", path, "")
    }

    /// Launches `spec`.
    pub fn launch(&self, spec: &ExperimentSpec) -> Experiment {
        let spec = serde_json::to_string(spec).unwrap();
        self.ask("POST", "/experiments", &spec)
    }

    /// The runs of an experiment.
    pub fn runs(&self, experiment: i64) -> Vec<Run> {
        self.get(&format!("/experiments/{experiment}/runs"))
    }

    /// The run, once it is as `wanted`.
    pub fn wait_for(&self, run: i64, mut wanted: impl FnMut(&Run) -> bool) -> Run {
        let start = Instant::now();
        loop {
            let found: Run = self.get(&format!("/runs/{run}"));
            if wanted(&found) {
                return found;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "run {run} is still {:?}: {:?}",
                found.state,
                found.reason
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Listens to all events from the first on; what has come is in the list, at any time.
    pub fn listen(&self) -> Arc<Mutex<Vec<LiveEvent>>> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = heard.clone();
        let stream = self.connect("GET", "/events", "");
        std::thread::spawn(move || {
            // Ends with an error when the server is killed.
            for event in stream.lines().map_while(Result::ok).filter_map(event) {
                list.lock().unwrap().push(event);
            }
        });
        heard
    }
}

/// The event of a line of a stream of events.
pub fn event(line: impl AsRef<str>) -> Option<LiveEvent> {
    serde_json::from_str(line.as_ref().strip_prefix("data: ")?).ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
